//! What a program's slots can hold, and how its loads find their elements.

use opml_vm::{
    Instruction, Op, Opcode,
    isa::{MAX_ELEMENTS, SLOT_ACC, SLOT_CONST, SLOT_T},
};

use super::{
    access::Access,
    space::{self, Space},
};
use crate::engine::{
    interval::{self, Interval},
    load::{self, Extents, FIRST_K, Headers},
};

/// A program with everything that is known before it runs.
#[derive(Debug)]
pub(super) struct Analysis {
    /// Intervals of all slots.
    pub(super) intervals: Vec<Interval>,
    /// For each operation its load.
    pub(super) loads: Vec<Option<Access>>,
    /// The operations, reading in place of a slot the first one that has the same numbers.
    pub(super) ops: Vec<Op>,
    /// Slot of the result, likewise.
    pub(super) output: usize,
    /// Slot of the first operation.
    pub(super) base: usize,
    /// Extents with axes joined where the program allows it.
    pub(super) extents: Extents,
}

impl Analysis {
    /// `None` if a load cannot be planned. `acc` is what the reduction gives, in `post`.
    pub(super) fn new(
        instruction: &Instruction,
        ops: &[Op],
        extents: &Extents,
        acc: Option<Interval>,
        header: Headers<'_>,
    ) -> Option<Self> {
        let mut intervals = initial(instruction, extents, acc);
        let base = intervals.len();
        let (mut loads, mut own) = (Vec::with_capacity(ops.len()), Vec::with_capacity(ops.len()));
        // For each slot the first one with the same numbers.
        let mut first: Vec<u8> = (0..u8::MAX).take(base).collect();
        for op in ops {
            let mut same = u8::try_from(intervals.len()).ok()?;
            let (value, load, op) = match op {
                Op::Scalar { opcode, operands } => {
                    let operands = operands.map(|slot| first[usize::from(slot)]);
                    let read = operands.map(|slot| intervals[usize::from(slot)]);
                    if keeps(*opcode, read) {
                        same = operands[0];
                    }
                    (interval::apply(*opcode, read), None, Op::Scalar { opcode: *opcode, operands })
                }
                Op::Load(load) => {
                    let slot = |slot: usize| intervals[slot];
                    let mut access = Access::new(instruction, load, extents, header, &slot)?;
                    access.rename(&|slot| first.get(slot).map_or(slot, |&slot| usize::from(slot)));
                    (access.value, Some(access), op.clone())
                }
            };
            intervals.push(value);
            loads.push(load);
            own.push(op);
            first.push(same);
        }
        let output = first.last().map_or(0, |&slot| usize::from(slot));
        let extents = merged(&own, &loads, extents);
        Some(Self { intervals, loads, ops: own, output, base, extents })
    }

    /// Whether the slot always holds the same number: then it is the interval's only one.
    pub(super) fn is_constant(&self, slot: usize) -> bool {
        self.intervals[slot].constant().is_some()
    }

    /// Whether lanes along the innermost reduction axis are likely faster than along the innermost output axis.
    pub(super) fn prefers_terms(&self) -> bool {
        let [across, along] = [false, true].map(|terms| self.cost(&Space::new(&self.extents, terms)));
        along < across
    }

    /// A measure of the time of one lane, in 1/64 steps.
    fn cost(&self, space: &Space) -> i64 {
        let width = space.width.clamp(1, 512);
        // Short rows of elements share blocks; a row of terms has a total of its own.
        let loads = self.loads.iter().flatten().filter(|load| !load.never);
        let each = |load: &Access| {
            let stride = load.position.coordinates[space.lane];
            let scattered = if width == 1 || matches!(stride, 0 | 1) { 0 } else { 128 };
            let rows = 1024 / load::count(width);
            scattered + rows
        };
        let along = if space.lane >= FIRST_K { 512 / load::count(width) } else { 0 };
        loads.map(each).sum::<i64>() + along
    }

    /// What the last operation gives.
    pub(super) fn result(&self) -> Interval {
        self.intervals.get(self.output).copied().unwrap_or(Interval::ALL)
    }
}

/// Whether an operation gives its first operand for all numbers in the intervals.
fn keeps(opcode: Opcode, [a, b, c]: [Interval; 3]) -> bool {
    match opcode {
        Opcode::Add | Opcode::Sub | Opcode::Or | Opcode::Xor => b == Interval::point(0),
        Opcode::Mul | Opcode::Div => b == Interval::point(1),
        Opcode::Shl | Opcode::Shr | Opcode::Rshr => b.high <= 0,
        Opcode::Mulshr => b == Interval::point(1) && c.high <= 0,
        Opcode::Min => a.high <= b.low,
        Opcode::Max => a.low >= b.high,
        Opcode::Clamp => a.low >= b.high && a.high <= c.low,
        Opcode::Abs => a.low >= 0,
        Opcode::And => {
            a.low >= 0 && b.constant().is_some_and(|mask| mask & (mask.wrapping_add(1)) == 0 && a.high <= mask)
        }
        _ => false,
    }
}

/// Intervals of the slots before the first operation.
fn initial(instruction: &Instruction, extents: &Extents, acc: Option<Interval>) -> Vec<Interval> {
    let longest = i64::try_from(MAX_ELEMENTS).unwrap_or(i64::MAX);
    let mut intervals = vec![Interval::point(0); usize::from(SLOT_CONST)];
    intervals[usize::from(SLOT_T)] = Interval { low: 0, high: longest };
    for (slot, interval) in (0..).zip(&mut intervals) {
        if let Some(axis) = load::coordinate(slot) {
            *interval = Interval::axis(extents[axis]);
        }
    }
    if let Some(acc) = acc {
        intervals[usize::from(SLOT_ACC)] = acc;
    }
    intervals.extend(instruction.constants.iter().map(|&constant| Interval::point(constant)));
    intervals
}

fn merged(ops: &[Op], loads: &[Option<Access>], extents: &Extents) -> Extents {
    let mut kept = 0;
    for op in ops {
        if let Op::Scalar { opcode, operands } = op {
            for &slot in &operands[..opcode.arity().min(3)] {
                kept |= load::coordinate(slot).map_or(0, |axis| 1 << axis);
            }
        }
    }
    let sums: Vec<_> = loads.iter().flatten().flat_map(Access::sums).collect();
    space::merge(extents, kept, &sums)
}

//! What a program's slots can hold, and how its loads find their elements.

use opml_vm::{
    Instruction, Op,
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
        let mut loads = Vec::with_capacity(ops.len());
        for op in ops {
            let (value, load) = match op {
                Op::Scalar { opcode, operands } => {
                    (interval::apply(*opcode, operands.map(|slot| intervals[usize::from(slot)])), None)
                }
                Op::Load(load) => {
                    let slot = |slot: usize| intervals[slot];
                    let access = Access::new(instruction, load, extents, header, &slot)?;
                    (access.value, Some(access))
                }
            };
            intervals.push(value);
            loads.push(load);
        }
        let extents = merged(ops, &loads, extents);
        Some(Self { intervals, loads, base, extents })
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
        self.intervals.last().copied().unwrap_or(Interval::ALL)
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

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
                    access.number = loads.len();
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

#[cfg(test)]
mod tests {
    use opml_vm::{
        Reducer, Tensor,
        eval::{At, Evaluator},
        interpreter::{self, RunMemory, Stop},
        testing::{Limits, random_program},
    };

    use super::*;
    use crate::engine::{Frame, moving, ranges::Ranges};

    /// Every register of some elements and terms against the interval of its slot.
    fn check(instruction: &Instruction, frame: Frame<'_>, ranges: &Ranges) -> usize {
        let header = |source: &opml_vm::Source| moving::header(instruction, frame, ranges, source);
        let extents = load::extents(instruction, frame.t);
        let Some(map) = Analysis::new(instruction, &instruction.map, &extents, None, &header) else { return 0 };
        let (elements, terms) = (instruction.elements(frame.t), instruction.terms(frame.t));
        let mut memory = RunMemory::new(frame.program, frame.inputs, frame.values);
        let at = At { instructions: frame.program.counts().instructions, t: frame.t, instruction: frame.number };
        let mut seen = 0;
        for (number, e) in (0..instruction.map.len()).flat_map(|n| (0..elements.min(20)).map(move |e| (n, e))) {
            // The sum of one term is what the last operation of a shorter map gives.
            let map_ops = instruction.map[..=number].to_vec();
            let short = Instruction { map: map_ops, post: Vec::new(), reducer: Reducer::Sum, ..instruction.clone() };
            for k in 0..terms.min(6) {
                let value = Evaluator::new(&short, at).slice(e, k, k + 1, &mut memory).unwrap().unwrap();
                let interval = map.intervals[map.base + number];
                assert!(interval.contains(i64::try_from(value).unwrap()), "{value} {interval:?} {short:?}");
                seen += 1;
            }
        }
        let acc = interval::reduced(
            instruction.reducer,
            map.result(),
            (i64::try_from(terms).unwrap(), i64::try_from(terms).unwrap()),
        );
        let mut outputs = extents;
        outputs[FIRST_K..].fill(1);
        let Some(post) = Analysis::new(instruction, &instruction.post, &outputs, Some(acc), &header) else {
            return seen;
        };
        for (number, e) in (0..instruction.post.len()).flat_map(|n| (0..elements.min(20)).map(move |e| (n, e))) {
            let post_ops = instruction.post[..=number].to_vec();
            let short = Instruction { post: post_ops, dtype: opml_vm::DType::I64, ..instruction.clone() };
            let value = Evaluator::new(&short, at).element(e, &mut memory).unwrap();
            let interval = post.intervals[post.base + number];
            assert!(interval.contains(value), "{value} {interval:?} {short:?}");
            seen += 1;
        }
        seen
    }

    #[test]
    fn registers_lie_in_their_interval() {
        let mut seen = 0;
        for seed in 0..150 {
            let (program, inputs, max_t) = random_program(seed, &Limits::default());
            let ranges = Ranges::new(&program);
            let run = interpreter::run(&program, &inputs, Stop::Exactly(max_t), 1 << 32).unwrap();
            for t in 0..max_t {
                for (number, instruction) in (0..).zip(program.instructions()) {
                    let leaf = interpreter::leaf_index(program.counts().instructions, t, number).unwrap();
                    let values: &[Tensor] = &run.values[..usize::try_from(leaf).unwrap()];
                    let frame = Frame { program: &program, inputs: &inputs, values, own: None, t, number };
                    seen += check(instruction, frame, &ranges);
                }
            }
        }
        assert!(seen > 10_000, "registers were looked at: {seen}");
    }
}

//! What the elements of every tensor of a program can be.
//!
//! Small constants are looked at; a value's interval follows from its instruction. So this holds for values that the
//! program computes, not for others put in their place, unless the instruction is known where that happens.

use opml_vm::{
    DType, Extent, Instruction, Op, Program, Reducer, Source, Tensor,
    isa::{MAX_ELEMENTS, SLOT_ACC, SLOT_CONST, SLOT_T},
};

use super::{
    interval::{self, Interval},
    load::{self, FIRST_K},
};

/// Constants of more elements count as anything of their type.
const LARGE: u64 = 1 << 16;

/// Intervals of a program's constants, inputs and values.
#[derive(Debug, Clone)]
pub(super) struct Ranges {
    constants: Vec<Interval>,
    inputs: Vec<Interval>,
    values: Vec<Interval>,
}

impl Ranges {
    pub(super) fn new(program: &Program) -> Self {
        Self::with_any(program, None)
    }

    /// The same where the values of instruction `any` may be anything of their type.
    pub(super) fn with_any(program: &Program, any: Option<u32>) -> Self {
        let mut ranges = Self {
            constants: program.constants().iter().map(constant).collect(),
            inputs: program.inputs().iter().map(|input| Interval::of(input.dtype)).collect(),
            // What comes later, or is of an earlier iteration, is known by its type.
            values: program.instructions().iter().map(|instruction| Interval::of(instruction.dtype)).collect(),
        };
        let any = any.and_then(|number| usize::try_from(number).ok());
        for (number, instruction) in program.instructions().iter().enumerate() {
            if any != Some(number) {
                ranges.values[number] = ranges.instruction(instruction);
            }
        }
        ranges
    }

    /// What a source's elements can be, at any iteration.
    pub(super) fn of(&self, source: &Source) -> Interval {
        let (list, number) = match source {
            Source::Constant(n) => (&self.constants, n),
            Source::Input(n) => (&self.inputs, n),
            Source::Value(n) | Source::History { instruction: n, .. } => (&self.values, n),
        };
        usize::try_from(*number).ok().and_then(|n| list.get(n)).copied().unwrap_or(Interval::ALL)
    }

    /// What an instruction's elements can be, at any iteration.
    fn instruction(&self, instruction: &Instruction) -> Interval {
        let term = self.program(instruction, &instruction.map, Interval::point(0), true);
        let most = instruction.reduction.iter().fold(1, |n: u64, &e| n.saturating_mul(instruction.bound(e)));
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let fixed = instruction.reduction.iter().all(|extent| matches!(extent, Extent::Fixed(_)));
        let acc = interval::reduced(instruction.reducer, term, (if fixed { most } else { 0 }, most));
        let acc = if instruction.reducer == Reducer::Argmax { acc.union(Interval::point(0)) } else { acc };
        let value = match instruction.post.as_slice() {
            [] => acc,
            post => self.program(instruction, post, acc, false),
        };
        value.saturated(Interval::of(instruction.dtype))
    }

    /// What the last operation of `map` or `post` gives.
    fn program(&self, instruction: &Instruction, ops: &[Op], acc: Interval, map: bool) -> Interval {
        let mut slots = vec![Interval::point(0); usize::from(SLOT_CONST)];
        slots[usize::from(SLOT_T)] = Interval { low: 0, high: i64::try_from(MAX_ELEMENTS).unwrap_or(i64::MAX) };
        for (slot, interval) in (0..).zip(&mut slots) {
            let Some(axis) = load::coordinate(slot) else { continue };
            let extent = if axis < FIRST_K {
                instruction.output.get(axis)
            } else {
                instruction.reduction.get(axis - FIRST_K).filter(|_| map)
            };
            let bound = extent.map_or(1, |&extent| instruction.bound(extent));
            *interval = Interval::axis(i64::try_from(bound).unwrap_or(i64::MAX));
        }
        slots[usize::from(SLOT_ACC)] = acc;
        slots.extend(instruction.constants.iter().map(|&value| Interval::point(value)));
        for op in ops {
            let value = match op {
                Op::Scalar { opcode, operands } => {
                    interval::apply(*opcode, operands.map(|slot| slots[usize::from(slot)]))
                }
                Op::Load(load) => self.of(&load.source).union(Interval::point(load.pad)),
            };
            slots.push(value);
        }
        slots.last().copied().unwrap_or(Interval::ALL)
    }
}

fn constant(tensor: &Tensor) -> Interval {
    if tensor.elements() > LARGE || tensor.dtype() == DType::U8 {
        return Interval::of(tensor.dtype());
    }
    let values = (0..tensor.elements()).filter_map(|index| tensor.get(index)).map(Interval::point);
    values.reduce(Interval::union).unwrap_or(Interval::point(0))
}

#[cfg(test)]
mod tests {
    use opml_vm::{
        interpreter::{self, Stop},
        testing::{Limits, conformance_cases, random_program},
    };

    use super::*;

    fn check(program: &Program, inputs: &[Tensor], max_t: u64) {
        let ranges = Ranges::new(program);
        let run = interpreter::run(program, inputs, Stop::Exactly(max_t), 1 << 32).unwrap();
        for (leaf, value) in run.values.iter().enumerate() {
            let number = leaf % program.instructions().len();
            let range = ranges.values[number];
            for element in value.values() {
                assert!(range.contains(element), "{element} {range:?} {:?}", program.instructions()[number]);
            }
        }
    }

    #[test]
    fn values_lie_in_their_interval() {
        for seed in 0..600 {
            let (program, inputs, max_t) = random_program(seed, &Limits::default());
            check(&program, &inputs, max_t);
        }
        for case in conformance_cases() {
            check(&case.program, &case.inputs, case.max_t);
        }
    }
}

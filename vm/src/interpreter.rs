//! The reference run: element by element, slow, obviously right (SPEC §4).

use alloc::vec::Vec;

use crate::{
    error::ModelError,
    eval::{At, Evaluator, Memory, Place},
    isa::MAX_ELEMENTS,
    program::Program,
    tensor::Tensor,
};

/// A finished run: every value of every iteration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Iterations `T`.
    pub length: u64,
    /// Value `(t, i)` at `t·N + i`.
    pub values: Vec<Tensor>,
}

impl Run {
    /// Value of an instruction at an iteration.
    pub fn value(&self, instructions: u32, t: u64, instruction: u32) -> Option<&Tensor> {
        if instruction >= instructions || t >= self.length {
            return None;
        }
        self.values.get(usize::try_from(leaf_index(instructions, t, instruction)?).ok()?)
    }

    /// The output: the output instruction's value at the last iteration.
    pub fn output(&self, program: &Program) -> Option<&Tensor> {
        self.value(program.counts().instructions, self.length.checked_sub(1)?, program.output())
    }
}

/// Number of a trace leaf, `t·N + i`; `None` past `u64`.
pub fn leaf_index(instructions: u32, t: u64, instruction: u32) -> Option<u64> {
    t.checked_mul(u64::from(instructions))?.checked_add(u64::from(instruction))
}

/// When an iteration is the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The rule of the task: the first halt, or `maxT`.
    Halt {
        /// Longest run.
        max: u64,
    },
    /// Exactly so many iterations, whatever the halt instruction says: what a claim's `T` stands for.
    Exactly(u64),
}

/// Runs a program; at most `budget` elements are computed in all, an empty value counted as one.
///
/// # Errors
/// Inputs do not match the headers, the length is 0 or `length·N > 2^40`, or the budget is exceeded.
pub fn run(program: &Program, inputs: &[Tensor], stop: Stop, budget: u64) -> Result<Run, ModelError> {
    run_tampered(program, inputs, stop, budget, &mut |_, _, _| ())
}

/// Runs a program whose values a hook may change as soon as each is written: what comes later is computed from the
/// changed value. This makes the consistent lies that disputes are tried on.
///
/// # Errors
/// As [`run`].
pub fn run_tampered(
    program: &Program,
    inputs: &[Tensor],
    stop: Stop,
    budget: u64,
    hook: &mut dyn FnMut(u64, u32, &mut Tensor),
) -> Result<Run, ModelError> {
    program.check_inputs(inputs)?;
    let (Stop::Halt { max: longest } | Stop::Exactly(longest)) = stop;
    check_length(program, longest)?;
    let instructions = program.counts().instructions;
    let mut values: Vec<Tensor> = Vec::new();
    let mut spent: u64 = 0;
    for t in 0..longest {
        for (number, instruction) in (0..instructions).zip(program.instructions()) {
            spent = spent.saturating_add(instruction.elements(t).max(1));
            if spent > budget {
                return Err(ModelError::TooLarge { what: "number of elements", value: spent, limit: budget });
            }
            let mut memory = RunMemory::new(program, inputs, &values);
            let mut evaluator = Evaluator::new(instruction, At { instructions, t, instruction: number });
            let elements: Vec<i64> = (0..instruction.elements(t))
                .map(|e| match evaluator.element(e, &mut memory) {
                    Ok(value) => value,
                    Err(never) => match never {},
                })
                .collect();
            let mut value = Tensor::saturating(instruction.dtype, &elements);
            hook(t, number, &mut value);
            values.push(value);
        }
        let length = t.saturating_add(1);
        if matches!(stop, Stop::Halt { .. }) && halts(program, &values, t) {
            return Ok(Run { length, values });
        }
    }
    Ok(Run { length: longest, values })
}

/// Refuses lengths that a task cannot have.
///
/// # Errors
/// The length is 0, or `length·N > 2^40`.
pub fn check_length(program: &Program, length: u64) -> Result<(), ModelError> {
    let leaves = length.saturating_mul(u64::from(program.counts().instructions));
    if length == 0 || leaves > MAX_ELEMENTS {
        return Err(ModelError::Count {
            field: "number of iterations",
            value: length,
            why: "at least 1, and at most 2^40 values in all",
        });
    }
    Ok(())
}

/// Whether the run halts at `t`: the halt instruction's element 0 exists and is not 0.
pub fn halts(program: &Program, values: &[Tensor], t: u64) -> bool {
    let value = || {
        let leaf = leaf_index(program.counts().instructions, t, program.halt()?)?;
        values.get(usize::try_from(leaf).ok()?)?.get(0)
    };
    value().is_some_and(|value| value != 0)
}

/// The tensors that a step of a run can read.
#[derive(Debug, Clone, Copy)]
pub struct RunMemory<'a> {
    program: &'a Program,
    inputs: &'a [Tensor],
    values: &'a [Tensor],
}

impl<'a> RunMemory<'a> {
    /// A program's constants, a run's inputs, and its values so far.
    pub const fn new(program: &'a Program, inputs: &'a [Tensor], values: &'a [Tensor]) -> Self {
        Self { program, inputs, values }
    }

    /// The program.
    pub const fn program(&self) -> &'a Program {
        self.program
    }

    /// A tensor by place; `None` if the run has not got there.
    pub fn tensor(&self, place: Place) -> Option<&'a Tensor> {
        let number = match place {
            Place::Constant(n) => return self.program.constants().get(usize::try_from(n).ok()?),
            Place::Input(n) => return self.inputs.get(usize::try_from(n).ok()?),
            Place::Value { t, instruction } => leaf_index(self.program.counts().instructions, t, instruction)?,
        };
        self.values.get(usize::try_from(number).ok()?)
    }
}

impl Memory for RunMemory<'_> {
    type Error = core::convert::Infallible;

    fn header(&mut self, place: Place, _position: u64) -> Result<(u8, u64), Self::Error> {
        // Decoding and the order rule leave no missing tensor; an empty one keeps the function total.
        Ok(self.tensor(place).map_or((4, 0), |tensor| (tensor.dtype().code(), tensor.elements())))
    }

    fn element(&mut self, place: Place, position: u64) -> Result<i64, Self::Error> {
        Ok(self.tensor(place).and_then(|tensor| tensor.get(position)).unwrap_or(0))
    }
}

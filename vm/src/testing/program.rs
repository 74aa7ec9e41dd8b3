//! Random programs that use every feature of the machine.

use alloc::vec::Vec;

use super::{instruction::Draft, rng::Rng};
use crate::{
    codec::Counts,
    error::ModelError,
    isa::DType,
    program::{InputHeader, Program},
    tensor::Tensor,
};

/// How large random programs may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most instructions.
    pub instructions: u32,
    /// Longest run.
    pub max_t: u32,
    /// Most elements of a tensor.
    pub elements: u32,
    /// Most terms (and elements of empty reductions) of a whole run.
    pub work: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { instructions: 8, max_t: 4, elements: 300, work: 20_000 }
    }
}

/// A program, its inputs and the longest run; the same for the same seed and limits.
pub fn random_program(seed: u64, limits: &Limits) -> (Program, Vec<Tensor>, u64) {
    let mut rng = Rng::new(seed);
    // With room for one element of one term, some draft always fits.
    let limits = Limits { elements: limits.elements.max(1), work: limits.work.max(1), ..*limits };
    loop {
        if let Some(sample) = attempt(&mut rng, &limits) {
            return sample;
        }
    }
}

/// Drafts are well-formed by construction; a draft that would work too long is dropped.
fn attempt(rng: &mut Rng, limits: &Limits) -> Option<(Program, Vec<Tensor>, u64)> {
    let counts = Counts {
        instructions: rng.between(1, limits.instructions.max(1)),
        constants: rng.between(0, 3),
        inputs: rng.between(0, 2),
    };
    let max_t = u64::from(rng.between(1, limits.max_t.max(1)));
    let constants: Vec<Tensor> =
        (0..counts.constants).map(|_| tensor(rng, DType::ALL, limits.elements, true)).collect();
    let inputs: Vec<Tensor> = (0..counts.inputs).map(|_| tensor(rng, DType::ALL, limits.elements, false)).collect();
    let steps = u64::from(counts.instructions).saturating_mul(max_t);
    let share = limits.work.checked_div(steps).unwrap_or(0).max(1);
    let mut draft = Draft::new(rng, counts, limits.elements, share);
    draft.tensors(&constants, &inputs);
    let instructions = (0..counts.instructions).map(|number| draft.instruction(number)).collect();
    let output = draft.number();
    let halt = draft.rng.chance(40).then(|| draft.number());
    let headers = inputs.iter().map(|t| InputHeader { dtype: t.dtype(), elements: t.elements() }).collect();
    let program: Result<Program, ModelError> = Program::new(instructions, constants, headers, output, halt);
    let program = program.ok()?;
    (work(&program, max_t) <= limits.work).then_some((program, inputs, max_t))
}

/// Terms of a run, an empty reduction counted as one.
fn work(program: &Program, max_t: u64) -> u64 {
    let of = |t: u64| program.instructions().iter().map(move |i| i.elements(t).saturating_mul(i.terms(t).max(1)));
    (0..max_t).flat_map(of).fold(0, u64::saturating_add)
}

/// A tensor of a random type; i4 only where `nibbles` is set.
fn tensor(rng: &mut Rng, types: &[DType], elements: u32, nibbles: bool) -> Tensor {
    let drawn = rng.pick(types, DType::U8);
    let dtype = if drawn == DType::I4 && !nibbles { DType::I8 } else { drawn };
    let count = match rng.below(10) {
        0 => 0,
        1..8 => rng.between(1, elements.clamp(1, 24)),
        _ => rng.between(1, elements.max(1)),
    };
    let plain = rng.chance(60);
    let values: Vec<i64> = (0..count).map(|_| if plain { rng.small(20) } else { rng.value() }).collect();
    Tensor::saturating(dtype, &values)
}

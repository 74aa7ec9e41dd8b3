//! The reference evaluation, element by element.

use opml_vm::{
    Instruction, Tensor,
    eval::{At, Evaluator, Memory, Place},
};
use rayon::prelude::*;

use super::{Frame, load};

/// Elements that one task computes.
const CHUNK: usize = 16;

pub(super) fn run(instruction: &Instruction, frame: Frame<'_>) -> Tensor {
    let elements = instruction.elements(frame.t);
    let at = At { instructions: frame.program.counts().instructions, t: frame.t, instruction: frame.number };
    let element = |evaluator: &mut Evaluator<'_>, e: u64| {
        let mut memory = FrameMemory(frame);
        match evaluator.element(e, &mut memory) {
            Ok(value) => value,
            Err(never) => match never {},
        }
    };
    let prepare = || Evaluator::new(instruction, at);
    let numbers: Vec<u64> = (0..elements).collect();
    let values: Vec<i64> = if elements.saturating_mul(instruction.terms(frame.t)) < 1 << 10 {
        let mut evaluator = prepare();
        numbers.iter().map(|&e| element(&mut evaluator, e)).collect()
    } else {
        numbers.par_iter().with_min_len(CHUNK).map_init(prepare, |evaluator, &e| element(evaluator, e)).collect()
    };
    Tensor::saturating(instruction.dtype, &values)
}

struct FrameMemory<'a>(Frame<'a>);

impl FrameMemory<'_> {
    fn tensor(&self, place: Place) -> Option<&Tensor> {
        self.0.tensor(match place {
            Place::Constant(n) => load::Place::Constant(n),
            Place::Input(n) => load::Place::Input(n),
            Place::Value { t, instruction } => load::Place::At(t, instruction),
        })
    }
}

impl Memory for FrameMemory<'_> {
    type Error = std::convert::Infallible;

    fn header(&mut self, place: Place, _position: u64) -> Result<(u8, u64), Self::Error> {
        Ok(self.tensor(place).map_or((4, 0), |tensor| (tensor.dtype().code(), tensor.elements())))
    }

    fn element(&mut self, place: Place, position: u64) -> Result<i64, Self::Error> {
        Ok(self.tensor(place).and_then(|tensor| tensor.get(position)).unwrap_or(0))
    }
}

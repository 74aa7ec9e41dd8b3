//! Whole instructions that are met often, each as one loop from its sources to its bytes.
//!
//! | module | what it computes |
//! |---|---|
//! | `pattern` | how an instruction is recognised; loads whose elements follow each other |
//! | `reduce` | greatest numbers and magnitudes, sums, sums of squares of rows |
//! | `quantise` | rows times a constant over the row's number |
//! | `scale` | numbers times one for all, then times one each |
//! | `rotary` | pairs, turned |
//! | `gate` | a number times a function of it times another one |
//! | `power` | powers of two of rows |
//! | `line` | the tables of both |
//!
//! What a pattern cannot prove by intervals, its loop looks up in the numbers; where a loop does not suit them, the steps of
//! [`super::code`] run instead.

pub(super) mod gate;
mod line;
mod pattern;
pub(super) mod power;
pub(super) mod quantise;
pub(super) mod reduce;
pub(super) mod rotary;
pub(super) mod scale;
#[cfg(test)]
mod tests;

use opml_vm::{Instruction, Reducer};

use super::{analysis::Analysis, simd::Kernels};
use crate::engine::{Frame, load::Extents};
use pattern::Pattern;

/// An instruction that one loop computes.
#[derive(Debug, Clone)]
pub(super) enum Whole {
    Reduce(reduce::Reduce),
    Quantise(quantise::Quantise),
    Scale(scale::Scale),
    Rotary(rotary::Rotary),
    Gate(gate::Gate),
    Power(power::Power),
}

impl Whole {
    /// `None` if the instruction is none of them. One that follows its extents is so for all smaller ones as well.
    pub(super) fn new(instruction: &Instruction, analysis: &Analysis, extents: &Extents) -> Option<Self> {
        if extents.contains(&0) {
            return None;
        }
        let pattern = Pattern { instruction, analysis, extents };
        if let Some(reduce) = reduce::Reduce::new(&pattern) {
            return Some(Self::Reduce(reduce));
        }
        if !instruction.reduction.is_empty() || !instruction.post.is_empty() || instruction.reducer == Reducer::Argmax {
            return None;
        }
        if let Some(quantise) = quantise::Quantise::new(&pattern) {
            return Some(Self::Quantise(quantise));
        }
        if let Some(scale) = scale::Scale::new(&pattern) {
            return Some(Self::Scale(scale));
        }
        if let Some(rotary) = rotary::Rotary::new(&pattern) {
            return Some(Self::Rotary(rotary));
        }
        if let Some(gate) = gate::Gate::new(&pattern) {
            return Some(Self::Gate(gate));
        }
        power::Power::new(&pattern).map(Self::Power)
    }

    /// Whether its sources hold what it reads.
    pub(super) fn suits(&self, frame: Frame<'_>, extents: &Extents) -> bool {
        match self {
            Self::Reduce(reduce) => reduce.source(frame, extents).is_some(),
            Self::Power(power) => power.suits(frame, extents),
            Self::Quantise(_) | Self::Scale(_) | Self::Rotary(_) | Self::Gate(_) => false,
        }
    }

    /// Writes the instruction's value; `false` if it does not suit the numbers.
    pub(super) fn run(&self, kernels: Kernels, frame: Frame<'_>, extents: &Extents, bytes: &mut [u8]) -> bool {
        let done = match self {
            Self::Reduce(reduce) => reduce.run(kernels, frame, extents, bytes),
            Self::Quantise(quantise) => quantise.run(kernels, frame, extents, bytes),
            Self::Scale(scale) => scale.run(kernels, frame, extents, bytes),
            Self::Rotary(rotary) => rotary.run(kernels, frame, extents, bytes),
            Self::Gate(gate) => gate.run(kernels, frame, extents, bytes),
            Self::Power(power) => power.run(kernels, frame, extents, bytes),
        };
        done.is_some()
    }
}

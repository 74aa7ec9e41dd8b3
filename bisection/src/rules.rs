//! What the game asks of the machine under dispute: number formats, reductions and the verification of one step.

use crate::hash::{Hash, Hashing};
use thiserror::Error;

/// Most elements a tensor may have.
pub const MAX_ELEMENTS: u64 = 1 << 40;

/// An instruction's encoding with what opens it; for a question also everything the step reads. Opaque to the game.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// Encoding of the instruction.
    pub instruction: Vec<u8>,
    /// For [`Rules::shape`] the instruction's siblings in the program tree; for the questions the whole witness.
    pub witness: Vec<u8>,
}

/// Which step of which trace is in question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Job {
    /// The submitter's trace root: loads of values are opened under it.
    pub root: Hash,
    /// Length `T` of the run.
    pub length: u64,
    /// Iteration.
    pub t: u64,
    /// Instruction.
    pub i: u32,
}

/// What an instruction says about its value at an iteration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Element type.
    pub dtype: u8,
    /// Number of elements, `E(t)`.
    pub elements: u64,
    /// Number of terms of the reduction, `K(t)`.
    pub terms: u64,
    /// Code of the reduction.
    pub reducer: u8,
}

/// The step verifier does not answer: the witness does not verify or the question is out of range.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("step refused: {0}")]
pub struct StepRefused(pub String);

/// The machine's rules, as the contract knows them. Everything is a function of its arguments.
pub trait Rules: Hashing {
    /// Bytes of one element of a trace dtype (a divisor of 256); `None` if values cannot have this dtype.
    fn element_size(&self, dtype: u8) -> Option<u64>;

    /// The number that `bytes` (exactly [`Rules::element_size`] many) encode.
    fn decode(&self, dtype: u8, bytes: &[u8]) -> Option<i64>;

    /// `⊕` of adjacent partials in order, exact whatever the sums on the way; `None` if it is not an i128, if there are none or
    /// if the reducer is unknown.
    fn combine(&self, reducer: u8, partials: &[i128]) -> Option<i128>;

    /// Shape of instruction `job.i` at iteration `job.t`.
    ///
    /// # Errors
    /// If the instruction does not verify.
    fn shape(&self, job: &Job, step: &Step) -> Result<Shape, StepRefused>;

    /// Value of element `e`.
    ///
    /// # Errors
    /// If `e` is out of range or the witness does not verify.
    fn element(&self, job: &Job, e: u64, step: &Step) -> Result<i64, StepRefused>;

    /// Partial over terms `[k0, k1)` of element `e`.
    ///
    /// # Errors
    /// If `e` or the slice is out of range or the witness does not verify.
    fn slice(&self, job: &Job, e: u64, k0: u64, k1: u64, step: &Step) -> Result<i128, StepRefused>;

    /// Value of element `e` if its whole reduction has the partial `acc`.
    ///
    /// # Errors
    /// If `e` is out of range or the witness does not verify.
    fn post(&self, job: &Job, e: u64, acc: i128, step: &Step) -> Result<i64, StepRefused>;
}

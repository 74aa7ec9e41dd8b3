//! What a dispute is about, fixed when the claim is made.

use crate::hash::Hash;
use crate::rules::Job;
use thiserror::Error;

/// Most leaves a trace may have.
pub const MAX_LEAVES: u64 = 1 << 40;

/// A claim: "this task ran for `length` iterations and gave an output with this hash".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Instructions of the program, `N ≥ 1`.
    pub instructions: u32,
    /// Number of the output instruction, `< N`.
    pub output_at: u32,
    /// Number of the halt instruction, if there is one.
    pub halt_at: Option<u32>,
    /// The task's bound on iterations, `maxT`.
    pub max_length: u64,
    /// Claimed length `T`.
    pub length: u64,
    /// Hash of the claimed output bytes.
    pub output: Hash,
    /// Moves have `2^arity_log2` children or parts, `1 ≤ arity_log2 ≤ 6`.
    pub arity_log2: u32,
}

/// A claim that no contract accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BadClaim {
    /// `T` must be `1 … maxT`.
    #[error("length must be 1 … {0}")]
    Length(u64),
    /// A run shorter than `maxT` must have halted.
    #[error("a program without a halt instruction runs for maxT iterations")]
    NoHalt,
    /// The program must not be empty and must contain its output and halt instructions.
    #[error("output and halt must name one of {0} instructions")]
    Instruction(u32),
    /// `maxT·N ≤ 2^40`.
    #[error("more than 2^40 trace leaves")]
    Leaves,
    /// The arity must be 2 … 64.
    #[error("arity 2^{0} is not 2 … 64")]
    Arity(u32),
}

impl Claim {
    /// Checks the ranges that every claim must keep.
    ///
    /// # Errors
    /// Names the range that is violated.
    pub fn check(&self) -> Result<(), BadClaim> {
        if self.length == 0 || self.length > self.max_length {
            return Err(BadClaim::Length(self.max_length));
        }
        if self.length < self.max_length && self.halt_at.is_none() {
            return Err(BadClaim::NoHalt);
        }
        if self.output_at >= self.instructions || self.halt_at.is_some_and(|i| i >= self.instructions) {
            return Err(BadClaim::Instruction(self.instructions));
        }
        let leaves = self.max_length.checked_mul(u64::from(self.instructions));
        if leaves.is_none_or(|n| n > MAX_LEAVES) {
            return Err(BadClaim::Leaves);
        }
        if !(1..=6).contains(&self.arity_log2) {
            return Err(BadClaim::Arity(self.arity_log2));
        }
        Ok(())
    }

    /// Number of trace leaves, `L = T·N`.
    #[must_use]
    pub fn leaves(&self) -> u64 {
        self.length.saturating_mul(u64::from(self.instructions))
    }

    /// Children or parts of one move, `2^arity_log2`.
    #[must_use]
    pub fn arity(&self) -> u64 {
        1 << self.arity_log2
    }

    /// Leaf of value `(t, i)`.
    #[must_use]
    pub fn leaf(&self, t: u64, i: u32) -> u64 {
        t.saturating_mul(u64::from(self.instructions)).saturating_add(u64::from(i))
    }

    /// Leaf of the output, `(T−1)·N + out`.
    #[must_use]
    pub fn output_leaf(&self) -> u64 {
        self.leaf(self.length.saturating_sub(1), self.output_at)
    }

    /// The step that computes trace leaf `leaf`, under the submitter's `root`.
    #[must_use]
    pub fn job(&self, leaf: u64, root: Hash) -> Job {
        let n = u64::from(self.instructions).max(1);
        let i = u32::try_from(leaf % n).unwrap_or(u32::MAX);
        Job { root, length: self.length, t: leaf / n, i }
    }
}

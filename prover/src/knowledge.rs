//! What a player knows of a run: all its values, or checkpoints from which it computes them again.

use opml_bisection::{Answer, Unavailable};
use opml_ops::checkpoint::CheckpointTrace;
use opml_vm::{DType, Trace, interpreter::leaf_index, merkle::Tree, witness::Known};

/// A trace that can be asked for any value.
#[derive(Debug, Clone, Copy)]
pub enum Knowledge<'a> {
    /// Everything is in memory.
    Whole(&'a Trace),
    /// One iteration at a time is.
    Checkpoints(&'a CheckpointTrace),
}

impl<'a> From<&'a Trace> for Knowledge<'a> {
    fn from(trace: &'a Trace) -> Self {
        Self::Whole(trace)
    }
}

impl<'a> From<&'a CheckpointTrace> for Knowledge<'a> {
    fn from(trace: &'a CheckpointTrace) -> Self {
        Self::Checkpoints(trace)
    }
}

impl<'a> Knowledge<'a> {
    /// Instructions of the program.
    #[must_use]
    pub fn instructions(self) -> u32 {
        match self {
            Self::Whole(trace) => trace.instructions(),
            Self::Checkpoints(trace) => trace.program().counts().instructions,
        }
    }

    /// Iterations.
    #[must_use]
    pub const fn length(self) -> u64 {
        match self {
            Self::Whole(trace) => trace.length(),
            Self::Checkpoints(trace) => trace.length(),
        }
    }

    /// The tree over the header hashes.
    #[must_use]
    pub const fn tree(self) -> &'a Tree {
        match self {
            Self::Whole(trace) => trace.tree(),
            Self::Checkpoints(trace) => trace.tree(),
        }
    }

    /// Type and number of elements of a value; none outside the trace.
    #[must_use]
    pub fn header(self, leaf: u64) -> Option<(DType, u64)> {
        match self {
            Self::Whole(trace) => trace.value(leaf).map(|value| (value.dtype(), value.elements())),
            Self::Checkpoints(trace) => trace.header(leaf),
        }
    }

    /// Leaf of value `(t, i)`.
    #[must_use]
    pub fn leaf(self, t: u64, instruction: u32) -> Option<u64> {
        leaf_index(self.instructions(), t, instruction)
    }

    /// Looks at what steps of iteration `t` read and write.
    ///
    /// # Errors
    /// The iteration cannot be computed again.
    pub fn at<R>(self, t: u64, look: impl FnOnce(Known<'_>) -> R) -> Answer<R> {
        match self {
            Self::Whole(trace) => Ok(look(trace.known())),
            Self::Checkpoints(trace) => trace.at(t, look).map_err(|error| Unavailable(error.to_string())),
        }
    }
}

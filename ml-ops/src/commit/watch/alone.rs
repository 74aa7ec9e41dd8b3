//! Values hashed by the thread that computes them.

use opml_vm::{Hash, Tensor, merkle::LEAF_BYTES};

use super::{LANES, PART, SMALL, Seen, Value, filled, low};
use crate::commit::hasher::Hasher;

/// Hashes of values, in the order in which they came.
pub(super) struct Alone {
    hasher: Hasher,
    /// Leaves that wait for others.
    waiting: Vec<[u8; LEAF_BYTES]>,
    /// As in [`Seen`].
    small: Vec<Hash>,
    large: Vec<Hash>,
}

impl Alone {
    pub(super) fn new(hasher: Hasher) -> Self {
        Self { hasher, waiting: Vec::new(), small: Vec::new(), large: Vec::new() }
    }

    /// The next value of a run.
    pub(super) fn see(&mut self, value: &Tensor) {
        let bytes = value.bytes();
        let leaves = bytes.len().div_ceil(LEAF_BYTES);
        if leaves >= SMALL {
            let parts = (0..leaves).step_by(PART).flat_map(|first| low(self.hasher, bytes, first));
            return self.large.extend(parts);
        }
        self.waiting.extend_from_slice(bytes.as_chunks().0);
        self.waiting.extend(filled(bytes));
        self.hash(self.waiting.len() / LANES * LANES);
    }

    /// Hashes so many of the leaves that wait.
    fn hash(&mut self, count: usize) {
        if let Some(leaves) = self.waiting.get(..count) {
            self.hasher.leaves_onto(leaves, &mut self.small);
            self.waiting.drain(..count);
        }
    }

    pub(super) fn end(mut self, values: Vec<Value>) -> Seen {
        self.hash(self.waiting.len());
        Seen { values, small: self.small, large: self.large }
    }
}

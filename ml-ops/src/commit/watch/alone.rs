//! Values hashed by the thread that computes them.

use opml_vm::{Hash, Tensor, merkle::LEAF_BYTES};

use super::{PART, SMALL, Seen, Value, filled, low};
use crate::commit::hasher::Hasher;

/// Leaves that are hashed together: the widest vectors hash so many at once.
const LANES: usize = 8;

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
        Self { hasher, waiting: Vec::with_capacity(LANES), small: Vec::new(), large: Vec::new() }
    }

    /// The next value of a run.
    pub(super) fn see(&mut self, value: &Tensor) {
        let bytes = value.bytes();
        let leaves = bytes.len().div_ceil(LEAF_BYTES);
        if leaves >= SMALL {
            let parts = (0..leaves).step_by(PART).flat_map(|first| low(self.hasher, bytes, first));
            return self.large.extend(parts);
        }
        let mut whole = bytes.as_chunks().0;
        if !self.waiting.is_empty() || whole.len() < LANES {
            let (head, tail) = whole.split_at(whole.len().min(LANES - self.waiting.len()));
            self.waiting.extend_from_slice(head);
            whole = tail;
            self.flush(LANES);
        }
        if self.waiting.is_empty() {
            let (now, later) = whole.split_at(whole.len() / LANES * LANES);
            self.hasher.leaves_onto(now, &mut self.small);
            self.waiting.extend_from_slice(later);
        }
        if let Some(leaf) = filled(bytes) {
            self.waiting.push(leaf);
            self.flush(LANES);
        }
    }

    /// Hashes what waits, if that are so many leaves.
    fn flush(&mut self, many: usize) {
        if self.waiting.len() >= many {
            self.hasher.leaves_onto(&self.waiting, &mut self.small);
            self.waiting.clear();
        }
    }

    pub(super) fn end(mut self, values: Vec<Value>) -> Seen {
        self.flush(0);
        Seen { values, small: self.small, large: self.large }
    }
}

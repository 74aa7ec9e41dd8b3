//! Buffers that values have left.

use std::sync::{Arc, Mutex, PoisonError};

/// Most buffers that are kept.
const KEPT: usize = 256;
/// Shorter ones are as cheap to allocate.
const SHORTEST: usize = 1 << 14;

/// Buffers for reuse; clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Pool(Arc<Mutex<Vec<Vec<u8>>>>);

impl Pool {
    /// `length` bytes of unknown content, of a buffer that is not much larger, if there is one.
    pub(super) fn take(&self, length: usize) -> Vec<u8> {
        if length < SHORTEST {
            // Allocators have short buffers at hand, but not cleared ones.
            return std::iter::repeat_n(0, length).collect();
        }
        let found = {
            let mut buffers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let fits =
                |buffer: &Vec<u8>| buffer.capacity() >= length && buffer.capacity() - buffer.capacity() / 4 <= length;
            let best = buffers.iter().enumerate().filter(|(_, b)| fits(b)).min_by_key(|(_, b)| b.capacity());
            best.map(|(number, _)| number).map(|number| buffers.swap_remove(number))
        };
        match found {
            Some(mut buffer) => {
                buffer.resize(length, 0);
                buffer
            }
            None => vec![0; length],
        }
    }

    /// Keeps a buffer.
    pub(super) fn put(&self, buffer: Vec<u8>) {
        if buffer.capacity() < SHORTEST {
            return;
        }
        let mut buffers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if buffers.len() < KEPT {
            buffers.push(buffer);
        }
    }
}

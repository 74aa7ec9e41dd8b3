//! Bytes that start at a cache line.

use super::LINE;

/// A buffer whose first byte stands at a multiple of 64, which spares the kernels loads across lines.
#[derive(Debug)]
pub(in crate::engine) struct Aligned {
    bytes: Vec<u8>,
    start: usize,
    length: usize,
}

impl Aligned {
    /// `length` zeros.
    pub(in crate::engine) fn zeros(length: usize) -> Self {
        let bytes = vec![0u8; length + LINE];
        // Past the spare line only if the address cannot be computed; then the bytes are not aligned, and still right.
        let start = bytes.as_ptr().align_offset(LINE).min(LINE);
        Self { bytes, start, length }
    }

    /// At least `length` bytes of unknown content.
    pub(super) fn reserve(&mut self, length: usize) {
        if self.length < length {
            *self = Self::zeros(length);
        }
    }
}

impl Default for Aligned {
    fn default() -> Self {
        Self::zeros(0)
    }
}

impl Clone for Aligned {
    fn clone(&self) -> Self {
        let mut copy = Self::zeros(self.length);
        copy.copy_from_slice(self);
        copy
    }
}

impl std::ops::Deref for Aligned {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.bytes[self.start..self.start + self.length]
    }
}

impl std::ops::DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..self.start + self.length]
    }
}

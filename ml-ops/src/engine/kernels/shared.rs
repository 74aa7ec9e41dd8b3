//! Tensors that several threads write, each its own elements.

#![allow(unsafe_code, reason = "disjoint parts of one buffer that are not slices")]

use std::marker::PhantomData;

/// Buffers of bytes, written in parts.
pub(super) struct Outputs<'a> {
    buffers: Vec<(*mut u8, usize)>,
    borrow: PhantomData<&'a mut [u8]>,
}

// SAFETY: the buffers are borrowed for as long as this lives; `part` asks its callers for disjoint parts.
unsafe impl Send for Outputs<'_> {}
// SAFETY: as above.
unsafe impl Sync for Outputs<'_> {}

impl<'a> Outputs<'a> {
    /// Takes the buffers.
    pub(super) fn new(buffers: &'a mut [Vec<u8>]) -> Self {
        let buffers = buffers.iter_mut().map(|buffer| (buffer.as_mut_ptr(), buffer.len())).collect();
        Self { buffers, borrow: PhantomData }
    }

    /// Bytes of a buffer; none if they do not lie inside it.
    ///
    /// # Safety
    /// No other part that exists at the same time overlaps this one.
    #[expect(clippy::mut_from_ref, reason = "the caller warrants that parts are disjoint")]
    pub(super) unsafe fn part(&self, buffer: usize, start: usize, length: usize) -> &mut [u8] {
        let inside = |size: usize| start.checked_add(length).is_some_and(|end| end <= size);
        match self.buffers.get(buffer) {
            // SAFETY: the part lies inside the buffer, and nobody else has it.
            Some(&(bytes, size)) if inside(size) => unsafe { std::slice::from_raw_parts_mut(bytes.add(start), length) },
            _ => &mut [],
        }
    }
}

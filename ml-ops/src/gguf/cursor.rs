//! Numbers and strings of a header, each checked against what is left of the file.

use std::io::Read;

use super::GgufError;
use crate::num;

/// Reads forward and knows how far it may.
#[derive(Debug)]
pub(super) struct Cursor<R> {
    reader: R,
    position: u64,
    end: u64,
}

impl<R: Read> Cursor<R> {
    pub(super) const fn new(reader: R, end: u64) -> Self {
        Self { reader, position: 0, end }
    }

    /// Bytes read so far.
    pub(super) const fn position(&self) -> u64 {
        self.position
    }

    fn fill(&mut self, place: &str, bytes: &mut [u8]) -> Result<(), GgufError> {
        let after = self.position.saturating_add(num::wide(bytes.len()));
        if after > self.end {
            return Err(GgufError::End(place.to_owned()));
        }
        self.reader.read_exact(bytes).map_err(GgufError::read)?;
        self.position = after;
        Ok(())
    }

    /// The next bytes.
    pub(super) fn array<const N: usize>(&mut self, place: &str) -> Result<[u8; N], GgufError> {
        let mut bytes = [0; N];
        self.fill(place, &mut bytes)?;
        Ok(bytes)
    }

    pub(super) fn u32(&mut self, place: &str) -> Result<u32, GgufError> {
        self.array(place).map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self, place: &str) -> Result<u64, GgufError> {
        self.array(place).map(u64::from_le_bytes)
    }

    /// A number of things that take at least `least` bytes each, so that the file can hold them.
    pub(super) fn count(&mut self, place: &str, least: u64) -> Result<u64, GgufError> {
        let value = self.u64(place)?;
        let left = self.end.saturating_sub(self.position);
        if value.checked_mul(least).is_none_or(|bytes| bytes > left) {
            return Err(GgufError::Count { place: place.to_owned(), value });
        }
        Ok(value)
    }

    pub(super) fn string(&mut self, place: &str) -> Result<String, GgufError> {
        let length = self.count(place, 1)?;
        let mut bytes = vec![0; num::size(length)];
        self.fill(place, &mut bytes)?;
        String::from_utf8(bytes).map_err(|_| GgufError::Utf8(place.to_owned()))
    }
}

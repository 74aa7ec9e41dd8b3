//! Witnesses of toy steps: written from a list of openings, read back and verified.

use super::eval::{self, Memory};
use super::hash::ToyHash;
use crate::hash::{self, Hash, Hashing, LEAF_BYTES};
use crate::position::Header;
use crate::rules::StepRefused;
use crate::tree;
use std::collections::BTreeMap;

/// An opened cell's leaf.
pub(super) struct Opening {
    pub(super) leaf: u64,
    pub(super) header: Header,
    /// Number of the tensor leaf; without bytes none is opened.
    pub(super) index: u64,
    pub(super) bytes: Vec<u8>,
    /// Proof of the tensor leaf, or the tensor root alone.
    pub(super) tensor: Vec<Hash>,
    pub(super) trace: Vec<Hash>,
}

/// Writes the instruction's siblings and the openings.
pub(super) fn write(siblings: &[Hash], openings: &[Opening]) -> Vec<u8> {
    let mut out = Vec::new();
    hashes(&mut out, siblings);
    for o in openings {
        out.extend(o.leaf.to_be_bytes());
        out.push(o.header.dtype);
        out.extend(o.header.elements.to_be_bytes());
        out.extend(o.index.to_be_bytes());
        out.push(u8::from(!o.bytes.is_empty()));
        out.extend(&o.bytes);
        hashes(&mut out, &o.tensor);
        hashes(&mut out, &o.trace);
    }
    out
}

fn hashes(out: &mut Vec<u8>, hashes: &[Hash]) {
    out.push(u8::try_from(hashes.len()).unwrap_or(u8::MAX));
    out.extend(hashes.iter().flatten());
}

/// Reads a witness from its front.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl Reader<'_> {
    fn take(&mut self, n: usize) -> Result<Vec<u8>, StepRefused> {
        let (head, tail) = self.0.split_at_checked(n).ok_or_else(|| StepRefused("witness too short".into()))?;
        self.0 = tail;
        Ok(head.to_vec())
    }

    fn word(&mut self) -> Result<u64, StepRefused> {
        let mut word = [0; 8];
        word.copy_from_slice(&self.take(8)?);
        Ok(u64::from_be_bytes(word))
    }

    fn byte(&mut self) -> Result<u8, StepRefused> {
        Ok(self.take(1)?.first().copied().unwrap_or(0))
    }

    /// A list of hashes.
    pub(super) fn hashes(&mut self) -> Result<Vec<Hash>, StepRefused> {
        let count = self.byte()?;
        (0..count)
            .map(|_| {
                let mut hash = [0; 32];
                hash.copy_from_slice(&self.take(32)?);
                Ok(hash)
            })
            .collect()
    }

    fn opening(&mut self) -> Result<Opening, StepRefused> {
        let leaf = self.word()?;
        let header = Header { dtype: self.byte()?, elements: self.word()? };
        let index = self.word()?;
        let bytes = if self.byte()? == 1 { self.take(LEAF_BYTES)? } else { Vec::new() };
        Ok(Opening { leaf, header, index, bytes, tensor: self.hashes()?, trace: self.hashes()? })
    }
}

/// Operands verified under a trace root.
#[derive(Default)]
pub(super) struct Opened {
    headers: BTreeMap<u64, Header>,
    leaves: BTreeMap<(u64, u64), Vec<u8>>,
}

impl Opened {
    /// Reads and verifies all openings that are left, under the trace of `n` leaves with this root.
    pub(super) fn read(reader: &mut Reader<'_>, n: u64, root: &Hash) -> Result<Self, StepRefused> {
        let mut opened = Self::default();
        while !reader.0.is_empty() {
            let opening = reader.opening()?;
            opened.add(opening, n, root).ok_or_else(|| StepRefused("operand does not verify".into()))?;
        }
        Ok(opened)
    }

    fn add(&mut self, o: Opening, n: u64, root: &Hash) -> Option<()> {
        let Header { dtype, elements } = o.header;
        let count = elements.checked_mul(eval::size(dtype)?)?.div_ceil(256);
        let tensor = if o.bytes.is_empty() {
            *o.tensor.first()?
        } else {
            let leaf = ToyHash.hash(&o.bytes);
            (o.index < count).then_some(())?;
            tree::climb(&ToyHash, count, (0, o.index), leaf, tree::depth(count), &o.tensor)?
        };
        let leaf = hash::header(&ToyHash, dtype, elements, &tensor);
        (o.leaf < n).then_some(())?;
        let top = tree::climb(&ToyHash, n, (0, o.leaf), leaf, tree::depth(n), &o.trace)?;
        (top == *root).then_some(())?;
        self.headers.insert(o.leaf, o.header);
        if !o.bytes.is_empty() {
            self.leaves.insert((o.leaf, o.index), o.bytes);
        }
        Some(())
    }
}

impl Memory for Opened {
    fn header(&self, leaf: u64) -> Result<Header, StepRefused> {
        self.headers.get(&leaf).copied().ok_or_else(|| StepRefused("operand not opened".into()))
    }

    fn element(&self, leaf: u64, e: u64) -> Result<i64, StepRefused> {
        let dtype = self.header(leaf)?.dtype;
        let missing = || StepRefused("operand's leaf not opened".into());
        let size = eval::size(dtype).ok_or_else(missing)?;
        let bytes = self.leaves.get(&(leaf, e * size / 256)).ok_or_else(missing)?;
        let at = usize::try_from(e * size % 256).map_err(|_| missing())?;
        let size = usize::try_from(size).map_err(|_| missing())?;
        eval::decode(dtype, bytes.get(at..at + size).ok_or_else(missing)?).ok_or_else(missing)
    }
}

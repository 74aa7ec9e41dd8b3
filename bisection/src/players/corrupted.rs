//! A trace with lies in it, committed as faithfully as an honest one.

use crate::hash::{self, Hash, ZERO};
use crate::position::Header;
use crate::revealed::leaves;
use crate::rules::{Rules, Shape, Step};
use crate::trace::{Answer, Nodes, Question, Trace, Unavailable};
use crate::tree;
use std::collections::BTreeMap;

/// A value put in place of another.
#[derive(Clone, Debug)]
struct Patch {
    header: Header,
    bytes: Vec<u8>,
    leaves: Vec<Vec<u8>>,
}

/// `inner` with some values and nodes replaced. All hashes above are computed anew; nothing else is.
pub struct Corrupted<'a, T: ?Sized> {
    inner: &'a T,
    rules: &'a dyn Rules,
    values: BTreeMap<u64, Patch>,
    junk: BTreeMap<(u32, u64), Hash>,
}

impl<'a, T: Trace + ?Sized> Corrupted<'a, T> {
    /// The trace as it is.
    pub fn new(inner: &'a T, rules: &'a dyn Rules) -> Self {
        Self { inner, rules, values: BTreeMap::new(), junk: BTreeMap::new() }
    }

    /// Replaces a value; its bytes are cut or filled to fit the header.
    #[must_use]
    pub fn value(mut self, leaf: u64, header: Header, mut bytes: Vec<u8>) -> Self {
        let size = self.rules.element_size(header.dtype).unwrap_or(0);
        bytes.resize(usize::try_from(header.elements.saturating_mul(size)).unwrap_or(0), 0);
        let leaves = (0..bytes.len().div_ceil(256)).map(|at| hash::cut_leaf(&bytes, at)).collect();
        self.values.insert(leaf, Patch { header, bytes, leaves });
        self
    }

    /// Flips bits of one byte of a value.
    ///
    /// # Errors
    /// If the trace cannot be read or has no such byte.
    pub fn flip(self, leaf: u64, at: usize, bits: u8) -> Answer<Self> {
        let mut bytes = self.inner.bytes(leaf)?;
        let header = self.inner.header(leaf)?;
        let byte = bytes.get_mut(at).ok_or_else(|| Unavailable(format!("no byte {at}")))?;
        *byte ^= bits;
        Ok(self.value(leaf, header, bytes))
    }

    /// Puts a non-zero byte right behind the last element of a value. Changes nothing if its last leaf is full.
    ///
    /// # Errors
    /// If the trace cannot be read.
    pub fn pad(self, leaf: u64) -> Answer<Self> {
        let (header, bytes) = (self.inner.header(leaf)?, self.inner.bytes(leaf)?);
        let end = bytes.len() % 256;
        let mut this = self.value(leaf, header, bytes);
        let last = this.values.get_mut(&leaf).and_then(|patch| patch.leaves.last_mut()?.get_mut(end));
        if let Some(byte) = last.filter(|_| end > 0) {
            *byte = 1;
        }
        Ok(this)
    }

    /// Puts a hash without a known preimage at a node of the trace tree; also where no real leaf is.
    #[must_use]
    pub fn junk(mut self, height: u32, index: u64, hash: Hash) -> Self {
        self.junk.insert((height, index), hash);
        self
    }

    fn touched(&self, height: u32, index: u64) -> bool {
        let inside = |at: u32, i: u64| at <= height && i >> (height - at) == index;
        self.values.keys().any(|&leaf| inside(0, leaf)) || self.junk.keys().any(|&(at, i)| inside(at, i))
    }
}

impl Patch {
    fn node(&self, rules: &dyn Rules, height: u32, index: u64) -> Hash {
        let all: Vec<Hash> = self.leaves.iter().map(|leaf| rules.hash(leaf)).collect();
        let depth = tree::depth(u64::try_from(all.len()).unwrap_or(u64::MAX));
        let mut found = ZERO;
        tree::fold(rules, &all, depth, |level, at, hash| {
            if (level, at) == (height, index) {
                found = hash;
            }
        });
        found
    }
}

impl<T: Trace + ?Sized> Trace for Corrupted<'_, T> {
    fn node(&self, height: u32, index: u64) -> Answer<Hash> {
        if let Some(junk) = self.junk.get(&(height, index)) {
            return Ok(*junk);
        }
        if !self.touched(height, index) {
            return self.inner.node(height, index);
        }
        match (height, self.values.get(&index)) {
            (0, Some(Patch { header: h, .. })) => {
                let root = self.tensor_node(index, tree::depth(leaves(self.rules, *h)), 0)?;
                Ok(hash::header(self.rules, h.dtype, h.elements, &root))
            }
            (0, None) => self.inner.node(height, index),
            _ => {
                let (left, right) = (self.node(height - 1, index << 1)?, self.node(height - 1, index << 1 | 1)?);
                Ok(self.rules.node(&left, &right))
            }
        }
    }

    fn header(&self, leaf: u64) -> Answer<Header> {
        self.values.get(&leaf).map_or_else(|| self.inner.header(leaf), |patch| Ok(patch.header))
    }

    fn tensor_node(&self, leaf: u64, height: u32, index: u64) -> Answer<Hash> {
        match self.values.get(&leaf) {
            Some(patch) => Ok(patch.node(self.rules, height, index)),
            None => self.inner.tensor_node(leaf, height, index),
        }
    }

    fn tensor_leaf(&self, leaf: u64, index: u64) -> Answer<Vec<u8>> {
        let Some(patch) = self.values.get(&leaf) else { return self.inner.tensor_leaf(leaf, index) };
        let bytes = usize::try_from(index).ok().and_then(|at| patch.leaves.get(at));
        bytes.cloned().ok_or_else(|| Unavailable(format!("no tensor leaf {index}")))
    }

    fn element(&self, leaf: u64, e: u64) -> Answer<i64> {
        let Some(patch) = self.values.get(&leaf) else { return self.inner.element(leaf, e) };
        let none = || Unavailable(format!("no element {e}"));
        let size = self.rules.element_size(patch.header.dtype).ok_or_else(none)?;
        let at = usize::try_from(e.saturating_mul(size)).map_err(|_| none())?;
        let size = usize::try_from(size).map_err(|_| none())?;
        let bytes = patch.bytes.get(at..at.saturating_add(size)).ok_or_else(none)?;
        self.rules.decode(patch.header.dtype, bytes).ok_or_else(none)
    }

    fn bytes(&self, leaf: u64) -> Answer<Vec<u8>> {
        self.values.get(&leaf).map_or_else(|| self.inner.bytes(leaf), |patch| Ok(patch.bytes.clone()))
    }

    fn shape(&self, leaf: u64) -> Answer<Shape> {
        self.inner.shape(leaf)
    }

    fn partial(&self, leaf: u64, e: u64, k0: u64, k1: u64) -> Answer<i128> {
        self.inner.partial(leaf, e, k0, k1)
    }

    fn instruction(&self, leaf: u64) -> Answer<Step> {
        self.inner.instruction(leaf)
    }

    fn step(&self, leaf: u64, question: &Question, tree: &dyn Nodes) -> Answer<Step> {
        self.inner.step(leaf, question, tree)
    }
}

//! Openings under the disputed node.

use super::Table;
use crate::hash::{self, Hash, LEAF_BYTES};
use crate::moves::{ElementOpening, TraceLeaf};
use crate::position::{Header, Node, Tensor};
use crate::refused::Refused;
use crate::rules::{MAX_ELEMENTS, Rules};
use crate::tree;

/// An opened element.
pub(super) struct Opened {
    pub(super) tensor: Tensor,
    pub(super) value: i64,
}

impl<R: Rules + ?Sized> Table<'_, R> {
    /// The header if a value can have it, with its element size.
    pub(super) fn header(&self, dtype: u8, elements: u64) -> Result<(Header, u64), Refused> {
        let size = self.rules.element_size(dtype).ok_or(Refused::Header)?;
        if elements > MAX_ELEMENTS || size == 0 {
            return Err(Refused::Header);
        }
        Ok((Header { dtype, elements }, size))
    }

    /// Number of leaves of a tensor; its header has been checked.
    pub(super) fn tensor_leaves(&self, header: Header) -> u64 {
        let size = self.rules.element_size(header.dtype).unwrap_or(0);
        header.elements.saturating_mul(size).div_ceil(BYTES)
    }

    /// The hash of a tensor leaf's 256 bytes.
    pub(super) fn leaf_hash(&self, bytes: &[u8]) -> Result<Hash, Refused> {
        if bytes.len() == LEAF_BYTES { Ok(self.rules.hash(bytes)) } else { Err(Refused::LeafBytes) }
    }

    /// The bytes of leaf `index` past the tensor's last element are 0.
    pub(super) fn padded(&self, header: Header, index: u64, bytes: &[u8]) -> Result<(), Refused> {
        let (_, size) = self.header(header.dtype, header.elements)?;
        let used = header.elements.saturating_mul(size).saturating_sub(index.saturating_mul(BYTES));
        let used = usize::try_from(used).unwrap_or(usize::MAX);
        if bytes.iter().skip(used).all(|&b| b == 0) { Ok(()) } else { Err(Refused::Padding) }
    }

    /// Element `e` of a tensor, which must lie in its leaf `index`, whose bytes these are.
    pub(super) fn element_in(&self, header: Header, index: u64, bytes: &[u8], e: u64) -> Result<i64, Refused> {
        let (_, size) = self.header(header.dtype, header.elements)?;
        if e >= header.elements {
            return Err(Refused::Element);
        }
        let at = e.saturating_mul(size);
        if at / BYTES != index {
            return Err(Refused::Element);
        }
        let from = usize::try_from(at % BYTES).map_err(|_| Refused::Element)?;
        let to = usize::try_from(at % BYTES + size).map_err(|_| Refused::Element)?;
        let bytes = bytes.get(from..to).ok_or(Refused::LeafBytes)?;
        self.rules.decode(header.dtype, bytes).ok_or(Refused::Header)
    }

    /// A trace leaf with this tensor root, opened under `node`.
    pub(super) fn trace_leaf(&self, node: &Node, opening: &TraceLeaf, root: &Hash) -> Result<Tensor, Refused> {
        let (header, _) = self.header(opening.dtype, opening.elements)?;
        if header.elements == 0 && *root != hash::ZERO {
            return Err(Refused::Header);
        }
        let leaves = self.claim.leaves();
        if opening.leaf >= leaves || opening.leaf >> node.height != node.index {
            return Err(Refused::Number);
        }
        let leaf = hash::header(self.rules, header.dtype, header.elements, root);
        let top = tree::climb(self.rules, leaves, (0, opening.leaf), leaf, node.height, &opening.proof);
        if top != Some(node.hash) {
            return Err(Refused::Opening);
        }
        Ok(Tensor { leaf: opening.leaf, header })
    }

    /// An element opened under a trace node.
    pub(super) fn under_trace(&self, node: &Node, opening: &ElementOpening) -> Result<Opened, Refused> {
        let trace = opening.trace.as_ref().ok_or(Refused::Opening)?;
        let (header, size) = self.header(trace.dtype, trace.elements)?;
        let n = self.tensor_leaves(header);
        let index = opening.e.saturating_mul(size) / BYTES;
        let value = self.element_in(header, index, &opening.bytes, opening.e)?;
        let leaf = self.leaf_hash(&opening.bytes)?;
        let root = tree::climb(self.rules, n, (0, index), leaf, tree::depth(n), &opening.proof);
        let tensor = self.trace_leaf(node, trace, &root.ok_or(Refused::Opening)?)?;
        Ok(Opened { tensor, value })
    }

    /// An element opened under a tensor node.
    pub(super) fn under_tensor(
        &self,
        tensor: Tensor,
        node: &Node,
        opening: &ElementOpening,
    ) -> Result<Opened, Refused> {
        if opening.trace.is_some() {
            return Err(Refused::Opening);
        }
        let (header, size) = self.header(tensor.header.dtype, tensor.header.elements)?;
        let index = opening.e.saturating_mul(size) / BYTES;
        let value = self.element_in(header, index, &opening.bytes, opening.e)?;
        if index >> node.height != node.index {
            return Err(Refused::Element);
        }
        let leaf = self.leaf_hash(&opening.bytes)?;
        let n = self.tensor_leaves(header);
        let top = tree::climb(self.rules, n, (0, index), leaf, node.height, &opening.proof);
        if top != Some(node.hash) {
            return Err(Refused::Opening);
        }
        Ok(Opened { tensor, value })
    }
}

/// Bytes of a tensor leaf.
pub(super) const BYTES: u64 = 256;

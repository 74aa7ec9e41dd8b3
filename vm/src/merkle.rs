//! Trees over tensors and traces: roots, multiproofs, headers (SPEC §1, §2).

use alloc::{sync::Arc, vec, vec::Vec};

use sha3::{Digest, Keccak256};

use crate::tensor::Tensor;

/// A Keccak-256 hash.
pub type Hash = [u8; 32];

/// The node above no real leaf.
pub const ZERO: Hash = [0; 32];

/// Bytes of a tensor leaf.
pub const LEAF_BYTES: usize = 256;

/// Keccak-256 of the parts, one after another.
pub fn keccak(parts: &[&[u8]]) -> Hash {
    let mut hasher = Keccak256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// Hash of two children.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    keccak(&[left, right])
}

/// Hash of up to 256 bytes, filled with zeros.
pub fn leaf_hash(bytes: &[u8]) -> Hash {
    let padding = [0; LEAF_BYTES];
    keccak(&[bytes, padding.get(bytes.len()..).unwrap_or(&[])])
}

/// Leaf of the program tree.
pub fn instruction_hash(encoding: &[u8]) -> Hash {
    keccak(&[&[1], encoding])
}

/// Bytes of a tensor's header.
pub const HEADER_BYTES: usize = 41;

/// A tensor's header: code of the type, which need not be a known one, elements and tensor root.
pub fn header(dtype: u8, elements: u64, root: &Hash) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    let fields = [dtype].into_iter().chain(elements.to_be_bytes()).chain(*root);
    for (byte, field) in header.iter_mut().zip(fields) {
        *byte = field;
    }
    header
}

/// Hash of a tensor's header; `dtype` is the code, which need not be a known one.
pub fn header_hash(dtype: u8, elements: u64, root: &Hash) -> Hash {
    keccak(&[&header(dtype, elements, root)])
}

/// Header hash of a tensor.
pub fn header_of(tensor: &Tensor) -> Hash {
    header_hash(tensor.dtype().code(), tensor.elements(), &tensor_root(tensor.bytes()))
}

/// Depth of a tree over `leaves` leaves: `⌈log2 leaves⌉`, 0 for none.
pub const fn depth(leaves: u64) -> u32 {
    match leaves.saturating_sub(1).checked_ilog2() {
        Some(log) => log.saturating_add(1),
        None => 0,
    }
}

/// Whether node `(level, index)` covers a real leaf of a tree over `leaves` leaves.
pub const fn is_real(leaves: u64, level: u32, index: u64) -> bool {
    if level >= 64 {
        return index == 0 && leaves > 0;
    }
    match index.checked_mul(1 << level) {
        Some(first) => first < leaves,
        None => false,
    }
}

/// Leaves of a tensor of `bytes` bytes.
pub const fn tensor_leaves(bytes: u64) -> u64 {
    bytes.div_ceil(256)
}

/// Hashes of the 256-byte leaves of a tensor.
pub fn tensor_leaf_hashes(bytes: &[u8]) -> Vec<Hash> {
    #[cfg(feature = "std")]
    if bytes.len() >= PARALLEL_BYTES {
        use rayon::prelude::*;
        return bytes.par_chunks(LEAF_BYTES).with_min_len(64).map(leaf_hash).collect();
    }
    bytes.chunks(LEAF_BYTES).map(leaf_hash).collect()
}

/// Smaller work is not worth the fork.
#[cfg(feature = "std")]
const PARALLEL_BYTES: usize = 1 << 16;

/// Root of a tensor's bytes.
pub fn tensor_root(bytes: &[u8]) -> Hash {
    root(&tensor_leaf_hashes(bytes))
}

/// Root of the tree over leaf hashes.
pub fn root(leaves: &[Hash]) -> Hash {
    let mut level = leaves.to_vec();
    while level.len() > 1 {
        level = parents(&level);
    }
    level.first().copied().unwrap_or(ZERO)
}

fn parents(level: &[Hash]) -> Vec<Hash> {
    let pair = |pair: &[Hash]| match pair {
        [left, right] => node_hash(left, right),
        [left] => node_hash(left, &ZERO),
        _ => ZERO,
    };
    #[cfg(feature = "std")]
    if level.len() >= PARALLEL_BYTES / 64 {
        use rayon::prelude::*;
        return level.par_chunks(2).with_min_len(256).map(pair).collect();
    }
    level.chunks(2).map(pair).collect()
}

/// A tree with all its nodes, for proving.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// Level 0 first; each has only the nodes that cover real leaves.
    levels: Vec<Vec<Hash>>,
}

impl Tree {
    /// Builds all levels over leaf hashes.
    pub fn new(leaves: Vec<Hash>) -> Self {
        let mut levels = vec![leaves];
        while let Some(last) = levels.last().filter(|last| last.len() > 1) {
            let next = parents(last);
            levels.push(next);
        }
        Self { levels }
    }

    /// A tree of levels that were hashed elsewhere, leaves first. They are taken as they are: with other hashes than
    /// [`Tree::new`] makes, the tree commits to nothing.
    pub const fn from_levels(levels: Vec<Vec<Hash>>) -> Self {
        Self { levels }
    }

    /// The tree over a tensor's leaves.
    pub fn of_tensor(bytes: &[u8]) -> Self {
        Self::new(tensor_leaf_hashes(bytes))
    }

    /// Number of leaves.
    pub fn leaves(&self) -> u64 {
        self.levels.first().map_or(0, |leaves| u64::try_from(leaves.len()).unwrap_or(u64::MAX))
    }

    /// Depth of the tree.
    pub fn depth(&self) -> u32 {
        depth(self.leaves())
    }

    /// The root.
    pub fn root(&self) -> Hash {
        self.node(self.depth(), 0)
    }

    /// Node `index` at `level` (0 = leaves); 0 above no real leaf.
    pub fn node(&self, level: u32, index: u64) -> Hash {
        let find = || {
            let level = self.levels.get(usize::try_from(level).ok()?)?;
            level.get(usize::try_from(index).ok()?).copied()
        };
        find().unwrap_or(ZERO)
    }

    /// Siblings of a multiproof for strictly ascending leaf indices.
    pub fn prove(&self, indices: &[u64]) -> Vec<Hash> {
        siblings(self.leaves(), indices, &|level, index| self.node(level, index))
    }

    /// Siblings that prove node `(level, index)` under the node `levels` above it, or under the root if that is nearer.
    pub fn prove_under(&self, level: u32, index: u64, levels: u32) -> Vec<Hash> {
        let mut siblings = Vec::new();
        let mut index = index;
        for level in level..level.saturating_add(levels).min(self.depth()) {
            if is_real(self.leaves(), level, index ^ 1) {
                siblings.push(self.node(level, index ^ 1));
            }
            index /= 2;
        }
        siblings
    }
}

/// The tree over a tensor's leaves without its lowest levels, which are hashed again when asked for.
///
/// 64 leaves make one kept node: 0.4 % of the tensor's size instead of 25 %.
#[derive(Debug, Clone)]
pub struct TensorTree<'b> {
    bytes: &'b [u8],
    leaves: u64,
    /// Levels below the upper tree.
    cut: u32,
    upper: Arc<Tree>,
}

impl<'b> TensorTree<'b> {
    /// Levels that are not kept, in trees that are deep enough.
    pub const CUT: u32 = 6;

    /// Hashes a tensor's bytes.
    pub fn new(bytes: &'b [u8]) -> Self {
        let cut = cut(bytes);
        let block = |block: &[u8]| block_hash(block, cut);
        #[cfg(feature = "std")]
        if bytes.len() >= PARALLEL_BYTES {
            use rayon::prelude::*;
            let nodes = bytes.par_chunks(LEAF_BYTES << cut).with_min_len(8).map(block).collect();
            return Self::under(bytes, Tree::new(nodes));
        }
        Self::under(bytes, Tree::new(bytes.chunks(LEAF_BYTES << cut).map(block).collect()))
    }

    /// A tensor's bytes under levels that were hashed elsewhere: those from [`Self::CUT`] upwards, the root alone in a
    /// lower tree. They are taken as they are, as in [`Tree::from_levels`].
    pub fn under(bytes: &'b [u8], upper: impl Into<Arc<Tree>>) -> Self {
        Self { bytes, leaves: leaves_of(bytes), cut: cut(bytes), upper: upper.into() }
    }

    /// Nodes of the lowest kept level of the tree over `bytes` bytes.
    pub const fn kept_nodes(bytes: u64) -> u64 {
        let leaves = tensor_leaves(bytes);
        leaves.div_ceil(1 << if depth(leaves) < Self::CUT { depth(leaves) } else { Self::CUT })
    }

    /// Whether the kept nodes above these ascending leaves are what the bytes below them give.
    pub fn holds(&self, leaves: &[u64]) -> bool {
        let blocks = leaves.iter().map(|leaf| leaf >> self.cut);
        let mut last = None;
        blocks.into_iter().all(|block| {
            let known = last.replace(block) == Some(block);
            known || self.computed(self.cut, block) == self.upper.node(0, block)
        })
    }

    /// The root.
    pub fn root(&self) -> Hash {
        self.upper.root()
    }

    /// Node `index` at `level` (0 = leaves); 0 above no real leaf.
    pub fn node(&self, level: u32, index: u64) -> Hash {
        match level.checked_sub(self.cut) {
            Some(level) => self.upper.node(level, index),
            None => self.computed(level, index),
        }
    }

    /// A node from the bytes below it.
    fn computed(&self, level: u32, index: u64) -> Hash {
        let covered = || {
            let size = LEAF_BYTES.checked_shl(level)?;
            let first = usize::try_from(index).ok()?.checked_mul(size)?;
            let end = first.checked_add(size)?.min(self.bytes.len());
            self.bytes.get(first..end).filter(|bytes| !bytes.is_empty())
        };
        covered().map_or(ZERO, |bytes| block_hash(bytes, level))
    }

    /// Siblings of a multiproof for strictly ascending leaf indices.
    pub fn prove(&self, indices: &[u64]) -> Vec<Hash> {
        siblings(self.leaves, indices, &|level, index| self.node(level, index))
    }
}

/// Levels of a tensor's tree that are not kept.
fn cut(bytes: &[u8]) -> u32 {
    depth(leaves_of(bytes)).min(TensorTree::CUT)
}

fn leaves_of(bytes: &[u8]) -> u64 {
    tensor_leaves(u64::try_from(bytes.len()).unwrap_or(u64::MAX))
}

/// The node `levels` above the leaves of up to `256·2^levels` bytes, not empty.
fn block_hash(bytes: &[u8], levels: u32) -> Hash {
    let mut nodes: Vec<Hash> = bytes.chunks(LEAF_BYTES).map(leaf_hash).collect();
    for _ in 0..levels {
        nodes = parents(&nodes);
    }
    nodes.first().copied().unwrap_or(ZERO)
}

/// Siblings of a multiproof in a tree over `leaves` leaves whose nodes `node(level, index)` gives.
pub fn siblings(leaves: u64, indices: &[u64], node: &dyn Fn(u32, u64) -> Hash) -> Vec<Hash> {
    let mut siblings = Vec::new();
    let mut known = indices.to_vec();
    for level in 0..depth(leaves) {
        let mut above: Vec<u64> = Vec::new();
        for &index in &known {
            let sibling = index ^ 1;
            if known.binary_search(&sibling).is_err() && is_real(leaves, level, sibling) {
                siblings.push(node(level, sibling));
            }
            if above.last() != Some(&(index / 2)) {
                above.push(index / 2);
            }
        }
        known = above;
    }
    siblings
}

/// Folds a multiproof. `next` gives the siblings in order.
///
/// `None` if a sibling is missing, or `known` are not strictly ascending leaf indices below `leaves`, at least one.
pub fn fold_multi(leaves: u64, known: &[(u64, Hash)], next: &mut impl FnMut() -> Option<Hash>) -> Option<Hash> {
    let ascending = known.iter().zip(known.iter().skip(1)).all(|((a, _), (b, _))| a < b);
    if !ascending || known.last().is_none_or(|&(last, _)| last >= leaves) {
        return None;
    }
    let mut known = known.to_vec();
    for level in 0..depth(leaves) {
        let mut above: Vec<(u64, Hash)> = Vec::new();
        let mut nodes = known.iter().peekable();
        while let Some(&(index, hash)) = nodes.next() {
            let sibling = match nodes.peek() {
                Some(&&(other, hash)) if index % 2 == 0 && other == index ^ 1 => {
                    nodes.next();
                    hash
                }
                _ if is_real(leaves, level, index ^ 1) => next()?,
                _ => ZERO,
            };
            let parent = if index % 2 == 0 { node_hash(&hash, &sibling) } else { node_hash(&sibling, &hash) };
            above.push((index / 2, parent));
        }
        known = above;
    }
    match known.as_slice() {
        [(0, root)] => Some(*root),
        _ => None,
    }
}

/// Folds a sub-tree proof: the node `levels` above node `(level, index)`.
///
/// `None` unless all siblings are used, the node covers a real leaf and the node above is not above the root.
pub fn fold_under(leaves: u64, level: u32, index: u64, hash: Hash, levels: u32, siblings: &[Hash]) -> Option<Hash> {
    if level.checked_add(levels)? > depth(leaves) || !is_real(leaves, level, index) {
        return None;
    }
    let mut siblings = siblings.iter();
    let mut node = hash;
    let mut index = index;
    for level in level..level.checked_add(levels)? {
        let sibling = if is_real(leaves, level, index ^ 1) { *siblings.next()? } else { ZERO };
        node = if index.is_multiple_of(2) { node_hash(&node, &sibling) } else { node_hash(&sibling, &node) };
        index /= 2;
    }
    siblings.next().is_none().then_some(node)
}

//! Trees over `n` leaves: shape, steps down, folds and sub-tree proofs.
//!
//! A node is named by (height, index) and covers leaves `[index·2^height, (index+1)·2^height)`. Nodes that cover no leaf
//! are [`ZERO`] and are never sent.

use crate::hash::{Hash, Hashing, ZERO};
use crate::trace::{Answer, Nodes};

/// Depth of a tree over `n` leaves: `⌈log2 n⌉`, 0 for `n ≤ 1`.
#[must_use]
pub fn depth(n: u64) -> u32 {
    if n <= 1 { 0 } else { u64::BITS - (n - 1).leading_zeros() }
}

/// Number of nodes at `height` that cover a real leaf: `⌈n / 2^height⌉`.
#[must_use]
pub fn width(n: u64, height: u32) -> u64 {
    match 1_u64.checked_shl(height) {
        Some(span) => n.div_ceil(span),
        None => n.min(1),
    }
}

/// The real children of a node, one step down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Children {
    /// Height of the children.
    pub height: u32,
    /// Levels between the node and its children: `min(arity_log2, height)`.
    pub levels: u32,
    /// Index of the first child at that height.
    pub first: u64,
    /// Number of children that cover a real leaf.
    pub count: u64,
}

impl Children {
    /// Children of node (height, index) in a tree over `n` leaves. A node at height 0 has itself as its only child.
    #[must_use]
    pub fn of(n: u64, height: u32, index: u64, arity_log2: u32) -> Self {
        let levels = arity_log2.min(height);
        let first = index << levels;
        let below = height - levels;
        let count = width(n, below).saturating_sub(first).min(1 << levels);
        Self { height: below, levels, first, count }
    }
}

/// Folds the real nodes at one height up by `levels`; calls `visit(levels above them, position, hash)` for each node met,
/// the given ones included. `None` if they do not fold to one node.
pub fn fold(
    h: &(impl Hashing + ?Sized),
    hashes: &[Hash],
    levels: u32,
    mut visit: impl FnMut(u32, u64, Hash),
) -> Option<Hash> {
    let mut row = hashes.to_vec();
    for level in 0..=levels {
        for (hash, at) in row.iter().zip(0_u64..) {
            visit(level, at, *hash);
        }
        if level < levels {
            row = row.chunks(2).map(|pair| parent(h, pair)).collect();
        }
    }
    match row.as_slice() {
        [root] => Some(*root),
        _ => None,
    }
}

fn parent(h: &(impl Hashing + ?Sized), pair: &[Hash]) -> Hash {
    let left = pair.first().unwrap_or(&ZERO);
    let right = pair.get(1).unwrap_or(&ZERO);
    h.node(left, right)
}

/// Root over all leaf hashes; [`ZERO`] without leaves.
pub fn root(h: &(impl Hashing + ?Sized), leaves: &[Hash]) -> Hash {
    let n = u64::try_from(leaves.len()).unwrap_or(u64::MAX);
    fold(h, leaves, depth(n), |_, _, _| ()).unwrap_or(ZERO)
}

/// Climbs `levels` from node (height, index) with a sub-tree proof and returns the hash above. `None` if the proof has
/// another length than the tree's shape demands.
pub fn climb(
    h: &(impl Hashing + ?Sized),
    n: u64,
    (height, index): (u32, u64),
    hash: Hash,
    levels: u32,
    proof: &[Hash],
) -> Option<Hash> {
    let mut siblings = proof.iter();
    let mut node = hash;
    for level in 0..levels {
        let at = index >> level;
        let real = at ^ 1 < width(n, height + level);
        let sibling = if real { siblings.next()? } else { &ZERO };
        node = if at & 1 == 0 { h.node(&node, sibling) } else { h.node(sibling, &node) };
    }
    siblings.next().is_none().then_some(node)
}

/// The sub-tree proof that [`climb`] accepts.
///
/// # Errors
/// When `nodes` cannot supply a sibling.
pub fn path(nodes: &dyn Nodes, n: u64, (height, index): (u32, u64), levels: u32) -> Answer<Vec<Hash>> {
    (0..levels)
        .map(|level| (height + level, (index >> level) ^ 1))
        .filter(|&(at, sibling)| sibling < width(n, at))
        .map(|(at, sibling)| nodes.node(at, sibling))
        .collect()
}

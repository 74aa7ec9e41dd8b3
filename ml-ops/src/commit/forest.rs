//! Many trees at once: every level of all of them is one batch.
//!
//! A run has hundreds of values of a few leaves each; tree by tree, most lanes of a batch would be idle.

use opml_vm::{
    Hash,
    merkle::{LEAF_BYTES, ZERO},
};

use super::hasher::Hasher;

/// A tree that is not finished.
#[derive(Debug, Clone, Copy)]
struct Growing {
    tree: usize,
    /// Nodes of its current level.
    nodes: usize,
}

/// Hashes the leaves of tensors; how many each has, and all of them one tensor after another.
pub(super) fn leaves(hasher: Hasher, tensors: &[&[u8]]) -> (Vec<usize>, Vec<Hash>) {
    let filled: Vec<[u8; LEAF_BYTES]> = tensors.iter().filter_map(|bytes| filled(bytes)).collect();
    let mut filled = filled.iter();
    let mut leaves: Vec<&[u8; LEAF_BYTES]> = Vec::new();
    for bytes in tensors {
        let (whole, rest) = bytes.as_chunks();
        leaves.extend(whole);
        leaves.extend((!rest.is_empty()).then(|| filled.next()).flatten());
    }
    let counts = tensors.iter().map(|bytes| bytes.len().div_ceil(LEAF_BYTES)).collect();
    (counts, hasher.leaves(&leaves))
}

/// The last leaf of a tensor, if it must be filled with zeros.
pub(super) fn filled(bytes: &[u8]) -> Option<[u8; LEAF_BYTES]> {
    let rest = bytes.as_chunks::<LEAF_BYTES>().1;
    let mut leaf = [0; LEAF_BYTES];
    leaf.get_mut(..rest.len())?.copy_from_slice(rest);
    (!rest.is_empty()).then_some(leaf)
}

/// Builds trees over `counts` leaves each, all of them in `leaves`. `see(tree, level, nodes)` gets every level of every
/// tree, from the leaves at level 0 to the root; nothing of a tree without leaves.
pub(super) fn grow(hasher: Hasher, counts: &[usize], leaves: Vec<Hash>, mut see: impl FnMut(usize, u32, &[Hash])) {
    let mut growing: Vec<Growing> =
        counts.iter().enumerate().map(|(tree, &nodes)| Growing { tree, nodes }).filter(|tree| tree.nodes > 0).collect();
    let mut nodes = leaves;
    let mut level = 0;
    while !growing.is_empty() {
        let mut left = nodes.as_slice();
        for tree in &growing {
            let (own, others) = left.split_at_checked(tree.nodes).unwrap_or((left, &[]));
            see(tree.tree, level, own);
            left = others;
        }
        nodes = hasher.nodes(&paired(&growing, nodes));
        growing.retain_mut(|tree| {
            let unfinished = tree.nodes > 1;
            tree.nodes = tree.nodes.div_ceil(2);
            unfinished
        });
        level += 1;
    }
}

/// The nodes of the trees that have more than one, each tree's made an even number by the node above no leaf.
fn paired(growing: &[Growing], nodes: Vec<Hash>) -> Vec<Hash> {
    if growing.iter().all(|tree| tree.nodes.is_multiple_of(2)) {
        return nodes;
    }
    let mut paired = Vec::with_capacity(nodes.len() + growing.len());
    let mut left = nodes.as_slice();
    for tree in growing {
        let (own, others) = left.split_at_checked(tree.nodes).unwrap_or((left, &[]));
        if own.len() > 1 {
            paired.extend_from_slice(own);
            paired.extend((!own.len().is_multiple_of(2)).then_some(ZERO));
        }
        left = others;
    }
    paired
}

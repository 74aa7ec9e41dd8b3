//! The trees of `opml_vm::merkle`, hashed in batches.

use opml_vm::{
    Hash, Tensor,
    merkle::{self, LEAF_BYTES, TensorTree, Tree, ZERO},
};

use super::{forest, hasher::Hasher};

/// Bytes below a lowest kept node.
const BLOCK: usize = LEAF_BYTES << TensorTree::CUT;
/// Blocks that are hashed together: 16 MiB.
const AT_ONCE: usize = 1024;

impl Hasher {
    /// Root of a tensor's bytes.
    pub fn tensor_root(self, bytes: &[u8]) -> Hash {
        self.tensor_roots(&[bytes]).first().copied().unwrap_or(ZERO)
    }

    /// Roots of tensors' bytes.
    pub fn tensor_roots(self, tensors: &[&[u8]]) -> Vec<Hash> {
        let (counts, leaves) = forest::leaves(self, tensors);
        self.roots(&counts, leaves)
    }

    /// Roots of trees over `counts` leaves each.
    pub(super) fn roots(self, counts: &[usize], leaves: Vec<Hash>) -> Vec<Hash> {
        let mut roots = vec![ZERO; counts.len()];
        forest::grow(self, counts, leaves, |tree, _, nodes| {
            if let ([root], Some(place)) = (nodes, roots.get_mut(tree)) {
                *place = *root;
            }
        });
        roots
    }

    /// The tree over a tensor's leaves.
    pub fn tensor_tree(self, bytes: &[u8]) -> Tree {
        let (_, leaves) = forest::leaves(self, &[bytes]);
        self.tree(leaves)
    }

    /// The trees over tensors' leaves, without their lowest levels.
    pub fn tensor_trees(self, tensors: &[Tensor]) -> Vec<TensorTree<'_>> {
        let upper = self.upper_trees(tensors);
        tensors.iter().zip(upper).map(|(tensor, upper)| TensorTree::under(tensor.bytes(), upper)).collect()
    }

    /// The upper levels alone, as [`TensorTree::under`] takes them. Besides them it needs memory for some blocks' hashes only.
    pub fn upper_trees(self, tensors: &[Tensor]) -> Vec<Tree> {
        let counts: Vec<usize> = tensors.iter().map(|tensor| tensor.bytes().len().div_ceil(BLOCK)).collect();
        let blocks: Vec<&[u8]> = tensors.iter().flat_map(|tensor| tensor.bytes().chunks(BLOCK)).collect();
        let mut nodes: Vec<Hash> = blocks.chunks(AT_ONCE).flat_map(|blocks| self.tensor_roots(blocks)).collect();
        let mut end = 0;
        for &count in &counts {
            end += count;
            // The last block of several may be lower than the others.
            let last = end.saturating_sub(1);
            if let (true, Some(block), Some(node)) = (count > 1, blocks.get(last), nodes.get_mut(last)) {
                let lone = merkle::depth(leaves_of(block))..TensorTree::CUT;
                *node = lone.fold(*node, |node, _| merkle::node_hash(&node, &ZERO));
            }
        }
        self.trees(&counts, nodes)
    }

    /// Node `index` at `level` of the tree over a tensor's leaves; only what is below it is hashed.
    pub fn tensor_node(self, bytes: &[u8], level: u32, index: u64) -> Hash {
        let leaves = leaves_of(bytes);
        if level > merkle::depth(leaves) || !merkle::is_real(leaves, level, index) {
            return ZERO;
        }
        let covered = || {
            let size = LEAF_BYTES.checked_shl(level)?;
            let first = usize::try_from(index).ok()?.checked_mul(size)?;
            bytes.get(first..first.saturating_add(size).min(bytes.len()))
        };
        let covered = covered().unwrap_or(bytes);
        let lone = merkle::depth(leaves_of(covered))..level;
        lone.fold(self.tensor_root(covered), |node, _| merkle::node_hash(&node, &ZERO))
    }

    /// The tree over leaf hashes.
    pub fn tree(self, leaves: Vec<Hash>) -> Tree {
        self.trees(&[leaves.len()], leaves).pop().unwrap_or_else(|| Tree::new(Vec::new()))
    }

    /// Trees over `counts` leaves each, all of them one tree after another.
    pub fn trees(self, counts: &[usize], leaves: Vec<Hash>) -> Vec<Tree> {
        let no_leaves = |&count: &usize| if count == 0 { vec![Vec::new()] } else { Vec::new() };
        let mut kept: Vec<Vec<Vec<Hash>>> = counts.iter().map(no_leaves).collect();
        forest::grow(self, counts, leaves, |tree, _, nodes| {
            if let Some(kept) = kept.get_mut(tree) {
                kept.push(nodes.to_vec());
            }
        });
        kept.into_iter().map(Tree::from_levels).collect()
    }
}

fn leaves_of(bytes: &[u8]) -> u64 {
    merkle::tensor_leaves(u64::try_from(bytes.len()).unwrap_or(u64::MAX))
}

//! Trees and partitions.

use opml_bisection::toy::ToyHash;
use opml_bisection::tree::{Children, climb, depth, fold, path, root, width};
use opml_bisection::{Answer, Hash, Hashing, Nodes, ZERO, split};
use proptest::prelude::*;

/// The tree by the definition, node by node.
struct Plain(Vec<Hash>);

impl Nodes for Plain {
    fn node(&self, height: u32, index: u64) -> Answer<Hash> {
        if index << height >= n(&self.0) {
            return Ok(ZERO);
        }
        if height == 0 {
            return Ok(self.0[usize::try_from(index).unwrap()]);
        }
        Ok(ToyHash.node(&self.node(height - 1, 2 * index)?, &self.node(height - 1, 2 * index + 1)?))
    }
}

fn n(leaves: &[Hash]) -> u64 {
    u64::try_from(leaves.len()).unwrap()
}

fn plain(count: u64) -> Plain {
    Plain((0..count).map(|i| ToyHash.hash(&i.to_be_bytes())).collect())
}

#[test]
fn depths_and_widths() {
    assert_eq!([0, 1, 2, 3, 4, 5, 1 << 40].map(depth), [0, 0, 1, 2, 2, 3, 40]);
    assert_eq!((width(5, 0), width(5, 1), width(5, 2), width(5, 3), width(5, 64), width(0, 64)), (5, 3, 2, 1, 1, 0));
}

#[test]
fn a_leaf_is_its_own_only_child() {
    let one = Children::of(1, 0, 0, 4);
    assert_eq!((one.height, one.levels, one.first, one.count), (0, 0, 0, 1));
}

proptest! {
    #[test]
    fn folds_paths_and_roots_agree(count in 1..200_u64, arity_log2 in 1..=6_u32, at in any::<u64>(), up in 0..8_u32) {
        let tree = plain(count);
        let height = up.min(depth(count));
        let index = at % width(count, height);
        let top = tree.node(height, index).unwrap();
        let children = Children::of(count, height, index, arity_log2);
        prop_assert!(children.count >= 1 && children.count <= 1 << arity_log2);
        let hashes: Vec<Hash> =
            (0..children.count).map(|c| tree.node(children.height, children.first + c).unwrap()).collect();
        let folded = fold(&ToyHash, &hashes, children.levels, |level, at, hash| {
            let index = (children.first >> level) + at;
            assert_eq!(hash, tree.node(children.height + level, index).unwrap());
        });
        prop_assert_eq!(folded, Some(top));
        let child = children.first + at % children.count;
        let proof = path(&tree, count, (children.height, child), children.levels).unwrap();
        let leaf = tree.node(children.height, child).unwrap();
        let climbed = |proof: &[Hash]| climb(&ToyHash, count, (children.height, child), leaf, children.levels, proof);
        prop_assert_eq!(climbed(&proof), Some(top));
        prop_assert_eq!(climbed(&[proof.clone(), vec![ZERO]].concat()), None);
        if let Some((_, short)) = proof.split_last() {
            prop_assert_eq!(climbed(short), None);
        }
        prop_assert_eq!(root(&ToyHash, &tree.0), tree.node(depth(count), 0).unwrap());
    }

    #[test]
    fn parts_tile_their_range(arity_log2 in 1..=6_u32, k0 in 0..1_u64 << 41, terms in 1..1_u64 << 40) {
        let arity = 1 << arity_log2;
        let m = split::parts(arity, terms);
        let mut at = k0;
        for j in 0..m {
            let (from, to) = split::part(arity, k0, k0 + terms, j).unwrap();
            prop_assert!(from == at && to > from && to - from <= terms.div_ceil(m));
            at = to;
        }
        prop_assert_eq!(at, k0 + terms);
        prop_assert_eq!(split::part(arity, k0, k0 + terms, m), None);
    }
}

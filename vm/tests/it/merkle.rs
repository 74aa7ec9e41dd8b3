//! Trees against a naive account of SPEC §2; proofs for every subset of small trees.

use opml_vm::{
    DType, Hash, Tensor,
    merkle::{
        self, LEAF_BYTES, TensorTree, Tree, ZERO, depth, fold_multi, fold_under, instruction_hash, is_real, keccak,
        leaf_hash, node_hash, tensor_root,
    },
};

fn leaves(n: u8) -> Vec<Hash> {
    (0..n).map(|i| keccak(&[&[i]])).collect()
}

/// Node by the definition: 0 if it covers no real leaf, else the leaf or the hash of its two halves.
fn naive(leaves: &[Hash], level: u32, index: u64) -> Hash {
    let first = index << level;
    match usize::try_from(first) {
        Ok(first) if first < leaves.len() && level == 0 => leaves[first],
        Ok(first) if first < leaves.len() => {
            node_hash(&naive(leaves, level - 1, 2 * index), &naive(leaves, level - 1, 2 * index + 1))
        }
        _ => ZERO,
    }
}

fn naive_depth(n: usize) -> u32 {
    (0..).find(|&d| 1usize << d >= n).unwrap()
}

fn fold(n: u64, known: &[(u64, Hash)], siblings: &[Hash]) -> Option<Hash> {
    let mut list = siblings.iter().copied();
    let root = fold_multi(n, known, &mut || list.next());
    root.filter(|_| list.next().is_none())
}

#[test]
fn keccak_is_the_one_of_the_evm() {
    let hex = |hash: Hash| hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(hex(keccak(&[])), "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
    assert_eq!(hex(keccak(&[b"ab", b"c"])), "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45");
}

#[test]
fn roots_and_nodes_are_the_naive_ones() {
    for n in 0..40u8 {
        let leaves = leaves(n);
        let tree = Tree::new(leaves.clone());
        let deep = naive_depth(leaves.len());
        assert_eq!((depth(u64::from(n)), tree.depth()), (deep, deep));
        assert_eq!(merkle::root(&leaves), naive(&leaves, deep, 0));
        assert_eq!(tree.root(), naive(&leaves, deep, 0));
        for level in 0..=deep {
            for index in 0..64 {
                assert_eq!(tree.node(level, index), naive(&leaves, level, index));
                assert_eq!(is_real(u64::from(n), level, index), tree.node(level, index) != ZERO);
            }
        }
    }
    assert_eq!(merkle::root(&[]), ZERO);
    assert_eq!(merkle::root(&leaves(1)), leaves(1)[0]);
}

#[test]
fn depths_at_powers_of_two() {
    for d in 1..63u32 {
        assert_eq!(depth(1 << d), d);
        assert_eq!(depth((1 << d) + 1), d + 1);
    }
    assert_eq!([depth(0), depth(1), depth(u64::MAX)], [0, 0, 64]);
    assert!(!is_real(u64::MAX, 63, 2) && is_real(1, 64, 0) && !is_real(0, 64, 0) && !is_real(5, 64, 1));
}

#[test]
fn every_subset_of_a_small_tree_is_proved() {
    for n in 1..=9u8 {
        let leaves = leaves(n);
        let tree = Tree::new(leaves.clone());
        for subset in 1u32..1 << n {
            let known: Vec<u64> = (0..u64::from(n)).filter(|&i| subset >> i & 1 == 1).collect();
            let proof = tree.prove(&known);
            let pairs: Vec<(u64, Hash)> = known.iter().map(|&i| (i, leaves[usize::try_from(i).unwrap()])).collect();
            assert_eq!(fold(n.into(), &pairs, &proof), Some(tree.root()));
            for cut in 0..proof.len() {
                assert_eq!(fold(n.into(), &pairs, &proof[..cut]), None, "short");
                let mut changed = proof.clone();
                changed[cut][31] ^= 1;
                assert_ne!(fold(n.into(), &pairs, &changed), Some(tree.root()), "tampered");
            }
            let long: Vec<Hash> = proof.iter().copied().chain([ZERO]).collect();
            assert_eq!(fold(n.into(), &pairs, &long), None, "long");
            for at in 0..pairs.len() {
                let mut changed = pairs.clone();
                changed[at].1[0] ^= 1;
                assert_ne!(fold(n.into(), &changed, &proof), Some(tree.root()), "another leaf");
            }
        }
    }
}

#[test]
fn sub_tree_proofs_stop_at_every_node() {
    for n in 1..=17u8 {
        let tree = Tree::new(leaves(n));
        for level in 0..=tree.depth() {
            for index in (0..).take_while(|&index| is_real(n.into(), level, index)) {
                for levels in 0..=tree.depth() - level {
                    let (hash, proof) = (tree.node(level, index), tree.prove_under(level, index, levels));
                    let under = |hash, proof: &[Hash]| fold_under(n.into(), level, index, hash, levels, proof);
                    assert_eq!(under(hash, &proof), Some(tree.node(level + levels, index >> levels)));
                    let long: Vec<Hash> = proof.iter().copied().chain([ZERO]).collect();
                    assert_eq!(under(hash, &long), None);
                    if let Some((_, short)) = proof.split_last() {
                        assert_eq!(under(hash, short), None);
                    }
                }
            }
        }
    }
}

#[test]
fn rule_03_only_nodes_that_cover_a_real_leaf_are_folded() {
    // Five leaves: leaf 5 is padding; so is node (1, 3).
    let tree = Tree::new(leaves(5));
    assert_eq!(fold_under(5, 0, 5, ZERO, 3, &tree.prove_under(0, 5, 3)), None);
    assert_eq!(fold_under(5, 1, 3, ZERO, 2, &tree.prove_under(1, 3, 2)), None);
    assert_eq!(fold_multi(5, &[(5, ZERO)], &mut || Some(ZERO)), None);
    assert_eq!(fold_multi(0, &[(0, ZERO)], &mut || Some(ZERO)), None);
}

#[test]
fn proofs_do_not_leave_the_tree() {
    let tree = Tree::new(leaves(5));
    assert_eq!(tree.prove_under(0, 1, u32::MAX), tree.prove_under(0, 1, 3));
    for levels in [4, 64, u32::MAX] {
        assert_eq!(fold_under(5, 0, 1, tree.node(0, 1), levels, &tree.prove_under(0, 1, levels)), None);
    }
    assert_eq!(fold_under(5, u32::MAX, 0, tree.root(), u32::MAX, &[]), None);
}

#[test]
fn multiproofs_need_ascending_leaves() {
    let hashes = leaves(4);
    let tree = Tree::new(hashes.clone());
    let mut none = || None;
    assert_eq!(fold_multi(4, &[], &mut none), None);
    assert_eq!(fold_multi(4, &[(1, hashes[1]), (0, hashes[0])], &mut || Some(tree.node(1, 1))), None);
    assert_eq!(fold_multi(4, &[(0, hashes[0]), (0, hashes[0])], &mut || Some(hashes[1])), None);
}

#[test]
fn rule_11_nodes_above_no_real_leaf_are_zero() {
    let [a, b, c, d, e] = leaves(5).try_into().unwrap();
    let left = node_hash(&node_hash(&a, &b), &node_hash(&c, &d));
    assert_eq!(merkle::root(&[a, b, c, d, e]), node_hash(&left, &node_hash(&node_hash(&e, &ZERO), &ZERO)));
    // Padding is never sent: leaf 4 of 5 has one sibling.
    assert_eq!(Tree::new(leaves(5)).prove(&[4]), [left]);
}

#[test]
fn rule_12_bytes_past_the_last_element_are_zero() {
    let mut leaf = [0; LEAF_BYTES];
    leaf[..3].copy_from_slice(&[1, 2, 3]);
    let tensor = Tensor::new(DType::U8, 3, vec![1, 2, 3]).unwrap();
    assert_eq!(tensor_root(tensor.bytes()), keccak(&[&leaf]));
    leaf[3] = 1;
    assert_ne!(tensor_root(tensor.bytes()), keccak(&[&leaf]));
    assert_eq!(tensor_root(&[7; 257]), node_hash(&keccak(&[&[7; 256]]), &leaf_hash(&[7])));
    assert_eq!(tensor_root(&[]), ZERO);
}

#[test]
fn rule_28_preimages_cannot_be_taken_for_each_other() {
    let bytes = [5; 64];
    let node = node_hash(&[5; 32], &[5; 32]);
    assert_eq!(keccak(&[&bytes]), node);
    assert_ne!(instruction_hash(&bytes), node);
    assert_ne!(instruction_hash(&[5; 63]), node);
    assert_ne!(leaf_hash(&bytes), node);
    // A proof of one tree is none of a tree of another size, even with the same bottom.
    let (five, six) = (Tree::new(leaves(5)), Tree::new(leaves(6)));
    assert_ne!(fold(6, &[(4, leaves(6)[4])], &five.prove(&[4])), Some(six.root()));
    assert_ne!(fold(5, &[(4, leaves(6)[4])], &six.prove(&[4])), Some(five.root()));
}

#[test]
fn trees_of_tensors_have_all_nodes_though_few_are_kept() {
    let bytes: Vec<u8> = (0..256 * 21 + 9u32).map(|i| u8::try_from(i % 241).unwrap()).collect();
    for leaves in 0..=22 {
        let bytes = &bytes[..bytes.len().min(leaves * 256)];
        let (whole, slim) = (Tree::of_tensor(bytes), TensorTree::new(bytes));
        assert_eq!(slim.root(), whole.root());
        for level in 0..=whole.depth() + 1 {
            for index in 0..40 {
                assert_eq!(slim.node(level, index), whole.node(level, index), "{leaves} {level} {index}");
            }
            assert_eq!(slim.node(level, u64::MAX), ZERO);
        }
        for index in 0..whole.leaves() {
            assert_eq!(slim.prove(&[index]), whole.prove(&[index]));
        }
    }
    let large = bytes.repeat(40);
    assert_eq!(TensorTree::new(&large).root(), tensor_root(&large));
}

#[test]
fn trees_are_put_together_from_levels() {
    let bytes: Vec<u8> = (0..256 * 21 + 9u32).map(|i| u8::try_from(i % 241).unwrap()).collect();
    for leaves in [0, 1, 2, 5, 8, 9, 22] {
        let bytes = &bytes[..bytes.len().min(leaves * 256)];
        let (whole, slim) = (Tree::of_tensor(bytes), TensorTree::new(bytes));
        let level = |level: u32| -> Vec<Hash> {
            let width = whole.leaves().div_ceil(1 << level);
            (0..width).map(|index| whole.node(level, index)).collect()
        };
        let from = |lowest: u32| Tree::from_levels((lowest..=whole.depth()).map(level).collect());
        assert_eq!(from(0), whole);
        let under = TensorTree::under(bytes, from(TensorTree::CUT.min(whole.depth())));
        assert_eq!(format!("{under:?}"), format!("{slim:?}"));
    }
}

#[test]
fn large_tensors_hash_the_same_on_all_cores() {
    let bytes: Vec<u8> = (0..300_001u32).map(|i| u8::try_from(i % 251).unwrap()).collect();
    let leaves: Vec<Hash> = bytes.chunks(256).map(leaf_hash).collect();
    assert_eq!(tensor_root(&bytes), naive(&leaves, naive_depth(leaves.len()), 0));
}

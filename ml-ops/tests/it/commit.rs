//! Batched commitments against the reference hashing of `opml_vm`, on every tier of this CPU.

use opml_ops::{
    commit::Hasher,
    engine::Engine,
    lower::{self, Builder, View},
    tier::Tier,
};
use opml_vm::{
    DType, Hash, Program, Tensor, Trace,
    interpreter::{self, Run, Stop},
    merkle::{self, TensorTree, Tree},
    program,
    testing::{Limits, Rng, conformance_cases, random_program},
    witness::{Openings, Question},
};
use proptest::prelude::*;

fn hashers() -> impl Iterator<Item = Hasher> {
    Tier::supported().map(Hasher::new)
}

fn bytes(length: usize, seed: u64) -> Vec<u8> {
    let mut rng = Rng::new(seed);
    (0..length).map(|_| rng.bits().to_le_bytes()[0]).collect()
}

/// Tensors of every number of leaves up to 300, most with a last leaf that is not full.
fn tensors() -> Vec<Vec<u8>> {
    (0..=300).map(|leaves: usize| bytes((256 * leaves).saturating_sub(leaves * 37 % 256), 1)).collect()
}

#[test]
fn a_hasher_has_a_tier_of_this_cpu() {
    for tier in Tier::ALL {
        assert_eq!(Hasher::new(tier).tier(), tier.usable());
    }
    assert_eq!(Hasher::current().tier(), Tier::current());
}

#[test]
fn roots_of_tensors_of_every_size() {
    let tensors = tensors();
    let expected: Vec<Hash> = tensors.iter().map(|bytes| merkle::tensor_root(bytes)).collect();
    let slices: Vec<&[u8]> = tensors.iter().map(Vec::as_slice).collect();
    for hasher in hashers() {
        assert_eq!(hasher.tensor_roots(&slices), expected, "all at once on {}", hasher.tier().name());
        for (bytes, root) in tensors.iter().zip(&expected) {
            assert_eq!(hasher.tensor_root(bytes), *root, "{} bytes on {}", bytes.len(), hasher.tier().name());
        }
        assert_eq!(hasher.tensor_roots(&[]), Vec::<Hash>::new());
        assert_eq!(hasher.tensor_roots(&[&[], &[], &[1], &[]]), [&[][..], &[], &[1], &[]].map(merkle::tensor_root));
    }
}

#[test]
fn trees_of_tensors_of_every_size() {
    for bytes in tensors().iter().step_by(7) {
        let expected = Tree::of_tensor(bytes);
        let tensor = Tensor::new(DType::U8, u64::try_from(bytes.len()).unwrap(), bytes.clone()).unwrap();
        for hasher in hashers() {
            assert_eq!(hasher.tensor_tree(bytes), expected);
            let slim = hasher.tensor_trees(std::slice::from_ref(&tensor)).pop().unwrap();
            for (level, index) in nodes(&expected) {
                assert_eq!(slim.node(level, index), expected.node(level, index));
            }
            assert_eq!(slim.root(), expected.root());
            assert_eq!(format!("{slim:?}"), format!("{:?}", TensorTree::new(bytes)), "the same levels are kept");
        }
    }
}

#[test]
fn nodes_of_tensors_are_hashed_alone() {
    for leaves in [0_usize, 1, 2, 3, 5, 8, 21, 64, 65] {
        let bytes = bytes((256 * leaves).saturating_sub(leaves % 2 * 100), 2);
        let expected = Tree::of_tensor(&bytes);
        for hasher in hashers() {
            for (level, index) in nodes(&expected) {
                let node = hasher.tensor_node(&bytes, level, index);
                assert_eq!(node, expected.node(level, index), "node {level}, {index} over {leaves} leaves");
            }
            assert_eq!(hasher.tensor_node(&bytes, 63, 0), expected.node(63, 0));
            assert_eq!(hasher.tensor_node(&bytes, u32::MAX, u64::MAX), merkle::ZERO);
        }
    }
}

/// Places in a tree and around it.
fn nodes(tree: &Tree) -> impl Iterator<Item = (u32, u64)> {
    let leaves = tree.leaves();
    (0..=tree.depth() + 1).flat_map(move |level| (0..=(leaves >> level) + 2).map(move |index| (level, index)))
}

/// Large enough for several tasks at several levels.
#[test]
fn thread_counts_agree() {
    let large = bytes(9_000_001, 3);
    let small = bytes(700, 4);
    let expected = [&large[..], &small, &large[5..]].map(merkle::tensor_root);
    for threads in [1, 2, 5] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        for hasher in hashers() {
            assert_eq!(pool.install(|| hasher.tensor_roots(&[&large, &small, &large[5..]])), expected);
        }
    }
}

/// Every commitment to a run is that of the reference.
fn compare(program: &Program, inputs: &[Tensor], run: &Run, name: &str) {
    let expected = Trace::new(program, run.clone());
    for hasher in hashers() {
        let trace = hasher.trace(program, run.clone());
        assert_eq!(trace, expected, "{name} on {}", hasher.tier().name());
        assert_eq!(hasher.model_roots(program), program.roots(), "{name}");
        assert_eq!(hasher.input_root(inputs), program::input_root(inputs), "{name}");
        let reference = Openings::new(program, inputs, &expected);
        let openings = hasher.openings(program, inputs, &trace);
        for number in (0..).take(program.instructions().len()) {
            let question = Question::Element { e: 0 };
            assert_eq!(openings.witness(0, number, question), reference.witness(0, number, question), "{name}");
        }
    }
}

#[test]
fn traces_of_conformance_cases() {
    for case in conformance_cases() {
        let run = interpreter::run(&case.program, &case.inputs, Stop::Halt { max: case.max_t }, 1 << 32).unwrap();
        compare(&case.program, &case.inputs, &run, &case.name);
    }
}

#[test]
fn traces_of_random_programs() {
    for seed in 0..300 {
        let (program, inputs, max_t) = random_program(seed, &Limits::default());
        let run = interpreter::run(&program, &inputs, Stop::Halt { max: max_t }, 1 << 32).unwrap();
        compare(&program, &inputs, &run, &format!("seed {seed}"));
    }
    let limits = Limits { instructions: 6, max_t: 3, elements: 3000, work: 300_000 };
    for seed in 20_000..20_010 {
        let (program, inputs, max_t) = random_program(seed, &limits);
        let run = interpreter::run(&program, &inputs, Stop::Exactly(max_t), 1 << 32).unwrap();
        compare(&program, &inputs, &run, &format!("seed {seed}"));
    }
}

proptest! {
    #[test]
    fn roots_of_any_tensors(tensors in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..1500), 0..30)) {
        let slices: Vec<&[u8]> = tensors.iter().map(Vec::as_slice).collect();
        let expected: Vec<Hash> = tensors.iter().map(|bytes| merkle::tensor_root(bytes)).collect();
        for hasher in hashers() {
            prop_assert_eq!(hasher.tensor_roots(&slices), expected.clone());
        }
    }
}

#[test]
fn traces_of_many_runs_at_once() {
    let (program, inputs, max_t) = random_program(77, &Limits::default());
    let longest = max_t.max(2);
    let run = |length: u64| interpreter::run(&program, &inputs, Stop::Exactly(length), 1 << 30).unwrap();
    let runs: Vec<Run> = (1..=longest).map(run).collect();
    for hasher in hashers() {
        let traces = hasher.traces(&program, runs.clone());
        for (trace, run) in traces.iter().zip(&runs) {
            let expected = Trace::new(&program, run.clone());
            assert_eq!((trace.root(), trace.run()), (expected.root(), expected.run()));
            assert!((0..trace.leaves()).all(|leaf| trace.tensor_root(leaf) == expected.tensor_root(leaf)));
        }
        assert_eq!(traces.len(), runs.len());
        let roots: Vec<Hash> = traces.iter().map(Trace::root).collect();
        assert_eq!(hasher.trace_roots(&runs), roots);
        assert!(hasher.traces(&program, Vec::new()).is_empty());
    }
}

/// What is hashed while programs run is what is hashed afterwards.
#[test]
fn runs_that_are_hashed_meanwhile() {
    let pools = [1, 3].map(|threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap());
    let limits = Limits { instructions: 6, max_t: 3, elements: 3000, work: 300_000 };
    let few = (0..200).map(|seed| (seed, Limits::default())).chain((30_000..30_020).map(|seed| (seed, limits)));
    for (seed, limits) in few {
        let (program, inputs, max_t) = random_program(seed, &limits);
        let engine = Engine::compile(&program);
        let run = interpreter::run(&program, &inputs, Stop::Halt { max: max_t }, 1 << 32).unwrap();
        let expected = Trace::new(&program, run);
        for (pool, hasher) in pools.iter().flat_map(|pool| hashers().map(move |hasher| (pool, hasher))) {
            let stop = Stop::Halt { max: max_t };
            let trace = pool.install(|| hasher.run(&engine, &inputs, stop, 1 << 32)).unwrap();
            assert_eq!(trace, expected, "seed {seed} on {}", hasher.tier().name());
            let batch = vec![inputs.clone(); 5];
            let (outputs, roots) = pool.install(|| hasher.run_roots(&engine, &batch, stop, 1 << 32)).unwrap();
            let output = engine.run_output(&inputs, stop, 1 << 32).unwrap();
            assert_eq!(outputs, vec![output; 5], "seed {seed}");
            assert_eq!(roots, vec![expected.root(); 5], "seed {seed} on {}", hasher.tier().name());
        }
    }
}

/// Values around the numbers of leaves that are hashed together, the last of them filled up or not.
#[test]
fn values_of_any_length_are_hashed_meanwhile() {
    for lengths in
        [vec![1, 255, 256, 257], vec![2048, 2047, 2049, 300, 40_000], vec![100_000, 1, 65_536, 16_384, 16_385]]
    {
        let mut builder = Builder::new();
        let views: Vec<View> = lengths.iter().map(|&length| builder.input(DType::U8, &[length])).collect();
        for view in &views {
            lower::copy(&mut builder, view).unwrap();
        }
        let program = builder.finish().unwrap();
        let tensor = |(&length, seed): (&i64, u64)| {
            let bytes = bytes(usize::try_from(length).unwrap(), seed);
            Tensor::new(DType::U8, u64::try_from(length).unwrap(), bytes).unwrap()
        };
        let inputs: Vec<Tensor> = lengths.iter().zip(0..).map(tensor).collect();
        let engine = Engine::compile(&program);
        let run = interpreter::run(&program, &inputs, Stop::Exactly(1), 1 << 32).unwrap();
        for (threads, hasher) in [1, 2].into_iter().flat_map(|threads| hashers().map(move |hasher| (threads, hasher))) {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let trace = pool.install(|| hasher.run(&engine, &inputs, Stop::Exactly(1), 1 << 32)).unwrap();
            assert_eq!(trace, Trace::new(&program, run.clone()), "{lengths:?}, {threads} threads");
        }
    }
}

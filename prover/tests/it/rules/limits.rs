//! The limits of an instruction, and what the most expensive one costs.

use alloy_primitives::{B256, U256};
use alloy_sol_types::SolCall;
use opml_contracts::{abi::Dispute, host::TX_GAS_CAP};
use opml_vm::{
    Counts, DType, Hash, Opcode, Reducer, Source, Term,
    codec::{decode, encode},
    isa::{MAX_CONSTANTS, MAX_DYNAMICS, MAX_ENCODED, MAX_LOADS, MAX_OPS, MAX_RANK},
    merkle::{self, fold_multi, header_hash, instruction_hash, keccak, leaf_hash, siblings},
    step::Job,
    testing::{Build, fixed},
    witness::Question,
};

use super::{
    codes::alone,
    steps::{Bench, holds},
};

/// Instructions and iterations of the largest trace, and elements of the largest tensor of i64.
const N: u32 = 1 << 24;
const T: u64 = 1 << 16;
const ELEMENTS: u64 = 1 << 40;
const TENSOR_LEAVES: u64 = ELEMENTS / 32;

#[test]
fn rule_15_every_limit_is_a_limit_in_both() {
    let bench = &mut Bench::new();
    let counts = Counts { instructions: 2, constants: 1, inputs: 1 };
    let plain = |output: &[u32], reduction: &[u32]| {
        Build::new(DType::I8, Reducer::Sum, output, reduction).op(Opcode::Abs, [0, 0, 0])
    };
    let repeat = |build: Build, n, f: &dyn Fn(Build) -> Build| (0..n).fold(build, |build, _| f(build));
    let load = |build: Build| build.load(Source::Input(0), 0, &[]);
    let op = |build: Build| build.op(Opcode::Abs, [0, 0, 0]);
    let empty = Build::each(DType::I8, &[1]);
    let at: [(&str, Build, Build); 8] = [
        ("output rank", plain(&[1; MAX_RANK], &[]), plain(&[1; MAX_RANK + 1], &[])),
        ("reduction rank", plain(&[], &[1; MAX_RANK]), plain(&[], &[1; MAX_RANK + 1])),
        (
            "constants",
            plain(&[1], &[]).constants(&[0; MAX_CONSTANTS]),
            plain(&[1], &[]).constants(&[0; MAX_CONSTANTS + 1]),
        ),
        ("operations", repeat(empty.clone(), MAX_OPS, &op), repeat(empty.clone(), MAX_OPS + 1, &op)),
        ("loads", repeat(empty.clone(), MAX_LOADS, &load), repeat(empty.clone(), MAX_LOADS + 1, &load)),
        (
            "dynamics",
            repeat(plain(&[1], &[]), MAX_DYNAMICS, &|b| b.dynamic(1, 1, 1)),
            repeat(plain(&[1], &[]), MAX_DYNAMICS + 1, &|b| b.dynamic(1, 1, 1)),
        ),
        ("elements", plain(&[1 << 20, 1 << 20], &[]), plain(&[1 << 20, (1 << 20) + 1], &[])),
        ("terms", plain(&[1], &[1 << 20, 1 << 20]), plain(&[1], &[1 << 20, (1 << 20) + 1])),
    ];
    for (name, most, more) in at {
        let bytes = encode(&most.done(), &counts).unwrap();
        assert_ne!(alone(bench, &bytes, &counts), (4, 0, 0), "{name}");
        assert!(encode(&more.done(), &counts).is_err(), "{name}");
        // The same in bytes: one more in the header, or in the last extent, and the bytes that belong to it.
        let place = ["", "", "output rank", "reduction rank", "constants", "operations", "", "dynamics"];
        if let Some(at) = place.iter().position(|&place| place == name) {
            let mut longer = bytes.clone();
            longer[at] += 1;
            let size = if name == "constants" { 8 } else { if name == "dynamics" { 16 } else { 4 } };
            let part = if name == "operations" { vec![7, 0, 0, 0] } else { vec![0; size] };
            let before = if name == "operations" { bytes.len() } else { 8 };
            longer.splice(before..before, part);
            assert!(decode(&longer, &counts).is_err(), "{name}");
            assert_eq!(alone(bench, &longer, &counts), (4, 0, 0), "{name}");
        }
    }
    let mut wide = encode(&plain(&[1 << 20, 1 << 20], &[]).done(), &counts).unwrap();
    wide[15] += 1;
    assert_eq!(alone(bench, &wide, &counts), (4, 0, 0), "2^20 · (2^20 + 1) elements");
    let mut loads = encode(&repeat(empty, MAX_LOADS, &load).done(), &counts).unwrap();
    let last = loads[loads.len() - 16..].to_vec();
    loads[5] += 1;
    loads.extend(last);
    assert_eq!(alone(bench, &loads, &counts), (4, 0, 0), "17 loads");
    holds(bench, "extents/largest-instruction");
    holds(bench, "loads/rank-8");
}

/// A made-up node beside all paths that are needed.
fn foreign(salt: u64, level: u32, index: u64) -> Hash {
    keccak(&[&salt.to_be_bytes(), &level.to_be_bytes(), &index.to_be_bytes()])
}

/// Root over a few leaves in a tree of foreign nodes, and their multiproof.
fn tree(salt: u64, leaves: u64, known: &[(u64, Hash)]) -> (Hash, Vec<Hash>) {
    let numbers: Vec<u64> = known.iter().map(|&(number, _)| number).collect();
    let proof = siblings(leaves, &numbers, &|level, index| foreign(salt, level, index));
    let mut next = proof.iter().copied();
    (fold_multi(leaves, known, &mut || next.next()).unwrap(), proof)
}

/// All loads and operations that `map` and `post` may have; each load reads a tensor and an iteration of its own, and its
/// index is made of four terms.
fn heaviest() -> Build {
    let mut build = Build::new(DType::I64, Reducer::Sum, &[2, 2, 2], &[]).constants(&[7]);
    for post in [false, true] {
        for number in (0..16).map(|load| load + if post { 16 } else { 0 }) {
            let terms = vec![Term { slot: 1, coef: 1 }, Term { slot: 2, coef: -1 }];
            let source = Source::History { instruction: number * 500_009, base: i64::from(number) * 2_003, terms };
            let slots = [(1, 65_537), (2, -1_000_003), (3, 999), (18, 3)];
            let axes = [fixed(0x7fff_ffff, i64::from(number) << 26, &slots)];
            build = if post { build.post_load(source, 0, &axes) } else { build.load(source, 0, &axes) };
        }
        for number in 0..112 {
            let last = if post { build.post_slot() } else { build.slot() } - 1;
            let (opcode, operands) = match number % 3 {
                0 => (Opcode::Mulshr, [last, last - 1, 18]),
                1 => (Opcode::Isqrt, [last, 0, 0]),
                _ => (Opcode::Clamp, [last, last - 2, last - 1]),
            };
            build = if post { build.post(opcode, operands) } else { build.op(opcode, operands) };
        }
    }
    build
}

/// The step of the heaviest instruction at the end of the largest trace.
fn heaviest_step() -> (Job, Vec<u8>, Vec<u8>) {
    let counts = Counts { instructions: N, constants: 0, inputs: 0 };
    let encoding = encode(&heaviest().done(), &counts).unwrap();
    let (program_root, proof) = tree(0, N.into(), &[(u64::from(N) - 1, instruction_hash(&encoding))]);
    let mut witness = [&proof.concat()[..], &[0, 0, 32]].concat();
    let mut headers = Vec::new();
    for number in 0..32u64 {
        let leaf = ((number << 26) + 3 * 7) / 32;
        let data: Vec<u8> = (0..256u64).map(|byte| u8::try_from((byte * 41 + number) % 253).unwrap()).collect();
        let (root, proof) = tree(1 + number, TENSOR_LEAVES, &[(leaf, leaf_hash(&data))]);
        let index = number * 2_003 * u64::from(N) + number * 500_009;
        headers.push((index, header_hash(4, ELEMENTS, &root)));
        witness.extend(index.to_be_bytes());
        witness.push(4);
        witness.extend(ELEMENTS.to_be_bytes());
        witness.push(1);
        witness.extend(&leaf.to_be_bytes()[3..]);
        witness.extend(data);
        witness.extend(proof.concat());
    }
    let (trace_root, proof) = tree(99, T * u64::from(N), &headers);
    witness.extend(proof.concat());
    let zero = merkle::ZERO;
    let job = Job {
        program_root,
        constants_root: zero,
        input_root: zero,
        trace_root,
        counts,
        length: T,
        t: T - 1,
        instruction: N - 1,
    };
    (job, encoding, witness)
}

/// Calldata of the proof of that step by the game, with the longest paths there are.
fn calldata(encoding: &[u8], witness: &[u8], b: u64) -> usize {
    let word = B256::repeat_byte(0xff);
    let call = Dispute::proveElementCall {
        state: Dispute::State {
            claimId: word,
            node: word,
            players: U256::MAX,
            clock: U256::MAX,
            place: U256::MAX,
            range: U256::MAX,
        },
        c: Dispute::Claim {
            taskId: word,
            T: u64::MAX,
            outputHash: word,
            submitter: alloy_primitives::Address::ZERO,
            nonce: 0,
        },
        task: Dispute::Parts {
            programRoot: word,
            constsRoot: word,
            inputsHash: word,
            inputRoot: word,
            requester: alloy_primitives::Address::ZERO,
        },
        o: Dispute::Opening {
            leaf: 0,
            dtype: 4,
            elements: ELEMENTS,
            e: 0,
            data: [word; 8],
            tensorPath: vec![word; merkle::depth(TENSOR_LEAVES).try_into().unwrap()],
            tracePath: vec![word; merkle::depth(1 << b).try_into().unwrap()],
        },
        instruction: encoding.to_vec().into(),
        witness: witness.to_vec().into(),
    };
    call.abi_encode().len()
}

#[test]
fn rule_15_the_worst_legal_step_fits_a_transaction() {
    let bench = &mut Bench::new();
    let (job, encoding, witness) = heaviest_step();
    assert!(encoding.len() <= MAX_ENCODED && encoding.len() > MAX_ENCODED / 2, "{} bytes", encoding.len());
    let question = Question::Element { e: 0 };
    bench.both(&job, question, &encoding, &witness).unwrap();
    let (_, gas) = bench.ask(&job, question, &encoding, &witness).unwrap();
    let bytes = u64::try_from(calldata(&encoding, &witness, 40)).unwrap();
    // A floor of 40 gas for every byte, and of 64, which is under discussion; and all of it beside the floor.
    for price in [40, 64] {
        let floor = 21_000 + price * bytes;
        assert!(floor < TX_GAS_CAP, "{floor} gas of calldata at {price}");
    }
    // The game's own part of a proof is below 100,000 gas.
    let whole = gas + 16 * (bytes - u64::try_from(witness.len() + encoding.len()).unwrap()) + 100_000;
    println!("{bytes} bytes, {gas} gas of the step, {whole} of the proof");
    assert!(whole < TX_GAS_CAP / 2, "{whole} gas");
}

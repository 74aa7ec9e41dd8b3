//! The most expensive legal steps fit a transaction.

use opml_vm::{
    Counts, DType, Opcode, Reducer, Source, Term,
    codec::encode,
    merkle::{self, Hash, fold_multi, header_hash, instruction_hash, keccak, leaf_hash, siblings},
    step::Job,
    testing::{Build, fixed},
    witness::Question,
};

use crate::support::Chain;

/// Instructions and iterations: 2^40 trace leaves.
const N: u32 = 1 << 24;
const T: u64 = 1 << 16;
/// Elements of every tensor, i64: 2^35 leaves.
const ELEMENTS: u64 = 1 << 40;

/// A made-up node off the path; the paths to it need not exist.
fn foreign(salt: u64, level: u32, index: u64) -> Hash {
    keccak(&[&salt.to_be_bytes(), &level.to_be_bytes(), &index.to_be_bytes()])
}

/// Root over the known leaves in a tree of foreign nodes, and the multiproof.
fn tree(salt: u64, leaves: u64, known: &[(u64, Hash)]) -> (Hash, Vec<u8>) {
    let indices: Vec<u64> = known.iter().map(|&(index, _)| index).collect();
    let proof = siblings(leaves, &indices, &|level, index| foreign(salt, level, index));
    let mut next = proof.iter().copied();
    let root = fold_multi(leaves, known, &mut || next.next()).unwrap();
    (root, proof.concat())
}

/// 16 loads of history, each from a tensor of its own, and operations up to the limit.
fn program(mut build: Build, post: bool) -> Build {
    let mut sum = 0;
    for load in 0..16 {
        let number = load + if post { 16 } else { 0 };
        let source = Source::History {
            instruction: number * 499_979,
            base: i64::from(number) * 1_999,
            terms: vec![Term { slot: 1, coef: 1 }, Term { slot: 2, coef: 1 }],
        };
        let slots = [(1, 65_537), (2, 1_000_003), (3, 999), (18, 3)];
        let axes = [fixed(0x7fff_ffff, i64::from(number) << 26, &slots)];
        let slot = if post { build.post_slot() } else { build.slot() };
        build = if post { build.post_load(source, 0, &axes) } else { build.load(source, 0, &axes) };
        sum = slot;
    }
    for op in 0..112 {
        let slot = sum + 1;
        let (opcode, operands) = match op % 3 {
            0 => (Opcode::Mulshr, [sum, sum - 1, 18]),
            1 => (Opcode::Isqrt, [sum, 0, 0]),
            _ => (Opcode::Clamp, [sum, sum - 2, sum - 1]),
        };
        build = if post { build.post(opcode, operands) } else { build.op(opcode, operands) };
        sum = slot;
    }
    build
}

/// One opened tensor: header hash and its part of the witness.
fn tensor(number: u64) -> (Hash, Vec<u8>) {
    let leaf = ((number << 26) + 3 * 7) / 32; // of the element that `program` reads at output coordinates 0
    let data: Vec<u8> = (0..256_u64).map(|byte| u8::try_from((byte * 37 + number) % 251).unwrap()).collect();
    let (root, proof) = tree(1 + number, ELEMENTS / 32, &[(leaf, leaf_hash(&data))]);
    let part = [&[4][..], &ELEMENTS.to_be_bytes(), &[1], &leaf.to_be_bytes()[3..], &data, &proof].concat();
    (header_hash(4, ELEMENTS, &root), part)
}

#[test]
fn the_worst_legal_term_fits_a_transaction() {
    let build = Build::new(DType::I64, Reducer::Sum, &[2, 2, 2], &[]).constants(&[7]);
    let instruction = program(program(build, false), true).done();
    let counts = Counts { instructions: N, constants: 0, inputs: 0 };
    let encoding = encode(&instruction, &counts).unwrap();
    let (program_root, mut witness) = tree(0, N.into(), &[(u64::from(N) - 1, instruction_hash(&encoding))]);
    witness.extend([0, 0, 32]);
    let mut headers = Vec::new();
    for number in 0..32_u64 {
        let index = number * 1_999 * u64::from(N) + number * 499_979;
        let (header, part) = tensor(number);
        headers.push((index, header));
        witness.extend(index.to_be_bytes());
        witness.extend(part);
    }
    let (trace_root, proof) = tree(99, T * u64::from(N), &headers);
    witness.extend(proof);
    let job = Job {
        program_root,
        constants_root: merkle::ZERO,
        input_root: merkle::ZERO,
        trace_root,
        counts,
        length: T,
        t: T - 1,
        instruction: N - 1,
    };
    let question = Question::Element { e: 0 };
    let expected = job.element(0, &encoding, &witness).unwrap();
    let (value, receipt) = Chain::new().ask(&job, question, &encoding, &witness).unwrap();
    assert_eq!(value, i128::from(expected));
    println!("{} bytes, exec {}, {} gas", receipt.calldata_bytes, receipt.exec_gas, receipt.gas_used);
    // a floor of 64 gas for every byte is being discussed: it must fit too
    let floor = 21_000 + 64 * u64::try_from(receipt.calldata_bytes).unwrap();
    assert!(receipt.gas_used.max(floor) < opml_contracts::host::TX_GAS_CAP / 2, "{receipt:?}");
}

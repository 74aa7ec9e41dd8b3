//! Encodings, preimages, proof lengths, and the steps that exist.

use alloy_primitives::{B256, U256};
use opml_bisection::{Move, Refused, TraceLeaf, ZERO, players::Idea};
use opml_contracts::abi::{Dispute, StepVerifier};
use opml_prover::chain::{Chain, OPERATOR};
use opml_vm::{
    Counts, Hash, Program, StepError,
    codec::{decode, encode},
    merkle::{self, Tree, instruction_hash},
    step::{Job, MALFORMED, shape_of},
    testing::{Build, random_encoding},
    witness::Question,
};

use super::{
    steps::{Bench, Ran},
    table::{Table, is, reverts},
    worlds::{SMALL, five, honest},
};

const ELEMENT: Question = Question::Element { e: 0 };

/// The shape of bytes that are the last instruction of a program, at a late iteration; by both.
pub(super) fn alone(bench: &mut Bench, encoding: &[u8], counts: &Counts) -> (u8, u64, u64) {
    let number = counts.instructions - 1;
    let leaves = (0..counts.instructions).map(|i| if i == number { instruction_hash(encoding) } else { [7; 32] });
    let tree = Tree::new(leaves.collect());
    let siblings = tree.prove(&[number.into()]).concat();
    let job = Job {
        program_root: tree.root(),
        constants_root: ZERO,
        input_root: ZERO,
        trace_root: ZERO,
        counts: *counts,
        length: 6,
        t: 5,
        instruction: number,
    };
    let rust = job.shape(encoding, &siblings).unwrap();
    let contract = bench.shape(&job, encoding, &siblings).unwrap();
    assert_eq!(contract, (rust.dtype.code(), rust.elements, rust.terms), "{encoding:02x?}");
    match decode(encoding, counts) {
        Ok(instruction) => assert_eq!(encode(&instruction, counts).as_deref(), Ok(encoding)),
        Err(_) => {
            assert_eq!(rust, MALFORMED);
            let witness = [&siblings[..], &[0; 3]].concat();
            let (rust, contract) = bench.both(&job, ELEMENT, encoding, &witness).unwrap_err();
            assert_eq!(rust, StepError::Element { e: 0, elements: 0 });
            is::<StepVerifier::ElementOutOfRange>(&contract);
        }
    }
    contract
}

#[test]
fn rule_14_random_bytes_have_one_meaning() {
    let bench = &mut Bench::new();
    let mut malformed = 0;
    for seed in 0..1_500 {
        let (encoding, counts) = random_encoding(seed);
        alone(bench, &encoding, &counts);
        malformed += u32::from(decode(&encoding, &counts).is_err());
    }
    assert!((300..1_200).contains(&malformed), "{malformed}");
}

#[test]
fn rule_14_what_is_not_minimal_is_the_empty_tensor() {
    let bench = &mut Bench::new();
    let (ran, _) = Ran::case("iterations/by-register");
    let (bytes, counts) = (ran.encoding(1).to_vec(), ran.program.counts());
    assert_ne!(alone(bench, &bytes, &counts), (4, 0, 0));
    for bits in [1u8, 2, 128] {
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= bits;
            alone(bench, &changed, &counts);
        }
    }
    for length in 0..bytes.len() {
        assert_eq!(alone(bench, &bytes[..length], &counts), (4, 0, 0));
    }
    for more in [1, 4, 16, 32, 5_000] {
        assert_eq!(alone(bench, &[&bytes[..], &vec![0; more]].concat(), &counts), (4, 0, 0));
    }
    // A second spelling of one instruction: 8 header, an extent, then the first load: head, axis word.
    let axis = 8 + 4 + 16;
    for (at, value) in [(axis - 13, 1), (axis + 22, 1), (axis + 31, 0), (axis + 26, 1)] {
        let mut changed = bytes.clone();
        changed[at] = value;
        let known = decode(&changed, &counts).is_ok();
        assert_eq!(alone(bench, &changed, &counts) != (4, 0, 0), known, "byte {at}");
        assert!(!known || changed == bytes, "byte {at}");
    }
    assert_eq!(shape_of(&[], &counts, 0), MALFORMED);
}

#[test]
fn rule_28_every_other_length_of_a_witness_is_refused() {
    let bench = &mut Bench::new();
    let (ran, _) = Ran::case("loads/neighbours");
    let (job, encoding) = (ran.job(0, 2), ran.encoding(2));
    let witness = ran.openings().witness(0, 2, ELEMENT).unwrap();
    for cut in (0..witness.len()).step_by(13) {
        bench.both(&job, ELEMENT, encoding, &witness[..cut]).unwrap_err();
        bench.both(&job, ELEMENT, encoding, &witness[cut + 1..]).unwrap_err();
    }
    for more in [1, 32, 288] {
        let longer = [&witness[..], &vec![0; more]].concat();
        let (rust, contract) = bench.both(&job, ELEMENT, encoding, &longer).unwrap_err();
        assert_eq!(rust, StepError::Witness("bytes are left over"));
        is::<StepVerifier::WitnessLength>(&contract);
    }
    let siblings = ran.openings().instruction(2).unwrap().1.concat();
    bench.shape(&job, encoding, &siblings).unwrap();
    for wrong in [[&siblings[..], &[0; 32]].concat(), siblings[32..].to_vec(), vec![], siblings[1..].to_vec()] {
        job.shape(encoding, &wrong).unwrap_err();
        bench.shape(&job, encoding, &wrong).unwrap_err();
    }
}

#[test]
fn rule_28_a_node_of_the_program_is_no_instruction() {
    let bench = &mut Bench::new();
    let (ran, _) = Ran::case("loads/neighbours");
    let hashes: Vec<Hash> = ran.program.encodings().iter().map(|e| instruction_hash(e)).collect();
    // Its 64 bytes hash to the node, but not as an instruction; and its path is one too short.
    let node = [hashes[0], hashes[1]].concat();
    let above = Tree::new(hashes).node(1, 1);
    for (i, siblings) in [(0, vec![above]), (0, vec![above, above]), (0, vec![]), (2, vec![above])] {
        let job = ran.job(0, i);
        assert!(job.shape(&node, siblings.as_flattened()).is_err());
        is::<StepVerifier::WrongInstruction>(&bench.shape(&job, &node, siblings.as_flattened()).unwrap_err());
    }
    assert_eq!(merkle::keccak(&[&node]), Tree::new(ran_hashes(&ran)).node(1, 0), "untagged it would be the node");
    // The right bytes as another instruction.
    let witness = ran.openings().witness(0, 2, ELEMENT).unwrap();
    for other in [0, 1] {
        let (rust, contract) = bench.both(&ran.job(0, 2), ELEMENT, ran.encoding(other), &witness).unwrap_err();
        assert_eq!(rust, StepError::Root("instruction"));
        is::<StepVerifier::WrongInstruction>(&contract);
        bench.both(&ran.job(0, other), ELEMENT, ran.encoding(2), &witness).unwrap_err();
    }
}

fn ran_hashes(ran: &Ran) -> Vec<Hash> {
    ran.program.encodings().iter().map(|e| instruction_hash(e)).collect()
}

#[test]
fn rule_28_paths_of_the_game_have_their_length() {
    let world = five();
    let run = honest(&world);
    let mut table = Table::honest(&world, 1, &run);
    let Move::Select { child, hash, proof } = table.idea(Idea::Select(0)) else { panic!() };
    for proof in [vec![], [&proof[..], &[ZERO]].concat(), [&[ZERO], &proof[..]].concat()] {
        table.refuse::<Dispute::BadHash>(&Move::Select { child, hash, proof }, &Refused::Opening);
    }
    // From the root: the paths of an element in the tensor and in the trace, short, long, and one shifted into the other.
    let Move::ProveElement { opening, step } = table.idea(Idea::Element(0, 39)) else { panic!() };
    let trace = opening.trace.clone().unwrap();
    for (below, above) in [
        (opening.proof.clone(), trace.proof[1..].to_vec()),
        (opening.proof.clone(), [&trace.proof[..], &[ZERO]].concat()),
        (vec![], trace.proof.clone()),
        ([&opening.proof[..], &trace.proof[..1]].concat(), trace.proof[1..].to_vec()),
        (vec![], [&opening.proof[..], &trace.proof[..]].concat()),
    ] {
        let mut wrong = opening.clone();
        wrong.proof = below;
        wrong.trace = Some(TraceLeaf { proof: above, ..trace.clone() });
        let wrong = Move::ProveElement { opening: wrong, step: step.clone() };
        table.refuse::<Dispute::BadHash>(&wrong, &Refused::Opening);
    }
    table.refuse::<Dispute::NoContradiction>(&Move::ProveElement { opening, step }, &Refused::NoFault);
}

#[test]
fn rule_29_steps_outside_the_run_are_refused() {
    let bench = &mut Bench::new();
    let (ran, _) = Ran::case("iterations/running-sum");
    let (encoding, witness) = (ran.encoding(0), ran.openings().witness(3, 0, ELEMENT).unwrap());
    assert_eq!(bench.both(&ran.job(3, 0), ELEMENT, encoding, &witness).unwrap(), 10);
    for (t, i) in [(4, 0), (u64::MAX, 0), (3, 1), (3, u32::MAX)] {
        let (rust, contract) = bench.both(&ran.job(t, i), ELEMENT, encoding, &witness).unwrap_err();
        assert_eq!(rust, StepError::OutsideTrace);
        is::<StepVerifier::OutsideRun>(&contract);
    }
    // The number of an instruction alone is checked for its shape; the game names no leaf outside the trace.
    assert_eq!(ran.job(3, 1).shape(encoding, &[]), Err(StepError::OutsideTrace));
    is::<StepVerifier::OutsideRun>(&bench.shape(&ran.job(3, 1), encoding, &[]).unwrap_err());
    let world = five();
    let run = honest(&world);
    let mut table = Table::honest(&world, 2, &run);
    let Move::ProveHeader { trace, root, step } = table.idea(Idea::Header(SMALL)) else { panic!() };
    for leaf in [5, 7, 8, 1 << 40, u64::MAX] {
        let trace = trace.clone().map(|trace| TraceLeaf { leaf, ..trace });
        let outside = Move::ProveHeader { trace, root, step: step.clone() };
        table.refuse::<Dispute::BadElement>(&outside, &Refused::Number);
    }
}

#[test]
fn rule_29_programs_name_instructions_that_exist() {
    let one = || Build::each(opml_vm::DType::I8, &[1]).op(opml_vm::Opcode::Abs, [0, 0, 0]).done();
    let mut chain = Chain::new(4).unwrap();
    for (n, out, halt, good) in [
        (2, 1, None, true),
        (2, 0, Some(1), true),
        (0, 0, None, false),
        (2, 2, None, false),
        (2, 0, Some(2), false),
        (2, u32::MAX, None, false),
    ] {
        let instructions = (0..n).map(|_| one()).collect();
        assert_eq!(Program::new(instructions, Vec::new(), Vec::new(), out, halt).is_ok(), good, "{n} {out} {halt:?}");
        let call = Dispute::registerModelCall {
            programRoot: B256::repeat_byte(1),
            constsRoot: B256::ZERO,
            N: n,
            nConsts: 0,
            out,
            halt: halt.unwrap_or(u32::MAX),
            inputHeaders: Vec::new().into(),
        };
        let registered = chain.send("registerModel", OPERATOR, U256::ZERO, &call);
        if good { drop(registered.unwrap()) } else { reverts::<Dispute::BadModel, _>(registered) }
    }
}

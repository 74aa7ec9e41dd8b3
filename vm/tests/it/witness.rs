//! Witnesses: whatever is not the honest one is refused with a typed error, and never gives another value.

use opml_vm::{
    DType, Hash, InputHeader, Opcode, Program, Reducer, Source, StepError, Tensor, Term,
    merkle::{self, Tree},
    step::Job,
    testing::{Build, Rng, fixed},
    witness::Question,
};
use proptest::prelude::*;

use crate::setup::{Setup, config};

/// A step that opens constants, inputs and a value: instruction 2 of the case.
fn neighbours() -> (Setup, Job, Vec<u8>) {
    let (setup, expected) = Setup::case("loads/neighbours");
    let job = setup.job(0, 2);
    let witness = setup.openings().witness(0, 2, Question::Element { e: 0 }).expect("a witness");
    assert_eq!(job.element(0, setup.encoding(2), &witness), Ok(expected[0]));
    (setup, job, witness)
}

#[test]
fn every_flipped_bit_is_refused() {
    let (setup, job, witness) = neighbours();
    for at in 0..witness.len() {
        for bit in 0..8 {
            let mut changed = witness.clone();
            changed[at] ^= 1 << bit;
            assert!(job.element(0, setup.encoding(2), &changed).is_err(), "byte {at}, bit {bit}");
        }
    }
}

#[test]
fn rule_28_every_other_length_is_refused() {
    let (setup, job, witness) = neighbours();
    let element = |witness: &[u8]| job.element(0, setup.encoding(2), witness);
    for cut in 0..witness.len() {
        assert!(matches!(element(&witness[..cut]), Err(StepError::Witness(_) | StepError::Root(_))), "{cut}");
        assert!(element(&witness[cut + 1..]).is_err(), "shifted by {cut}");
    }
    let longer: Vec<u8> = witness.iter().copied().chain([0]).collect();
    assert_eq!(element(&longer), Err(StepError::Witness("bytes are left over")));
    let (encoding, siblings) = setup.openings().instruction(2).map(|(e, s)| (e.to_vec(), s)).unwrap();
    let flat = siblings.as_flattened();
    assert!(job.shape(&encoding, flat).is_ok());
    assert_eq!(job.shape(&encoding, &[flat, &[0; 32]].concat()), Err(StepError::Witness("bytes are left over")));
    assert_eq!(job.shape(&encoding, &flat[..flat.len() - 32]), Err(StepError::Witness("it ends early")));
    assert_eq!(job.shape(&encoding, &[]), Err(StepError::Witness("it ends early")));
}

#[test]
fn rule_28_other_instructions_do_not_open() {
    let (setup, job, witness) = neighbours();
    for other in [0, 1] {
        assert_eq!(job.element(0, setup.encoding(other), &witness), Err(StepError::Root("instruction")));
        let moved = Job { instruction: other, ..job };
        assert_eq!(moved.element(0, setup.encoding(2), &witness), Err(StepError::Root("instruction")));
    }
    // A node of the program tree is no instruction, although its preimage has 64 bytes.
    let hashes: Vec<Hash> = setup.program.encodings().iter().map(|e| merkle::instruction_hash(e)).collect();
    let node = [hashes[0], hashes[1]].concat();
    let above = Tree::new(hashes).node(1, 1);
    assert_eq!(job.shape(&node, &above), Err(StepError::Root("instruction")));
    assert_eq!(Job { instruction: 0, ..job }.shape(&node, &above), Err(StepError::Witness("it ends early")));
    assert_eq!(
        Job { instruction: 0, ..job }.shape(&node, &[above, above].concat()),
        Err(StepError::Root("instruction"))
    );
}

#[test]
fn rule_27_operands_open_under_their_own_root_at_their_own_number() {
    let (setup, job, witness) = neighbours();
    let element = |job: Job| job.element(0, setup.encoding(2), &witness);
    assert_eq!(element(Job { constants_root: job.input_root, ..job }), Err(StepError::Root("constants table")));
    assert_eq!(element(Job { input_root: job.trace_root, ..job }), Err(StepError::Root("inputs table")));
    assert_eq!(element(Job { trace_root: [1; 32], ..job }), Err(StepError::Root("trace table")));
    assert!(element(Job { length: 2, ..job }).is_err(), "another depth of the trace");
    // Openings of other tensors, all of them valid: the loads miss theirs.
    let openings = setup.openings();
    for other in [0, 1] {
        let (_, siblings) = openings.instruction(2).unwrap();
        let wrong = openings.witness(0, other, Question::Element { e: 0 }).unwrap();
        let used = openings.instruction(other).unwrap().1.as_flattened().len();
        let mixed = [siblings.as_flattened(), &wrong[used..]].concat();
        let missing = job.element(0, setup.encoding(2), &mixed);
        assert!(matches!(missing, Err(StepError::Missing { .. })), "{missing:?}");
    }
}

#[test]
fn a_header_alone_does_not_give_an_element() {
    let (setup, _) = Setup::case("types/input-u8");
    let (job, openings) = (setup.job(0, 0), setup.openings());
    let (tensor, mut witness) = (&setup.inputs[0], vec![0, 1]);
    witness.extend(0u64.to_be_bytes());
    witness.push(tensor.dtype().code());
    witness.extend(tensor.elements().to_be_bytes());
    witness.push(0);
    witness.extend(merkle::tensor_root(tensor.bytes()));
    witness.push(0);
    let missing = StepError::Missing { tree: "input", index: 0, element: 3 };
    assert_eq!(job.element(3, setup.encoding(0), &witness), Err(missing));
    // Past the end of the tensor the header is all that is needed.
    let (setup, expected) = Setup::case("loads/pad-highest");
    let witness = setup.openings().witness(0, 0, Question::Element { e: 1 }).unwrap();
    assert_eq!(setup.job(0, 0).element(1, setup.encoding(0), &witness), Ok(expected[1]));
    assert!(openings.witness(0, 0, Question::Element { e: 3 }).is_some());
}

#[test]
fn numbers_ascend_inside_their_trees() {
    // Tables of a job whose input tree has two leaves: the header of a tensor of two leaves, twice.
    let (setup, _) = Setup::case("types/input-u8");
    let bytes = [5u8; 300];
    let leaves = [merkle::leaf_hash(&bytes[..256]), merkle::leaf_hash(&bytes[256..])];
    let header = merkle::header_hash(0, 300, &merkle::root(&leaves));
    let counts = opml_vm::Counts { inputs: 2, ..setup.counts() };
    let job = Job { input_root: merkle::node_hash(&header, &header), counts, ..setup.job(0, 0) };
    let tensor = |index: u64, numbers: &[u8]| {
        let mut out = index.to_be_bytes().to_vec();
        out.push(0);
        out.extend(300u64.to_be_bytes());
        out.push(u8::try_from(numbers.len()).unwrap());
        numbers.iter().for_each(|&number| out.extend([0, 0, 0, 0, number]));
        numbers.iter().for_each(|_| out.extend([5; 256]));
        let sibling = numbers.len() == 1;
        out.extend(if sibling { leaves[1].to_vec() } else { Vec::new() });
        out
    };
    let element = |tensors: &[Vec<u8>], siblings: usize| {
        let count = u8::try_from(tensors.len()).unwrap();
        let witness = [&[0, count][..], &tensors.concat(), &header.repeat(siblings), &[0]].concat();
        job.element(3, setup.encoding(0), &witness)
    };
    assert_eq!(element(&[tensor(0, &[0])], 1), Ok(5));
    assert_eq!(element(&[tensor(0, &[0]), tensor(1, &[0])], 0), Ok(5), "more than is needed");
    let order = Err(StepError::Witness("tensors are not ascending inside their tree"));
    for indices in [[0, 0], [1, 0], [0, 2], [0, u64::MAX]] {
        assert_eq!(element(&indices.map(|index| tensor(index, &[0])), 0), order, "{indices:?}");
    }
    let order = Err(StepError::Witness("leaves are not ascending inside their tensor"));
    for numbers in [&[2][..], &[0, 0], &[1, 0], &[0, 2], &[0, 255]] {
        assert_eq!(element(&[tensor(0, numbers)], 1), order, "{numbers:?}");
    }
}

#[test]
fn opened_headers_need_not_be_sane() {
    // The input tree of a hostile job holds a header with an unknown type, and one with too many elements.
    let (setup, _) = Setup::case("types/input-u8");
    for (dtype, elements) in [(6u8, 7u64), (255, 7), (0, (1 << 40) + 1), (0, u64::MAX)] {
        let root = [9; 32];
        let job = Job { input_root: merkle::header_hash(dtype, elements, &root), ..setup.job(0, 0) };
        let mut witness = vec![0, 1];
        witness.extend(0u64.to_be_bytes());
        witness.push(dtype);
        witness.extend(elements.to_be_bytes());
        let head = witness.clone();
        witness.push(0);
        witness.extend(root);
        witness.push(0);
        assert_eq!(job.element(3, setup.encoding(0), &witness), Ok(99), "the pad");
        let with_leaf = [&head[..], &[1, 0, 0, 0, 0, 0], &[0; 256], &[0]].concat();
        let refused = StepError::Witness("leaves of a tensor without a known size");
        assert_eq!(job.element(3, setup.encoding(0), &with_leaf), Err(refused));
    }
}

#[test]
fn long_reductions_have_no_witness_in_one_piece() {
    // More than 255 leaves of one tensor: the question must be cut.
    let count = 256 * 300;
    let build =
        Build::new(DType::I64, Reducer::Sum, &[], &[count]).load(Source::Input(0), 0, &[fixed(count, 0, &[(9, 1)])]);
    let header = InputHeader { dtype: DType::U8, elements: count.into() };
    let program = Program::new(vec![build.done()], Vec::new(), vec![header], 0, None).unwrap();
    let setup = Setup::new(program, vec![Tensor::saturating(DType::U8, &vec![1; 256 * 300])], 1);
    let openings = setup.openings();
    assert_eq!(openings.witness(0, 0, Question::Element { e: 0 }), None);
    let witness = openings.witness(0, 0, Question::Slice { e: 0, k0: 256, k1: 256 * 256 }).expect("255 leaves");
    assert_eq!(setup.job(0, 0).slice(0, 256, 256 * 256, setup.encoding(0), &witness), Ok(255 * 256));
}

#[test]
fn rule_15_the_deepest_trees_open() {
    // The last element of a value of 2^40 elements, one iteration back, at the last iteration of the longest run.
    let (length, most) = (1u64 << 40, 1u64 << 40);
    let t = length - 1;
    let side = 1u32 << 20;
    let last = i64::from(side) - 1;
    let history = Source::History { instruction: 0, base: -1, terms: vec![Term { slot: 0, coef: 1 }] };
    let build = Build::each(DType::I64, &[])
        .dynamic(-(1 << 40), 1, 9)
        .dynamic(2 - (1 << 40), 1, 9)
        .output(1)
        .load(history, -7, &[fixed(side, last, &[]), fixed(side, last, &[])])
        .op(Opcode::Add, [18, 0, 0]);
    let program = Program::new(vec![build.done()], Vec::new(), Vec::new(), 0, None).unwrap();
    let mut numbers = Rng::new(15);
    let mut siblings =
        |count: u8| -> Vec<Hash> { (0..count).map(|_| merkle::keccak(&[&numbers.bits().to_be_bytes()])).collect() };
    let (tensor_siblings, trace_siblings) = (siblings(35), siblings(40));
    let leaf: Vec<u8> = (1..=32i64).flat_map(i64::to_le_bytes).collect();
    let number = (1u64 << 35) - 1;
    let fold = |leaves, index, hash, list: &[Hash]| {
        let mut list = list.iter().copied();
        merkle::fold_multi(leaves, &[(index, hash)], &mut || list.next()).filter(|_| list.next().is_none()).unwrap()
    };
    let root = fold(1 << 35, number, merkle::leaf_hash(&leaf), &tensor_siblings);
    let trace_root = fold(length, t - 1, merkle::header_hash(4, most, &root), &trace_siblings);
    let mut witness = vec![0, 0, 1];
    witness.extend((t - 1).to_be_bytes());
    witness.push(4);
    witness.extend(most.to_be_bytes());
    witness.push(1);
    witness.extend(&number.to_be_bytes()[3..]);
    witness.extend(&leaf);
    witness.extend(tensor_siblings.as_flattened());
    witness.extend(trace_siblings.as_flattened());
    let job = Job {
        program_root: program.roots().program,
        constants_root: [0; 32],
        input_root: [0; 32],
        trace_root,
        counts: program.counts(),
        length,
        t,
        instruction: 0,
    };
    let encoding = &program.encodings()[0];
    assert_eq!(job.shape(encoding, &[]).map(|shape| shape.elements), Ok(1), "2 − 2^40 + t");
    assert_eq!(job.element(0, encoding, &witness), Ok(32 + (1 << 40) - 1));
    // One iteration earlier the value is empty, and the same witness is of no use.
    let earlier = Job { t: t - 1, ..job };
    assert_eq!(earlier.element(0, encoding, &witness), Err(StepError::Element { e: 0, elements: 0 }));
    assert_eq!(Job { trace_root: [1; 32], ..job }.element(0, encoding, &witness), Err(StepError::Root("trace table")));
}

/// Random damage to bytes.
fn damage(rng: &mut Rng, bytes: &mut Vec<u8>) {
    let at = rng.index(bytes.len());
    let value = u8::try_from(rng.below(256)).unwrap();
    match rng.below(6) {
        0 => bytes.truncate(at),
        1 => bytes.insert(at, value),
        2 if !bytes.is_empty() => {
            bytes.remove(at);
        }
        3 => bytes.extend([value; 32]),
        _ => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
        }
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn damaged_witnesses_of_random_programs_give_no_other_value(seed: u64) {
        let setup = Setup::random(seed);
        let (openings, mut rng) = (setup.openings(), Rng::new(seed));
        for (t, i) in setup.places() {
            let value = setup.value(t, i);
            let Some(e) = value.elements().checked_sub(1).map(|last| rng.below(last + 1)) else { continue };
            let Some(witness) = openings.witness(t, i, Question::Element { e }) else { continue };
            for _ in 0..4 {
                let mut changed = witness.clone();
                damage(&mut rng, &mut changed);
                if changed != witness {
                    prop_assert!(setup.job(t, i).element(e, setup.encoding(i), &changed).is_err());
                }
            }
        }
    }

    #[test]
    fn random_witnesses_are_refused(seed: u64, bytes in proptest::collection::vec(0u8..4, 0..600)) {
        let setup = Setup::random(seed);
        for (t, i) in setup.places() {
            let (job, encoding) = (setup.job(t, i), setup.encoding(i));
            let (_, siblings) = setup.openings().instruction(i).unwrap();
            // With the right instruction the tables are reached.
            let witness = [siblings.as_flattened(), &bytes].concat();
            let honest = (0..setup.value(t, i).elements()).map(|e| setup.value(t, i).get(e).unwrap());
            for (e, value) in (0..).zip(honest).step_by(29) {
                let answer = job.element(e, encoding, &witness);
                prop_assert!(answer.is_err() || answer == Ok(value));
            }
            prop_assert!(job.element(0, encoding, &bytes).is_err() || bytes.len() <= witness.len());
        }
    }
}

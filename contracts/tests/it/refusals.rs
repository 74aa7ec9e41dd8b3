//! What the verifier must refuse: its mirror in Rust refuses the same.

use opml_contracts::abi::StepVerifier;
use opml_vm::{
    Counts, DType, Opcode, Program, Reducer, Source,
    merkle::{header_hash, root},
    step::Job,
    testing::{Build, fixed},
    witness::Question,
};

use crate::{
    programs,
    support::{Chain, Ran},
};

fn mirror(job: &Job, question: Question, encoding: &[u8], witness: &[u8]) -> Option<i128> {
    match question {
        Question::Element { e } => job.element(e, encoding, witness).ok().map(i128::from),
        Question::Slice { e, k0, k1 } => job.slice(e, k0, k1, encoding, witness).ok(),
        Question::Post { e, acc } => job.post(e, acc, encoding, witness).ok().map(i128::from),
    }
}

/// Asks both verifiers; gives the common answer.
fn both(chain: &mut Chain, job: &Job, question: Question, encoding: &[u8], witness: &[u8]) -> Option<i128> {
    let expected = mirror(job, question, encoding, witness);
    let answer = chain.ask(job, question, encoding, witness).ok().map(|(value, _)| value);
    assert_eq!(answer, expected, "{question:?}");
    answer
}

#[test]
fn no_byte_of_a_witness_can_change() {
    let mut chain = Chain::new();
    let cases: [(Ran, u64, u32, Question); 3] = [
        (programs::attention(), 9, 1, Question::Slice { e: 9, k0: 4, k1: 12 }),
        (programs::dense(), 0, 0, Question::Element { e: 55 }),
        (programs::exponentials(), 0, 1, Question::Element { e: 0 }),
    ];
    for (ran, t, i, question) in &cases {
        let witness = ran.openings().witness(*t, *i, *question).unwrap();
        let encoding = ran.encoding(*i);
        let job = ran.job(*t, *i);
        assert!(both(&mut chain, &job, *question, encoding, &witness).is_some());
        for place in 0..witness.len() {
            let mut bytes = witness.clone();
            bytes[place] ^= 1 << (place % 8);
            assert_eq!(both(&mut chain, &job, *question, encoding, &bytes), None, "byte {place}");
        }
        for length in (0..witness.len()).step_by(31) {
            assert_eq!(both(&mut chain, &job, *question, encoding, &witness[..length]), None);
        }
        assert_eq!(both(&mut chain, &job, *question, encoding, &[&witness[..], &[0]].concat()), None);
        for place in 0..encoding.len() {
            let mut bytes = encoding.to_vec();
            bytes[place] ^= 1;
            let refused = chain.ask(&job, *question, &bytes, &witness).unwrap_err();
            assert!(refused.is::<StepVerifier::WrongInstruction>(), "{refused}");
        }
    }
}

#[test]
fn questions_outside_the_instruction() {
    let mut chain = Chain::new();
    let ran = programs::dense();
    let encoding = ran.encoding(0);
    let witness = ran.openings().witness(0, 0, Question::Element { e: 55 }).unwrap();
    let job = ran.job(0, 0);
    let mut refused = |job: Job, question| chain.ask(&job, question, encoding, &witness).unwrap_err();
    for e in [56, 57, u64::MAX] {
        assert!(refused(job, Question::Element { e }).is::<StepVerifier::ElementOutOfRange>());
        assert!(refused(job, Question::Post { e, acc: 0 }).is::<StepVerifier::ElementOutOfRange>());
        assert!(refused(job, Question::Slice { e, k0: 0, k1: 1 }).is::<StepVerifier::ElementOutOfRange>());
    }
    for (k0, k1) in [(0, 0), (5, 5), (6, 5), (0, 785), (784, 785), (0, u64::MAX)] {
        assert!(refused(job, Question::Slice { e: 55, k0, k1 }).is::<StepVerifier::SliceOutOfRange>());
    }
    assert!(refused(Job { t: 1, ..job }, Question::Element { e: 0 }).is::<StepVerifier::OutsideRun>());
    let wide = Job { length: (1 << 40) / u64::from(job.counts.instructions) + 1, ..job };
    assert!(refused(wide, Question::Element { e: 0 }).is::<StepVerifier::OutsideRun>());
    assert!(refused(Job { instruction: 3, ..job }, Question::Element { e: 0 }).is::<StepVerifier::OutsideRun>());
    // the right bytes under other roots
    let other = [7; 32];
    assert!(
        refused(Job { program_root: other, ..job }, Question::Element { e: 55 }).is::<StepVerifier::WrongInstruction>()
    );
    assert!(
        refused(Job { constants_root: other, ..job }, Question::Element { e: 55 }).is::<StepVerifier::WrongTable>()
    );
    assert!(refused(Job { input_root: other, ..job }, Question::Element { e: 55 }).is::<StepVerifier::WrongTable>());
}

#[test]
fn operands_that_are_not_opened() {
    let mut chain = Chain::new();
    let ran = programs::dense();
    let encoding = ran.encoding(0);
    let openings = ran.openings();
    let job = ran.job(0, 0);
    let term = openings.witness(0, 0, Question::Slice { e: 0, k0: 0, k1: 1 }).unwrap();
    let post = openings.witness(0, 0, Question::Post { e: 0, acc: 0 }).unwrap();
    let slice = |k1| Question::Slice { e: 0, k0: 0, k1 };
    assert!(both(&mut chain, &job, slice(256), encoding, &term).is_some());
    assert_eq!(both(&mut chain, &job, slice(257), encoding, &term), None);
    assert!(chain.ask(&job, slice(257), encoding, &term).unwrap_err().is::<StepVerifier::MissingLeaf>());
    assert!(chain.ask(&job, slice(1), encoding, &post).unwrap_err().is::<StepVerifier::MissingTensor>());
    assert_eq!(both(&mut chain, &job, slice(1), encoding, &post), None);
}

/// In a tree of four leaves the path of leaf 4 would be that of leaf 0, whether anything is read from it or not.
#[test]
fn tables_list_only_what_is_in_them() {
    let mut chain = Chain::new();
    let counts = Counts { instructions: 1, constants: 4, inputs: 0 };
    let data = [5; 256];
    let tree = opml_vm::merkle::Tree::new(vec![header_hash(1, 9, &opml_vm::merkle::leaf_hash(&data)); 4]);
    let opened = |index: u64, leaf: u8| {
        [&index.to_be_bytes()[..], &[1], &9_u64.to_be_bytes(), &[1], &[0, 0, 0, 0, leaf], &data].concat()
    };
    for reads in [true, false] {
        let build = Build::each(DType::I64, &[1]);
        let build = if reads { build.load(Source::Constant(0), 0, &[]) } else { build.op(Opcode::Abs, [0, 0, 0]) };
        let encoding = opml_vm::codec::encode(&build.done(), &counts).unwrap();
        let job = Job {
            program_root: opml_vm::merkle::instruction_hash(&encoding),
            constants_root: tree.root(),
            input_root: [0; 32],
            trace_root: [0; 32],
            counts,
            length: 1,
            t: 0,
            instruction: 0,
        };
        let mut answer = |tensors: &[(u64, u8)]| {
            let parts: Vec<u8> = tensors.iter().flat_map(|&(index, leaf)| opened(index, leaf)).collect();
            let known: Vec<u64> = tensors.iter().map(|&(index, _)| index % 4).collect();
            let count = u8::try_from(tensors.len()).unwrap();
            let witness = [&[count][..], &parts, &tree.prove(&known).concat(), &[0, 0]].concat();
            both(&mut chain, &job, Question::Element { e: 0 }, &encoding, &witness)
        };
        let value = Some(if reads { 5 } else { 0 });
        assert_eq!(answer(&[(0, 0)]), value);
        assert_eq!(answer(&[(0, 0), (1, 0)]), value);
        assert_eq!(answer(&[(3, 0)]), value.filter(|_| !reads));
        for wrong in [&[(4, 0)][..], &[(0, 0), (4, 0)], &[(1, 0), (0, 0)], &[(0, 0), (0, 0)], &[(0, 1)], &[(0, 2)]] {
            assert_eq!(answer(wrong), None, "{wrong:?}");
        }
    }
}

/// Every set of tensors of small tables. With another sibling, or one more, none opens.
#[test]
fn any_tensors_of_a_table_open() {
    let mut chain = Chain::new();
    for constants in 1..=9_u8 {
        let counts = Counts { instructions: 1, constants: constants.into(), inputs: 0 };
        let build = Build::each(DType::I64, &[1]).op(Opcode::Abs, [0, 0, 0]);
        let encoding = opml_vm::codec::encode(&build.done(), &counts).unwrap();
        let headers = (0..constants).map(|index| header_hash(0, 9, &[index; 32])).collect();
        let tree = opml_vm::merkle::Tree::new(headers);
        let job = Job {
            program_root: opml_vm::merkle::instruction_hash(&encoding),
            constants_root: tree.root(),
            input_root: [0; 32],
            trace_root: [0; 32],
            counts,
            length: 1,
            t: 0,
            instruction: 0,
        };
        for set in 1..1_u16 << constants {
            let known: Vec<u8> = (0..constants).filter(|index| set >> index & 1 == 1).collect();
            let tensor = |&index: &u8| {
                [&u64::from(index).to_be_bytes()[..], &[0], &9_u64.to_be_bytes(), &[0], &[index; 32]].concat()
            };
            let tensors = [vec![u8::try_from(known.len()).unwrap()], known.iter().flat_map(tensor).collect()].concat();
            let indices: Vec<u64> = known.iter().map(|&index| index.into()).collect();
            let siblings = tree.prove(&indices).concat();
            let mut answer = |siblings: &[u8]| {
                let witness = [&tensors[..], siblings, &[0, 0]].concat();
                both(&mut chain, &job, Question::Element { e: 0 }, &encoding, &witness)
            };
            assert_eq!(answer(&siblings), Some(0), "{known:?} of {constants}");
            assert_eq!(answer(&[&siblings[..], &[0; 32]].concat()), None, "{known:?} of {constants}");
            for place in (0..siblings.len()).step_by(32) {
                let mut other = siblings.clone();
                other[place] ^= 1;
                assert_eq!(answer(&other), None, "{known:?} of {constants}");
            }
        }
    }
}

#[test]
fn a_post_without_terms_is_refused() {
    let mut chain = Chain::new();
    let empty = Build::new(DType::I64, Reducer::Max, &[2], &[3, 0]).load(Source::Constant(0), 4, &[]);
    let program = Program::new(vec![empty.done()], vec![opml_vm::Tensor::empty()], vec![], 0, None).unwrap();
    let ran = Ran::new(program, vec![], 1);
    let openings = ran.openings();
    ran.check(&mut chain, &openings, 0, 0, Question::Element { e: 1 });
    let witness = openings.witness(0, 0, Question::Element { e: 1 }).unwrap();
    let encoding = ran.encoding(0);
    assert_eq!(both(&mut chain, &ran.job(0, 0), Question::Post { e: 1, acc: 0 }, encoding, &witness), None);
    assert_eq!(both(&mut chain, &ran.job(0, 0), Question::Slice { e: 1, k0: 0, k1: 1 }, encoding, &witness), None);
}

/// A constant whose header no tensor can have: loads read `pad`, and its bytes cannot be opened.
#[test]
fn constants_with_impossible_headers() {
    let mut chain = Chain::new();
    let counts = Counts { instructions: 1, constants: 1, inputs: 0 };
    let load = Build::each(DType::I64, &[4]).load(Source::Constant(0), -77, &[fixed(4, 0, &[(1, 1)])]).done();
    let encoding = opml_vm::codec::encode(&load, &counts).unwrap();
    let data = [9; 256];
    let tensor_root = root(&[opml_vm::merkle::leaf_hash(&data)]);
    for (dtype, elements, value) in
        [(6, 4, Some(-77)), (255, 4, Some(-77)), (1, (1 << 40) + 1, Some(-77)), (1, u64::MAX, Some(-77)), (1, 4, None)]
    {
        let header: [u8; 32] = header_hash(dtype, elements, &tensor_root);
        let job = Job {
            program_root: opml_vm::merkle::instruction_hash(&encoding),
            constants_root: header,
            input_root: [0; 32],
            trace_root: [0; 32],
            counts,
            length: 1,
            t: 0,
            instruction: 0,
        };
        let head = [&[1][..], &[0; 8], &[dtype], &elements.to_be_bytes()].concat();
        let closed = [&head[..], &[0], &tensor_root, &[0, 0]].concat();
        let opened = [&head[..], &[1], &[0; 5], &data, &[0, 0]].concat();
        let question = Question::Element { e: 2 };
        assert_eq!(both(&mut chain, &job, question, &encoding, &closed), value, "{dtype} {elements}");
        let value = if value.is_some() { None } else { Some(0x09) };
        assert_eq!(both(&mut chain, &job, question, &encoding, &opened), value, "{dtype} {elements}");
    }
}

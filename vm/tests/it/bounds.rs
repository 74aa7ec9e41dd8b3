//! Static bounds are never below what a run and its witnesses cost.

use opml_vm::{
    DType, InputHeader, ModelError, Op, Opcode, Program, Reducer, Source, Tensor,
    bounds::{Bounds, Budget, LARGEST_WITNESS},
    merkle,
    testing::{Build, fixed},
    witness::Question,
};
use proptest::prelude::*;

use crate::setup::{Setup, config};

/// A 10×20 by 20 matrix product, run three times.
fn product() -> Program {
    let build = Build::new(DType::I32, Reducer::Sum, &[10], &[20])
        .load(Source::Constant(0), 0, &[fixed(10, 0, &[(1, 1)]), fixed(20, 0, &[(9, 1)])])
        .load(Source::Input(0), 0, &[fixed(20, 0, &[(9, 1)])])
        .op(Opcode::Mul, [18, 19, 0])
        .post(Opcode::Abs, [17, 0, 0]);
    let constant = Tensor::saturating(DType::I16, &[3; 200]);
    let input = InputHeader { dtype: DType::I8, elements: 20 };
    Program::new(vec![build.done()], vec![constant], vec![input], 0, None).expect("well-formed")
}

#[test]
fn a_matrix_product_by_hand() {
    let program = product();
    let bounds = Bounds::new(&program, 3);
    let [instruction] = bounds.instructions[..] else { panic!("one instruction") };
    assert_eq!((instruction.elements, instruction.terms), (10, 20));
    assert_eq!((instruction.run_terms, instruction.run_operations), (3 * 200, 3 * (200 * 3 + 10)));
    assert_eq!((instruction.trace_bytes, instruction.tensor_leaves), (3 * 40, 3));
    assert_eq!(instruction.encoding_bytes, u128::try_from(program.encodings()[0].len()).unwrap());
    // Three table counts; a tensor of two leaves and a tensor of one, 279 bytes each; no other siblings.
    assert_eq!(instruction.witness_bytes, 3 + 279 + 32 + 279);
    assert_eq!((bounds.trace_leaves, bounds.trace_depth, bounds.constant_bytes), (3, 2, 400));
    assert_eq!((bounds.run_elements, bounds.witness_bytes), (30, instruction.witness_bytes));
}

#[test]
fn rule_15_no_legal_program_needs_a_larger_witness() {
    assert_eq!(LARGEST_WITNESS, 86_499);
    // 32 loads of values of 2^35 leaves in a trace of 2^40 leaves, or nearly.
    let mut build = Build::each(DType::I64, &[1 << 20, 1 << 20]);
    for _ in 0..16 {
        build = build.load(Source::Value(0), 0, &[]).post_load(Source::Value(0), 0, &[]);
    }
    let program = Program::new(vec![build.done()], Vec::new(), Vec::new(), 0, None).expect("well-formed");
    // A program of one instruction has no siblings; everything else is there.
    assert_eq!(Bounds::new(&program, 1 << 40).witness_bytes, LARGEST_WITNESS - 32 * 24);
}

#[test]
fn budgets_are_inclusive() {
    let bounds = Bounds::new(&product(), 3);
    let fits = Budget { elements: 33, operations: 1_830, trace_bytes: 120 };
    assert_eq!(bounds.check(&fits), Ok(()));
    for (small, what, value) in [
        (Budget { elements: 32, ..fits }, "number of elements", 33),
        (Budget { operations: 1_829, ..fits }, "number of operations", 1_830),
        (Budget { trace_bytes: 119, ..fits }, "size of all values in bytes", 120),
    ] {
        assert_eq!(bounds.check(&small), Err(ModelError::TooLarge { what, value, limit: value - 1 }));
    }
}

#[test]
fn the_largest_programs_saturate() {
    let large =
        Build::new(DType::I64, Reducer::Sum, &[1 << 20, 1 << 20], &[1 << 20, 1 << 20]).op(Opcode::Abs, [0, 0, 0]);
    let program = Program::new(vec![large.done(); 8], Vec::new(), Vec::new(), 0, None).expect("well-formed");
    let bounds = Bounds::new(&program, 1 << 37);
    assert_eq!(bounds.run_terms, 8 << (40 + 40 + 37));
    assert_eq!((bounds.trace_leaves, bounds.trace_depth), (1 << 40, 40));
    assert_eq!(Bounds::new(&program, u64::MAX).run_operations, u128::MAX);
    let all = Budget { elements: u64::MAX, operations: u64::MAX, trace_bytes: u64::MAX };
    assert!(matches!(bounds.check(&all), Err(ModelError::TooLarge { value: u64::MAX, .. })));
    let none = Bounds::new(&program, 0);
    assert_eq!((none.run_terms, none.trace_bytes, none.trace_leaves), (0, 0, 0));
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn runs_and_witnesses_stay_below_their_bounds(seed: u64) {
        let setup = Setup::random(seed);
        let bounds = Bounds::new(&setup.program, setup.trace.length());
        let openings = setup.openings();
        let mut bytes = 0;
        for (t, i) in setup.places() {
            let number = usize::try_from(i).unwrap();
            let (bound, value) = (&bounds.instructions[number], setup.value(t, i));
            prop_assert!(u128::from(value.elements()) <= bound.elements);
            bytes += value.bytes().len();
            let instruction = &setup.program.instructions()[number];
            let terms = instruction.terms(t);
            prop_assert!(u128::from(terms) <= bound.terms);
            prop_assert!(instruction.map.iter().filter(|op| matches!(op, Op::Load(_))).count() <= 16);
            for e in (0..value.elements()).step_by(17) {
                let mut questions = vec![Question::Post { e, acc: 1 }];
                questions.extend((0..terms.min(4)).map(|k0| Question::Slice { e, k0, k1: k0 + 1 }));
                questions.extend((terms <= 1).then_some(Question::Element { e }));
                for question in questions {
                    let witness = openings.witness(t, i, question).expect("a witness");
                    prop_assert!(u128::try_from(witness.len()).unwrap() <= bound.witness_bytes);
                }
            }
        }
        prop_assert!(u128::try_from(bytes).unwrap() <= bounds.trace_bytes);
        prop_assert_eq!(bounds.trace_depth, merkle::depth(setup.trace.leaves()));
    }
}

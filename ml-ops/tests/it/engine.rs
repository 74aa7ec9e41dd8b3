//! The engine against the reference interpreter: every value of every run, bit for bit.

use opml_ops::{engine::Engine, tier::Tier};
use opml_vm::{
    Axis, DType, Extent, InputHeader, Instruction, Load, Op, Opcode, Program, Reducer, Source, Tensor, Term,
    interpreter::{self, Stop},
    testing::{Limits, conformance_cases, random_program},
};
use proptest::prelude::*;

pub(crate) fn compare(program: &Program, inputs: &[Tensor], stop: Stop, name: &str) {
    compare_on(&Tier::supported().collect::<Vec<_>>(), program, inputs, stop, name);
}

/// The same on some tiers.
pub(crate) fn compare_on(tiers: &[Tier], program: &Program, inputs: &[Tensor], stop: Stop, name: &str) {
    let budget = 1 << 32;
    let expected = interpreter::run(program, inputs, stop, budget).unwrap();
    for &tier in tiers {
        let actual = Engine::compile_for(program, tier).run(inputs, stop, budget).unwrap();
        assert_eq!(actual.length, expected.length, "{name}");
        for (leaf, (a, b)) in actual.values.iter().zip(&expected.values).enumerate() {
            let instruction = leaf % program.instructions().len();
            let name = format!("{name} on {}", tier.name());
            assert_eq!(a, b, "{name}: leaf {leaf} of {:?}", program.instructions()[instruction]);
        }
    }
}

#[test]
fn conformance() {
    let cases = conformance_cases();
    assert!(cases.len() > 50, "the cases are there");
    for case in cases {
        let stop = Stop::Halt { max: case.max_t };
        compare(&case.program, &case.inputs, stop, &case.name);
        if let Some(expected) = &case.expected {
            let run = Engine::compile(&case.program).run(&case.inputs, stop, 1 << 32).unwrap();
            assert_eq!(&run.output(&case.program).unwrap().values(), expected, "{}", case.name);
        }
    }
}

#[test]
fn random_programs() {
    for seed in 0..1500 {
        let (program, inputs, max_t) = random_program(seed, &Limits::default());
        compare(&program, &inputs, Stop::Halt { max: max_t }, &format!("seed {seed}"));
        compare(&program, &inputs, Stop::Exactly(max_t), &format!("seed {seed}"));
    }
}

#[test]
fn larger_random_programs() {
    let limits = Limits { instructions: 6, max_t: 3, elements: 3000, work: 300_000 };
    for seed in 10_000..10_060 {
        let (program, inputs, max_t) = random_program(seed, &limits);
        compare(&program, &inputs, Stop::Halt { max: max_t }, &format!("seed {seed}"));
    }
}

#[test]
fn thread_counts_agree() {
    let limits = Limits { instructions: 4, max_t: 2, elements: 5000, work: 400_000 };
    for seed in 0..8 {
        let (program, inputs, max_t) = random_program(seed, &limits);
        let engine = Engine::compile(&program);
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| engine.run(&inputs, Stop::Exactly(max_t), 1 << 32).unwrap())
        };
        assert_eq!(run(1), run(5), "seed {seed}");
    }
}

#[test]
fn budget_and_inputs_are_checked_alike() {
    let (program, inputs, max_t) = random_program(3, &Limits::default());
    let engine = Engine::compile(&program);
    for (inputs, stop, budget) in [
        (inputs.as_slice(), Stop::Exactly(max_t), 0),
        (&[][..], Stop::Exactly(max_t), 1 << 32),
        (inputs.as_slice(), Stop::Exactly(0), 1 << 32),
        (inputs.as_slice(), Stop::Halt { max: u64::MAX }, 1 << 32),
    ] {
        assert_eq!(engine.run(inputs, stop, budget), interpreter::run(&program, inputs, stop, budget));
    }
}

/// One axis word over coordinates of two outputs and two reductions.
fn arb_axis() -> impl Strategy<Value = Axis> {
    let term = (prop_oneof![1u8..4, 9u8..11], -3i32..4).prop_map(|(slot, coef)| Term { slot, coef });
    (0u32..20, -4i64..8, prop::collection::vec(term, 0..4)).prop_map(|(extent, base, mut terms)| {
        terms.retain(|term| term.coef != 0);
        Axis { extent: Extent::Fixed(extent), base, terms }
    })
}

fn arb_load(source: Source) -> impl Strategy<Value = Op> {
    let pad = prop_oneof![4 => -300i64..300, 1 => any::<i64>()];
    (pad, prop::collection::vec(arb_axis(), 0..4))
        .prop_map(move |(pad, axes)| Op::Load(Load { source: source.clone(), pad, axes }))
}

fn arb_tensor() -> impl Strategy<Value = Tensor> {
    let dtype = prop_oneof![Just(DType::U8), Just(DType::I8), Just(DType::I16), Just(DType::I32), Just(DType::I64)];
    (dtype, prop::collection::vec(any::<i64>(), 0..400)).prop_map(|(dtype, values)| {
        let values: Vec<i64> = values.iter().enumerate().map(|(i, v)| if i % 3 == 0 { *v } else { v % 200 }).collect();
        Tensor::saturating(dtype, &values)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    /// Sums of products of two affine loads, with and without constants subtracted.
    #[test]
    fn products(
        constant in arb_tensor(),
        input in arb_tensor(),
        loads in (arb_load(Source::Constant(0)), arb_load(Source::Input(0)), any::<bool>()),
        offset in prop_oneof![Just(None), (-200i64..200).prop_map(Some)],
        output in prop::collection::vec(1u32..7, 0..4),
        reduction in prop::collection::vec(1u32..9, 1..3),
    ) {
        let (a, b, swap) = loads;
        let (first, second) = if swap { (b, a) } else { (a, b) };
        // Slots from 18: one constant, then the operations.
        let scalar = |opcode, a, b| Op::Scalar { opcode, operands: [a, b, 0] };
        let map = match offset {
            None => vec![first, second, scalar(Opcode::Mul, 19, 20)],
            Some(_) => vec![first, second, scalar(Opcode::Sub, 20, 18), scalar(Opcode::Mul, 19, 21)],
        };
        let instruction = Instruction {
            dtype: DType::I64,
            reducer: Reducer::Sum,
            output: output.into_iter().map(Extent::Fixed).collect(),
            reduction: reduction.into_iter().map(Extent::Fixed).collect(),
            dynamics: vec![],
            constants: vec![offset.unwrap_or(0)],
            map,
            post: vec![],
        };
        let headers = vec![InputHeader { dtype: input.dtype(), elements: input.elements() }];
        let program = Program::new(vec![instruction], vec![constant], headers, 0, None).unwrap();
        compare(&program, &[input], Stop::Exactly(1), "product");
    }
}

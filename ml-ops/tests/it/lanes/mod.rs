//! Scalar programs: what the lowerings write, at odd sizes, against the interpreter.

mod programs;

use std::ops::Range;

use opml_ops::{
    lower::{self, Builder, Operand, Requant, Scale, Spatial},
    tier::Tier,
};
use opml_vm::{
    DType, Extent, InputHeader, Opcode, Program, Reducer, Source, Tensor, Term,
    interpreter::Stop,
    isa::{SLOT_K, SLOT_O, SLOT_T},
    testing::{Build, EDGES, Limits, Rng, axis, conformance_cases, random_program},
};

use super::engine::compare_on;

fn tiers() -> Vec<Tier> {
    Tier::supported().collect()
}

#[test]
fn lowered_programs() {
    for small in [8, 43] {
        for sample in programs::all(small) {
            compare_on(&tiers(), &sample.program, &sample.inputs, Stop::Exactly(1), sample.name);
        }
    }
}

#[test]
fn conformance_on_every_tier() {
    for case in conformance_cases() {
        compare_on(&tiers(), &case.program, &case.inputs, Stop::Halt { max: case.max_t }, &case.name);
    }
}

fn random(seeds: Range<u64>, limits: &Limits) {
    for seed in seeds {
        let (program, inputs, max_t) = random_program(seed, limits);
        compare_on(&tiers(), &program, &inputs, Stop::Exactly(max_t), &format!("seed {seed}"));
    }
}

const LARGER: Limits = Limits { instructions: 6, max_t: 3, elements: 3000, work: 300_000 };

#[test]
fn random_programs_on_every_tier() {
    // `OPML_SEEDS=20000` tries more of them.
    let count = std::env::var("OPML_SEEDS").ok().and_then(|count| count.parse().ok()).unwrap_or(300);
    random(20_000..20_000 + count, &Limits::default());
    random(20_000..20_000 + count / 15, &LARGER);
}

/// Sources of this iteration, the last one, the one before and the first one, while extents grow, stand still and shrink.
#[test]
fn forms_follow_the_iteration() {
    let back = |by: i64| Source::History { instruction: 0, base: -by, terms: vec![Term { slot: SLOT_T, coef: 1 }] };
    let first = Source::History { instruction: 0, base: 0, terms: vec![] };
    for (a, b, cap) in [(1, 1, 7), (9, -1, 9), (5, 0, 5)] {
        let along = [axis(Extent::Dynamic(0), 0, &[(SLOT_O, 1)])];
        let state = Build::each(DType::I32, &[]).dynamic(a, b, cap).output(0).constants(&[3, 1000]);
        let state = state.load(back(1), 7, &along).load(back(2), -2, &along).load(first.clone(), 1, &along);
        // Slots 18 and 19 are the constants, 20 to 22 the loads.
        let state = state.op(Opcode::Mul, [20, 18, 0]).op(Opcode::Add, [23, 21, 0]).op(Opcode::Sub, [24, 22, 0]);
        let state = state.op(Opcode::Add, [25, SLOT_O, 0]).op(Opcode::Add, [26, SLOT_T, 0]);
        let state = state.op(Opcode::Rem, [27, 19, 0]).done();
        let product = Build::new(DType::I64, Reducer::Sum, &[4], &[]).dynamic(a, b, cap).reduction(0);
        let column = axis(Extent::Fixed(40), 0, &[(SLOT_O, 10), (SLOT_K, 1)]);
        let product = product.load(Source::Constant(0), 5, &[column]);
        let product = product.load(back(1), 2, &[axis(Extent::Dynamic(0), 0, &[(SLOT_K, 1)])]);
        let product = product.op(Opcode::Mul, [18, 19, 0]).done();
        let values: Vec<i64> = (0..40).map(|n| n * 37 % 101 - 50).collect();
        let constants = vec![Tensor::saturating(DType::I8, &values)];
        let program = Program::new(vec![state, product], constants, vec![], 1, None).unwrap();
        compare_on(&tiers(), &program, &[], Stop::Exactly(24), &format!("{a} {b} {cap}"));
    }
}

/// Programs of one operation over all pairs of edge values, from types of every width, with third operands from
/// everywhere.
#[test]
fn operations_at_edges() {
    for &opcode in Opcode::ALL.iter().filter(|&&opcode| opcode != Opcode::Load) {
        for (x, y) in [DType::I8, DType::I16, DType::I32, DType::I64]
            .iter()
            .flat_map(|x| [DType::U8, DType::I16, DType::I32, DType::I64].iter().map(move |y| (*x, *y)))
        {
            let program = one_operation(opcode, x, y);
            let count = EDGES.len() * EDGES.len();
            let first: Vec<i64> = (0..count).map(|n| EDGES[n / EDGES.len()]).collect();
            let second: Vec<i64> = (0..count).map(|n| EDGES[n % EDGES.len()]).collect();
            let third: Vec<i64> = (0..count).map(|n| EDGES[n * 5 % EDGES.len()]).collect();
            let inputs =
                [Tensor::saturating(x, &first), Tensor::saturating(y, &second), Tensor::saturating(DType::I64, &third)];
            compare_on(&tiers(), &program, &inputs, Stop::Exactly(1), &format!("{opcode:?} {x:?} {y:?}"));
        }
    }
}

/// The operation over lanes, and with each operand a constant in turn.
fn one_operation(opcode: Opcode, x: DType, y: DType) -> Program {
    let count = u32::try_from(EDGES.len() * EDGES.len()).unwrap();
    let element = [axis(Extent::Fixed(count), 0, &[(SLOT_O, 1)])];
    let input = |number: u32| Source::Input(number);
    let mut instructions = Vec::new();
    let mut push = |constants: &[i64], operands: [u8; 3]| {
        let mut read = operands;
        read[opcode.arity()..].fill(0);
        let mut build = Build::each(DType::I64, &[count]).constants(constants);
        for number in 0..3 {
            build = build.load(input(number), 0, &element);
        }
        instructions.push(build.op(opcode, read).done());
    };
    push(&[], [18, 19, 20]);
    for constant in [-3, 0, 1, 7, 31, 33, 62, 1 << 20, (1 << 40) + 1, i64::MAX, i64::MIN] {
        // Slots from 19: the three loads.
        push(&[constant], [18, 20, 21]);
        push(&[constant], [19, 18, 21]);
        push(&[constant], [19, 20, 18]);
        push(&[constant], [19, 18, 18]);
    }
    let headers = [(x, 0), (y, 1), (DType::I64, 2)];
    let headers = headers.map(|(dtype, _)| InputHeader { dtype, elements: u64::from(count) });
    Program::new(instructions, vec![], headers.to_vec(), 0, None).unwrap()
}

/// Pools of bytes: channels around the widths of steps, both signs, windows in a line, with pads, and whole pictures of more
/// than 256.
#[test]
fn pools_of_bytes() {
    for (dtype, channels) in
        [DType::U8, DType::I8].into_iter().flat_map(|dtype| [1, 2, 6, 8, 17, 33, 64, 65, 88, 130].map(|c| (dtype, c)))
    {
        for (extent, kernel, stride, before) in [(7, 2, 2, 0), (9, 3, 1, 0), (8, 3, 2, 1), (5, 5, 1, 3), (17, 17, 1, 0)]
        {
            let mut builder = Builder::new();
            let x = builder.input(dtype, &[1, extent, extent, channels]).transpose(&[0, 3, 1, 2]);
            let positions = (extent + 2 * before - kernel) / stride + 1;
            let spatial = vec![Spatial { kernel, stride, dilation: 1, before, positions }; 2];
            let scale = Scale { multipliers: vec![1 << 20], shift: 25 };
            let requant = Requant { dtype, scale, zero_point: 3, low: dtype.min(), high: dtype.max() };
            lower::max_pool(&mut builder, &x, &spatial).unwrap();
            lower::average_pool(&mut builder, &x, &spatial, 0, &requant).unwrap();
            let program = builder.finish().unwrap();
            let mut rng = Rng::new(3);
            let mut number = || i64::try_from(rng.below(256)).unwrap() + dtype.min();
            let values: Vec<i64> = (0..extent * extent * channels).map(|_| number()).collect();
            let inputs = [Tensor::from_values(dtype, &values).unwrap()];
            let what = format!("{} of {channels} channels, {kernel} by {kernel}", dtype.name());
            compare_on(&tiers(), &program, &inputs, Stop::Exactly(1), &what);
        }
    }
}

/// Functions of single bytes, of one tensor or of several that stand side by side, also where these are stored in another order.
#[test]
fn functions_of_bytes() {
    for (rows, widths) in [(70, [64, 65, 3]), (1, [3000, 1000, 200]), (400, [1, 30, 7])] {
        for (from, to) in [(DType::U8, DType::I8), (DType::I8, DType::U8), (DType::I8, DType::I8)] {
            let mut builder = Builder::new();
            let views = widths.map(|width| builder.input(from, &[rows, width]));
            let requant = Requant {
                dtype: to,
                scale: Scale { multipliers: vec![1], shift: 20 },
                zero_point: 5,
                low: to.min() + 3,
                high: to.max() - 9,
            };
            let scales = [Some(1_200_000), Some(-700_000), if from == to { None } else { Some(1 << 20) }];
            let parts: Vec<lower::Part> = views
                .iter()
                .zip(scales)
                .map(|(view, multiplier)| lower::Part { view: view.clone(), zero_point: 5, multiplier })
                .collect();
            let joined = lower::concat(&mut builder, &parts, 1, &requant).unwrap();
            let shape = joined.shape();
            let operands = [Operand::View(joined)];
            lower::pointwise(&mut builder, &operands, &shape, DType::U8, |draft, args| {
                let square = draft.mul(args[0], args[0]);
                draft.rshr(square, 6)
            })
            .unwrap();
            let program = builder.finish().unwrap();
            let mut rng = Rng::new(u64::try_from(rows).unwrap());
            let inputs = widths.map(|width| {
                let value = |_| from.saturate(i64::from(rng.between(0, 255)) - if from == DType::I8 { 128 } else { 0 });
                let values: Vec<i64> = (0..rows * width).map(value).collect();
                Tensor::from_values(from, &values).unwrap()
            });
            compare_on(&tiers(), &program, &inputs, Stop::Exactly(1), &format!("{rows} rows of {widths:?}"));
        }
    }
}

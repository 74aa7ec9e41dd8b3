//! Products in the engine's kernels: matrices, convolutions, attention, in each tier; batches against single runs.
#![allow(missing_docs, reason = "criterion's macros make the entry points")]
#![allow(clippy::expect_used, reason = "a bench that cannot set up has nothing to measure")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use opml_ops::{
    engine::Engine,
    lower::{self, Builder, Convolution, Requant, Scale, Spatial},
    tier::Tier,
};
use opml_prover::{
    fixtures::{LENET, MLP},
    import,
};
use opml_vm::{DType, Program, Tensor, interpreter::Stop};

/// Evenly spread numbers of a fixed sequence.
fn numbers(count: i64, low: i64, high: i64) -> Vec<i64> {
    let mut state = 12_345u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(state >> 33).expect("31 bits")
    };
    (0..count).map(|_| low + next() % (high - low + 1)).collect()
}

fn tensor(dtype: DType, count: i64) -> Tensor {
    Tensor::from_values(dtype, &numbers(count, dtype.min(), dtype.max())).expect("in range")
}

fn requant(dtype: DType, channels: i64) -> Requant {
    let scale = Scale { multipliers: numbers(channels, 1 << 29, 1 << 30), shift: 43 };
    Requant { dtype, scale, zero_point: 3, low: dtype.min(), high: dtype.max() }
}

/// A case: its multiplications and what runs them.
struct Case {
    name: String,
    products: i64,
    program: Program,
    inputs: Vec<Tensor>,
}

fn dense(dtype: DType, [m, k, n]: [i64; 3]) -> Case {
    let mut builder = Builder::new();
    let x = builder.input(dtype, &[m, k]);
    let (weights, bias) = (numbers(n * k, -127, 127), numbers(n, -9999, 9999));
    lower::dense(&mut builder, &x, (DType::I8, &weights), &bias, None, &requant(dtype, n)).expect("lowers");
    let program = builder.finish().expect("a program");
    Case {
        name: format!("{} {m}x{k}x{n}", dtype.name()),
        products: m * k * n,
        program,
        inputs: vec![tensor(dtype, m * k)],
    }
}

/// A square picture of `c` channels, `m` results, a `k` by `k` window, `g` groups.
fn convolution([size, c, m, k, g]: [i64; 5]) -> Case {
    let mut builder = Builder::new();
    let x = builder.input(DType::U8, &[1, size, size, c]).transpose(&[0, 3, 1, 2]);
    let (weights, bias) = (numbers(m * (c / g) * k * k, -127, 127), numbers(m, -999, 999));
    let axis = Spatial { kernel: k, stride: 1, dilation: 1, before: k / 2, positions: size };
    let weights = (DType::I8, weights.as_slice());
    let convolution = Convolution { spatial: vec![axis; 2], groups: g, weights, bias: &bias, pad: 0 };
    lower::convolution(&mut builder, &x, &convolution, &requant(DType::U8, m)).expect("lowers");
    let program = builder.finish().expect("a program");
    let products = size * size * m * (c / g) * k * k;
    let name = format!("{size}x{size}x{c} to {m}, {k}x{k}, groups {g}");
    Case { name, products, program, inputs: vec![tensor(DType::U8, size * size * c)] }
}

/// Scores of 12 heads over a sequence.
fn attention(dtype: DType, sequence: i64, width: i64) -> Case {
    let mut builder = Builder::new();
    let q = builder.input(dtype, &[sequence, 12, width]).transpose(&[1, 0, 2]);
    let k = builder.input(dtype, &[sequence, 12, width]).transpose(&[1, 2, 0]);
    lower::matmul(&mut builder, (&q, 0), (&k, 0), None, &requant(DType::I16, 1)).expect("lowers");
    let program = builder.finish().expect("a program");
    let inputs = vec![tensor(dtype, sequence * 12 * width); 2];
    Case {
        name: format!("{} scores {sequence}x{width}", dtype.name()),
        products: 12 * sequence * sequence * width,
        program,
        inputs,
    }
}

fn measure(c: &mut Criterion, group: &str, cases: &[Case], tiers: &[Tier]) {
    let mut group = c.benchmark_group(group);
    group.sample_size(20);
    for case in cases {
        group.throughput(Throughput::Elements(u64::try_from(case.products).expect("positive")));
        for &tier in tiers {
            let engine = Engine::compile_for(&case.program, tier);
            group.bench_function(format!("{} {}", case.name, tier.name()), |b| {
                b.iter(|| engine.run_output(black_box(&case.inputs), Stop::Exactly(1), u64::MAX));
            });
        }
    }
    group.finish();
}

fn tiers(c: &mut Criterion) {
    let supported: Vec<Tier> = Tier::supported().collect();
    measure(c, "tiers", &[dense(DType::U8, [128, 1024, 1024]), dense(DType::I16, [128, 1024, 1024])], &supported);
}

fn matrices(c: &mut Criterion) {
    let sizes =
        [[128, 1024, 1024], [1, 1024, 1024], [1, 4096, 4096], [4, 1024, 1024], [128, 384, 384], [128, 384, 1536]];
    let cases: Vec<Case> =
        sizes.into_iter().flat_map(|size| [DType::U8, DType::I8].map(|dtype| dense(dtype, size))).collect();
    measure(c, "matrices", &cases, &[Tier::best()]);
    measure(c, "attention", &[DType::I8, DType::I16].map(|dtype| attention(dtype, 128, 32)), &[Tier::best()]);
}

fn convolutions(c: &mut Criterion) {
    let cases = [
        [56, 64, 64, 3, 1],
        [28, 128, 128, 3, 1],
        [14, 256, 256, 3, 1],
        [56, 64, 64, 1, 1],
        [28, 128, 128, 1, 1],
        [14, 256, 256, 1, 1],
        [56, 64, 64, 3, 64],
        [28, 128, 128, 3, 128],
        [14, 256, 256, 3, 256],
        [28, 1, 6, 5, 1],
        [224, 3, 32, 3, 1],
    ];
    measure(c, "convolutions", &cases.map(convolution), &[Tier::best()]);
}

fn batches(c: &mut Criterion) {
    for fixture in [MLP, LENET] {
        let program = import::fixture(&fixture).expect("the fixture imports").program;
        let picture = fixture.picture(0).expect("the fixture has pictures");
        let (engine, stop) = (Engine::compile(&program), Stop::Exactly(1));
        let batch = vec![vec![picture]; 100];
        let mut group = c.benchmark_group(format!("{} 100 pictures", fixture.name));
        group.sample_size(20);
        group.bench_function("at once", |b| b.iter(|| engine.run_batch(black_box(&batch), stop, u64::MAX)));
        group.bench_function("one by one", |b| {
            b.iter(|| batch.iter().map(|inputs| engine.run(black_box(inputs), stop, u64::MAX)).collect::<Vec<_>>());
        });
        group.finish();
    }
}

criterion_group!(benches, tiers, matrices, convolutions, batches);
criterion_main!(benches);

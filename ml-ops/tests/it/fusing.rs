//! Instructions that became one, against the same instructions apart, and in every tier against the interpreter.

use opml_ops::{
    engine::Engine,
    lower::{self, Builder, Convolution, Operand, Requant, RowScale, Scale, Spatial, View},
    tier::Tier,
};
use opml_vm::{
    DType, Tensor,
    interpreter::{self, Stop},
};
use proptest::prelude::*;

fn numbers(seed: u64, count: i64, low: i64, high: i64) -> Vec<i64> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(state >> 33).unwrap()
    };
    (0..count).map(|_| low + next() % (high - low + 1)).collect()
}

/// The same elements as one axis.
fn flat(view: View) -> View {
    let elements = view.elements();
    View::contiguous(view.stored, &[elements])
}

/// The output with and without fusing, and with it in every tier; `left` instructions are left.
fn compare(builder: Builder, inputs: &[Tensor], left: usize) {
    let apart = builder.clone().finish().unwrap();
    let mut builder = builder;
    builder.fuse();
    let program = builder.finish().unwrap();
    assert_eq!(program.instructions().len(), left, "{:?}", program.instructions());
    let run = |program| interpreter::run(program, inputs, Stop::Exactly(1), 1 << 30).unwrap();
    let expected = run(&program);
    assert_eq!(expected.values.last(), run(&apart).values.last());
    for tier in Tier::supported() {
        let engine = Engine::compile_for(&program, tier);
        assert_eq!(engine.run(inputs, Stop::Exactly(1), 1 << 30).unwrap(), expected, "on {}", tier.name());
        let batch = engine.run_batch(&[inputs, inputs], Stop::Exactly(1), 1 << 30).unwrap();
        assert_eq!(batch, [expected.clone(), expected.clone()], "twice on {}", tier.name());
    }
}

/// A sum with another tensor, and a table of its result: what may follow a product.
fn followed(builder: &mut Builder, y: View, other: &View, seed: u64) {
    let y = flat(y);
    let elements = y.elements();
    let operands = [Operand::View(y), Operand::View(other.clone())];
    let sum = lower::pointwise(builder, &operands, &[elements], DType::I16, |draft, args| {
        let x = draft.mul(args[0], 1_003_741_824 + i64::try_from(seed % 1000).unwrap());
        let y = draft.mul(args[1], -903_741_824);
        let sum = draft.add(x, y);
        draft.rshr(sum, 29)
    });
    let table = numbers(seed + 7, 4096, -128, 127);
    lower::stairs(builder, &sum.unwrap(), DType::I8, (4, -2048), &table).unwrap();
}

/// Fixed-point factors for columns.
fn requant(dtype: DType, columns: i64, seed: u64) -> Requant {
    let scale = Scale { multipliers: numbers(seed, columns, 1 << 28, 1 << 30), shift: 33 };
    Requant { dtype, scale, zero_point: 3, low: dtype.min(), high: dtype.max() }
}

fn tensor(dtype: DType, seed: u64, count: i64) -> Tensor {
    Tensor::from_values(dtype, &numbers(seed, count, dtype.min(), dtype.max())).unwrap()
}

/// Rows times weights, with a scale for each row or without; then what follows.
fn dense(dtype: DType, stored: DType, [m, k, n]: [i64; 3], rows: bool, seed: u64) {
    let mut builder = Builder::new();
    let x = builder.input(dtype, &[m, k]);
    let other = builder.input(DType::I16, &[m * n]);
    let scales = RowScale { view: builder.input(DType::I16, &[m, 1]), shift: 9 };
    let (weights, bias) = (numbers(seed, n * k, -127, 127), numbers(seed + 1, n, -9999, 9999));
    let scales = rows.then_some(&scales);
    let requant = requant(stored, n, seed + 2);
    let y = lower::dense(&mut builder, &x, (DType::I8, &weights), &bias, scales, &requant).unwrap();
    followed(&mut builder, y, &other, seed);
    let inputs = [tensor(dtype, seed + 3, m * k), tensor(DType::I16, seed + 4, m * n), tensor(DType::I16, seed + 5, m)];
    compare(builder, &inputs, 1);
}

/// A grouped convolution of windows of 1, whose groups lie side by side in the output `[1, size, size + 1, groups · m]`.
fn groups_of(
    builder: &mut Builder,
    dtype: DType,
    (groups, size): (i64, i64),
    (c, m): (i64, i64),
    seed: u64,
) -> (View, Tensor) {
    let x = builder.input(dtype, &[1, size, size + 1, groups * c]).transpose(&[0, 3, 1, 2]);
    let axis = |positions| Spatial { kernel: 1, stride: 1, dilation: 1, before: 0, positions };
    let weights = numbers(seed, groups * m * c, -127, 127);
    let bias = numbers(seed + 1, groups * m, -5000, 5000);
    let spatial = vec![axis(size), axis(size + 1)];
    let convolution = Convolution { spatial, groups, weights: (DType::I8, &weights), bias: &bias, pad: 0 };
    let requant = requant(DType::U8, groups * m, seed + 2);
    let y = lower::convolution(builder, &x, &convolution, &requant).unwrap();
    (y, tensor(dtype, seed + 3, size * (size + 1) * groups * c))
}

/// Such a convolution, then what follows.
fn grouped(dtype: DType, (groups, size): (i64, i64), (c, m): (i64, i64), seed: u64) {
    let mut builder = Builder::new();
    let (y, input) = groups_of(&mut builder, dtype, (groups, size), (c, m), seed);
    let elements = size * (size + 1) * groups * m;
    let other = builder.input(DType::U8, &[elements]);
    followed(&mut builder, y, &other, seed);
    compare(builder, &[input, tensor(DType::U8, seed + 4, elements)], 1);
}

/// Such a convolution whose channels are shuffled: the first members of all groups, then the second ones.
fn shuffled(dtype: DType, (groups, size): (i64, i64), (c, m): (i64, i64), seed: u64) {
    let mut builder = Builder::new();
    let (y, input) = groups_of(&mut builder, dtype, (groups, size), (c, m), seed);
    let y = View::contiguous(y.stored, &[size * (size + 1), groups, m]);
    lower::copy(&mut builder, &y.transpose(&[0, 2, 1])).unwrap();
    compare(builder, &[input], 1);
}

/// Scores of heads, times a mask that all heads share.
fn heads(dtype: DType, [rows, heads, width]: [i64; 3], seed: u64) {
    let mut builder = Builder::new();
    let q = builder.input(dtype, &[rows, heads, width]).transpose(&[1, 0, 2]);
    let k = builder.input(dtype, &[rows, heads, width]).transpose(&[1, 2, 0]);
    let mask = builder.input(DType::U8, &[1, rows, rows]);
    let y = lower::matmul(&mut builder, (&q, 0), (&k, 0), None, &requant(DType::I16, 1, seed)).unwrap();
    let operands = [Operand::View(mask), Operand::View(y)];
    lower::pointwise(&mut builder, &operands, &[heads, rows, rows], DType::I16, |draft, args| {
        let scaled = draft.mulshr(args[1], 1_260_176_964, 29);
        draft.select(args[0], scaled, -1 << 34)
    })
    .unwrap();
    let mask = Tensor::from_values(DType::U8, &numbers(seed + 1, rows * rows, 0, 1)).unwrap();
    let inputs = [2, 3].map(|n| tensor(dtype, seed + n, rows * heads * width));
    let [q, k] = inputs;
    compare(builder, &[q, k, mask], 1);
}

#[test]
fn products_and_what_follows() {
    for (number, dtype) in (0..).zip([DType::U8, DType::I8, DType::I16]) {
        for stored in [DType::U8, DType::I16, DType::I32] {
            for n in [2, 8, 34, 64, 200] {
                dense(dtype, stored, [67, 24, n], false, number);
            }
            dense(dtype, stored, [150, 40, 70], true, number);
        }
        grouped(dtype, (4, 13), (6, 28), number);
        grouped(dtype, (2, 7), (8, 70), number);
        heads(dtype, [40, 3, 32], number);
        shuffled(dtype, (4, 13), (6, 28), number);
        shuffled(dtype, (3, 9), (20, 70), number);
        shuffled(dtype, (9, 2), (2, 5), number);
    }
}

/// Functions of elements in different shapes, one of them twice an operand of the next.
#[test]
fn functions_of_functions() {
    let mut builder = Builder::new();
    let x = builder.input(DType::I16, &[4, 5, 6]);
    let bias = builder.input(DType::I8, &[5, 1]);
    let operands = [Operand::View(x.transpose(&[0, 2, 1])), Operand::View(bias.transpose(&[1, 0]))];
    let y = lower::pointwise(&mut builder, &operands, &[4, 6, 5], DType::I64, |draft, args| {
        let square = draft.mul(args[0], args[0]);
        draft.add(square, args[1])
    });
    // What is stored is cut to 16 bits.
    let y = [Operand::View(flat(y.unwrap()))];
    let z = lower::pointwise(&mut builder, &y, &[120], DType::I16, |draft, args| draft.shr(args[0], 3)).unwrap();
    let z = [
        Operand::View(View::contiguous(z.stored.clone(), &[8, 15])),
        Operand::View(View::contiguous(z.stored, &[8, 15])),
    ];
    lower::pointwise(&mut builder, &z, &[8, 15], DType::I32, |draft, args| draft.mul(args[0], args[1])).unwrap();
    compare(builder, &[tensor(DType::I16, 1, 120), tensor(DType::I8, 2, 5)], 1);
}

#[test]
fn shuffled_groups_have_kernels() {
    let mut builder = Builder::new();
    let (y, _) = groups_of(&mut builder, DType::U8, (4, 13), (6, 28), 1);
    let y = View::contiguous(y.stored, &[182, 4, 28]);
    lower::copy(&mut builder, &y.transpose(&[0, 2, 1])).unwrap();
    builder.fuse();
    for tier in Tier::supported() {
        assert_eq!(Engine::compile_for(&builder.clone().finish().unwrap(), tier).forms(), ["regrouped"]);
    }
}

/// Copies that move other axes than groups stay.
#[test]
fn copies_that_stay() {
    let mut builder = Builder::new();
    let (y, input) = groups_of(&mut builder, DType::U8, (3, 5), (4, 8), 1);
    let y = View::contiguous(y.stored, &[5, 6, 3, 8]);
    lower::copy(&mut builder, &y.transpose(&[1, 0, 3, 2])).unwrap();
    compare(builder, &[input], 2);
    let mut builder = Builder::new();
    let (y, input) = groups_of(&mut builder, DType::U8, (1, 5), (4, 8), 1);
    let y = View::contiguous(y.stored, &[30, 8]);
    lower::copy(&mut builder, &y.transpose(&[1, 0])).unwrap();
    compare(builder, &[input], 2);
    // Twice the value.
    let mut builder = Builder::new();
    let (y, input) = groups_of(&mut builder, DType::U8, (4, 3), (4, 8), 1);
    let y = View::contiguous(y.stored, &[1, 12, 4, 8]).broadcast(&[2, 12, 4, 8]);
    lower::copy(&mut builder, &y.transpose(&[0, 1, 3, 2])).unwrap();
    compare(builder, &[input], 2);
}

/// What somebody else reads, or what is read in another order, stays.
#[test]
fn values_that_stay() {
    let mut builder = Builder::new();
    let x = builder.input(DType::I16, &[4, 6]);
    let add = |builder: &mut Builder, x: View, n: i64| {
        let shape = x.shape();
        lower::pointwise(builder, &[Operand::View(x)], &shape, DType::I32, |draft, args| draft.add(args[0], n)).unwrap()
    };
    let shared = add(&mut builder, x, 1);
    let one = add(&mut builder, shared.clone(), 2);
    let turned = lower::copy(&mut builder, &one.transpose(&[1, 0])).unwrap();
    let operands = [Operand::View(shared), Operand::View(View::contiguous(turned.stored, &[4, 6]))];
    lower::pointwise(&mut builder, &operands, &[4, 6], DType::I32, |draft, args| draft.sub(args[0], args[1])).unwrap();
    // The copy goes into the difference; the others stay.
    compare(builder, &[tensor(DType::I16, 1, 24)], 3);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn any_product(
        dtype in prop_oneof![Just(DType::U8), Just(DType::I8), Just(DType::I16)],
        stored in prop_oneof![Just(DType::U8), Just(DType::I8), Just(DType::I16), Just(DType::I32)],
        (m, k, n) in (1i64..180, 2i64..50, 2i64..150),
        rows in any::<bool>(),
        seed in 0u64..1000,
    ) {
        dense(dtype, stored, [m, k, n], rows, seed);
    }

    #[test]
    fn any_group((groups, size) in (1i64..6, 1i64..14), (c, m) in (2i64..20, 2i64..70), seed in 0u64..1000) {
        grouped(DType::U8, (groups, size), (c, m), seed);
        shuffled(DType::U8, (groups, size), (c, m), seed);
    }
}

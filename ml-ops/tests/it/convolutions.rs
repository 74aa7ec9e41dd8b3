//! Convolutions in every tier against the interpreter: any window, grouped, depthwise, one and two axes, both widths.

use opml_ops::{
    engine::Engine,
    lower::{self, Builder, Convolution, Requant, Scale, Spatial},
    tier::Tier,
};
use opml_vm::{
    DType, Program, Tensor,
    interpreter::{self, Stop},
};
use proptest::prelude::*;

/// A convolution over channels-last input.
#[derive(Debug, Clone)]
struct Case {
    dtype: DType,
    /// Extent, kernel, stride, dilation, padding.
    spatial: Vec<(i64, i64, i64, i64, i64)>,
    groups: i64,
    /// Channels and results of a group.
    channels: (i64, i64),
    pad: i64,
    per_channel: bool,
    seed: u64,
}

fn numbers(seed: u64, count: i64, low: i64, high: i64) -> Vec<i64> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(state >> 33).unwrap()
    };
    (0..count).map(|_| low + next() % (high - low + 1)).collect()
}

impl Case {
    fn program(&self) -> Option<(Program, Vec<Tensor>)> {
        let (c, m) = (self.channels.0 * self.groups, self.channels.1 * self.groups);
        let mut shape = vec![1];
        shape.extend(self.spatial.iter().map(|axis| axis.0));
        shape.push(c);
        let mut builder = Builder::new();
        let mut order = vec![0, shape.len() - 1];
        order.extend(1..shape.len() - 1);
        let x = builder.input(self.dtype, &shape).transpose(&order);
        let window = |&(extent, kernel, stride, dilation, before): &(i64, i64, i64, i64, i64)| {
            let span = (kernel - 1) * dilation + 1;
            let positions = (extent + 2 * before - span) / stride + 1;
            (extent + 2 * before >= span).then_some(Spatial { kernel, stride, dilation, before, positions })
        };
        let spatial: Vec<Spatial> = self.spatial.iter().map(window).collect::<Option<_>>()?;
        let taps: i64 = spatial.iter().map(|axis| axis.kernel).product();
        let weights = numbers(self.seed, m * self.channels.0 * taps, -127, 127);
        let bias = numbers(self.seed + 1, m, -5000, 5000);
        let factors = if self.per_channel { m } else { 1 };
        let scale = Scale { multipliers: numbers(self.seed + 2, factors, 1 << 28, 1 << 30), shift: 38 };
        let (low, high) = (self.dtype.min(), self.dtype.max());
        let requant = Requant { dtype: self.dtype, scale, zero_point: 3, low, high };
        let weights = (DType::I8, weights.as_slice());
        let convolution = Convolution { spatial, groups: self.groups, weights, bias: &bias, pad: self.pad };
        lower::convolution(&mut builder, &x, &convolution, &requant).unwrap();
        let count = shape.iter().product();
        let x = numbers(self.seed + 3, count, self.dtype.min(), self.dtype.max());
        Some((builder.finish().unwrap(), vec![Tensor::from_values(self.dtype, &x).unwrap()]))
    }

    fn check(&self) {
        let Some((program, inputs)) = self.program() else { return };
        let expected = interpreter::run(&program, &inputs, Stop::Exactly(1), 1 << 30).unwrap();
        for tier in Tier::supported() {
            let engine = Engine::compile_for(&program, tier);
            // One term is no sum.
            let form = if program.instructions()[0].reduction.is_empty() { "lanes" } else { "gemm" };
            assert_eq!(engine.forms(), [form]);
            let run = engine.run(&inputs, Stop::Exactly(1), 1 << 30).unwrap();
            assert_eq!(run, expected, "{}", tier.name());
            let batch = vec![inputs.clone(); 3];
            let runs = engine.run_batch(&batch, Stop::Exactly(1), 1 << 30).unwrap();
            assert!(runs.iter().all(|run| *run == expected), "{} three at once", tier.name());
        }
    }
}

fn arb_case() -> impl Strategy<Value = Case> {
    let dtype = prop_oneof![3 => Just(DType::U8), 2 => Just(DType::I8), 1 => Just(DType::I16)];
    let axis = (3i64..12, 1i64..5, 1i64..4, 1i64..3, 0i64..3);
    let channels = prop_oneof![
        // Ordinary: few and many.
        (Just(1i64), 1i64..6, 2i64..5).boxed(),
        (Just(1i64), 8i64..40, 8i64..40).boxed(),
        // Grouped.
        (2i64..4, 1i64..6, 2i64..5).boxed(),
        // Depthwise.
        (2i64..80, Just(1i64), Just(1i64)).boxed(),
    ];
    (dtype, prop::collection::vec(axis, 1..3), channels, -20i64..20, any::<bool>(), any::<u64>()).prop_map(
        |(dtype, spatial, (groups, c, m), pad, per_channel, seed)| {
            let pad = if dtype == DType::U8 { pad.abs() } else { pad };
            Case { dtype, spatial, groups, channels: (c, m), pad, per_channel, seed: seed >> 8 }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn convolutions(case in arb_case()) {
        case.check();
    }
}

/// Rows enough for whole tiles, at and across the ends of lines.
#[test]
fn larger_ones() {
    let start = Case {
        dtype: DType::U8,
        spatial: vec![(17, 3, 1, 1, 1), (19, 3, 1, 1, 1)],
        groups: 1,
        channels: (16, 70),
        pad: 7,
        per_channel: true,
        seed: 5,
    };
    start.check();
    Case { dtype: DType::I8, ..start.clone() }.check();
    Case { spatial: vec![(33, 1, 1, 1, 0), (4, 1, 1, 1, 0)], ..start.clone() }.check();
    Case { spatial: vec![(33, 5, 2, 1, 2), (9, 5, 2, 1, 2)], channels: (1, 6), ..start.clone() }.check();
    Case { groups: 70, channels: (1, 1), ..start.clone() }.check();
    Case { groups: 130, channels: (1, 1), dtype: DType::I8, ..start }.check();
}

/// Two to eight columns, whose rows stand in lanes: every distance of rows, both widths, ends of lines and of sources.
#[test]
fn few_columns() {
    let widths = [DType::U8, DType::I8, DType::I16];
    for (dtype, results) in widths.into_iter().flat_map(|dtype| (2i64..=8).map(move |results| (dtype, results))) {
        for (channels, stride) in [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (3, 1), (4, 1), (8, 1), (1, 4), (5, 1)] {
            for before in [0, 2] {
                let axis = |extent| (extent, 5, stride, 1, before);
                let spatial =
                    if channels == 8 { vec![(3, 1, 1, 1, 0), (37, 1, 1, 1, 0)] } else { vec![axis(9), axis(41)] };
                let seed = u64::try_from(results).unwrap();
                Case { dtype, spatial, groups: 1, channels: (channels, results), pad: 3, per_channel: true, seed }
                    .check();
            }
        }
    }
}

/// The form that an engine recognises is named; each shift on both sides of 32 bits, each stored type.
#[test]
fn stored_types_and_shifts() {
    for results in [6, 20] {
        for (number, dtype) in (0u64..).zip([DType::U8, DType::I8, DType::I16, DType::I32, DType::I64]) {
            for shift in [0, 1, 9, 20, 28, 31, 32, 33, 40, 55] {
                let mut builder = Builder::new();
                let x = builder.input(DType::U8, &[1, 9, 21, 1]).transpose(&[0, 3, 1, 2]);
                let axis = |positions| Spatial { kernel: 3, stride: 1, dilation: 1, before: 1, positions };
                let weights = numbers(number, results * 9, -127, 127);
                let bias = numbers(number + 1, results, -5000, 5000);
                let scale = Scale { multipliers: numbers(number + 2, results, -(1 << 20), 1 << 30), shift };
                let requant = Requant { dtype, scale, zero_point: 5, low: dtype.min(), high: dtype.max() };
                let spatial = vec![axis(9), axis(21)];
                let weights = (DType::I8, weights.as_slice());
                let convolution = Convolution { spatial, groups: 1, weights, bias: &bias, pad: 7 };
                lower::convolution(&mut builder, &x, &convolution, &requant).unwrap();
                let program = builder.finish().unwrap();
                let inputs = [Tensor::from_values(DType::U8, &numbers(number + 3, 9 * 21, 0, 255)).unwrap()];
                compare(&program, &inputs, &format!("{} by 2^{shift}", dtype.name()));
            }
        }
    }
}

/// Hard-swish and its like behind a product, as one instruction.
#[test]
fn gates() {
    for (depthwise, results, dtype) in [
        (false, 6, DType::U8),
        (false, 40, DType::U8),
        (true, 70, DType::U8),
        (false, 8, DType::I8),
        (false, 24, DType::I16),
    ] {
        for (shift, second, low) in [(31, 50, 0), (28, 44, -30), (36, 33, -7), (20, 20, 0)] {
            let mut builder = Builder::new();
            let channels = if depthwise { results } else { 8 };
            let x = builder.input(DType::U8, &[1, 5, 37, channels]).transpose(&[0, 3, 1, 2]);
            let kernel = if depthwise { 3 } else { 1 };
            let axis = |positions| Spatial { kernel, stride: 1, dilation: 1, before: kernel / 2, positions };
            let terms = if depthwise { 9 } else { channels };
            let weights = numbers(3, results * terms, -127, 127);
            let bias = numbers(4, results, -5000, 5000);
            let scale = Scale { multipliers: numbers(5, results, 1 << 29, 1 << 30), shift };
            let stored = DType::I16;
            let requant = Requant { dtype: stored, scale, zero_point: 0, low: stored.min(), high: stored.max() };
            let groups = if depthwise { results } else { 1 };
            let spatial = vec![axis(5), axis(37)];
            let convolution = Convolution { spatial, groups, weights: (DType::I8, &weights), bias: &bias, pad: 7 };
            let y = lower::convolution(&mut builder, &x, &convolution, &requant).unwrap();
            let elements: i64 = y.shape().iter().product();
            let y = lower::View::contiguous(y.stored, &[elements]);
            let operands = [lower::Operand::View(y)];
            lower::pointwise(&mut builder, &operands, &[elements], dtype, |draft, args| {
                let x = draft.add(args[0], 0);
                let ramp = draft.add(x, 5506);
                let ramp = draft.clamp(ramp, low, 11_011);
                let product = draft.mul(x, ramp);
                let scaled = draft.mulshr(product, 1_590_959_121, second);
                draft.add(scaled, 10)
            })
            .unwrap();
            let apart = builder.clone().finish().unwrap();
            builder.fuse();
            let program = builder.finish().unwrap();
            let inputs = [Tensor::from_values(DType::U8, &numbers(6, 5 * 37 * channels, 0, 255)).unwrap()];
            let run = interpreter::run(&apart, &inputs, Stop::Exactly(1), 1 << 30).unwrap();
            let fused = interpreter::run(&program, &inputs, Stop::Exactly(1), 1 << 30).unwrap();
            assert_eq!((run.values.len(), fused.values.len()), (2, 1));
            assert_eq!(run.values[1], fused.values[0], "shifts {shift}, {second}");
            compare(&program, &inputs, &format!("gate of shifts {shift}, {second}"));
        }
    }
}

fn compare(program: &Program, inputs: &[Tensor], what: &str) {
    let expected = interpreter::run(program, inputs, Stop::Exactly(1), 1 << 30).unwrap();
    for tier in Tier::supported() {
        let engine = Engine::compile_for(program, tier);
        assert_eq!(engine.run(inputs, Stop::Exactly(1), 1 << 30).unwrap(), expected, "{what} on {}", tier.name());
    }
}

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

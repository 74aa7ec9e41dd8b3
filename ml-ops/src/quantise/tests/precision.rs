//! Precision per value: copies of 8 bits, levels by sensitivity, the report.

use super::*;
use crate::{
    graph::Function,
    quantise::{Level, compare, quantise},
};

/// `h = tanh(W x)`, `y = h + A h + B h`: products and a sum read `h`.
fn network(gain: f32) -> (Graph, Vec<Vec<f32>>) {
    let mut graph = Graph::default();
    let x = graph.add_value("x", vec![4, 16]);
    graph.inputs.push(x);
    let weights = |graph: &mut Graph, name: &str, seed: u64, gain: f32| {
        let values = numbers(seed, 256, -127, 127).iter().map(|&v| v as f32 / 400.0 * gain).collect();
        graph.add_floats(name, vec![16, 16], values)
    };
    let [w, a, b] =
        [("w", 1, 1.0), ("a", 2, gain), ("b", 3, gain)].map(|(name, seed, gain)| weights(&mut graph, name, seed, gain));
    let mut node = |name: &str, operator: Operator, inputs: Vec<ValueId>| {
        let output = graph.add_value(name, vec![4, 16]);
        graph.nodes.push(Node { operator, inputs, output, clamp: None });
        output
    };
    let first = node("first", Operator::Dense, vec![x, w]);
    let h = node("h", Operator::Map(Function::Softsign), vec![first]);
    let left = node("left", Operator::Dense, vec![h, a]);
    let right = node("right", Operator::Dense, vec![h, b]);
    let sum = node("sum", Operator::Add, vec![left, right]);
    let y = node("y", Operator::Add, vec![h, sum]);
    graph.outputs.push(y);
    let samples = (0..4).map(|seed| half(2.0).decode(&numbers(seed + 7, 64, -32767, 32767))).collect();
    (graph, samples)
}

fn settings(precision: Precision) -> Settings {
    Settings { range: RangeRule::MinMax, precision, weights: WeightBits::Bits16 }
}

/// Noise of the whole model, levels chosen, instructions.
fn quantised(gain: f32, precision: Precision) -> (f64, Vec<(String, Level)>, usize) {
    let (graph, samples) = network(gain);
    let samples: Vec<Vec<&[f32]>> = samples.iter().map(|sample| vec![sample.as_slice()]).collect();
    let quantised = quantise(&graph, &[half(2.0)], &samples, &settings(precision)).unwrap();
    let report = compare(&graph, &[half(2.0)], &quantised, &samples).unwrap();
    assert_eq!(report.tensors.len(), graph.nodes.len());
    let levels = report.points.iter().map(|point| (point.name.clone(), point.level)).collect();
    (report.output.unwrap().noise(), levels, quantised.program.instructions().len())
}

#[test]
fn sensitivity_keeps_the_noise_below_the_share() {
    let (coarse, _, _) = quantised(1.0, Precision::Bits8);
    let (fine, _, _) = quantised(1.0, Precision::Bits16);
    assert!(coarse > 1e-5 && fine < 1e-7, "{coarse} {fine}");
    // What is not 8 bits adds little to what was measured in floats.
    for share in [1e-3, 2e-5, 4e-6] {
        let (noise, levels, _) = quantised(1.0, Precision::Auto(share));
        assert!(noise <= share * 1.1, "{share}: {noise} {levels:?}");
        assert_eq!(levels.iter().all(|(_, level)| *level == Level::Low), share > 1e-4, "{levels:?}");
    }
    let (noise, levels, _) = quantised(1.0, Precision::Auto(0.0));
    assert!(noise < 1e-7 && levels.iter().all(|(_, level)| *level == Level::High));
}

#[test]
fn products_share_a_copy_of_8_bits() {
    let (graph, samples) = network(0.01);
    let samples: Vec<Vec<&[f32]>> = samples.iter().map(|sample| vec![sample.as_slice()]).collect();
    let ranges = super::super::calibrate(&graph, &samples, RangeRule::MinMax).unwrap();
    let settings = settings(Precision::Auto(1e-6));
    let mut errors = Vec::new();
    for level in [Level::Low, Level::Mixed, Level::High] {
        let mut levels = vec![Level::High; graph.values.len()];
        let h = graph.values.iter().position(|value| value.name == "h").unwrap();
        levels[h] = level;
        let found = with_ranges(&graph, &[half(2.0)], ranges.clone(), &settings, &levels).unwrap();
        // One copy for both products.
        let count = found.apart.instructions().len();
        assert_eq!(count, if level == Level::Mixed { 7 } else { 6 }, "{level:?}");
        errors.push(compare(&graph, &[half(2.0)], &found, &samples).unwrap().output.unwrap().noise());
    }
    // The products count little here, the sum that reads h itself a lot.
    assert!(errors[0] > 20.0 * errors[1] && errors[1] >= errors[2], "{errors:?}");
    let (_, levels, _) = quantised(0.01, Precision::Auto(2e-6));
    assert!(levels.contains(&("h".into(), Level::Mixed)), "{levels:?}");
}

#[test]
fn masks_before_a_softmax_do_not_widen_its_scale() {
    for mask in [f32::MIN, -1.0e9, f32::NEG_INFINITY] {
        let mut graph = Graph::default();
        let scores = graph.add_value("scores", vec![2, 6]);
        let keep = graph.add_value("keep", vec![2, 6]);
        graph.value_mut(keep).encoding = Some(BOOL);
        graph.inputs = vec![scores, keep];
        let none = graph.add_floats("none", vec![], vec![mask]);
        let zero = graph.add_floats("zero", vec![], vec![0.0]);
        let mut node = |name: &str, operator: Operator, inputs: Vec<ValueId>| {
            let output = graph.add_value(name, vec![2, 6]);
            graph.nodes.push(Node { operator, inputs, output, clamp: None });
            output
        };
        let bias = node("bias", Operator::Select, vec![keep, zero, none]);
        let sum = node("sum", Operator::Add, vec![scores, bias]);
        let y = node("y", Operator::Softmax { axis: 1 }, vec![sum]);
        graph.outputs.push(y);
        let real: Vec<f32> = half(8.0).decode(&numbers(3, 12, -32767, 32767));
        let keep = vec![1.0, 1.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0];
        let samples = [vec![real.as_slice(), keep.as_slice()]];
        let inputs = [half(8.0), BOOL];
        let found = quantise(&graph, &inputs, &samples, &settings(Precision::Bits16)).unwrap();
        let report = compare(&graph, &inputs, &found, &samples).unwrap();
        assert!(report.output.unwrap().max_error < 1.0 / 4096.0, "{mask}");
    }
}

/// The largest argument is 12,000; in its unit alone the curves would be steps.
#[test]
fn arguments_where_a_curve_is_flat_do_not_widen_its_scale() {
    for operator in [Operator::Sigmoid, Operator::Tanh] {
        let mut graph = Graph::default();
        let x = graph.add_value("x", vec![1, 16]);
        graph.inputs.push(x);
        let weights = numbers(1, 256, -127, 127).iter().map(|&v| v as f32).collect();
        let w = graph.add_floats("w", vec![16, 16], weights);
        let mut node = |name: &str, operator: Operator, inputs: Vec<ValueId>| {
            let output = graph.add_value(name, vec![1, 16]);
            graph.nodes.push(Node { operator, inputs, output, clamp: None });
            output
        };
        let argument = node("argument", Operator::Dense, vec![x, w]);
        let y = node("y", operator.clone(), vec![argument]);
        graph.outputs.push(y);
        let samples: Vec<Vec<f32>> =
            (0..16).map(|i| if i == 0 { vec![8.0; 16] } else { vec![0.0005 * i as f32; 16] }).collect();
        let samples: Vec<Vec<&[f32]>> = samples.iter().map(|sample| vec![sample.as_slice()]).collect();
        let found = quantise(&graph, &[half(8.0)], &samples, &settings(Precision::Bits16)).unwrap();
        let error = compare(&graph, &[half(8.0)], &found, &samples).unwrap().output.unwrap().max_error;
        // Half a unit of the input is 2^-13, and a row of weights adds up to a few hundred.
        assert!(error < 1.0 / 16.0, "{operator:?} {error}");
    }
}

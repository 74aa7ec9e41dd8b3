//! Factors of 8 bits with scales that the program computes.

use super::*;
use crate::quantise::{Level, compare, quantise};

/// Rows of very different sizes, one of them of zeros.
fn rows(seed: u64, shape: &[usize], encoding: Encoding) -> Given {
    let width = shape.last().copied().unwrap_or(1);
    let mut values = numbers(seed, elements(shape), -32768, 32767);
    for (number, row) in values.chunks_mut(width).enumerate() {
        let divisor = [1, 7, 100, 3000, 40_000][number % 5];
        row.iter_mut().for_each(|v| *v /= divisor);
    }
    Given::Input(shape.to_vec(), encoding, values)
}

fn dynamic(operator: Operator, operands: &[Given], shape: &[usize]) -> Case {
    let case = case(operator, operands, shape);
    Case { settings: Settings { precision: Precision::Dynamic, ..case.settings }, ..case }
}

/// What a row is in units of a 127th of its greatest number.
fn quantised(row: &[i64]) -> (Vec<i64>, i64) {
    let largest = row.iter().map(|v| v.abs()).max().unwrap_or(0);
    let reciprocal = if largest == 0 { 0 } else { (127 << 23) / largest };
    (row.iter().map(|v| (v * reciprocal + (1 << 22)) >> 23).collect(), largest)
}

#[test]
fn dense_rows_have_scales_of_their_own() {
    for k in [1, 3, 64, 777] {
        let x = rows(3, &[2, 5, k], half(4.0));
        let mut weights = numbers(4, 6 * k, -127, 127);
        weights.chunks_mut(k).for_each(|row| row[0] = 127);
        let reals: Vec<f32> = weights.iter().map(|&v| v as f32 / 100.0).collect();
        let biases = [0.3, -0.1, 0.0, 5.0, -7.0, 0.001];
        let operands = [x.clone(), Given::Floats(vec![6, k], reals), Given::Floats(vec![6], biases.to_vec())];
        let mut expected = Vec::new();
        for row in stored(&x).chunks(k) {
            let (bytes, largest) = quantised(row);
            assert!(
                bytes.iter().all(|byte| byte.abs() <= 127) && (largest == 0 || bytes.iter().any(|b| b.abs() == 127))
            );
            for (w, bias) in weights.chunks(k).zip(biases) {
                let sum: i64 = bytes.iter().zip(w).map(|(x, w)| x * w).sum();
                expected.push(sum as f64 * largest as f64 / 127.0 * (4.0 / 32767.0) / 100.0 + f64::from(bias));
            }
        }
        let most = expected.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
        let found = dynamic(Operator::Dense, &operands, &[2, 5, 6]).stated(half(most)).run(&expected);
        // Greatest numbers, bytes, product.
        assert_eq!(found.instructions, 3);
        let error = found.error(&expected) / found.encoding.scale;
        assert!(error <= 0.6, "{k}: {error}");
    }
}

#[test]
fn both_factors_of_a_product_have_scales() {
    for k in [1, 5, 64, 300] {
        let (a, b) = (rows(1, &[2, 3, k], half(2.0)), input(2, &[2, k, 4], half(3.0), -32768, 32767));
        let (right, right_largest) = quantised(&stored(&b));
        let mut expected = Vec::new();
        for (number, row) in stored(&a).chunks(k).enumerate() {
            let (left, largest) = quantised(row);
            for n in 0..4 {
                let sum: i64 = (0..k).map(|j| left[j] * right[(number / 3 * k + j) * 4 + n]).sum();
                let unit = largest as f64 * right_largest as f64 / 127.0 / 127.0;
                expected.push(sum as f64 * unit * (2.0 / 32767.0) * (3.0 / 32767.0));
            }
        }
        let most = expected.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
        let found = dynamic(Operator::MatMul, &[a, b], &[2, 3, 4]).stated(half(most)).run(&expected);
        let error = found.error(&expected) / found.encoding.scale;
        assert!(error <= 0.6, "{k}: {error}");
    }
}

/// A layer of a transformer with two heads: `y = norm(x + softmax(q kᵀ / 2) v)`, then `y + gelu(y a) b`.
fn layer() -> (Graph, Vec<Vec<f32>>) {
    let (tokens, width, heads) = (6, 32, 2);
    let mut graph = Graph::default();
    let x = graph.add_value("x", vec![1, tokens, width]);
    graph.inputs.push(x);
    let mut seed = 0;
    let mut weights = |graph: &mut Graph, n: usize, k: usize| {
        seed += 1;
        let values = numbers(seed, n * k, -127, 127).iter().map(|&v| v as f32 / 500.0).collect();
        graph.add_floats("w", vec![n, k], values)
    };
    let node = |graph: &mut Graph, operator: Operator, inputs: Vec<ValueId>, shape: &[usize]| {
        let output = graph.add_value(operator.name(), shape.to_vec());
        graph.nodes.push(Node { operator, inputs, output, clamp: None });
        output
    };
    let whole = [1, tokens, width];
    let split = [1, tokens, heads, width / heads];
    let mut parts = Vec::new();
    for perm in [vec![0, 2, 1, 3], vec![0, 2, 3, 1], vec![0, 2, 1, 3]] {
        let w = weights(&mut graph, width, width);
        let dense = node(&mut graph, Operator::Dense, vec![x, w], &whole);
        let shaped = node(&mut graph, Operator::Reshape, vec![dense], &split);
        let shape: Vec<usize> = perm.iter().map(|&axis| split[axis]).collect();
        parts.push(node(&mut graph, Operator::Transpose { perm }, vec![shaped], &shape));
    }
    let square = [1, heads, tokens, tokens];
    let scores = node(&mut graph, Operator::MatMul, vec![parts[0], parts[1]], &square);
    let shares = node(&mut graph, Operator::Softmax { axis: 3 }, vec![scores], &square);
    let mixed = node(&mut graph, Operator::MatMul, vec![shares, parts[2]], &[1, heads, tokens, width / heads]);
    let back = node(&mut graph, Operator::Transpose { perm: vec![0, 2, 1, 3] }, vec![mixed], &split);
    let joined = node(&mut graph, Operator::Reshape, vec![back], &whole);
    let sum = node(&mut graph, Operator::Add, vec![x, joined], &whole);
    let norm = Operator::Normalise { axes: vec![2], epsilon: 1e-5, centre: true };
    let normal = node(&mut graph, norm, vec![sum], &whole);
    let gains = numbers(50, width, 50, 150).iter().map(|&v| v as f32 / 100.0).collect();
    let offsets = numbers(51, width, -50, 50).iter().map(|&v| v as f32 / 100.0).collect();
    let (m, b) = (graph.add_floats("m", vec![width], gains), graph.add_floats("b", vec![width], offsets));
    let y = node(&mut graph, Operator::Affine, vec![normal, m, b], &whole);
    let (up, down) = (weights(&mut graph, 64, width), weights(&mut graph, width, 64));
    let wide = node(&mut graph, Operator::Dense, vec![y, up], &[1, tokens, 64]);
    let curved = node(&mut graph, Operator::Map(crate::graph::Function::Gelu), vec![wide], &[1, tokens, 64]);
    let narrow = node(&mut graph, Operator::Dense, vec![curved, down], &whole);
    let out = node(&mut graph, Operator::Add, vec![y, narrow], &whole);
    graph.outputs.push(out);
    let samples = (0..4).map(|seed| half(3.0).decode(&numbers(seed + 90, tokens * width, -32767, 32767))).collect();
    (graph, samples)
}

#[test]
fn a_layer_of_a_transformer() {
    let (graph, samples) = layer();
    let samples: Vec<Vec<&[f32]>> = samples.iter().map(|sample| vec![sample.as_slice()]).collect();
    let noise = |precision: Precision| {
        let settings = Settings { range: RangeRule::MinMax, precision, weights: WeightBits::Bits8 };
        let found = quantise(&graph, &[half(3.0)], &samples, &settings).unwrap();
        let tensors: Vec<Tensor> = samples[0]
            .iter()
            .map(|data| {
                let stored: Vec<i64> = data.iter().map(|&v| half(3.0).stored(f64::from(v))).collect();
                Tensor::from_values(DType::I16, &stored).unwrap()
            })
            .collect();
        let slow = interpreter::run(&found.program, &tensors, Stop::Exactly(1), 1 << 30).unwrap();
        let fast = Engine::compile(&found.program).run(&tensors, Stop::Exactly(1), 1 << 30).unwrap();
        assert_eq!(fast, slow);
        let report = compare(&graph, &[half(3.0)], &found, &samples).unwrap();
        (report.output.unwrap().noise(), found)
    };
    let (fine, _) = noise(Precision::Bits16);
    let (scaled, program) = noise(Precision::Dynamic);
    assert!(fine < 3e-5 && scaled < 3e-4, "{fine} {scaled}");
    // The softmax and the bare normalisation are stored nowhere.
    let missing = graph.nodes.iter().filter(|node| program.places[node.output.0].is_none());
    let missing: Vec<&str> = missing.map(|node| node.operator.name()).collect();
    assert_eq!(missing, ["Softmax", "Normalise"]);
    // With layer norms scales of rows are worth it.
    let (chosen, auto) = noise(Precision::Auto(1e-4));
    assert!(
        chosen < 1e-3 && auto.points.iter().any(|point| point.level == Level::Dynamic),
        "{chosen} {:?}",
        auto.points
    );
    let (chosen, auto) = noise(Precision::Auto(1e-7));
    assert!(chosen < 3e-5 && auto.points.iter().all(|point| point.level != Level::Dynamic), "{chosen}");
}

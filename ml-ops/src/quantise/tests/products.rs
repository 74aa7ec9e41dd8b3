//! Products of 16-bit numbers.

use super::*;
use crate::graph::Window;

/// Weights in [−127, 127] that reach 127 in every row, so that quantisation keeps them.
fn weights(seed: u64, shape: &[usize], reach: i64) -> Given {
    let row: usize = shape[1..].iter().product();
    let mut values = numbers(seed, elements(shape), -reach, reach);
    values.chunks_mut(row).for_each(|row| row[0] = reach);
    Given::Floats(shape.to_vec(), values.iter().map(|&v| v as f32 / 100.0).collect())
}

#[test]
fn dense() {
    for (bits, reach) in [(WeightBits::Bits8, 127), (WeightBits::Bits16, 32767)] {
        for k in [1, 3, 64, 777] {
            for encoding in [half(4.0), WIDE, byte(-1.0, 2.0)] {
                let x = input(
                    3,
                    &[2, 3, k],
                    encoding,
                    encoding.dtype.min().max(-200_000),
                    encoding.dtype.max().min(200_000),
                );
                let w = weights(4, &[5, k], reach);
                let bias = Given::Floats(vec![5], vec![0.3, -0.1, 0.0, 5.0, -7.0]);
                let (xs, ws, bs) = (x.real(), w.real(), bias.real());
                let expected: Vec<f64> = xs
                    .chunks(k)
                    .flat_map(|row| {
                        ws.chunks(k)
                            .zip(&bs)
                            .map(|(w, b)| row.iter().zip(w).map(|(x, w)| x * w).sum::<f64>() + b)
                            .collect::<Vec<_>>()
                    })
                    .collect();
                let largest = expected.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
                let mut case = case(Operator::Dense, &[x, w, bias], &[2, 3, 5]).stated(half(largest));
                case.settings.weights = bits;
                let found = case.run(&expected);
                let error = found.error(&expected) / found.encoding.scale;
                // The bias is rounded to a unit of the sum.
                assert!(error <= 0.52, "{bits:?} {k} {encoding:?}: {error}");
            }
        }
    }
}

#[test]
fn matrices_of_16_bits() {
    for k in [1, 5, 64, 300] {
        let (a, b) = (input(1, &[2, 3, k], half(2.0), -32768, 32767), input(2, &[2, k, 4], half(3.0), -32768, 32767));
        let (xs, ys) = (a.real(), b.real());
        let expected: Vec<f64> = (0..2 * 3 * 4)
            .map(|i| {
                let c = coordinates(i, &[2, 3, 4]);
                (0..k).map(|j| xs[(c[0] * 3 + c[1]) * k + j] * ys[(c[0] * k + j) * 4 + c[2]]).sum()
            })
            .collect();
        let largest = expected.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
        let found = case(Operator::MatMul, &[a, b], &[2, 3, 4]).stated(half(largest)).run(&expected);
        assert!(found.error(&expected) <= 0.501 * found.encoding.scale, "{k}");
    }
}

#[test]
fn convolution_of_16_bits() {
    let window = Window {
        kernel: vec![3, 3],
        strides: vec![1, 2],
        before: vec![1, 1],
        after: vec![1, 1],
        dilations: vec![1, 1],
        ceil: false,
    };
    let x = input(3, &[1, 4, 6, 7], half(4.0), -32768, 32767);
    let w = weights(4, &[5, 4, 3, 3], 127);
    let (xs, ws) = (x.real(), w.real());
    let expected: Vec<f64> = (0..5 * 6 * 4)
        .map(|i| {
            let c = coordinates(i, &[5, 6, 4]);
            let mut sum = 0.0;
            for j in 0..4 * 9 {
                let t = coordinates(j, &[4, 3, 3]);
                let (row, column) = ((c[1] + t[1]).wrapping_sub(1), (c[2] * 2 + t[2]).wrapping_sub(1));
                if row < 6 && column < 7 {
                    sum += xs[(t[0] * 6 + row) * 7 + column] * ws[c[0] * 36 + j];
                }
            }
            sum
        })
        .collect();
    let largest = expected.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    let operator = Operator::Conv { window, groups: 1 };
    let found = case(operator, &[x, w], &[1, 5, 6, 4]).stated(half(largest)).run(&expected);
    assert!(found.error(&expected) <= 0.501 * found.encoding.scale);
}

/// Half of the channels of a channels-last value, read by a convolution and a pooling without a copy.
#[test]
fn windows_read_slices_in_place() {
    let window = |kernel: usize, pad: usize| Window {
        kernel: vec![kernel; 2],
        strides: vec![1, 1],
        before: vec![pad; 2],
        after: vec![pad; 2],
        dilations: vec![1, 1],
        ceil: false,
    };
    let mut graph = Graph::default();
    let encoding = Encoding::integer(DType::I16);
    let x = graph.add_value("x", vec![1, 5, 6, 8]);
    graph.inputs.push(x);
    let mut add = |operator: Operator, inputs: Vec<ValueId>, shape: &[usize]| {
        let output = graph.add_value(operator.name(), shape.to_vec());
        graph.value_mut(output).encoding = Some(encoding);
        graph.nodes.push(Node { operator, inputs, output, clamp: None });
        output
    };
    let half: Vec<Option<usize>> = (3..7).map(Some).collect();
    // Stored [N, H, W, C]; the slice takes channels 3 to 6.
    let moved = add(Operator::Transpose { perm: vec![0, 3, 1, 2] }, vec![x], &[1, 8, 5, 6]);
    let taken = Operator::Take { axes: vec![None, Some(half), None, None], fill: 0.0 };
    let slice = add(taken, vec![moved], &[1, 4, 5, 6]);
    let pooled = add(Operator::MaxPool(window(3, 1)), vec![slice], &[1, 4, 5, 6]);
    let weights: Vec<i64> =
        numbers(4, 2 * 4 * 9, -127, 127).chunks(36).flat_map(|row| [&[127], &row[1..]].concat()).collect();
    let w = graph.add_floats("w", vec![2, 4, 3, 3], weights.iter().map(|&v| v as f32).collect());
    let output = graph.add_value("y", vec![1, 2, 5, 6]);
    graph.value_mut(output).encoding = Some(Encoding::integer(DType::I32));
    graph.nodes.push(Node {
        operator: Operator::Conv { window: window(3, 1), groups: 1 },
        inputs: vec![pooled, w],
        output,
        clamp: None,
    });
    let direct = graph.add_value("z", vec![1, 2, 5, 6]);
    graph.value_mut(direct).encoding = Some(Encoding::integer(DType::I32));
    graph.nodes.push(Node {
        operator: Operator::Conv { window: window(3, 1), groups: 1 },
        inputs: vec![slice, w],
        output: direct,
        clamp: None,
    });
    let sum = graph.add_value("sum", vec![1, 2, 5, 6]);
    graph.value_mut(sum).encoding = Some(I64);
    graph.nodes.push(Node { operator: Operator::Add, inputs: vec![output, direct], output: sum, clamp: None });
    graph.outputs.push(sum);

    let settings = Settings::default();
    let levels = plan::uniform(&graph, settings.precision);
    let ranges = vec![Range::default(); graph.values.len()];
    let quantised = with_ranges(&graph, &[encoding], ranges, &settings, &levels).unwrap();
    // Pooling, two convolutions, the sum, and the copy to row-major order. The second convolution goes on with the sum.
    assert_eq!((quantised.apart.instructions().len(), quantised.program.instructions().len()), (5, 4));
    let data = numbers(5, 240, -100, 100);
    let tensors = [Tensor::from_values(DType::I16, &data).unwrap()];
    let run = interpreter::run(&quantised.program, &tensors, Stop::Exactly(1), 1 << 30).unwrap();
    let fast = Engine::compile(&quantised.program).run(&tensors, Stop::Exactly(1), 1 << 30).unwrap();
    assert_eq!(fast, run);
    let at = |c: usize, h: i64, w: i64| -> Option<i64> {
        ((0..5).contains(&h) && (0..6).contains(&w)).then(|| data[((h * 6 + w) * 8) as usize + c + 3])
    };
    let near = |h: i64, w: i64| (0..9).map(move |t| (h + t / 3 - 1, w + t % 3 - 1));
    let pool = |c: usize, h: i64, w: i64| near(h, w).filter_map(|(h, w)| at(c, h, w)).max();
    let expected: Vec<i64> = (0..60)
        .map(|i| {
            let c = coordinates(i, &[2, 5, 6]);
            let (h, w) = (c[1] as i64, c[2] as i64);
            let mut total = 0;
            for channel in 0..4 {
                for (tap, (h, w)) in near(h, w).enumerate() {
                    let inside = at(channel, h, w).is_some();
                    let both =
                        at(channel, h, w).unwrap_or(0) + if inside { pool(channel, h, w).unwrap_or(0) } else { 0 };
                    total += weights[(c[0] * 4 + channel) * 9 + tap] * both;
                }
            }
            total
        })
        .collect();
    assert_eq!(run.output(&quantised.program).unwrap().values(), expected);
}

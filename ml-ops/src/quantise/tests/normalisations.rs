//! Normalisations and softmax.

use super::*;
use crate::quantise::tests::reductions::groups;

/// `f` of each group of elements, back in place.
fn grouped(values: &[f64], shape: &[usize], axes: &[usize], f: impl Fn(&[f64]) -> Vec<f64>) -> Vec<f64> {
    let numbers: Vec<usize> = (0..values.len()).collect();
    let (_, groups) = groups(&numbers, shape, axes);
    let mut result = vec![0.0; values.len()];
    for group in groups {
        let own: Vec<f64> = group.iter().map(|&i| values[i]).collect();
        for (i, y) in group.iter().zip(f(&own)) {
            result[*i] = y;
        }
    }
    result
}

fn normalised(x: &[f64], epsilon: f64, centre: bool) -> Vec<f64> {
    let n = x.len() as f64;
    let mean = if centre { x.iter().sum::<f64>() / n } else { 0.0 };
    let variance = x.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / n;
    x.iter().map(|v| (v - mean) / (variance + epsilon).sqrt()).collect()
}

#[test]
fn normalisations() {
    let shapes: [(&[usize], &[usize]); 5] =
        [(&[4, 384], &[1]), (&[2, 6, 5, 5], &[2, 3]), (&[2, 3, 64, 2], &[1, 2]), (&[3, 7], &[1]), (&[3, 2000], &[1])];
    let mut worst: f64 = 0.0;
    for (shape, axes) in shapes {
        for centre in [true, false] {
            // The whole type; a few units off a large mean; 8 bits; 32 bits.
            for (encoding, low, high) in [
                (half(8.0), -32768, 32767),
                (half(8.0), 20000, 20300),
                (byte(-2.0, 3.0), 0, 255),
                (WIDE, -900_000, 900_000),
                (WIDE, -3, 3),
            ] {
                let x = input(4, shape, encoding, low, high);
                let epsilon = 1e-5;
                let expected = grouped(&x.real(), shape, axes, |x| normalised(x, epsilon, centre));
                let operator = Operator::Normalise { axes: axes.to_vec(), epsilon: 1e-5, centre };
                let found = case(operator.clone(), std::slice::from_ref(&x), shape).run(&expected);
                let largest = expected.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
                let relative = (found.error(&expected) - found.encoding.scale).max(0.0) / largest;
                assert!(relative < 1.0 / 16384.0, "{shape:?} {encoding:?} {low} {relative}");
                worst = worst.max(relative);
                let found = case(operator, &[x], shape).stated(half(largest)).run(&expected);
                assert!(
                    found.error(&expected) <= 0.65 * found.encoding.scale + largest / 32768.0 / 2.0,
                    "{encoding:?}"
                );
                assert_eq!(found.instructions, if centre { 3 } else { 2 });
            }
        }
    }
    println!("normalise: relative error {worst:.2e}");
    // Without any difference the result is 0, and a large group does not overflow.
    let x =
        Given::Input(vec![1, 1 << 16], half(8.0), (0..1 << 16).map(|i| if i == 9 { 32767 } else { -32768 }).collect());
    let expected = normalised(&x.real(), 1e-5, true);
    let operator = Operator::Normalise { axes: vec![1], epsilon: 1e-5, centre: true };
    let found = case(operator.clone(), &[x], &[1, 1 << 16]).run(&expected);
    assert!(found.error(&expected) < 0.02, "{}", found.error(&expected));
    let x = Given::Input(vec![2, 5], half(8.0), vec![-777; 10]);
    let found = case(operator, &[x], &[2, 5]).run(&[1.0]);
    assert!(found.stored.iter().all(|&v| v == 0), "{found:?}");
}

#[test]
fn softmax_is_accurate_to_2_15() {
    for (shape, axis) in [(vec![3, 7], 1), (vec![2, 128], 1), (vec![2, 5, 3], 1), (vec![4, 1000], 1), (vec![6], 0)] {
        for (encoding, low, high) in [
            (half(16.0), -32768, 32767),
            (half(40.0), -32768, 32767),
            (byte(-9.0, 9.0), 0, 255),
            (WIDE, -700_000, 700_000),
            (half(1.0), 0, 3000),
        ] {
            let x = input(4, &shape, encoding, low, high);
            let softmax = |x: &[f64]| -> Vec<f64> {
                let top = x.iter().copied().fold(f64::MIN, f64::max);
                let total: f64 = x.iter().map(|v| (v - top).exp()).sum();
                x.iter().map(|v| (v - top).exp() / total).collect()
            };
            let expected = grouped(&x.real(), &shape, &[axis], softmax);
            let found = case(Operator::Softmax { axis }, std::slice::from_ref(&x), &shape).run(&expected);
            let error = found.error(&expected);
            assert!(error < 1.0 / 131072.0, "{shape:?} {encoding:?} {error}");
            let found =
                case(Operator::Softmax { axis }, std::slice::from_ref(&x), &shape).stated(half(1.0)).run(&expected);
            assert!(found.error(&expected) <= 0.6 / 32767.0, "{shape:?} {encoding:?}");
            println!("softmax {shape:?} {:?}: {error:.2e}", encoding.dtype);

            let expected: Vec<f64> =
                grouped(&x.real(), &shape, &[axis], |x| softmax(x).iter().map(|p| p.ln()).collect());
            let found = case(Operator::LogSoftmax { axis }, &[x], &shape).run(&expected);
            let error = found.error(&expected);
            assert!(error < 1.5 / 65536.0, "{shape:?} {encoding:?} {error}");
            println!("log softmax {shape:?} {:?}: {error:.2e}", encoding.dtype);
        }
    }
}

//! Along one axis.

use super::*;

/// Indices of the elements of each line along an axis, in order.
fn lines(shape: &[usize], axis: usize) -> Vec<Vec<usize>> {
    let numbers: Vec<usize> = (0..elements(shape)).collect();
    reductions::groups(&numbers, shape, &[axis]).1
}

const SHAPES: [(&[usize], usize); 7] =
    [(&[1], 0), (&[2], 0), (&[7], 0), (&[3, 8], 1), (&[5, 3], 0), (&[2, 9, 3], 1), (&[2, 100], 1)];

#[test]
fn running_sums() {
    for (shape, axis) in SHAPES {
        for (exclusive, reverse) in [(false, false), (true, false), (false, true), (true, true)] {
            let sums = |values: &[f64]| {
                let mut result = vec![0.0; values.len()];
                for mut line in lines(shape, axis) {
                    if reverse {
                        line.reverse();
                    }
                    let mut sum = 0.0;
                    for i in line {
                        result[i] = if exclusive { sum } else { sum + values[i] };
                        sum += values[i];
                    }
                }
                result
            };
            let operator = Operator::CumSum { axis, exclusive, reverse };
            let x = input(1, shape, I64, -(1 << 40), 1 << 40);
            let expected = sums(&x.real());
            let found = case(operator.clone(), &[x], shape).stated(I64).run(&expected);
            assert_eq!(found.error(&expected), 0.0, "{shape:?} {exclusive} {reverse}");
            for encoding in [half(2.0), byte(-1.0, 3.0)] {
                let x = input(2, shape, encoding, encoding.dtype.min(), encoding.dtype.max());
                let expected = sums(&x.real());
                let found = case(operator.clone(), &[x], shape).run(&expected);
                assert!(found.error(&expected) <= 0.51 * found.encoding.scale, "{found:?}");
                let n = shape[axis] as f64;
                assert_eq!(found.instructions, n.log2().ceil().max(1.0) as usize);
            }
        }
    }
}

#[test]
fn largest_elements_with_ties() {
    for (shape, axis) in SHAPES {
        let n = shape[axis];
        for k in [1, 2, 3, 17, 33, n] {
            if k > n {
                continue;
            }
            for (encoding, reach) in
                [(I64, i64::MAX), (I64, 2), (half(1.0), 32767), (half(1.0), 3), (byte(-1.0, 1.0), 127)]
            {
                for largest in [true, false] {
                    let low = encoding.dtype.min().max(-reach);
                    let x = input(1, shape, encoding, low, reach);
                    let values = stored(&x);
                    let mut result = shape.to_vec();
                    result[axis] = k;
                    let (mut top, mut at) = (vec![0; elements(&result)], vec![0; elements(&result)]);
                    for (line, places) in lines(shape, axis).iter().zip(lines(&result, axis)) {
                        let mut order: Vec<usize> = (0..n).collect();
                        order.sort_by(|&a, &b| {
                            let order = values[line[a]].cmp(&values[line[b]]);
                            if largest { order.reverse() } else { order }
                        });
                        for (place, i) in places.into_iter().zip(order) {
                            (top[place], at[place]) = (values[line[i]], i as i64);
                        }
                    }
                    for (indices, expected) in [(false, top), (true, at)] {
                        let operator = Operator::TopK { axis, k, largest, indices };
                        let found = case(operator, std::slice::from_ref(&x), &result).run(&[0.0]);
                        assert_eq!(found.stored, expected, "{shape:?} {axis} {k} {largest} {indices} {reach}");
                    }
                }
            }
        }
    }
}

#[test]
fn interpolation() {
    for (shape, axis) in [(vec![5], 0), (vec![2, 4, 3], 1), (vec![1, 2, 3, 6], 3)] {
        let n = shape[axis];
        // Linear, half-pixel, twice and two fifths the size; cubic weights with negative ones; one tap.
        for (m, cubic) in [(2 * n, false), (2 * n / 5 + 1, false), (2 * n, true), (1, false)] {
            let taps: Vec<Vec<(usize, f32)>> = (0..m)
                .map(|j| {
                    let at = ((j as f32 + 0.5) * n as f32 / m as f32 - 0.5).clamp(0.0, n as f32 - 1.0);
                    let low = at.floor() as usize;
                    let f = at - at.floor();
                    let high = (low + 1).min(n - 1);
                    if cubic {
                        vec![
                            (low.saturating_sub(1), -0.1),
                            (low, 1.1 - f),
                            (high, f + 0.07),
                            ((high + 1).min(n - 1), -0.07),
                        ]
                    } else {
                        vec![(low, 1.0 - f), (high, f)]
                    }
                })
                .collect();
            let mut result = shape.clone();
            result[axis] = m;
            for (encoding, allowed) in [(half(2.0), 1.0 / 32768.0), (byte(-1.0, 3.0), 3.0 / 8192.0), (WIDE, 3e-5)] {
                let x = input(1, &shape, encoding, encoding.dtype.min().max(-99_999), encoding.dtype.max().min(99_999));
                let values = x.real();
                let expected: Vec<f64> = (0..elements(&result))
                    .map(|number| {
                        let mut at = coordinates(number, &result);
                        let taps = &taps[at[axis]];
                        taps.iter()
                            .map(|&(i, w)| {
                                at[axis] = i;
                                f64::from(w) * values[place(&at, &shape)]
                            })
                            .sum()
                    })
                    .collect();
                let operator = Operator::Resample { axis, taps: taps.clone() };
                let found = case(operator, &[x], &result).run(&expected);
                assert!(found.error(&expected) <= allowed, "{shape:?} {m} {encoding:?} {}", found.error(&expected));
                assert_eq!(found.instructions, 1);
            }
        }
    }
}

//! Reductions over axes.

use super::*;
use crate::graph::Reduction;

/// Groups of elements that are reduced together, in the order of the result.
pub(super) fn groups<T: Copy>(values: &[T], shape: &[usize], axes: &[usize]) -> (Vec<usize>, Vec<Vec<T>>) {
    let result: Vec<usize> = shape.iter().enumerate().map(|(j, &n)| if axes.contains(&j) { 1 } else { n }).collect();
    let mut groups = vec![Vec::new(); elements(&result)];
    for (number, &value) in values.iter().enumerate() {
        let mut at = coordinates(number, shape);
        for &axis in axes {
            at[axis] = 0;
        }
        groups[place(&at, &result)].push(value);
    }
    (result, groups)
}

const CASES: [(&[usize], &[usize]); 7] = [
    (&[7], &[0]),
    (&[3, 5], &[1]),
    (&[3, 5], &[0]),
    (&[2, 3, 4], &[0, 2]),
    (&[2, 3, 4, 5], &[1, 2]),
    (&[2, 3, 2], &[0, 1, 2]),
    (&[4, 1, 3], &[1]),
];

#[test]
fn integers_are_exact() {
    for (shape, axes) in CASES {
        for (kind, f) in [
            (Reduction::Sum, (|v| v.iter().sum()) as fn(&[i64]) -> i64),
            (Reduction::Max, |v| *v.iter().max().unwrap()),
            (Reduction::Min, |v| *v.iter().min().unwrap()),
            (Reduction::SumSquare, |v| v.iter().map(|v| v * v).sum()),
            (Reduction::SumAbs, |v| v.iter().map(|v| v.abs()).sum()),
            (Reduction::Product, |v| v.iter().fold(1, |p: i64, &v| p.saturating_mul(v))),
        ] {
            for reach in [3, 1 << 20] {
                let x = input(4, shape, I64, -reach, reach);
                let (result, groups) = groups(&stored(&x), shape, axes);
                let expected: Vec<i64> = groups.iter().map(|group| f(group)).collect();
                let operator = Operator::Reduce { kind, axes: axes.to_vec() };
                if kind == Reduction::Product && reach > 3 && groups[0].len() > 3 {
                    continue;
                }
                let found = case(operator, &[x], &result).stated(I64).run(&[0.0]);
                assert_eq!(found.stored, expected, "{kind:?} {shape:?} {axes:?}");
            }
        }
    }
    let x = input(9, &[2, 50], I64, -1, 2);
    let (result, groups) = groups(&stored(&x), &[2, 50], &[1]);
    let expected: Vec<i64> = groups.iter().map(|group| group.iter().product()).collect();
    let operator = Operator::Reduce { kind: Reduction::Product, axes: vec![1] };
    let found = case(operator, &[x], &result).stated(I64).run(&[0.0]);
    assert_eq!((found.stored, found.instructions), (expected, 2));
}

#[test]
fn reals_are_rounded_once() {
    for (shape, axes) in CASES {
        for (kind, f) in [
            (Reduction::Sum, (|v| v.iter().sum()) as fn(&[f64]) -> f64),
            (Reduction::Mean, |v| v.iter().sum::<f64>() / v.len() as f64),
            (Reduction::Max, |v| v.iter().copied().fold(f64::MIN, f64::max)),
            (Reduction::Min, |v| v.iter().copied().fold(f64::MAX, f64::min)),
            (Reduction::SumSquare, |v| v.iter().map(|v| v * v).sum()),
            (Reduction::SumAbs, |v| v.iter().map(|v| v.abs()).sum()),
        ] {
            for encoding in [half(3.0), byte(-1.0, 2.0), WIDE] {
                let bound = |v: i64| v.clamp(-150_000, 150_000);
                let x = input(4, shape, encoding, bound(encoding.dtype.min()), bound(encoding.dtype.max()));
                let (result, groups) = groups(&x.real(), shape, axes);
                let expected: Vec<f64> = groups.iter().map(|group| f(group)).collect();
                let operator = Operator::Reduce { kind, axes: axes.to_vec() };
                let found = case(operator.clone(), std::slice::from_ref(&x), &result).run(&expected);
                assert!(found.error(&expected) <= 0.51 * found.encoding.scale, "{kind:?} {found:?} {expected:?}");
                // Max of a value that is an input is stored like the input; other sums in one instruction.
                let coarse = case(operator, &[x], &result).stated(half(600.0)).run(&expected);
                assert!(coarse.error(&expected) <= 0.51 * coarse.encoding.scale, "{kind:?} {coarse:?}");
            }
        }
    }
}

#[test]
fn products_of_reals() {
    for n in [1, 2, 5, 14] {
        let x = input(n, &[6, n as usize], half(2.0), -32767, 32767);
        let (result, groups) = groups(&x.real(), &[6, n as usize], &[1]);
        let expected: Vec<f64> = groups.iter().map(|group| group.iter().product()).collect();
        let operator = Operator::Reduce { kind: Reduction::Product, axes: vec![1] };
        let found = case(operator, &[x], &result).run(&expected);
        let largest = expected.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
        let allowed = found.encoding.scale * 0.51 + largest / 65536.0;
        assert!(found.error(&expected) <= allowed, "{n}: {found:?} {expected:?}");
    }
    let x = input(1, &[15], half(2.0), -32767, 32767);
    let operator = Operator::Reduce { kind: Reduction::Product, axes: vec![0] };
    assert!(case(operator, &[x], &[1]).try_run(&[1.0]).is_err(), "refused, not wrong");
}

#[test]
fn bounds_are_kept() {
    let x = input(4, &[5, 6], half(3.0), -32767, 32767);
    for kind in [Reduction::Max, Reduction::Sum] {
        let (result, groups) = groups(&x.real(), &[5, 6], &[1]);
        let f = |v: &Vec<f64>| {
            if kind == Reduction::Sum { v.iter().sum() } else { v.iter().copied().fold(f64::MIN, f64::max) }
        };
        let expected: Vec<f64> = groups.iter().map(|group| f(group).clamp(-1.0, 1.0)).collect();
        let operator = Operator::Reduce { kind, axes: vec![1] };
        let found = case(operator, std::slice::from_ref(&x), &result).clamp(-1.0, 1.0).run(&expected);
        assert!(found.error(&expected) <= found.encoding.scale, "{kind:?} {found:?} {expected:?}");
    }
}

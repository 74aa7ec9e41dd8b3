//! Functions of one operand.

use super::*;
use crate::{float::functions, graph::Function};

const SMOOTH: [(Function, f64, f64); 30] = [
    (Function::Abs, -3.0, 3.0),
    (Function::Neg, -3.0, 3.0),
    (Function::Exp, -8.0, 4.0),
    (Function::Log, 0.01, 9.0),
    (Function::Sqrt, 0.0, 9.0),
    (Function::Reciprocal, 0.2, 5.0),
    (Function::Power(2.0), -5.0, 5.0),
    (Function::Power(3.0), -2.0, 2.0),
    (Function::Power(0.5), 0.0, 4.0),
    (Function::Power(-0.5), 0.05, 4.0),
    (Function::Power(1.7), 0.0, 4.0),
    (Function::Erf, -4.0, 4.0),
    (Function::Gelu, -6.0, 6.0),
    (Function::GeluTanh, -6.0, 6.0),
    (Function::Swish(1.0), -8.0, 8.0),
    (Function::HardSwish, -6.0, 6.0),
    (Function::Softplus, -8.0, 8.0),
    (Function::Softsign, -9.0, 9.0),
    (Function::Mish, -8.0, 8.0),
    (Function::Elu { alpha: 1.5, gamma: 2.0 }, -5.0, 5.0),
    (Function::Celu(1.3), -5.0, 5.0),
    (Function::Shrink { bias: 0.0, lambd: 0.0 }, -3.0, 3.0),
    (Function::Sin, -7.0, 7.0),
    (Function::Cos, -7.0, 7.0),
    (Function::Tan, -1.2, 1.2),
    (Function::Asin, -0.99, 0.99),
    (Function::Atan, -9.0, 9.0),
    (Function::Sinh, -3.0, 3.0),
    (Function::Asinh, -9.0, 9.0),
    (Function::Atanh, -0.9, 0.9),
];

/// Stored numbers between two real ones, in all extremes.
fn between(encoding: Encoding, low: f64, high: f64, count: usize) -> Given {
    let step = (high - low) / (count as f64 - 1.0);
    let stored = (0..count).map(|i| encoding.stored(low + step * i as f64)).collect();
    Given::Input(vec![count], encoding, stored)
}

#[test]
fn curves_are_accurate_to_a_unit() {
    for (function, low, high) in SMOOTH {
        let reach = f64::max(-low, high);
        for (from, to) in [(half(reach), false), (half(reach), true), (byte(low.min(0.0), high), true), (WIDE, true)] {
            let x = between(from, low.max(from.real(from.dtype.min())), high, 999);
            let exact = |v: i64| functions::real(function, from.real(v));
            let values: Vec<i64> = stored(&x).into_iter().filter(|&v| exact(v).is_finite()).collect();
            let expected: Vec<f64> = values.iter().map(|&v| exact(v)).collect();
            let count = values.len();
            let x = Given::Input(vec![count], from, values);
            let largest = expected.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
            let mut case = case(Operator::Map(function), std::slice::from_ref(&x), &[count]);
            if to {
                case = case.stated(half(largest));
            }
            let result = case.run(&expected);
            let unit = result.encoding.scale.max(largest / 32767.0);
            let error = result.error(&expected) / unit;
            // A steep curve of 32 bits shows the rounding of its argument to 16.
            let allowed = if result.instructions > 1 { 3.0 } else { 1.0 };
            assert!(error <= allowed, "{function:?} {from:?}: {error} units, {} instructions", result.instructions);
            println!("{function:?} from {:?}: {error:.3} of {unit:.2e}", from.dtype);
        }
    }
}

#[test]
fn steps_are_exact() {
    let steps = [
        Function::Sign,
        Function::Floor,
        Function::Ceil,
        Function::Round,
        Function::Truncate,
        Function::Not,
        Function::Threshold(0.75),
        Function::Shrink { bias: 0.5, lambd: 1.0 },
    ];
    // Units of 1/4096 and 1/8: halves are stored exactly.
    for (dtype, scale) in [(DType::I16, 1.0 / 4096.0), (DType::I8, 0.125), (DType::I32, 1.0 / 65536.0)] {
        let encoding = Encoding { dtype, scale, zero_point: 0 };
        for function in steps {
            if matches!(function, Function::Shrink { .. }) && dtype == DType::I32 {
                continue;
            }
            let x = between(encoding, -7.0, 7.0, 14 * 64 + 1);
            let expected: Vec<f64> = x.real().iter().map(|&v| functions::real(function, v)).collect();
            let result = case(Operator::Map(function), &[x], &[14 * 64 + 1])
                .stated(Encoding { dtype: DType::I32, ..encoding })
                .run(&expected);
            assert_eq!(result.error(&expected), 0.0, "{function:?} {dtype:?}");
        }
    }
}

#[test]
fn integers_are_exact() {
    let values = vec![i64::MIN, i64::MIN + 1, -5_000_000_000, -3, -1, 0, 1, 2, 1 << 40, i64::MAX];
    let x = Given::Input(vec![10], I64, values.clone());
    for (function, f) in [
        (Function::Abs, i64::saturating_abs as fn(i64) -> i64),
        (Function::Neg, i64::saturating_neg),
        (Function::Sign, i64::signum),
        (Function::Truncate, |v| v),
        (Function::Round, |v| v),
        (Function::Not, |v| i64::from(v == 0)),
    ] {
        let result = case(Operator::Map(function), std::slice::from_ref(&x), &[10]).stated(I64).run(&[0.0]);
        assert_eq!(result.stored, values.iter().map(|&v| f(v)).collect::<Vec<_>>(), "{function:?}");
    }
    let result = case(Operator::Clip { low: -3.0, high: 2.0 }, &[x], &[10]).stated(I64).run(&[0.0]);
    assert_eq!(result.stored, values.iter().map(|&v| v.clamp(-3, 2)).collect::<Vec<_>>());
}

#[test]
fn casts_to_integers_cut_towards_zero() {
    let x = between(half(100.0), -90.0, 90.0, 777);
    let expected: Vec<f64> = x.real().iter().map(|v| v.trunc()).collect();
    let result = case(Operator::Map(Function::Truncate), &[x], &[777]).stated(I64).run(&expected);
    assert_eq!(result.error(&expected), 0.0);
    assert_eq!(result.encoding, I64);
}

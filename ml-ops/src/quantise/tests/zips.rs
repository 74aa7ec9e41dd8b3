//! Functions of two operands.

use super::*;
use crate::graph::Pairwise;

const PATTERNS: [(&[usize], &[usize], &[usize]); 6] = [
    (&[3, 5], &[3, 5], &[3, 5]),
    (&[2, 3, 4], &[4], &[2, 3, 4]),
    (&[3, 1], &[1, 5], &[3, 5]),
    (&[], &[2, 3], &[2, 3]),
    (&[2, 1, 3, 1], &[5, 1, 4], &[2, 5, 3, 4]),
    (&[7], &[1], &[7]),
];

fn integers(function: Pairwise, a: i64, b: i64) -> i64 {
    match function {
        Pairwise::Div { .. } => a.checked_div(b).unwrap_or(0),
        Pairwise::Mod { floor: true } if b != 0 => (a % b + b) % b,
        Pairwise::Mod { .. } => a.checked_rem(b).unwrap_or(0),
        Pairwise::Pow => match u32::try_from(b) {
            Ok(b) => a.saturating_pow(b),
            Err(_) if a.abs() == 1 => {
                if b % 2 == 0 {
                    1
                } else {
                    a
                }
            }
            Err(_) => 0,
        },
        Pairwise::Min => a.min(b),
        Pairwise::Max => a.max(b),
        Pairwise::Equal => i64::from(a == b),
        Pairwise::Less => i64::from(a < b),
        Pairwise::LessOrEqual => i64::from(a <= b),
        Pairwise::And => i64::from(a != 0 && b != 0),
        Pairwise::Or => i64::from(a != 0 || b != 0),
        Pairwise::Xor => i64::from((a != 0) != (b != 0)),
        Pairwise::BitAnd => a & b,
        Pairwise::BitOr => a | b,
        Pairwise::BitXor => a ^ b,
        Pairwise::ShiftLeft(width) => {
            if b < i64::from(width) {
                ((a as u128) << b) as i64 & ((1 << width) - 1)
            } else {
                0
            }
        }
        Pairwise::ShiftRight => {
            if b < 64 {
                a >> b
            } else {
                0
            }
        }
    }
}

#[test]
fn integers_are_exact() {
    let functions = [
        Pairwise::Div { integer: true },
        Pairwise::Mod { floor: true },
        Pairwise::Mod { floor: false },
        Pairwise::Min,
        Pairwise::Max,
        Pairwise::Equal,
        Pairwise::Less,
        Pairwise::LessOrEqual,
        Pairwise::And,
        Pairwise::Or,
        Pairwise::Xor,
        Pairwise::BitAnd,
        Pairwise::BitOr,
        Pairwise::BitXor,
    ];
    for function in functions {
        for (number, (a, b, shape)) in PATTERNS.iter().enumerate() {
            for (encoding, reach) in [(I64, 9), (I64, 1 << 50), (I32, 1000), (Encoding::integer(DType::I8), 100)] {
                let a = input(number as u64, a, encoding, -reach, reach);
                let b = input(number as u64 + 9, b, encoding, -reach.min(7), reach.min(7));
                let expected: Vec<i64> = broadcast(&stored(&a), a.shape(), shape)
                    .into_iter()
                    .zip(broadcast(&stored(&b), b.shape(), shape))
                    .map(|(x, y)| integers(function, x, y))
                    .collect();
                let real: Vec<f64> = expected.iter().map(|&v| v as f64).collect();
                let result = case(Operator::Zip(function), &[a.clone(), b.clone()], shape).stated(I64).run(&real);
                assert_eq!(result.stored, expected, "{function:?} {a:?} {b:?}");
                assert_eq!(result.instructions, 1 + usize::from(result.instructions > 1));
            }
        }
    }
}

#[test]
fn powers_and_shifts_of_integers() {
    let (a, b): (Vec<i64>, Vec<i64>) =
        (-4..=4).flat_map(|a| [-3, -2, -1, 0, 1, 2, 3, 5, 31, 62, 63, 64, 65, 1001].map(|b| (a, b))).unzip();
    let given = [Given::Input(vec![a.len()], I64, a.clone()), Given::Input(vec![b.len()], I64, b.clone())];
    let expected: Vec<i64> = a.iter().zip(&b).map(|(&a, &b)| integers(Pairwise::Pow, a, b)).collect();
    let result = case(Operator::Zip(Pairwise::Pow), &given, &[a.len()]).stated(I64).run(&[1.0]);
    assert_eq!(result.stored, expected);

    let (a, b): (Vec<i64>, Vec<i64>) =
        [0, 1, 5, 200, 255].iter().flat_map(|&a| [0, 1, 3, 7, 8, 31, 40, 63, 100].map(|b| (a, b))).unzip();
    let given = [Given::Input(vec![a.len()], BOOL, a.clone()), Given::Input(vec![b.len()], BOOL, b.clone())];
    for function in [Pairwise::ShiftLeft(8), Pairwise::ShiftLeft(32), Pairwise::ShiftRight] {
        let expected: Vec<i64> = a.iter().zip(&b).map(|(&a, &b)| integers(function, a, b)).collect();
        let result = case(Operator::Zip(function), &given, &[a.len()]).stated(I64).run(&[1.0]);
        assert_eq!(result.stored, expected, "{function:?}");
    }
}

#[test]
fn arithmetic_of_integers_is_exact() {
    for (operator, f) in [
        (Operator::Add, i64::saturating_add as fn(i64, i64) -> i64),
        (Operator::Sub, i64::saturating_sub),
        (Operator::Mul, i64::saturating_mul),
    ] {
        for (a, b, shape) in PATTERNS {
            let a = input(1, a, I64, -(1 << 62), 1 << 62);
            let b = Given::Ints(b.to_vec(), numbers(2, elements(b), -(1 << 40), 1 << 40));
            let expected: Vec<i64> = broadcast(&stored(&a), a.shape(), shape)
                .into_iter()
                .zip(broadcast(&stored(&b), b.shape(), shape))
                .map(|(x, y)| f(x, y))
                .collect();
            let result = case(operator.clone(), &[a, b], shape).stated(I64).run(&[1.0]);
            assert_eq!(result.stored, expected, "{operator:?}");
        }
    }
}

#[test]
fn quotients_round_half_up_and_give_zero_for_zero() {
    for (a, b, shape) in PATTERNS {
        let divisor = numbers(5, elements(b), 3000, 32767).into_iter().zip(numbers(6, elements(b), 0, 1));
        let divisor: Vec<i64> = divisor.map(|(v, sign)| if sign == 0 { v } else { -v }).collect();
        let a = input(3, a, half(4.0), -32768, 32767);
        let b = Given::Input(b.to_vec(), half(2.0), divisor);
        let pairs = broadcast(&a.real(), a.shape(), shape).into_iter().zip(broadcast(&b.real(), b.shape(), shape));
        let expected: Vec<f64> = pairs.map(|(x, y)| x / y).collect();
        let operator = Operator::Zip(Pairwise::Div { integer: false });
        let fine = case(operator.clone(), &[a.clone(), b.clone()], shape).run(&expected);
        assert!(fine.error(&expected) <= 0.501 * fine.encoding.scale, "{fine:?} {expected:?}");
        let coarse = case(operator, &[a, b], shape).stated(half(25.0)).run(&expected);
        assert!(coarse.error(&expected) <= 0.501 * coarse.encoding.scale, "{coarse:?}");
    }
    let one = Given::Floats(vec![], vec![1.0]);
    let x = Given::Input(vec![5], half(4.0), vec![0, 1, -1, 8192, 32767]);
    let operator = Operator::Zip(Pairwise::Div { integer: false });
    let result = case(operator, &[one, x], &[5]).stated(half(4.0)).run(&[4.0]);
    assert_eq!(result.stored, [0, 32767, -32768, 8192, 2048]);
}

#[test]
fn reals_are_aligned() {
    let encodings = [half(3.0), half(1.7), byte(-1.0, 2.0), WIDE];
    for (number, (a, b, shape)) in PATTERNS.iter().enumerate() {
        for (left, right) in encodings.iter().zip(encodings.iter().cycle().skip(number % 3)) {
            let span = |e: &Encoding| (e.dtype.min().max(-100_000), e.dtype.max().min(100_000));
            let a = input(7, a, *left, span(left).0, span(left).1);
            let b = input(8, b, *right, span(right).0, span(right).1);
            let pairs: Vec<(f64, f64)> = broadcast(&a.real(), a.shape(), shape)
                .into_iter()
                .zip(broadcast(&b.real(), b.shape(), shape))
                .collect();
            for (function, f) in [
                (Pairwise::Min, f64::min as fn(f64, f64) -> f64),
                (Pairwise::Max, f64::max),
                (Pairwise::Less, |a, b| f64::from(u8::from(a < b))),
                (Pairwise::LessOrEqual, |a, b| f64::from(u8::from(a <= b))),
                (Pairwise::Equal, |a, b| f64::from(u8::from(a == b))),
            ] {
                let expected: Vec<f64> = pairs.iter().map(|&(a, b)| f(a, b)).collect();
                let result = case(Operator::Zip(function), &[a.clone(), b.clone()], shape).run(&expected);
                let allowed =
                    if matches!(function, Pairwise::Min | Pairwise::Max) { result.encoding.scale } else { 0.0 };
                assert!(result.error(&expected) <= allowed, "{function:?} {a:?} {b:?} {result:?} {expected:?}");
            }
        }
    }
}

#[test]
fn remainders_and_powers_of_reals() {
    let a = input(1, &[40], half(8.0), -32767, 32767);
    let b = input(2, &[40], half(8.0), 9000, 32767);
    let expected: Vec<f64> = a.real().iter().zip(b.real()).map(|(&a, b)| libm::fmod(a, b)).collect();
    let result = case(Operator::Zip(Pairwise::Mod { floor: false }), &[a.clone(), b.clone()], &[40]).run(&expected);
    assert!(result.error(&expected) <= result.encoding.scale, "{result:?}");

    let a = input(3, &[200], half(3.0), 1, 32767);
    let b = input(4, &[200], half(4.0), -8000, 32767);
    let expected: Vec<f64> = a.real().iter().zip(b.real()).map(|(&a, b)| a.powf(b)).collect();
    let operator = Operator::Zip(Pairwise::Pow);
    let result =
        case(operator.clone(), &[a, b], &[200]).stated(Encoding { scale: 1.0 / 1_048_576.0, ..WIDE }).run(&expected);
    let worst = result.real().iter().zip(&expected).fold(0.0, |m: f64, (a, e)| m.max((a - e).abs() / (e.abs() + 0.01)));
    assert!(worst < 1.0 / 16384.0, "{worst}");

    // Negative bases with integer exponents, and 0.
    let a = Given::Input(vec![5], half(4.0), vec![-16384, -16384, 0, 0, 8192]);
    let b = Given::Floats(vec![5], vec![2.0, 3.0, 2.0, 0.0, -1.0]);
    let expected: Vec<f64> = a.real().iter().zip(b.real()).map(|(&a, b)| a.powf(b)).collect();
    let result = case(operator, &[a, b], &[5]).run(&expected);
    assert!(result.error(&expected) < 1e-3, "{result:?} {expected:?}");
}

#[test]
fn choices() {
    for (a, b, shape) in PATTERNS {
        let condition = input(1, shape, BOOL, 0, 1);
        let holds = stored(&condition);
        let (x, y) = (input(2, a, I64, -5_000_000_000, 5_000_000_000), input(3, b, I64, -9, 9));
        let (left, right) = (broadcast(&stored(&x), a, shape), broadcast(&stored(&y), b, shape));
        let expected: Vec<i64> = (0..elements(shape)).map(|i| if holds[i] != 0 { left[i] } else { right[i] }).collect();
        let operands = [condition.clone(), x, y];
        let result = case(Operator::Select, &operands, shape).stated(I64).run(&[1.0]);
        assert_eq!(result.stored, expected);

        let (x, y) = (input(2, a, half(2.0), -32767, 32767), Given::Floats(vec![], vec![-1.0e9]));
        let left = broadcast(&x.real(), a, shape);
        let expected: Vec<f64> = (0..elements(shape)).map(|i| if holds[i] != 0 { left[i] } else { -1.0e9 }).collect();
        // The large number saturates.
        let result = case(Operator::Select, &[condition, x, y], shape).stated(half(4.0)).run(&expected);
        let bounded: Vec<f64> = expected.iter().map(|v| v.max(result.encoding.real(-32768))).collect();
        assert!(result.error(&bounded) <= 0.51 * result.encoding.scale, "{result:?}");
    }
}

#[test]
fn bounds_are_kept() {
    let a = input(1, &[30], half(4.0), -32767, 32767);
    let b = input(2, &[30], half(4.0), 9000, 32767);
    let pairs: Vec<(f64, f64)> = a.real().into_iter().zip(b.real()).collect();
    let quotient: Vec<f64> = pairs.iter().map(|(a, b)| (a / b).clamp(0.0, 0.5)).collect();
    let least: Vec<f64> = pairs.iter().map(|(a, b)| a.min(*b).clamp(0.0, 0.5)).collect();
    for (function, expected) in [(Pairwise::Div { integer: false }, quotient), (Pairwise::Min, least)] {
        let result = case(Operator::Zip(function), &[a.clone(), b.clone()], &[30]).clamp(0.0, 0.5).run(&expected);
        assert!(result.error(&expected) <= result.encoding.scale, "{result:?}");
    }
}

/// Operands whose units are far apart: the finer one keeps its bits.
#[test]
fn far_units() {
    let fine = input(1, &[50], WIDE, -99_999, 99_999);
    let mask = input(2, &[50], BOOL, 0, 1);
    let far = Given::Input(
        vec![50],
        Encoding::integer(DType::I32),
        stored(&mask).iter().map(|&m| m * i64::from(i32::MIN)).collect(),
    );
    let holds = stored(&mask);
    let real = fine.real();
    let to = half(4.0);
    let low = to.real(-32768);
    let sum: Vec<f64> = (0..50).map(|i| if holds[i] == 1 { low } else { real[i] }).collect();
    let found = case(Operator::Add, &[fine.clone(), far.clone()], &[50]).stated(to).run(&sum);
    assert!(found.error(&sum) <= 0.51 * to.scale, "{found:?}");

    let zero = Given::Floats(vec![], vec![0.0]);
    let chosen: Vec<f64> = (0..50).map(|i| if holds[i] == 1 { 0.0 } else { real[i] }).collect();
    let found = case(Operator::Select, &[mask.clone(), zero.clone(), fine.clone()], &[50]).stated(to).run(&chosen);
    assert!(found.error(&chosen) <= 0.51 * to.scale, "{found:?}");
    let positive: Vec<f64> = real.iter().map(|&v| f64::from(u8::from(v < 1.0))).collect();
    let one = Given::Floats(vec![], vec![1.0]);
    let found = case(Operator::Zip(Pairwise::Less), &[fine.clone(), one], &[50]).run(&positive);
    assert_eq!(found.error(&positive), 0.0);
    let shape = [100];
    let joined: Vec<f64> = real.iter().copied().chain(holds.iter().map(|&m| m as f64)).collect();
    let found = case(Operator::Concat { axis: 0 }, &[fine, mask], &shape).stated(to).run(&joined);
    assert!(found.error(&joined) <= 0.51 * to.scale, "{found:?}");
}

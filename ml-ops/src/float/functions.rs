//! Functions of one and two numbers. Those of real numbers are `libm`'s in f64, so that every machine gives the same.

use super::number::{Binary, Unary};
use crate::{
    graph::{Function, Pairwise},
    num,
};

/// A function of a real number.
pub(crate) fn real(function: Function, x: f64) -> f64 {
    match function {
        Function::Abs => x.abs(),
        Function::Neg => -x,
        Function::Sign if x == 0.0 => 0.0,
        Function::Sign => 1.0f64.copysign(x),
        Function::Floor => libm::floor(x),
        Function::Ceil => libm::ceil(x),
        Function::Round => libm::rint(x),
        Function::Truncate => libm::trunc(x),
        Function::Not => truth(x == 0.0),
        Function::Exp => libm::exp(x),
        Function::Log => libm::log(x),
        Function::Sqrt => libm::sqrt(x.max(0.0)),
        Function::Reciprocal => 1.0 / x,
        Function::Power(p) => libm::pow(x, f64::from(p)),
        Function::Sin => libm::sin(x),
        Function::Cos => libm::cos(x),
        Function::Tan => libm::tan(x),
        Function::Asin => libm::asin(x),
        Function::Acos => libm::acos(x),
        Function::Atan => libm::atan(x),
        Function::Sinh => libm::sinh(x),
        Function::Cosh => libm::cosh(x),
        Function::Asinh => libm::asinh(x),
        Function::Acosh => libm::acosh(x),
        Function::Atanh => libm::atanh(x),
        other => activation(other, x),
    }
}

fn activation(function: Function, x: f64) -> f64 {
    /// √(2/π).
    const TANH_SCALE: f64 = 0.797_884_560_802_865_4;
    match function {
        Function::Erf => libm::erf(x),
        Function::Gelu => 0.5 * x * (1.0 + libm::erf(x / std::f64::consts::SQRT_2)),
        Function::GeluTanh => 0.5 * x * (1.0 + libm::tanh(TANH_SCALE * (x + 0.044715 * x * x * x))),
        Function::Swish(alpha) => x * sigmoid(f64::from(alpha) * x),
        Function::HardSwish => x * (x + 3.0).clamp(0.0, 6.0) / 6.0,
        Function::Softplus => softplus(x),
        Function::Softsign => x / (1.0 + x.abs()),
        Function::Mish => x * libm::tanh(softplus(x)),
        Function::Elu { alpha, gamma } => {
            f64::from(gamma) * if x > 0.0 { x } else { f64::from(alpha) * libm::expm1(x) }
        }
        Function::Celu(alpha) => {
            let alpha = f64::from(alpha);
            x.max(0.0) + (alpha * libm::expm1(x / alpha)).min(0.0)
        }
        Function::Threshold(alpha) => {
            if x > f64::from(alpha) {
                x
            } else {
                0.0
            }
        }
        Function::Shrink { bias, lambd } => match (f64::from(bias), f64::from(lambd)) {
            (bias, lambd) if x > lambd => x - bias,
            (bias, lambd) if x < -lambd => x + bias,
            _ => 0.0,
        },
        _ => x,
    }
}

/// `1 / (1 + e^−x)`.
pub(super) fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-x))
}

/// `log(1 + e^x)` without overflow.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + libm::log1p(libm::exp(-x.abs()))
}

fn truth(holds: bool) -> f64 {
    if holds { 1.0 } else { 0.0 }
}

/// Functions whose results are integers if the argument is one.
pub(super) fn integer(function: Function) -> Option<Unary<i64>> {
    Some(match function {
        Function::Abs => Box::new(i64::saturating_abs),
        Function::Neg => Box::new(i64::saturating_neg),
        Function::Sign => Box::new(i64::signum),
        Function::Not => Box::new(|x| i64::from(x == 0)),
        Function::Floor | Function::Ceil | Function::Round | Function::Truncate => Box::new(|x| x),
        _ => return None,
    })
}

/// Functions of two real numbers; those of bits take the nearest integers.
pub(super) fn real_pair(function: Pairwise) -> Binary<f32> {
    fn bits(a: f32, b: f32, f: fn(i64, i64) -> i64) -> f32 {
        num::single(num::real(f(num::round(f64::from(a)), num::round(f64::from(b)))))
    }
    fn truth(holds: bool) -> f32 {
        if holds { 1.0 } else { 0.0 }
    }
    match function {
        Pairwise::Div { integer: false } => |a, b| a / b,
        Pairwise::Div { integer: true } => |a, b| num::single(libm::trunc(f64::from(a) / f64::from(b))),
        Pairwise::Mod { floor: false } => |a, b| num::single(libm::fmod(f64::from(a), f64::from(b))),
        Pairwise::Mod { floor: true } => |a, b| {
            let remainder = libm::fmod(f64::from(a), f64::from(b));
            let other_sign = remainder != 0.0 && (remainder < 0.0) != (b < 0.0);
            num::single(if other_sign { remainder + f64::from(b) } else { remainder })
        },
        Pairwise::Pow => |a, b| num::single(libm::pow(f64::from(a), f64::from(b))),
        Pairwise::Min => f32::min,
        Pairwise::Max => f32::max,
        Pairwise::Equal => |a, b| truth(a == b),
        Pairwise::Less => |a, b| truth(a < b),
        Pairwise::LessOrEqual => |a, b| truth(a <= b),
        Pairwise::And => |a, b| truth(a != 0.0 && b != 0.0),
        Pairwise::Or => |a, b| truth(a != 0.0 || b != 0.0),
        Pairwise::Xor => |a, b| truth((a != 0.0) != (b != 0.0)),
        Pairwise::BitAnd => |a, b| bits(a, b, |a, b| a & b),
        Pairwise::BitOr => |a, b| bits(a, b, |a, b| a | b),
        Pairwise::BitXor => |a, b| bits(a, b, |a, b| a ^ b),
        Pairwise::ShiftLeft(8) => |a, b| bits(a, b, shift_left::<8>),
        Pairwise::ShiftLeft(16) => |a, b| bits(a, b, shift_left::<16>),
        Pairwise::ShiftLeft(32) => |a, b| bits(a, b, shift_left::<32>),
        Pairwise::ShiftLeft(_) => |a, b| bits(a, b, shift_left::<63>),
        Pairwise::ShiftRight => |a, b| bits(a, b, shift_right),
    }
}

/// Functions of two integers; a division by 0 gives 0.
pub(super) fn integer_pair(function: Pairwise) -> Option<Binary<i64>> {
    Some(match function {
        Pairwise::Div { integer: true } => |a, b| if b == 0 { 0 } else { a.saturating_div(b) },
        Pairwise::Div { integer: false } => return None,
        Pairwise::Mod { floor: false } => |a, b| if b == 0 { 0 } else { a.wrapping_rem(b) },
        Pairwise::Mod { floor: true } => |a, b| match if b == 0 { 0 } else { a.wrapping_rem(b) } {
            remainder if remainder != 0 && (remainder < 0) != (b < 0) => remainder + b,
            remainder => remainder,
        },
        Pairwise::Pow => power,
        Pairwise::Min => i64::min,
        Pairwise::Max => i64::max,
        Pairwise::Equal => |a, b| i64::from(a == b),
        Pairwise::Less => |a, b| i64::from(a < b),
        Pairwise::LessOrEqual => |a, b| i64::from(a <= b),
        Pairwise::And => |a, b| i64::from(a != 0 && b != 0),
        Pairwise::Or => |a, b| i64::from(a != 0 || b != 0),
        Pairwise::Xor => |a, b| i64::from((a != 0) != (b != 0)),
        Pairwise::BitAnd => |a, b| a & b,
        Pairwise::BitOr => |a, b| a | b,
        Pairwise::BitXor => |a, b| a ^ b,
        Pairwise::ShiftLeft(8) => shift_left::<8>,
        Pairwise::ShiftLeft(16) => shift_left::<16>,
        Pairwise::ShiftLeft(32) => shift_left::<32>,
        Pairwise::ShiftLeft(_) => shift_left::<63>,
        Pairwise::ShiftRight => shift_right,
    })
}

/// `a^b`, saturating; the integer part of it for a negative exponent.
fn power(a: i64, b: i64) -> i64 {
    match (a, u32::try_from(b)) {
        (_, Ok(b)) => a.saturating_pow(b),
        (0 | 1, _) => a,
        (-1, _) => {
            if b % 2 == 0 {
                1
            } else {
                -1
            }
        }
        (_, Err(_)) if b < 0 => 0,
        _ => {
            if a < 0 && b % 2 != 0 {
                i64::MIN
            } else {
                i64::MAX
            }
        }
    }
}

/// `a · 2^b` modulo `2^W`.
fn shift_left<const W: u32>(a: i64, b: i64) -> i64 {
    let shifted = u32::try_from(b).ok().filter(|&b| b < W).and_then(|b| a.checked_shl(b));
    shifted.unwrap_or(0) & ((1u64 << W) - 1).cast_signed()
}

fn shift_right(a: i64, b: i64) -> i64 {
    u32::try_from(b).ok().and_then(|b| a.checked_shr(b)).unwrap_or(0)
}

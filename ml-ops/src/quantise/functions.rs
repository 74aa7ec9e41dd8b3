//! Functions of one number in f64.

use crate::graph::Function;

/// A function of a real number.
pub(super) fn real(function: Function, x: f64) -> f64 {
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

//! Operators that only real numbers have.

use super::{Operand, elementwise, functions, lines, pool};
use crate::{graph::Operator, num};

/// See [`super::evaluate`].
pub(super) fn evaluate(operator: &Operator, operands: &[Operand<'_>], shape: &[usize]) -> Option<Vec<f32>> {
    let x = *operands.first()?;
    Some(match operator {
        Operator::AveragePool { window, count_pad } => pool::average(x, window, *count_pad, shape),
        Operator::LeakyRelu { alpha } => elementwise::unary(x, |v| if v < 0.0 { v * alpha } else { v }),
        Operator::Sigmoid => elementwise::unary(x, |v| num::single(functions::sigmoid(f64::from(v)))),
        Operator::Tanh => elementwise::unary(x, |v| num::single(libm::tanh(f64::from(v)))),
        Operator::Quantise(encoding) => elementwise::unary(x, |v| elementwise::quantise(v, encoding)),
        Operator::Softmax { axis } => lines::softmax(x, *axis, false),
        Operator::LogSoftmax { axis } => lines::softmax(x, *axis, true),
        Operator::Normalise { axes, epsilon, centre } => lines::normalise(x, axes, *epsilon, *centre),
        Operator::Resample { axis, taps } => lines::resample(x, *axis, taps),
        _ => return None,
    })
}

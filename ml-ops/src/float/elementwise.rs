//! Element by element, with broadcasting.

use super::{Operand, number::Number};
use crate::{graph::Encoding, moves, num};

pub(super) fn unary<T: Number>(x: Operand<'_, T>, f: impl Fn(T) -> T) -> Vec<T> {
    x.data.iter().map(|&v| f(v)).collect()
}

/// Where each element of the result finds its operand.
fn offsets(operand: &[usize], shape: &[usize]) -> Vec<usize> {
    let mut offsets = Vec::with_capacity(crate::graph::elements(shape));
    moves::for_each_offset(shape, &moves::broadcast_strides(operand, shape), |offset| offsets.push(offset));
    offsets
}

pub(super) fn binary<T: Number>(
    a: Operand<'_, T>,
    b: Operand<'_, T>,
    shape: &[usize],
    f: impl Fn(T, T) -> T,
) -> Vec<T> {
    if a.shape == shape && b.shape == shape {
        return a.data.iter().zip(b.data).map(|(&a, &b)| f(a, b)).collect();
    }
    match (a.data, b.data) {
        ([a], _) if b.shape == shape => b.data.iter().map(|&b| f(*a, b)).collect(),
        (_, [b]) if a.shape == shape => a.data.iter().map(|&a| f(a, *b)).collect(),
        _ => offsets(a.shape, shape)
            .into_iter()
            .zip(offsets(b.shape, shape))
            .map(|(i, j)| f(a.data[i], b.data[j]))
            .collect(),
    }
}

/// `a` where the condition is not 0, else `b`.
pub(super) fn select<T: Number>(operands: &[Operand<'_, T>], shape: &[usize]) -> Vec<T> {
    let (condition, a, b) = (operands[0], operands[1], operands[2]);
    let places = offsets(condition.shape, shape).into_iter().zip(offsets(a.shape, shape)).zip(offsets(b.shape, shape));
    places.map(|((c, i), j)| if condition.data[c] == T::ZERO { b.data[j] } else { a.data[i] }).collect()
}

/// ONNX's rule: the quotient in f32, ties to even, saturated.
pub(super) fn quantise(x: f32, encoding: &Encoding) -> f32 {
    let scale = num::single(encoding.scale);
    let stored = num::round(f64::from(x / scale)).saturating_add(encoding.zero_point);
    let stored = encoding.dtype.saturate(stored);
    num::single(num::real(stored - encoding.zero_point)) * scale
}

//! Element by element, and along one axis.

use super::Operand;
use crate::{graph::Encoding, moves, num};

pub(super) fn unary(x: Operand<'_>, f: impl Fn(f32) -> f32) -> Vec<f32> {
    x.data.iter().map(|&v| f(v)).collect()
}

pub(super) fn binary(a: Operand<'_>, b: Operand<'_>, shape: &[usize], f: impl Fn(f32, f32) -> f32) -> Vec<f32> {
    let offsets = |x: Operand<'_>| {
        let mut offsets = Vec::new();
        moves::for_each_offset(shape, &moves::broadcast_strides(x.shape, shape), |offset| offsets.push(offset));
        offsets
    };
    if a.shape == shape && b.shape == shape {
        return a.data.iter().zip(b.data).map(|(&a, &b)| f(a, b)).collect();
    }
    offsets(a).into_iter().zip(offsets(b)).map(|(i, j)| f(a.data[i], b.data[j])).collect()
}

pub(super) fn sigmoid(x: f32) -> f32 {
    num::single(1.0 / (1.0 + libm::exp(-f64::from(x))))
}

pub(super) fn tanh(x: f32) -> f32 {
    num::single(libm::tanh(f64::from(x)))
}

/// ONNX's rule: the quotient in f32, ties to even, saturated.
pub(super) fn quantise(x: f32, encoding: &Encoding) -> f32 {
    let scale = num::single(encoding.scale);
    let stored = num::round(f64::from(x / scale)).saturating_add(encoding.zero_point);
    let stored = encoding.dtype.saturate(stored);
    num::single(num::real(stored - encoding.zero_point)) * scale
}

/// Calls `visit` with the first offset and the stride of every line along an axis, in row-major order of the rest.
fn lines(shape: &[usize], axis: usize, mut visit: impl FnMut(usize, usize)) {
    let inner: usize = shape[axis + 1..].iter().product();
    let outer: usize = shape[..axis].iter().product();
    for row in 0..outer {
        for column in 0..inner {
            visit(row * shape[axis] * inner + column, inner);
        }
    }
}

pub(super) fn softmax(x: Operand<'_>, axis: usize) -> Vec<f32> {
    let mut result = vec![0.0; x.data.len()];
    lines(x.shape, axis, |first, stride| {
        let places = (0..x.shape[axis]).map(|i| first + i * stride);
        let largest = places.clone().map(|p| x.data[p]).fold(f32::NEG_INFINITY, f32::max);
        let exp = |p: usize| libm::exp(f64::from(x.data[p]) - f64::from(largest));
        let total: f64 = places.clone().map(exp).sum();
        for p in places {
            result[p] = num::single(exp(p) / total);
        }
    });
    result
}

pub(super) fn arg_max(x: Operand<'_>, axis: usize, last: bool) -> Vec<f32> {
    let mut result = Vec::new();
    lines(x.shape, axis, |first, stride| {
        let mut best = 0;
        for i in 1..x.shape[axis] {
            let (value, leader) = (x.data[first + i * stride], x.data[first + best * stride]);
            if value > leader || (last && value >= leader) {
                best = i;
            }
        }
        result.push(num::single(num::real(num::signed(best))));
    });
    result
}

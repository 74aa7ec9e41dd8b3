//! Along one axis, and over groups of axes.

use super::{Operand, number::Number};
use crate::{
    graph::{Reduction, elements},
    moves, num,
};

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

/// Each line of `x` becomes a line of the result, which has `extent` elements along the axis.
fn map_lines<T: Number>(x: Operand<'_, T>, axis: usize, extent: usize, mut f: impl FnMut(&[T], &mut [T])) -> Vec<T> {
    let mut shape = x.shape.to_vec();
    shape[axis] = extent;
    let mut places = Vec::new();
    lines(&shape, axis, |first, _| places.push(first));
    let mut result = vec![T::ZERO; elements(&shape)];
    let (mut from, mut to) = (Vec::with_capacity(x.shape[axis]), vec![T::ZERO; extent]);
    let mut places = places.into_iter();
    lines(x.shape, axis, |first, stride| {
        from.clear();
        from.extend((0..x.shape[axis]).map(|i| x.data[first + i * stride]));
        f(&from, &mut to);
        if let Some(place) = places.next() {
            for (i, &value) in to.iter().enumerate() {
                result[place + i * stride] = value;
            }
        }
    });
    result
}

/// `exp(x − max) / Σ`, or its logarithm.
pub(super) fn softmax(x: Operand<'_>, axis: usize, logarithm: bool) -> Vec<f32> {
    map_lines(x, axis, x.shape[axis], |from, to| {
        let largest = f64::from(from.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        let total: f64 = from.iter().map(|&v| libm::exp(f64::from(v) - largest)).sum();
        for (to, &v) in to.iter_mut().zip(from) {
            let above = f64::from(v) - largest;
            *to = num::single(if logarithm { above - libm::log(total) } else { libm::exp(above) / total });
        }
    })
}

pub(super) fn arg_max<T: Number>(x: Operand<'_, T>, axis: usize, last: bool) -> Vec<T> {
    map_lines(x, axis, 1, |line, to| {
        let mut best = 0;
        for i in 1..line.len() {
            if line[i] > line[best] || (last && line[i] >= line[best]) {
                best = i;
            }
        }
        to[0] = T::of_count(best);
    })
}

pub(super) fn top_k<T: Number>(x: Operand<'_, T>, axis: usize, k: usize, largest: bool, indices: bool) -> Vec<T> {
    map_lines(x, axis, k, |line, to| {
        let mut order: Vec<usize> = (0..line.len()).collect();
        order.sort_by(|&i, &j| {
            let (a, b) = if largest { (line[j], line[i]) } else { (line[i], line[j]) };
            a.partial_cmp(&b).unwrap_or(std::cmp::Ordering::Equal)
        });
        for (to, &i) in to.iter_mut().zip(&order) {
            *to = if indices { T::of_count(i) } else { line[i] };
        }
    })
}

pub(super) fn running_sum<T: Number>(x: Operand<'_, T>, axis: usize, exclusive: bool, reverse: bool) -> Vec<T> {
    map_lines(x, axis, x.shape[axis], |from, to| {
        to.copy_from_slice(from);
        if reverse {
            to.reverse();
        }
        T::sums(to);
        if exclusive && !to.is_empty() {
            to.rotate_right(1);
            to[0] = T::ZERO;
        }
        if reverse {
            to.reverse();
        }
    })
}

pub(super) fn resample(x: Operand<'_>, axis: usize, taps: &[Vec<(usize, f32)>]) -> Vec<f32> {
    map_lines(x, axis, taps.len(), |from, to| {
        for (to, taps) in to.iter_mut().zip(taps) {
            *to = num::single(taps.iter().map(|&(i, weight)| f64::from(weight) * f64::from(from[i])).sum());
        }
    })
}

/// Offsets of the groups' first elements, and offsets inside a group, for groups that extend over `axes`.
fn groups(shape: &[usize], axes: &[usize]) -> (Vec<usize>, Vec<usize>) {
    let strides = moves::strides(shape);
    let along = |wanted: bool| {
        let chosen = (0..shape.len()).filter(|axis| axes.contains(axis) == wanted);
        let (extents, strides): (Vec<usize>, Vec<usize>) = chosen.map(|axis| (shape[axis], strides[axis])).unzip();
        let mut offsets = Vec::new();
        moves::for_each_offset(&extents, &strides, |offset| offsets.push(offset));
        offsets
    };
    (along(false), along(true))
}

pub(super) fn reduce<T: Number>(x: Operand<'_, T>, kind: Reduction, axes: &[usize]) -> Option<Vec<T>> {
    let (firsts, inner) = groups(x.shape, axes);
    firsts.iter().map(|first| T::reduce(kind, inner.iter().map(|offset| x.data[first + offset]))).collect()
}

/// `(x − mean) / √(variance + ε)`, or without the mean.
pub(super) fn normalise(x: Operand<'_>, axes: &[usize], epsilon: f32, centre: bool) -> Vec<f32> {
    let (firsts, inner) = groups(x.shape, axes);
    let count = num::real(num::signed(inner.len()));
    let mut result = vec![0.0; x.data.len()];
    for first in firsts {
        let group = || inner.iter().map(|offset| f64::from(x.data[first + offset]));
        let mean = if centre { group().sum::<f64>() / count } else { 0.0 };
        let variance = group().map(|v| (v - mean) * (v - mean)).sum::<f64>() / count;
        let root = libm::sqrt(variance + f64::from(epsilon));
        for offset in &inner {
            result[first + offset] = num::single((f64::from(x.data[first + offset]) - mean) / root);
        }
    }
    result
}

//! Elements chosen by index. An index beyond the extents reads 0.

use super::{Operand, number::Number};
use crate::{graph::elements, moves, num};

/// Result index `j` along each axis reads index `sources[j]`, or `fill`.
pub(super) fn take<T: Number>(x: Operand<'_, T>, axes: &[Option<Vec<Option<usize>>>], fill: T) -> Vec<T> {
    let strides = moves::strides(x.shape);
    let steps: Vec<Vec<Option<usize>>> = axes
        .iter()
        .enumerate()
        .map(|(axis, sources)| match sources {
            Some(sources) => sources.iter().map(|source| source.map(|i| i * strides[axis])).collect(),
            None => (0..x.shape[axis]).map(|i| Some(i * strides[axis])).collect(),
        })
        .collect();
    let mut result = Vec::with_capacity(steps.iter().map(Vec::len).product());
    visit(&steps, Some(0), &mut |offset| result.push(offset.map_or(fill, |offset| x.data[offset])));
    result
}

fn visit(steps: &[Vec<Option<usize>>], base: Option<usize>, f: &mut impl FnMut(Option<usize>)) {
    match steps.split_first() {
        None => f(base),
        Some((step, rest)) => {
            for offset in step {
                visit(rest, base.zip(*offset).map(|(base, offset)| base + offset), f);
            }
        }
    }
}

/// An index along `extent`, counted from the end if negative.
fn counted<T: Number>(index: T, extent: usize) -> Option<usize> {
    let index = index.integer();
    let index = if index < 0 { index.saturating_add(num::signed(extent)) } else { index };
    num::index(index).filter(|&index| index < extent)
}

pub(super) fn gather<T: Number>(x: Operand<'_, T>, indices: Operand<'_, T>, axis: usize) -> Vec<T> {
    let (extent, inner) = (x.shape[axis], elements(&x.shape[axis + 1..]));
    let mut result = Vec::with_capacity(elements(&x.shape[..axis]) * indices.data.len() * inner);
    for row in 0..elements(&x.shape[..axis]) {
        for &index in indices.data {
            match counted(index, extent) {
                Some(index) => result.extend_from_slice(&x.data[(row * extent + index) * inner..][..inner]),
                None => result.resize(result.len() + inner, T::ZERO),
            }
        }
    }
    result
}

pub(super) fn gather_elements<T: Number>(x: Operand<'_, T>, indices: Operand<'_, T>, axis: usize) -> Vec<T> {
    let mut strides = moves::strides(x.shape);
    let stride = std::mem::take(&mut strides[axis]);
    let mut result = Vec::with_capacity(indices.data.len());
    let mut numbers = indices.data.iter();
    moves::for_each_offset(indices.shape, &strides, |offset| {
        let index = numbers.next().and_then(|&index| counted(index, x.shape[axis]));
        result.push(index.map_or(T::ZERO, |index| x.data[offset + index * stride]));
    });
    result
}

pub(super) fn gather_nd<T: Number>(x: Operand<'_, T>, indices: Operand<'_, T>, batch: usize) -> Vec<T> {
    let width = indices.shape.last().copied().unwrap_or(1);
    let strides = moves::strides(x.shape);
    let inner = elements(&x.shape[batch + width..]);
    let per_batch = indices.data.len() / width / elements(&x.shape[..batch]).max(1);
    let image = elements(&x.shape[batch..]);
    let mut result = Vec::with_capacity(indices.data.len() / width * inner);
    for (number, tuple) in indices.data.chunks(width).enumerate() {
        let start = number.checked_div(per_batch).map(|row| row * image);
        let offset = tuple.iter().enumerate().try_fold(start.unwrap_or(0), |offset, (j, &index)| {
            Some(offset + counted(index, x.shape[batch + j])? * strides[batch + j])
        });
        match offset {
            Some(offset) => result.extend_from_slice(&x.data[offset..][..inner]),
            None => result.resize(result.len() + inner, T::ZERO),
        }
    }
    result
}

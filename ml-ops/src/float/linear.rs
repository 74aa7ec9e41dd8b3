//! Matrix products and convolutions.

use rayon::prelude::*;

use super::{Operand, number::Number, taps::Taps};
use crate::{graph::Window, moves};

/// Results that one task computes.
const BLOCK: usize = 64;

/// `f(row, column)` for all rows and columns, row-major.
fn table<T: Number>(rows: usize, columns: usize, f: impl Fn(usize, usize) -> T + Sync) -> Vec<T> {
    let mut result = vec![T::ZERO; rows * columns];
    result.par_chunks_mut(BLOCK).enumerate().for_each(|(block, places)| {
        for (i, place) in places.iter_mut().enumerate() {
            let number = block * BLOCK + i;
            *place = f(number / columns, number % columns);
        }
    });
    result
}

pub(super) fn dense<T: Number>(x: Operand<'_, T>, w: Operand<'_, T>, b: Option<Operand<'_, T>>) -> Vec<T> {
    let (n, k) = (w.shape[0], w.shape[1]);
    table(x.data.len() / k, n, |row, column| {
        let sum = T::dot(&x.data[row * k..(row + 1) * k], &w.data[column * k..(column + 1) * k]);
        b.map_or(sum, |b| sum.plus(b.data[column]))
    })
}

pub(super) fn matmul<T: Number>(a: Operand<'_, T>, b: Operand<'_, T>, shape: &[usize]) -> Vec<T> {
    let rank = shape.len();
    let (m, n) = (shape[rank - 2], shape[rank - 1]);
    let k = a.shape[a.shape.len() - 1];
    let batch = &shape[..rank - 2];
    let offsets = |x: &[usize], size: usize| {
        let strides = moves::broadcast_strides(&x[..x.len() - 2], batch);
        let mut offsets = Vec::new();
        moves::for_each_offset(batch, &strides, |offset| offsets.push(offset * size));
        offsets
    };
    let mut result = Vec::with_capacity(shape.iter().product());
    for (a_at, b_at) in offsets(a.shape, m * k).into_iter().zip(offsets(b.shape, k * n)) {
        let columns = moves::transpose(&[k, n], &b.data[b_at..b_at + k * n], &[1, 0]);
        let rows = &a.data[a_at..a_at + m * k];
        result.extend(table(m, n, |row, column| {
            T::dot(&rows[row * k..(row + 1) * k], &columns[column * k..(column + 1) * k])
        }));
    }
    result
}

pub(super) fn conv<T: Number>(operands: &[Operand<'_, T>], window: &Window, groups: usize, shape: &[usize]) -> Vec<T> {
    let (x, w, bias) = (operands[0], operands[1], operands.get(2));
    let taps = Taps::new(window, x.shape, shape);
    let (positions, width) = (taps.count(), taps.width());
    let (channels, outputs) = (x.shape[1], shape[1]);
    let plane: usize = x.shape[2..].iter().product();
    let (k, per_group_out) = (channels / groups * width, outputs / groups);
    let blocks = positions.div_ceil(BLOCK);
    // The windows of a block of positions are laid out once; then each row of weights goes over all of them.
    let block = |number: usize| {
        let image = &x.data[number / blocks * channels * plane..][..channels * plane];
        let first = number % blocks * BLOCK;
        let count = BLOCK.min(positions - first);
        let mut patches = vec![T::ZERO; count * channels * width];
        for (patch, position) in patches.chunks_mut(channels * width).zip(first..) {
            let (offsets, _) = taps.at(position);
            for (row, data) in patch.chunks_mut(width).zip(image.chunks(plane)) {
                for (place, offset) in row.iter_mut().zip(&offsets) {
                    *place = offset.map_or(T::ZERO, |offset| data[offset]);
                }
            }
        }
        let mut sums = Vec::with_capacity(outputs * count);
        for (output, weights) in w.data.chunks(k).enumerate() {
            let start = output / per_group_out * k;
            sums.extend(patches.chunks(channels * width).map(|patch| {
                let sum = T::dot(&patch[start..start + k], weights);
                bias.map_or(sum, |bias| sum.plus(bias.data[output]))
            }));
        }
        sums
    };
    let sums: Vec<Vec<T>> = (0..x.shape[0] * blocks).into_par_iter().map(block).collect();
    let mut result = Vec::with_capacity(shape.iter().product());
    for image in sums.chunks(blocks) {
        for output in 0..outputs {
            for sums in image {
                let count = sums.len() / outputs;
                result.extend_from_slice(&sums[output * count..(output + 1) * count]);
            }
        }
    }
    result
}

//! Matrix products and convolutions.

use super::{Operand, taps::Taps};
use crate::{graph::Window, moves};

/// Partial sums that are kept apart; their number and the order of the final sum are part of the result.
const LANES: usize = 16;

/// `Σ a·b` in a fixed order.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a_chunks, a_rest) = a.as_chunks::<LANES>();
    let (b_chunks, b_rest) = b.as_chunks::<LANES>();
    let mut lanes = [0.0f32; LANES];
    for (a, b) in a_chunks.iter().zip(b_chunks) {
        for (lane, (x, y)) in lanes.iter_mut().zip(a.iter().zip(b)) {
            *lane += x * y;
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(x, y)| x * y).sum();
    lanes.iter().sum::<f32>() + rest
}

pub(super) fn dense(x: Operand<'_>, w: Operand<'_>, b: Option<Operand<'_>>) -> Vec<f32> {
    let k = w.shape[1];
    let rows = x.data.chunks(k);
    rows.flat_map(|row| {
        let outputs = w.data.chunks(k).enumerate();
        outputs.map(|(n, weights)| dot(row, weights) + b.map_or(0.0, |b| b.data[n])).collect::<Vec<_>>()
    })
    .collect()
}

pub(super) fn matmul(a: Operand<'_>, b: Operand<'_>, shape: &[usize]) -> Vec<f32> {
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
        for row in a.data[a_at..a_at + m * k].chunks(k) {
            result.extend(columns.chunks(k).map(|column| dot(row, column)));
        }
    }
    result
}

pub(super) fn conv(
    x: Operand<'_>,
    w: Operand<'_>,
    b: Option<Operand<'_>>,
    window: &Window,
    groups: usize,
    shape: &[usize],
) -> Vec<f32> {
    let taps = Taps::new(window, x.shape, shape);
    let (positions, width) = (taps.count(), taps.width());
    let (channels, outputs) = (x.shape[1], shape[1]);
    let plane: usize = x.shape[2..].iter().product();
    let (per_group, per_group_out) = (channels / groups, outputs / groups);
    let mut result = vec![0.0; shape.iter().product()];
    let mut patch = vec![0.0; channels * width];
    for position in 0..positions {
        let (offsets, _) = taps.at(position);
        for image in 0..x.shape[0] {
            for (channel, row) in patch.chunks_mut(width).enumerate() {
                let data = &x.data[(image * channels + channel) * plane..];
                for (place, offset) in row.iter_mut().zip(&offsets) {
                    *place = offset.map_or(0.0, |offset| data[offset]);
                }
            }
            for output in 0..outputs {
                let group = output / per_group_out;
                let k = per_group * width;
                let sum = dot(&patch[group * k..(group + 1) * k], &w.data[output * k..(output + 1) * k]);
                result[(image * outputs + output) * positions + position] = sum + b.map_or(0.0, |b| b.data[output]);
            }
        }
    }
    result
}

//! Pooling.

use super::{Operand, number::Number, taps::Taps};
use crate::{graph::Window, num};

fn pool<T: Number>(
    x: Operand<'_, T>,
    window: &Window,
    shape: &[usize],
    f: impl Fn(&[T], &[Option<usize>], usize) -> T,
) -> Vec<T> {
    let taps = Taps::new(window, x.shape, shape);
    let offsets: Vec<_> = (0..taps.count()).map(|position| taps.at(position)).collect();
    let channel: usize = x.shape[2..].iter().product();
    let planes = x.data.chunks(channel);
    planes
        .flat_map(|plane| offsets.iter().map(|(offsets, padded)| f(plane, offsets, *padded)).collect::<Vec<_>>())
        .collect()
}

pub(super) fn max<T: Number>(x: Operand<'_, T>, window: &Window, shape: &[usize]) -> Vec<T> {
    pool(x, window, shape, |plane, offsets, _| {
        let covered = offsets.iter().flatten().map(|&o| plane[o]);
        covered.fold(T::LOWEST, |best, v| if v > best { v } else { best })
    })
}

/// The divisor is the number of covered elements, or of padded places.
pub(super) fn average(x: Operand<'_>, window: &Window, count_pad: bool, shape: &[usize]) -> Vec<f32> {
    pool(x, window, shape, |plane, offsets, padded| {
        let sum: f64 = offsets.iter().flatten().map(|&o| f64::from(plane[o])).sum();
        let count = if count_pad { padded } else { offsets.iter().flatten().count() };
        num::single(sum / num::real(num::signed(count.max(1))))
    })
}

//! Which elements a window covers at each position.

use crate::graph::{MAX_SPATIAL, Window};

/// Offsets inside one channel's spatial extents; `None` in the padding.
pub(super) struct Taps<'a> {
    window: &'a Window,
    spatial: &'a [usize],
    positions: &'a [usize],
}

impl<'a> Taps<'a> {
    /// Taps over extents `x [N, C, ..]` for result extents `y [N, M, ..]`.
    pub(super) fn new(window: &'a Window, x: &'a [usize], y: &'a [usize]) -> Self {
        Self { window, spatial: &x[2..], positions: &y[2..] }
    }

    /// Number of positions.
    pub(super) fn count(&self) -> usize {
        self.positions.iter().product()
    }

    /// Taps of one window.
    pub(super) fn width(&self) -> usize {
        self.window.kernel.iter().product()
    }

    /// The offsets at position number `position`, and how many lie inside the padded extents.
    pub(super) fn at(&self, position: usize) -> (Vec<Option<usize>>, usize) {
        let origin = digits(position, self.positions);
        let mut padded = 0;
        let offsets = (0..self.width()).map(|tap| {
            let tap = digits(tap, &self.window.kernel);
            let mut offset = Some(0);
            let mut inside = true;
            for axis in 0..self.spatial.len() {
                let place = origin[axis] * self.window.strides[axis] + tap[axis] * self.window.dilations[axis];
                let (before, extent) = (self.window.before[axis], self.spatial[axis]);
                inside &= place < before + extent + self.window.after[axis];
                let index = place.checked_sub(before).filter(|&index| index < extent);
                offset = offset.zip(index).map(|(offset, index)| offset * extent + index);
            }
            padded += usize::from(inside);
            offset
        });
        let offsets = offsets.collect();
        (offsets, padded)
    }
}

/// Row-major digits; the reader allows at most [`MAX_SPATIAL`] axes.
fn digits(mut number: usize, extents: &[usize]) -> [usize; MAX_SPATIAL] {
    let mut digits = [0; MAX_SPATIAL];
    for axis in (0..extents.len()).rev() {
        digits[axis] = number % extents[axis];
        number /= extents[axis];
    }
    digits
}

//! The loops of an instruction: rows, lanes and terms.
//!
//! Lanes are the innermost output axis, or the innermost reduction axis. Rows are the output axes that are left, terms the
//! reduction axes that are left. Neighbouring axes over which every sum runs on evenly are one axis.

use super::access::Sum;
use crate::engine::load::{Extents, FIRST_K, size};

/// Axes by number, slowest first, with their extents.
pub(super) type Axes = Vec<(usize, i64)>;

/// The loops of a program.
#[derive(Debug, Clone)]
pub(super) struct Space {
    pub(super) rows: Axes,
    pub(super) terms: Axes,
    /// Number of the axis of lanes.
    pub(super) lane: usize,
    /// Its extent.
    pub(super) width: usize,
}

impl Space {
    /// Lanes along the innermost output axis, or the innermost reduction axis.
    pub(super) fn new(extents: &Extents, terms_as_lanes: bool) -> Self {
        let axes = |range: std::ops::Range<usize>| -> Axes {
            range.map(|axis| (axis, extents[axis])).filter(|&(_, extent)| extent != 1).collect()
        };
        let (mut rows, mut terms) = (axes(0..FIRST_K), axes(FIRST_K..16));
        let lane = if terms_as_lanes { terms.pop() } else { rows.pop() };
        let (lane, width) = lane.unwrap_or((FIRST_K - 1, 1));
        Self { rows, terms, lane, width: size(width) }
    }

    /// Bits of axes.
    pub(super) fn mask(axes: &[(usize, i64)]) -> u32 {
        axes.iter().fold(0, |mask, (axis, _)| mask | 1 << axis)
    }

    /// Number of points of some axes.
    pub(super) fn count(axes: &[(usize, i64)]) -> i64 {
        axes.iter().map(|(_, extent)| extent).product()
    }

    /// Writes the coordinates of point number `number`.
    pub(super) fn point(axes: &[(usize, i64)], number: i64, point: &mut [i64; 16]) {
        let mut rest = number;
        for &(axis, extent) in axes.iter().rev() {
            point[axis] = rest % extent.max(1);
            rest /= extent.max(1);
        }
    }

    /// Goes to the next point; after the last one comes the first.
    pub(super) fn advance(axes: &[(usize, i64)], point: &mut [i64; 16]) {
        for &(axis, extent) in axes.iter().rev() {
            point[axis] += 1;
            if point[axis] < extent {
                return;
            }
            point[axis] = 0;
        }
    }

    /// Cuts a range of elements into blocks of at most `limit` lanes: whole rows, or part of one.
    pub(super) fn blocks(&self, first: usize, count: usize, limit: usize) -> impl Iterator<Item = Block> + use<> {
        let width = self.width.max(1);
        let (mut at, end) = (first, first + count);
        std::iter::from_fn(move || {
            let (row, lane) = (at / width, at % width);
            let left = end - at;
            let block = if lane != 0 || left < width || width > limit {
                Block { row, rows: 1, lane, lanes: left.min(width - lane).min(limit) }
            } else {
                Block { row, rows: (left / width).min(limit / width), lane: 0, lanes: width }
            };
            at += block.size();
            (left > 0).then_some(block)
        })
    }
}

/// Lanes of some rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block {
    /// First row.
    pub(super) row: usize,
    pub(super) rows: usize,
    /// First lane in each row.
    pub(super) lane: usize,
    /// Lanes of each row.
    pub(super) lanes: usize,
}

impl Block {
    pub(super) const fn size(&self) -> usize {
        self.rows * self.lanes
    }
}

/// Joins neighbouring axes where every sum allows it and none of the two is in `kept`: the outer one becomes 1.
pub(super) fn merge(extents: &Extents, kept: u32, sums: &[&Sum]) -> Extents {
    let mut merged = *extents;
    for range in [0..FIRST_K, FIRST_K..16] {
        let mut inner: Option<usize> = None;
        for axis in range.rev().filter(|&axis| extents[axis] != 1) {
            let joins = inner.filter(|&inner| {
                let free = (kept >> axis | kept >> inner) & 1 == 0;
                let even = |sum: &Sum| sum.coordinates[inner].checked_mul(merged[inner]) == Some(sum.coordinates[axis]);
                free && sums.iter().copied().all(even)
            });
            match joins {
                Some(inner) => {
                    merged[inner] *= extents[axis];
                    merged[axis] = 1;
                }
                None => inner = Some(axis),
            }
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(coordinates: &[(usize, i64)]) -> Sum {
        let mut sum = Sum::default();
        for &(axis, coefficient) in coordinates {
            sum.coordinates[axis] = coefficient;
        }
        sum
    }

    #[test]
    fn even_axes_join() {
        let mut extents = [1; 16];
        (extents[0], extents[1], extents[3], extents[9], extents[10]) = (2, 3, 5, 4, 7);
        let dense = sum(&[(0, 15), (1, 5), (3, 1), (9, 7), (10, 1)]);
        let merged = merge(&extents, 0, &[&dense]);
        assert_eq!((merged[0], merged[1], merged[3], merged[9], merged[10]), (1, 1, 30, 1, 28));
        let kept = merge(&extents, 1 << 3, &[&dense]);
        assert_eq!((kept[0], kept[1], kept[3]), (1, 6, 5));
        let row = sum(&[(3, 1)]);
        let merged = merge(&extents, 0, &[&dense, &row]);
        assert_eq!((merged[0], merged[1], merged[3], merged[10]), (1, 6, 5, 28));
    }

    #[test]
    fn blocks_cover_a_range_once() {
        let mut extents = [1; 16];
        for (rows, width) in [(7, 5), (1, 1), (3, 64), (2, 200), (5, 33)] {
            (extents[0], extents[1]) = (rows, width);
            let space = Space::new(&extents, false);
            let all = size(rows * width);
            for first in [0, 1, all / 2].into_iter().filter(|&first| first < all) {
                let mut at = first;
                for block in space.blocks(first, all - first, 64) {
                    assert_eq!(block.row * space.width + block.lane, at);
                    assert!(block.size() > 0 && block.size() <= 64);
                    assert!(block.rows == 1 || block.lanes == space.width);
                    at += block.size();
                }
                assert_eq!(at, all);
            }
        }
    }
}

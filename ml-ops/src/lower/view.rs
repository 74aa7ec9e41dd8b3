//! Where the elements of a tensor lie: shapes without copies.

use super::{LowerError, Stored};
use crate::{moves, num};

/// A part of a logical axis: `extent` steps of `stride` elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digit {
    /// Steps.
    pub extent: i64,
    /// Elements from one step to the next; 0 repeats.
    pub stride: i64,
}

/// A tensor of a logical shape over stored elements. Each logical axis is a list of digits, slowest first, so that
/// transposing, splitting and merging axes only rearranges digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// The stored tensor.
    pub stored: Stored,
    /// Digits of each logical axis; an axis of extent 1 has none.
    pub axes: Vec<Vec<Digit>>,
}

impl View {
    /// Row-major elements of a shape.
    pub fn contiguous(stored: Stored, shape: &[i64]) -> Self {
        let mut stride = 1;
        let mut axes: Vec<Vec<Digit>> = Vec::with_capacity(shape.len());
        for &extent in shape.iter().rev() {
            axes.push(digit(extent, stride));
            stride *= extent;
        }
        axes.reverse();
        Self { stored, axes }
    }

    /// Logical extents.
    pub fn shape(&self) -> Vec<i64> {
        self.axes.iter().map(|digits| product(digits)).collect()
    }

    /// Number of logical elements.
    pub fn elements(&self) -> i64 {
        self.shape().iter().product()
    }

    /// Logical axis `j` becomes axis `perm[j]` of this one.
    #[must_use]
    pub fn transpose(&self, perm: &[usize]) -> Self {
        let axes = perm.iter().map(|&axis| self.axes.get(axis).cloned().unwrap_or_default()).collect();
        Self { stored: self.stored.clone(), axes }
    }

    /// The same elements in row-major order with another shape; `None` if a digit would be cut unevenly.
    pub fn reshape(&self, shape: &[i64]) -> Option<Self> {
        let mut digits = merged(&self.axes.concat());
        digits.reverse();
        let mut axes = Vec::with_capacity(shape.len());
        for &extent in shape.iter().rev() {
            // Takes digits from the fastest end until the extent is filled.
            let (mut axis, mut left) = (Vec::new(), extent);
            while left > 1 {
                let first = digits.first_mut()?;
                if first.extent <= left {
                    if left % first.extent != 0 {
                        return None;
                    }
                    left /= first.extent;
                    axis.push(digits.remove(0));
                } else {
                    if first.extent % left != 0 {
                        return None;
                    }
                    axis.push(Digit { extent: left, stride: first.stride });
                    *first = Digit { extent: first.extent / left, stride: first.stride * left };
                    left = 1;
                }
            }
            axis.reverse();
            axes.push(axis);
        }
        axes.reverse();
        digits.is_empty().then(|| Self { stored: self.stored.clone(), axes })
    }

    /// Aligned to a broadcast shape: missing and unit axes repeat.
    #[must_use]
    pub fn broadcast(&self, shape: &[i64]) -> Self {
        let lead = shape.len().saturating_sub(self.axes.len());
        let own = self.shape();
        let axes = shape.iter().enumerate().map(|(axis, &extent)| {
            let inner = axis.checked_sub(lead);
            match inner.and_then(|axis| Some((self.axes.get(axis)?, own.get(axis)?))) {
                Some((digits, &own)) if own == extent => digits.clone(),
                _ => digit(extent, 0),
            }
        });
        Self { stored: self.stored.clone(), axes: axes.collect() }
    }

    /// Number of the stored element for each logical element, row-major.
    pub fn offsets(&self) -> Vec<usize> {
        let digits = self.axes.concat();
        let size = |n: i64| num::index(n).unwrap_or(0);
        let extents: Vec<usize> = digits.iter().map(|digit| size(digit.extent)).collect();
        let strides: Vec<usize> = digits.iter().map(|digit| size(digit.stride)).collect();
        let mut offsets = Vec::new();
        moves::for_each_offset(&extents, &strides, |offset| offsets.push(offset));
        offsets
    }

    /// Whether the elements lie row-major without gaps.
    pub fn is_contiguous(&self) -> bool {
        self.elements() == self.stored.elements
            && matches!(merged(&self.axes.concat()).as_slice(), [] | [Digit { stride: 1, .. }])
    }

    /// The single digit of an axis; an axis of extent 1 has stride 0.
    ///
    /// # Errors
    /// The axis consists of several digits.
    pub fn digit(&self, axis: usize) -> Result<Digit, LowerError> {
        match merged(self.axes.get(axis).map_or(&[], Vec::as_slice)).as_slice() {
            [] => Ok(Digit { extent: 1, stride: 0 }),
            [digit] => Ok(*digit),
            _ => Err(LowerError::Layout("an axis lies in several parts")),
        }
    }
}

/// The digits of one axis; none for extent 1.
fn digit(extent: i64, stride: i64) -> Vec<Digit> {
    if extent == 1 { Vec::new() } else { vec![Digit { extent, stride }] }
}

/// Product of the extents.
pub(super) fn product(digits: &[Digit]) -> i64 {
    digits.iter().map(|digit| digit.extent).product()
}

/// Digits joined where one continues the other.
pub(super) fn merged(digits: &[Digit]) -> Vec<Digit> {
    let mut result: Vec<Digit> = Vec::new();
    for digit in digits.iter().filter(|digit| digit.extent != 1) {
        match result.last_mut() {
            Some(last) if last.stride == digit.stride * digit.extent => {
                *last = Digit { extent: last.extent * digit.extent, stride: digit.stride };
            }
            _ => result.push(*digit),
        }
    }
    result
}

//! Where the elements of a tensor lie: shapes without copies.

use super::{LowerError, Stored};
use crate::num;

/// A part of a logical axis: `extent` steps of `stride` elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digit {
    /// Steps.
    pub extent: i64,
    /// Elements from one step to the next; 0 repeats, negative ones go back.
    pub stride: i64,
}

/// A tensor of a logical shape over stored elements. Each logical axis is a list of digits, slowest first, so that
/// transposing, splitting and merging axes only rearranges digits, and slices only shorten them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// The stored tensor.
    pub stored: Stored,
    /// Stored element of the first logical one.
    pub base: i64,
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
        Self { stored, base: 0, axes }
    }

    /// Other digits over the same elements.
    #[must_use]
    pub(super) fn with(&self, axes: Vec<Vec<Digit>>) -> Self {
        Self { stored: self.stored.clone(), base: self.base, axes }
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
        self.with(axes)
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
        digits.is_empty().then(|| self.with(axes))
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
        self.with(axes.collect())
    }

    /// Number of the stored element for each logical element, row-major.
    pub fn offsets(&self) -> Vec<usize> {
        let mut offsets = vec![self.base];
        for digit in self.axes.concat() {
            let steps = |&start: &i64| (0..digit.extent).map(move |step| start + step * digit.stride);
            offsets = offsets.iter().flat_map(steps).collect();
        }
        offsets.into_iter().map(|offset| num::index(offset).unwrap_or(0)).collect()
    }

    /// Whether every stored element is one of the view.
    pub fn covers(&self) -> bool {
        self.base == 0 && self.elements() == self.stored.elements && self.axes.iter().flatten().all(|d| d.stride > 0)
    }

    /// Whether the elements lie row-major without gaps.
    pub fn is_contiguous(&self) -> bool {
        self.base == 0
            && self.elements() == self.stored.elements
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

/// Axes in the order in which a tensor stores them, slowest first.
pub(super) fn stored_order(digits: &[Digit]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..digits.len()).collect();
    order.sort_by_key(|&axis| std::cmp::Reverse(digits[axis].stride.abs()));
    order
}

/// Logical axes of the given extents over elements that were stored in an order of the axes.
pub(super) fn from_order(stored: Stored, order: &[usize], extents: &[i64]) -> View {
    let inner: Vec<i64> = order.iter().map(|&axis| extents[axis]).collect();
    let perm: Vec<usize> = (0..order.len()).filter_map(|axis| order.iter().position(|&other| other == axis)).collect();
    View::contiguous(stored, &inner).transpose(&perm)
}

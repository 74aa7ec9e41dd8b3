//! One factor of a sum of products as rows of consecutive numbers.

use opml_vm::{DType, Tensor};

use super::load::{self, Extents, FIRST_K, LoadPlan, size};

/// A factor: a load, less a constant.
#[derive(Debug, Clone)]
pub(super) struct Factor {
    pub(super) load: LoadPlan,
    /// Added to what is loaded, pads included.
    pub(super) offset: i64,
    /// Position of each term, for loads that are inside; else per axis the reduction's share of the index.
    terms: Vec<i64>,
    /// Stretches of consecutive positions: first term, position, length.
    runs: Vec<(usize, i64, usize)>,
    linear: (i64, [i64; 16]),
}

/// Numbers of a row: 16 bits where the factor's range allows it.
pub(super) trait Number: Copy + Default + Send + Sync + TryFrom<i64> {
    /// Sign-extends or widens a stored byte.
    fn from_u8(byte: u8) -> Self;
    /// Same for a signed byte.
    fn from_i8(byte: i8) -> Self;
    /// Adds a constant; the sum is in range.
    fn plus(self, other: Self) -> Self;
}

impl Number for i16 {
    fn from_u8(byte: u8) -> Self {
        Self::from(byte)
    }
    fn from_i8(byte: i8) -> Self {
        Self::from(byte)
    }
    fn plus(self, other: Self) -> Self {
        self.wrapping_add(other)
    }
}

impl Number for i32 {
    fn from_u8(byte: u8) -> Self {
        Self::from(byte)
    }
    fn from_i8(byte: i8) -> Self {
        Self::from(byte)
    }
    fn plus(self, other: Self) -> Self {
        self.wrapping_add(other)
    }
}

impl Factor {
    /// A factor over `terms` terms.
    pub(super) fn new(load: LoadPlan, offset: i64, extents: &Extents, terms: i64) -> Self {
        let linear = if load.inside { load.linear() } else { (0, [0; 16]) };
        let mut positions = Vec::new();
        if load.inside {
            let mut point = [0; 16];
            for _ in 0..terms {
                positions.push((FIRST_K..16).map(|c| linear.1[c] * point[c]).sum());
                load::advance(extents, FIRST_K, &mut point);
            }
        } else {
            let mut point = [0; 16];
            for _ in 0..terms {
                for axis in &load.axes {
                    let reduction = axis.coordinates.iter().filter(|(c, _)| *c >= FIRST_K);
                    positions.push(reduction.map(|&(c, coefficient)| coefficient * point[c]).sum());
                }
                load::advance(extents, FIRST_K, &mut point);
            }
        }
        let runs = if load.inside { runs(&positions) } else { Vec::new() };
        Self { load, offset, terms: positions, runs, linear }
    }

    /// Smallest and largest number, pads included.
    pub(super) fn range(&self) -> (i128, i128) {
        let (mut low, mut high) = (i128::from(self.load.dtype.min()), i128::from(self.load.dtype.max()));
        if !self.load.inside {
            low = low.min(i128::from(self.load.pad));
            high = high.max(i128::from(self.load.pad));
        }
        (low + i128::from(self.offset), high + i128::from(self.offset))
    }

    /// The row at an output point. The tensor is the load's source.
    pub(super) fn gather<T: Number>(&self, tensor: &Tensor, point: &[i64; 16], row: &mut [T]) {
        let offset = T::try_from(self.offset).unwrap_or_default();
        if self.load.inside {
            let start = self.linear.0 + (0..FIRST_K).map(|c| self.linear.1[c] * point[c]).sum::<i64>();
            self.gather_runs(tensor, start, row);
        } else {
            self.gather_checked(tensor, point, row);
        }
        if self.offset != 0 {
            for number in row {
                *number = number.plus(offset);
            }
        }
    }

    fn gather_runs<T: Number>(&self, tensor: &Tensor, start: i64, row: &mut [T]) {
        let bytes = tensor.bytes();
        for &(first, position, length) in &self.runs {
            let at = size(start + position);
            let out = &mut row[first..first + length];
            match self.load.dtype {
                DType::U8 => out.iter_mut().zip(&bytes[at..at + length]).for_each(|(o, &b)| *o = T::from_u8(b)),
                DType::I8 => {
                    let bytes = &bytes[at..at + length];
                    out.iter_mut().zip(bytes).for_each(|(o, &b)| *o = T::from_i8(i8::from_le_bytes([b])));
                }
                dtype => {
                    for (o, index) in out.iter_mut().zip(at..) {
                        *o = element(dtype, bytes, index);
                    }
                }
            }
        }
    }

    fn gather_checked<T: Number>(&self, tensor: &Tensor, point: &[i64; 16], row: &mut [T]) {
        let bytes = tensor.bytes();
        let pad = T::try_from(self.load.pad).unwrap_or_default();
        let rank = self.load.axes.len();
        let mut starts = [0; 8];
        for (start, axis) in starts.iter_mut().zip(&self.load.axes) {
            let outputs = axis.coordinates.iter().filter(|(c, _)| *c < FIRST_K);
            *start = axis.base + outputs.map(|&(c, coefficient)| coefficient * point[c]).sum::<i64>();
        }
        for (number, out) in row.iter_mut().enumerate() {
            let shares = &self.terms[number * rank..(number + 1) * rank];
            let mut position = 0;
            let mut valid = true;
            for (axis, (start, share)) in self.load.axes.iter().zip(starts.iter().zip(shares)) {
                let index = start + share;
                valid &= (0..axis.extent).contains(&index);
                position = position * axis.extent + if valid { index } else { 0 };
            }
            *out = if valid && position < self.load.elements {
                element(self.load.dtype, bytes, size(position))
            } else {
                pad
            };
        }
    }
}

fn element<T: Number>(dtype: DType, bytes: &[u8], index: usize) -> T {
    match dtype {
        DType::U8 => bytes.get(index).map_or_else(T::default, |&b| T::from_u8(b)),
        DType::I8 => bytes.get(index).map_or_else(T::default, |&b| T::from_i8(i8::from_le_bytes([b]))),
        _ => {
            let value = opml_vm::tensor::element_at(dtype, bytes, crate::num::wide(index)).unwrap_or(0);
            T::try_from(value).unwrap_or_default()
        }
    }
}

/// Stretches in which each position follows the one before.
pub(super) fn runs(positions: &[i64]) -> Vec<(usize, i64, usize)> {
    let mut runs: Vec<(usize, i64, usize)> = Vec::new();
    for (term, &position) in positions.iter().enumerate() {
        match runs.last_mut() {
            Some((_, start, length)) if *start + i64::try_from(*length).unwrap_or(0) == position => *length += 1,
            _ => runs.push((term, position, 1)),
        }
    }
    runs
}

//! Weights and other constants as integers.

use opml_vm::DType;

use super::{WeightBits, multiplier};
use crate::{graph::Value, lower::Builder, num};

/// Smallest channel scale relative to the largest, as a power of two. Finer channels would not share a shift with the rest.
const FLOOR: i64 = -12;

/// Integer weights with a scale for each row.
#[derive(Debug, Clone)]
pub(super) struct Weights {
    /// Smallest type that holds them.
    pub(super) dtype: DType,
    /// Rows of weights.
    pub(super) integers: Vec<i64>,
    /// Scale of each row.
    pub(super) scales: Vec<f64>,
}

impl Weights {
    /// Greatest sum of the magnitudes of a row.
    pub(super) fn heaviest(&self) -> i64 {
        let row = self.integers.len() / self.scales.len().max(1);
        let sums = self.integers.chunks(row.max(1)).map(|row| row.iter().map(|w| w.saturating_abs()).sum::<i64>());
        sums.max().unwrap_or(0)
    }

    /// Sum of each row.
    pub(super) fn sums(&self) -> Vec<i64> {
        let row = self.integers.len() / self.scales.len().max(1);
        self.integers.chunks(row.max(1)).map(|row| row.iter().sum()).collect()
    }
}

/// Weights whose first axis counts output channels: the file's integers, or `round(w · 127 / max |w|)` row by row (32767 of 16 bits).
pub(super) fn weights(value: &Value, bits: WeightBits) -> Weights {
    let (dtype, largest_stored) = match bits {
        WeightBits::Bits8 => (DType::I8, 127),
        WeightBits::Bits16 => (DType::I16, 32767),
    };
    let steps = num::real(largest_stored);
    let rows = value.shape.first().copied().unwrap_or(1).max(1);
    if let Some(weights) = from_file(value, rows) {
        return weights;
    }
    let floats = value.floats().unwrap_or(&[]);
    let row = (floats.len() / rows).max(1);
    let mut scales: Vec<f64> =
        floats.chunks(row).map(|row| row.iter().fold(0.0, |m: f64, &w| m.max(f64::from(w).abs())) / steps).collect();
    let largest = scales.iter().fold(0.0, |m: f64, &s| m.max(s));
    let floor = if largest > 1e-30 { largest * multiplier::power(FLOOR) } else { 1.0 };
    for scale in &mut scales {
        *scale = scale.max(floor);
    }
    let quantise = |(row, &scale): (&[f32], &f64)| {
        row.iter().map(|&w| num::round(f64::from(w) / scale).clamp(-largest_stored, largest_stored)).collect::<Vec<_>>()
    };
    let integers = floats.chunks(row).zip(&scales).flat_map(quantise).collect();
    Weights { dtype, integers, scales }
}

fn from_file(value: &Value, rows: usize) -> Option<Weights> {
    let quantised = value.constant.as_ref()?.quantised.as_ref()?;
    let scales: Vec<f64> = match quantised.scales.as_slice() {
        [scale] => vec![f64::from(*scale); rows],
        scales if quantised.axis == 0 && scales.len() == rows => scales.iter().map(|&s| f64::from(s)).collect(),
        _ => return None,
    };
    let row = (quantised.integers.len() / rows).max(1);
    let zero = |number: usize| {
        let points = &quantised.zero_points;
        if points.len() == 1 { points[0] } else { points[number] }
    };
    let rows = quantised.integers.chunks(row).enumerate();
    let integers: Vec<i64> =
        rows.flat_map(|(number, row)| row.iter().map(move |&w| w.saturating_sub(zero(number)))).collect();
    Some(Weights { dtype: Builder::width(&integers), integers, scales })
}

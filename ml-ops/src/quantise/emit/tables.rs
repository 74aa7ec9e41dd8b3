//! Tables of curves: how many cells a curve needs.

use opml_vm::DType;

use super::super::multiplier;
use crate::{
    graph::Encoding,
    lower::{Curve, FRACTION},
    num,
};

/// Fewest and most cells of a table.
const CELLS: [i64; 5] = [256, 512, 1024, 2048, 4096];
/// Extra bits of table entries.
const GUARD: i64 = 8;
/// Largest distance from the exact curve, in units of the result; half a unit is rounding.
const TOLERANCE: f64 = 0.8;
/// Stored numbers at which the distance is measured.
const PROBES: i64 = 1 << 16;

/// What a table maps from and to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target {
    pub(super) from: Encoding,
    pub(super) to: Encoding,
    /// Least stored result.
    pub(super) low: i64,
    /// Greatest stored result.
    pub(super) high: i64,
}

impl Target {
    /// The curve in units of the result without its zero point; 0 where there is no number.
    fn units(&self, f: &dyn Fn(f64) -> f64, stored: f64) -> f64 {
        let y = f((stored - num::real(self.from.zero_point)) * self.from.scale) / self.to.scale;
        if y.is_nan() { 0.0 } else { y }
    }

    /// The nearest units that the result can have.
    fn bounded(&self, units: f64) -> f64 {
        let bound = |stored: i64| num::real(stored.saturating_sub(self.to.zero_point));
        units.max(bound(self.low)).min(bound(self.high))
    }

    /// As a table entry: bounded far outside, so that cells that cross a bound keep their slope.
    fn entry(&self, units: f64) -> i64 {
        let reach = multiplier::power(multiplier::bits(self.to.dtype) + 3);
        num::round(units.max(-reach).min(reach) * multiplier::power(GUARD))
    }

    /// One entry for each stored number of a type.
    pub(super) fn direct(&self, f: &dyn Fn(f64) -> f64, dtype: DType) -> Vec<i64> {
        let entry =
            |stored: i64| num::round(self.bounded(self.units(f, num::real(stored)))).saturating_add(self.to.zero_point);
        (dtype.min()..=dtype.max()).map(entry).collect()
    }
}

/// A table with interpolation.
#[derive(Debug, Clone)]
pub(super) struct Found {
    table: Vec<i64>,
    /// Stored number at which the entry `origin` stands.
    centre: i64,
    origin: i64,
    multiplier: i64,
    shift: i64,
    /// Whether it is within the tolerance wherever it was probed.
    pub(super) accurate: bool,
}

impl Found {
    /// About `cells` cells, each of a whole number of stored numbers. An entry stands at the zero point, where curves
    /// have their corners.
    fn new(f: &dyn Fn(f64) -> f64, target: &Target, (first, last): (i64, i64), cells: i64) -> Self {
        let zero = target.from.zero_point;
        let centre = if (first..=last).contains(&zero) { zero } else { first };
        let cell = ((last - first + cells - 1) / cells).max(1);
        let before = (centre - first + cell - 1) / cell;
        let after = (last - centre + cell - 1) / cell;
        let entry = |number: i64| target.entry(target.units(f, num::real(centre + number * cell)));
        let per_unit = num::real(1 << FRACTION) / num::real(cell);
        let shift = multiplier::shift(&[per_unit], 31);
        Self {
            table: (-before..=after).map(entry).collect(),
            centre,
            origin: before << FRACTION,
            multiplier: multiplier::fixed(per_unit, shift),
            shift,
            accurate: false,
        }
    }

    /// As a lowering needs it.
    pub(super) fn curve(&self) -> Curve<'_> {
        Curve {
            zero_point: self.centre,
            multiplier: self.multiplier,
            shift: self.shift,
            origin: self.origin,
            table: &self.table,
            guard: GUARD,
        }
    }

    /// What the instruction computes, in units of the result, before rounding.
    fn at(&self, stored: i64) -> f64 {
        let end = (num::signed(self.table.len()) - 1) << FRACTION;
        let rounding = 1i128 << (self.shift.max(1) - 1);
        let product = i128::from(stored - self.centre) * i128::from(self.multiplier);
        let position = if self.shift == 0 { product } else { (product + rounding) >> self.shift };
        let position = position + i128::from(self.origin);
        let position = i64::try_from(position).unwrap_or(end).clamp(0, end);
        let entry = |number: i64| num::index(number).and_then(|n| self.table.get(n)).copied().unwrap_or(0);
        let (left, between) = (position >> FRACTION, position & ((1 << FRACTION) - 1));
        let rise = (entry(left + 1) - entry(left)) * between;
        num::real((entry(left) << FRACTION) + rise) * multiplier::power(-FRACTION - GUARD)
    }
}

/// The smallest table over stored numbers `first ..= last` that is accurate enough, or the largest one.
///
/// Of results of 32 bits, 17 bits of the largest count.
pub(super) fn interpolation(f: &dyn Fn(f64) -> f64, target: &Target, first: i64, last: i64) -> Found {
    let step = ((last - first) / PROBES).max(1);
    let probes: Vec<(i64, f64)> = (0..=(last - first) / step)
        .map(|probe| first + probe * step)
        .map(|stored| (stored, target.bounded(target.units(f, num::real(stored)))))
        .collect();
    let largest = probes.iter().fold(0.0, |m: f64, (_, y)| m.max(y.abs()));
    let tolerance = TOLERANCE.max(0.5 + largest * multiplier::power(-17));
    let mut found = Found::new(f, target, (first, last), CELLS[0]);
    for cells in CELLS {
        found = Found::new(f, target, (first, last), cells);
        found.accurate =
            probes.iter().all(|&(stored, y)| (target.bounded(found.at(stored)) - y).abs() + 0.5 <= tolerance);
        if found.accurate {
            break;
        }
    }
    found
}

//! Ranges of values over calibration samples, and the encodings they lead to.

use opml_vm::DType;

use super::multiplier;
use crate::{graph::Encoding, num};

/// Bins of a histogram.
const BINS: usize = 2048;
/// Shares of the full range that the search tries.
const CANDIDATES: i64 = 50;

/// Bits of the largest number seen, where small numbers count as much.
const RELATIVE_BITS: i64 = 38;

/// How the range of an 8-bit encoding follows from the calibration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RangeRule {
    /// Smallest and largest value seen.
    MinMax,
    /// The part of it for which clipping and rounding together make the smallest squared error.
    #[default]
    LeastSquares,
}

/// What was seen of one value.
#[derive(Debug, Clone, PartialEq)]
pub struct Range {
    /// Smallest number.
    pub low: f64,
    /// Largest number.
    pub high: f64,
    /// Whether infinite numbers were seen too.
    infinite: bool,
    bins: Vec<u32>,
}

impl Default for Range {
    fn default() -> Self {
        Self { low: f64::INFINITY, high: f64::NEG_INFINITY, infinite: false, bins: Vec::new() }
    }
}

impl Range {
    /// Widens the range by the finite numbers among the values: infinite ones are what saturates.
    pub fn widen(&mut self, values: &[f32]) {
        for &value in values {
            if !value.is_finite() {
                self.infinite = true;
                continue;
            }
            self.low = self.low.min(f64::from(value));
            self.high = self.high.max(f64::from(value));
        }
    }

    /// Leaves out what lies below a floor.
    pub(super) fn raise(&mut self, floor: Option<f64>) {
        if let Some(floor) = floor {
            self.low = self.low.max(floor.min(self.high));
        }
    }

    /// Leaves out what lies beyond a magnitude.
    pub(super) fn narrow(&mut self, limit: Option<f64>) {
        if let Some(limit) = limit {
            self.low = self.low.clamp(-limit, limit);
            self.high = self.high.clamp(-limit, limit);
        }
    }

    /// Whether a finite number was seen.
    pub fn is_finite(&self) -> bool {
        self.low.is_finite() && self.high.is_finite()
    }

    /// Counts values; the range must be final.
    pub fn count(&mut self, values: &[f32]) {
        self.bins.resize(BINS, 0);
        let span = self.high - self.low;
        let per = if span > 0.0 { num::real(num::signed(BINS)) / span } else { 0.0 };
        for &value in values.iter().filter(|value| value.is_finite()) {
            let bin = libm::floor((f64::from(value) - self.low) * per);
            let bin = num::index(num::round(bin)).unwrap_or(0).min(BINS - 1);
            self.bins[bin] = self.bins[bin].saturating_add(1);
        }
    }

    /// Largest magnitude.
    pub fn magnitude(&self) -> f64 {
        self.low.abs().max(self.high.abs())
    }

    /// Expected squared error when `[low, high]` is cut into 255 steps and the rest clipped.
    fn error(&self, low: f64, high: f64) -> f64 {
        let step = (high - low) / 255.0;
        let width = (self.high - self.low) / num::real(num::signed(BINS));
        let mut error = 0.0;
        for (number, &count) in self.bins.iter().enumerate() {
            let value = self.low + (num::real(num::signed(number)) + 0.5) * width;
            let outside = (low - value).max(value - high);
            let each = if outside > 0.0 { outside * outside } else { step * step / 12.0 };
            error += each * f64::from(count);
        }
        error
    }

    /// An interval around 0 by the rule.
    fn interval(&self, rule: RangeRule) -> (f64, f64) {
        let (low, high) = (self.low.min(0.0), self.high.max(0.0));
        if rule == RangeRule::MinMax || self.bins.is_empty() {
            return (low, high);
        }
        let mut best = (self.error(low, high), low, high);
        for number in 1..CANDIDATES {
            let share = 1.0 - num::real(number) / num::real(CANDIDATES);
            let candidate = (low * share, high * share);
            let error = self.error(candidate.0, candidate.1);
            if error < best.0 {
                best = (error, candidate.0, candidate.1);
            }
        }
        (best.1, best.2)
    }

    /// Unsigned 8 bits with a zero point.
    pub fn byte(&self, rule: RangeRule) -> Encoding {
        let (low, high) = self.interval(rule);
        let scale = positive((high - low) / 255.0);
        let zero_point = num::round(-low / scale).clamp(0, 255);
        Encoding { dtype: DType::U8, scale, zero_point }
    }

    /// Signed 8 bits, symmetric.
    pub fn signed_byte(&self, rule: RangeRule) -> Encoding {
        let (low, high) = self.interval(rule);
        Encoding { dtype: DType::I8, scale: positive((-low).max(high) / 127.0), zero_point: 0 }
    }

    /// 16 bits, symmetric, for `room` times the range seen.
    pub fn half(&self, room: f64) -> Encoding {
        Encoding { dtype: DType::I16, scale: positive(self.magnitude() * room / 32767.0), zero_point: 0 }
    }

    /// 32 bits in the unit of [`Range::half`], so that infinite numbers are far from all others; if such were seen.
    pub(super) fn with_infinity(&self, room: f64) -> Option<Encoding> {
        self.infinite.then(|| Encoding { dtype: DType::I32, ..self.half(room) })
    }

    /// 64 bits fixed point, 38 of them for the range seen, so that products with factors of 20 bits fit.
    pub fn relative(&self) -> Encoding {
        let scale = multiplier::power(multiplier::exponent(self.magnitude()) - RELATIVE_BITS);
        Encoding { dtype: DType::I64, scale: positive(scale), zero_point: 0 }
    }

    /// 32 bits fixed point: a power of two, at most 16 fraction bits, for 64 times the range seen and more.
    pub fn wide(&self) -> Encoding {
        let fraction = (25 - multiplier::exponent(self.magnitude())).clamp(0, 16);
        Encoding { dtype: DType::I32, scale: 1.0 / num::real(1 << fraction), zero_point: 0 }
    }
}

/// A usable scale even where nothing but zeros was seen.
fn positive(scale: f64) -> f64 {
    if scale > 1e-30 { scale } else { 1.0 }
}

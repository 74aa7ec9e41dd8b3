//! Real factors as integers over a power of two.
//!
//! Multiplying a double by a power of two is exact, so the integers are the same on every machine.

use crate::{lower::Scale, num};

/// Largest shift that the machine's rounding shifts take without clamping.
const MAX_SHIFT: i64 = 126;

/// `2^exponent` for exponents of normal doubles; smaller ones give 0, larger ones infinity.
pub(super) fn power(exponent: i64) -> f64 {
    match u64::try_from(exponent.saturating_add(1023)) {
        Ok(biased @ 1..2047) => f64::from_bits(biased << 52),
        Ok(0) | Err(_) => 0.0,
        Ok(_) => f64::INFINITY,
    }
}

/// The `e` with `2^(e−1) ≤ |x| < 2^e`; very small for 0 and subnormals.
pub(super) fn exponent(x: f64) -> i64 {
    let biased = (x.to_bits() >> 52) & 0x7ff;
    i64::try_from(biased).unwrap_or(0) - 1022
}

/// Bits of a stored type.
pub(super) fn bits(dtype: opml_vm::DType) -> i64 {
    i64::try_from(dtype.bits()).unwrap_or(64)
}

/// `round(x · 2^shift)`, ties to even.
pub(super) fn fixed(x: f64, shift: i64) -> i64 {
    num::round(x * power(shift))
}

/// The shift for which the largest factor has `bits` significant bits.
pub(super) fn shift(factors: &[f64], bits: i64) -> i64 {
    let largest = factors.iter().fold(0.0, |m: f64, f| m.max(f.abs()));
    let mut shift = (bits - exponent(largest)).clamp(0, MAX_SHIFT);
    if shift > 0 && fixed(largest, shift) >= 1 << bits {
        shift -= 1;
    }
    shift
}

/// Factors as multipliers of at most 31 bits with one shift.
pub(super) fn scale(factors: &[f64]) -> Scale {
    let shift = shift(factors, 31);
    Scale { multipliers: factors.iter().map(|&f| fixed(f, shift)).collect(), shift }
}

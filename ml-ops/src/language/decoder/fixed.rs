//! Real factors as integers.

use crate::{lower::Scale, num};

/// Fraction bits with which a magnitude still fits a signed integer of `width` bits.
pub(super) fn bits_for(magnitude: f64, width: i64) -> i64 {
    width - 1 - magnitude_bits(magnitude)
}

/// The least `n` with `|x| < 2^n`; 0 for 0.
pub(super) fn magnitude_bits(x: f64) -> i64 {
    if x == 0.0 || !x.is_finite() {
        return 0;
    }
    // ilogb is exact.
    i64::from(libm::ilogb(x.abs())) + 1
}

/// `x · 2^bits`, rounded.
pub(super) fn scaled(x: f64, bits: i64) -> i64 {
    num::round(libm::scalbn(x, i32::try_from(bits).unwrap_or(0)))
}

/// A positive factor as `multiplier / 2^shift` with a multiplier of `width` bits.
pub(super) fn factor(x: f64, width: i64) -> Scale {
    let shift = (width - magnitude_bits(x)).clamp(0, 120);
    Scale { multipliers: vec![scaled(x, shift)], shift }
}

/// The multiplier of a factor.
pub(super) fn multiplier(scale: &Scale) -> i64 {
    scale.multipliers.first().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits() {
        assert_eq!(magnitude_bits(1.0), 1);
        assert_eq!(magnitude_bits(0.75), 0);
        assert_eq!(magnitude_bits(0.0), 0);
        assert_eq!(bits_for(2827.0, 32), 19);
        assert_eq!(factor(0.1, 20), Scale { multipliers: vec![838_861], shift: 23 });
        assert_eq!(scaled(-1.5, 3), -12);
    }
}

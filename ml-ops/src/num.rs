//! Conversions between number types: the only place of the crate with casts.
//!
//! Integer conversions saturate; sizes never come near the limits. The float functions give the same result on every
//! machine: they use only IEEE operations that round correctly.

/// A size as u64.
pub(crate) fn wide(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

/// A size as i64.
pub(crate) fn signed(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// A u64 as a size.
pub(crate) fn size(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

/// A non-negative i64 as a size; negative ones give `None`.
pub(crate) fn index(n: i64) -> Option<usize> {
    usize::try_from(n).ok()
}

/// A count as f64, exact below 2^53.
#[allow(clippy::as_conversions, reason = "no conversion trait exists; the cast rounds to nearest on every machine")]
pub(crate) fn real(n: i64) -> f64 {
    n as f64
}

/// The nearest f32.
#[allow(clippy::as_conversions, reason = "no conversion trait exists; the cast rounds to nearest on every machine")]
pub(crate) fn single(x: f64) -> f32 {
    x as f32
}

/// The nearest integer, ties to even; NaN gives 0, values past the range saturate.
#[allow(clippy::as_conversions, reason = "no conversion trait exists; the cast of an integral float is exact")]
pub(crate) fn round(x: f64) -> i64 {
    libm::rint(x) as i64
}

/// The integer that an f32 is, if it is one.
pub(crate) fn integral(x: f32) -> Option<i64> {
    let rounded = libm::rintf(x);
    // Beyond 2^53 no rounding happens, but f32 numbers are integers there; i64 ends at 2^63.
    (rounded.to_bits() == x.to_bits() || (x == 0.0)).then(|| round(f64::from(x))).filter(|_| x.abs() < 9.2e18)
}

/// The nearest i64.
pub(crate) fn saturated(x: i128) -> i64 {
    i64::try_from(x).unwrap_or(if x < 0 { i64::MIN } else { i64::MAX })
}

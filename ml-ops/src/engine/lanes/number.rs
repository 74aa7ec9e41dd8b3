//! The two widths of lanes, and conversions between them.
#![allow(clippy::as_conversions, reason = "i64 to i32 keeps the low half: no conversion trait does, and vectors must")]

/// A number of a lane, or of the arithmetic over lanes. All arithmetic is modulo 2^bits.
pub(in crate::engine) trait Number: Copy + Ord + Default + Send + Sync + 'static {
    /// The greatest shift that leaves only the sign.
    const SIGN: Self;
    const ONE: Self;
    /// The least and the greatest number.
    const LEAST: i64;
    const MOST: i64;
    /// The low bits of the number.
    fn cut(value: i64) -> Self;
    fn wide(self) -> i64;
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    fn and(self, other: Self) -> Self;
    fn or(self, other: Self) -> Self;
    fn xor(self, other: Self) -> Self;
    /// By a shift in `0..bits`.
    fn shl(self, shift: Self) -> Self;
    /// By a shift in `0..bits`, with the sign.
    fn shr(self, shift: Self) -> Self;
    fn abs(self) -> Self;
    /// Rounded towards −∞, 0 for a divisor 0.
    fn div(self, other: Self) -> Self;
    /// What [`Number::div`] leaves, 0 for a divisor 0.
    fn rem(self, other: Self) -> Self;
    fn isqrt(self) -> Self;
    fn log2(self) -> Self;
}

macro_rules! number {
    ($type:ty, $unsigned:ty) => {
        impl Number for $type {
            const SIGN: Self = <$type>::BITS as Self - 1;
            const ONE: Self = 1;
            const LEAST: i64 = <$type>::MIN as i64;
            const MOST: i64 = <$type>::MAX as i64;
            #[inline(always)]
            fn cut(value: i64) -> Self {
                value as Self
            }
            #[inline(always)]
            fn wide(self) -> i64 {
                i64::from(self)
            }
            #[inline(always)]
            fn add(self, other: Self) -> Self {
                self.wrapping_add(other)
            }
            #[inline(always)]
            fn sub(self, other: Self) -> Self {
                self.wrapping_sub(other)
            }
            #[inline(always)]
            fn mul(self, other: Self) -> Self {
                self.wrapping_mul(other)
            }
            #[inline(always)]
            fn and(self, other: Self) -> Self {
                self & other
            }
            #[inline(always)]
            fn or(self, other: Self) -> Self {
                self | other
            }
            #[inline(always)]
            fn xor(self, other: Self) -> Self {
                self ^ other
            }
            #[inline(always)]
            fn shl(self, shift: Self) -> Self {
                self.wrapping_shl(shift as u32)
            }
            #[inline(always)]
            fn shr(self, shift: Self) -> Self {
                self.wrapping_shr(shift as u32)
            }
            #[inline(always)]
            fn abs(self) -> Self {
                self.wrapping_abs()
            }
            #[inline(always)]
            fn div(self, other: Self) -> Self {
                if other == 0 {
                    return 0;
                }
                let quotient = self.wrapping_div(other);
                let inexact = self.wrapping_rem(other) != 0 && (self ^ other) < 0;
                quotient.wrapping_sub(Self::from(inexact))
            }
            #[inline(always)]
            fn rem(self, other: Self) -> Self {
                if other == 0 {
                    return 0;
                }
                let rest = self.wrapping_rem(other);
                if rest != 0 && (rest ^ other) < 0 { rest.wrapping_add(other) } else { rest }
            }
            #[inline(always)]
            fn isqrt(self) -> Self {
                (self.max(0) as $unsigned).isqrt() as Self
            }
            #[inline(always)]
            fn log2(self) -> Self {
                if self > 0 { Self::SIGN - self.leading_zeros() as Self } else { -1 }
            }
        }
    };
}

number!(i32, u32);
number!(i64, u64);

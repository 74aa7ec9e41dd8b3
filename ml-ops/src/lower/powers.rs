//! Logarithm and power of two in fixed point, by tables of 256 cells that are straight between their entries.

use super::{Arg, Builder, Draft, Index, Reg, Stored, View};
use crate::num;

/// Bits of a table's cells.
const CELL_BITS: i64 = 8;
/// Bits of the position inside a cell.
const INNER_BITS: i64 = 12;
/// Fraction bits of table entries.
const ENTRY_BITS: i64 = 29;
/// Fraction bits of an exponent.
pub const ONE_EXP: i64 = CELL_BITS + INNER_BITS;
/// Fraction bits of a logarithm.
pub const ONE_LOG: i64 = 24;

/// `2^(i / 256)` and `log2(1 + i / 256)` for `i ≤ 256`.
#[derive(Debug, Clone)]
pub struct Tables {
    powers: View,
    logarithms: View,
}

impl Tables {
    /// Tables in a program; equal constants are stored once.
    pub fn new(builder: &mut Builder) -> Self {
        Self { powers: powers(builder), logarithms: logarithms(builder) }
    }

    /// `2^(exponent / 2^ONE_EXP)`, rounded, saturating.
    pub fn exp2(&self, draft: &mut Draft, exponent: Reg) -> Reg {
        let (fine, whole) = mantissa(draft, exponent, &self.powers.stored);
        let down = draft.sub(Arg::from(ENTRY_BITS + INNER_BITS), whole);
        let up = draft.sub(0, down);
        let small = draft.rshr(fine, down);
        draft.shl(small, up)
    }

    /// `log2(x) · 2^ONE_LOG` of a positive integer.
    pub fn log2(&self, draft: &mut Draft, x: Reg) -> Reg {
        log2(draft, x, &self.logarithms.stored)
    }
}

/// The table of `2^(i / 256)`, 29 fraction bits.
pub(crate) fn powers(builder: &mut Builder) -> View {
    let table: Vec<i64> =
        (0..=1 << CELL_BITS).map(|entry| num::round(libm::exp2(num::real(entry) / 256.0 + 29.0))).collect();
    builder.constant(Builder::width(&table), &[num::signed(table.len())], &table)
}

/// The table of `log2(1 + i / 256)`, 29 fraction bits.
pub(super) fn logarithms(builder: &mut Builder) -> View {
    let one = num::real(1 << ENTRY_BITS);
    let table: Vec<i64> =
        (0..=1 << CELL_BITS).map(|entry| num::round(libm::log2(1.0 + num::real(entry) / 256.0) * one)).collect();
    builder.constant(Builder::width(&table), &[num::signed(table.len())], &table)
}

/// `2^fraction` with 41 fraction bits, and the whole part of the exponent.
pub(crate) fn mantissa(draft: &mut Draft, exponent: Reg, table: &Stored) -> (Reg, Reg) {
    let whole = draft.shr(exponent, ONE_EXP);
    let fraction = draft.and(exponent, (1 << ONE_EXP) - 1);
    (interpolated(draft, fraction, table), whole)
}

/// Bits of [`mantissa`] below the point.
pub(crate) const MANTISSA_BITS: i64 = ENTRY_BITS + INNER_BITS;

/// See [`Tables::log2`].
pub(super) fn log2(draft: &mut Draft, x: Reg, table: &Stored) -> Reg {
    let whole = draft.log2(x);
    // The bits after the leading one, ONE_EXP of them.
    let up = draft.sub(Arg::from(ONE_EXP), whole);
    let down = draft.sub(0, up);
    let wide = draft.shl(x, up);
    let wide = draft.rshr(wide, down);
    let fraction = draft.sub(wide, 1 << ONE_EXP);
    let fine = interpolated(draft, fraction, table);
    let fine = draft.rshr(fine, MANTISSA_BITS - ONE_LOG);
    let whole = draft.shl(whole, ONE_LOG);
    draft.add(whole, fine)
}

/// The table at a fraction of [`ONE_EXP`] bits, 41 fraction bits.
fn interpolated(draft: &mut Draft, fraction: Reg, table: &Stored) -> Reg {
    let entry = draft.shr(fraction, INNER_BITS);
    let between = draft.and(fraction, (1 << INNER_BITS) - 1);
    let left = draft.load(table.clone(), 0, vec![(table.elements, Index::from(entry))]);
    // At the last entry `between` is 0, so the pad behind it does not count.
    let right = draft.load(table.clone(), 0, vec![(table.elements, Index::from(entry) + 1)]);
    let rise = draft.sub(right, left);
    let rise = draft.mul(rise, between);
    let base = draft.shl(left, INNER_BITS);
    draft.add(base, rise)
}

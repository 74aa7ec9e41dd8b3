//! Curves: tables, tables with interpolation, and two slopes.

use opml_vm::{DType, Reducer};

use super::{Builder, Domain, Draft, Index, LowerError, Requant, View, elementwise::loops};
use crate::num;

/// `table[x − least]` for a type of 8 bits; the table has one entry for each stored number.
///
/// # Errors
/// The operand lies so that an instruction cannot address it.
pub fn lookup(builder: &mut Builder, x: &View, dtype: DType, table: &[i64]) -> Result<View, LowerError> {
    let domain = Domain::new(&[x], &x.shape())?;
    let entries = num::signed(table.len());
    let constant = builder.constant(dtype, &[entries], table);
    let mut draft = Draft::new(dtype, Reducer::Sum);
    let terms = loops(&mut draft, &domain, 1);
    let stored = draft.load_at(x, &terms[0]);
    draft.load(constant.stored, 0, vec![(entries, Index::from(stored) - x.stored.dtype.min())]);
    let stored = builder.push(draft)?;
    Ok(domain.result(stored, 1))
}

/// `table[⌊x / 2^shift⌋ − first]` for a table that has all of these.
///
/// # Errors
/// The operand lies so that an instruction cannot address it.
pub fn stairs(
    builder: &mut Builder,
    x: &View,
    dtype: DType,
    (shift, first): (i64, i64),
    table: &[i64],
) -> Result<View, LowerError> {
    let domain = Domain::new(&[x], &x.shape())?;
    let entries = num::signed(table.len());
    let constant = builder.constant(dtype, &[entries], table);
    let mut draft = Draft::new(dtype, Reducer::Sum);
    let terms = loops(&mut draft, &domain, 1);
    let stored = draft.load_at(x, &terms[0]);
    let step = draft.shr(stored, shift);
    draft.load(constant.stored, 0, vec![(entries, Index::from(step) - first)]);
    let stored = builder.push(draft)?;
    Ok(domain.result(stored, 1))
}

/// Bits of the position between two table entries.
pub const FRACTION: i64 = 12;

/// A curve over `[first, last]`, straight between the entries of a table.
#[derive(Debug, Clone)]
pub struct Curve<'a> {
    /// Stored number that means 0.
    pub zero_point: i64,
    /// `multiplier / 2^shift` entries · 2^[`FRACTION`] for each unit of the operand.
    pub multiplier: i64,
    /// See `multiplier`.
    pub shift: i64,
    /// Position of the real number 0, in entries · 2^[`FRACTION`].
    pub origin: i64,
    /// Entries in units of the result / 2^`guard`.
    pub table: &'a [i64],
    /// See `table`.
    pub guard: i64,
}

/// A curve of each element, constant beyond the table's ends.
///
/// # Errors
/// The operand lies so that an instruction cannot address it.
pub fn interpolate(builder: &mut Builder, x: &View, curve: &Curve<'_>, requant: &Requant) -> Result<View, LowerError> {
    let domain = Domain::new(&[x], &x.shape())?;
    let entries = num::signed(curve.table.len());
    let table = builder.constant(Builder::width(curve.table), &[entries], curve.table);
    let mut draft = Draft::new(requant.dtype, Reducer::Sum);
    let terms = loops(&mut draft, &domain, 1);
    let mut at = draft.load_at(x, &terms[0]);
    if curve.zero_point != 0 {
        at = draft.sub(at, curve.zero_point);
    }
    let at = draft.mulshr(at, curve.multiplier, curve.shift);
    let at = draft.add(at, curve.origin);
    let at = draft.clamp(at, 0, (entries - 1) << FRACTION);
    let entry = draft.shr(at, FRACTION);
    let between = draft.and(at, (1 << FRACTION) - 1);
    // At the last entry `between` is 0, so the pad behind it does not count.
    let left = draft.load(table.stored.clone(), 0, vec![(entries, Index::from(entry))]);
    let right = draft.load(table.stored, 0, vec![(entries, Index::from(entry) + 1)]);
    let rise = draft.sub(right, left);
    let rise = draft.mul(rise, between);
    let base = draft.mul(left, 1 << FRACTION);
    let value = draft.add(base, rise);
    let value = draft.rshr(value, FRACTION + curve.guard);
    requant.place(&mut draft, value);
    let stored = builder.push(draft)?;
    Ok(domain.result(stored, 1))
}

/// `(x − zero_point) · multiplier / 2^shift` with one multiplier for negative and one for other numbers.
///
/// # Errors
/// The operand lies so that an instruction cannot address it.
pub fn leaky(
    builder: &mut Builder,
    (x, zero_point): (&View, i64),
    [negative, positive]: [i64; 2],
    requant: &Requant,
) -> Result<View, LowerError> {
    let domain = Domain::new(&[x], &x.shape())?;
    let mut draft = Draft::new(requant.dtype, Reducer::Sum);
    let terms = loops(&mut draft, &domain, 1);
    let mut value = draft.load_at(x, &terms[0]);
    if zero_point != 0 {
        value = draft.sub(value, zero_point);
    }
    let sign = draft.less(value, 0);
    let factor = draft.select(sign, negative, positive);
    let value = draft.mulshr(value, factor, requant.scale.shift);
    requant.place(&mut draft, value);
    let stored = builder.push(draft)?;
    Ok(domain.result(stored, 1))
}

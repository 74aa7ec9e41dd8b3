//! Softmax and its logarithm.

use opml_vm::{DType, Reducer};

use super::{Arg, Builder, Draft, Index, LowerError, Operand, Reg, Requant, View, pointwise, powers, reduction};
use crate::num;

/// Fraction bits of a power of two in a sum.
const POWER_BITS: i64 = 29;

/// How a softmax is computed from stored numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exponent {
    /// `multiplier / 2^shift` exponents of [`powers::ONE_EXP`] bits for each unit of the operand.
    pub multiplier: i64,
    /// See `multiplier`.
    pub shift: i64,
}

/// The largest number along an axis, and the sum of `2^(exponent of x − largest)` after `post`.
fn totals(
    builder: &mut Builder,
    x: &View,
    axis: usize,
    exponent: Exponent,
    table: &View,
    post: impl FnOnce(&mut Draft, Reg) -> Reg,
) -> Result<(View, View), LowerError> {
    let form = (x.stored.dtype, Reducer::Max);
    let largest = reduction(builder, (x, &[axis]), form, &[], |_, x, _| x, |_, acc| acc)?;
    let term = |draft: &mut Draft, x: Reg, others: &[Reg]| power(draft, x.into(), others[0].into(), exponent, table);
    let total = reduction(builder, (x, &[axis]), (DType::I64, Reducer::Sum), &[&largest], term, post)?;
    Ok((largest, total))
}

/// `2^(exponent of value − top)` with [`POWER_BITS`] fraction bits.
fn power(draft: &mut Draft, value: Arg, top: Arg, exponent: Exponent, table: &View) -> Reg {
    let below = draft.sub(value, top);
    let exponent = draft.mulshr(below, exponent.multiplier, exponent.shift);
    let (fine, whole) = powers::mantissa(draft, exponent, &table.stored);
    let down = draft.sub(Arg::from(powers::MANTISSA_BITS - POWER_BITS), whole);
    draft.rshr(fine, down)
}

/// Softmax along an axis; `one` is the stored number of probability 1.
///
/// # Errors
/// The operand lies so that an instruction cannot address it.
pub fn softmax(
    builder: &mut Builder,
    x: &View,
    axis: usize,
    exponent: Exponent,
    one: i64,
    requant: &Requant,
) -> Result<View, LowerError> {
    let table = powers::powers(builder);
    let (largest, total) = totals(builder, x, axis, exponent, &table, |_, acc| acc)?;
    let operands = [x, &largest, &total].map(|view| Operand::View(view.clone()));
    pointwise(builder, &operands, &x.shape(), requant.dtype, |draft, args| {
        let power = power(draft, args[0], args[1], exponent, &table);
        let scaled = draft.mul(power, one);
        let half = draft.shr(args[2], 1);
        let rounded = draft.add(scaled, half);
        let value = draft.div(rounded, args[2]);
        requant.place(draft, value)
    })
}

/// `log(softmax)` along an axis. Factors over `2^shift` of `requant` bring a unit of `x`, and a logarithm to base 2 of
/// [`powers::ONE_LOG`] bits, to the result's unit.
///
/// # Errors
/// The operand lies so that an instruction cannot address it.
pub fn log_softmax(
    builder: &mut Builder,
    x: &View,
    axis: usize,
    exponent: Exponent,
    (unit, logarithm): (i64, i64),
    requant: &Requant,
) -> Result<View, LowerError> {
    let (table, logarithms) = (powers::powers(builder), powers::logarithms(builder));
    let post = |draft: &mut Draft, acc: Reg| {
        let log = powers::log2(draft, acc, &logarithms.stored);
        draft.sub(log, POWER_BITS << powers::ONE_LOG)
    };
    let (largest, total) = totals(builder, x, axis, exponent, &table, post)?;
    let operands = [x, &largest, &total].map(|view| Operand::View(view.clone()));
    pointwise(builder, &operands, &x.shape(), requant.dtype, |draft, args| {
        let below = draft.sub(args[0], args[1]);
        let below = draft.mul(below, unit);
        let total = draft.mul(args[2], logarithm);
        let value = draft.sub(below, total);
        let value = draft.rshr(value, requant.scale.shift);
        requant.place(draft, value)
    })
}

/// `table[⌊(largest − x) / 2^shift⌉]` along an axis, 0 past the table's end, and `⌊2^bits / sum⌋` of these.
///
/// The table falls from 255 to 0.
///
/// # Errors
/// The operand lies so that an instruction cannot address it.
pub fn powers_of_rows(
    builder: &mut Builder,
    x: &View,
    axis: usize,
    table: &[i64],
    shift: i64,
    bits: i64,
) -> Result<(View, View), LowerError> {
    let form = (x.stored.dtype, Reducer::Max);
    let largest = reduction(builder, (x, &[axis]), form, &[], |_, x, _| x, |_, acc| acc)?;
    let entries = num::signed(table.len());
    let constant = builder.constant(DType::U8, &[entries], table);
    let operands = [x, &largest].map(|view| Operand::View(view.clone()));
    let powers = pointwise(builder, &operands, &x.shape(), DType::U8, |draft, args| {
        let below = draft.sub(args[1], args[0]);
        let below = if shift > 0 { draft.rshr(below, shift) } else { below };
        let place = draft.clamp(below, 0, entries - 1);
        draft.load(constant.stored.clone(), 0, vec![(entries, Index::from(place))])
    })?;
    let post = |draft: &mut Draft, acc: Reg| {
        // The largest one alone is 255.
        let sum = draft.max(acc, 255);
        draft.div(1 << bits, sum)
    };
    let total = reduction(builder, (&powers, &[axis]), (DType::I32, Reducer::Sum), &[], |_, x, _| x, post)?;
    Ok((powers, total))
}

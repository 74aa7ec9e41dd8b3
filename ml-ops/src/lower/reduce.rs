//! Reductions along one axis: argmax and softmax.

use opml_vm::{DType, Reducer};

use super::{Arg, Builder, Domain, Draft, Index, LowerError, Reg, Requant, View};
use crate::num;

/// A view with one axis reduced to extent 1.
pub(super) fn without(view: &View, axis: usize) -> View {
    let mut view = view.clone();
    view.axes[axis] = Vec::new();
    view
}

/// Number of the largest element along an axis; the axis disappears. The first of equals, or the last.
///
/// # Errors
/// The operand lies so that an instruction cannot address it.
pub fn arg_max(builder: &mut Builder, x: &View, axis: usize, last: bool, dtype: DType) -> Result<View, LowerError> {
    let rest = without(x, axis);
    let domain = Domain::new(&[&rest], &rest.shape())?;
    let mut draft = Draft::new(dtype, Reducer::Argmax);
    let mut terms = outer_terms(&mut draft, &domain);
    let (mut base, mut extent) = (0, 1);
    for digit in super::view::merged(&x.axes[axis]) {
        let reg = draft.reduce(digit.extent);
        extent *= digit.extent;
        if last {
            base += (digit.extent - 1) * digit.stride;
        }
        terms.push((reg, digit.extent, if last { -digit.stride } else { digit.stride }));
    }
    draft.load_column(x, &terms, base);
    if last {
        let first = draft.reduced();
        draft.sub(extent - 1, first);
    }
    let stored = builder.push(draft)?;
    let mut result = domain.result(stored, 1);
    result.axes.remove(axis);
    Ok(result)
}

fn outer_terms(draft: &mut Draft, domain: &Domain) -> Vec<(Reg, i64, i64)> {
    domain.merged().into_iter().map(|(extent, strides)| (draft.output(extent), extent, strides[0])).collect()
}

/// Bits of the table of powers, and of the position between two entries.
const ENTRY_BITS: i64 = 8;

/// Softmax along an axis.
///
/// `exponent` is `multiplier, shift`: a unit of `x` is `multiplier / 2^shift` in units of 2^−16 of a power of two. `table`
/// holds `2^(i / 256)` for `i ≤ 256` in fixed point. `one` is the stored number of probability 1.
///
/// # Errors
/// The operand lies so that an instruction cannot address it.
pub fn softmax(
    builder: &mut Builder,
    x: &View,
    axis: usize,
    exponent: (i64, i64),
    table: &[i64],
    one: i64,
    requant: &Requant,
) -> Result<View, LowerError> {
    let rest = without(x, axis);
    let shape = x.shape();
    let domain = Domain::new(&[&rest], &rest.shape())?;
    let entries = num::signed(table.len());
    let table = builder.constant(Builder::width(table), &[entries], table);

    let mut draft = Draft::new(x.stored.dtype, Reducer::Max);
    let mut terms = outer_terms(&mut draft, &domain);
    let reduced = reduction(&mut draft, x, axis);
    terms.extend(&reduced);
    draft.load_at(x, &terms);
    let largest = domain.result(builder.push(draft)?, 1);

    let both = Domain::new(&[&rest, &largest], &rest.shape())?;
    let mut draft = Draft::new(DType::I64, Reducer::Sum);
    let (mut x_terms, mut largest_terms) = (Vec::new(), Vec::new());
    for (extent, strides) in both.merged() {
        let reg = draft.output(extent);
        x_terms.push((reg, extent, strides[0]));
        largest_terms.push((reg, extent, strides[1]));
    }
    x_terms.extend(reduction(&mut draft, x, axis));
    let value = draft.load_at(x, &x_terms);
    let top = draft.load_at(&largest, &largest_terms);
    power(&mut draft, value, top, exponent, &table);
    let total = both.result(builder.push(draft)?, 1);

    let domain = Domain::new(&[x, &largest, &total], &shape)?;
    let mut draft = Draft::new(requant.dtype, Reducer::Sum);
    let terms = super::elementwise::loops(&mut draft, &domain, 3);
    let value = draft.load_at(x, &terms[0]);
    let top = draft.load_at(&largest, &terms[1]);
    let power = power(&mut draft, value, top, exponent, &table);
    let sum = draft.load_at(&total, &terms[2]);
    let scaled = draft.mul(power, one);
    let half = draft.shr(sum, 1);
    let rounded = draft.add(scaled, half);
    let value = draft.div(rounded, sum);
    requant.place(&mut draft, value);
    let stored = builder.push(draft)?;
    Ok(domain.result(stored, 1))
}

fn reduction(draft: &mut Draft, x: &View, axis: usize) -> Vec<(Reg, i64, i64)> {
    let digits = super::view::merged(&x.axes[axis]);
    digits.iter().map(|digit| (draft.reduce(digit.extent), digit.extent, digit.stride)).collect()
}

/// `2^((value − top) · multiplier / 2^shift / 2^16)` in the table's fixed point, by interpolation and a shift.
fn power(draft: &mut Draft, value: Reg, top: Reg, (multiplier, shift): (i64, i64), table: &View) -> Reg {
    let below = draft.sub(value, top);
    let exponent = draft.mulshr(below, multiplier, shift);
    let whole = draft.shr(exponent, 2 * ENTRY_BITS);
    let fraction = draft.and(exponent, (1 << (2 * ENTRY_BITS)) - 1);
    let entry = draft.shr(fraction, ENTRY_BITS);
    let between = draft.and(fraction, (1 << ENTRY_BITS) - 1);
    let entries = table.stored.elements;
    let left = draft.load(table.stored.clone(), 0, vec![(entries, Index::from(entry))]);
    let right = draft.load(table.stored.clone(), 0, vec![(entries, Index::from(entry) + 1)]);
    let rise = draft.sub(right, left);
    let rise = draft.mul(rise, between);
    let base = draft.mul(left, 1 << ENTRY_BITS);
    let fine = draft.add(base, rise);
    let down = draft.sub(Arg::from(ENTRY_BITS), whole);
    draft.rshr(fine, down)
}

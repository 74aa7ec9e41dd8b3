//! Weighted sums of a few elements along an axis.

use opml_vm::Reducer;

use super::{Builder, Digit, Domain, Draft, LowerError, Requant, View};
use crate::num;

/// Taps of each result: indices and integer weights, `width` of them for each.
#[derive(Debug, Clone)]
pub struct Taps<'a> {
    /// Indices, row by row.
    pub indices: &'a [i64],
    /// Weights, row by row.
    pub weights: &'a [i64],
    /// Taps of a result.
    pub width: i64,
}

/// `Σ weight · (x[index] − zero_point)` along an axis that lies in one part.
///
/// # Errors
/// The operand lies so that an instruction cannot address it.
pub fn resample(
    builder: &mut Builder,
    (x, zero_point): (&View, i64),
    axis: usize,
    taps: &Taps<'_>,
    requant: &Requant,
) -> Result<View, LowerError> {
    let digit = x.digit(axis)?;
    let entries = num::signed(taps.indices.len());
    let count = entries.checked_div(taps.width).unwrap_or(0);
    let mut own = x.clone();
    own.axes[axis] = Vec::new();
    // The table's view has the results along the axis, and is the same everywhere else.
    let indices = builder.constant(Builder::width(taps.indices), &[entries], taps.indices);
    let weights = builder.constant(Builder::width(taps.weights), &[entries], taps.weights);
    let mut shape = x.shape();
    shape[axis] = count;
    let mut rows = vec![Vec::new(); shape.len()];
    if count != 1 {
        rows[axis] = vec![Digit { extent: count, stride: taps.width }];
    }
    let domain = Domain::new(&[&own, &indices.with(rows)], &shape)?;
    let mut draft = Draft::new(requant.dtype, Reducer::Sum);
    let mut terms = super::elementwise::loops(&mut draft, &domain, 2);
    let tap = draft.reduce(taps.width);
    terms[1].push((tap, taps.width, 1));
    let index = draft.load_at(&indices, &terms[1]);
    let weight = draft.load_at(&weights, &terms[1]);
    terms[0].push((index, digit.extent, digit.stride));
    let value = draft.load_at(&own, &terms[0]);
    let value = if zero_point == 0 { value } else { draft.sub(value, zero_point) };
    draft.mul(value, weight);
    let acc = draft.reduced();
    let factor = requant.scale.multipliers.first().copied().unwrap_or(0);
    let value = draft.mulshr(acc, factor, requant.scale.shift);
    requant.place(&mut draft, value);
    let stored = builder.push(draft)?;
    Ok(domain.result(stored, 1))
}

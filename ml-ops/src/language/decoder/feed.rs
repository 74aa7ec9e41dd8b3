//! The gated feed-forward network.

use opml_vm::{DType, Reducer};

use super::{
    super::{Activation, Layer, float, ranges::LayerRanges},
    Shared, Vector, attention, fixed,
    linear::{Packed, blocks},
    norm::norm,
    size,
};
use crate::{
    gguf::Codes,
    lower::{Arg, Builder, Draft, Index, LowerError, Reg, Stored},
    num,
};

/// Fraction bits of gate and up.
const INNER_BITS: i64 = 16;
/// The table of a gate goes from −2^REACH to 2^REACH.
const REACH: i64 = 4;
/// Steps of the table in 1, as bits.
const STEP_BITS: i64 = 6;
/// Fraction bits of table entries.
const ENTRY_BITS: i64 = 20;
/// Fraction bits of the gate's operand.
const OPERAND_BITS: i64 = 16;

/// Adds a layer's feed-forward network to the residual stream.
pub(super) fn feed_forward(
    builder: &mut Builder,
    shared: &Shared<'_>,
    (layer, range): (&Layer<Codes>, LayerRanges),
    stream: &Vector,
) -> Result<Vector, LowerError> {
    let config = shared.config;
    let gate_up = Packed::new(builder, &layer.gate_up)?;
    let x = norm(builder, stream, (&layer.feed_norm, config.epsilon), gate_up.headroom)?;
    let x = blocks(builder, &x)?;
    let inner = gate_up.product(builder, &x, INNER_BITS, |_, value, _| value)?;
    let down = Packed::new(builder, &layer.down)?;
    let bits = (down.headroom - fixed::magnitude_bits(4.0 * range.gated)).clamp(0, 16);
    let gated = gate(builder, &inner, config.activation, (bits, down.headroom))?;
    let gated = blocks(builder, &gated)?;
    attention::residual(builder, shared, (&down, &gated), stream, layer.feed_post_norm.as_deref())
}

/// `activation(gate) · up`, clamped to `width` bits.
fn gate(
    builder: &mut Builder,
    inner: &Vector,
    activation: Activation,
    (bits, width): (i64, i64),
) -> Result<Vector, LowerError> {
    let count = inner.stored.elements / 2;
    let table = gate_table(builder, activation);
    let mut draft = Draft::new(super::WIDE, Reducer::Sum);
    let place = draft.output(count);
    let load = |draft: &mut Draft, first: i64| {
        draft.load(inner.stored.clone(), 0, vec![(inner.stored.elements, Index::from(place) + first)])
    };
    let (gate, up) = (load(&mut draft, 0), load(&mut draft, count));
    let share = look_up(&mut draft, gate, &table);
    let active = draft.mulshr(gate, share, ENTRY_BITS);
    let value = draft.mulshr(active, up, 2 * INNER_BITS - bits);
    let most = (1 << width) - 1;
    draft.clamp(value, -most, most);
    Ok(Vector { stored: builder.push(draft)?, bits })
}

/// What an activation multiplies its operand with, as a table.
pub(super) fn gate_table(builder: &mut Builder, activation: Activation) -> Stored {
    let half = 1 << (REACH + STEP_BITS);
    let step = libm::exp2(num::real(-STEP_BITS));
    let entry = |at: i64| fixed::scaled(float::gate(activation, num::real(at) * step), ENTRY_BITS);
    let values: Vec<i64> = (-half..=half).map(entry).collect();
    builder.constant(DType::I32, &[size(values.len())], &values).stored
}

/// The table at a number of [`OPERAND_BITS`], straight between entries, [`ENTRY_BITS`] fraction bits.
fn look_up(draft: &mut Draft, x: Reg, table: &Stored) -> Reg {
    let inner = OPERAND_BITS - STEP_BITS;
    let reach = 1 << (REACH + OPERAND_BITS);
    let at = draft.clamp(x, -reach, reach);
    let at = draft.add(at, reach);
    let entry = draft.shr(at, inner);
    let between = draft.and(at, (1 << inner) - 1);
    let left = draft.load(table.clone(), 0, vec![(table.elements, Index::from(entry))]);
    // At the last entry `between` is 0, so the pad behind it does not count.
    let right = draft.load(table.clone(), 0, vec![(table.elements, Index::from(entry) + 1)]);
    let rise = draft.sub(right, left);
    let rise = draft.mulshr(rise, between, inner);
    draft.add(left, rise)
}

/// `factor · tanh(unit · x)`, as `2σ(2z) − 1` by the table of σ.
pub(super) fn capped(draft: &mut Draft, x: Reg, (unit, factor): (f64, f64), sigmoid: &Stored) -> Reg {
    let twice = fixed::factor(2.0 * unit * libm::exp2(num::real(OPERAND_BITS)), 26);
    let operand = draft.mulshr(x, fixed::multiplier(&twice), twice.shift);
    let share = look_up(draft, operand, sigmoid);
    let share = draft.sub(share, Arg::from(1 << (ENTRY_BITS - 1)));
    let out = fixed::factor(factor * libm::exp2(num::real(1 - ENTRY_BITS)), 30);
    draft.mulshr(share, fixed::multiplier(&out), out.shift)
}

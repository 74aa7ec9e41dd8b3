//! Attention of the token of an iteration over the tokens of all iterations so far.
//!
//! Keys and values are not copied: each iteration writes its own, and the others are loaded from where they were written.
//! With `j` over the positions seen, the iteration read is `j`, or `t − j` in layers that see only the last ones.

use opml_vm::{DType, Reducer};

use super::{
    super::{Layer, Pairs, ranges::LayerRanges},
    Shared, Vector, fixed,
    linear::{Packed, blocks},
    norm::{Rows, Weight, inverses, norm, norm_with},
    size,
};
use crate::{
    gguf::Codes,
    lower::{Arg, Builder, Draft, Index, LowerError, Reg, Size, Stored, powers},
    num,
};

/// Fraction bits of queries, keys and values as they leave their product.
const PROJECTED_BITS: i64 = 16;
/// Fraction bits of sines and cosines.
const ANGLE_BITS: i64 = 14;
/// Fraction bits of the powers of scores; the largest is 1.
const POWER_BITS: i64 = 15;
/// Fraction bits of the reciprocal of their sum.
const TOTAL_BITS: i64 = 36;
/// Fraction bits that mixed values have beyond those of values.
const MIXED_BITS: i64 = 8;
/// Bits of the factor of scores.
const SCORE_FACTOR_BITS: i64 = 26;

/// Positions that a layer sees.
#[derive(Clone, Copy)]
struct Reach {
    most: i64,
    window: bool,
}

impl Reach {
    fn size(self, draft: &mut Draft) -> Size {
        draft.growing(1, 1, self.most)
    }

    /// The iteration of position `j`.
    fn iteration(self, draft: &Draft, j: Reg) -> Index {
        if self.window { Index::from(draft.iteration()).plus(j, -1) } else { j.into() }
    }
}

/// Heads: groups of keys, queries in a group, elements.
#[derive(Clone, Copy)]
struct Heads {
    groups: i64,
    each: i64,
    width: i64,
}

/// Adds a layer's attention to the residual stream.
pub(super) fn attention(
    builder: &mut Builder,
    shared: &Shared<'_>,
    (number, layer, range): (usize, &Layer<Codes>, LayerRanges),
    stream: &Vector,
) -> Result<Vector, LowerError> {
    let config = shared.config;
    let heads = Heads {
        groups: size(config.kv_heads),
        each: size(config.heads / config.kv_heads),
        width: size(config.head_width),
    };
    let window = config.window_of(number).map(|window| size(window.length)).filter(|&most| most < shared.context);
    let reach = Reach { most: window.unwrap_or(shared.context), window: window.is_some() };
    let weights = Packed::new(builder, &layer.qkv)?;
    let x = norm(builder, stream, (&layer.attention_norm, config.epsilon), weights.headroom)?;
    let x = blocks(builder, &x)?;
    let qkv = weights.product(builder, &x, PROJECTED_BITS, |_, value, _| value)?;
    let angles = Angles::new(builder, shared, number)?;
    let (query_width, kv_width) = (size(config.query_width()), size(config.kv_width()));
    let row = |first, rows| Rows { vector: qkv.clone(), first, rows, width: heads.width };
    let norms = layer.qk_norms.as_ref();
    let (query, key) = (row(0, size(config.heads)), row(query_width, heads.groups));
    let turned = |magnitude| fixed::bits_for(2.0 * magnitude, 16).clamp(0, 15);
    let queries = angles.turn(builder, &query, norms.map(|n| n[0].as_slice()), turned(range.query), config.epsilon)?;
    let keys = angles.turn(builder, &key, norms.map(|n| n[1].as_slice()), turned(range.key), config.epsilon)?;
    let values = narrow(builder, (&qkv, query_width + kv_width, kv_width), turned(range.value))?;

    let scores = scores(builder, shared, (&queries, &keys), (heads, reach))?;
    let (powers, totals) = probabilities(builder, &scores, (heads, reach))?;
    let output = Packed::new(builder, &layer.attention_output)?;
    let mixed = mix(builder, (&powers, &totals, &values), (heads, reach), output.headroom)?;
    let mixed = blocks(builder, &mixed)?;
    residual(builder, shared, (&output, &mixed), stream, layer.attention_post_norm.as_deref())
}

/// Adds a product to the residual stream, normalised first if there are weights for it.
pub(super) fn residual(
    builder: &mut Builder,
    shared: &Shared<'_>,
    (weights, x): (&Packed, &super::linear::Blocks),
    stream: &Vector,
    norm: Option<&[f32]>,
) -> Result<Vector, LowerError> {
    let plus = |draft: &mut Draft, value: Reg, place: Reg| {
        let old = draft.load(stream.stored.clone(), 0, vec![(stream.stored.elements, place.into())]);
        draft.add(old, value)
    };
    match norm {
        None => weights.product(builder, x, stream.bits, plus),
        Some(norm) => {
            let added = weights.product(builder, x, stream.bits, |_, value, _| value)?;
            let weight = Weight::new(builder, norm);
            norm_with(builder, &added, (&weight, shared.config.epsilon), stream.bits, plus)
        }
    }
}

/// Sines and cosines of all positions.
struct Angles {
    cosines: Stored,
    /// Negative for the first of a pair, positive for the second.
    sines: Stored,
    context: i64,
    pairs: i64,
    kind: Pairs,
}

impl Angles {
    fn new(builder: &mut Builder, shared: &Shared<'_>, layer: usize) -> Result<Self, LowerError> {
        let config = shared.config;
        let rope = config.rope_of(layer);
        if rope.turned != config.head_width && rope.pairs == Pairs::Halves {
            return Err(LowerError::Layout("heads that are turned in part, by halves, are not supported"));
        }
        let mut frequencies = rope.frequencies();
        frequencies.resize(config.head_width / 2, 0.0);
        let (mut cosines, mut sines) = (Vec::new(), Vec::new());
        for position in 0..shared.context {
            let angle = |frequency: &f64| num::real(position) * frequency;
            cosines.extend(frequencies.iter().map(|f| fixed::scaled(libm::cos(angle(f)), ANGLE_BITS)));
            let row: Vec<i64> = frequencies.iter().map(|f| fixed::scaled(libm::sin(angle(f)), ANGLE_BITS)).collect();
            sines.extend(row.iter().map(|sine| -sine));
            sines.extend(row);
        }
        let pairs = size(frequencies.len());
        let constant =
            |builder: &mut Builder, values: &[i64]| builder.constant(DType::I16, &[size(values.len())], values).stored;
        Ok(Self {
            cosines: constant(builder, &cosines),
            sines: constant(builder, &sines),
            context: shared.context,
            pairs,
            kind: rope.pairs,
        })
    }

    /// Heads, normalised if there are weights for it, turned by the angles of the iteration, in 16 bits.
    fn turn(
        &self,
        builder: &mut Builder,
        x: &Rows,
        norm: Option<&[f32]>,
        bits: i64,
        epsilon: f64,
    ) -> Result<Vector, LowerError> {
        let norm = match norm {
            Some(weights) => Some((Weight::new(builder, weights), inverses(builder, x, epsilon)?)),
            None => None,
        };
        let mut draft = Draft::new(DType::I16, Reducer::Sum);
        let head = draft.output(x.rows);
        // Queries and keys are stored side by side, whatever the pairs are: products of both do not see the order.
        let (side, pair) = (draft.output(2), draft.output(self.pairs));
        let (step, across) = match self.kind {
            Pairs::Neighbours => (2, 1),
            Pairs::Halves => (1, self.pairs),
        };
        let place = Index::default().plus(pair, step).plus(side, across);
        let other = Index::constant(across).plus(pair, step).plus(side, -across);
        let element = |draft: &mut Draft, place: &Index| {
            let at = Index::from(head) * x.width + place.clone() + x.first;
            let value = draft.load(x.vector.stored.clone(), 0, vec![(x.vector.stored.elements, at)]);
            let Some((weight, inverses)) = &norm else { return value };
            let inverse = draft.load(inverses.clone(), 0, vec![(x.rows, head.into())]);
            weight.apply(draft, (value, inverse), place.clone(), (x.vector.bits, PROJECTED_BITS))
        };
        let (own, other) = (element(&mut draft, &place), element(&mut draft, &other));
        let t = Index::from(draft.iteration());
        let cosine = draft.load(self.cosines.clone(), 0, vec![(self.context, t.clone()), (self.pairs, pair.into())]);
        let at = Index::from(pair).plus(side, self.pairs);
        let sine = draft.load(self.sines.clone(), 0, vec![(self.context, t), (2 * self.pairs, at)]);
        let (own, other) = (draft.mul(own, cosine), draft.mul(other, sine));
        let sum = draft.add(own, other);
        let from = if norm.is_some() { PROJECTED_BITS } else { x.vector.bits };
        draft.rshr(sum, from + ANGLE_BITS - bits);
        Ok(Vector { stored: builder.push(draft)?, bits })
    }
}

/// Part of a vector in 16 bits.
fn narrow(builder: &mut Builder, (x, first, count): (&Vector, i64, i64), bits: i64) -> Result<Vector, LowerError> {
    let mut draft = Draft::new(DType::I16, Reducer::Sum);
    let place = draft.output(count);
    let value = draft.load(x.stored.clone(), 0, vec![(x.stored.elements, Index::from(place) + first)]);
    draft.rshr(value, x.bits - bits);
    Ok(Vector { stored: builder.push(draft)?, bits })
}

/// Exponents to base 2 of queries times keys, [`powers::ONE_EXP`] fraction bits: `[groups, each, positions]`.
fn scores(
    builder: &mut Builder,
    shared: &Shared<'_>,
    (queries, keys): (&Vector, &Vector),
    (heads, reach): (Heads, Reach),
) -> Result<Stored, LowerError> {
    let config = shared.config;
    let tables = config.attention_cap.map(|_| super::feed::gate_table(builder, super::super::Activation::Silu));
    let mut draft = Draft::new(super::WIDE, Reducer::Sum);
    let (group, each) = (draft.output(heads.groups), draft.output(heads.each));
    let positions = reach.size(&mut draft);
    let position = draft.output(positions);
    let place = draft.reduce(heads.width);
    let at = (group * (heads.each * heads.width)).plus(each, heads.width) + place;
    let query = draft.load(queries.stored.clone(), 0, vec![(queries.stored.elements, at)]);
    let at = group * heads.width + place;
    let iteration = reach.iteration(&draft, position);
    let axes = vec![(Size::from(keys.stored.elements), at)];
    let key = draft.load_sized(keys.stored.clone(), Some(iteration), 0, axes);
    draft.mul(query, key);
    let acc = draft.reduced();
    let unit = config.attention_scale * libm::exp2(num::real(-(queries.bits + keys.bits)));
    let one = libm::exp2(num::real(powers::ONE_EXP)) * std::f64::consts::LOG2_E;
    match config.attention_cap.zip(tables) {
        None => {
            let factor = fixed::factor(unit * one, SCORE_FACTOR_BITS);
            draft.mulshr(acc, fixed::multiplier(&factor), factor.shift);
        }
        Some((cap, table)) => {
            super::feed::capped(&mut draft, acc, (unit / cap, cap * one), &table);
        }
    }
    builder.push(draft)
}

/// `2^(score − largest)` with [`POWER_BITS`], and for each head the reciprocal of their sum.
fn probabilities(
    builder: &mut Builder,
    scores: &Stored,
    (heads, reach): (Heads, Reach),
) -> Result<(Stored, Stored), LowerError> {
    let table = powers::powers(builder);
    let each = |draft: &mut Draft, stored: &Stored, reduced: bool| {
        let (group, each) = (draft.output(heads.groups), draft.output(heads.each));
        let positions = reach.size(draft);
        let position = if reduced { draft.reduce(positions) } else { draft.output(positions) };
        let axes = vec![
            (heads.groups.into(), Index::from(group)),
            (heads.each.into(), each.into()),
            (positions, position.into()),
        ];
        let value = draft.load_sized(stored.clone(), None, 0, axes);
        (value, vec![(heads.groups, Index::from(group)), (heads.each, each.into())])
    };
    let mut draft = Draft::new(super::WIDE, Reducer::Max);
    each(&mut draft, scores, true);
    let largest = builder.push(draft)?;

    let mut draft = Draft::new(DType::I16, Reducer::Sum);
    let (score, head) = each(&mut draft, scores, false);
    let largest = draft.load(largest, 0, head);
    let below = draft.sub(score, largest);
    let (fine, whole) = powers::mantissa(&mut draft, below, &table.stored);
    let down = draft.sub(Arg::from(powers::MANTISSA_BITS - POWER_BITS), whole);
    draft.rshr(fine, down);
    let powers = builder.push(draft)?;

    let mut draft = Draft::new(super::WIDE, Reducer::Sum);
    each(&mut draft, &powers, true);
    let acc = draft.reduced();
    // The largest score has the power 1, less a unit.
    let sum = draft.max(acc, (1 << POWER_BITS) - 1);
    draft.div(1 << TOTAL_BITS, sum);
    let totals = builder.push(draft)?;
    Ok((powers, totals))
}

/// Values weighed by powers: `[groups, each, width]`.
fn mix(
    builder: &mut Builder,
    (powers, totals, values): (&Stored, &Stored, &Vector),
    (heads, reach): (Heads, Reach),
    headroom: i64,
) -> Result<Vector, LowerError> {
    let mut draft = Draft::new(super::WIDE, Reducer::Sum);
    let (group, each) = (draft.output(heads.groups), draft.output(heads.each));
    let place = draft.output(heads.width);
    let positions = reach.size(&mut draft);
    let position = draft.reduce(positions);
    let axes =
        vec![(heads.groups.into(), Index::from(group)), (heads.each.into(), each.into()), (positions, position.into())];
    let power = draft.load_sized(powers.clone(), None, 0, axes);
    let at = group * heads.width + place;
    let iteration = reach.iteration(&draft, position);
    let axes = vec![(Size::from(values.stored.elements), at)];
    let value = draft.load_sized(values.stored.clone(), Some(iteration), 0, axes);
    draft.mul(power, value);
    let acc = draft.reduced();
    let total = draft.load(totals.clone(), 0, vec![(heads.groups, group.into()), (heads.each, each.into())]);
    // Values have 15 bits and more than they cannot mix to.
    let finer = MIXED_BITS.min(headroom - 15);
    let value = draft.mulshr(acc, total, TOTAL_BITS - finer);
    let most = (1 << headroom) - 1;
    draft.clamp(value, -most, most);
    Ok(Vector { stored: builder.push(draft)?, bits: values.bits + finer })
}

//! Drawing the next token by a seed.
//!
//! With `d` the distance of a token's logit from the largest: tokens whose `d` is at most the `k`-th smallest have the
//! weight `2^(−d · log2 e / temperature)`, others 0. A number below the sum of all weights, made of the seed and the
//! iteration by a hash, names the token in which it falls, in the order of the vocabulary. Tokens 32 or more below the
//! largest logit are never drawn; those that share the `k`-th place are all kept.

use opml_vm::{DType, Reducer};

use super::{
    Vector, fixed,
    token::{Setting, Text},
};
use crate::lower::{Arg, Builder, Draft, Index, LowerError, Reg, Stored, powers};

/// Bits of a distance, 16 of them behind the point.
const DISTANCE_BITS: i64 = 21;
/// Fraction bits of a weight.
const WEIGHT_BITS: i64 = 30;
/// Tokens, or rows of them, that are summed together.
const ROW: i64 = 64;
/// The hash works with numbers of 32 bits.
const MASK: i64 = (1 << 32) - 1;

/// The next token: drawn, or the most likely one where the temperature is 0.
pub(super) fn sample(
    builder: &mut Builder,
    logits: &Vector,
    greedy: &Stored,
    text: &Text,
) -> Result<Stored, LowerError> {
    let largest = largest(builder, logits)?;
    let limit = limit(builder, logits, &largest, text)?;
    let weights = weights(builder, logits, (&largest, &limit), text)?;
    let rows = sums(builder, &weights)?;
    let blocks = sums(builder, &rows)?;
    let target = target(builder, &blocks, text)?;
    let block = find(builder, &blocks, None, &target, |_, place, _| place)?;
    let row = find(builder, &rows, Some(&block.place), &block.rest, |draft, place, base| join(draft, base, place))?;
    let token = find(builder, &weights, Some(&row.place), &row.rest, |draft, place, base| join(draft, base, place))?;
    let mut draft = Draft::new(DType::I32, Reducer::Sum);
    let temperature = text.setting(&mut draft, Setting::Temperature);
    let warm = draft.less(0, temperature);
    let drawn = draft.load(token.place, 0, vec![]);
    let greedy = draft.load(greedy.clone(), 0, vec![]);
    draft.select(warm, drawn, greedy);
    builder.push(draft)
}

fn load_logit(draft: &mut Draft, logits: &Vector, token: Reg) -> Reg {
    draft.load(logits.stored.clone(), 0, vec![(logits.stored.elements, token.into())])
}

fn largest(builder: &mut Builder, logits: &Vector) -> Result<Stored, LowerError> {
    let mut draft = Draft::new(DType::I32, Reducer::Max);
    let token = draft.reduce(logits.stored.elements);
    load_logit(&mut draft, logits, token);
    builder.push(draft)
}

/// The least distance within which at least `k` tokens are, bit by bit from the highest.
fn limit(builder: &mut Builder, logits: &Vector, largest: &Stored, text: &Text) -> Result<Stored, LowerError> {
    let mut known: Option<Stored> = None;
    for bit in (0..DISTANCE_BITS).rev() {
        let mut draft = Draft::new(DType::I32, Reducer::Sum);
        let token = draft.reduce(logits.stored.elements);
        let load_known = |draft: &mut Draft| match &known {
            Some(known) => Arg::from(draft.load(known.clone(), 0, vec![])),
            None => Arg::from(0),
        };
        let logit = load_logit(&mut draft, logits, token);
        let most = draft.load(largest.clone(), 0, vec![]);
        let from = load_known(&mut draft);
        let lowest = draft.sub(most, from);
        let lowest = draft.sub(lowest, 1 << bit);
        // Nearer than the next candidate.
        draft.less(lowest, logit);
        let count = draft.reduced();
        let most = text.setting(&mut draft, Setting::Most);
        let few = draft.less(count, most);
        let from = load_known(&mut draft);
        let step = draft.mul(few, 1 << bit);
        draft.add(step, from);
        known = Some(builder.push(draft)?);
    }
    known.ok_or(LowerError::Layout("no bits of a distance"))
}

fn weights(
    builder: &mut Builder,
    logits: &Vector,
    (largest, limit): (&Stored, &Stored),
    text: &Text,
) -> Result<Stored, LowerError> {
    let table = powers::powers(builder);
    let mut draft = Draft::new(DType::I32, Reducer::Sum);
    let token = draft.output(logits.stored.elements);
    let logit = load_logit(&mut draft, logits, token);
    let largest = draft.load(largest.clone(), 0, vec![]);
    let limit = draft.load(limit.clone(), 0, vec![]);
    let distance = draft.sub(largest, logit);
    // With k = 0 no token is too far but those that have no bits for it.
    let most = text.setting(&mut draft, Setting::Most);
    let all = draft.less(most, 1);
    let limit = draft.select(all, (1 << DISTANCE_BITS) - 1, limit);
    let far = draft.less(limit, distance);
    let temperature = text.setting(&mut draft, Setting::Temperature);
    let one = fixed::scaled(std::f64::consts::LOG2_E, powers::ONE_EXP + 16);
    let rate = draft.div(one, temperature);
    let exponent = draft.mulshr(distance, rate, 16);
    let exponent = draft.sub(0, exponent);
    let (fine, whole) = powers::mantissa(&mut draft, exponent, &table.stored);
    let down = draft.sub(Arg::from(powers::MANTISSA_BITS - WEIGHT_BITS), whole);
    let weight = draft.rshr(fine, down);
    draft.select(far, 0, weight);
    builder.push(draft)
}

/// Sums of rows of [`ROW`] numbers; the last row may be short.
fn sums(builder: &mut Builder, x: &Stored) -> Result<Stored, LowerError> {
    let mut draft = Draft::new(DType::I64, Reducer::Sum);
    let rows = (x.elements + ROW - 1) / ROW;
    let (row, place) = (draft.output(rows), draft.reduce(ROW));
    draft.load(x.clone(), 0, vec![(x.elements, row * ROW + place)]);
    builder.push(draft)
}

/// One round of a hash of 32 bits.
fn mixed(draft: &mut Draft, mut x: Reg) -> Reg {
    for factor in [0x7feb_352d, 0x045d_9f3b] {
        let high = draft.shr(x, 16);
        let folded = draft.xor(x, high);
        let product = draft.mul(folded, factor);
        x = draft.and(product, MASK);
    }
    let high = draft.shr(x, 16);
    draft.xor(x, high)
}

/// A number from 0 to the sum of all weights, without it, by the seed and the iteration.
fn target(builder: &mut Builder, sums: &Stored, text: &Text) -> Result<Stored, LowerError> {
    let mut draft = Draft::new(DType::I64, Reducer::Sum);
    let place = draft.reduce(sums.elements);
    draft.load(sums.clone(), 0, vec![(sums.elements, place.into())]);
    let total = draft.reduced();
    let seed = text.setting(&mut draft, Setting::Seed);
    let high = draft.shr(seed, 32);
    let high = draft.and(high, MASK);
    let hash = mixed(&mut draft, high);
    let low = draft.and(seed, MASK);
    let hash = draft.xor(hash, low);
    let hash = mixed(&mut draft, hash);
    let t = draft.iteration();
    let hash = draft.add(hash, t);
    let hash = draft.and(hash, MASK);
    let hash = mixed(&mut draft, hash);
    let share = draft.mulshr(hash, total, 32);
    let last = draft.sub(total, 1);
    draft.min(share, last);
    builder.push(draft)
}

/// Where a number falls.
struct Found {
    place: Stored,
    /// The number less all before that place.
    rest: Stored,
}

fn join(draft: &mut Draft, base: Option<Reg>, place: Reg) -> Reg {
    match base {
        None => place,
        Some(base) => {
            let base = draft.mul(base, ROW);
            draft.add(base, place)
        }
    }
}

/// In which of some numbers a target falls, that are to be thought of one after the other; of all of them, or of the row
/// `base`.
fn find(
    builder: &mut Builder,
    x: &Stored,
    base: Option<&Stored>,
    target: &Stored,
    place: impl FnOnce(&mut Draft, Reg, Option<Reg>) -> Reg,
) -> Result<Found, LowerError> {
    let count = if base.is_some() { ROW } else { x.elements };
    let load_base = |draft: &mut Draft| base.map(|base| draft.load(base.clone(), 0, vec![]));
    let mut draft = Draft::new(DType::I64, Reducer::Sum);
    let (end, at) = (draft.output(count), draft.reduce(count));
    let base_reg = load_base(&mut draft);
    let index = base_reg.map_or(Index::from(at), |base| Index::from(at).plus(base, ROW));
    let number = draft.load(x.clone(), 0, vec![(x.elements, index)]);
    let after = draft.less(end, at);
    draft.select(after, 0, number);
    let ends = builder.push(draft)?;

    let mut draft = Draft::new(DType::I32, Reducer::Sum);
    let at = draft.reduce(count);
    let end = draft.load(ends.clone(), 0, vec![(count, at.into())]);
    let wanted = draft.load(target.clone(), 0, vec![]);
    let beyond = draft.less(wanted, end);
    draft.equal(beyond, 0);
    let before = builder.push(draft)?;

    let mut draft = Draft::new(DType::I64, Reducer::Sum);
    let wanted = draft.load(target.clone(), 0, vec![]);
    let at = draft.load(before.clone(), 0, vec![]);
    let passed = draft.load(ends, 0, vec![(count, Index::from(at) - 1)]);
    draft.sub(wanted, passed);
    let rest = builder.push(draft)?;

    let mut draft = Draft::new(DType::I32, Reducer::Sum);
    let at = draft.load(before, 0, vec![]);
    let base_reg = load_base(&mut draft);
    let place = place(&mut draft, at, base_reg);
    draft.yields(place);
    Ok(Found { place: builder.push(draft)?, rest })
}

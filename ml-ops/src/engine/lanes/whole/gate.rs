//! A number times a function of it times another one: gated linear units. The function is a table with straight lines
//! between its entries.
#![allow(clippy::as_conversions, reason = "halves of pairs and clamped numbers: no conversion trait does")]

use opml_vm::{DType, Opcode, eval::scalar};

use super::{
    super::{number::Number, simd::Kernels},
    line::{Line, Pairs, TILE, Tile},
    pattern::{Flat, Pattern, count},
};
use crate::engine::{
    Frame,
    interval::Interval,
    load::{Extents, FIRST_K},
};

/// `clamp(((x · f(x)) / 2^a · y) / 2^b)` of i32, each rounded.
#[derive(Debug, Clone)]
pub(in super::super) struct Gate {
    source: Flat,
    other: Flat,
    line: Line,
    constants: Constants,
}

/// The constants of the loops.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Constants {
    /// `x` is clamped and moved before its table.
    clamp: (i32, i32),
    moved: i32,
    /// Bits between entries.
    bits: u32,
    shifts: [u32; 2],
    low: i64,
    high: i64,
}

impl Gate {
    pub(super) fn new(pattern: &Pattern<'_>) -> Option<Self> {
        let mut bounds = Interval::of(DType::I32);
        let mut slot = pattern.analysis.output;
        if let (Opcode::Clamp, [x, low, high]) = pattern.op(slot)? {
            let (low, high) = (pattern.constant(low)?, pattern.constant(high)?);
            bounds = bounds.saturated(Interval { low, high: high.max(low) });
            if low > high {
                return None;
            }
            slot = x;
        }
        let outputs = pattern.outputs();
        let flat = |slot: usize| pattern.flat(slot, &outputs).filter(|flat| flat.dtype == DType::I32);
        let (Opcode::Mulshr, [product, y, last]) = pattern.op(slot)? else { return None };
        let (product, y) = if pattern.op(product).is_some() { (product, y) } else { (y, product) };
        let (Opcode::Mulshr, [x, f, first]) = pattern.op(product)? else { return None };
        let (x, f) = if pattern.op(f).is_some() { (x, f) } else { (f, x) };
        let (line, curve) = Curve::new(pattern, f, x)?;
        let shifts = [pattern.shift(first)?, pattern.shift(last)?];
        let constants = Constants {
            clamp: curve.clamp,
            moved: curve.moved,
            bits: curve.bits,
            shifts,
            low: bounds.low,
            high: bounds.high,
        };
        let known = pattern.instruction.dtype == DType::I32 && pattern.instruction.dynamics.is_empty();
        known.then_some(Self { source: flat(x)?, other: flat(y)?, line, constants })
    }

    /// The table, if products with it fit i32 once they are shifted.
    fn pairs(&self, frame: Frame<'_>) -> Option<&Pairs> {
        let pairs = self.line.pairs(frame)?;
        let shift = i64::from(self.constants.shifts[0]);
        let corners = [i32::MIN, i32::MAX].map(|x| {
            let product = |f: i64| i32::try_from(scalar(Opcode::Mulshr, x.into(), f, shift)).is_ok();
            product(pairs.ends.0) && product(pairs.ends.1)
        });
        (corners == [true; 2]).then_some(pairs)
    }

    pub(super) fn run(&self, kernels: Kernels, frame: Frame<'_>, extents: &Extents, bytes: &mut [u8]) -> Option<()> {
        let count = count(&extents[..FIRST_K]);
        let (source, other) = (self.source.bytes(frame, count)?, self.other.bytes(frame, count)?);
        let pairs = self.pairs(frame)?;
        let mut tile = Tile::new();
        let tiles = bytes.chunks_mut(4 * TILE).zip(source.chunks(4 * TILE)).zip(other.chunks(4 * TILE));
        for ((out, x), y) in tiles {
            let lanes = out.len() / 4;
            kernels.gate_places(&mut tile.index[..lanes], &mut tile.part[..lanes], x, self.constants);
            tile.look_up(kernels, lanes, pairs);
            kernels.gate_products(out, (x, y), &tile.part[..lanes], &tile.found[..lanes], self.constants);
        }
        Some(())
    }
}

/// A function of a number.
struct Curve {
    clamp: (i32, i32),
    moved: i32,
    bits: u32,
}

impl Curve {
    /// The line with how its place follows from `x`: clamped, moved, cut into an index and a part.
    fn new(pattern: &Pattern<'_>, slot: usize, x: usize) -> Option<(Line, Self)> {
        let (Opcode::Add, [a, b, _]) = pattern.op(slot)? else { return None };
        let (entry, rest) = if pattern.op(b).is_some() { (a, b) } else { (b, a) };
        let (Opcode::Mulshr, [a, b, s]) = pattern.op(rest)? else { return None };
        let find = |step: usize, part: usize| match (pattern.op(step)?, pattern.op(part)?) {
            ((Opcode::Sub, [next, same, _]), (Opcode::And, [place, mask, _])) if same == entry => {
                Some((next, place, pattern.constant(mask)?))
            }
            _ => None,
        };
        let (next, place, mask) = find(a, b).or_else(|| find(b, a))?;
        let bits = pattern.shift(s).filter(|bits| *bits < 31 && mask == (1 << bits) - 1)?;
        let (line, index) = Line::new(pattern, entry, next)?;
        let (Opcode::Shr, [same, s, _]) = pattern.op(index)? else { return None };
        let (Opcode::Add, [clamped, moved, _]) = pattern.op(place)? else { return None };
        let (Opcode::Clamp, [own, low, high]) = pattern.op(clamped)? else { return None };
        let number = |slot: usize| i32::try_from(pattern.constant(slot)?).ok();
        let (low, high, moved) = (number(low)?, number(high)?, number(moved)?);
        let fits = low <= high && low.checked_add(moved)? >= 0 && high.checked_add(moved).is_some();
        let known = own == x && same == place && pattern.shift(s) == Some(bits) && fits;
        known.then_some((line, Self { clamp: (low, high), moved, bits }))
    }
}

/// The index of each number's entry, and the part of the way to the next one.
#[inline(always)]
pub(in super::super) fn places(index: &mut [i32], part: &mut [i32], source: &[u8], constants: Constants) {
    let Constants { clamp: (low, high), moved, bits, .. } = constants;
    let mask = (1 << bits) - 1;
    for ((index, part), &x) in index.iter_mut().zip(part).zip(source.as_chunks::<4>().0) {
        let place = i32::from_le_bytes(x).max(low).min(high).wrapping_add(moved);
        *index = place >> bits;
        *part = place & mask;
    }
}

/// The products with what lies on the line. An entry and a step fit i32, and so does what lies between two entries.
#[inline(always)]
pub(in super::super) fn products(
    out: &mut [u8],
    (source, other): (&[u8], &[u8]),
    part: &[i32],
    pairs: &[i64],
    constants: Constants,
) {
    let Constants { bits, shifts: [first, last], low, high, .. } = constants;
    let half = |shift: u32| 1i64 << (shift - 1);
    let places = part.iter().zip(pairs);
    let numbers = source.as_chunks::<4>().0.iter().zip(other.as_chunks::<4>().0);
    for ((out, (&x, &y)), (&part, &pair)) in out.as_chunks_mut::<4>().0.iter_mut().zip(numbers).zip(places) {
        let (x, y) = (i64::from(i32::from_le_bytes(x)), i64::from(i32::from_le_bytes(y)));
        let way = (pair >> 32).wrapping_mul(part.into()).wrapping_add(half(bits)) >> bits;
        let value = i64::from(i32::cut(pair.wrapping_add(way)));
        let gated = i64::from(i32::cut(x.wrapping_mul(value).wrapping_add(half(first)) >> first));
        let product = gated.wrapping_mul(y).wrapping_add(half(last)) >> last;
        *out = (product.max(low).min(high) as i32).to_le_bytes();
    }
}

//! Pairs of i32, turned by a table's cosines and sines of the iteration: `x · cos + y · sin`, shifted, to i16.
#![allow(clippy::as_conversions, reason = "clamped numbers keep their low bits: no conversion trait does")]

use opml_vm::{DType, Opcode};

use super::{
    super::{access::Access, simd::Kernels},
    pattern::Pattern,
};
use crate::engine::{
    Frame,
    load::{Extents, Place, size},
    pack,
};

/// The instruction: `groups` times two halves of `pairs` numbers each. Half `i` is made of number `i` of each pair times a
/// cosine, and of the other number times a sine of its own half.
#[derive(Debug, Clone)]
pub(in super::super) struct Rotary {
    source: Table,
    cosines: Table,
    sines: Table,
    groups: usize,
    pairs: usize,
    /// From one group to the next in the source.
    step: usize,
    /// From one half's sines to the other's.
    half: usize,
    shift: u32,
}

/// Where elements lie, which may follow the iteration.
#[derive(Debug, Clone)]
struct Table {
    place: Place,
    dtype: DType,
    base: i64,
    /// What the iteration adds.
    turn: i64,
    /// Sums `base + turn · t` that must lie in `0..extent`.
    checks: Vec<(i64, i64, i64)>,
}

impl Table {
    /// A load that follows coordinates by these coefficients.
    fn new(access: &Access, extents: &Extents, coordinates: &[(usize, i64)]) -> Option<Self> {
        let expected = |axis: usize| coordinates.iter().find(|(own, _)| *own == axis).map_or(0, |(_, c)| *c);
        let follows = |axis: usize| extents[axis] == 1 || access.position.coordinates[axis] == expected(axis);
        let plain = access.bounded && !access.never && (0..16).all(follows);
        let turn = |sum: &super::super::access::Sum| match sum.slots.as_slice() {
            [] => Some(0),
            [(0, turn)] => Some(*turn),
            _ => None,
        };
        let check = |(sum, extent): &(super::super::access::Sum, i64)| {
            let still = (0..16).all(|axis| extents[axis] == 1 || sum.coordinates[axis] == 0);
            if still { Some((sum.base, turn(sum)?, *extent)) } else { None }
        };
        let checks = access.checks.iter().map(check).collect::<Option<_>>()?;
        let (base, turn) = (access.position.base, turn(&access.position)?);
        plain.then_some(Self { place: access.place, dtype: access.dtype, base, turn, checks })
    }

    /// `count` elements at an iteration.
    fn bytes<'a>(&self, frame: Frame<'a>, count: usize) -> Option<&'a [u8]> {
        let t = i64::try_from(frame.t).ok()?;
        let at = |base: i64, turn: i64| base.checked_add(turn.checked_mul(t)?);
        for &(base, turn, extent) in &self.checks {
            at(base, turn).filter(|index| (0..extent).contains(index))?;
        }
        let tensor = frame.tensor(self.place).filter(|tensor| tensor.dtype() == self.dtype)?;
        let width = pack::width(self.dtype);
        let first = usize::try_from(at(self.base, self.turn)?).ok()?.checked_mul(width)?;
        tensor.bytes().get(first..first.checked_add(count.checked_mul(width)?)?)
    }
}

impl Rotary {
    pub(super) fn new(pattern: &Pattern<'_>) -> Option<Self> {
        let (Opcode::Rshr, [sum, s, _]) = pattern.op(pattern.analysis.output)? else { return None };
        let (Opcode::Add, [x, y, _]) = pattern.op(sum)? else { return None };
        let (Opcode::Mul, [a, b, _]) = pattern.op(x)? else { return None };
        let (Opcode::Mul, [c, d, _]) = pattern.op(y)? else { return None };
        let shift = pattern.shift(s)?;
        let pair = |a: usize, b: usize| [(a, b), (b, a)];
        let orders = pair(a, b).into_iter().flat_map(|first| pair(c, d).map(|second| (first, second)));
        let both = orders.flat_map(|(first, second)| [(first, second), (second, first)]);
        both.into_iter().find_map(|orders| Self::of(pattern, orders, shift))
    }

    /// Of a number with its cosine, and the other number with its sine.
    fn of(pattern: &Pattern<'_>, ((x, cos), (y, sin)): ((usize, usize), (usize, usize)), shift: u32) -> Option<Self> {
        let extents = pattern.extents;
        let last = pattern.instruction.output.len().checked_sub(1)?;
        let (half, group) = (last.checked_sub(1)?, last.checked_sub(2));
        let before = group.unwrap_or(0);
        let alone = extents[half] == 2 && extents[last] > 1 && (0..before).all(|axis| extents[axis] == 1);
        if !alone || pattern.instruction.dtype != DType::I16 || !pattern.instruction.dynamics.is_empty() {
            return None;
        }
        let access = |slot: usize| pattern.load(slot).map(|(access, _)| access);
        let (first, second, cosines, sines) = (access(x)?, access(y)?, access(cos)?, access(sin)?);
        let groups = group.map_or(1, |group| extents[group]);
        let step = group.map_or(0, |group| if groups > 1 { first.position.coordinates[group] } else { 0 });
        let coordinates = |of_half: i64| [(half, of_half), (last, 2), (group.unwrap_or(8), step)];
        let source = Table::new(first, extents, &coordinates(1))?;
        let other = Table::new(second, extents, &coordinates(-1))?;
        let same = (source.place, source.base + 1, source.turn) == (other.place, other.base, other.turn);
        let own = sines.position.coordinates[half];
        let cosines = Table::new(cosines, extents, &[(last, 1)])?;
        let sines = Table::new(sines, extents, &[(last, 1), (half, own)])?;
        let known = (source.dtype, cosines.dtype, sines.dtype) == (DType::I32, DType::I16, DType::I16);
        let plain = source.checks.is_empty() && other.checks.is_empty();
        let (step, half) = (usize::try_from(step).ok()?, usize::try_from(own).ok()?);
        let (groups, pairs) = (size(groups), size(extents[last]));
        (same && known && plain).then_some(Self { source, cosines, sines, groups, pairs, step, half, shift })
    }

    pub(super) fn run(&self, kernels: Kernels, frame: Frame<'_>, _: &Extents, bytes: &mut [u8]) -> Option<()> {
        let numbers = self.step.checked_mul(self.groups - 1)?.checked_add(2 * self.pairs)?;
        let source = self.source.bytes(frame, numbers)?;
        let cosines = self.cosines.bytes(frame, self.pairs)?;
        let sines = self.sines.bytes(frame, self.half + self.pairs)?;
        let sines = [&sines[..2 * self.pairs], &sines[2 * self.half..]];
        kernels.rotary(bytes, (source, 4 * self.step), cosines, sines, self.shift);
        Some(())
    }
}

/// Groups, each from its place in the source.
#[inline(always)]
pub(in super::super) fn groups(
    out: &mut [u8],
    (source, step): (&[u8], usize),
    cosines: &[u8],
    [first, second]: [&[u8]; 2],
    shift: u32,
) {
    let table = |bytes: &[u8]| bytes.as_chunks::<2>().0.len();
    let pairs = table(cosines).min(table(first)).min(table(second));
    for (number, out) in out.chunks_exact_mut((4 * pairs).max(1)).enumerate() {
        let (low, high) = out.split_at_mut(2 * pairs);
        let numbers = source.get(number * step..).unwrap_or(&[]).as_chunks::<8>().0;
        let outs = low.as_chunks_mut::<2>().0.iter_mut().zip(high.as_chunks_mut::<2>().0);
        let tables = cosines.as_chunks::<2>().0.iter().zip(first.as_chunks::<2>().0).zip(second.as_chunks::<2>().0);
        for (((low, high), &pair), ((&cosine, &first), &second)) in outs.zip(numbers).zip(tables) {
            let pair = i64::from_le_bytes(pair);
            let (x, y) = (i64::from(pair as i32), pair >> 32);
            let [cosine, first, second] = [cosine, first, second].map(|bytes| i64::from(i16::from_le_bytes(bytes)));
            *low = turned(x.wrapping_mul(cosine).wrapping_add(y.wrapping_mul(first)), shift);
            *high = turned(y.wrapping_mul(cosine).wrapping_add(x.wrapping_mul(second)), shift);
        }
    }
}

/// A sum below 2^47 in magnitude, shifted and saturated.
#[inline(always)]
fn turned(sum: i64, shift: u32) -> [u8; 2] {
    let shifted = sum.wrapping_add(1i64 << (shift - 1)) >> shift;
    (shifted.clamp(i16::MIN.into(), i16::MAX.into()) as i16).to_le_bytes()
}

//! Numbers of i32 times one for all, then perhaps times one each; each product shifted, the last one clamped.
#![allow(clippy::as_conversions, reason = "clamped numbers keep their low bits: no conversion trait does")]

use opml_vm::{DType, Opcode};

use super::{
    super::{number::Number, simd::Kernels},
    pattern::{Flat, Pattern, count},
};
use crate::engine::{
    Frame,
    interval::Interval,
    load::{Extents, FIRST_K},
};

/// The instruction.
#[derive(Debug, Clone)]
pub(in super::super) struct Scale {
    source: Flat,
    /// None: 1.
    factor: Option<Flat>,
    each: Option<Flat>,
    dtype: DType,
    constants: Constants,
    /// The greatest magnitude of the numbers one each.
    greatest: i64,
}

/// The constants of the loop.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Constants {
    factor: i64,
    shifts: [u32; 2],
    low: i64,
    high: i64,
    /// What the first products are, shifted, fits i32.
    narrow: bool,
}

impl Scale {
    pub(super) fn new(pattern: &Pattern<'_>) -> Option<Self> {
        let dtype = pattern.instruction.dtype;
        let mut bounds = Interval::of(dtype);
        let mut slot = pattern.analysis.output;
        if let (Opcode::Clamp, [x, low, high]) = pattern.op(slot)? {
            let (low, high) = (pattern.constant(low)?, pattern.constant(high)?);
            bounds = bounds.saturated(Interval { low, high: high.max(low) });
            // The machine takes the upper bound last.
            if low > high {
                return None;
            }
            slot = x;
        }
        let outputs = pattern.outputs();
        let flat = |slot: usize| pattern.flat(slot, &outputs);
        let (mut each, mut greatest, mut last) = (None, 0, 1);
        if let (Opcode::Mulshr, [a, b, s]) = pattern.op(slot)?
            && let Some((x, w)) = [(a, b), (b, a)].into_iter().find(|(x, _)| pattern.op(*x).is_some())
        {
            let range = pattern.interval(w);
            greatest = range.low.checked_abs()?.max(range.high.checked_abs()?);
            (each, last, slot) = (Some(flat(w).filter(|w| w.dtype == DType::I16)?), pattern.shift(s)?, x);
        }
        let (source, factor, shift) = match pattern.op(slot)? {
            (Opcode::Rshr, [x, s, _]) => (flat(x)?, None, pattern.shift(s)?),
            (Opcode::Mulshr, [a, b, s]) => {
                let find = |x: usize, s: usize| Some((flat(x)?, Some(pattern.flat(s, &[])?)));
                let (source, factor) = find(a, b).or_else(|| find(b, a))?;
                (source, factor, pattern.shift(s)?)
            }
            _ => return None,
        };
        let known = source.dtype == DType::I32 && matches!(dtype, DType::I8 | DType::I16 | DType::I32);
        let constants =
            Constants { factor: 1, shifts: [shift, last], low: bounds.low, high: bounds.high, narrow: false };
        known.then_some(Self { source, factor, each, dtype, constants, greatest })
    }

    pub(super) fn run(&self, kernels: Kernels, frame: Frame<'_>, extents: &Extents, bytes: &mut [u8]) -> Option<()> {
        let count = count(&extents[..FIRST_K]);
        let source = self.source.bytes(frame, count)?;
        let each = match self.each {
            Some(each) => Some(each.bytes(frame, count)?),
            None => None,
        };
        let factor = self.factor.map_or(Some(1), |factor| factor.one(frame))?;
        let mut most = 0;
        kernels.greatest_magnitude(&mut most, source);
        // The first product and half of the last bit shifted out, then the second, must fit.
        let [first, second] = self.constants.shifts;
        let largest = most.checked_mul(factor.checked_abs()?)?.checked_add(1 << (first - 1))? >> first;
        largest.checked_mul(self.greatest)?.checked_add(1 << (second - 1))?;
        let narrow = largest < i64::from(i32::MAX) && i32::try_from(factor).is_ok();
        let constants = Constants { factor, narrow, ..self.constants };
        match self.dtype {
            DType::I8 => kernels.scale_byte(bytes, source, each, constants),
            DType::I16 => kernels.scale_short(bytes, source, each, constants),
            _ => kernels.scale_long(bytes, source, each, constants),
        }
        Some(())
    }
}

/// The greatest magnitude of i32.
#[inline(always)]
pub(in super::super) fn greatest_magnitude(out: &mut i64, source: &[u8]) {
    let numbers = source.as_chunks::<4>().0.iter();
    *out = numbers.fold(0, |most: u32, &bytes| most.max(i32::from_le_bytes(bytes).unsigned_abs())).into();
}

#[inline(always)]
pub(in super::super) fn byte(out: &mut [u8], source: &[u8], each: Option<&[u8]>, constants: Constants) {
    scale(out, source, each, constants, |value| [value as u8]);
}

#[inline(always)]
pub(in super::super) fn short(out: &mut [u8], source: &[u8], each: Option<&[u8]>, constants: Constants) {
    scale(out, source, each, constants, |value| (value as i16).to_le_bytes());
}

#[inline(always)]
pub(in super::super) fn long(out: &mut [u8], source: &[u8], each: Option<&[u8]>, constants: Constants) {
    scale(out, source, each, constants, |value| (value as i32).to_le_bytes());
}

#[inline(always)]
fn scale<const W: usize>(
    out: &mut [u8],
    source: &[u8],
    each: Option<&[u8]>,
    Constants { factor, shifts: [first, second], low, high, narrow }: Constants,
    bytes: impl Fn(i64) -> [u8; W],
) {
    let outs = out.as_chunks_mut::<W>().0.iter_mut();
    let numbers = source.as_chunks::<4>().0.iter().map(|&bytes| i64::from(i32::from_le_bytes(bytes)));
    let half = 1i64 << (first - 1);
    let put = |value: i64| bytes(value.max(low).min(high));
    let last_half = 1i64 << (second - 1);
    let weights = each.unwrap_or(&[]).as_chunks::<2>().0.iter().map(|&bytes| i64::from(i16::from_le_bytes(bytes)));
    match (narrow, each) {
        (_, None) => {
            outs.zip(numbers).for_each(|(out, x)| *out = put(x.wrapping_mul(factor).wrapping_add(half) >> first));
        }
        (true, Some(_)) => {
            // That they fit i32 makes products of 32 bits.
            let factor = i64::from(i32::cut(factor));
            for ((out, x), weight) in outs.zip(numbers).zip(weights) {
                let scaled = i64::from(i32::cut(x.wrapping_mul(factor).wrapping_add(half) >> first));
                *out = put(scaled.wrapping_mul(weight).wrapping_add(last_half) >> second);
            }
        }
        (false, Some(_)) => {
            for ((out, x), weight) in outs.zip(numbers).zip(weights) {
                let scaled = x.wrapping_mul(factor).wrapping_add(half) >> first;
                *out = put(scaled.wrapping_mul(weight).wrapping_add(last_half) >> second);
            }
        }
    }
}

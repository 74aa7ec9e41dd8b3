//! Rows of i32 times a constant over a number of the row, to bytes: `⌊x · ⌊c / m⌋ / 2^s + 1/2⌋`.
#![allow(clippy::as_conversions, reason = "saturated numbers keep their low bits: no conversion trait does")]

use opml_vm::{DType, Opcode, eval::scalar};

use super::{
    super::simd::Kernels,
    pattern::{Flat, Pattern, count},
};
use crate::engine::{
    Frame,
    load::{Extents, FIRST_K},
};

/// Numbers of a step.
const LANES: usize = 32;

/// The instruction.
#[derive(Debug, Clone)]
pub(in super::super) struct Quantise {
    source: Flat,
    divisors: Flat,
    /// Output axes that divisors follow.
    axes: usize,
    constants: Constants,
}

/// `c` and `s`.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Constants {
    dividend: i64,
    shift: u32,
}

impl Quantise {
    pub(super) fn new(pattern: &Pattern<'_>) -> Option<Self> {
        let (Opcode::Mulshr, [a, b, s]) = pattern.op(pattern.analysis.output)? else { return None };
        let shift = pattern.shift(s)?;
        let (x, quotient) = if pattern.op(b).is_some() { (a, b) } else { (b, a) };
        let (Opcode::Div, [dividend, m, _]) = pattern.op(quotient)? else { return None };
        let dividend = pattern.constant(dividend)?;
        let outputs = pattern.outputs();
        let source = pattern.flat(x, &outputs)?;
        let rows = (1..outputs.len()).find_map(|axes| Some((axes, pattern.flat(m, &outputs[..axes])?)));
        let (axes, divisors) = rows?;
        let known = (source.dtype, divisors.dtype, pattern.instruction.dtype) == (DType::I32, DType::I32, DType::I8);
        known.then_some(Self { source, divisors, axes, constants: Constants { dividend, shift } })
    }

    pub(super) fn run(&self, kernels: Kernels, frame: Frame<'_>, extents: &Extents, bytes: &mut [u8]) -> Option<()> {
        let source = self.source.bytes(frame, count(&extents[..FIRST_K]))?;
        let divisors = self.divisors.bytes(frame, count(&extents[..self.axes]))?;
        kernels.quantise(bytes, source, divisors, self.constants);
        Some(())
    }
}

/// Rows, as many as there are divisors.
#[inline(always)]
pub(in super::super) fn rows(out: &mut [u8], source: &[u8], divisors: &[u8], constants: Constants) {
    let divisors = divisors.as_chunks::<4>().0;
    let width = (out.len() / divisors.len().max(1)).max(1);
    let numbers = source.as_chunks::<4>().0;
    let all = out.chunks_exact_mut(width).zip(numbers.chunks_exact(width)).zip(divisors);
    for ((out, numbers), &divisor) in all {
        let factor = quotient(constants.dividend, i32::from_le_bytes(divisor).into());
        match i32::try_from(factor) {
            Ok(factor) => row(out, numbers, factor, constants.shift),
            Err(_) => exact(out, numbers, factor, constants.shift),
        }
    }
}

#[inline(always)]
fn quotient(dividend: i64, divisor: i64) -> i64 {
    if dividend >= 0 && divisor > 0 {
        let quotient = dividend.cast_unsigned() / divisor.cast_unsigned();
        return quotient.cast_signed();
    }
    scalar(Opcode::Div, dividend, divisor, 0)
}

#[inline(always)]
fn row(out: &mut [u8], numbers: &[[u8; 4]], factor: i32, shift: u32) {
    let half = 1i64 << (shift - 1);
    let byte = |&bytes: &[u8; 4]| {
        // A product of two i32 is below 2^62 in magnitude, or is 2^62; and half is at most 2^61.
        let product = i64::from(i32::from_le_bytes(bytes)).wrapping_mul(factor.into());
        (product.wrapping_add(half) >> shift).clamp(-128, 127) as u8
    };
    let (blocks, rest) = out.as_chunks_mut::<LANES>();
    let (sources, tail) = numbers.as_chunks::<LANES>();
    for (block, source) in blocks.iter_mut().zip(sources) {
        block.iter_mut().zip(source).for_each(|(out, number)| *out = byte(number));
    }
    rest.iter_mut().zip(tail).for_each(|(out, number)| *out = byte(number));
}

/// For factors that may not fit i32: divisors near 0.
#[cold]
#[inline(never)]
fn exact(out: &mut [u8], numbers: &[[u8; 4]], factor: i64, shift: u32) {
    for (out, &bytes) in out.iter_mut().zip(numbers) {
        let value = scalar(Opcode::Mulshr, i32::from_le_bytes(bytes).into(), factor, shift.into());
        *out = DType::I8.saturate(value) as u8;
    }
}

//! Bytes of tensors to and from lanes.
#![allow(
    clippy::as_conversions,
    reason = "saturated numbers keep their low bits: no conversion trait does, and vectors must"
)]

use opml_vm::{DType, tensor::element_at};

use super::{number::Number, shifted::Scale};

/// Elements `first`, `first + stride` …, all of which the data hold; others would be 0.
#[inline(always)]
pub(super) fn read<O: Number>(out: &mut [O], dtype: DType, data: &[u8], first: i64, stride: i64) {
    match dtype {
        DType::U8 => each(out, data, first, stride, |[b]: [u8; 1]| i64::from(b)),
        DType::I8 => each(out, data, first, stride, |b: [u8; 1]| i64::from(i8::from_le_bytes(b))),
        DType::I16 => each(out, data, first, stride, |b: [u8; 2]| i64::from(i16::from_le_bytes(b))),
        DType::I32 => each(out, data, first, stride, |b: [u8; 4]| i64::from(i32::from_le_bytes(b))),
        DType::I64 => each(out, data, first, stride, i64::from_le_bytes),
        DType::I4 => {
            let mut position = first;
            for out in out {
                let value = u64::try_from(position).ok().and_then(|p| element_at(dtype, data, p));
                *out = O::cut(value.unwrap_or(0));
                position = position.wrapping_add(stride);
            }
        }
    }
}

/// Reads `lanes` elements from each of some positions, which follow each other by a stride; runs that go on are one.
#[inline(always)]
pub(super) fn read_rows<O: Number>(
    out: &mut [O],
    (dtype, data): (DType, &[u8]),
    (firsts, stride): (&[i64], i64),
    lanes: usize,
) {
    let step = stride.wrapping_mul(i64::try_from(lanes).unwrap_or(0));
    let (mut rest, mut row) = (out, 0);
    while let Some(&first) = firsts.get(row) {
        let mut next = row + 1;
        while firsts.get(next).is_some_and(|&at| at == firsts[next - 1].wrapping_add(step)) {
            next += 1;
        }
        let (head, tail) = rest.split_at_mut(((next - row) * lanes).min(rest.len()));
        read(head, dtype, data, first, stride);
        (rest, row) = (tail, next);
    }
}

/// Reads a range of lanes from each of some positions, which are those of the first lane; the others get the pad.
#[inline(always)]
pub(super) fn read_inside<O: Number>(
    out: &mut [O],
    (dtype, data): (DType, &[u8]),
    (firsts, stride): (&[i64], i64),
    valid: &[(usize, usize)],
    pad: i64,
) {
    let lanes = out.len() / firsts.len().max(1);
    let pad = O::cut(pad);
    for ((row, &(low, high)), &first) in out.chunks_exact_mut(lanes.max(1)).zip(valid).zip(firsts) {
        if low >= high {
            row.fill(pad);
            continue;
        }
        row[..low].fill(pad);
        let first = first.wrapping_add(stride.wrapping_mul(i64::try_from(low).unwrap_or(0)));
        read(&mut row[low..high], dtype, data, first, stride);
        row[high..].fill(pad);
    }
}

#[inline(always)]
fn each<O: Number, const W: usize>(
    out: &mut [O],
    data: &[u8],
    first: i64,
    stride: i64,
    value: impl Fn([u8; W]) -> i64,
) {
    let (chunks, _) = data.as_chunks::<W>();
    let start = usize::try_from(first).unwrap_or(usize::MAX);
    let run = chunks.get(start..).unwrap_or(&[]);
    match usize::try_from(stride) {
        Ok(0) => out.fill(O::cut(run.first().map_or(0, |&chunk| value(chunk)))),
        Ok(1) => {
            for (out, &chunk) in out.iter_mut().zip(run) {
                *out = O::cut(value(chunk));
            }
        }
        Ok(stride) => {
            for (out, &chunk) in out.iter_mut().zip(run.iter().step_by(stride)) {
                *out = O::cut(value(chunk));
            }
        }
        Err(_) => {
            let back = usize::try_from(stride.unsigned_abs()).unwrap_or(usize::MAX);
            let until = chunks.get(..=start).unwrap_or(&[]);
            for (out, &chunk) in out.iter_mut().zip(until.iter().rev().step_by(back)) {
                *out = O::cut(value(chunk));
            }
        }
    }
}

/// Bytes of a number in 32 bits.
pub(super) const WORD: usize = 4;

/// `⌊sum · factor / 2^shift + 1/2⌋`, plus the numbers of `added` if there are any, saturated to i32. The shift is 2 to 62, and 62
/// bits hold the product if the factor is not 1.
#[inline(always)]
pub(super) fn shifted(out: &mut [u8], sums: &[i64], added: &[u8], Scale { factor, shift }: Scale) {
    let scaled = |sum: i64| (sum.wrapping_mul(factor) + (1 << (shift - 1))) >> shift;
    let half = |sum: i64| ((sum >> (shift - 1)) + 1) >> 1;
    let cut = |sum: i64| (sum.max(i32::MIN.into()).min(i32::MAX.into()) as i32).to_le_bytes();
    let out = out.as_chunks_mut::<WORD>().0.iter_mut().zip(sums);
    let own = added.as_chunks::<WORD>().0;
    let plus = |sum: i64, own: [u8; WORD]| sum + i64::from(i32::from_le_bytes(own));
    match (factor, added.is_empty()) {
        (1, true) => out.for_each(|(out, &sum)| *out = cut(half(sum))),
        (1, false) => out.zip(own).for_each(|((out, &sum), &own)| *out = cut(plus(half(sum), own))),
        (_, true) => out.for_each(|(out, &sum)| *out = cut(scaled(sum))),
        (_, false) => out.zip(own).for_each(|((out, &sum), &own)| *out = cut(plus(scaled(sum), own))),
    }
}

/// Numbers saturated to the type, as bytes.
#[inline(always)]
pub(super) fn write<A: Number>(data: &mut [u8], dtype: DType, values: &[A]) {
    // Bounds in the lanes' own width: i32 lanes need none for i32 and i64.
    let (low, high) = (A::cut(dtype.min().max(A::LEAST)), A::cut(dtype.max().min(A::MOST)));
    let cut = |value: A| value.max(low).min(high).wide();
    match dtype {
        DType::U8 | DType::I8 | DType::I4 => put(data, values, |value| [cut(value) as u8]),
        DType::I16 => put(data, values, |value| (cut(value) as i16).to_le_bytes()),
        DType::I32 => put(data, values, |value| (cut(value) as i32).to_le_bytes()),
        DType::I64 => put(data, values, |value: A| value.wide().to_le_bytes()),
    }
}

#[inline(always)]
fn put<A: Number, const W: usize>(data: &mut [u8], values: &[A], bytes: impl Fn(A) -> [u8; W]) {
    let (chunks, _) = data.as_chunks_mut::<W>();
    for (chunk, &value) in chunks.iter_mut().zip(values) {
        *chunk = bytes(value);
    }
}

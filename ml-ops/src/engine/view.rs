//! The row factor of a product as bytes that kernels read in place.

use std::borrow::Cow;

use opml_vm::{DType, Tensor};
use rayon::prelude::*;

use super::{
    kernels::Width,
    load::{LoadPlan, size},
    pool::Pool,
};

/// Most bytes of a copy with pads, and most times that it may be larger than its source.
const LIMIT: i64 = 1 << 30;
const GROWTH: i64 = 6;
/// Numbers of a stretch.
const LINE: usize = 1 << 10;
/// Stretches of one task.
const ROWS: usize = 16;
/// Bytes of a copy below which a second thread does not pay.
const PARALLEL: usize = 1 << 16;
/// Bytes past the last number of a copy: kernels read whole vectors.
const SPARE: usize = 192;

/// How a load's source is turned into a buffer in which every load of the instruction is inside.
#[derive(Debug, Clone)]
pub(super) struct Source {
    dtype: DType,
    width: Width,
    /// Axes of the buffer, if it is a copy with pads.
    pads: Option<Vec<Padded>>,
    pad: i64,
    /// Added to 16-bit numbers.
    offset: i64,
    /// Position, in elements: base and coefficients of the coordinates.
    pub(super) linear: (i64, [i64; 16]),
    /// Elements of the buffer.
    pub(super) elements: i64,
}

/// An axis of a copy: indices from `low` on, of which those below `extent` and from 0 on are in the source.
#[derive(Debug, Clone, Copy)]
struct Padded {
    low: i64,
    length: i64,
    extent: i64,
}

impl Source {
    /// A load as numbers of a width; `None` if they do not fit it or its view is not a plain one.
    pub(super) fn new(load: &LoadPlan, offset: i64, width: Width) -> Option<Self> {
        let bytes = matches!(load.dtype, DType::U8 | DType::I8);
        let words = bytes || load.dtype == DType::I16;
        let (low, high) = (load.dtype.min(), load.dtype.max());
        let pads_fit = load.inside || (low..=high).contains(&load.pad);
        match width {
            Width::Byte if !bytes || !pads_fit => return None,
            Width::Word => {
                let fits = |n: i64| n.checked_add(offset).is_some_and(|n| i16::try_from(n).is_ok());
                if !words || !fits(low) || !fits(high) || !(load.inside || fits(load.pad)) {
                    return None;
                }
            }
            Width::Byte => {}
        }
        let mut source = Self {
            dtype: load.dtype,
            width,
            pads: None,
            pad: load.pad,
            offset: if width == Width::Word { offset } else { 0 },
            linear: (0, [0; 16]),
            elements: load.elements,
        };
        if load.inside {
            source.linear = load.linear();
            return Some(source);
        }
        let view = load.axes.iter().try_fold(1i64, |n, axis| n.checked_mul(axis.extent))?;
        if view > load.elements {
            return None;
        }
        let mut pads = Vec::with_capacity(load.axes.len());
        let mut elements = 1i64;
        for axis in &load.axes {
            let (low, high) = axis.range;
            let length = high.checked_sub(low)?.checked_add(1)?;
            elements = elements.checked_mul(length).filter(|&n| n <= LIMIT)?;
            let (base, coefficients) = &mut source.linear;
            *base = base.checked_mul(length)?.checked_add(axis.base.checked_sub(low)?)?;
            for c in coefficients.iter_mut() {
                *c = c.checked_mul(length)?;
            }
            for &(coordinate, coefficient) in &axis.coordinates {
                coefficients[coordinate] += coefficient;
            }
            pads.push(Padded { low, length, extent: axis.extent });
        }
        if elements > load.elements.checked_mul(GROWTH)?.checked_add(1 << 12)? {
            return None;
        }
        source.elements = elements;
        source.pads = Some(pads);
        Some(source)
    }

    /// Whether the source's bytes are what kernels read, pads apart.
    fn is_plain(&self) -> bool {
        match self.width {
            Width::Byte => self.dtype == DType::U8,
            Width::Word => self.dtype == DType::I16 && self.offset == 0,
        }
    }

    /// The buffer's bytes: the tensor's own where they are already right.
    ///
    /// Signed bytes are stored plus 128, as the kernels' row factor is unsigned.
    pub(super) fn bytes<'a>(&self, tensor: &'a Tensor, pool: &Pool) -> Cow<'a, [u8]> {
        if self.is_plain() && self.pads.is_none() {
            return Cow::Borrowed(tensor.bytes());
        }
        let out = pool.take(size(self.elements) * self.width.bytes() + SPARE);
        let bytes = match self.width {
            Width::Byte => {
                let flip = if self.dtype == DType::I8 { 0x80 } else { 0 };
                // The pad is in the type's range: its low byte is the stored one.
                let [pad, ..] = self.pad.to_le_bytes();
                if flip == 0 {
                    self.copy::<1, 1>(tensor.bytes(), [pad], None::<fn([u8; 1]) -> [u8; 1]>, out)
                } else {
                    self.copy(tensor.bytes(), [pad ^ flip], Some(|[byte]: [u8; 1]| [byte ^ flip]), out)
                }
            }
            Width::Word => {
                let word = |n: i64| {
                    let [a, b, ..] = (n + self.offset).to_le_bytes();
                    [a, b]
                };
                let pad = word(self.pad);
                match self.dtype {
                    DType::U8 => self.copy(tensor.bytes(), pad, Some(|[byte]: [u8; 1]| word(i64::from(byte))), out),
                    DType::I8 => {
                        self.copy(tensor.bytes(), pad, Some(|byte| word(i64::from(i8::from_le_bytes(byte)))), out)
                    }
                    _ if self.offset == 0 => {
                        self.copy::<2, 2>(tensor.bytes(), pad, None::<fn([u8; 2]) -> [u8; 2]>, out)
                    }
                    _ => self.copy(tensor.bytes(), pad, Some(|pair| word(i64::from(i16::from_le_bytes(pair)))), out),
                }
            }
        };
        Cow::Owned(bytes)
    }

    /// A copy, number by number, with pads; without a function the numbers are as they are.
    fn copy<const I: usize, const O: usize>(
        &self,
        bytes: &[u8],
        pad: [u8; O],
        number: Option<impl Fn([u8; I]) -> [u8; O] + Copy + Sync>,
        mut out: Vec<u8>,
    ) -> Vec<u8> {
        let numbers = bytes.as_chunks::<I>().0;
        let length = size(self.elements) * O;
        let Some(pads) = self.pads.as_deref() else {
            // What a buffer held before is written over: there is nothing to clear.
            out.resize(length + SPARE, 0);
            let write = |(out, numbers): (&mut [u8], &[[u8; I]])| match number {
                Some(number) => {
                    let places = out.as_chunks_mut::<O>().0;
                    places.iter_mut().zip(numbers).for_each(|(place, &own)| *place = number(own));
                }
                None => out.iter_mut().zip(numbers.as_flattened()).for_each(|(place, &own)| *place = own),
            };
            if length < PARALLEL || rayon::current_num_threads() == 1 {
                out.chunks_mut(LINE * O).zip(numbers.chunks(LINE)).for_each(write);
            } else {
                out.par_chunks_mut(LINE * O).zip(numbers.par_chunks(LINE)).with_min_len(ROWS).for_each(write);
            }
            let written = (numbers.len() * O).min(length);
            out.get_mut(written..).unwrap_or(&mut []).fill(0);
            return out;
        };
        out.clear();
        out.reserve(length + SPARE);
        fill(pads, numbers, &mut out, pad, number);
        out.resize(length + SPARE, 0);
        out
    }
}

/// Appends numbers.
fn append<const I: usize, const O: usize>(numbers: &[[u8; I]], out: &mut Vec<u8>, number: impl Fn([u8; I]) -> [u8; O]) {
    let start = out.len();
    out.resize(start + numbers.len() * O, 0);
    let places = out.get_mut(start..).unwrap_or(&mut []).as_chunks_mut::<O>().0;
    places.iter_mut().zip(numbers).for_each(|(place, &own)| *place = number(own));
}

/// Appends a copy axis by axis; `numbers` are those of the source under the outer indices.
fn fill<const I: usize, const O: usize>(
    axes: &[Padded],
    numbers: &[[u8; I]],
    out: &mut Vec<u8>,
    pad: [u8; O],
    number: Option<impl Fn([u8; I]) -> [u8; O] + Copy>,
) {
    let all = |numbers: &[[u8; I]], out: &mut Vec<u8>| match number {
        Some(number) => append(numbers, out, number),
        None => out.extend_from_slice(numbers.as_flattened()),
    };
    let Some((axis, inner)) = axes.split_first() else {
        return all(numbers, out);
    };
    let before = (-axis.low).clamp(0, axis.length);
    let first = axis.low.max(0);
    let inside = (axis.extent.min(axis.low + axis.length) - first).clamp(0, axis.length - before);
    let step: usize = inner.iter().map(|axis| size(axis.length)).product();
    let below: usize = inner.iter().map(|axis| size(axis.extent)).product();
    let pads = |count: i64, out: &mut Vec<u8>| {
        let length = out.len() + size(count) * step * O;
        match pad {
            _ if O == 1 => out.resize(length, pad[0]),
            pad => out.extend(std::iter::repeat_n(pad, size(count) * step).flatten()),
        }
    };
    pads(before, out);
    if inner.is_empty() {
        all(numbers.get(size(first)..size(first + inside)).unwrap_or(&[]), out);
    } else {
        for index in size(first)..size(first + inside) {
            fill(inner, numbers.get(index * below..(index + 1) * below).unwrap_or(&[]), out, pad, number);
        }
    }
    pads(axis.length - before - inside, out);
}

//! Sums, greatest and least of bytes as they lie: pools.
//!
//! Lanes are the innermost output axis, whose elements are consecutive in the source. Bytes are folded as bytes, sums in
//! 16 bits as long as they fit, many lanes at a time; registers of 32 bits would quadruple the traffic. Windows that reach
//! past the source read a copy with pads.

use std::borrow::Cow;

use opml_vm::{DType, Instruction, Op, Reducer, Tensor};
use rayon::prelude::*;

use super::{
    machine::Numbers,
    post::{Post, Workspace},
    simd::Kernels,
};
use crate::engine::{
    Frame,
    kernels::Width,
    load::{self, Extents, FIRST_K, Headers, LoadPlan, Place, size},
    pack,
    pool::Pool,
    view::Source,
};

/// Terms of bytes whose sum fits 16 bits.
const SHORT: usize = 256;
/// Most terms: their sum fits i32.
const MOST: i64 = 1 << 22;
/// Lanes of a step.
const LANES: usize = 64;
/// Bytes below which a second thread does not pay.
const PARALLEL: usize = 1 << 20;

/// A fold of bytes.
#[derive(Debug, Clone)]
pub(super) struct Fold {
    place: Place,
    reducer: Reducer,
    /// A copy with pads, of unsigned bytes in the same order, if windows reach past the source.
    padded: Option<Source>,
    /// What makes unsigned bytes, in the same order, of those that are read.
    flip: u8,
    /// What makes the source's bytes of unsigned ones.
    sign: u8,
    /// Lanes of a row.
    width: usize,
    /// Axes of rows: extent, step in the source.
    rows: Vec<(usize, isize)>,
    base: usize,
    /// Position of each term from a row's start.
    offsets: Vec<usize>,
    /// Terms that are folded side by side first, as they lie one after another.
    beside: usize,
    /// Whether bytes are stored as they come.
    plain: bool,
}

impl Fold {
    /// `None` if the instruction is no such fold.
    pub(super) fn new(instruction: &Instruction, extents: &Extents, terms: i64, header: Headers<'_>) -> Option<Self> {
        let [Op::Load(load)] = instruction.map.as_slice() else { return None };
        let plan = LoadPlan::new(instruction, load, extents, header)?;
        let sign = match plan.dtype {
            DType::U8 => 0,
            DType::I8 => 0x80,
            _ => return None,
        };
        let lane = (0..FIRST_K).rev().find(|&axis| extents[axis] != 1)?;
        if extents.contains(&0) || plan.place == Place::Nowhere || plan.slots().next().is_some() {
            return None;
        }
        let padded = if plan.inside { None } else { Some(Source::new(&plan, 0, Width::Byte)?) };
        let flip = if padded.is_some() { 0 } else { sign };
        let (base, coefficients) = padded.as_ref().map_or_else(|| plan.linear(), |source| source.linear);
        let folds = !matches!(instruction.reducer, Reducer::Argmax) && (2..=MOST).contains(&terms);
        let forwards = (FIRST_K..16).all(|axis| coefficients[axis] >= 0);
        if !folds || !forwards || coefficients[lane] != 1 {
            return None;
        }
        let mut offsets = Vec::with_capacity(size(terms));
        let mut point = [0; 16];
        for _ in 0..terms {
            offsets.push(size((FIRST_K..16).map(|axis| coefficients[axis] * point[axis]).sum()));
            load::advance(extents, FIRST_K, &mut point);
        }
        let width = size(extents[lane]);
        let dense = offsets.iter().enumerate().all(|(number, &offset)| offset == number * width);
        let beside = if dense { LANES.div_ceil(width).min(offsets.len()) } else { 1 };
        let axis = |axis: usize| Some((size(extents[axis]), isize::try_from(coefficients[axis]).ok()?));
        let rows = (0..lane).filter(|&axis| extents[axis] != 1).map(axis).collect::<Option<_>>()?;
        let plain =
            instruction.reducer != Reducer::Sum && instruction.post.is_empty() && instruction.dtype == plan.dtype;
        let base = usize::try_from(base).ok()?;
        let (place, reducer) = (plan.place, instruction.reducer);
        Some(Self { place, reducer, padded, flip, sign, width, rows, base, offsets, beside, plain })
    }

    /// The instruction's value in `bytes`.
    pub(super) fn run(
        &self,
        post: &Post,
        kernels: Kernels,
        (frame, pool): (Frame<'_>, &Pool),
        dtype: DType,
        bytes: &mut [u8],
    ) {
        let empty = Tensor::empty();
        let source = frame.tensor(self.place).unwrap_or(&empty);
        let copy = self.padded.as_ref().map(|padded| padded.bytes(source, pool));
        let source = copy.as_deref().unwrap_or(source.bytes());
        let row = self.width * pack::width(dtype);
        let work = |first: usize, bytes: &mut [u8]| {
            if self.plain {
                return kernels.fold_bytes(bytes, self, source, first);
            }
            let mut folded = vec![0; bytes.len() / pack::width(dtype)];
            kernels.fold_numbers(&mut folded, self, source, first);
            let mut workspace = Workspace::with(&[], 0, [1; 16], frame);
            post.numbers(dtype, first * self.width, Numbers::Narrow(&folded), bytes, &mut workspace);
        };
        let rows = bytes.len() / row;
        if rows * self.width * self.offsets.len() < PARALLEL || rows < 2 {
            work(0, bytes);
        } else {
            let part = rows.div_ceil(3 * rayon::current_num_threads());
            bytes.par_chunks_mut(part * row).enumerate().for_each(|(number, bytes)| work(number * part, bytes));
        }
        if let Some(Cow::Owned(copy)) = copy {
            pool.put(copy);
        }
    }

    /// Where rows start in the source, from a row on.
    fn starts(&self, first: usize) -> impl Iterator<Item = usize> {
        let mut places = [0usize; 8];
        let (mut rest, mut start) = (first, self.base);
        for (place, &(extent, step)) in places.iter_mut().zip(&self.rows).rev() {
            *place = rest % extent;
            rest /= extent;
            start = start.wrapping_add_signed(step * isize::try_from(*place).unwrap_or(0));
        }
        std::iter::repeat_with(move || {
            let this = start;
            for (place, &(extent, step)) in places.iter_mut().zip(&self.rows).rev() {
                *place += 1;
                start = start.wrapping_add_signed(step);
                if *place < extent {
                    break;
                }
                *place = 0;
                start = start.wrapping_add_signed(-step * isize::try_from(extent).unwrap_or(0));
            }
            this
        })
    }
}

/// Greatest or least bytes of whole rows from row `first` on.
#[inline(always)]
pub(super) fn bytes(out: &mut [u8], fold: &Fold, source: &[u8], first: usize) {
    let (flip, sign) = (fold.flip, fold.sign);
    match fold.reducer {
        Reducer::Max => each(out, fold, source, first, 0, |a, b| a.max(b ^ flip), |a| a ^ sign),
        _ => each(out, fold, source, first, 255, |a, b| a.min(b ^ flip), |a| a ^ sign),
    }
}

#[inline(always)]
fn each(
    out: &mut [u8],
    fold: &Fold,
    source: &[u8],
    first: usize,
    neutral: u8,
    f: impl Fn(u8, u8) -> u8 + Copy,
    end: impl Fn(u8) -> u8 + Copy,
) {
    let width = fold.width;
    let mut at = 0;
    for start in fold.starts(first) {
        if at >= out.len() {
            break;
        }
        let mut lane = 0;
        while lane + LANES <= width {
            step::<LANES>(&mut out[at + lane..], (source, start + lane, &fold.offsets), neutral, f, end);
            lane += LANES;
        }
        let from = (source, start + lane, fold.offsets.as_slice());
        let to = &mut out[at + lane..];
        // What is too much is covered by the next row.
        let done = match width - lane {
            0 => true,
            1..=8 => step::<8>(to, from, neutral, f, end),
            9..=16 => step::<16>(to, from, neutral, f, end),
            17..=32 => step::<32>(to, from, neutral, f, end),
            _ => step::<LANES>(to, from, neutral, f, end),
        };
        if !done {
            for (lane, out) in (lane..width).zip(to) {
                let byte = |&offset: &usize| source.get(start + lane + offset).copied().unwrap_or(0);
                *out = end(fold.offsets.iter().map(byte).fold(neutral, f));
            }
        }
        at += width;
    }
}

/// Some lanes; `false` if they do not lie inside the slices.
#[inline(always)]
fn step<const N: usize>(
    out: &mut [u8],
    (source, start, offsets): (&[u8], usize, &[usize]),
    neutral: u8,
    f: impl Fn(u8, u8) -> u8,
    end: impl Fn(u8) -> u8,
) -> bool {
    let Some(out) = out.first_chunk_mut::<N>() else { return false };
    let mut acc = [neutral; N];
    for offset in offsets {
        let Some(lanes) = source.get(start + offset..).and_then(<[u8]>::first_chunk::<N>) else { return false };
        acc.iter_mut().zip(lanes).for_each(|(acc, &lane)| *acc = f(*acc, lane));
    }
    out.iter_mut().zip(acc).for_each(|(out, acc)| *out = end(acc));
    true
}

/// Folded numbers of whole rows from row `first` on.
#[inline(always)]
pub(super) fn numbers(out: &mut [i32], fold: &Fold, source: &[u8], first: usize) {
    let flip = fold.flip;
    let shift = i32::from(fold.sign);
    for (out, start) in out.chunks_exact_mut(fold.width).zip(fold.starts(first)) {
        match fold.reducer {
            Reducer::Sum => {
                sums(out, fold, source, start);
                let terms = i32::try_from(fold.offsets.len()).unwrap_or(0);
                out.iter_mut().for_each(|sum| *sum -= shift * terms);
            }
            reducer => {
                for (lane, out) in out.iter_mut().enumerate() {
                    let byte = |&offset: &usize| source.get(start + lane + offset).map_or(0, |byte| byte ^ flip);
                    let all = fold.offsets.iter().map(byte);
                    let end = if reducer == Reducer::Max { all.max() } else { all.min() };
                    *out = i32::from(end.unwrap_or(0)) - shift;
                }
            }
        }
    }
}

/// Sums of a row of flipped bytes.
#[inline(always)]
fn sums(out: &mut [i32], fold: &Fold, source: &[u8], start: usize) {
    let (beside, width) = (fold.beside.max(1), fold.width);
    out.fill(0);
    let whole = fold.offsets.len() / beside * beside;
    let lanes = beside * width;
    for lane in (0..lanes).step_by(LANES) {
        let count = LANES.min(lanes - lane);
        let mut sums = [0u32; LANES];
        for offsets in fold.offsets[..whole].chunks(beside * SHORT) {
            let mut short = [0u16; LANES];
            for offset in offsets.iter().step_by(beside) {
                let from = source.get(start + lane + offset..).unwrap_or(&[]);
                let add = |(sum, &byte): (&mut u16, &u8)| *sum = sum.wrapping_add(u16::from(byte ^ fold.flip));
                match from.first_chunk::<LANES>() {
                    Some(from) => short.iter_mut().zip(from).for_each(add),
                    None => short.iter_mut().zip(from).take(count).for_each(add),
                }
            }
            sums.iter_mut().zip(short).for_each(|(sum, short)| *sum += u32::from(short));
        }
        for (lane, sum) in (lane..).zip(&sums[..count]) {
            out[lane % width] += i32::try_from(*sum).unwrap_or(0);
        }
    }
    for offset in &fold.offsets[whole..] {
        let from = source.get(start + offset..).unwrap_or(&[]);
        out.iter_mut().zip(from).for_each(|(sum, byte)| *sum += i32::from(byte ^ fold.flip));
    }
}

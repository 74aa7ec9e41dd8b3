//! Many rows at once: values of many iterations side by side in lanes.
//!
//! Values are split in bytes as they are read, `256 · high + low`, so that sums of 256 products of 16 bits and 8 always fit 32 bits.

use std::arch::x86_64::{
    __m512i, _mm512_and_si512, _mm512_dpwssd_epi32, _mm512_load_si512, _mm512_set1_epi16, _mm512_set1_epi32,
    _mm512_setzero_si512, _mm512_srai_epi16,
};

use super::{
    Isa, Words,
    panels::{Kind, Row},
};
use crate::tier::Tier;

/// Numbers of a vector.
const LANES: usize = 16;
/// Vectors of mixed numbers.
const VECTORS: usize = 4;
/// Pairs of bytes whose products with 16 bits fit 32 bits in every lane.
const PAIRS: usize = 128;
const _: () = assert!(2 * PAIRS * (1 << 15) * 255 < 1 << 31);

/// Pairs of numbers.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
pub(super) struct Line([u32; LANES]);

const NONE: Line = Line([0; LANES]);

/// Packed values.
#[derive(Debug, Clone)]
pub(super) enum Panel {
    /// For 16 values side by side, each pair of their numbers.
    Scores { lines: Vec<Line>, pairs: usize, count: usize },
    /// For each pair of values, their numbers side by side.
    Mixed { lines: Vec<[Line; VECTORS]>, width: usize, count: usize },
}

impl Panel {
    /// An empty one; `None` if the CPU or the shape does not suit.
    pub(super) fn new(isa: Isa, kind: Kind) -> Option<Self> {
        let panel = match kind {
            Kind::Scores(terms) => {
                let suits = terms.is_multiple_of(2) && (1..=PAIRS).contains(&(terms / 2));
                suits.then_some(Self::Scores { lines: Vec::new(), pairs: terms / 2, count: 0 })
            }
            Kind::Mixed(width) => {
                let suits = (1..=VECTORS * LANES).contains(&width);
                suits.then_some(Self::Mixed { lines: Vec::new(), width, count: 0 })
            }
        };
        panel.filter(|_| isa.tier() >= Tier::Avx512)
    }

    /// Takes in values up to number `end` of at most `most`, from `start` on in each; `None` if one is too short.
    pub(super) fn extend<'v>(
        &mut self,
        (end, most): (usize, usize),
        start: usize,
        value: &impl Fn(usize) -> &'v Words,
    ) -> Option<()> {
        match self {
            Self::Scores { lines, pairs, count } => {
                resize(lines, end.div_ceil(LANES) * *pairs, most.div_ceil(LANES) * *pairs, NONE);
                while *count < end {
                    let words = value(*count).get(start..start + 2 * *pairs)?;
                    let lane = *count % LANES;
                    let lines = &mut lines[*count / LANES * *pairs..][..*pairs];
                    for (line, &pair) in lines.iter_mut().zip(pairs_of(words)) {
                        line.0[lane] = u32::from_le_bytes(pair);
                    }
                    *count += 1;
                }
            }
            Self::Mixed { lines, width, count } => {
                resize(lines, end.div_ceil(2), most.div_ceil(2), [NONE; VECTORS]);
                while *count < end {
                    let words = value(*count).get(start..start + *width)?;
                    let shift = 16 * u32::from(*count % 2 == 1);
                    for (words, line) in words.chunks(LANES).zip(&mut lines[*count / 2]) {
                        for (pair, &word) in line.0.iter_mut().zip(words) {
                            *pair |= u32::from(u16::from_le_bytes(word)) << shift;
                        }
                    }
                    *count += 1;
                }
            }
        }
        Some(())
    }

    /// The sums of rows.
    pub(super) fn run(&self, rows: &[Row<'_>], out: &mut [i64]) {
        // SAFETY: there are panels only where the CPU has the tier.
        unsafe {
            match self {
                Self::Scores { lines, pairs, .. } => all_scores(lines, *pairs, rows, out),
                Self::Mixed { lines, width, .. } => all_mixed(lines, *width, rows, out),
            }
        }
    }
}

/// At least so many lines. Room doubles, up to the most that there will be: memory that is never used costs too.
fn resize<T: Clone>(lines: &mut Vec<T>, length: usize, most: usize, none: T) {
    if length > lines.capacity() {
        lines.reserve_exact((2 * length).min(most).max(length) - lines.len());
    }
    if length > lines.len() {
        lines.resize(length, none);
    }
}

/// # Safety
/// The CPU has AVX-512 F, BW, DQ, VL and VNNI.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
unsafe fn all_scores(lines: &[Line], pairs: usize, rows: &[Row<'_>], out: &mut [i64]) {
    let (eights, mut rest) = rows.as_chunks::<8>();
    eights.iter().for_each(|rows| scores(lines, pairs, rows, out));
    if let Some((rows, after)) = rest.split_first_chunk::<4>() {
        scores(lines, pairs, rows, out);
        rest = after;
    }
    match rest {
        &[a, b, c] => scores(lines, pairs, &[a, b, c], out),
        &[a, b] => scores(lines, pairs, &[a, b], out),
        rest => rest.iter().for_each(|&row| scores(lines, pairs, &[row], out)),
    }
}

/// # Safety
/// As [`all_scores`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
unsafe fn all_mixed(lines: &[[Line; VECTORS]], width: usize, rows: &[Row<'_>], out: &mut [i64]) {
    let (threes, rest) = rows.as_chunks::<3>();
    threes.iter().for_each(|rows| mixed(lines, width, rows, out));
    match rest {
        &[a, b] => mixed(lines, width, &[a, b], out),
        rest => rest.iter().for_each(|&row| mixed(lines, width, &[row], out)),
    }
}

/// The dot products of `R` rows with all values.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn scores<const R: usize>(lines: &[Line], pairs: usize, rows: &[Row<'_>; R], out: &mut [i64]) {
    let queries = turned(rows, 0);
    let count = rows.iter().map(|row| row.count).max().unwrap_or(0);
    for (block, lines) in lines.chunks_exact(pairs).take(count.div_ceil(LANES)).enumerate() {
        let mut sums = [[_mm512_setzero_si512(); 2]; R];
        for (line, queries) in lines.iter().zip(&queries) {
            let (low, high) = split(line);
            for (sums, &query) in sums.iter_mut().zip(queries) {
                let own = _mm512_set1_epi32(query);
                sums[0] = _mm512_dpwssd_epi32(sums[0], own, low);
                sums[1] = _mm512_dpwssd_epi32(sums[1], own, high);
            }
        }
        for (row, sums) in rows.iter().zip(&sums) {
            let own = out[row.at..][..row.count].iter_mut().skip(block * LANES);
            let (low, high) = (numbers(sums[0]), numbers(sums[1]));
            own.zip(low.into_iter().zip(high)).for_each(|(out, sums)| *out = joined(sums));
        }
    }
}

/// The values that each of `R` rows mixes by its numbers.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn mixed<const R: usize>(lines: &[[Line; VECTORS]], width: usize, rows: &[Row<'_>; R], out: &mut [i64]) {
    let count = rows.iter().map(|row| row.count).max().unwrap_or(0).div_ceil(2).min(lines.len());
    rows.iter().for_each(|row| out[row.at..][..width].fill(0));
    for (segment, lines) in lines[..count].chunks(PAIRS).enumerate() {
        let powers = turned(rows, segment * PAIRS);
        let mut sums = [[[_mm512_setzero_si512(); 2]; VECTORS]; R];
        for (lines, powers) in lines.iter().zip(&powers) {
            let mut own = [_mm512_setzero_si512(); R];
            for (own, &power) in own.iter_mut().zip(powers) {
                *own = _mm512_set1_epi32(power);
            }
            for (vector, line) in lines.iter().enumerate() {
                let (low, high) = split(line);
                for (sums, &own) in sums.iter_mut().zip(&own) {
                    let [of_low, of_high] = &mut sums[vector];
                    *of_low = _mm512_dpwssd_epi32(*of_low, own, low);
                    *of_high = _mm512_dpwssd_epi32(*of_high, own, high);
                }
            }
        }
        for (row, sums) in rows.iter().zip(&sums) {
            for (out, &[low, high]) in out[row.at..][..width].chunks_mut(LANES).zip(sums) {
                let (low, high) = (numbers(low), numbers(high));
                out.iter_mut().zip(low.into_iter().zip(high)).for_each(|(out, sums)| *out += joined(sums));
            }
        }
    }
}

/// Pairs of each row's own numbers from pair `first` on, side by side, 0 behind the last.
#[inline]
fn turned<const R: usize>(rows: &[Row<'_>; R], first: usize) -> [[i32; R]; PAIRS] {
    let mut turned = [[0; R]; PAIRS];
    for (at, row) in rows.iter().enumerate() {
        let words = row.now.get(2 * first..).unwrap_or(&[]);
        let (pairs, last) = words.as_chunks::<2>();
        for (pairs, &[a, b]) in turned.iter_mut().zip(pairs) {
            pairs[at] = i32::from_le_bytes([a[0], a[1], b[0], b[1]]);
        }
        if let (Some(pairs), [last]) = (turned.get_mut(pairs.len()), last) {
            pairs[at] = i32::from_le_bytes([last[0], last[1], 0, 0]);
        }
    }
    turned
}

#[inline]
fn pairs_of(words: &Words) -> &[[u8; 4]] {
    words.as_flattened().as_chunks::<4>().0
}

/// A sum from those of its bytes.
#[inline]
fn joined((low, high): (i32, i32)) -> i64 {
    i64::from(low) + (i64::from(high) << 8)
}

/// Low bytes of numbers, and their high ones with signs, in 16 bits each.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn split(line: &Line) -> (__m512i, __m512i) {
    // SAFETY: a line has 64 bytes and is aligned.
    let numbers = unsafe { _mm512_load_si512(std::ptr::from_ref(line).cast()) };
    (_mm512_and_si512(numbers, _mm512_set1_epi16(0xff)), _mm512_srai_epi16::<8>(numbers))
}

#[inline]
#[target_feature(enable = "avx512f")]
fn numbers(sums: __m512i) -> [i32; LANES] {
    // SAFETY: both have 64 bytes, of which any are numbers.
    unsafe { std::mem::transmute(sums) }
}

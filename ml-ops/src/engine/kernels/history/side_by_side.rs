//! Many rows at once: values of many iterations side by side in lanes, packed once for all rows that read them.
//!
//! Values are split in bytes, `256 · high + low`, so that sums of 256 products of 16 bits and 8 always fit 32 bits.

use std::arch::x86_64::{__m512i, _mm512_dpwssd_epi32, _mm512_load_si512, _mm512_set1_epi32, _mm512_setzero_si512};

use super::{Isa, Words, panels::Row};
use crate::tier::Tier;

/// Numbers of a vector.
const LANES: usize = 16;
/// Rows of scores that share a reading of a panel.
const SCORED: usize = 8;
/// Rows of mixed values that do.
const MIXED: usize = 3;
/// Vectors of mixed values of a panel.
const VECTORS: usize = 4;
/// Pairs of bytes whose products with 16 bits fit 32 bits in every lane.
const PAIRS: usize = 128;
const _: () = assert!(2 * PAIRS * (1 << 15) * 255 < 1 << 31);

#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
struct Line([u32; LANES]);

/// Values of iterations for rows that are dot products with each of them.
#[derive(Debug)]
pub(super) struct Keys {
    /// For 16 values side by side pairs of their numbers: the low bytes, the high ones.
    lines: Vec<[Line; 2]>,
    pairs: usize,
}

/// Values of iterations for rows that mix them.
#[derive(Debug)]
pub(super) struct Mixed {
    /// For each pair of values their low bytes, then their high ones.
    lines: Vec<[Line; 2 * VECTORS]>,
    width: usize,
}

/// Low bytes of a pair of 16-bit numbers, and their high ones with signs, in 16 bits each.
fn split(pair: u32) -> [u32; 2] {
    let high = pair >> 8 & 0x00ff_00ff;
    [pair & 0x00ff_00ff, high | (high >> 7 & 0x0001_0001) * 0xff00]
}

impl Keys {
    /// `terms` numbers of each value from `start` on; `None` if the CPU or the shape does not suit.
    pub(super) fn new(isa: Isa, past: &[&Words], start: usize, terms: usize) -> Option<Self> {
        let whole = past.iter().all(|value| value.len() >= start + terms);
        let pairs = terms / 2;
        if isa.tier() < Tier::Avx512 || !(1..=PAIRS).contains(&pairs) || !terms.is_multiple_of(2) || !whole {
            return None;
        }
        let mut lines = vec![[Line([0; LANES]); 2]; past.len().div_ceil(LANES) * pairs];
        for (values, lines) in past.chunks(LANES).zip(lines.chunks_mut(pairs)) {
            for (lane, value) in values.iter().enumerate() {
                let words = pairs_of(&value[start..start + terms]);
                for ([low, high], &pair) in lines.iter_mut().zip(words) {
                    [low.0[lane], high.0[lane]] = split(u32::from_le_bytes(pair));
                }
            }
        }
        Some(Self { lines, pairs })
    }

    /// The dot products of rows.
    pub(super) fn scores(&self, rows: &[Row<'_>], out: &mut [i64]) {
        for rows in rows.chunks(SCORED) {
            // SAFETY: there are panels only where the CPU has the tier.
            unsafe { self.some(rows, out) };
        }
    }

    /// # Safety
    /// The CPU has AVX-512 F, BW, DQ, VL and VNNI.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    unsafe fn some(&self, rows: &[Row<'_>], out: &mut [i64]) {
        let Some(last) = rows.last() else { return };
        // Rows that do not exist are computed like the last one, and not stored.
        let query = |at: usize| pairs_of(rows.get(at).unwrap_or(last).now).get(..self.pairs).unwrap_or(&[]);
        let queries: [&[[u8; 4]]; SCORED] = std::array::from_fn(query);
        if queries.iter().any(|query| query.len() < self.pairs) {
            return;
        }
        let count = rows.iter().map(|row| row.count).max().unwrap_or(0);
        for (block, lines) in self.lines.chunks_exact(self.pairs).take(count.div_ceil(LANES)).enumerate() {
            let mut sums = [[_mm512_setzero_si512(); 2]; SCORED];
            for (at, [low, high]) in lines.iter().enumerate() {
                let (low, high) = (load(low), load(high));
                for (sums, query) in sums.iter_mut().zip(&queries) {
                    let own = broadcast(query[at]);
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
}

impl Mixed {
    /// `width` numbers of each value from `start` on; `None` if the CPU or the shape does not suit.
    pub(super) fn new(isa: Isa, past: &[&Words], start: usize, width: usize) -> Option<Self> {
        let whole = past.iter().all(|value| value.len() >= start + width);
        if isa.tier() < Tier::Avx512 || width == 0 || width > VECTORS * LANES || !whole {
            return None;
        }
        let pair = |pair: &[&Words]| {
            let mut lines = [Line([0; LANES]); 2 * VECTORS];
            let word = |value: usize, at: usize| pair.get(value).map_or(0, |value| word(value[start + at]));
            for at in 0..width {
                let (vector, lane) = (at / LANES, at % LANES);
                let [low, high] = split(word(0, at) | word(1, at) << 16);
                (lines[2 * vector].0[lane], lines[2 * vector + 1].0[lane]) = (low, high);
            }
            lines
        };
        Some(Self { lines: past.chunks(2).map(pair).collect(), width })
    }

    /// The values that each row mixes by its numbers.
    pub(super) fn mix(&self, rows: &[Row<'_>], out: &mut [i64]) {
        for rows in rows.chunks(MIXED) {
            // SAFETY: there are panels only where the CPU has the tier.
            unsafe { self.some(rows, out) };
        }
    }

    /// # Safety
    /// The CPU has AVX-512 F, BW, DQ, VL and VNNI.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    unsafe fn some(&self, rows: &[Row<'_>], out: &mut [i64]) {
        for row in rows {
            out[row.at..][..self.width].fill(0);
        }
        let count = rows.iter().map(|row| row.count).max().unwrap_or(0).div_ceil(2);
        for (segment, lines) in self.lines[..count.min(self.lines.len())].chunks(PAIRS).enumerate() {
            let mut sums = [[_mm512_setzero_si512(); 2 * VECTORS]; MIXED];
            for (at, lines) in lines.iter().enumerate() {
                let mut vectors = [_mm512_setzero_si512(); 2 * VECTORS];
                for (vector, line) in vectors.iter_mut().zip(lines) {
                    *vector = load(line);
                }
                for (row, sums) in rows.iter().zip(&mut sums) {
                    let own = broadcast(row.pair(segment * PAIRS + at));
                    for (sum, &vector) in sums.iter_mut().zip(&vectors) {
                        *sum = _mm512_dpwssd_epi32(*sum, own, vector);
                    }
                }
            }
            for (row, sums) in rows.iter().zip(&sums) {
                let out = &mut out[row.at..][..self.width];
                for (out, sums) in out.chunks_mut(LANES).zip(sums.as_chunks::<2>().0) {
                    let (low, high) = (numbers(sums[0]), numbers(sums[1]));
                    out.iter_mut().zip(low.into_iter().zip(high)).for_each(|(out, sums)| *out += joined(sums));
                }
            }
        }
    }
}

impl Row<'_> {
    /// A pair of its numbers, 0 behind the last.
    #[inline]
    fn pair(&self, at: usize) -> [u8; 4] {
        let own = self.now.get(..self.count).unwrap_or(self.now);
        match own.get(2 * at..2 * at + 2) {
            Some(&[a, b]) => [a[0], a[1], b[0], b[1]],
            _ => own.get(2 * at).map_or([0; 4], |a| [a[0], a[1], 0, 0]),
        }
    }
}

fn word(bytes: [u8; 2]) -> u32 {
    u16::from_le_bytes(bytes).into()
}

fn pairs_of(words: &Words) -> &[[u8; 4]] {
    words.as_flattened().as_chunks::<4>().0
}

/// A sum from those of its bytes.
#[inline]
fn joined((low, high): (i32, i32)) -> i64 {
    i64::from(low) + (i64::from(high) << 8)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn broadcast(pair: [u8; 4]) -> __m512i {
    _mm512_set1_epi32(i32::from_le_bytes(pair))
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(line: &Line) -> __m512i {
    // SAFETY: a line has 64 bytes and is aligned.
    unsafe { _mm512_load_si512(std::ptr::from_ref(line).cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn numbers(sums: __m512i) -> [i32; LANES] {
    // SAFETY: both have 64 bytes, of which any are numbers.
    unsafe { std::mem::transmute(sums) }
}

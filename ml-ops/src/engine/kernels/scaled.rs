//! Rows of weights in 8 or 4 bits times one vector, both in blocks of 32 with integer scales.
//!
//! A row gives `Σ_b most[b] · (scale[b] · Σ_i x[b,i]·w[b,i] + minimum[b] · Σ_i x[b,i])`, exact in i64. Weights are read
//! where they lie, in their committed bytes: nothing is packed.

#![allow(unsafe_code, reason = "vector instructions; every block says why it is sound")]
#![cfg_attr(
    not(target_arch = "x86_64"),
    allow(dead_code, unused_imports, reason = "steps and tiers are for the vector kernels")
)]

use super::Isa;
use crate::tier::Tier;

/// Numbers of a block.
pub(in crate::engine) const BLOCK: usize = 32;
/// Bytes of weights that one step of the vector kernel takes.
const CHUNK: usize = 64;

/// A matrix of weights, row-major.
#[derive(Clone, Copy)]
pub(in crate::engine) struct Weights<'a> {
    /// i8, or i4 if `four`.
    pub(in crate::engine) codes: &'a [u8],
    /// Whether codes have 4 bits.
    pub(in crate::engine) four: bool,
    /// i16, one for each block.
    pub(in crate::engine) scales: &'a [u8],
    /// i16, one for each block.
    pub(in crate::engine) minima: Option<&'a [u8]>,
    /// Blocks of a row.
    pub(in crate::engine) blocks: usize,
}

/// A row of weights.
#[derive(Clone, Copy)]
struct Row<'a> {
    codes: &'a [u8],
    scales: &'a [u8],
    minima: &'a [u8],
}

impl<'a> Weights<'a> {
    fn row(&self, number: usize) -> Row<'a> {
        let (code, scale) = (self.blocks * self.block_bytes(), self.blocks * 2);
        Row {
            codes: &self.codes[number * code..][..code],
            scales: &self.scales[number * scale..][..scale],
            minima: self.minima.map_or(&[], |minima| &minima[number * scale..][..scale]),
        }
    }

    const fn block_bytes(&self) -> usize {
        if self.four { BLOCK / 2 } else { BLOCK }
    }
}

/// A vector, as the kernels want it.
pub(in crate::engine) struct Activations {
    codes: Vec<i8>,
    /// The largest magnitude of each block.
    most: Vec<i64>,
    /// The sum of each block.
    sums: Vec<i64>,
    /// For the vector kernel, by steps.
    steps: Vec<Step>,
}

/// What the vector kernel needs for 64 bytes of weights.
#[derive(Clone)]
#[repr(align(64))]
struct Step {
    /// Codes; of weights in 4 bits, those of the low nibbles.
    low: [i8; CHUNK],
    /// Those of the high nibbles.
    high: [i8; CHUNK],
    /// Takes back that weights are read as unsigned: in the first lane of each block.
    start: [i32; 16],
    /// The sum of each block, in its first lane.
    sums: [i64; 8],
    /// The largest magnitude of each block, in all of its lanes.
    most: [i64; 8],
}

impl Activations {
    /// From committed bytes: i8 codes and i32 magnitudes.
    pub(in crate::engine) fn new(codes: &[u8], most: &[u8], four: bool) -> Self {
        let codes: Vec<i8> = codes.iter().map(|&code| i8::from_le_bytes([code])).collect();
        let most: Vec<i64> = most.as_chunks::<4>().0.iter().map(|&bytes| i32::from_le_bytes(bytes).into()).collect();
        let sums: Vec<i64> = codes.chunks(BLOCK).map(|block| block.iter().map(|&x| i64::from(x)).sum()).collect();
        let each = if four { 4 } else { 2 };
        let blocks: Vec<usize> = (0..most.len()).collect();
        let step = |numbers: &[usize]| {
            let mut step = Step { low: [0; CHUNK], high: [0; CHUNK], start: [0; 16], sums: [0; 8], most: [0; 8] };
            for (place, &number) in numbers.iter().enumerate() {
                let block = codes.get(number * BLOCK..(number + 1) * BLOCK).unwrap_or(&[]);
                let sum = sums.get(number).copied().unwrap_or(0);
                let lanes = 8 / each;
                step.sums[place * lanes] = sum;
                step.most[place * lanes..][..lanes].fill(most[number]);
                let start = sum * if four { -8 } else { -128 };
                step.start[place * 2 * lanes] = i32::try_from(start).unwrap_or(0);
                if four {
                    for (pair, codes) in block.chunks_exact(2).enumerate() {
                        (step.low[place * 16 + pair], step.high[place * 16 + pair]) = (codes[0], codes[1]);
                    }
                } else {
                    step.low[place * BLOCK..][..block.len()].copy_from_slice(block);
                }
            }
            step
        };
        let steps = blocks.chunks(each).map(step).collect();
        Self { codes, most, sums, steps }
    }
}

/// The products of rows from `first` on.
pub(in crate::engine) fn products(isa: Isa, weights: &Weights<'_>, x: &Activations, first: usize, out: &mut [i64]) {
    #[cfg(target_arch = "x86_64")]
    {
        if isa.tier() >= Tier::Avx512 {
            // SAFETY: the CPU has the tier.
            return unsafe { avx512(weights, x, first, out) };
        }
        if isa.tier() >= Tier::Avx2 {
            // SAFETY: the CPU has the tier.
            return unsafe { avx2(weights, x, first, out) };
        }
    }
    let _ = isa;
    plain(weights, x, first, out);
}

/// Plain Rust, which is also compiled for AVX2.
#[inline(always)]
#[allow(clippy::inline_always, reason = "it is to be compiled with the caller's instructions")]
fn plain(weights: &Weights<'_>, x: &Activations, first: usize, out: &mut [i64]) {
    for (number, out) in (first..).zip(out) {
        let row = weights.row(number);
        let mut total: i64 = 0;
        for block in 0..weights.blocks {
            let codes = &row.codes[block * weights.block_bytes()..][..weights.block_bytes()];
            let x_codes = &x.codes[block * BLOCK..][..BLOCK];
            let dot = if weights.four { dot_four(codes, x_codes) } else { dot_eight(codes, x_codes) };
            let scaled = i64::from(dot) * word(row.scales, block) + x.sums[block] * word(row.minima, block);
            total = total.wrapping_add(scaled.wrapping_mul(x.most[block]));
        }
        *out = total;
    }
}

/// The i16 of a block; 0 where there is none.
#[inline(always)]
#[allow(clippy::inline_always, reason = "as above")]
fn word(list: &[u8], block: usize) -> i64 {
    list.get(2 * block..2 * block + 2).map_or(0, |bytes| i64::from(i16::from_le_bytes([bytes[0], bytes[1]])))
}

#[inline(always)]
#[allow(clippy::inline_always, reason = "as above")]
fn dot_eight(codes: &[u8], x: &[i8]) -> i32 {
    codes.iter().zip(x).map(|(&w, &x)| i32::from(i8::from_le_bytes([w])) * i32::from(x)).sum()
}

#[inline(always)]
#[allow(clippy::inline_always, reason = "as above")]
fn dot_four(codes: &[u8], x: &[i8]) -> i32 {
    // A nibble with its sign bit flipped is the number plus 8.
    let number = |nibble: u8| i32::from(nibble ^ 8) - 8;
    let pair = |(&w, x): (&u8, &[i8])| number(w & 15) * i32::from(x[0]) + number(w >> 4) * i32::from(x[1]);
    codes.iter().zip(x.chunks_exact(2)).map(pair).sum()
}

/// # Safety
/// The CPU has AVX2.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn avx2(weights: &Weights<'_>, x: &Activations, first: usize, out: &mut [i64]) {
    plain(weights, x, first, out);
}

/// # Safety
/// The CPU has AVX-512 F, BW, DQ, VL and VNNI.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,ssse3")]
unsafe fn avx512(weights: &Weights<'_>, x: &Activations, first: usize, out: &mut [i64]) {
    use std::arch::x86_64::{
        __m512i, _mm_cvtsi64_si128, _mm_set_epi8, _mm_shuffle_epi8, _mm512_add_epi64, _mm512_and_si512,
        _mm512_cvtepi16_epi64, _mm512_dpbusd_epi32, _mm512_load_si512, _mm512_maskz_loadu_epi8, _mm512_mul_epi32,
        _mm512_mullo_epi64, _mm512_reduce_add_epi64, _mm512_set1_epi8, _mm512_setzero_si512, _mm512_srli_epi16,
        _mm512_srli_epi64, _mm512_xor_si512,
    };
    let each = CHUNK / weights.block_bytes();
    // Byte pairs of the i16 of each lane.
    let spread = if weights.four {
        _mm_set_epi8(7, 6, 7, 6, 5, 4, 5, 4, 3, 2, 3, 2, 1, 0, 1, 0)
    } else {
        _mm_set_epi8(3, 2, 3, 2, 3, 2, 3, 2, 1, 0, 1, 0, 1, 0, 1, 0)
    };
    let words = |list: &[u8], at: usize| -> __m512i {
        let number = match list.get(at..at + 8) {
            Some(&[a, b, c, d, e, f, g, h]) => i64::from_le_bytes([a, b, c, d, e, f, g, h]),
            _ => short(list.get(at..).unwrap_or(&[])),
        };
        _mm512_cvtepi16_epi64(_mm_shuffle_epi8(_mm_cvtsi64_si128(number), spread))
    };
    let (flip, nibble) = (_mm512_set1_epi8(if weights.four { -0x78 } else { -0x80 }), _mm512_set1_epi8(15));
    for (number, out) in (first..).zip(out) {
        let row = weights.row(number);
        let mut total = _mm512_setzero_si512();
        for (place, (step, bytes)) in x.steps.iter().zip(row.codes.chunks(CHUNK)).enumerate() {
            let mask = u64::MAX >> (CHUNK - bytes.len());
            // SAFETY: as many bytes are read as the mask has bits, all of them in `bytes`; a `Step` is aligned to 64
            // bytes, and so are its fields, whose sizes are multiples of 64.
            let (codes, low, high, start, most) = unsafe {
                (
                    _mm512_maskz_loadu_epi8(mask, bytes.as_ptr().cast()),
                    _mm512_load_si512(step.low.as_ptr().cast()),
                    _mm512_load_si512(step.high.as_ptr().cast()),
                    _mm512_load_si512(step.start.as_ptr().cast()),
                    _mm512_load_si512(step.most.as_ptr().cast()),
                )
            };
            let codes = _mm512_xor_si512(codes, flip);
            let dots = if weights.four {
                let dots = _mm512_dpbusd_epi32(start, _mm512_and_si512(codes, nibble), low);
                _mm512_dpbusd_epi32(dots, _mm512_and_si512(_mm512_srli_epi16::<4>(codes), nibble), high)
            } else {
                _mm512_dpbusd_epi32(start, codes, low)
            };
            let scales = words(row.scales, place * each * 2);
            let even = _mm512_mul_epi32(dots, scales);
            let odd = _mm512_mul_epi32(_mm512_srli_epi64::<32>(dots), scales);
            let mut scaled = _mm512_add_epi64(even, odd);
            if !row.minima.is_empty() {
                // SAFETY: as above.
                let sums = unsafe { _mm512_load_si512(step.sums.as_ptr().cast()) };
                scaled = _mm512_add_epi64(scaled, _mm512_mul_epi32(sums, words(row.minima, place * each * 2)));
            }
            total = _mm512_add_epi64(total, _mm512_mullo_epi64(scaled, most));
        }
        *out = _mm512_reduce_add_epi64(total);
    }
}

/// The last i16 of a list.
#[cfg(target_arch = "x86_64")]
fn short(list: &[u8]) -> i64 {
    let mut bytes = [0; 8];
    let count = list.len().min(8);
    bytes[..count].copy_from_slice(&list[..count]);
    i64::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use opml_vm::testing::Rng;

    use super::*;

    /// Element by element from the formula.
    fn reference(weights: &Weights<'_>, x: &Activations, row: usize) -> i64 {
        let row = weights.row(row);
        (0..weights.blocks * BLOCK)
            .map(|at| {
                let code = if weights.four {
                    let byte = row.codes[at / 2];
                    let nibble = if at % 2 == 0 { byte & 15 } else { byte >> 4 };
                    i64::from(nibble ^ 8) - 8
                } else {
                    i64::from(i8::from_le_bytes([row.codes[at]]))
                };
                let block = at / BLOCK;
                let weight = code * word(row.scales, block) + word(row.minima, block);
                i64::from(x.codes[at]) * weight * x.most[block]
            })
            .sum()
    }

    #[test]
    fn every_tier_gives_the_formula() {
        let mut rng = Rng::new(5);
        for case in 0..200 {
            let (blocks, rows) =
                (1 + usize::try_from(rng.below(9)).unwrap(), 1 + usize::try_from(rng.below(4)).unwrap());
            let four = case % 2 == 0;
            let extreme = case % 5 == 0;
            let mut bytes = |count: usize| -> Vec<u8> {
                let edges = [0x80u8, 0x7f, 0xff, 0x00, 0x88, 0x77];
                let mut byte = || match extreme {
                    true => edges[usize::try_from(rng.below(6)).unwrap()],
                    false => u8::try_from(rng.below(256)).unwrap(),
                };
                (0..count).map(|_| byte()).collect()
            };
            let codes = bytes(rows * blocks * if four { 16 } else { 32 });
            let (scales, minima) = (bytes(rows * blocks * 2), bytes(rows * blocks * 2));
            let minima = (case % 3 != 0).then_some(minima.as_slice());
            let weights = Weights { codes: &codes, four, scales: &scales, minima, blocks };
            let x_codes = bytes(blocks * 32);
            let most: Vec<u8> =
                (0..blocks).flat_map(|_| i32::try_from(rng.below(1 << 22)).unwrap().to_le_bytes()).collect();
            let x = Activations::new(&x_codes, &most, four);
            let expected: Vec<i64> = (0..rows).map(|row| reference(&weights, &x, row)).collect();
            for tier in Tier::supported() {
                let mut out = vec![0; rows];
                products(Isa::new(tier), &weights, &x, 0, &mut out);
                assert_eq!(out, expected, "{tier:?} case {case}");
            }
        }
    }
}

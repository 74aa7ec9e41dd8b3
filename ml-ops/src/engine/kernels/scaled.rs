//! Rows of weights in 8 or 4 bits times one vector, both in blocks of 32 with integer scales.
//!
//! A row gives `Σ_b most[b] · (scale[b] · Σ_i x[b,i]·w[b,i] + minimum[b] · Σ_i x[b,i])`, exact in i64. Weights are read
//! where they lie, in their committed bytes: nothing is packed. Several vectors share a reading.

#![allow(unsafe_code, reason = "vector instructions; every block says why it is sound")]
#![cfg_attr(
    not(target_arch = "x86_64"),
    allow(dead_code, unused_imports, reason = "steps and tiers are for the vector kernels")
)]

#[cfg(target_arch = "x86_64")]
mod avx512;

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
    /// For each block a scale, i16, or a scale and a minimum.
    pub(in crate::engine) scales: &'a [u8],
    /// Whether there are minima.
    pub(in crate::engine) minima: bool,
    /// Blocks of a row.
    pub(in crate::engine) blocks: usize,
}

/// A row of weights.
#[derive(Clone, Copy)]
struct Row<'a> {
    codes: &'a [u8],
    scales: &'a [u8],
}

impl<'a> Weights<'a> {
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "it is part of the kernels' loops")]
    fn row(&self, number: usize) -> Row<'a> {
        let (code, scale) = (self.blocks * self.block_bytes(), self.blocks * self.scale_bytes());
        Row { codes: &self.codes[number * code..][..code], scales: &self.scales[number * scale..][..scale] }
    }

    const fn block_bytes(&self) -> usize {
        if self.four { BLOCK / 2 } else { BLOCK }
    }

    const fn scale_bytes(&self) -> usize {
        if self.minima { 4 } else { 2 }
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
    /// Takes back that weights are read as unsigned, lane by lane.
    start: [i32; 16],
    /// The sum of each block in its first lane: for weights in 4 bits in the high half of 32 bits, for 8 bits in 64.
    sums: [i32; 16],
    /// The largest magnitude of each block, in all of its lanes.
    most: [i64; 8],
}

impl Step {
    const EMPTY: Self = Self { low: [0; CHUNK], high: [0; CHUNK], start: [0; 16], sums: [0; 16], most: [0; 8] };

    /// Takes in a block: its place among those of the step, its codes and its largest magnitude.
    fn put(&mut self, place: usize, codes: &[i8], (sum, most): (i64, i64), four: bool) {
        let lanes = if four { 2 } else { 4 };
        self.most[place * lanes..][..lanes].fill(most);
        let sum = i32::try_from(sum).unwrap_or(0);
        if four {
            for (pair, codes) in codes.chunks_exact(2).enumerate() {
                (self.low[place * 16 + pair], self.high[place * 16 + pair]) = (codes[0], codes[1]);
            }
            self.sums[place * 4] = sum << 16;
        } else {
            self.low[place * BLOCK..][..codes.len()].copy_from_slice(codes);
            self.sums[place * 8] = sum;
        }
    }

    /// Fills in the start of each lane from the codes.
    fn finish(&mut self, four: bool) {
        let unsigned = if four { -8 } else { -128 };
        let sum =
            |codes: &[i8; CHUNK], lane: usize| -> i32 { codes[lane * 4..][..4].iter().map(|&x| i32::from(x)).sum() };
        for lane in 0..16 {
            self.start[lane] = unsigned * (sum(&self.low, lane) + sum(&self.high, lane));
        }
    }
}

impl Activations {
    /// From committed bytes: i8 codes and i32 magnitudes.
    pub(in crate::engine) fn new(codes: &[u8], most: &[u8], four: bool) -> Self {
        let codes: Vec<i8> = codes.iter().map(|&code| i8::from_le_bytes([code])).collect();
        let most: Vec<i64> = most.as_chunks::<4>().0.iter().map(|&bytes| i32::from_le_bytes(bytes).into()).collect();
        let sums: Vec<i64> = codes.chunks(BLOCK).map(|block| block.iter().map(|&x| i64::from(x)).sum()).collect();
        let each = if four { 4 } else { 2 };
        let mut steps = vec![Step::EMPTY; most.len().div_ceil(each)];
        for (number, ((block, &sum), &most)) in codes.chunks(BLOCK).zip(&sums).zip(&most).enumerate() {
            steps[number / each].put(number % each, block, (sum, most), four);
        }
        steps.iter_mut().for_each(|step| step.finish(four));
        Self { codes, most, sums, steps }
    }
}

/// The products of rows from `first` on with each vector: `out[v]` has those with vector `v`, all as many.
pub(in crate::engine) fn products(
    isa: Isa,
    weights: &Weights<'_>,
    vectors: &[Activations],
    first: usize,
    out: &mut [Vec<i64>],
) {
    #[cfg(target_arch = "x86_64")]
    {
        if isa.tier() >= Tier::Avx512 {
            for (vectors, out) in vectors.chunks(TOGETHER).zip(out.chunks_mut(TOGETHER)) {
                // SAFETY: the CPU has the tier.
                unsafe {
                    match (vectors, out) {
                        ([a, b, c, d], [w, x, y, z]) => {
                            avx512::rows(
                                weights,
                                [a, b, c, d],
                                first,
                                [&mut w[..], &mut x[..], &mut y[..], &mut z[..]],
                            );
                        }
                        (vectors, out) => {
                            for (vector, out) in vectors.iter().zip(out) {
                                avx512::rows(weights, [vector], first, [&mut out[..]]);
                            }
                        }
                    }
                }
            }
            return;
        }
        if isa.tier() >= Tier::Avx2 {
            // SAFETY: the CPU has the tier.
            return vectors.iter().zip(out).for_each(|(x, out)| unsafe { avx2(weights, x, first, out) });
        }
    }
    let _ = isa;
    vectors.iter().zip(out).for_each(|(x, out)| plain(weights, x, first, out));
}

/// Vectors that share a reading of the weights.
#[cfg(target_arch = "x86_64")]
const TOGETHER: usize = 4;

/// Plain Rust, which is also compiled for AVX2.
#[inline(always)]
#[allow(clippy::inline_always, reason = "it is to be compiled with the caller's instructions")]
fn plain(weights: &Weights<'_>, x: &Activations, first: usize, out: &mut [i64]) {
    let (step, minimum) = if weights.minima { (2, 1) } else { (1, usize::MAX) };
    for (number, out) in (first..).zip(out) {
        let row = weights.row(number);
        let mut total: i64 = 0;
        for block in 0..weights.blocks {
            let codes = &row.codes[block * weights.block_bytes()..][..weights.block_bytes()];
            let x_codes = &x.codes[block * BLOCK..][..BLOCK];
            let dot = if weights.four { dot_four(codes, x_codes) } else { dot_eight(codes, x_codes) };
            let minimum = if weights.minima { word(row.scales, block * step + minimum) } else { 0 };
            let scaled = i64::from(dot) * word(row.scales, block * step) + x.sums[block] * minimum;
            total = total.wrapping_add(scaled.wrapping_mul(x.most[block]));
        }
        *out = total;
    }
}

/// The i16 at a place.
#[inline(always)]
#[allow(clippy::inline_always, reason = "as above")]
fn word(list: &[u8], place: usize) -> i64 {
    list.get(2 * place..2 * place + 2).map_or(0, |bytes| i64::from(i16::from_le_bytes([bytes[0], bytes[1]])))
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
                let weight = match weights.minima {
                    true => code * word(row.scales, 2 * block) + word(row.scales, 2 * block + 1),
                    false => code * word(row.scales, block),
                };
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
            let minima = case % 3 != 0;
            let scales = bytes(rows * blocks * if minima { 4 } else { 2 });
            let weights = Weights { codes: &codes, four, scales: &scales, minima, blocks };
            let vectors: Vec<Activations> = (0..1 + case % 7)
                .map(|_| {
                    let x_codes = bytes(blocks * 32);
                    let most: Vec<u8> =
                        bytes(blocks * 4).chunks(4).flat_map(|b| [b[0], b[1], b[2], b[3] & 1]).collect();
                    Activations::new(&x_codes, &most, four)
                })
                .collect();
            let expected: Vec<Vec<i64>> =
                vectors.iter().map(|x| (0..rows).map(|row| reference(&weights, x, row)).collect()).collect();
            for tier in Tier::supported() {
                let mut out = vec![vec![0; rows]; vectors.len()];
                products(Isa::new(tier), &weights, &vectors, 0, &mut out);
                assert_eq!(out, expected, "{tier:?} case {case}");
            }
        }
    }
}

//! Rows of weights in 8 or 4 bits times one vector, both in blocks of 32 with integer scales.
//!
//! A row gives `Σ_b most[b] · (scale[b] · Σ_i x[b,i]·w[b,i] + minimum[b] · Σ_i x[b,i])`, exact in i64. Weights are read
//! where they lie, in their committed bytes: nothing is packed. Many vectors are taken side by side (`strips`), few one by one.

#![allow(unsafe_code, reason = "vector instructions; every block says why it is sound")]
#![cfg_attr(
    not(target_arch = "x86_64"),
    allow(dead_code, unused_imports, reason = "steps and tiers are for the vector kernels")
)]

#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod panels;
#[cfg(target_arch = "x86_64")]
mod strips;

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
    /// As plain code wants it.
    fn new(vector: Vector<'_>) -> Self {
        let codes: Vec<i8> = vector.codes.iter().map(|&code| code.cast_signed()).collect();
        let sums = codes.chunks(BLOCK).map(|block| block.iter().map(|&x| i64::from(x)).sum()).collect();
        Self { codes, most: magnitudes(vector).map(i64::from).collect(), sums, steps: Vec::new() }
    }

    /// As the vector kernel wants it.
    #[cfg(target_arch = "x86_64")]
    fn stepped(vector: Vector<'_>, four: bool) -> Self {
        let each = if four { 4 } else { 2 };
        let codes = vector.codes.as_chunks::<BLOCK>().0;
        let mut steps = vec![Step::EMPTY; codes.len().div_ceil(each)];
        for (number, (block, most)) in codes.iter().zip(magnitudes(vector)).enumerate() {
            let block = block.map(u8::cast_signed);
            let sum = block.iter().map(|&x| i64::from(x)).sum();
            steps[number / each].put(number % each, &block, (sum, most.into()), four);
        }
        steps.iter_mut().for_each(|step| step.finish(four));
        Self { codes: Vec::new(), most: Vec::new(), sums: Vec::new(), steps }
    }
}

/// The largest magnitudes of a vector's blocks.
fn magnitudes(vector: Vector<'_>) -> impl Iterator<Item = i32> {
    vector.most.as_chunks::<4>().0.iter().map(|&bytes| i32::from_le_bytes(bytes))
}

/// Codes (i8) and largest magnitudes (i32) of a vector, in committed bytes.
#[derive(Clone, Copy)]
pub(in crate::engine) struct Vector<'a> {
    pub(in crate::engine) codes: &'a [u8],
    pub(in crate::engine) most: &'a [u8],
}

/// Vectors as the kernels want them.
pub(in crate::engine) enum Vectors {
    /// One by one.
    Each(Vec<Activations>),
    /// Side by side.
    #[cfg(target_arch = "x86_64")]
    Strips(Vec<panels::Strip>),
}

/// Vectors from which on they are taken side by side: without and with the matrix unit.
#[cfg(target_arch = "x86_64")]
const MANY: [usize; 2] = [6, 4];

impl Vectors {
    /// For products with some weights.
    pub(in crate::engine) fn new(isa: Isa, vectors: &[Vector<'_>], weights: &Weights<'_>) -> Self {
        #[cfg(target_arch = "x86_64")]
        if isa.tier() >= Tier::Avx512 && vectors.len() >= MANY[usize::from(isa.tier() >= Tier::Amx)] {
            // SAFETY: the CPU has the tier.
            let strips = unsafe { avx512::strips(vectors, weights.blocks, weights.four) };
            if let Some(strips) = strips {
                return Self::Strips(strips);
            }
        }
        #[cfg(target_arch = "x86_64")]
        if isa.tier() >= Tier::Avx512 {
            return Self::Each(vectors.iter().map(|&vector| Activations::stepped(vector, weights.four)).collect());
        }
        let _ = (isa, weights);
        Self::Each(vectors.iter().map(|&vector| Activations::new(vector)).collect())
    }
}

/// What a thread needs for products.
pub(in crate::engine) struct Worker {
    #[cfg(target_arch = "x86_64")]
    strips: Option<(strips::Own, Option<super::amx::Blocks>)>,
}

impl Worker {
    /// For products with some vectors.
    pub(in crate::engine) fn new(isa: Isa, vectors: &Vectors) -> Self {
        #[cfg(target_arch = "x86_64")]
        return Self {
            strips: match vectors {
                Vectors::Each(_) => None,
                Vectors::Strips(_) => {
                    // The kernel unpacks by an instruction that a machine may hide from its guests.
                    let usable = isa.tier() >= Tier::Amx && is_x86_feature_detected!("gfni");
                    let unit = if usable { super::amx::Blocks::new() } else { None };
                    Some((strips::Own::take(), unit))
                }
            },
        };
        #[cfg(not(target_arch = "x86_64"))]
        {
            let _ = (isa, vectors);
            Self {}
        }
    }

    /// The products of `count` rows from `first` on with each vector: those with vector `v` are from `out[v * stride]` on.
    pub(in crate::engine) fn products(
        &mut self,
        isa: Isa,
        weights: &Weights<'_>,
        vectors: &Vectors,
        (first, count): (usize, usize),
        (out, stride): (&mut [i64], usize),
    ) {
        match vectors {
            Vectors::Each(vectors) => {
                for (vector, out) in vectors.iter().zip(out.chunks_mut(stride)) {
                    each(isa, weights, vector, first, &mut out[..count]);
                }
            }
            #[cfg(target_arch = "x86_64")]
            Vectors::Strips(list) => {
                let Some((scratch, unit)) = &mut self.strips else { return };
                let out = out.chunks_mut(stride * panels::PANELS * panels::PANEL);
                for (strip, out) in list.iter().zip(out) {
                    // SAFETY: there are strips only where the CPU has AVX-512.
                    unsafe {
                        strips::products(weights, strip, (first, count), (out, stride), scratch.get(), unit.as_ref())
                    };
                }
            }
        }
    }
}

/// The products of rows from `first` on with one vector.
fn each(isa: Isa, weights: &Weights<'_>, vector: &Activations, first: usize, out: &mut [i64]) {
    #[cfg(target_arch = "x86_64")]
    {
        if isa.tier() >= Tier::Avx512 {
            // SAFETY: the CPU has the tier.
            return unsafe { avx512::rows(weights, vector, first, out) };
        }
        if isa.tier() >= Tier::Avx2 {
            // SAFETY: the CPU has the tier.
            return unsafe { avx2(weights, vector, first, out) };
        }
    }
    let _ = isa;
    plain(weights, vector, first, out);
}

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
                (i64::from(x.codes[at]) * weight).wrapping_mul(x.most[block])
            })
            .fold(0, i64::wrapping_add)
    }

    /// Products of all rows on each tier.
    fn check(weights: &Weights<'_>, inputs: &[(Vec<u8>, Vec<u8>)], (first, rows): (usize, usize), case: &str) {
        let inputs: Vec<Vector<'_>> = inputs.iter().map(|(codes, most)| Vector { codes, most }).collect();
        let expected = |x: &Vector<'_>| {
            let x = Activations::new(*x);
            (first..rows).map(|row| reference(weights, &x, row)).collect::<Vec<i64>>()
        };
        let expected: Vec<Vec<i64>> = inputs.iter().map(expected).collect();
        for tier in Tier::supported() {
            let isa = Isa::new(tier);
            let (vectors, stride) = (Vectors::new(isa, &inputs, weights), rows + 3);
            let mut out = vec![7; stride * inputs.len()];
            Worker::new(isa, &vectors).products(isa, weights, &vectors, (first, rows - first), (&mut out, stride));
            for (out, expected) in out.chunks(stride).zip(&expected) {
                let (found, rest) = out.split_at(rows - first);
                assert_eq!(found, expected, "{tier:?} {case}");
                assert!(rest.iter().all(|&n| n == 7), "{tier:?} {case}");
            }
        }
    }

    /// Where all numbers of a block are the least there are, dot products do not fit 16 bits.
    #[test]
    fn extremes_are_exact() {
        let (blocks, rows) = (3, 17);
        for (four, minima, least) in
            [(true, true, 0x88), (true, false, 0x88), (false, true, 0x80), (false, false, 0x80)]
        {
            let codes = vec![least; rows * blocks * if four { 16 } else { 32 }];
            let scales = [0x00, 0x80].repeat(rows * blocks * if minima { 2 } else { 1 });
            let weights = Weights { codes: &codes, four, scales: &scales, minima, blocks };
            for most in [i32::MIN, i32::MAX] {
                for other in [0x80, 0x81, 0x7f] {
                    let mut x = vec![0x80; blocks * BLOCK];
                    x[BLOCK + 5] = other;
                    x[2 * BLOCK] = other;
                    for count in [1, 5, 16, 33] {
                        let mut inputs = vec![(x.clone(), most.to_le_bytes().repeat(blocks)); count];
                        inputs[0].0[..BLOCK].fill(other);
                        check(&weights, &inputs, (0, rows), &format!("{four} {minima} {most} {other} {count}"));
                    }
                }
            }
        }
    }

    #[test]
    fn every_tier_gives_the_formula() {
        let mut rng = Rng::new(5);
        for case in 0..200 {
            let (blocks, rows) =
                (1 + usize::try_from(rng.below(14)).unwrap(), 1 + usize::try_from(rng.below(40)).unwrap());
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
            let inputs: Vec<(Vec<u8>, Vec<u8>)> =
                (0..1 + case % 41).map(|_| (bytes(blocks * 32), bytes(blocks * 4))).collect();
            let first = usize::from(case % 7 == 0 && rows > 1);
            check(&weights, &inputs, (first, rows), &format!("case {case}"));
        }
    }
}

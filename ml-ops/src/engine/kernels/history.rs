//! Products of 16-bit numbers with values of many iterations, exact in 64 bits: plain Rust, compiled for each tier, and by
//! hand with AVX-512.
//!
//! By hand, sums are kept in 32 bits as long as they cannot leave them, which the magnitudes of one factor tell: a product
//! with any 16-bit number is at most 2^15 times as large.

#![allow(unsafe_code, reason = "calls of functions that are compiled for a tier; every block says why it is sound")]
#![cfg_attr(not(target_arch = "x86_64"), allow(unused_imports, reason = "tiers are for the vector kernels"))]

pub(in crate::engine) mod panels;
#[cfg(target_arch = "x86_64")]
mod side_by_side;

use super::Isa;
use crate::tier::Tier;

/// 16-bit numbers as they are committed.
pub(in crate::engine) type Words = [[u8; 2]];

/// Sums of magnitudes below which products with 16-bit numbers fit 32 bits.
#[cfg(target_arch = "x86_64")]
const SMALL: u32 = 1 << 16;

/// The dot product of `query` with as many numbers of each value from `start` on.
pub(in crate::engine) fn scores(isa: Isa, query: &Words, past: &[&Words], start: usize, acc: &mut [i64]) {
    #[cfg(target_arch = "x86_64")]
    {
        if isa.tier() >= Tier::Avx512 {
            // SAFETY: the CPU has the tier.
            return unsafe { scores_avx512(query, past, start, acc) };
        }
        if isa.tier() >= Tier::Avx2 {
            // SAFETY: the CPU has the tier.
            return unsafe { scores_avx2(query, past, start, acc) };
        }
    }
    let _ = isa;
    plain_scores(query, past, start, acc);
}

/// Adds to `acc` the numbers of each value from `start` on, times the value's number in `powers`.
pub(in crate::engine) fn mix(isa: Isa, powers: &[i32], past: &[&Words], start: usize, acc: &mut [i64]) {
    #[cfg(target_arch = "x86_64")]
    {
        if isa.tier() >= Tier::Avx512 {
            // SAFETY: the CPU has the tier.
            return unsafe { mix_avx512(powers, past, start, acc) };
        }
        if isa.tier() >= Tier::Avx2 {
            // SAFETY: the CPU has the tier.
            return unsafe { mix_avx2(powers, past, start, acc) };
        }
    }
    let _ = isa;
    plain_mix(powers, past, start, acc);
}

#[inline(always)]
#[allow(clippy::inline_always, reason = "it is to be compiled with the caller's instructions")]
fn plain_scores(query: &Words, past: &[&Words], start: usize, acc: &mut [i64]) {
    for (acc, past) in acc.iter_mut().zip(past) {
        let key = past.get(start..start + query.len()).unwrap_or(&[]);
        let product = |(&a, &b)| i64::from(i32::from(i16::from_le_bytes(a)) * i32::from(i16::from_le_bytes(b)));
        *acc = query.iter().zip(key).map(product).sum();
    }
}

#[inline(always)]
#[allow(clippy::inline_always, reason = "as above")]
fn plain_mix(powers: &[i32], past: &[&Words], start: usize, acc: &mut [i64]) {
    for (&power, past) in powers.iter().zip(past) {
        let values = past.get(start..start + acc.len()).unwrap_or(&[]);
        for (acc, &value) in acc.iter_mut().zip(values) {
            *acc += i64::from(power * i32::from(i16::from_le_bytes(value)));
        }
    }
}

/// # Safety
/// The CPU has AVX2.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn scores_avx2(query: &Words, past: &[&Words], start: usize, acc: &mut [i64]) {
    plain_scores(query, past, start, acc);
}

/// # Safety
/// The CPU has AVX2.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn mix_avx2(powers: &[i32], past: &[&Words], start: usize, acc: &mut [i64]) {
    plain_mix(powers, past, start, acc);
}

/// # Safety
/// The CPU has AVX-512 F, BW, DQ, VL and VNNI.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
unsafe fn scores_avx512(query: &Words, past: &[&Words], start: usize, acc: &mut [i64]) {
    let whole = past.iter().all(|past| past.len() >= start + query.len());
    match query.len().div_ceil(WORDS) {
        1 if whole => vector::scores::<1>(query, past, start, acc),
        2 if whole => vector::scores::<2>(query, past, start, acc),
        3 | 4 if whole => vector::scores::<4>(query, past, start, acc),
        5..=8 if whole => vector::scores::<8>(query, past, start, acc),
        _ => plain_scores(query, past, start, acc),
    }
}

/// # Safety
/// The CPU has AVX-512 F, BW, DQ, VL and VNNI.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
unsafe fn mix_avx512(powers: &[i32], past: &[&Words], start: usize, acc: &mut [i64]) {
    let whole = past.iter().all(|past| past.len() >= start + acc.len());
    let vectors = acc.len() / WORDS;
    if !whole || vectors > 4 {
        return plain_mix(powers, past, start, acc);
    }
    let (own, rest) = acc.split_at_mut(vectors * WORDS);
    match vectors {
        1 => vector::mix::<1>(powers, past, start, own),
        2 => vector::mix::<2>(powers, past, start, own),
        3 => vector::mix::<3>(powers, past, start, own),
        4 => vector::mix::<4>(powers, past, start, own),
        _ => {}
    }
    if !rest.is_empty() {
        plain_mix(powers, past, start + vectors * WORDS, rest);
    }
}

/// 16-bit numbers of a vector.
#[cfg(target_arch = "x86_64")]
const WORDS: usize = 32;

/// The loops by hand.
#[cfg(target_arch = "x86_64")]
mod vector {
    use std::arch::x86_64::{
        __m512i, _mm256_add_epi64, _mm256_cvtepi32_epi64, _mm256_loadu_si256, _mm256_storeu_si256, _mm512_abs_epi16,
        _mm512_add_epi32, _mm512_add_epi64, _mm512_and_si512, _mm512_dpwssd_epi32, _mm512_extracti32x4_epi32,
        _mm512_loadu_si512, _mm512_maskz_loadu_epi16, _mm512_reduce_add_epi64, _mm512_reduce_max_epu32,
        _mm512_set1_epi32, _mm512_setzero_si512, _mm512_slli_epi64, _mm512_srai_epi64, _mm512_srli_epi32,
        _mm512_unpackhi_epi16, _mm512_unpacklo_epi16,
    };

    use super::{SMALL, WORDS, Words, plain_mix, plain_scores};

    /// Dot products with a query of at most `N` vectors. Every value has as many numbers from `start` on.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    pub(super) fn scores<const N: usize>(query: &Words, past: &[&Words], start: usize, acc: &mut [i64]) {
        let mut parts = [_mm512_setzero_si512(); N];
        let mut masks = [0u32; N];
        let mut sizes = _mm512_setzero_si512();
        for ((part, mask), words) in parts.iter_mut().zip(&mut masks).zip(query.chunks(WORDS)) {
            *mask = u32::MAX >> (WORDS - words.len());
            // SAFETY: the mask has a bit for each of the words and no other.
            *part = unsafe { _mm512_maskz_loadu_epi16(*mask, words.as_ptr().cast()) };
            // The magnitude of −2^15 is 2^15 as an unsigned number.
            let size = _mm512_abs_epi16(*part);
            let low = _mm512_and_si512(size, _mm512_set1_epi32(0xffff));
            sizes = _mm512_add_epi32(sizes, _mm512_add_epi32(low, _mm512_srli_epi32::<16>(size)));
        }
        if _mm512_reduce_max_epu32(sizes) >= SMALL {
            return plain_scores(query, past, start, acc);
        }
        for (acc, past) in acc.iter_mut().zip(past) {
            let Some(key) = past.get(start..start + query.len()) else { continue };
            let mut sum = _mm512_setzero_si512();
            for ((&part, &mask), words) in parts.iter().zip(&masks).zip(key.chunks(WORDS)) {
                // SAFETY: the mask has a bit for each of the words and no other: a key is as long as the query.
                let words = unsafe { _mm512_maskz_loadu_epi16(mask, words.as_ptr().cast()) };
                sum = _mm512_dpwssd_epi32(sum, part, words);
            }
            let odd = _mm512_srai_epi64::<32>(sum);
            let even = _mm512_srai_epi64::<32>(_mm512_slli_epi64::<32>(sum));
            *acc = _mm512_reduce_add_epi64(_mm512_add_epi64(odd, even));
        }
    }

    /// Weighed sums of `N` vectors of each value, two values at a time. Every value has as many numbers from `start` on.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    pub(super) fn mix<const N: usize>(powers: &[i32], past: &[&Words], start: usize, acc: &mut [i64]) {
        let count = powers.len().min(past.len());
        let even = count / 2 * 2;
        let mut sums = [[_mm512_setzero_si512(); 2]; N];
        let mut size = 0;
        for (powers, past) in powers[..even].as_chunks::<2>().0.iter().zip(past[..even].as_chunks::<2>().0) {
            let own = powers[0].unsigned_abs() + powers[1].unsigned_abs();
            if own >= SMALL {
                plain_mix(powers, past, start, acc);
                continue;
            }
            if own == 0 {
                continue;
            }
            if size + own >= SMALL {
                flush(&mut sums, acc);
                size = 0;
            }
            size += own;
            // Both powers as the halves of 32 bits.
            let pair = _mm512_set1_epi32((powers[0] & 0xffff) | (powers[1] << 16));
            let [first, second] = past.map(|past| past.get(start..start + N * WORDS).unwrap_or(&[]));
            let vectors = first.as_chunks::<WORDS>().0.iter().zip(second.as_chunks::<WORDS>().0);
            for (sums, (first, second)) in sums.iter_mut().zip(vectors) {
                // SAFETY: each is an array of 64 bytes.
                let (first, second) =
                    unsafe { (_mm512_loadu_si512(first.as_ptr().cast()), _mm512_loadu_si512(second.as_ptr().cast())) };
                sums[0] = _mm512_dpwssd_epi32(sums[0], _mm512_unpacklo_epi16(first, second), pair);
                sums[1] = _mm512_dpwssd_epi32(sums[1], _mm512_unpackhi_epi16(first, second), pair);
            }
        }
        flush(&mut sums, acc);
        plain_mix(&powers[even..count], &past[even..count], start, acc);
    }

    /// Adds sums of 32 bits to those of 64. Interleaving goes by quarters: the first of a pair of vectors has the numbers
    /// 0 to 3 of every 8, the second the others.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    fn flush<const N: usize>(sums: &mut [[__m512i; 2]; N], acc: &mut [i64]) {
        for (sums, acc) in sums.iter_mut().zip(acc.as_chunks_mut::<WORDS>().0) {
            for (half, sum) in sums.iter_mut().enumerate() {
                let quarters = [
                    _mm512_extracti32x4_epi32::<0>(*sum),
                    _mm512_extracti32x4_epi32::<1>(*sum),
                    _mm512_extracti32x4_epi32::<2>(*sum),
                    _mm512_extracti32x4_epi32::<3>(*sum),
                ];
                for (quarter, acc) in quarters.into_iter().zip(acc.as_chunks_mut::<8>().0) {
                    let Some(acc) = acc.as_chunks_mut::<4>().0.get_mut(half) else { continue };
                    // SAFETY: `acc` has 32 bytes.
                    unsafe {
                        let wide =
                            _mm256_add_epi64(_mm256_loadu_si256(acc.as_ptr().cast()), _mm256_cvtepi32_epi64(quarter));
                        _mm256_storeu_si256(acc.as_mut_ptr().cast(), wide);
                    }
                }
                *sum = _mm512_setzero_si512();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use opml_vm::testing::Rng;

    use super::{
        panels::{Kind, Panels, Rows, Sums},
        *,
    };

    /// Numbers of at most so many bits, with the extremes.
    fn words(rng: &mut Rng, count: usize, bits: u64) -> Vec<[u8; 2]> {
        let most = 1i64 << bits;
        let mut one = || match rng.below(8) {
            0 => -most,
            1 => most - 1,
            _ => (rng.value() >> 1) % most,
        };
        (0..count).map(|_| i16::try_from(one()).unwrap().to_le_bytes()).collect()
    }

    #[test]
    fn every_tier_computes_the_plain_sums() {
        let mut rng = Rng::new(11);
        for round in 0..1500 {
            let mut size = |most: u32| usize::try_from(rng.between(1, most)).unwrap();
            let (width, count, start) = (size(300), size(40), size(5));
            let bits = rng.below(16);
            // Some values may be too short, as where an index is beyond an extent.
            let short = usize::from(round % 10 == 0);
            let past: Vec<Vec<[u8; 2]>> = (0..count).map(|_| words(&mut rng, start + width - short, 15)).collect();
            let past: Vec<&Words> = past.iter().map(Vec::as_slice).collect();
            let query = words(&mut rng, width, bits);
            let powers: Vec<i32> =
                words(&mut rng, count, bits).into_iter().map(|word| i16::from_le_bytes(word).into()).collect();
            let (mut scored, mut mixed) = (vec![0; count], vec![5; width]);
            plain_scores(&query, &past, start, &mut scored);
            plain_mix(&powers, &past, start, &mut mixed);
            for tier in Tier::supported() {
                let (mut own_scored, mut own_mixed) = (vec![0; count], vec![5; width]);
                scores(Isa::new(tier), &query, &past, start, &mut own_scored);
                mix(Isa::new(tier), &powers, &past, start, &mut own_mixed);
                assert_eq!((own_scored, own_mixed), (scored.clone(), mixed.clone()), "{tier:?} {round}");
            }
        }
    }

    /// Rows of several frames that read values from some places on, each a number of values more than the frame before.
    struct Case {
        kind: Kind,
        starts: Vec<usize>,
        /// Values that each frame reads, and its rows' own numbers.
        frames: Vec<(usize, Vec<Vec<[u8; 2]>>)>,
        past: Vec<Vec<[u8; 2]>>,
    }

    impl Case {
        fn new(rng: &mut Rng) -> Self {
            let mut size = |most: u32| usize::try_from(rng.between(1, most)).unwrap();
            let (width, places, most) = (size(70), size(3), size(300));
            let starts: Vec<usize> = (0..places).map(|_| size(4)).collect();
            let counts: Vec<usize> = (0..size(12)).map(|_| size(u32::try_from(most).unwrap())).collect();
            let kind = if rng.chance(50) { Kind::Scores(width) } else { Kind::Mixed(width) };
            let own = |count: usize| if matches!(kind, Kind::Scores(_)) { width } else { count };
            let bits = rng.below(16);
            let mut rows = |count: usize| starts.iter().map(|_| words(rng, own(count), bits)).collect();
            let frames = counts.into_iter().map(|count| (count, rows(count))).collect();
            let past = (0..most).map(|_| words(rng, width + 4, 15)).collect();
            Self { kind, starts, frames, past }
        }

        /// The sums of a frame, row after row.
        fn expected(&self, (count, rows): &(usize, Vec<Vec<[u8; 2]>>)) -> Vec<i64> {
            let past: Vec<&Words> = self.past[..*count].iter().map(Vec::as_slice).collect();
            let row = |(&start, own): (&usize, &Vec<[u8; 2]>)| match self.kind {
                Kind::Scores(_) => {
                    let mut sums = vec![0; *count];
                    plain_scores(own, &past, start, &mut sums);
                    sums
                }
                Kind::Mixed(width) => {
                    let powers: Vec<i32> = own.iter().map(|&word| i16::from_le_bytes(word).into()).collect();
                    let mut sums = vec![0; width];
                    plain_mix(&powers, &past, start, &mut sums);
                    sums
                }
            };
            self.starts.iter().zip(rows).flat_map(row).collect()
        }

        /// Some frames' sums, if the kernels suit.
        fn found(
            &self,
            isa: Isa,
            (panels, sums): (&mut Panels, &mut Sums),
            frames: &[(usize, Vec<Vec<[u8; 2]>>)],
        ) -> Option<Vec<Vec<i64>>> {
            let mut all = Rows::default();
            for (count, rows) in frames {
                let width = if let Kind::Mixed(width) = self.kind { width } else { *count };
                all.frame(width * rows.len());
                for (&start, own) in self.starts.iter().zip(rows) {
                    all.push(own, start, (width, *count));
                }
            }
            panels.compute(isa, (self.kind, self.past.len()), all, |at| self.past[at].as_slice(), sums)?;
            Some((0..frames.len()).map(|frame| sums.of(frame).to_vec()).collect())
        }
    }

    #[test]
    fn packed_values_give_the_plain_sums() {
        let mut rng = Rng::new(17);
        let mut suited = 0;
        // As in a thread: each case finds the sums of those before it.
        let mut sums = Sums::default();
        for round in 0..400 {
            let case = Case::new(&mut rng);
            for tier in Tier::supported() {
                let mut panels = Panels::default();
                // Later frames find what earlier ones had packed.
                let (first, second) = case.frames.split_at(case.frames.len() / 2);
                for frames in [first, second].into_iter().filter(|frames| !frames.is_empty()) {
                    let Some(found) = case.found(Isa::new(tier), (&mut panels, &mut sums), frames) else { continue };
                    let expected: Vec<Vec<i64>> = frames.iter().map(|frame| case.expected(frame)).collect();
                    assert!(found == expected, "{tier:?} {round} {:?}", case.kind);
                    suited += 1;
                }
            }
        }
        let expected = Tier::supported().any(|tier| Isa::new(tier).tier() >= Tier::Avx512);
        assert_eq!(suited > 0, expected && cfg!(target_arch = "x86_64"));
    }

    #[test]
    fn extremes_are_exact_in_packed_values() {
        let least = i16::MIN.to_le_bytes();
        for (kind, own) in [(Kind::Scores(256), 256), (Kind::Mixed(64), 700)] {
            let case = Case {
                kind,
                starts: vec![1, 1],
                frames: vec![(700, vec![vec![least; own], vec![i16::MAX.to_le_bytes(); own]]); 2],
                past: vec![vec![[0xff, 0x80]; 257]; 700],
            };
            for tier in Tier::supported() {
                let Some(found) =
                    case.found(Isa::new(tier), (&mut Panels::default(), &mut Sums::default()), &case.frames)
                else {
                    assert!(tier < Tier::Avx512 || cfg!(not(target_arch = "x86_64")), "{tier:?} {kind:?}");
                    continue;
                };
                assert!(found[0] == case.expected(&case.frames[0]) && found[0] == found[1], "{tier:?} {kind:?}");
            }
        }
    }
}

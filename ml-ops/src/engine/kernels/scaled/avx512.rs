//! The kernel with AVX-512 VNNI: 64 bytes of weights a step.
//!
//! Weights in 4 bits: the dot products of 8 numbers, at most 2^13, and the sum of a block, at most 2^12, are 16 bits each, so one
//! multiply-add of pairs with scale and minimum gives 4 lanes of a block in 32 bits; two of them are added before the block's
//! magnitude takes them to 64. Weights in 8 bits go to 64 bits at the scale.

use std::arch::x86_64::{
    __m512i, _MM_HINT_T0, _mm_maskz_loadu_epi8, _mm_prefetch, _mm512_add_epi32, _mm512_add_epi64, _mm512_and_si512,
    _mm512_broadcast_i32x4, _mm512_dpbusd_epi32, _mm512_load_si512, _mm512_madd_epi16, _mm512_maskz_loadu_epi8,
    _mm512_mul_epi32, _mm512_mullo_epi64, _mm512_or_si512, _mm512_reduce_add_epi64, _mm512_set1_epi8,
    _mm512_set1_epi32, _mm512_setzero_si512, _mm512_shuffle_epi8, _mm512_srai_epi32, _mm512_srli_epi16,
    _mm512_srli_epi64, _mm512_xor_si512,
};

use super::{Activations, CHUNK, Row, Step, Weights};

/// How far ahead weights are fetched, bytes.
const AHEAD: usize = 1024;

/// The products of rows from `first` on with `V` vectors.
///
/// # Safety
/// The CPU has AVX-512 F, BW, DQ, VL and VNNI.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) unsafe fn rows<const V: usize>(
    weights: &Weights<'_>,
    vectors: [&Activations; V],
    first: usize,
    mut out: [&mut [i64]; V],
) {
    let count = out.first().map_or(0, |out| out.len());
    for place in 0..count {
        let row = weights.row(first + place);
        // SAFETY: the CPU has what this function asks for.
        let totals = unsafe {
            match (weights.four, weights.minima) {
                (true, true) => four::<V, 16>(row, &vectors),
                (true, false) => four::<V, 8>(row, &vectors),
                (false, minima) => eight::<V>(row, &vectors, minima),
            }
        };
        for (out, total) in out.iter_mut().zip(totals) {
            if let Some(out) = out.get_mut(place) {
                *out = _mm512_reduce_add_epi64(total);
            }
        }
    }
}

/// Shuffles of bytes within 16: scale and minimum, or scale and nothing, of block `n` to all of lane `n`.
const fn spread(pair: bool) -> [u8; CHUNK] {
    let mut pattern = [0x80; CHUNK];
    let mut at = 0;
    while at < CHUNK {
        let (block, byte) = (at / 16, at % 4);
        // At most 15.
        #[allow(clippy::as_conversions, clippy::cast_possible_truncation, reason = "a constant function; below 16")]
        if pair {
            pattern[at] = (4 * block + byte) as u8;
        } else if byte < 2 {
            pattern[at] = (2 * block + byte) as u8;
        }
        at += 1;
    }
    pattern
}

/// The same for blocks of 8 lanes: the i16 at place `first`, and each `step` further, to the high half of lanes.
const fn spread_eight(first: usize, step: usize) -> [u8; CHUNK] {
    let mut pattern = [0x80; CHUNK];
    let mut at = 0;
    while at < CHUNK {
        let (block, byte) = (at / 32, at % 4);
        #[allow(clippy::as_conversions, clippy::cast_possible_truncation, reason = "a constant function; below 8")]
        if byte >= 2 {
            pattern[at] = (2 * (first + step * block) + byte - 2) as u8;
        }
        at += 1;
    }
    pattern
}

const PAIRS: [u8; CHUNK] = spread(true);
const SINGLES: [u8; CHUNK] = spread(false);
const SCALES: [u8; CHUNK] = spread_eight(0, 1);
const SCALES_OF_PAIRS: [u8; CHUNK] = spread_eight(0, 2);
const MINIMA_OF_PAIRS: [u8; CHUNK] = spread_eight(1, 2);

/// # Safety
/// The CPU has AVX-512 BW.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn pattern(bytes: &[u8; CHUNK]) -> __m512i {
    // SAFETY: 64 bytes are read from as many.
    unsafe { _mm512_maskz_loadu_epi8(u64::MAX, bytes.as_ptr().cast()) }
}

/// Up to 64 bytes, zeros behind; what follows is fetched.
///
/// # Safety
/// The CPU has AVX-512 BW.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn chunk(bytes: &[u8]) -> __m512i {
    let mask = u64::MAX >> (CHUNK - bytes.len());
    // SAFETY: as many bytes are read as the mask has bits, all of them in `bytes`; an address may be fetched whether or not it
    // can be read.
    unsafe {
        _mm_prefetch::<_MM_HINT_T0>(bytes.as_ptr().wrapping_add(AHEAD).cast());
        _mm512_maskz_loadu_epi8(mask, bytes.as_ptr().cast())
    }
}

/// Up to 16 bytes from a place, in all four quarters; zeros behind.
///
/// # Safety
/// The CPU has AVX-512 BW and VL.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn quarter(list: &[u8], at: usize, most: usize) -> __m512i {
    let bytes = list.get(at..).unwrap_or(&[]);
    let mask = u16::MAX >> (16 - bytes.len().min(most));
    // SAFETY: as many bytes are read as the mask has bits, all of them in `bytes`.
    unsafe { _mm512_broadcast_i32x4(_mm_maskz_loadu_epi8(mask, bytes.as_ptr().cast())) }
}

/// # Safety
/// The CPU has AVX-512 F.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn aligned<T>(part: &T) -> __m512i {
    const { assert!(size_of::<T>() == CHUNK) };
    // SAFETY: a `Step` is aligned to 64 bytes, and so are its parts, which have 64 bytes each; only they are given.
    unsafe { _mm512_load_si512(std::ptr::from_ref(part).cast()) }
}

/// A row of weights in 4 bits; `S` bytes of scales a step.
///
/// # Safety
/// As [`rows`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
unsafe fn four<const V: usize, const S: usize>(row: Row<'_>, vectors: &[&Activations; V]) -> [__m512i; V] {
    let (flip, nibble, halves) = (_mm512_set1_epi8(-0x78), _mm512_set1_epi8(15), _mm512_set1_epi32(0xffff));
    let mut totals = [_mm512_setzero_si512(); V];
    // SAFETY: the CPU has what the functions ask for.
    unsafe {
        let spread = pattern(if S == 16 { &PAIRS } else { &SINGLES });
        for (place, bytes) in row.codes.chunks(CHUNK).enumerate() {
            let codes = _mm512_xor_si512(chunk(bytes), flip);
            let low = _mm512_and_si512(codes, nibble);
            let high = _mm512_and_si512(_mm512_srli_epi16::<4>(codes), nibble);
            let scales = _mm512_shuffle_epi8(quarter(row.scales, place * S, S), spread);
            for (total, vector) in totals.iter_mut().zip(vectors) {
                let Some(step) = vector.steps.get(place) else { continue };
                let dots = _mm512_dpbusd_epi32(aligned(&step.start), low, aligned(&step.low));
                let dots = _mm512_dpbusd_epi32(dots, high, aligned(&step.high));
                let pairs = _mm512_or_si512(_mm512_and_si512(dots, halves), aligned(&step.sums));
                let scaled = _mm512_madd_epi16(pairs, scales);
                let both = _mm512_add_epi32(scaled, _mm512_srli_epi64::<32>(scaled));
                *total = _mm512_add_epi64(*total, _mm512_mul_epi32(both, aligned(&step.most)));
            }
        }
    }
    totals
}

/// A row of weights in 8 bits.
///
/// # Safety
/// As [`rows`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
unsafe fn eight<const V: usize>(row: Row<'_>, vectors: &[&Activations; V], minima: bool) -> [__m512i; V] {
    let flip = _mm512_set1_epi8(-0x80);
    let bytes_of_scales = if minima { 8 } else { 4 };
    let mut totals = [_mm512_setzero_si512(); V];
    // SAFETY: the CPU has what the functions ask for.
    unsafe {
        let spread = pattern(if minima { &SCALES_OF_PAIRS } else { &SCALES });
        let spread_minima = pattern(&MINIMA_OF_PAIRS);
        for (place, bytes) in row.codes.chunks(CHUNK).enumerate() {
            let codes = _mm512_xor_si512(chunk(bytes), flip);
            let words = quarter(row.scales, place * bytes_of_scales, bytes_of_scales);
            let scales = _mm512_srai_epi32::<16>(_mm512_shuffle_epi8(words, spread));
            for (total, vector) in totals.iter_mut().zip(vectors) {
                let Some(step) = vector.steps.get(place) else { continue };
                let step: &Step = step;
                let dots = _mm512_dpbusd_epi32(aligned(&step.start), codes, aligned(&step.low));
                let both = _mm512_add_epi32(dots, _mm512_srli_epi64::<32>(dots));
                let mut scaled = _mm512_mul_epi32(both, scales);
                if minima {
                    let minima = _mm512_srai_epi32::<16>(_mm512_shuffle_epi8(words, spread_minima));
                    scaled = _mm512_add_epi64(scaled, _mm512_mul_epi32(aligned(&step.sums), minima));
                }
                *total = _mm512_add_epi64(*total, _mm512_mullo_epi64(scaled, aligned(&step.most)));
            }
        }
    }
    totals
}

//! One vector with AVX-512 VNNI: 64 bytes of weights a step.
//!
//! Weights in 4 bits: the dot products of 8 numbers, at most 2^13, and the sum of a block, at most 2^12, are 16 bits each, so one
//! multiply-add of pairs with scale and minimum gives 4 lanes of a block in 32 bits; two of them are added before the block's
//! magnitude takes them to 64. Weights in 8 bits go to 64 bits at the scale.

use std::arch::x86_64::{
    __m512i, _MM_HINT_T0, _mm_maskz_loadu_epi8, _mm_prefetch, _mm512_add_epi32, _mm512_add_epi64,
    _mm512_broadcast_i32x4, _mm512_dpbusd_epi32, _mm512_load_si512, _mm512_loadu_si512, _mm512_madd_epi16,
    _mm512_maskz_loadu_epi8, _mm512_mul_epi32, _mm512_mullo_epi64, _mm512_set1_epi8, _mm512_set1_epi32,
    _mm512_setzero_si512, _mm512_shuffle_epi8, _mm512_shuffle_i64x2, _mm512_srai_epi32, _mm512_srli_epi16,
    _mm512_srli_epi64, _mm512_storeu_si512, _mm512_ternarylogic_epi32, _mm512_unpackhi_epi64, _mm512_unpacklo_epi64,
    _mm512_xor_si512,
};

use super::{
    Activations, CHUNK, Row, Step, Vector, Weights,
    panels::{PANEL, PANELS, Strip},
};

/// How far ahead codes are fetched, bytes.
const AHEAD: usize = 2048;
/// Rows whose sums are taken across lanes together.
const ROWS: usize = 8;

/// [`Strip::new`] for all vectors.
///
/// # Safety
/// The CPU has AVX-512 F, BW, DQ, VL and VNNI.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) unsafe fn strips(vectors: &[Vector<'_>], blocks: usize, four: bool) -> Option<Vec<Strip>> {
    // SAFETY: the CPU has what the function asks for.
    vectors.chunks(PANELS * PANEL).map(|vectors| unsafe { Strip::new(vectors, blocks, four) }).collect()
}

/// The products of rows from `first` on.
///
/// # Safety
/// The CPU has AVX-512 F, BW, DQ, VL and VNNI.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) unsafe fn rows(weights: &Weights<'_>, vector: &Activations, first: usize, out: &mut [i64]) {
    for (group, out) in out.chunks_mut(ROWS).enumerate() {
        let mut totals = [_mm512_setzero_si512(); ROWS];
        for (place, total) in totals[..out.len()].iter_mut().enumerate() {
            let row = weights.row(first + group * ROWS + place);
            // SAFETY: the CPU has what this function asks for.
            *total = unsafe {
                match (weights.four, weights.minima) {
                    (true, true) => four::<16>(row, vector),
                    (true, false) => four::<8>(row, vector),
                    (false, true) => eight::<8>(row, vector),
                    (false, false) => eight::<4>(row, vector),
                }
            };
        }
        let mut sums = [0; ROWS];
        // SAFETY: eight numbers have 64 bytes.
        unsafe { _mm512_storeu_si512(sums.as_mut_ptr().cast(), across(totals)) };
        out.copy_from_slice(&sums[..out.len()]);
    }
}

/// The sum of each row's lanes.
#[inline]
#[target_feature(enable = "avx512f")]
fn across(rows: [__m512i; ROWS]) -> __m512i {
    let pair = |at: usize| {
        let (a, b) = (rows[at], rows[at + 1]);
        _mm512_add_epi64(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b))
    };
    let join = |a, b| _mm512_add_epi64(_mm512_shuffle_i64x2::<0x88>(a, b), _mm512_shuffle_i64x2::<0xdd>(a, b));
    join(join(pair(0), pair(2)), join(pair(4), pair(6)))
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

/// Codes and scales of a step, and what is ahead of them fetched.
///
/// # Safety
/// The CPU has AVX-512 BW and VL.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn whole<const S: usize>(codes: &[u8; CHUNK], scales: &[u8; S]) -> (__m512i, __m512i) {
    const { assert!(S <= 16) };
    // SAFETY: 64 and `S` bytes are read from as many; an address may be fetched whether or not it can be read.
    unsafe {
        _mm_prefetch::<_MM_HINT_T0>(codes.as_ptr().wrapping_add(AHEAD).cast());
        _mm_prefetch::<_MM_HINT_T0>(scales.as_ptr().wrapping_add(AHEAD / CHUNK * S).cast());
        let scales = _mm_maskz_loadu_epi8(u16::MAX >> (16 - S), scales.as_ptr().cast());
        (_mm512_loadu_si512(codes.as_ptr().cast()), _mm512_broadcast_i32x4(scales))
    }
}

/// Those of the last step, which is shorter; zeros behind.
///
/// # Safety
/// The CPU has AVX-512 BW and VL; there are less than 64 bytes and at most 16.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn rest(codes: &[u8], scales: &[u8]) -> (__m512i, __m512i) {
    // SAFETY: as many bytes are read as the masks have bits, all of them in the slices.
    unsafe {
        let scales = _mm_maskz_loadu_epi8(u16::MAX >> (16 - scales.len().min(16)), scales.as_ptr().cast());
        let codes = _mm512_maskz_loadu_epi8(!(u64::MAX << codes.len().min(63)), codes.as_ptr().cast());
        (codes, _mm512_broadcast_i32x4(scales))
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn aligned<T>(part: &T) -> __m512i {
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
unsafe fn four<const S: usize>(row: Row<'_>, vector: &Activations) -> __m512i {
    let (flip, nibble, halves) = (_mm512_set1_epi8(8), _mm512_set1_epi8(15), _mm512_set1_epi32(0xffff));
    // SAFETY: the CPU has what the functions ask for; less than 64 bytes are left, and scales of as many blocks.
    unsafe {
        let spread = pattern(if S == 16 { &PAIRS } else { &SINGLES });
        let add = |total, (codes, scales), step: &Step| {
            // A nibble with its sign bit flipped is the number plus 8: (codes & 15) ^ 8.
            let low = _mm512_ternarylogic_epi32::<0x78>(flip, codes, nibble);
            let high = _mm512_ternarylogic_epi32::<0x78>(flip, _mm512_srli_epi16::<4>(codes), nibble);
            let dots = _mm512_dpbusd_epi32(aligned(&step.start), low, aligned(&step.low));
            let dots = _mm512_dpbusd_epi32(dots, high, aligned(&step.high));
            let pairs = _mm512_ternarylogic_epi32::<0xea>(dots, halves, aligned(&step.sums));
            let scaled = _mm512_madd_epi16(pairs, _mm512_shuffle_epi8(scales, spread));
            let both = _mm512_add_epi32(scaled, _mm512_srli_epi64::<32>(scaled));
            _mm512_add_epi64(total, _mm512_mul_epi32(both, aligned(&step.most)))
        };
        let ((codes, last), (scales, last_scales)) = (row.codes.as_chunks::<CHUNK>(), row.scales.as_chunks::<S>());
        let mut total = _mm512_setzero_si512();
        for ((codes, scales), step) in codes.iter().zip(scales).zip(&vector.steps) {
            total = add(total, whole(codes, scales), step);
        }
        match vector.steps.get(codes.len()) {
            Some(step) if !last.is_empty() => add(total, rest(last, last_scales), step),
            _ => total,
        }
    }
}

/// A row of weights in 8 bits; `S` bytes of scales a step.
///
/// # Safety
/// As [`rows`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
unsafe fn eight<const S: usize>(row: Row<'_>, vector: &Activations) -> __m512i {
    let flip = _mm512_set1_epi8(-0x80);
    // SAFETY: as in `four`.
    unsafe {
        let spread = pattern(if S == 8 { &SCALES_OF_PAIRS } else { &SCALES });
        let spread_minima = pattern(&MINIMA_OF_PAIRS);
        let add = |total, (codes, words), step: &Step| {
            let codes = _mm512_xor_si512(codes, flip);
            let scales = _mm512_srai_epi32::<16>(_mm512_shuffle_epi8(words, spread));
            let dots = _mm512_dpbusd_epi32(aligned(&step.start), codes, aligned(&step.low));
            let both = _mm512_add_epi32(dots, _mm512_srli_epi64::<32>(dots));
            let mut scaled = _mm512_mul_epi32(both, scales);
            if S == 8 {
                let minima = _mm512_srai_epi32::<16>(_mm512_shuffle_epi8(words, spread_minima));
                scaled = _mm512_add_epi64(scaled, _mm512_mul_epi32(aligned(&step.sums), minima));
            }
            _mm512_add_epi64(total, _mm512_mullo_epi64(scaled, aligned(&step.most)))
        };
        let ((codes, last), (scales, last_scales)) = (row.codes.as_chunks::<CHUNK>(), row.scales.as_chunks::<S>());
        let mut total = _mm512_setzero_si512();
        for ((codes, scales), step) in codes.iter().zip(scales).zip(&vector.steps) {
            total = add(total, whole(codes, scales), step);
        }
        match vector.steps.get(codes.len()) {
            Some(step) if !last.is_empty() => add(total, rest(last, last_scales), step),
            _ => total,
        }
    }
}

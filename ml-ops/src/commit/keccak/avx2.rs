//! Four messages at once, in vectors of 256 bits.

use core::arch::x86_64::{
    __m256i, _mm256_andnot_si256, _mm256_or_si256, _mm256_set1_epi64x, _mm256_slli_epi64, _mm256_srli_epi64,
    _mm256_xor_si256,
};
use core::mem::transmute;

use opml_vm::Hash;

use super::{
    RATE, blocks,
    kernel::{ROUNDS, kernel, steps},
};

type Word = __m256i;

/// Messages of a call.
const LANES: usize = 4;

#[inline]
#[target_feature(enable = "avx2")]
fn splat(word: u64) -> Word {
    _mm256_set1_epi64x(word.cast_signed())
}

#[inline]
#[target_feature(enable = "avx2")]
fn pack(words: [u64; LANES]) -> Word {
    // SAFETY: both are 32 bytes, and any bits are a value of either.
    unsafe { transmute(words) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn unpack(word: Word) -> [u64; LANES] {
    // SAFETY: both are 32 bytes, and any bits are a value of either.
    unsafe { transmute(word) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn xor(a: Word, b: Word) -> Word {
    _mm256_xor_si256(a, b)
}

#[inline]
#[target_feature(enable = "avx2")]
fn xor3(a: Word, b: Word, c: Word) -> Word {
    // In this order the compiler computes theta's `b ^ c` once for a column.
    _mm256_xor_si256(a, _mm256_xor_si256(b, c))
}

#[inline]
#[target_feature(enable = "avx2")]
fn chi(a: Word, b: Word, c: Word) -> Word {
    _mm256_xor_si256(a, _mm256_andnot_si256(b, c))
}

#[inline]
#[target_feature(enable = "avx2")]
fn rotate<const LEFT: i32, const RIGHT: i32>(word: Word) -> Word {
    _mm256_or_si256(_mm256_slli_epi64::<LEFT>(word), _mm256_srli_epi64::<RIGHT>(word))
}

steps!("avx2");
kernel!("avx2");

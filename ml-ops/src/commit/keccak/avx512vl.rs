//! Four messages at once, in vectors of 256 bits with the instructions of AVX-512.

use core::arch::x86_64::{__m256i, _mm256_rol_epi64, _mm256_set1_epi64x, _mm256_ternarylogic_epi64, _mm256_xor_si256};
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
#[target_feature(enable = "avx512f,avx512vl")]
fn splat(word: u64) -> Word {
    _mm256_set1_epi64x(word.cast_signed())
}

#[inline]
#[target_feature(enable = "avx512f,avx512vl")]
fn pack(words: [u64; LANES]) -> Word {
    // SAFETY: both are 32 bytes, and any bits are a value of either.
    unsafe { transmute(words) }
}

#[inline]
#[target_feature(enable = "avx512f,avx512vl")]
fn unpack(word: Word) -> [u64; LANES] {
    // SAFETY: both are 32 bytes, and any bits are a value of either.
    unsafe { transmute(word) }
}

#[inline]
#[target_feature(enable = "avx512f,avx512vl")]
fn xor(a: Word, b: Word) -> Word {
    _mm256_xor_si256(a, b)
}

#[inline]
#[target_feature(enable = "avx512f,avx512vl")]
fn xor3(a: Word, b: Word, c: Word) -> Word {
    _mm256_ternarylogic_epi64::<0x96>(a, b, c)
}

#[inline]
#[target_feature(enable = "avx512f,avx512vl")]
fn chi(a: Word, b: Word, c: Word) -> Word {
    _mm256_ternarylogic_epi64::<0xd2>(a, b, c)
}

#[inline]
#[target_feature(enable = "avx512f,avx512vl")]
fn rotate<const LEFT: i32, const RIGHT: i32>(word: Word) -> Word {
    _mm256_rol_epi64::<LEFT>(word)
}

steps!("avx512f,avx512vl");
kernel!("avx512f,avx512vl");

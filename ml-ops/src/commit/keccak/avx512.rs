//! Eight messages at once, in vectors of 512 bits.

use core::arch::x86_64::{__m512i, _mm512_rol_epi64, _mm512_set1_epi64, _mm512_ternarylogic_epi64, _mm512_xor_si512};
use core::mem::transmute;

use opml_vm::Hash;

use super::{
    RATE, blocks,
    kernel::{ROUNDS, kernel, steps},
};

type Word = __m512i;

/// Messages of a call.
const LANES: usize = 8;

#[inline]
#[target_feature(enable = "avx512f")]
fn splat(word: u64) -> Word {
    _mm512_set1_epi64(word.cast_signed())
}

#[inline]
#[target_feature(enable = "avx512f")]
fn pack(words: [u64; LANES]) -> Word {
    // SAFETY: both are 64 bytes, and any bits are a value of either.
    unsafe { transmute(words) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn unpack(word: Word) -> [u64; LANES] {
    // SAFETY: both are 64 bytes, and any bits are a value of either.
    unsafe { transmute(word) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn xor(a: Word, b: Word) -> Word {
    _mm512_xor_si512(a, b)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn xor3(a: Word, b: Word, c: Word) -> Word {
    _mm512_ternarylogic_epi64::<0x96>(a, b, c)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn chi(a: Word, b: Word, c: Word) -> Word {
    _mm512_ternarylogic_epi64::<0xd2>(a, b, c)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn rotate<const LEFT: i32, const RIGHT: i32>(word: Word) -> Word {
    _mm512_rol_epi64::<LEFT>(word)
}

steps!("avx512f");
kernel!("avx512f");

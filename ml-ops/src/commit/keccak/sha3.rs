//! Two messages at once, in vectors of 128 bits with the instructions that Arm has for SHA-3.

use core::arch::aarch64::{uint64x2_t, vbcaxq_u64, vdupq_n_u64, veor3q_u64, veorq_u64, vrax1q_u64, vxarq_u64};
use core::mem::transmute;

use opml_vm::Hash;

use super::{
    RATE, blocks,
    kernel::{ROUNDS, kernel},
};

type Word = uint64x2_t;

/// Messages of a call.
const LANES: usize = 2;

#[inline]
#[target_feature(enable = "neon,sha3")]
fn splat(word: u64) -> Word {
    vdupq_n_u64(word)
}

#[inline]
#[target_feature(enable = "neon,sha3")]
fn pack(words: [u64; LANES]) -> Word {
    // SAFETY: both are 16 bytes, and any bits are a value of either.
    unsafe { transmute(words) }
}

#[inline]
#[target_feature(enable = "neon,sha3")]
fn unpack(word: Word) -> [u64; LANES] {
    // SAFETY: both are 16 bytes, and any bits are a value of either.
    unsafe { transmute(word) }
}

#[inline]
#[target_feature(enable = "neon,sha3")]
fn xor(a: Word, b: Word) -> Word {
    veorq_u64(a, b)
}

#[inline]
#[target_feature(enable = "neon,sha3")]
fn xor3(a: Word, b: Word, c: Word) -> Word {
    veor3q_u64(a, b, c)
}

#[inline]
#[target_feature(enable = "neon,sha3")]
fn chi(a: Word, b: Word, c: Word) -> Word {
    vbcaxq_u64(a, c, b)
}

#[inline]
#[target_feature(enable = "neon,sha3")]
fn theta(before: Word, after: Word) -> Word {
    vrax1q_u64(before, after)
}

#[inline]
#[target_feature(enable = "neon,sha3")]
fn add(word: Word, parity: Word) -> Word {
    veorq_u64(word, parity)
}

#[inline]
#[target_feature(enable = "neon,sha3")]
fn add_rotate<const LEFT: i32, const RIGHT: i32>(word: Word, parity: Word) -> Word {
    // The instruction rotates to the right.
    vxarq_u64::<RIGHT>(word, parity)
}

kernel!("neon,sha3");

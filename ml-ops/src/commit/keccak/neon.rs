//! Two messages at once, in vectors of 128 bits.

use core::arch::aarch64::{uint64x2_t, vbicq_u64, vdupq_n_u64, veorq_u64, vshlq_n_u64, vsriq_n_u64};
use core::mem::transmute;

use opml_vm::Hash;

use super::{
    RATE, blocks,
    kernel::{ROUNDS, kernel, steps},
};

type Word = uint64x2_t;

/// Messages of a call.
const LANES: usize = 2;

#[inline]
#[target_feature(enable = "neon")]
fn splat(word: u64) -> Word {
    vdupq_n_u64(word)
}

#[inline]
#[target_feature(enable = "neon")]
fn pack(words: [u64; LANES]) -> Word {
    // SAFETY: both are 16 bytes, and any bits are a value of either.
    unsafe { transmute(words) }
}

#[inline]
#[target_feature(enable = "neon")]
fn unpack(word: Word) -> [u64; LANES] {
    // SAFETY: both are 16 bytes, and any bits are a value of either.
    unsafe { transmute(word) }
}

#[inline]
#[target_feature(enable = "neon")]
fn xor(a: Word, b: Word) -> Word {
    veorq_u64(a, b)
}

#[inline]
#[target_feature(enable = "neon")]
fn xor3(a: Word, b: Word, c: Word) -> Word {
    // In this order the compiler computes theta's `b ^ c` once for a column.
    veorq_u64(a, veorq_u64(b, c))
}

#[inline]
#[target_feature(enable = "neon")]
fn chi(a: Word, b: Word, c: Word) -> Word {
    veorq_u64(a, vbicq_u64(c, b))
}

#[inline]
#[target_feature(enable = "neon")]
fn rotate<const LEFT: i32, const RIGHT: i32>(word: Word) -> Word {
    vsriq_n_u64::<RIGHT>(vshlq_n_u64::<LEFT>(word), word)
}

steps!("neon");
kernel!("neon");

//! Sums over taps, each channel for itself.

#![allow(unsafe_code, reason = "vector instructions; every block says why it is sound")]

use std::arch::aarch64::{
    int16x8_t, vdupq_n_s32, vget_low_s16, vld1_u8, vld1q_s16, vld1q_u8, vmlal_high_s16, vmlal_s16, vmovl_u8,
    vreinterpretq_s16_u8, vreinterpretq_s16_u16, vst1q_s32,
};

use super::super::{STRIP, tile::Width};

/// Channels at a time: their sums stay in registers.
const CHANNELS: usize = 32;

/// Sums of a strip: `Σ_t a[offsets[t] + c] · weights[t][c]`.
///
/// # Safety
/// The CPU has NEON; [`STRIP`] numbers of the width can be read from each offset of `a` on.
#[target_feature(enable = "neon")]
pub(in super::super) unsafe fn taps(
    width: Width,
    offsets: &[usize],
    weights: &[[i16; STRIP]],
    a: &[u8],
    sums: &mut [i32; STRIP],
) {
    // SAFETY: as this function.
    unsafe {
        match width {
            Width::Byte => strip::<false>(offsets, weights, a, sums),
            Width::Word => strip::<true>(offsets, weights, a, sums),
        }
    }
}

/// # Safety
/// As [`taps`].
#[target_feature(enable = "neon")]
unsafe fn strip<const WORD: bool>(offsets: &[usize], weights: &[[i16; STRIP]], a: &[u8], sums: &mut [i32; STRIP]) {
    for (number, sums) in sums.as_chunks_mut::<CHANNELS>().0.iter_mut().enumerate() {
        let first = number * CHANNELS;
        let mut acc = [[vdupq_n_s32(0); 2]; CHANNELS / 8];
        for (&offset, weights) in offsets.iter().zip(weights) {
            for (eight, [low, high]) in acc.iter_mut().enumerate() {
                let channel = first + 8 * eight;
                // SAFETY: a strip of numbers lies there, of which these eight are a part.
                let numbers = unsafe { eight_numbers::<WORD>(a.as_ptr().add(offset), channel) };
                let weights = &weights[channel..channel + 8];
                // SAFETY: there are eight weights.
                let weights = unsafe { vld1q_s16(weights.as_ptr()) };
                *low = vmlal_s16(*low, vget_low_s16(numbers), vget_low_s16(weights));
                *high = vmlal_high_s16(*high, numbers, weights);
            }
        }
        for (four, &acc) in sums.as_chunks_mut::<4>().0.iter_mut().zip(acc.as_flattened()) {
            // SAFETY: there are four numbers.
            unsafe { vst1q_s32(four.as_mut_ptr(), acc) };
        }
    }
}

/// The numbers of eight channels.
///
/// # Safety
/// They can be read.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn eight_numbers<const WORD: bool>(a: *const u8, channel: usize) -> int16x8_t {
    // SAFETY: as this function.
    unsafe {
        if WORD {
            vreinterpretq_s16_u8(vld1q_u8(a.add(2 * channel)))
        } else {
            vreinterpretq_s16_u16(vmovl_u8(vld1_u8(a.add(channel))))
        }
    }
}

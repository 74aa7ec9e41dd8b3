//! Rows of a tile on their way out, as bytes.

#![allow(unsafe_code, reason = "vector instructions; every block says why it is sound")]

use std::arch::aarch64::{
    int16x8_t, int32x4_t, uint8x16_t, vaddhn_high_s64, vaddhn_s64, vaddq_s32, vcombine_s8, vcombine_s16, vcombine_u8,
    vdupq_n_s8, vdupq_n_s32, vdupq_n_s64, vdupq_n_u8, vget_low_s32, vld1q_s32, vmaxq_s8, vmaxq_u8, vminq_s8, vminq_u8,
    vmull_high_s32, vmull_s32, vqaddq_s32, vqmovn_s16, vqmovn_s32, vqmovun_s16, vreinterpretq_u8_s8, vshlq_s32,
    vst1q_u8,
};

use opml_vm::DType;

use super::super::{
    PANEL, STRIP,
    finish::{Fixed, Rows, Tables, low_byte, low_half},
};

/// As [`Fixed`] says, for bytes and shifts of 32 and more.
///
/// # Safety
/// The CPU has NEON.
#[target_feature(enable = "neon")]
pub(in super::super) unsafe fn requantise(
    fixed: &Fixed,
    sums: &[[i32; STRIP]],
    rows: &mut Rows<'_, '_>,
    tables: Tables<'_>,
) {
    let (add, factor) = (tables.0.as_chunks::<PANEL>().0, tables.1.as_chunks::<PANEL>().0);
    for ((sums, &total), out) in sums.iter().zip(rows.totals).zip(rows.out.iter_mut()) {
        let panels = sums.as_chunks::<PANEL>().0.iter().zip(add).zip(factor);
        for (((sums, add), factor), out) in panels.zip(out.chunks_mut(PANEL)) {
            let bytes = clamped(fixed, scaled(fixed, sums, low_half(total), add, factor));
            match out.first_chunk_mut::<PANEL>() {
                // SAFETY: there are 16 bytes.
                Some(out) => unsafe { vst1q_u8(out.as_mut_ptr(), bytes) },
                None => {
                    let mut all = [0; PANEL];
                    // SAFETY: there are 16 bytes.
                    unsafe { vst1q_u8(all.as_mut_ptr(), bytes) };
                    out.copy_from_slice(&all[..out.len()]);
                }
            }
        }
    }
}

/// Sums of 16 columns, scaled and moved by the zero point. 16 bits hold what the limits leave.
#[inline]
#[target_feature(enable = "neon")]
fn scaled(fixed: &Fixed, sums: &[i32; PANEL], total: i32, add: &[i32; PANEL], factor: &[i32; PANEL]) -> [int16x8_t; 2] {
    let half = vdupq_n_s64(fixed.half);
    // A negative count shifts to the right.
    let count = vdupq_n_s32(i32::try_from(fixed.shift).map_or(-31, |shift| 32 - shift));
    let (total, zero) = (vdupq_n_s32(total), vdupq_n_s32(low_half(fixed.zero)));
    let mut quarters = [zero; 4];
    for (number, quarter) in quarters.iter_mut().enumerate() {
        let load = |numbers: &[i32; PANEL]| -> int32x4_t {
            let four = &numbers[4 * number..4 * number + 4];
            // SAFETY: there are four numbers.
            unsafe { vld1q_s32(four.as_ptr()) }
        };
        let (sum, factor) = (vaddq_s32(vaddq_s32(load(sums), load(add)), total), load(factor));
        // The high half of a product is shifted by what is left.
        let low = vaddhn_s64(vmull_s32(vget_low_s32(sum), vget_low_s32(factor)), half);
        let high = vaddhn_high_s64(low, vmull_high_s32(sum, factor), half);
        *quarter = vqaddq_s32(vshlq_s32(high, count), zero);
    }
    let pair = |a: int32x4_t, b: int32x4_t| vcombine_s16(vqmovn_s32(a), vqmovn_s32(b));
    [pair(quarters[0], quarters[1]), pair(quarters[2], quarters[3])]
}

/// Within the limits, as bytes.
#[inline]
#[target_feature(enable = "neon")]
fn clamped(fixed: &Fixed, [a, b]: [int16x8_t; 2]) -> uint8x16_t {
    let (low, high) = (low_byte(fixed.low), low_byte(fixed.high));
    if fixed.dtype == DType::U8 {
        let (low, high) = (vdupq_n_u8(low.cast_unsigned()), vdupq_n_u8(high.cast_unsigned()));
        vminq_u8(vmaxq_u8(vcombine_u8(vqmovun_s16(a), vqmovun_s16(b)), low), high)
    } else {
        let bytes = vcombine_s8(vqmovn_s16(a), vqmovn_s16(b));
        vreinterpretq_u8_s8(vminq_s8(vmaxq_s8(bytes, vdupq_n_s8(low)), vdupq_n_s8(high)))
    }
}

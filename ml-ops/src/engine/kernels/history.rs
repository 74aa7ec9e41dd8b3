//! Products of 16-bit numbers with values of many iterations, exact in 64 bits: plain Rust, compiled for each tier.

#![allow(unsafe_code, reason = "calls of functions that are compiled for a tier; every block says why it is sound")]
#![cfg_attr(not(target_arch = "x86_64"), allow(unused_imports, reason = "tiers are for the vector kernels"))]

use super::Isa;
use crate::tier::Tier;

/// 16-bit numbers as they are committed.
pub(in crate::engine) type Words = [[u8; 2]];

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
/// The CPU has AVX-512 F, BW, DQ and VL.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn scores_avx512(query: &Words, past: &[&Words], start: usize, acc: &mut [i64]) {
    plain_scores(query, past, start, acc);
}

/// # Safety
/// The CPU has AVX2.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn scores_avx2(query: &Words, past: &[&Words], start: usize, acc: &mut [i64]) {
    plain_scores(query, past, start, acc);
}

/// # Safety
/// The CPU has AVX-512 F, BW, DQ and VL.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn mix_avx512(powers: &[i32], past: &[&Words], start: usize, acc: &mut [i64]) {
    plain_mix(powers, past, start, acc);
}

/// # Safety
/// The CPU has AVX2.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn mix_avx2(powers: &[i32], past: &[&Words], start: usize, acc: &mut [i64]) {
    plain_mix(powers, past, start, acc);
}

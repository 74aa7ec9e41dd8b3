//! Keccak-256 of many messages of one length, as many at once as the vectors have lanes.
//!
//! | tier | at once | for |
//! |---|--:|---|
//! | avx512 | 8 | full batches, and five to seven messages that are left |
//! | avx512 | 4 | up to four messages that are left: 256-bit vectors take two thirds of the time |
//! | avx2 | 4 | two messages or more |
//! | neon-dotprod | 2 | pairs, by SHA-3's instructions if the CPU has them, else as neon |
//! | neon | 2 | pairs |
//! | portable | 1 | the rest: the `sha3` crate, through `opml_vm` |
//!
//! A round of two states takes about 85 instructions with those of SHA-3 and 182 without. Times have not been measured
//! on Arm.
#![allow(unsafe_code, reason = "kernels need instructions that only their tier vouches for")]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod avx512vl;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod kernel;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "aarch64")]
mod sha3;
#[cfg(test)]
mod tests;

use std::borrow::Borrow;

use opml_vm::{Hash, merkle};

use crate::tier::Tier;

/// Words of the rate: 136 bytes.
const RATE: usize = 17;

/// Blocks of a message of `bytes` bytes, its padding included.
pub(super) const fn blocks(bytes: usize) -> usize {
    bytes / (8 * RATE) + 1
}

/// Writes the hashes of messages of `N` bytes, `B = blocks(N)` blocks each, on a tier or the best one below it that this
/// CPU has. Messages and hashes are equally many.
pub(super) fn keccak_many<const N: usize, const B: usize, M: Borrow<[u8; N]>>(
    tier: Tier,
    messages: &[M],
    out: &mut [Hash],
) {
    match tier.usable() {
        #[cfg(target_arch = "x86_64")]
        Tier::Avx512 | Tier::Amx => {
            let left = messages.len() % 8;
            let eights = messages.len() - if left > 4 { 0 } else { left };
            let (head, tail) = messages.split_at(eights);
            let (out_head, out_tail) = out.split_at_mut(eights);
            // SAFETY: the tier is usable, so this CPU has AVX-512 F and VL.
            batches(head, out_head, |batch| unsafe { avx512::hash::<N, B>(batch) });
            // SAFETY: as above.
            batches(tail, out_tail, |batch| unsafe { avx512vl::hash::<N, B>(batch) });
        }
        #[cfg(target_arch = "x86_64")]
        Tier::Avx2 => {
            let left = messages.len() % 4;
            let fours = messages.len() - if left > 1 { 0 } else { left };
            let (head, tail) = messages.split_at(fours);
            let (out_head, out_tail) = out.split_at_mut(fours);
            // SAFETY: the tier is usable, so this CPU has AVX2.
            batches(head, out_head, |batch| unsafe { avx2::hash::<N, B>(batch) });
            one_by_one(tail, out_tail);
        }
        #[cfg(target_arch = "aarch64")]
        tier @ (Tier::Neon | Tier::NeonDot) => {
            let pairs = messages.len() / 2 * 2;
            let (head, tail) = messages.split_at(pairs);
            let (out_head, out_tail) = out.split_at_mut(pairs);
            if tier == Tier::NeonDot && std::arch::is_aarch64_feature_detected!("sha3") {
                // SAFETY: this CPU has the instructions.
                batches(head, out_head, |batch| unsafe { sha3::hash::<N, B>(batch) });
            } else {
                // SAFETY: the tier is usable, so this CPU has NEON.
                batches(head, out_head, |batch| unsafe { neon::hash::<N, B>(batch) });
            }
            one_by_one(tail, out_tail);
        }
        _ => one_by_one(messages, out),
    }
}

/// Writes the hashes of messages that have one length, whatever it is, as [`keccak_many`].
pub(super) fn keccak_equal(tier: Tier, messages: &[&[u8]], out: &mut [Hash]) {
    let tier = tier.usable();
    let lanes = match tier {
        Tier::Avx512 | Tier::Amx => 8,
        Tier::Avx2 => 4,
        Tier::Neon | Tier::NeonDot => 2,
        Tier::Portable => 1,
    };
    for (messages, out) in messages.chunks(lanes).zip(out.chunks_mut(lanes)) {
        match (tier, messages.len()) {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the tier is usable, so this CPU has AVX-512 F.
            (Tier::Avx512 | Tier::Amx, 5..) => together(messages, out, |batch| unsafe { avx512::sponge(batch) }),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the tier is usable, so this CPU has AVX-512 F and VL. Also one message is faster so than word by word.
            (Tier::Avx512 | Tier::Amx, _) => together(messages, out, |batch| unsafe { avx512vl::sponge(batch) }),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the tier is usable, so this CPU has AVX2.
            (Tier::Avx2, 2..) => together(messages, out, |batch| unsafe { avx2::sponge(batch) }),
            #[cfg(target_arch = "aarch64")]
            (Tier::NeonDot, 2) if std::arch::is_aarch64_feature_detected!("sha3") => {
                // SAFETY: this CPU has the instructions.
                together(messages, out, |batch| unsafe { sha3::sponge(batch) });
            }
            #[cfg(target_arch = "aarch64")]
            // SAFETY: the tier is usable, so this CPU has NEON.
            (Tier::Neon | Tier::NeonDot, 2) => together(messages, out, |batch| unsafe { neon::sponge(batch) }),
            _ => messages.iter().zip(out).for_each(|(message, out)| *out = merkle::keccak(&[message])),
        }
    }
}

/// Hashes up to `L` messages at once; lanes that are left over hash the last one again.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn together<const L: usize>(messages: &[&[u8]], out: &mut [Hash], kernel: impl Fn([&[u8]; L]) -> [Hash; L]) {
    let Some(last) = messages.last() else { return };
    let hashes = kernel(std::array::from_fn(|lane| *messages.get(lane).unwrap_or(last)));
    out.iter_mut().zip(hashes).for_each(|(out, hash)| *out = hash);
}

/// Hashes `L` messages at a time; lanes that are left over hash the last message again.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn batches<const N: usize, const L: usize, M: Borrow<[u8; N]>>(
    messages: &[M],
    out: &mut [Hash],
    kernel: impl Fn([&[u8; N]; L]) -> [Hash; L],
) {
    let Some(last) = messages.last() else { return };
    for (batch, out) in messages.chunks(L).zip(out.chunks_mut(L)) {
        let hashes = kernel(std::array::from_fn(|lane| batch.get(lane).unwrap_or(last).borrow()));
        for (out, hash) in out.iter_mut().zip(hashes) {
            *out = hash;
        }
    }
}

fn one_by_one<const N: usize, M: Borrow<[u8; N]>>(messages: &[M], out: &mut [Hash]) {
    for (message, out) in messages.iter().zip(out) {
        *out = merkle::keccak(&[message.borrow()]);
    }
}

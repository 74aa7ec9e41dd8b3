//! Tables of 256 bytes, looked up 64 at a time: on x86-64 with AVX-512 VBMI, which has half a table in two vectors.
#![cfg_attr(
    target_arch = "x86_64",
    allow(unsafe_code, reason = "loads and stores of whole vectors take pointers, and need a CPU that has them")
)]

/// A byte for each byte.
#[derive(Debug, Clone)]
pub(super) struct Table {
    bytes: Box<[u8; 256]>,
    /// Whether it leaves them as they are.
    identity: bool,
}

impl Table {
    pub(super) fn new(bytes: [u8; 256]) -> Self {
        Self { identity: bytes.iter().copied().eq(0..=u8::MAX), bytes: Box::new(bytes) }
    }
}

/// `out[i] = table[source[i]]`; both are of one length. Only a CPU with VBMI may be `wide`.
pub(super) fn look_up(table: &Table, source: &[u8], out: &mut [u8], wide: bool) {
    if source.len() != out.len() {
        return;
    }
    if table.identity {
        return out.copy_from_slice(source);
    }
    #[cfg(target_arch = "x86_64")]
    if wide {
        // SAFETY: callers ask `vbmi::is_possible` first.
        return unsafe { x86::look_up(&table.bytes, source, out) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = wide;
    out.iter_mut().zip(source).for_each(|(out, &byte)| *out = table.bytes[usize::from(byte)]);
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        _mm512_loadu_si512, _mm512_mask_blend_epi8, _mm512_mask_storeu_epi8, _mm512_maskz_loadu_epi8,
        _mm512_movepi8_mask, _mm512_permutex2var_epi8,
    };

    /// Bytes of a vector.
    const LINE: usize = 64;

    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    pub(super) fn look_up(table: &[u8; 256], source: &[u8], out: &mut [u8]) {
        let quarters = table.as_chunks::<LINE>().0;
        // SAFETY: a quarter is a whole vector.
        let quarter = |number: usize| unsafe { _mm512_loadu_si512(quarters[number].as_ptr().cast()) };
        let (a, b, c, d) = (quarter(0), quarter(1), quarter(2), quarter(3));
        for (source, out) in source.chunks(LINE).zip(out.chunks_mut(LINE)) {
            let mask = u64::MAX >> (LINE - out.len().min(source.len()).clamp(1, LINE));
            // SAFETY: the mask has a bit for each byte of both, which are not empty.
            unsafe {
                let index = _mm512_maskz_loadu_epi8(mask, source.as_ptr().cast());
                let (low, high) = (_mm512_permutex2var_epi8(a, index, b), _mm512_permutex2var_epi8(c, index, d));
                let found = _mm512_mask_blend_epi8(_mm512_movepi8_mask(index), low, high);
                _mm512_mask_storeu_epi8(out.as_mut_ptr().cast(), mask, found);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use opml_vm::testing::Rng;

    use super::*;
    use crate::{engine::lanes::vbmi, tier::Tier};

    #[test]
    fn tables_are_looked_up_in_every_tier() {
        let mut rng = Rng::new(4);
        let mut byte = || rng.between(0, 255).to_le_bytes()[0];
        for length in [0, 1, 63, 64, 65, 200, 1000] {
            let mut bytes = [0; 256];
            bytes.fill_with(&mut byte);
            let source: Vec<u8> = (0..length).map(|_| byte()).collect();
            let expected: Vec<u8> = source.iter().map(|&byte| bytes[usize::from(byte)]).collect();
            let all: Vec<u8> = (0..=u8::MAX).collect();
            for tier in Tier::supported() {
                let mut out = vec![9; length];
                look_up(&Table::new(bytes), &source, &mut out, vbmi::is_possible(tier));
                assert_eq!(out, expected, "{length} on {}", tier.name());
                let mut out = [0; 256];
                look_up(&Table::new(bytes), &all, &mut out, vbmi::is_possible(tier));
                assert_eq!(out, bytes, "on {}", tier.name());
            }
            let mut same = [0; 256];
            same.copy_from_slice(&all);
            let mut out = vec![9; length];
            look_up(&Table::new(same), &source, &mut out, false);
            assert_eq!(out, source);
        }
    }
}

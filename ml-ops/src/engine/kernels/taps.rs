//! Sums over taps, each channel for itself: depthwise convolutions.

#![allow(unsafe_code, reason = "vector instructions; every block says why it is sound")]

use super::{GROUP, Isa, LINE, PANEL, STRIP, tile::Width};
use crate::tier::Tier;

/// Weights for each tap and channel, and where taps lie.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Taps {
    width: Width,
    /// Bytes from a row's start to its first channel under each tap.
    offsets: Vec<usize>,
    /// The last of the offsets.
    last: usize,
    /// For each strip of 64 channels: for each tap, the weights.
    weights: Vec<[i16; STRIP]>,
    /// For each strip: for each four taps, four lines in the order of [`place`].
    #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "of AVX-512"))]
    lines: Vec<[[i8; LINE]; 4]>,
    /// For each channel, the sum of its weights.
    pub(in crate::engine) totals: Vec<i64>,
}

/// Where a channel of a strip stands after four taps are interleaved: line, and its first byte.
const fn place(channel: usize) -> (usize, usize) {
    (channel % PANEL / GROUP, channel / PANEL * PANEL + channel % GROUP * GROUP)
}

impl Taps {
    /// `rows` has the weights of each channel, tap by tap; `None` if they do not fit the width or i32 does not hold the
    /// sums, with numbers up to `largest` in magnitude.
    pub(in crate::engine) fn new(width: Width, offsets: Vec<usize>, rows: &[i32], largest: i64) -> Option<Self> {
        let taps = offsets.len();
        let channels = rows.len() / taps.max(1);
        let weight = |row: &[i32]| row.iter().map(|&n| i64::from(n).abs()).sum::<i64>();
        let heaviest = rows.chunks_exact(taps.max(1)).map(weight).max()?;
        if heaviest.checked_mul(largest)? > i64::from(i32::MAX) {
            return None;
        }
        let strips = channels.div_ceil(STRIP);
        let groups = taps.div_ceil(GROUP);
        let mut weights = vec![[0; STRIP]; strips * taps];
        let mut lines = vec![[[0; LINE]; 4]; if width == Width::Byte { strips * groups } else { 0 }];
        for (number, row) in rows.chunks_exact(taps).enumerate() {
            let (strip, channel) = (number / STRIP, number % STRIP);
            let (line, byte) = place(channel);
            for (tap, &n) in row.iter().enumerate() {
                weights[strip * taps + tap][channel] = i16::try_from(n).ok()?;
                if width == Width::Byte {
                    lines[strip * groups + tap / GROUP][line][byte + tap % GROUP] = i8::try_from(n).ok()?;
                }
            }
        }
        let totals = rows.chunks_exact(taps).map(|row| row.iter().map(|&n| i64::from(n)).sum()).collect();
        let last = offsets.iter().max().copied().unwrap_or(0);
        Some(Self { width, offsets, last, weights, lines, totals })
    }

    /// Number of taps.
    pub(super) fn count(&self) -> usize {
        self.offsets.len()
    }

    /// Sums of the strip that begins at `column`, for the row that begins at `row`.
    pub(super) fn sums(&self, isa: Isa, a: &[u8], row: usize, column: usize, sums: &mut [i32; STRIP]) {
        let start = row + column * self.width.bytes();
        let strip = column / STRIP;
        let weights = &self.weights[strip * self.count()..][..self.count()];
        #[cfg(target_arch = "x86_64")]
        {
            let reach = start + self.last + STRIP;
            if isa.tier() >= Tier::Avx512 && self.width == Width::Byte && reach <= a.len() {
                let groups = self.count().div_ceil(GROUP);
                let lines = &self.lines[strip * groups..][..groups];
                // SAFETY: the CPU has the tier; 64 bytes from each tap on lie inside `a`.
                return unsafe { avx512(&self.offsets, lines, &a[start..], sums) };
            }
            if isa.tier() >= Tier::Avx2 {
                // SAFETY: the CPU has the tier.
                return unsafe { avx2(self.width, &self.offsets, weights, &a[start..], sums) };
            }
        }
        #[cfg(target_arch = "aarch64")]
        if isa.tier() != Tier::Portable && start + self.last + STRIP * self.width.bytes() <= a.len() {
            // SAFETY: the CPU has the tier; a strip of numbers from each tap on lies inside `a`.
            return unsafe { super::neon::taps(self.width, &self.offsets, weights, &a[start..], sums) };
        }
        let _ = isa;
        portable(self.width, &self.offsets, weights, &a[start..], sums);
    }
}

#[inline(always)]
fn portable(width: Width, offsets: &[usize], weights: &[[i16; STRIP]], a: &[u8], sums: &mut [i32; STRIP]) {
    *sums = [0; STRIP];
    for (&offset, weights) in offsets.iter().zip(weights) {
        let a = a.get(offset..).unwrap_or(&[]);
        let terms = sums.iter_mut().zip(weights);
        match width {
            Width::Byte => match a.first_chunk::<STRIP>() {
                Some(a) => terms.zip(a).for_each(|((sum, &w), &a)| add(sum, i32::from(a), w)),
                None => terms.zip(a).for_each(|((sum, &w), &a)| add(sum, i32::from(a), w)),
            },
            Width::Word => {
                let a = a.as_chunks::<2>().0;
                let number = |pair: [u8; 2]| i32::from(i16::from_le_bytes(pair));
                match a.first_chunk::<STRIP>() {
                    Some(a) => terms.zip(a).for_each(|((sum, &w), &a)| add(sum, number(a), w)),
                    None => terms.zip(a).for_each(|((sum, &w), &a)| add(sum, number(a), w)),
                }
            }
        }
    }
}

/// Lanes past the last channel may wrap; nobody reads them.
#[inline(always)]
fn add(sum: &mut i32, a: i32, weight: i16) {
    *sum = sum.wrapping_add(a.wrapping_mul(i32::from(weight)));
}

/// # Safety
/// The CPU has AVX2.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn avx2(width: Width, offsets: &[usize], weights: &[[i16; STRIP]], a: &[u8], sums: &mut [i32; STRIP]) {
    portable(width, offsets, weights, a, sums);
}

/// Four taps at a time: their bytes are interleaved channel by channel, then multiplied and added in fours.
///
/// # Safety
/// The CPU has AVX-512 F, BW and VNNI; 64 bytes from each offset on lie inside `a`.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn avx512(offsets: &[usize], lines: &[[[i8; LINE]; 4]], a: &[u8], sums: &mut [i32; STRIP]) {
    use std::arch::x86_64::{
        _mm512_dpbusd_epi32, _mm512_loadu_si512, _mm512_setzero_si512, _mm512_shuffle_i32x4, _mm512_storeu_si512,
        _mm512_unpackhi_epi8, _mm512_unpackhi_epi16, _mm512_unpacklo_epi8, _mm512_unpacklo_epi16,
    };
    let zero = _mm512_setzero_si512();
    let mut acc = [zero; 4];
    for (offsets, lines) in offsets.chunks(GROUP).zip(lines) {
        // A tap that is missing has weights 0.
        macro_rules! tap {
            ($number:literal) => {
                match offsets.get($number) {
                    // SAFETY: 64 bytes from the offset on lie inside `a`.
                    Some(&offset) => unsafe { _mm512_loadu_si512(a.as_ptr().add(offset).cast()) },
                    None => zero,
                }
            };
        }
        let (t0, t1) = (tap!(0), tap!(1));
        let (low, high) = (_mm512_unpacklo_epi8(t0, t1), _mm512_unpackhi_epi8(t0, t1));
        let (low2, high2) = if offsets.len() > 2 {
            let (t2, t3) = (tap!(2), tap!(3));
            (_mm512_unpacklo_epi8(t2, t3), _mm512_unpackhi_epi8(t2, t3))
        } else {
            (zero, zero)
        };
        let groups = [
            _mm512_unpacklo_epi16(low, low2),
            _mm512_unpackhi_epi16(low, low2),
            _mm512_unpacklo_epi16(high, high2),
            _mm512_unpackhi_epi16(high, high2),
        ];
        for ((acc, group), line) in acc.iter_mut().zip(groups).zip(lines) {
            // SAFETY: a line has 64 bytes.
            let weights = unsafe { _mm512_loadu_si512(line.as_ptr().cast()) };
            *acc = _mm512_dpbusd_epi32(*acc, group, weights);
        }
    }
    // Quarter `q` of `acc[j]` has channels 16·q + 4·j and the next three.
    let pairs = [
        _mm512_shuffle_i32x4::<0b01_00_01_00>(acc[0], acc[1]),
        _mm512_shuffle_i32x4::<0b11_10_11_10>(acc[0], acc[1]),
        _mm512_shuffle_i32x4::<0b01_00_01_00>(acc[2], acc[3]),
        _mm512_shuffle_i32x4::<0b11_10_11_10>(acc[2], acc[3]),
    ];
    let quarters = [
        _mm512_shuffle_i32x4::<0b10_00_10_00>(pairs[0], pairs[2]),
        _mm512_shuffle_i32x4::<0b11_01_11_01>(pairs[0], pairs[2]),
        _mm512_shuffle_i32x4::<0b10_00_10_00>(pairs[1], pairs[3]),
        _mm512_shuffle_i32x4::<0b11_01_11_01>(pairs[1], pairs[3]),
    ];
    for (out, quarter) in sums.as_chunks_mut::<PANEL>().0.iter_mut().zip(quarters) {
        // SAFETY: `out` has 16 numbers.
        unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), quarter) };
    }
}

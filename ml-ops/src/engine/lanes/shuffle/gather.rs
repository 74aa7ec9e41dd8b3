//! Bytes of listed places, 64 at a time: on x86-64 with AVX-512 VBMI, which permutes bytes across a whole vector.
#![cfg_attr(
    target_arch = "x86_64",
    allow(unsafe_code, reason = "loads and stores of whole vectors take pointers, and need a CPU that has them")
)]

use super::super::vbmi;
use crate::{engine::load::size, tier::Tier};

/// Bytes of a vector.
const LINE: usize = 64;
/// Bytes that are loaded from one place.
const PART: usize = 16;
/// Most places that two vectors are loaded from.
const PARTS: usize = 8;

/// How to gather a list.
#[derive(Debug, Clone)]
pub(super) struct Gather {
    lines: Vec<Line>,
    /// Bytes that the places are among.
    window: usize,
}

/// What is stored at once.
#[derive(Debug, Clone)]
struct Line {
    /// Where bytes are loaded from; only so many of them.
    parts: [usize; PARTS],
    count: usize,
    /// Which of the loaded bytes each one is.
    index: [u8; LINE],
}

impl Gather {
    /// A list of places below `window`; `None` if this CPU or tier cannot, or they are too far from each other.
    pub(super) fn new(places: &[u32], window: usize, tier: Tier) -> Option<Self> {
        if !vbmi::is_possible(tier) || window < PART {
            return None;
        }
        let lines = places.chunks(LINE).map(|places| Line::new(places, window)).collect::<Option<_>>()?;
        Some(Self { lines, window })
    }

    /// Writes the bytes at the places; `source` has the whole window.
    pub(super) fn write(&self, source: &[u8], out: &mut [u8]) {
        let Some(source) = source.get(..self.window) else { return };
        #[cfg(target_arch = "x86_64")]
        for (line, out) in self.lines.iter().zip(out.chunks_mut(LINE)) {
            // SAFETY: there are only such lists on a CPU that has these instructions.
            unsafe { x86::write(line, source, out) };
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = (source, out);
    }
}

impl Line {
    fn new(places: &[u32], window: usize) -> Option<Self> {
        let last = window.checked_sub(PART)?;
        let mut sorted: Vec<usize> = places.iter().map(|&place| size(place.into())).collect();
        sorted.sort_unstable();
        let (mut parts, mut count) = ([0; PARTS], 0);
        for place in sorted {
            if count == 0 || place >= parts[count - 1] + PART {
                *parts.get_mut(count)? = place.min(last);
                count += 1;
            }
        }
        let mut index = [0; LINE];
        for (index, &place) in index.iter_mut().zip(places) {
            let place = size(place.into());
            let part = parts[..count].iter().rposition(|&part| part <= place)?;
            *index = u8::try_from(part * PART + place - parts[part]).ok()?;
        }
        Some(Self { parts, count, index })
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m128i, __m512i, _mm_loadu_si128, _mm512_castsi128_si512, _mm512_inserti32x4, _mm512_loadu_si512,
        _mm512_mask_storeu_epi8, _mm512_permutex2var_epi8, _mm512_permutexvar_epi8,
    };

    use super::{LINE, Line, PART};

    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    pub(super) fn write(line: &Line, source: &[u8], out: &mut [u8]) {
        // SAFETY: the index is a whole vector.
        let index = unsafe { _mm512_loadu_si512(line.index.as_ptr().cast()) };
        let near = parts(source, [0, 1, 2, 3].map(|part| line.parts[part]));
        let bytes = if line.count <= 4 {
            _mm512_permutexvar_epi8(index, near)
        } else {
            let far = parts(source, [4, 5, 6, 7].map(|part| line.parts[part]));
            _mm512_permutex2var_epi8(near, index, far)
        };
        let mask = u64::MAX >> (LINE - out.len().clamp(1, LINE));
        // SAFETY: the mask has a bit for each byte of `out`, which is not empty.
        unsafe { _mm512_mask_storeu_epi8(out.as_mut_ptr().cast(), mask, bytes) };
    }

    /// Four parts as one vector.
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    fn parts(source: &[u8], [a, b, c, d]: [usize; 4]) -> __m512i {
        let vector = _mm512_castsi128_si512(part(source, a));
        let vector = _mm512_inserti32x4::<1>(vector, part(source, b));
        let vector = _mm512_inserti32x4::<2>(vector, part(source, c));
        _mm512_inserti32x4::<3>(vector, part(source, d))
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    fn part(source: &[u8], first: usize) -> __m128i {
        let part = &source[first..first + PART];
        // SAFETY: the part has as many bytes.
        unsafe { _mm_loadu_si128(part.as_ptr().cast()) }
    }
}

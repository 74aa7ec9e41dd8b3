//! Vectors side by side, 16 to a panel, as the kernel of strips reads them.

use std::{
    arch::x86_64::{
        __m128i, __m256i, __m512i, _mm_loadu_si128, _mm256_loadu_si256, _mm512_broadcast_i32x4, _mm512_castsi256_si512,
        _mm512_cmpeq_epi32_mask, _mm512_dpbusd_epi32, _mm512_inserti64x4, _mm512_mullo_epi32, _mm512_permutex_epi64,
        _mm512_permutex2var_epi64, _mm512_set_epi64, _mm512_set1_epi8, _mm512_set1_epi32, _mm512_setzero_si512,
        _mm512_shuffle_epi8, _mm512_slli_epi32, _mm512_store_si512, _mm512_unpackhi_epi32, _mm512_unpackhi_epi64,
        _mm512_unpacklo_epi32, _mm512_unpacklo_epi64,
    },
    cell::Cell,
};

use super::{BLOCK, Vector};

/// Vectors of a panel.
pub(super) const PANEL: usize = 16;
/// Most panels of a strip.
pub(super) const PANELS: usize = 2;
/// The sum of a block of 32 numbers that are all −128. With weights in 4 bits that are all −8, and only then, the product of a block
/// does not fit 16 bits.
const LEAST: i32 = -4096;

/// A block of the vectors of a panel.
#[derive(Clone)]
#[repr(C, align(64))]
pub(super) struct Part {
    /// Codes: in line `k` numbers `4k` to `4k + 3` of each vector. For weights in 4 bits even numbers come before odd ones.
    pub(super) codes: [[i8; 64]; 8],
    /// The sum of each vector; for weights in 4 bits in the high half.
    pub(super) sums: [i32; PANEL],
    /// Takes back that weights are read as unsigned.
    pub(super) start: [i32; PANEL],
    /// Largest magnitudes of vectors with even numbers, and with odd ones.
    pub(super) most: [[i64; 8]; 2],
}

impl Part {
    const EMPTY: Self = Self { codes: [[0; 64]; 8], sums: [0; PANEL], start: [0; PANEL], most: [[0; 8]; 2] };

    /// Takes in the block of each vector; `false` if a product may not fit 16 bits where it has to.
    ///
    /// # Safety
    /// The CPU has AVX-512 F, BW, DQ, VL and VNNI.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    fn fill(&mut self, codes: [&[u8; BLOCK]; PANEL], most: [i32; PANEL], four: bool) -> bool {
        let mut rows = [_mm512_setzero_si512(); PANEL / 2];
        for (at, row) in rows.iter_mut().enumerate() {
            *row = _mm512_inserti64x4::<1>(_mm512_castsi256_si512(half(codes[at])), half(codes[at + PANEL / 2]));
            if four {
                *row = _mm512_permutex_epi64::<0b11_01_10_00>(_mm512_shuffle_epi8(
                    *row,
                    _mm512_broadcast_i32x4(quarter(&HALVES)),
                ));
            }
        }
        let mut sums = _mm512_setzero_si512();
        for (line, turned) in self.codes.iter_mut().zip(turned(rows)) {
            sums = _mm512_dpbusd_epi32(sums, _mm512_set1_epi8(1), turned);
            put(line, turned);
        }
        put(&mut self.sums, if four { _mm512_slli_epi32::<16>(sums) } else { sums });
        let unit = _mm512_set1_epi32(if four { -8 } else { -128 });
        put(&mut self.start, _mm512_mullo_epi32(sums, unit));
        for (at, most) in most.into_iter().enumerate() {
            self.most[at % 2][at / 2] = i64::from(most);
        }
        !four || _mm512_cmpeq_epi32_mask(sums, _mm512_set1_epi32(LEAST)) == 0
    }
}

/// Even numbers of 16, then odd ones.
const HALVES: [u8; 16] = [0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15];

#[inline]
#[target_feature(enable = "avx512f")]
fn half(block: &[u8; BLOCK]) -> __m256i {
    // SAFETY: it has 32 bytes.
    unsafe { _mm256_loadu_si256(block.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn quarter(bytes: &[u8; 16]) -> __m128i {
    // SAFETY: it has 16 bytes.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

/// Writes a line of 64 bytes.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn put<T>(line: &mut T, value: __m512i) {
    const { assert!(size_of::<T>() == 64) };
    // SAFETY: it has 64 bytes, of which any are numbers, and lies in a `Part` or a `Scratch`, which are aligned and made of such lines.
    unsafe { _mm512_store_si512(std::ptr::from_mut(line).cast(), value) }
}

/// Eight words of each of 16 rows, of which `rows[i]` holds rows `i` and `8 + i`: word by word those of all rows.
#[inline]
#[target_feature(enable = "avx512f")]
fn turned(rows: [__m512i; 8]) -> [__m512i; 8] {
    let quarters = |at: usize| {
        let [a, b, c, d] = [rows[at], rows[at + 1], rows[at + 2], rows[at + 3]];
        let (low, high) = (_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
        let (low_too, high_too) = (_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
        // Words 0 and 4, 1 and 5, 2 and 6, 3 and 7 of four rows.
        [
            _mm512_unpacklo_epi64(low, low_too),
            _mm512_unpackhi_epi64(low, low_too),
            _mm512_unpacklo_epi64(high, high_too),
            _mm512_unpackhi_epi64(high, high_too),
        ]
    };
    let (first, second) = (quarters(0), quarters(4));
    let early = _mm512_set_epi64(13, 12, 5, 4, 9, 8, 1, 0);
    let late = _mm512_set_epi64(15, 14, 7, 6, 11, 10, 3, 2);
    let mut turned = [_mm512_setzero_si512(); 8];
    for word in 0..4 {
        turned[word] = _mm512_permutex2var_epi64(first[word], early, second[word]);
        turned[word + 4] = _mm512_permutex2var_epi64(first[word], late, second[word]);
    }
    turned
}

thread_local! {
    /// Parts of the last strip: as many take longer to clear than to fill.
    static SPARE: Cell<Vec<Part>> = const { Cell::new(Vec::new()) };
}

/// Up to 32 vectors.
pub(in crate::engine) struct Strip {
    /// How many.
    pub(super) vectors: usize,
    /// Block by block the parts of all panels.
    pub(super) parts: Vec<Part>,
}

impl Strip {
    /// Panels of the strip.
    pub(super) const fn panels(&self) -> usize {
        self.vectors.div_ceil(PANEL)
    }

    /// `None` if a product of a block may not fit 16 bits where it has to.
    ///
    /// # Safety
    /// The CPU has AVX-512 F, BW, DQ, VL and VNNI.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    pub(super) unsafe fn new(vectors: &[Vector<'_>], blocks: usize, four: bool) -> Option<Self> {
        let panels = vectors.len().div_ceil(PANEL);
        let mut parts = SPARE.take();
        parts.resize(panels * blocks, Part::EMPTY);
        for (panel, vectors) in vectors.chunks(PANEL).enumerate() {
            let codes = |at: usize| vectors.get(at).map_or(&[][..], |vector| vector.codes.as_chunks().0);
            let most = |at: usize| vectors.get(at).map_or(&[][..], |vector| vector.most.as_chunks().0);
            let (codes, most): ([_; PANEL], [_; PANEL]) = (std::array::from_fn(codes), std::array::from_fn(most));
            for block in 0..blocks {
                // Vectors that do not exist are 0.
                let codes = codes.map(|codes: &[[u8; BLOCK]]| codes.get(block).unwrap_or(&[0; BLOCK]));
                let most = most.map(|most: &[[u8; 4]]| most.get(block).map_or(0, |&bytes| i32::from_le_bytes(bytes)));
                if !parts[block * panels + panel].fill(codes, most, four) {
                    return None;
                }
            }
        }
        Some(Self { vectors: vectors.len(), parts })
    }
}

impl Drop for Strip {
    fn drop(&mut self) {
        // While a thread ends there is nothing to keep them in.
        let _ = SPARE.try_with(|spare| spare.set(std::mem::take(&mut self.parts)));
    }
}

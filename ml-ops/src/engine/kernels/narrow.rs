//! Products of few columns: rows stand in the lanes of vectors, 16 to a vector, each column is a vector of its own.
//!
//! First convolutions have six or eight columns, of which a vector for each row would hold little. Here a group of terms
//! of 16 evenly spaced rows is one load and a shuffle, and a column's weights are one number for all lanes.
#![cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "only AVX-512 has such a kernel"))]
#![allow(unsafe_code, reason = "vector instructions; every block says why it is sound")]

use super::{GROUP, Isa, finish::Fixed, tile::Width};
#[cfg(target_arch = "x86_64")]
use crate::tier::Tier;

/// Most columns.
pub(in crate::engine) const COLUMNS: usize = 8;
/// Rows that are summed at a time.
pub(super) const ROWS: usize = 32;
/// Bytes that are read from the first row of sixteen on under each group.
const REACH: usize = 128;
/// Most groups: with more of them a matrix unit is faster.
const GROUPS: usize = 32;

/// Weights for each group of terms and column.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Narrow {
    width: Width,
    columns: usize,
    groups: Vec<Group>,
    /// The last group's offset.
    last: usize,
}

/// Four bytes of terms: where they are in a row, and the columns' weights.
#[derive(Debug, Clone)]
struct Group {
    offset: usize,
    weights: [i32; COLUMNS],
}

/// Evenly spaced rows of a source, at most [`ROWS`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Stretch<'a> {
    pub(super) source: &'a [u8],
    /// Start of the first row.
    pub(super) start: usize,
    /// Bytes from a row to the next.
    pub(super) stride: usize,
    pub(super) count: usize,
}

/// Numbers of rows as they are stored: a row's columns are consecutive, with room for [`COLUMNS`].
#[repr(align(64))]
pub(super) struct Stored(pub(super) [u8; ROWS * COLUMNS * 2]);

impl Narrow {
    /// `pieces` are stretches of consecutive terms: first term, its bytes from a row's start, terms. `rows` has the weights
    /// of each column. `None` if these are too many, or weights do not fit the width.
    pub(in crate::engine) fn new(
        width: Width,
        pieces: &[(usize, usize, usize)],
        rows: &[i32],
        k: usize,
    ) -> Option<Self> {
        let columns = rows.len() / k.max(1);
        let terms = GROUP / width.bytes();
        let count: usize = pieces.iter().map(|(_, _, length)| length.div_ceil(terms)).sum();
        if columns > COLUMNS || count > GROUPS {
            return None;
        }
        let mut groups = Vec::with_capacity(count);
        for &(first, offset, length) in pieces {
            for term in (0..length).step_by(terms) {
                let mut weights = [0; COLUMNS];
                for (weight, row) in weights.iter_mut().zip(rows.chunks_exact(k)) {
                    let part = row.get(first + term..first + length.min(term + terms))?;
                    *weight = packed(width, part)?;
                }
                groups.push(Group { offset: offset + term * width.bytes(), weights });
            }
        }
        let last = groups.iter().map(|group| group.offset).max()?;
        Some(Self { width, columns, groups, last })
    }

    /// Products of four bytes for each row.
    pub(super) const fn products(&self) -> usize {
        self.columns * self.groups.len()
    }

    /// Whether rows that far apart are read by these kernels.
    pub(in crate::engine) const fn takes(stride: usize) -> bool {
        matches!(stride, 1..=4 | 8)
    }

    /// Bytes of a row in [`Stored`].
    pub(super) const fn pitch(fixed: &Fixed) -> Option<usize> {
        match fixed.dtype {
            opml_vm::DType::U8 | opml_vm::DType::I8 => Some(COLUMNS),
            opml_vm::DType::I16 => Some(2 * COLUMNS),
            _ => None,
        }
    }

    /// Sums and stores the rows of a stretch; `false` if this CPU or this epilogue is not for these kernels.
    pub(super) fn run(&self, isa: Isa, fixed: &Fixed, stretch: Stretch<'_>, out: &mut Stored) -> bool {
        #[cfg(target_arch = "x86_64")]
        if isa.tier() >= Tier::Avx512 && fixed.rows.is_none() && Self::takes(stretch.stride) && stretch.count <= ROWS {
            let blocks = if stretch.count > ROWS / 2 { 2 } else { 1 };
            let reach = stretch.start + (blocks - 1) * ROWS / 2 * stretch.stride + self.last + REACH;
            if reach <= stretch.source.len() {
                return x86::run(isa, self, fixed, stretch, out);
            }
            // The end of a source: groups are copied with room behind each.
            let (groups, copy) = self.apart(stretch);
            return x86::run(isa, &groups, fixed, Stretch { source: &copy, start: 0, ..stretch }, out);
        }
        let _ = (isa, fixed, stretch, out);
        false
    }

    /// The groups of a stretch in a copy that has room for whole vectors behind each, and where they are there.
    #[cfg(target_arch = "x86_64")]
    fn apart(&self, stretch: Stretch<'_>) -> (Self, Vec<u8>) {
        let room = ROWS / 2 * stretch.stride + REACH;
        let mut copy = vec![0; self.groups.len() * room];
        let mut groups = self.groups.clone();
        for ((number, group), to) in groups.iter_mut().enumerate().zip(copy.chunks_exact_mut(room)) {
            let from = stretch.source.get(stretch.start + group.offset..).unwrap_or(&[]);
            let length = from.len().min(room);
            to[..length].copy_from_slice(&from[..length]);
            group.offset = number * room;
        }
        (Self { groups, ..*self }, copy)
    }
}

/// The bytes of up to four or two weights as one number.
fn packed(width: Width, part: &[i32]) -> Option<i32> {
    let mut bytes = [0; GROUP];
    for (out, &weight) in bytes.chunks_mut(width.bytes()).zip(part) {
        match width {
            Width::Byte => out.copy_from_slice(&i8::try_from(weight).ok()?.to_le_bytes()),
            Width::Word => out.copy_from_slice(&i16::try_from(weight).ok()?.to_le_bytes()),
        }
    }
    Some(i32::from_le_bytes(bytes))
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m512i, _mm_loadu_si128, _mm_setr_epi32, _mm_storeu_si128, _mm512_add_epi32, _mm512_broadcast_i32x4,
        _mm512_dpbusd_epi32, _mm512_dpwssd_epi32, _mm512_extracti32x4_epi32, _mm512_loadu_si512,
        _mm512_mask_blend_epi16, _mm512_max_epi8, _mm512_max_epu8, _mm512_min_epi8, _mm512_min_epu8,
        _mm512_packs_epi16, _mm512_packs_epi32, _mm512_packus_epi16, _mm512_permutex2var_epi32,
        _mm512_permutex2var_epi64, _mm512_permutexvar_epi32, _mm512_set1_epi8, _mm512_set1_epi32, _mm512_setr_epi32,
        _mm512_setr_epi64, _mm512_setzero_si512, _mm512_shuffle_epi8, _mm512_slli_epi32, _mm512_storeu_si512,
        _mm512_unpackhi_epi32, _mm512_unpackhi_epi64, _mm512_unpacklo_epi32, _mm512_unpacklo_epi64,
    };

    use opml_vm::DType;

    use super::{COLUMNS, Narrow, Stored, Stretch};
    use crate::{
        engine::kernels::{
            Channels, Isa,
            avx512::{Gating, Scaling},
            finish::{Fixed, low_byte},
            tile::Width,
        },
        tier::Tier,
    };

    /// `false` if the epilogue has no kernel. All that is read lies inside the source.
    pub(super) fn run(isa: Isa, narrow: &Narrow, fixed: &Fixed, stretch: Stretch<'_>, out: &mut Stored) -> bool {
        let tables = match &fixed.channels {
            Channels::Narrow { add, factor } => add.first_chunk().zip(factor.first_chunk()),
            Channels::Wide { .. } => None,
        };
        let (Some((add, factor)), true) = (tables, isa.tier() >= Tier::Avx512) else { return false };
        let mut sums = [[[0; 16]; COLUMNS]; 2];
        let blocks = if stretch.count > 16 { 2 } else { 1 };
        // SAFETY: the CPU has the tier, and all that is read lies inside the source.
        unsafe {
            match (narrow.width, narrow.columns) {
                (Width::Byte, ..=2) => all::<2, false>(narrow, stretch, blocks, &mut sums),
                (Width::Byte, ..=4) => all::<4, false>(narrow, stretch, blocks, &mut sums),
                (Width::Byte, ..=6) => all::<6, false>(narrow, stretch, blocks, &mut sums),
                (Width::Byte, _) => all::<8, false>(narrow, stretch, blocks, &mut sums),
                (Width::Word, ..=4) => all::<4, true>(narrow, stretch, blocks, &mut sums),
                (Width::Word, _) => all::<8, true>(narrow, stretch, blocks, &mut sums),
            }
        }
        for (block, sums) in sums.iter().enumerate().take(blocks) {
            // SAFETY: the CPU has the tier.
            unsafe {
                match fixed.dtype {
                    DType::U8 | DType::I8 => {
                        bytes(fixed, sums, (add, factor, narrow.columns), &mut out.0[block * 128..])
                    }
                    DType::I16 => words(fixed, sums, (add, factor, narrow.columns), &mut out.0[block * 256..]),
                    _ => return false,
                }
            }
        }
        true
    }

    /// How sixteen rows' groups are brought together.
    #[derive(Clone, Copy)]
    struct Order {
        words: __m512i,
        bytes: __m512i,
        /// Rows are eight bytes apart: every second group of two vectors.
        apart: bool,
    }

    /// # Safety
    /// The CPU has the tier.
    #[target_feature(enable = "avx512f,avx512bw")]
    fn order(stride: usize) -> Order {
        let step = i32::try_from(stride).unwrap_or(0);
        if step == 8 {
            let words = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
            return Order { words, bytes: words, apart: true };
        }
        // Quarter `q` has rows 4q to 4q + 3, which begin at word `q · step`.
        let mut words = [0i32; 16];
        let mut bytes = [0i8; 16];
        for (number, word) in (0..).zip(&mut words) {
            *word = (number / 4 * step + number % 4).min(15);
        }
        for (number, byte) in (0..).zip(&mut bytes) {
            *byte = low_byte(number / 4 * i64::from(step) + number % 4);
        }
        // SAFETY: 64 and 16 bytes are read from arrays of these sizes.
        unsafe {
            Order {
                words: _mm512_loadu_si512(words.as_ptr().cast()),
                bytes: _mm512_broadcast_i32x4(_mm_loadu_si128(bytes.as_ptr().cast())),
                apart: false,
            }
        }
    }

    /// # Safety
    /// The CPU has the tier; 128 bytes are readable from the start of each block of 16 rows on under each group.
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    unsafe fn all<const C: usize, const WORD: bool>(
        narrow: &Narrow,
        stretch: Stretch<'_>,
        blocks: usize,
        sums: &mut [[[i32; 16]; COLUMNS]; 2],
    ) {
        let order = order(stretch.stride);
        let mut acc = [[_mm512_setzero_si512(); C]; 2];
        let start = stretch.source.as_ptr().wrapping_add(stretch.start);
        let second = if blocks == 2 { 16 * stretch.stride } else { 0 };
        for group in &narrow.groups {
            for (acc, from) in acc.iter_mut().zip([0, second]) {
                let from = start.wrapping_add(from + group.offset);
                // SAFETY: as the caller warrants.
                let rows = unsafe {
                    let first = _mm512_loadu_si512(from.cast());
                    if order.apart {
                        _mm512_permutex2var_epi32(first, order.words, _mm512_loadu_si512(from.wrapping_add(64).cast()))
                    } else {
                        _mm512_shuffle_epi8(_mm512_permutexvar_epi32(order.words, first), order.bytes)
                    }
                };
                for (acc, &weights) in acc.iter_mut().zip(&group.weights) {
                    let weights = _mm512_set1_epi32(weights);
                    *acc = if WORD {
                        _mm512_dpwssd_epi32(*acc, rows, weights)
                    } else {
                        _mm512_dpbusd_epi32(*acc, rows, weights)
                    };
                }
            }
        }
        for (sums, acc) in sums.iter_mut().zip(&acc).take(blocks) {
            for (out, &sum) in sums.iter_mut().zip(acc) {
                // SAFETY: `out` has 16 numbers.
                unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), sum) };
            }
        }
    }

    /// Added numbers, factors, columns.
    type Tables<'a> = (&'a [i32; COLUMNS], &'a [i32; COLUMNS], usize);

    /// What the sums of each column become, in the type's range; zeros past the last column.
    ///
    /// # Safety
    /// The CPU has the tier.
    #[target_feature(enable = "avx512f,avx512bw")]
    #[inline]
    fn scaled(fixed: &Fixed, sums: &[[i32; 16]; COLUMNS], (add, factor, columns): Tables<'_>) -> [__m512i; COLUMNS] {
        let scaling = Scaling::new(fixed);
        let gating = fixed.gate.as_ref().map(|gate| Gating::new(gate));
        let mut out = [_mm512_setzero_si512(); COLUMNS];
        for (number, (out, sums)) in out.iter_mut().zip(sums).enumerate().take(columns) {
            // SAFETY: a column has 16 sums.
            let sum = unsafe { _mm512_loadu_si512(sums.as_ptr().cast()) };
            let sum = _mm512_add_epi32(sum, _mm512_set1_epi32(add[number]));
            *out = scaling.run(sum, _mm512_set1_epi32(factor[number]));
            if let Some(gating) = &gating {
                *out = gating.run(*out);
            }
        }
        out
    }

    /// Sixteen rows of bytes, eight to a row.
    ///
    /// # Safety
    /// The CPU has the tier.
    #[target_feature(enable = "avx512f,avx512bw")]
    unsafe fn bytes(fixed: &Fixed, sums: &[[i32; 16]; COLUMNS], tables: Tables<'_>, out: &mut [u8]) {
        let Some(out) = out.first_chunk_mut::<128>() else { return };
        let v = scaled(fixed, sums, tables);
        let unsigned = fixed.dtype == DType::U8;
        let limit = |n: i64| _mm512_set1_epi8(low_byte(n));
        // With a gate the limits are its own, which were kept.
        let (low, high) = fixed.gate.as_ref().map_or((fixed.low, fixed.high), |gate| (gate.low, gate.high));
        let (low, high) = (limit(low), limit(high));
        let four = |a, b, c, d| {
            let (ab, cd) = (_mm512_packs_epi32(a, b), _mm512_packs_epi32(c, d));
            if unsigned {
                _mm512_min_epu8(_mm512_max_epu8(_mm512_packus_epi16(ab, cd), low), high)
            } else {
                _mm512_min_epi8(_mm512_max_epi8(_mm512_packs_epi16(ab, cd), low), high)
            }
        };
        // A quarter has four rows of each of four columns: columns of a row side by side.
        let turn = _mm512_broadcast_i32x4(_mm_setr_epi32(0x0c08_0400, 0x0d09_0501, 0x0e0a_0602, 0x0f0b_0703));
        let left = _mm512_shuffle_epi8(four(v[0], v[1], v[2], v[3]), turn);
        let right = _mm512_shuffle_epi8(four(v[4], v[5], v[6], v[7]), turn);
        let (first, second) = (_mm512_unpacklo_epi32(left, right), _mm512_unpackhi_epi32(left, right));
        let upper = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11);
        let lower = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
        // SAFETY: `out` has 128 bytes.
        unsafe {
            _mm512_storeu_si512(out.as_mut_ptr().cast(), _mm512_permutex2var_epi64(first, upper, second));
            _mm512_storeu_si512(out[64..].as_mut_ptr().cast(), _mm512_permutex2var_epi64(first, lower, second));
        }
    }

    /// Sixteen rows of 16-bit numbers, eight to a row.
    ///
    /// # Safety
    /// The CPU has the tier.
    #[target_feature(enable = "avx512f,avx512bw")]
    unsafe fn words(fixed: &Fixed, sums: &[[i32; 16]; COLUMNS], tables: Tables<'_>, out: &mut [u8]) {
        let Some(out) = out.first_chunk_mut::<256>() else { return };
        let v = scaled(fixed, sums, tables);
        let pair = |a, b| _mm512_mask_blend_epi16(0xaaaa_aaaa, a, _mm512_slli_epi32::<16>(b));
        let (d0, d1, d2, d3) = (pair(v[0], v[1]), pair(v[2], v[3]), pair(v[4], v[5]), pair(v[6], v[7]));
        let (t0, t1) = (_mm512_unpacklo_epi32(d0, d1), _mm512_unpackhi_epi32(d0, d1));
        let (t2, t3) = (_mm512_unpacklo_epi32(d2, d3), _mm512_unpackhi_epi32(d2, d3));
        // Quarter `q` of number `n` is row 4q + n.
        let rows = [
            _mm512_unpacklo_epi64(t0, t2),
            _mm512_unpackhi_epi64(t0, t2),
            _mm512_unpacklo_epi64(t1, t3),
            _mm512_unpackhi_epi64(t1, t3),
        ];
        let base = out.as_mut_ptr();
        for (number, row) in rows.into_iter().enumerate() {
            // SAFETY: `out` has 16 rows of 16 bytes.
            unsafe {
                let to = |quarter: usize| base.wrapping_add((4 * quarter + number) * 16).cast();
                _mm_storeu_si128(to(0), _mm512_extracti32x4_epi32::<0>(row));
                _mm_storeu_si128(to(1), _mm512_extracti32x4_epi32::<1>(row));
                _mm_storeu_si128(to(2), _mm512_extracti32x4_epi32::<2>(row));
                _mm_storeu_si128(to(3), _mm512_extracti32x4_epi32::<3>(row));
            }
        }
    }
}

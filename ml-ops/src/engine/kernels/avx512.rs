//! AVX-512 VNNI.

#![allow(unsafe_code, reason = "vector instructions; every block says why it is sound")]

use std::arch::x86_64::{
    __m128i, __m512i, _mm_cvtsi32_si128, _mm_mask_storeu_epi8, _mm256_mask_storeu_epi16, _mm512_add_epi32,
    _mm512_add_epi64, _mm512_cvtepi32_epi8, _mm512_cvtepi32_epi16, _mm512_dpbusd_epi32, _mm512_dpwssd_epi32,
    _mm512_loadu_si512, _mm512_mask_blend_epi32, _mm512_mask_cvtepi32_storeu_epi8, _mm512_mask_cvtepi32_storeu_epi16,
    _mm512_mask_storeu_epi8, _mm512_mask_storeu_epi32, _mm512_max_epi8, _mm512_max_epi32, _mm512_max_epi64,
    _mm512_max_epu8, _mm512_min_epi8, _mm512_min_epi32, _mm512_min_epi64, _mm512_min_epu8, _mm512_mul_epi32,
    _mm512_mullo_epi32, _mm512_packs_epi16, _mm512_packs_epi32, _mm512_packus_epi16, _mm512_permutexvar_epi32,
    _mm512_set1_epi8, _mm512_set1_epi32, _mm512_set1_epi64, _mm512_setr_epi32, _mm512_setzero_si512,
    _mm512_shuffle_epi32, _mm512_sll_epi32, _mm512_slli_epi64, _mm512_sra_epi32, _mm512_sra_epi64, _mm512_srli_epi64,
    _mm512_storeu_si512,
};

use opml_vm::DType;

use super::{
    GROUP, Isa, LINE, PANEL, STRIP,
    finish::{Fixed, Gate, RowTables, Rows, Tables, low_byte, low_half},
    tile::{Sums, Tile, Width},
};
use crate::tier::Tier;

/// Sums of a tile; `false` if this CPU or this tile is not for these kernels.
pub(super) fn sums(isa: Isa, tile: &Tile<'_>, width: Width, sums: &mut Sums) -> bool {
    if isa.tier() < Tier::Avx512 || !tile.is_inside(1) {
        return false;
    }
    // SAFETY: the CPU has the instructions, and all that is read lies inside the slices.
    unsafe {
        match width {
            Width::Byte => rows::<false>(tile, sums),
            Width::Word => rows::<true>(tile, sums),
        }
    }
    true
}

/// # Safety
/// The CPU has the tier; the tile is inside.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn rows<const WORD: bool>(tile: &Tile<'_>, sums: &mut Sums) {
    let mut first = 0;
    while first < tile.rows.len() {
        let left = tile.rows.len() - first;
        let out = &mut sums[first..];
        let rows = &tile.rows[first..];
        // SAFETY: as this function; each block takes no more rows than are left.
        first += unsafe {
            match (tile.panels, left) {
                (1, 8..) => block::<8, 1, 1, WORD>(tile, rows, out),
                (2, 8..) => block::<8, 2, 1, WORD>(tile, rows, out),
                (3, 8..) => block::<8, 3, 1, WORD>(tile, rows, out),
                (4, 6..) => block::<6, 4, 1, WORD>(tile, rows, out),
                (1, 4..) => block::<4, 1, 2, WORD>(tile, rows, out),
                (2, 4..) => block::<4, 2, 1, WORD>(tile, rows, out),
                (3, 4..) => block::<4, 3, 1, WORD>(tile, rows, out),
                (4, 4..) => block::<4, 4, 1, WORD>(tile, rows, out),
                (1, 2..) => block::<2, 1, 4, WORD>(tile, rows, out),
                (2, 2..) => block::<2, 2, 2, WORD>(tile, rows, out),
                (3, 2..) => block::<2, 3, 2, WORD>(tile, rows, out),
                (4, 2..) => block::<2, 4, 1, WORD>(tile, rows, out),
                (1, _) => block::<1, 1, 4, WORD>(tile, rows, out),
                (2, _) => block::<1, 2, 4, WORD>(tile, rows, out),
                (3, _) => block::<1, 3, 3, WORD>(tile, rows, out),
                _ => block::<1, 4, 3, WORD>(tile, rows, out),
            }
        };
    }
}

/// `R` rows by `P` panels, `U` groups at a time with sums of their own; returns `R`.
///
/// # Safety
/// The CPU has the tier; the tile is inside; `rows` and `out` have at least `R` entries; the tile has at least `P` panels.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn block<const R: usize, const P: usize, const U: usize, const WORD: bool>(
    tile: &Tile<'_>,
    rows: &[usize],
    out: &mut [[i32; 64]],
) -> usize {
    let mut acc = [[[_mm512_setzero_si512(); P]; R]; U];
    let a = tile.a.as_ptr();
    let step = |acc: &mut [[__m512i; P]; R], offset: usize, line: usize| {
        let mut columns = [_mm512_setzero_si512(); P];
        for (p, column) in columns.iter_mut().enumerate() {
            // SAFETY: the line lies inside the panel, the panel inside `b`.
            *column = unsafe { _mm512_loadu_si512(tile.b.as_ptr().add(p * tile.panel + line * LINE).cast()) };
        }
        for (acc, &row) in acc.iter_mut().zip(rows) {
            // SAFETY: the group lies inside `a`.
            let group = unsafe { a.add(row + offset).cast::<i32>().read_unaligned() };
            let group = _mm512_set1_epi32(group);
            for (acc, &column) in acc.iter_mut().zip(&columns) {
                *acc = if WORD {
                    _mm512_dpwssd_epi32(*acc, group, column)
                } else {
                    _mm512_dpbusd_epi32(*acc, group, column)
                };
            }
        }
    };
    for run in tile.runs {
        let mut group = 0;
        while group + U <= run.groups {
            for (u, acc) in acc.iter_mut().enumerate() {
                step(acc, run.offset + (group + u) * GROUP, run.line + group + u);
            }
            group += U;
        }
        while group < run.groups {
            step(&mut acc[0], run.offset + group * GROUP, run.line + group);
            group += 1;
        }
    }
    let (first, others) = acc.split_at_mut(1);
    for (r, out) in out.iter_mut().take(R).enumerate() {
        for (p, out) in out.as_chunks_mut::<PANEL>().0.iter_mut().take(P).enumerate() {
            let sum = others.iter().fold(first[0][r][p], |sum, acc| _mm512_add_epi32(sum, acc[r][p]));
            // SAFETY: `out` has 16 numbers.
            unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), sum) };
        }
    }
    R
}

/// Rows of a tile as bytes: as [`Fixed`] says, for shifts of 32 and more.
///
/// # Safety
/// The CPU has the tier.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) unsafe fn requantise(
    fixed: &Fixed,
    sums: &[[i32; STRIP]],
    rows: &mut Rows<'_, '_>,
    (add, factor): Tables<'_>,
) {
    let half = _mm512_set1_epi64(fixed.half);
    let count = _mm_cvtsi32_si128(i32::try_from(fixed.shift - 32).unwrap_or(31));
    // Zero points are small, limits are a byte's.
    let zero = _mm512_set1_epi32(low_half(fixed.zero));
    let limit = |n: i64| _mm512_set1_epi8(low_byte(n));
    let (low, high) = (limit(fixed.low), limit(fixed.high));
    // The order of four bytes after packing within quarters.
    let order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    for ((sums, &total), out) in sums.iter().zip(rows.totals).zip(rows.out.iter_mut()) {
        let total = _mm512_set1_epi32(low_half(total));
        // Few columns, as of first convolutions and of groups, need some panels of the four. A macro, as calls would cost too
        // much here.
        macro_rules! scaled {
            ($at:literal) => {{
                // SAFETY: all three have 64 numbers.
                let (sum, add, factor) = unsafe {
                    (
                        _mm512_loadu_si512(sums.as_ptr().add($at).cast()),
                        _mm512_loadu_si512(add.as_ptr().add($at).cast()),
                        _mm512_loadu_si512(factor.as_ptr().add($at).cast()),
                    )
                };
                // The high half of a product is shifted by what is left; even and odd lanes are multiplied apart.
                let sum = _mm512_add_epi32(_mm512_add_epi32(sum, add), total);
                let even = _mm512_add_epi64(_mm512_mul_epi32(sum, factor), half);
                let odd = _mm512_mul_epi32(_mm512_srli_epi64::<32>(sum), _mm512_srli_epi64::<32>(factor));
                let odd = _mm512_add_epi64(odd, half);
                let high = _mm512_mask_blend_epi32(0xaaaa, _mm512_srli_epi64::<32>(even), odd);
                _mm512_add_epi32(_mm512_sra_epi32(high, count), zero)
            }};
        }
        let (a, b, c, d) = match out.len().div_ceil(PANEL) {
            0 | 1 => (scaled!(0), zero, zero, zero),
            2 => (scaled!(0), scaled!(16), zero, zero),
            3 => (scaled!(0), scaled!(16), scaled!(32), zero),
            _ => (scaled!(0), scaled!(16), scaled!(32), scaled!(48)),
        };
        let (ab, cd) = (_mm512_packs_epi32(a, b), _mm512_packs_epi32(c, d));
        let bytes = if fixed.dtype == DType::U8 {
            _mm512_min_epu8(_mm512_max_epu8(_mm512_packus_epi16(ab, cd), low), high)
        } else {
            _mm512_min_epi8(_mm512_max_epi8(_mm512_packs_epi16(ab, cd), low), high)
        };
        let bytes = _mm512_permutexvar_epi32(order, bytes);
        if out.len() >= STRIP {
            // SAFETY: `out` has 64 bytes.
            unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), bytes) };
        } else {
            // SAFETY: the mask admits as many bytes as `out` has.
            unsafe { _mm512_mask_storeu_epi8(out.as_mut_ptr().cast(), (1 << out.len()) - 1, bytes) };
        }
    }
}

/// Rows of a tile with scales of rows, as numbers of 8 or 16 bits.
///
/// # Safety
/// The CPU has the tier.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) unsafe fn requantise_rows(
    fixed: &Fixed,
    sums: &[[i32; STRIP]],
    rows: &mut Rows<'_, '_>,
    (stage, before, (add, factor)): RowTables<'_>,
) {
    let count = |shift: u32| _mm_cvtsi32_si128(i32::try_from(shift).unwrap_or(63));
    let (first, second) = (count(stage.shift), count(fixed.shift));
    let (first_half, half) = (_mm512_set1_epi64(stage.half), _mm512_set1_epi64(fixed.half));
    let limit = |n: i64| _mm512_set1_epi32(low_half(n));
    let (zero, low, high) = (limit(fixed.zero), limit(fixed.low), limit(fixed.high));
    let lines = sums.iter().zip(rows.totals).zip(rows.scales).zip(rows.out.iter_mut());
    for (((sums, &total), &scale), out) in lines {
        let (total, scale) = (_mm512_set1_epi32(low_half(total)), _mm512_set1_epi32(scale));
        let size = if fixed.dtype == DType::I16 { 2 } else { 1 };
        for (number, out) in out.chunks_mut(PANEL * size).enumerate() {
            let at = number * PANEL;
            // SAFETY: all four have 64 numbers, and a row has at most 64 columns.
            let (sum, before, add, factor) = unsafe {
                (
                    _mm512_loadu_si512(sums.as_ptr().add(at).cast()),
                    _mm512_loadu_si512(before.as_ptr().add(at).cast()),
                    _mm512_loadu_si512(add.as_ptr().add(at).cast()),
                    _mm512_loadu_si512(factor.as_ptr().add(at).cast()),
                )
            };
            // Even and odd lanes apart; only the low halves of 64-bit lanes are looked at.
            let sum = _mm512_add_epi32(_mm512_add_epi32(sum, before), total);
            let scaled = |sum, scale, add| {
                let sum = _mm512_sra_epi64(_mm512_add_epi64(_mm512_mul_epi32(sum, scale), first_half), first);
                _mm512_add_epi32(sum, add)
            };
            let even = scaled(sum, scale, add);
            let odd = scaled(_mm512_srli_epi64::<32>(sum), scale, _mm512_srli_epi64::<32>(add));
            let stored = |sum, factor| _mm512_sra_epi64(_mm512_add_epi64(_mm512_mul_epi32(sum, factor), half), second);
            let (even, odd) = (stored(even, factor), stored(odd, _mm512_srli_epi64::<32>(factor)));
            let value = _mm512_mask_blend_epi32(0xaaaa, even, _mm512_slli_epi64::<32>(odd));
            let value = _mm512_add_epi32(value, zero);
            let value = _mm512_min_epi32(_mm512_max_epi32(value, low), high);
            let mask = u16::MAX.checked_shr(u32::try_from(PANEL - out.len() / size).unwrap_or(0)).unwrap_or(0);
            // SAFETY: the mask admits as many numbers as `out` has.
            unsafe {
                if size == 2 {
                    _mm512_mask_cvtepi32_storeu_epi16(out.as_mut_ptr().cast(), mask, value);
                } else {
                    _mm512_mask_cvtepi32_storeu_epi8(out.as_mut_ptr().cast(), mask, value);
                }
            }
        }
    }
}

/// `clamp(⌊(x · factor + half) / 2^shift⌋ + zero, low, high)` in vectors of 16.
#[derive(Clone, Copy)]
pub(super) struct Scaling {
    half: __m512i,
    zero: __m512i,
    low: __m512i,
    high: __m512i,
    lift: __m128i,
    count: __m128i,
    /// Whether the shift is 32 at least, so that the upper halves of products suffice; then the numbers above are of 32
    /// bits, but for `half`.
    upper: bool,
}

impl Scaling {
    /// # Safety
    /// The CPU has the tier.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(super) fn new(fixed: &Fixed) -> Self {
        Self::of((fixed.shift, fixed.half, fixed.zero), (fixed.low, fixed.high), fixed.lift)
    }

    /// # Safety
    /// The CPU has the tier.
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn gate(gate: &Gate) -> Self {
        Self::of((gate.shift, gate.half, gate.zero), (gate.low, gate.high), 0)
    }

    /// # Safety
    /// The CPU has the tier.
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn of((shift, half, zero): (u32, i64, i64), (low, high): (i64, i64), lift: u32) -> Self {
        let limit = |n: i64| n.max(i64::from(i32::MIN)).min(i64::from(i32::MAX));
        let upper = shift + lift >= 32;
        let number = |n: i64| if upper { _mm512_set1_epi32(low_half(n)) } else { _mm512_set1_epi64(n) };
        let count = if upper { shift + lift - 32 } else { shift };
        let bits = |n: u32| _mm_cvtsi32_si128(i32::try_from(n).unwrap_or(63));
        Self {
            half: _mm512_set1_epi64(half << lift),
            zero: number(zero),
            low: number(limit(low)),
            high: number(limit(high)),
            lift: bits(lift),
            count: bits(count),
            upper,
        }
    }

    /// # Safety
    /// The CPU has the tier.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(super) fn run(&self, x: __m512i, factor: __m512i) -> __m512i {
        // Even and odd lanes are multiplied apart.
        let x = _mm512_sll_epi32(x, self.lift);
        let even = _mm512_add_epi64(_mm512_mul_epi32(x, factor), self.half);
        let odd = _mm512_mul_epi32(_mm512_shuffle_epi32::<0xf5>(x), _mm512_shuffle_epi32::<0xf5>(factor));
        let odd = _mm512_add_epi64(odd, self.half);
        if self.upper {
            let upper = _mm512_mask_blend_epi32(0xaaaa, _mm512_shuffle_epi32::<0xf5>(even), odd);
            let moved = _mm512_add_epi32(_mm512_sra_epi32(upper, self.count), self.zero);
            return _mm512_min_epi32(_mm512_max_epi32(moved, self.low), self.high);
        }
        // A macro, as a call would cost too much here.
        macro_rules! ends {
            ($product:expr) => {{
                let moved = _mm512_add_epi64(_mm512_sra_epi64($product, self.count), self.zero);
                _mm512_min_epi64(_mm512_max_epi64(moved, self.low), self.high)
            }};
        }
        let (even, odd) = (ends!(even), ends!(odd));
        _mm512_mask_blend_epi32(0xaaaa, even, _mm512_shuffle_epi32::<0xa0>(odd))
    }
}

/// See [`Gate`].
#[derive(Clone, Copy)]
pub(super) struct Gating {
    add: __m512i,
    least: __m512i,
    most: __m512i,
    factor: __m512i,
    scaling: Scaling,
}

impl Gating {
    /// # Safety
    /// The CPU has the tier.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(super) fn new(gate: &Gate) -> Self {
        let number = |n: i32| _mm512_set1_epi32(n);
        let scaling = Scaling::gate(gate);
        let (least, most) = (number(gate.least), number(gate.most));
        Self { add: number(gate.add), least, most, factor: number(gate.factor), scaling }
    }

    /// # Safety
    /// The CPU has the tier.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(super) fn run(&self, x: __m512i) -> __m512i {
        let ramp = _mm512_min_epi32(_mm512_max_epi32(_mm512_add_epi32(x, self.add), self.least), self.most);
        self.scaling.run(_mm512_mullo_epi32(x, ramp), self.factor)
    }
}

/// Rows of a tile as numbers of up to 32 bits: as [`Fixed`] says, for any shift.
///
/// # Safety
/// The CPU has the tier.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) unsafe fn scale(fixed: &Fixed, sums: &[[i32; STRIP]], rows: &mut Rows<'_, '_>, tables: Tables<'_>) {
    let scaling = Scaling::new(fixed);
    match fixed.gate.as_ref() {
        Some(gate) => {
            let gating = Gating::new(gate);
            // SAFETY: as this function.
            unsafe { each(fixed.dtype, sums, rows, tables, |sum, factor| gating.run(scaling.run(sum, factor))) }
        }
        // SAFETY: as this function.
        None => unsafe { each(fixed.dtype, sums, rows, tables, |sum, factor| scaling.run(sum, factor)) },
    }
}

/// Stores what `f` makes of sums with what is added to them, and their factors.
///
/// # Safety
/// The CPU has the tier.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
#[inline]
unsafe fn each(
    dtype: DType,
    sums: &[[i32; STRIP]],
    rows: &mut Rows<'_, '_>,
    (add, factor): Tables<'_>,
    f: impl Fn(__m512i, __m512i) -> __m512i,
) {
    let size = match dtype {
        DType::I32 => 4,
        DType::I16 => 2,
        _ => 1,
    };
    for ((sums, &total), out) in sums.iter().zip(rows.totals).zip(rows.out.iter_mut()) {
        let total = _mm512_set1_epi32(low_half(total));
        let panels = sums.as_chunks::<PANEL>().0.iter();
        let panels = panels.zip(add.as_chunks::<PANEL>().0).zip(factor.as_chunks::<PANEL>().0);
        for (((sums, add), factor), out) in panels.zip(out.chunks_mut(PANEL * size)) {
            // SAFETY: all three have 16 numbers.
            let (sum, add, factor) = unsafe {
                (
                    _mm512_loadu_si512(sums.as_ptr().cast()),
                    _mm512_loadu_si512(add.as_ptr().cast()),
                    _mm512_loadu_si512(factor.as_ptr().cast()),
                )
            };
            let numbers = f(_mm512_add_epi32(_mm512_add_epi32(sum, add), total), factor);
            let mask = 0xffff >> (PANEL - out.len() / size).min(15);
            // SAFETY: the mask admits as many numbers as `out` has, at least one.
            unsafe {
                match size {
                    4 => _mm512_mask_storeu_epi32(out.as_mut_ptr().cast(), mask, numbers),
                    2 => _mm256_mask_storeu_epi16(out.as_mut_ptr().cast(), mask, _mm512_cvtepi32_epi16(numbers)),
                    _ => _mm_mask_storeu_epi8(out.as_mut_ptr().cast(), mask, _mm512_cvtepi32_epi8(numbers)),
                }
            }
        }
    }
}

//! AVX2.

#![allow(unsafe_code, reason = "vector instructions; every block says why it is sound")]

use std::arch::x86_64::{
    __m256i, _mm_cvtepu8_epi16, _mm_cvtsi32_si128, _mm_loadu_si128, _mm256_add_epi32, _mm256_broadcastq_epi64,
    _mm256_cvtepi8_epi16, _mm256_hadd_epi32, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_permute4x64_epi64,
    _mm256_set1_epi32, _mm256_setzero_si256, _mm256_storeu_si256,
};

use super::{
    GROUP, Isa, LINE, PANEL,
    tile::{Run, Sums, Tile, Width},
};
use crate::tier::Tier;

/// Sums of a tile; `false` if this CPU or this tile is not for these kernels.
pub(super) fn sums(isa: Isa, tile: &Tile<'_>, width: Width, sums: &mut Sums) -> bool {
    if isa.tier() < Tier::Avx2 || !tile.is_inside(1) {
        return false;
    }
    let mut first = 0;
    while first < tile.rows.len() {
        let left = tile.rows.len() - first;
        let (rows, out) = (&tile.rows[first..], &mut sums[first..]);
        for panel in 0..tile.panels {
            // SAFETY: the CPU has the instructions, all that is read lies inside the slices, and no block takes more
            // rows than are left.
            unsafe {
                match (width, left) {
                    (Width::Byte, 2..) => bytes::<2>(tile, rows, panel, out),
                    (Width::Byte, _) => bytes::<1>(tile, rows, panel, out),
                    (Width::Word, 2..) => words::<2>(tile, rows, panel, out),
                    (Width::Word, _) => words::<1>(tile, rows, panel, out),
                }
            }
        }
        first += left.min(2);
    }
    true
}

/// Calls `f` with the offset of each group in a row and its line in a panel.
#[inline(always)]
fn groups(runs: &[Run], mut f: impl FnMut(usize, usize)) {
    for run in runs {
        for group in 0..run.groups {
            f(run.offset + group * GROUP, run.line + group);
        }
    }
}

/// `R` rows of a panel. Bytes are widened to 16 bits; a lane holds the even or the odd pairs of a column.
///
/// # Safety
/// The CPU has AVX2; the tile is inside; `rows` and `out` have at least `R` entries; the tile has that panel.
#[target_feature(enable = "avx2")]
unsafe fn bytes<const R: usize>(tile: &Tile<'_>, rows: &[usize], panel: usize, out: &mut [[i32; 64]]) {
    let mut acc = [[_mm256_setzero_si256(); 4]; R];
    groups(tile.runs, |offset, line| {
        let mut columns = [_mm256_setzero_si256(); 4];
        for (quarter, column) in columns.iter_mut().enumerate() {
            // SAFETY: the line lies inside the panel, the panel inside `b`.
            let bytes = unsafe { tile.b.as_ptr().add(panel * tile.panel + line * LINE + quarter * 16) };
            // SAFETY: 16 bytes of the line.
            *column = _mm256_cvtepi8_epi16(unsafe { _mm_loadu_si128(bytes.cast()) });
        }
        for (acc, &row) in acc.iter_mut().zip(rows) {
            // SAFETY: the group lies inside `a`.
            let group = unsafe { tile.a.as_ptr().add(row + offset).cast::<i32>().read_unaligned() };
            let group = _mm256_broadcastq_epi64(_mm_cvtepu8_epi16(_mm_cvtsi32_si128(group)));
            for (acc, &column) in acc.iter_mut().zip(&columns) {
                *acc = _mm256_add_epi32(*acc, _mm256_madd_epi16(group, column));
            }
        }
    });
    for (acc, out) in acc.iter().zip(out) {
        let pairs = |a: __m256i, b: __m256i| _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_hadd_epi32(a, b));
        let halves = [pairs(acc[0], acc[1]), pairs(acc[2], acc[3])];
        let out = out[panel * PANEL..][..PANEL].as_mut_ptr();
        // SAFETY: `out` has 16 numbers.
        unsafe {
            _mm256_storeu_si256(out.cast(), halves[0]);
            _mm256_storeu_si256(out.add(8).cast(), halves[1]);
        }
    }
}

/// `R` rows of a panel of 16-bit numbers.
///
/// # Safety
/// As [`bytes`].
#[target_feature(enable = "avx2")]
unsafe fn words<const R: usize>(tile: &Tile<'_>, rows: &[usize], panel: usize, out: &mut [[i32; 64]]) {
    let mut acc = [[_mm256_setzero_si256(); 2]; R];
    groups(tile.runs, |offset, line| {
        // SAFETY: the line lies inside the panel, the panel inside `b`.
        let columns = unsafe {
            let line = tile.b.as_ptr().add(panel * tile.panel + line * LINE);
            [_mm256_loadu_si256(line.cast()), _mm256_loadu_si256(line.add(32).cast())]
        };
        for (acc, &row) in acc.iter_mut().zip(rows) {
            // SAFETY: the group lies inside `a`.
            let group = unsafe { tile.a.as_ptr().add(row + offset).cast::<i32>().read_unaligned() };
            let group = _mm256_set1_epi32(group);
            for (acc, &column) in acc.iter_mut().zip(&columns) {
                *acc = _mm256_add_epi32(*acc, _mm256_madd_epi16(group, column));
            }
        }
    });
    for (acc, out) in acc.iter().zip(out) {
        let out = out[panel * PANEL..][..PANEL].as_mut_ptr();
        // SAFETY: `out` has 16 numbers.
        unsafe {
            _mm256_storeu_si256(out.cast(), acc[0]);
            _mm256_storeu_si256(out.add(8).cast(), acc[1]);
        }
    }
}

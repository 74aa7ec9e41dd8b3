//! NEON, with products of bytes in fours (`sdot`) where the CPU has them.
//!
//! There are no products of an unsigned and a signed byte, so a row's bytes are taken as signed ones: with the highest bit
//! changed, which is 128 less, or with all others changed, which is 127 less, and the sign turned. What is missing does
//! not depend on the row: it is what a row of zeros, whose true sums are 0, comes out with.
//!
//! Sums stay in registers: of all instructions of an optimised loop over four rows there is one for 12 products of bytes
//! with `sdot`, for 2.9 without, and for 2.6 of 16-bit numbers. Times have not been measured.
//!
//! `sdot` is not among the stable intrinsics of Rust 1.95; the instruction in `asm!` is.

#![allow(unsafe_code, reason = "vector instructions; every block says why it is sound")]

mod ends;
mod taps;

use std::arch::{
    aarch64::{
        int8x16_t, int16x8_t, int32x4_t, vdupq_n_s8, vdupq_n_s32, veorq_s8, vget_low_s8, vget_low_s16, vld1q_dup_s32,
        vld1q_s8, vld1q_s32, vmlal_high_s16, vmlal_s16, vmlsl_high_s8, vmlsl_s8, vmull_high_s8, vmull_s8, vpadalq_s16,
        vpaddq_s32, vreinterpretq_s8_s32, vreinterpretq_s16_s8, vst1q_s32, vsubq_s32,
    },
    asm,
};

use super::{
    GROUP, Isa, LINE, PANEL, STRIP,
    tile::{Run, Sums, Tile, Width},
};
use crate::tier::Tier;

pub(super) use ends::requantise;
pub(super) use taps::taps;

/// Rows of a block.
const BLOCK: usize = 4;
/// Changes the highest bit of a byte: 128 less, as a signed one.
const HIGHEST: i8 = i8::MIN;
/// Changes all others: 127 less the byte.
const OTHERS: i8 = i8::MAX;

/// Sums of a tile; `false` if this CPU or this tile is not for these kernels.
pub(super) fn sums(isa: Isa, tile: &Tile<'_>, width: Width, sums: &mut Sums) -> bool {
    if !matches!(isa.tier(), Tier::Neon | Tier::NeonDot) || !tile.is_inside(1) {
        return false;
    }
    for panel in 0..tile.panels {
        let (mut share, mut first) = ([0; PANEL], 0);
        while first < tile.rows.len() {
            let mut block = Block {
                a: tile.a.as_ptr(),
                b: tile.b.as_ptr().wrapping_add(panel * tile.panel),
                rows: &tile.rows[first..],
                runs: tile.runs,
                out: &mut sums[first..],
                column: panel * PANEL,
                share: &mut share,
            };
            let (rows, new) = (block.rows.len().min(BLOCK), first == 0);
            // SAFETY: the CPU has the tier, all that is read lies inside the slices, no kernel takes more rows than are
            // left, and the tile has that panel.
            unsafe {
                match (width, isa.tier()) {
                    (Width::Word, _) => block.words(rows),
                    (Width::Byte, Tier::NeonDot) => block.dots(rows, new),
                    (Width::Byte, _) => block.bytes(rows, new),
                }
            }
            first += rows;
        }
    }
    true
}

/// A few rows of a panel.
struct Block<'a> {
    a: *const u8,
    /// The panel.
    b: *const u8,
    rows: &'a [usize],
    runs: &'a [Run],
    out: &'a mut [[i32; STRIP]],
    /// The panel's first column in `out`.
    column: usize,
    /// The sums that a row of zeros comes out with.
    share: &'a mut [i32; PANEL],
}

/// Calls a kernel for so many rows.
macro_rules! by_rows {
    ($rows:expr, $kernel:ident $(<$new:literal>)?, $($arg:expr),*) => {
        match $rows {
            BLOCK.. => $kernel::<BLOCK $(, $new)?>($($arg),*),
            3 => $kernel::<3 $(, $new)?>($($arg),*),
            2 => $kernel::<2 $(, $new)?>($($arg),*),
            _ => $kernel::<1 $(, $new)?>($($arg),*),
        }
    };
}

/// # Safety
/// For all of them: the CPU has the instructions; every run of every row can be read from `a` on, its lines from `b` on;
/// `rows` and `out` have as many entries as are asked for, one at least, and `out` has the panel's columns.
impl Block<'_> {
    unsafe fn dots(&mut self, rows: usize, new: bool) {
        // SAFETY: as this function.
        unsafe { if new { by_rows!(rows, dots<true>, self) } else { by_rows!(rows, dots<false>, self) } }
    }

    unsafe fn bytes(&mut self, rows: usize, new: bool) {
        for half in 0..2 {
            // SAFETY: as this function.
            unsafe {
                if new { by_rows!(rows, bytes<true>, self, half) } else { by_rows!(rows, bytes<false>, self, half) }
            }
        }
    }

    unsafe fn words(&mut self, rows: usize) {
        for half in 0..2 {
            // SAFETY: as this function.
            unsafe { by_rows!(rows, words, self, half) }
        }
    }

    /// Four columns of a row: their sums less the share.
    #[inline]
    #[target_feature(enable = "neon")]
    fn store(&mut self, row: usize, column: usize, sums: int32x4_t) {
        let share = &self.share[column..column + 4];
        let out = &mut self.out[row][self.column + column..][..4];
        // SAFETY: both have four numbers.
        unsafe { vst1q_s32(out.as_mut_ptr(), vsubq_s32(sums, vld1q_s32(share.as_ptr()))) }
    }

    /// Four columns of the share.
    #[inline]
    #[target_feature(enable = "neon")]
    fn store_share(&mut self, column: usize, sums: int32x4_t) {
        let share = &mut self.share[column..column + 4];
        // SAFETY: there are four numbers.
        unsafe { vst1q_s32(share.as_mut_ptr(), sums) }
    }
}

/// `acc + Σ_k columns[4·i + k] · terms[4·LANE + k]` for each of the four `i`.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn dot<const LANE: i32>(mut acc: int32x4_t, columns: int8x16_t, terms: int8x16_t) -> int32x4_t {
    // SAFETY: the instruction, which the CPU has, works on registers only.
    unsafe {
        asm!("sdot {0:v}.4s, {1:v}.16b, {2:v}.4b[{3}]", inout(vreg) acc, in(vreg) columns, in(vreg) terms, const LANE,
            options(pure, nomem, nostack, preserves_flags));
    }
    acc
}

/// `R` rows of a panel of bytes by `sdot`; four groups of a row are read at once. With `NEW` the share is found as well.
///
/// # Safety
/// See [`Block`].
#[target_feature(enable = "neon,dotprod")]
unsafe fn dots<const R: usize, const NEW: bool>(block: &mut Block<'_>) {
    let Some(&rows) = block.rows.first_chunk::<R>() else { return };
    let flip = vdupq_n_s8(HIGHEST);
    let (mut acc, mut share) = ([[vdupq_n_s32(0); 4]; R], [vdupq_n_s32(0); 4]);
    macro_rules! line {
        ($terms:ident, $line:expr, $lane:literal) => {
            for quarter in 0..4 {
                // SAFETY: the line lies inside the panel.
                let columns = unsafe { vld1q_s8(block.b.add($line * LINE + quarter * 16).cast()) };
                for (acc, &terms) in acc.iter_mut().zip(&$terms) {
                    acc[quarter] = dot::<$lane>(acc[quarter], columns, terms);
                }
                if NEW {
                    share[quarter] = dot::<0>(share[quarter], columns, flip);
                }
            }
        };
    }
    for run in block.runs {
        let mut group = 0;
        let mut terms = [flip; R];
        while group + 4 <= run.groups {
            for (terms, row) in terms.iter_mut().zip(rows) {
                // SAFETY: four groups of the run are left.
                *terms = veorq_s8(unsafe { vld1q_s8(block.a.add(row + run.offset + group * GROUP).cast()) }, flip);
            }
            line!(terms, (run.line + group), 0);
            line!(terms, (run.line + group + 1), 1);
            line!(terms, (run.line + group + 2), 2);
            line!(terms, (run.line + group + 3), 3);
            group += 4;
        }
        while group < run.groups {
            for (terms, row) in terms.iter_mut().zip(rows) {
                // SAFETY: the group lies inside `a`.
                *terms = veorq_s8(unsafe { one_group(block.a.add(row + run.offset + group * GROUP)) }, flip);
            }
            line!(terms, (run.line + group), 0);
            group += 1;
        }
    }
    if NEW {
        (0..4).for_each(|quarter| block.store_share(4 * quarter, share[quarter]));
    }
    for (row, acc) in acc.iter().enumerate() {
        (0..4).for_each(|quarter| block.store(row, 4 * quarter, acc[quarter]));
    }
}

/// A group, four times.
///
/// # Safety
/// Four bytes can be read.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn one_group(bytes: *const u8) -> int8x16_t {
    // SAFETY: four bytes; the instruction asks for no alignment.
    vreinterpretq_s8_s32(unsafe { vld1q_dup_s32(bytes.cast()) })
}

/// Sums of half a panel, two lanes for each column.
type Half = [int32x4_t; 4];

/// Adds two lines of half a panel times the groups of a row. A product of signed bytes is at most 2^14, less a second one
/// at most `2^14 + 127 · 128`, which 16 bits hold. Without a second line its groups are 0.
#[inline]
#[target_feature(enable = "neon")]
fn add_bytes(acc: &mut Half, columns: &[[int8x16_t; 2]; 2], groups: [int8x16_t; 2]) {
    let [first, second] = groups;
    for quarter in 0..2 {
        let (a, b) = (columns[0][quarter], columns[1][quarter]);
        let low = vmull_s8(vget_low_s8(first), vget_low_s8(a));
        let low = vmlsl_s8(low, vget_low_s8(second), vget_low_s8(b));
        let high = vmlsl_high_s8(vmull_high_s8(first, a), second, b);
        acc[2 * quarter] = vpadalq_s16(acc[2 * quarter], low);
        acc[2 * quarter + 1] = vpadalq_s16(acc[2 * quarter + 1], high);
    }
}

/// Half a line.
///
/// # Safety
/// The line lies inside the panel.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn half_line(panel: *const u8, line: usize, half: usize) -> [int8x16_t; 2] {
    // SAFETY: both quarters are of the line.
    [0, 1].map(|quarter| unsafe { vld1q_s8(panel.add(line * LINE + half * 32 + quarter * 16).cast()) })
}

/// The sums of eight columns, four a vector.
#[inline]
#[target_feature(enable = "neon")]
fn columns(acc: &Half) -> [int32x4_t; 2] {
    [vpaddq_s32(acc[0], acc[1]), vpaddq_s32(acc[2], acc[3])]
}

/// `R` rows of half a panel of bytes, two lines at a time. With `NEW` the share is found as well.
///
/// # Safety
/// See [`Block`].
#[target_feature(enable = "neon")]
unsafe fn bytes<const R: usize, const NEW: bool>(block: &mut Block<'_>, half: usize) {
    let Some(&rows) = block.rows.first_chunk::<R>() else { return };
    let flips = [vdupq_n_s8(HIGHEST), vdupq_n_s8(OTHERS)];
    let none = vdupq_n_s8(0);
    let (mut acc, mut share) = ([[vdupq_n_s32(0); 4]; R], [vdupq_n_s32(0); 4]);
    for run in block.runs {
        let mut group = 0;
        while group + 2 <= run.groups {
            // SAFETY: the lines lie inside the panel.
            let columns = unsafe { [0, 1].map(|next| half_line(block.b, run.line + group + next, half)) };
            for (acc, row) in acc.iter_mut().zip(rows) {
                let a = block.a.wrapping_add(row + run.offset + group * GROUP);
                // SAFETY: both groups lie inside `a`.
                let groups = unsafe { [one_group(a), one_group(a.add(GROUP))] };
                add_bytes(acc, &columns, [veorq_s8(groups[0], flips[0]), veorq_s8(groups[1], flips[1])]);
            }
            if NEW {
                add_bytes(&mut share, &columns, flips);
            }
            group += 2;
        }
        if group < run.groups {
            // SAFETY: the line lies inside the panel.
            let columns = unsafe { [half_line(block.b, run.line + group, half); 2] };
            for (acc, row) in acc.iter_mut().zip(rows) {
                // SAFETY: the group lies inside `a`.
                let last = unsafe { one_group(block.a.add(row + run.offset + group * GROUP)) };
                add_bytes(acc, &columns, [veorq_s8(last, flips[0]), none]);
            }
            if NEW {
                add_bytes(&mut share, &columns, [flips[0], none]);
            }
        }
    }
    let first = half * 8;
    if NEW {
        let [low, high] = columns(&share);
        block.store_share(first, low);
        block.store_share(first + 4, high);
    }
    for (row, acc) in acc.iter().enumerate() {
        let [low, high] = columns(acc);
        block.store(row, first, low);
        block.store(row, first + 4, high);
    }
}

/// `R` rows of half a panel of 16-bit numbers.
///
/// # Safety
/// See [`Block`].
#[target_feature(enable = "neon")]
unsafe fn words<const R: usize>(block: &mut Block<'_>, half: usize) {
    let Some(&rows) = block.rows.first_chunk::<R>() else { return };
    let mut acc = [[vdupq_n_s32(0); 4]; R];
    for run in block.runs {
        for group in 0..run.groups {
            // SAFETY: the line lies inside the panel.
            let line = unsafe { half_line(block.b, run.line + group, half) };
            for (acc, row) in acc.iter_mut().zip(rows) {
                // SAFETY: the group lies inside `a`.
                let group = unsafe { one_group(block.a.add(row + run.offset + group * GROUP)) };
                add_words(acc, line.map(|bytes| vreinterpretq_s16_s8(bytes)), vreinterpretq_s16_s8(group));
            }
        }
    }
    for (row, acc) in acc.iter().enumerate() {
        let [low, high] = columns(acc);
        block.store(row, half * 8, low);
        block.store(row, half * 8 + 4, high);
    }
}

/// Adds half a line of 16-bit numbers times the group of a row.
#[inline]
#[target_feature(enable = "neon")]
fn add_words(acc: &mut Half, columns: [int16x8_t; 2], group: int16x8_t) {
    for (quarter, &columns) in columns.iter().enumerate() {
        acc[2 * quarter] = vmlal_s16(acc[2 * quarter], vget_low_s16(group), vget_low_s16(columns));
        acc[2 * quarter + 1] = vmlal_high_s16(acc[2 * quarter + 1], group, columns);
    }
}

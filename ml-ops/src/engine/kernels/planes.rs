//! 16-bit products in the matrix unit, whose factors have 8 bits: `a = 256·a1 + a0` with a0 unsigned and a1 signed, as the two
//! bytes of a number are, and so `Σ a·b = Σ a0·b0 + 256·Σ (a0·b1 + a1·b0) + 65536·Σ a1·b1`.
//!
//! The lower bytes of all terms lie side by side, and so do the upper ones: a *plane* each.

use super::{Aligned, Isa, LINE, PANEL, STRIP};
#[cfg(target_arch = "x86_64")]
use crate::tier::Tier;

/// Terms of a step of the matrix unit.
pub(super) const STEP: usize = 64;
/// Rows of a block.
pub(super) const HEIGHT: usize = 16;
/// Most terms: `255 · 255` of them fit 32 bits, and the middle sum, of `2 · 255 · 128`, fits 31.
const MOST: usize = 1 << 15;

/// The three sums of a block of rows and columns.
pub(super) type Parts = [[[i32; PANEL]; HEIGHT]; 3];

/// A constant column factor: for each panel the plane of lower bytes, then that of upper ones, as the unit reads them: groups
/// of four terms of 16 columns side by side.
#[derive(Debug, Clone)]
pub(super) struct Planes {
    bytes: Aligned,
    /// Terms, whole steps.
    terms: usize,
    /// Panels of a block.
    panels: usize,
}

impl Planes {
    /// Packs rows of `terms` 16-bit numbers, one for each block and column; `None` if there are too many terms, or numbers that
    /// do not fit.
    pub(super) fn new(rows: &[i32], terms: usize, columns: usize) -> Option<Self> {
        if terms == 0 || terms > MOST || columns == 0 {
            return None;
        }
        let whole = terms.next_multiple_of(STEP);
        let panels = columns.div_ceil(PANEL);
        let plane = whole * PANEL;
        let blocks = rows.len() / (terms * columns);
        let mut bytes = Aligned::zeros(blocks * panels * 2 * plane);
        for (number, row) in rows.chunks_exact(terms).enumerate() {
            let (block, column) = (number / columns, number % columns);
            let start = (block * panels + column / PANEL) * 2 * plane + column % PANEL * 4;
            for (term, &number) in row.iter().enumerate() {
                let at = start + term / 4 * LINE + term % 4;
                let [lower, upper] = i16::try_from(number).ok()?.to_le_bytes();
                (bytes[at], bytes[at + plane]) = (lower, upper);
            }
        }
        Some(Self { bytes, terms: whole, panels })
    }

    /// Terms of a row, with the zeros at its end.
    pub(super) const fn terms(&self) -> usize {
        self.terms
    }

    /// The planes of a panel of a block.
    pub(super) fn panel(&self, block: usize, panel: usize) -> Option<[&[u8]; 2]> {
        let plane = self.terms * PANEL;
        let start = (block * self.panels + panel) * 2 * plane;
        Some([self.bytes.get(start..start + plane)?, self.bytes.get(start + plane..start + 2 * plane)?])
    }
}

/// Rows of 16-bit numbers as planes.
#[derive(Debug, Default)]
pub(super) struct Split {
    planes: [Aligned; 2],
    /// Bytes between rows.
    pitch: usize,
    /// Rows, whole blocks.
    rows: usize,
}

impl Split {
    /// Splits rows, each given in pieces, for columns of so many terms.
    pub(super) fn fill<'a, P: Iterator<Item = &'a [u8]>>(
        &mut self,
        isa: Isa,
        rows: impl ExactSizeIterator<Item = P>,
        terms: usize,
    ) {
        // Not a multiple of the distance at which cache lines displace each other.
        self.pitch = if terms.is_multiple_of(512) { terms + LINE } else { terms };
        self.rows = rows.len().next_multiple_of(HEIGHT);
        let [lower, upper] = &mut self.planes;
        lower.reserve(self.rows * self.pitch);
        upper.reserve(self.rows * self.pitch);
        for (number, pieces) in rows.enumerate() {
            let mut at = number * self.pitch;
            let end = at + terms;
            for piece in pieces {
                let words = piece.as_chunks::<2>().0;
                let to = at..at + words.len();
                at = to.end;
                let (Some(lower), Some(upper)) = (lower.get_mut(to.clone()), upper.get_mut(to)) else { continue };
                isa.apart(words, lower, upper);
            }
            // What stands past the last term meets zeros.
            debug_assert!(at <= end, "a row has no more terms than its columns");
        }
    }

    /// A plane of a block of rows, and the bytes between rows.
    pub(super) fn block(&self, number: usize) -> Option<([&[u8]; 2], usize)> {
        let range = number * HEIGHT * self.pitch..(number + 1) * HEIGHT * self.pitch;
        let [lower, upper] = &self.planes;
        Some(([lower.get(range.clone())?, upper.get(range)?], self.pitch))
    }

    /// Blocks of rows.
    pub(super) const fn blocks(&self) -> usize {
        self.rows / HEIGHT
    }
}

/// The lower and the upper bytes of numbers.
#[inline(always)]
fn apart(words: &[[u8; 2]], lower: &mut [u8], upper: &mut [u8]) {
    for ((lower, upper), &[a0, a1]) in lower.iter_mut().zip(upper).zip(words) {
        (*lower, *upper) = (a0, a1);
    }
}

/// Adds the parts of rows up, modulo `2^32`: right where i32 holds the sums.
#[inline(always)]
fn narrow(parts: &Parts, column: usize, sums: &mut [[i32; STRIP]]) {
    for (((low, middle), high), sums) in rows(parts).zip(sums) {
        let numbers = low.iter().zip(middle).zip(high);
        for (sum, ((&low, &middle), &high)) in sums[column..].iter_mut().zip(numbers) {
            *sum = low.wrapping_add(middle.wrapping_shl(8)).wrapping_add(high.wrapping_shl(16));
        }
    }
}

/// Adds the parts of rows up.
#[inline(always)]
fn wide(parts: &Parts, column: usize, sums: &mut [[i64; STRIP]]) {
    for (((low, middle), high), sums) in rows(parts).zip(sums) {
        let numbers = low.iter().zip(middle).zip(high);
        for (sum, ((&low, &middle), &high)) in sums[column..].iter_mut().zip(numbers) {
            *sum = i64::from(low.cast_unsigned()) + (i64::from(middle) << 8) + (i64::from(high) << 16);
        }
    }
}

type Row = [i32; PANEL];

#[inline(always)]
fn rows(parts: &Parts) -> impl Iterator<Item = ((&Row, &Row), &Row)> {
    let [low, middle, high] = parts;
    low.iter().zip(middle).zip(high)
}

/// The loops above, with the instructions of the tiers that have planes.
macro_rules! with_instructions {
    ($($(#[$doc:meta])* $visible:vis $name:ident = $plain:ident ($($argument:ident: $type:ty),*);)*) => {
        impl Isa {$(
            $(#[$doc])*
            $visible fn $name(self, $($argument: $type),*) {
                #[cfg(target_arch = "x86_64")]
                if self.tier() >= Tier::Avx512 {
                    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
                    fn vectors($($argument: $type),*) {
                        $plain($($argument),*);
                    }
                    #[allow(unsafe_code, reason = "vector instructions in plain loops")]
                    // SAFETY: the CPU has the tier.
                    return unsafe { vectors($($argument),*) };
                }
                $plain($($argument),*);
            }
        )*}
    };
}

with_instructions! {
    apart = apart(words: &[[u8; 2]], lower: &mut [u8], upper: &mut [u8]);
    /// Sums of rows from their parts, modulo `2^32`, at a column.
    pub(super) add_narrow = narrow(parts: &Parts, column: usize, sums: &mut [[i32; STRIP]]);
    /// Sums of rows from their parts, at a column.
    pub(super) add_wide = wide(parts: &Parts, column: usize, sums: &mut [[i64; STRIP]]);
}

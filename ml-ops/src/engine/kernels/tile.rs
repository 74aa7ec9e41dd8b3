//! A tile and the choice of its kernel.

use super::{GROUP, Isa, LINE, PANEL, ROWS, STRIP, portable};
#[cfg(target_arch = "x86_64")]
use crate::tier::Tier;

/// Consecutive terms of a row, and where their columns stand in a panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub(in crate::engine) struct Run {
    /// Bytes from the row's start.
    pub(in crate::engine) offset: usize,
    /// Groups of four bytes.
    pub(in crate::engine) groups: usize,
    /// First line of a panel.
    pub(in crate::engine) line: usize,
    /// Bytes of the terms: up to three less than the groups have.
    pub(in crate::engine) length: usize,
}

impl Run {
    /// The run in a packed row, which has the terms at the places of their lines.
    pub(in crate::engine) const fn packed(self) -> Self {
        Self { offset: self.line * GROUP, ..self }
    }
}

/// Sums of a tile: [`ROWS`] rows of columns.
pub(super) type Sums = [[i32; STRIP]];

/// What a kernel reads.
#[derive(Clone, Copy)]
pub(super) struct Tile<'a> {
    /// The row factor.
    pub(super) a: &'a [u8],
    /// Where rows start in `a`, at most [`ROWS`].
    pub(super) rows: &'a [usize],
    /// Distance of rows if it is the same for all.
    #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "of the matrix unit"))]
    pub(super) stride: Option<usize>,
    /// The terms. All that a run reads past a row's last term meets zeros in the columns.
    pub(super) runs: &'a [Run],
    /// The column factor: panels.
    pub(super) b: &'a [u8],
    /// Bytes of a panel.
    pub(super) panel: usize,
    /// Panels of this tile, at most four.
    pub(super) panels: usize,
}

/// Width of the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Width {
    /// Rows u8, columns i8.
    Byte,
    /// Both i16, little-endian.
    Word,
}

impl Width {
    /// Bytes of a number.
    pub(in crate::engine) const fn bytes(self) -> usize {
        match self {
            Self::Byte => 1,
            Self::Word => 2,
        }
    }
}

impl Tile<'_> {
    /// Whether all that is read lies inside the slices, if runs are read in blocks of `block` groups.
    pub(super) fn is_inside(&self, block: usize) -> bool {
        let reach = self.runs.iter().map(|run| run.offset + run.groups.next_multiple_of(block) * GROUP).max();
        let lines = self.runs.iter().map(|run| run.line + run.groups.next_multiple_of(block)).max();
        let row = self.rows.iter().max();
        let (reach, lines, row) = (reach.unwrap_or(0), lines.unwrap_or(0), row.copied().unwrap_or(0));
        let fits = row.checked_add(reach).is_some_and(|end| end <= self.a.len());
        fits && lines * LINE <= self.panel
            && self.panels * self.panel <= self.b.len()
            && self.panels * PANEL <= STRIP
            && self.rows.len() <= ROWS
    }

    /// Sums of all rows and columns: `sums[r][c] = Σ_k a[r][k] · b[c][k]`, in i32 that wraps.
    pub(super) fn sums(&self, isa: Isa, width: Width, sums: &mut Sums) {
        if sums.len() < ROWS {
            return;
        }
        #[cfg(target_arch = "x86_64")]
        {
            use super::{amx, avx2, avx512};
            let tier = isa.tier();
            if tier >= Tier::Amx && width == Width::Byte && amx::sums(self, sums) {
                return;
            }
            if tier >= Tier::Avx512 && avx512::sums(isa, self, width, sums) {
                return;
            }
            if tier >= Tier::Avx2 && avx2::sums(isa, self, width, sums) {
                return;
            }
        }
        #[cfg(target_arch = "aarch64")]
        if super::neon::sums(isa, self, width, sums) {
            return;
        }
        let _ = isa;
        portable::sums(self, width, sums);
    }
}

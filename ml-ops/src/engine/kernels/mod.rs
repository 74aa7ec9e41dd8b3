//! Sums of products of small integers in vector instructions: the only module of the crate with `unsafe`.
//!
//! A kernel computes a *tile*: up to [`ROWS`] rows by [`STRIP`] columns of i32 sums. The terms of a row are read in place
//! in groups of four bytes (four 8-bit numbers or two 16-bit ones); columns are packed beforehand, 16 to a panel, so that
//! one group of a panel is one line of 64 bytes.
//!
//! | tier | 8-bit: rows u8, columns i8 | 16-bit: both i16 |
//! |---|---|---|
//! | portable | plain Rust | plain Rust |
//! | neon | `smull`, `smlsl`, `sadalp` over bytes made signed | `smlal` |
//! | neon-dotprod | `sdot` over bytes made signed | as neon |
//! | avx2 | `vpmaddwd` over widened bytes (`vpmaddubsw` saturates) | `vpmaddwd` |
//! | avx512 | `vpdpbusd` | `vpdpwssd` |
//! | amx | `tdpbusd` for 16 rows and more, else as avx512 | the same in bytes (`planes`) for constant columns, else as avx512 |
//!
//! Products over weights with scales for blocks (`scaled`) have kernels of their own for avx512 and amx.
//!
//! Products of up to eight columns have rows in their lanes instead (`narrow`), from avx512 on.
//!
//! All are exact as long as every sum of a tile fits i32; [`super::gemm`] proves that.

mod buffer;
mod finish;
pub(super) mod history;
mod job;
mod layout;
mod narrow;
mod pack;
pub(super) mod pages;
#[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "of the matrix unit"))]
mod planes;
mod portable;
pub(super) mod scaled;
mod shared;
mod taps;
mod tile;

#[cfg(target_arch = "x86_64")]
mod amx;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;

use crate::tier::Tier;

pub(super) use buffer::Aligned;
pub(super) use finish::{Channels, Fixed, Gate, RowStage, low_half};
pub(super) use job::{Columns, Finish, Job, Piece, Terms};
pub(super) use layout::{Axis, Layout};
pub(super) use narrow::Narrow;
pub(super) use pack::{Grid, Packed};
pub(super) use taps::Taps;
pub(super) use tile::{Run, Width};

/// Columns of a panel.
pub(super) const PANEL: usize = 16;
/// Bytes of a line: a group of every column of a panel.
pub(super) const LINE: usize = 64;
/// Bytes of a group: consecutive terms of one row or column.
pub(super) const GROUP: usize = 4;
/// Columns of a tile.
pub(super) const STRIP: usize = 64;
/// Rows of a tile.
pub(super) const ROWS: usize = 32;

/// A tier that this CPU has: the kernels rely on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Isa(Tier);

impl Isa {
    /// The best tier of this CPU up to the given one.
    pub(super) fn new(tier: Tier) -> Self {
        Self(tier.usable())
    }

    /// The tier.
    pub(super) const fn tier(self) -> Tier {
        self.0
    }
}

/// Whether the CPU has the matrix unit's 8-bit product and the system lets this process use it.
#[cfg(target_arch = "x86_64")]
pub(crate) fn has_matrix_unit() -> bool {
    #[cfg(target_os = "linux")]
    return amx::is_usable();
    #[cfg(not(target_os = "linux"))]
    false
}

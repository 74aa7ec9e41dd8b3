//! Sums of a tile.

use super::{
    Columns, Finish, Job, Scratch, Strip,
    rows::{Lying, Place, words},
};
use crate::engine::kernels::{GROUP, PANEL, Packed, ROWS, Run, STRIP, tile::Tile};
#[cfg(target_arch = "x86_64")]
use crate::engine::kernels::{
    amx,
    planes::{HEIGHT, Parts, Split},
};

/// Groups below which rows are taken apart into bytes.
const FEWEST: usize = 8;
/// Rows from which on the matrix unit, which takes whole blocks, is faster with 16-bit numbers.
#[cfg(target_arch = "x86_64")]
const PLANES: usize = HEIGHT / 2;
/// Groups of a byte and a 16-bit number that i32 holds: `2 · 255 · 2^15 · 127 < 2^31`.
const HALF_GROUPS: usize = 127;

impl<F: Finish> Job<'_, F> {
    /// Sums of a tile; whether they are in i32.
    pub(super) fn sums(&self, lying: &Lying, places: &[Place], strip: Strip, scratch: &mut Scratch) -> bool {
        match self.columns {
            Columns::Packed(columns) => self.products(columns, lying, places, strip, scratch),
            Columns::Taps(taps) => {
                for (place, sums) in places.iter().zip(scratch.sums.iter_mut()) {
                    let source = self.sources.get(place.sample).copied().unwrap_or(&[]);
                    taps.sums(self.isa, source, place.a, strip.column, sums);
                }
                true
            }
        }
    }

    /// Sums of a tile of packed columns; whether they are in i32.
    fn products(
        &self,
        columns: &[&Packed],
        lying: &Lying,
        places: &[Place],
        strip: Strip,
        scratch: &mut Scratch,
    ) -> bool {
        let sample = places.first().map_or(0, |place| place.sample);
        let Some(columns) = columns.get(sample).or_else(|| columns.first()) else { return true };
        let groups = self.groups(lying.magnitudes, columns);
        #[cfg(target_arch = "x86_64")]
        if self.by_planes(columns, lying.number, places, (strip, groups == usize::MAX), scratch) {
            return groups == usize::MAX;
        }
        let a = match self.sources.get(lying.sample) {
            Some(source) if !lying.packed => source,
            _ => &*scratch.packed,
        };
        let tile = |runs| Tile {
            a,
            rows: &lying.rows[..places.len()],
            stride: lying.stride,
            runs,
            b: columns.panels(strip.block, strip.column / PANEL),
            panel: columns.panel(),
            panels: strip.count.div_ceil(PANEL),
        };
        let runs = if lying.packed { &self.terms.packed_runs } else { &self.terms.runs };
        if groups == usize::MAX {
            tile(runs).sums(self.isa, self.terms.width, &mut scratch.sums);
            return true;
        }
        scratch.wide.resize(ROWS, [0; STRIP]);
        scratch.wide[..places.len()].fill([0; STRIP]);
        if groups < FEWEST {
            let halves = scratch.halves.entry(lying.number, || Halves::new(a, &lying.rows[..places.len()], runs));
            let count = places.len();
            for part in &halves.parts {
                // Both halves of a row meet each column at once, where a tile has room for them.
                for rows in halves.rows.chunks(if 2 * count <= ROWS { 2 * count } else { count }) {
                    let tile = Tile { a: &halves.bytes, rows, runs: part, stride: None, ..tile(&[]) };
                    tile.sums(self.isa, self.terms.width, &mut scratch.sums);
                    let shifts = if rows.first() == halves.rows.first() { [8, 0] } else { [0, 0] };
                    for (sums, shift) in scratch.sums[..rows.len()].chunks(count).zip(shifts) {
                        for (wide, sums) in scratch.wide.iter_mut().zip(sums) {
                            wide.iter_mut().zip(sums).for_each(|(wide, &sum)| *wide += i64::from(sum) << shift);
                        }
                    }
                }
            }
            return false;
        }
        let parts = chunks(runs, groups);
        for part in &parts {
            tile(part).sums(self.isa, self.terms.width, &mut scratch.sums);
            for (wide, sums) in scratch.wide.iter_mut().zip(scratch.sums.iter()).take(places.len()) {
                wide.iter_mut().zip(sums).for_each(|(wide, &sum)| *wide += i64::from(sum));
            }
        }
        false
    }

    /// Sums of a tile of 16-bit numbers in the matrix unit, in i32 if that holds them; `false` if it is not for that.
    #[cfg(target_arch = "x86_64")]
    fn by_planes(
        &self,
        columns: &Packed,
        tile: usize,
        places: &[Place],
        (strip, is_narrow): (Strip, bool),
        scratch: &mut Scratch,
    ) -> bool {
        let Some(planes) = columns.planes.as_ref().filter(|_| places.len() >= PLANES) else { return false };
        let split = scratch.splits.entry(tile, || {
            let mut split = Split::default();
            split.fill(self.isa, places.iter().map(|place| self.stretches(place)), planes.terms());
            split
        });
        scratch.wide.resize(ROWS, [0; STRIP]);
        let mut parts: Parts = [[[0; PANEL]; HEIGHT]; 3];
        for block in 0..split.blocks() {
            for (number, column) in (0..strip.count).step_by(PANEL).enumerate() {
                let panel = planes.panel(strip.block, strip.column / PANEL + number);
                let Some((rows, panel)) = split.block(block).zip(panel) else { return false };
                if !amx::parts(rows, panel, planes.terms(), &mut parts) {
                    return false;
                }
                let rows = block * HEIGHT..places.len().min((block + 1) * HEIGHT);
                if is_narrow {
                    self.isa.add_narrow(&parts, column, &mut scratch.sums[rows]);
                } else {
                    self.isa.add_wide(&parts, column, &mut scratch.wide[rows]);
                }
            }
        }
        true
    }

    /// How many groups of terms are summed in i32: all, or as the magnitudes of rows and columns allow.
    fn groups(&self, (largest, heaviest): (u64, u64), columns: &Packed) -> usize {
        let limit = u64::from(i32::MAX.unsigned_abs());
        let fits = |a: u64, b: u64| a.checked_mul(b).is_some_and(|product| product <= limit);
        if self.terms.bounded || fits(heaviest, columns.largest) || fits(largest, columns.heaviest) {
            return usize::MAX;
        }
        let pair = largest.saturating_mul(columns.largest).saturating_mul(2);
        usize::try_from(limit / pair.max(1)).unwrap_or(usize::MAX)
    }
}

/// The upper and the lower bytes of 16-bit rows, `word = upper · 256 + lower`, as packed rows of 16-bit numbers.
#[derive(Debug)]
pub(super) struct Halves {
    bytes: Vec<u8>,
    /// Where the upper halves of the rows start, then the lower ones.
    rows: Vec<usize>,
    /// The runs, in parts whose sums i32 holds.
    parts: Vec<Vec<Run>>,
}

impl Halves {
    fn new(a: &[u8], rows: &[usize], runs: &[Run]) -> Self {
        let pitch = runs.iter().map(|run| (run.line + run.groups) * GROUP).max().unwrap_or(0);
        let mut bytes = vec![0; 2 * rows.len() * pitch];
        let (upper, lower) = bytes.split_at_mut(rows.len() * pitch);
        for (number, &row) in rows.iter().enumerate() {
            for run in runs {
                let from = a.get(row + run.offset..row + run.offset + run.groups * GROUP).unwrap_or(&[]);
                let to = number * pitch + run.line * GROUP..number * pitch + (run.line + run.groups) * GROUP;
                let halves = upper[to.clone()].as_chunks_mut().0.iter_mut().zip(lower[to].as_chunks_mut().0);
                for (word, (upper, lower)) in words(from).zip(halves) {
                    (*upper, *lower) = ((word >> 8).to_le_bytes(), (word & 255).to_le_bytes());
                }
            }
        }
        let packed: Vec<Run> = runs.iter().map(|run| run.packed()).collect();
        let rows = (0..2 * rows.len()).map(|row| row * pitch).collect();
        Self { bytes, rows, parts: chunks(&packed, HALF_GROUPS) }
    }
}

/// What is made of the rows of each tile of an item: all of its strips have the same rows.
#[derive(Debug)]
pub(super) struct Tiles<T>(Vec<Option<T>>);

impl<T> Default for Tiles<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Tiles<T> {
    /// Forgets the rows of the item before.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    fn entry(&mut self, tile: usize, make: impl FnOnce() -> T) -> &T {
        if self.0.len() <= tile {
            self.0.resize_with(tile + 1, || None);
        }
        self.0[tile].get_or_insert_with(make)
    }
}

/// Runs cut into parts of so many groups.
fn chunks(runs: &[Run], groups: usize) -> Vec<Vec<Run>> {
    let mut chunks: Vec<Vec<Run>> = Vec::new();
    let mut room = 0;
    for &run in runs {
        let mut done = 0;
        while done < run.groups {
            if room == 0 {
                chunks.push(Vec::new());
                room = groups;
            }
            let take = room.min(run.groups - done);
            let (offset, line) = (run.offset + done * GROUP, run.line + done);
            let length = run.length.saturating_sub(done * GROUP).min(take * GROUP);
            if let Some(chunk) = chunks.last_mut() {
                chunk.push(Run { offset, groups: take, line, length });
            }
            done += take;
            room -= take;
        }
    }
    chunks
}

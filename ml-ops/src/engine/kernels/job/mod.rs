//! A whole product: tiles over blocks, rows and columns, on any number of threads.
//!
//! `rows` finds and copies the row factor, `products` sums, `ends` stores. `narrow` does all that for few columns.

mod ends;
mod narrow;
mod products;
mod rows;

use std::cell::Cell;

use opml_vm::DType;
use rayon::prelude::*;

use super::{
    Aligned, Fixed, Isa, Layout, Narrow, Packed, ROWS, Run, STRIP, Taps, planes::Split, shared::Outputs, tile::Width,
};
use crate::tier::Tier;
use ends::Staged;
use products::{Halves, Tiles};
use rows::{Lying, PIECE, Place};

/// Rows that are packed at a time.
const BATCH: usize = 4 * ROWS;
/// Nanoseconds of work below which a second thread does not pay.
const PARALLEL: usize = 8_000;

/// A piece of a row that is put together from scattered terms, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) struct Piece {
    /// From the start of the packed row.
    pub(in crate::engine) to: usize,
    /// From the start of the row in the source.
    pub(in crate::engine) from: usize,
    /// Length.
    pub(in crate::engine) length: usize,
}

/// How the row factor's terms lie.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Terms {
    /// Width of both factors.
    pub(in crate::engine) width: Width,
    /// Bytes before the first row.
    pub(in crate::engine) base: isize,
    /// Runs of consecutive terms, at their place in the source, or, with `pieces`, in the packed row.
    pub(in crate::engine) runs: Vec<Run>,
    /// The runs in packed rows.
    pub(in crate::engine) packed_runs: Vec<Run>,
    /// Lines of a panel.
    pub(in crate::engine) lines: usize,
    /// If the runs are too short: how a row is put together.
    pub(in crate::engine) pieces: Option<Vec<Piece>>,
    /// Whether i32 holds all sums. If not, the numbers of rows and columns tell how many terms it holds.
    pub(in crate::engine) bounded: bool,
    /// Factor of a row's total in all of its sums: what was taken from the column factor.
    pub(in crate::engine) row_factor: i64,
}

/// What becomes of the sums.
pub(in crate::engine) trait Finish: Sync {
    /// What a thread keeps between rows.
    type State;
    /// For a stretch of work.
    fn state(&self) -> Self::State;
    /// If a sample's sums only go through fixed-point arithmetic.
    fn fixed(&self, sample: usize) -> Option<&Fixed>;
    /// If more follows the fixed-point arithmetic: the type of its numbers.
    fn tail(&self) -> Option<DType>;
    /// Stores consecutive elements of a sample, from number `first` on, from the numbers that fixed-point arithmetic made of
    /// their sums.
    fn go_on(&self, state: &mut Self::State, sample: usize, first: usize, numbers: &[i32], out: &mut [u8]);
    /// The scale of the row of a sample that starts at an element, if rows have scales.
    fn scale(&self, sample: usize, element: usize) -> i32;
    /// Stores consecutive elements of a sample, from number `first` on, from sums less their columns' share. They are rows
    /// of columns: the first of these, counted with the padding of the blocks before, and their number.
    fn values(
        &self,
        state: &mut Self::State,
        sample: usize,
        first: usize,
        columns: (usize, usize),
        sums: &mut [i64],
        out: &mut [u8],
    );
}

/// What rows are multiplied with.
#[derive(Clone, Copy)]
pub(in crate::engine) enum Columns<'a> {
    /// Columns of each sample, or one set for all.
    Packed(&'a [&'a Packed]),
    /// Weights that each channel has for itself.
    Taps(&'a Taps),
}

/// A product for one or more samples.
pub(in crate::engine) struct Job<'a, F> {
    /// Instructions to use.
    pub(in crate::engine) isa: Isa,
    /// Where rows and blocks are.
    pub(in crate::engine) layout: &'a Layout,
    /// The row factor's terms.
    pub(in crate::engine) terms: &'a Terms,
    /// The row factor of each sample.
    pub(in crate::engine) sources: &'a [&'a [u8]],
    /// The column factor.
    pub(in crate::engine) columns: Columns<'a>,
    /// The column factor for rows in lanes, if there are few columns.
    pub(in crate::engine) narrow: Option<&'a Narrow>,
    /// Bytes of an output element.
    pub(in crate::engine) size: usize,
    /// What becomes of the sums.
    pub(in crate::engine) finish: &'a F,
}

/// Work of one thread: rows (of all samples) by columns of a block.
#[derive(Clone, Copy)]
struct Item {
    block: usize,
    /// How many blocks, from that one on.
    blocks: usize,
    rows: (usize, usize),
    columns: (usize, usize),
}

/// What a thread works in.
#[derive(Default)]
struct Scratch {
    places: Vec<Place>,
    totals: Vec<i64>,
    scales: Vec<i32>,
    packed: Aligned,
    sums: Vec<[i32; STRIP]>,
    wide: Vec<[i64; STRIP]>,
    values: Vec<i64>,
    staged: Staged,
    halves: Tiles<Halves>,
    splits: Tiles<Split>,
}

thread_local! {
    /// Of the last job on this thread.
    static SCRATCH: Cell<Option<Box<Scratch>>> = const { Cell::new(None) };
}

impl<F: Finish> Job<'_, F> {
    /// The output of each sample, in so many buffers of the length asked for; all of their bytes are written.
    pub(in crate::engine) fn run(&self, buffers: impl Fn(usize, usize) -> Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        let mut buffers = buffers(self.sources.len(), self.layout.elements() * self.size);
        let outputs = Outputs::new(&mut buffers);
        let threads = if self.nanoseconds() < PARALLEL { 1 } else { rayon::current_num_threads() };
        if self.narrow(threads, &outputs) {
            drop(outputs);
            return buffers;
        }
        let items = self.items(threads);
        let work = |&item: &Item| {
            let mut scratch = SCRATCH.take().unwrap_or_default();
            scratch.sums.resize(ROWS, [0; STRIP]);
            self.item(item, &outputs, &mut scratch);
            SCRATCH.set(Some(scratch));
        };
        if threads == 1 {
            items.iter().for_each(work)
        } else {
            items.par_iter().for_each(work)
        }
        drop(outputs);
        buffers
    }

    /// A rough measure of the work.
    fn nanoseconds(&self) -> usize {
        let rows = self.layout.rows() * self.sources.len();
        if let Some(narrow) = self.narrow {
            return rows * (narrow.products() / 80 + 2);
        }
        // Every element is stored, and every row looked for.
        let ends = rows * self.layout.blocks() * (self.layout.columns() / 3 + 8);
        if let Columns::Taps(taps) = self.columns {
            let products = rows * self.layout.columns() * taps.count();
            return ends + products / if self.isa.tier() >= Tier::Avx512 { 50 } else { 5 };
        }
        let groups = rows * self.layout.blocks() * self.layout.columns() * self.terms.lines;
        // Groups that a core multiplies in a nanosecond.
        let rate = match (self.isa.tier(), rows, self.terms.width) {
            (Tier::Portable, ..) => 1,
            (Tier::Neon, ..) => 4,
            (Tier::Avx2, ..) => 8,
            (_, ..4, _) => 16,
            (Tier::Amx, 16.., Width::Byte) => 150,
            (Tier::Amx, 16.., Width::Word) => 90,
            _ => 30,
        };
        ends + groups / rate
    }

    /// Parts of the work: disjoint in rows or columns of a block.
    fn items(&self, threads: usize) -> Vec<Item> {
        let (rows, columns) = (self.layout.rows() * self.sources.len(), self.layout.columns());
        let wanted = if threads == 1 { 1 } else { threads * 3 };
        let blocks = self.layout.blocks();
        // What follows the fixed-point arithmetic wants long stretches, if all threads get some.
        let long = threads == 1 || rows >= threads * ROWS;
        let together = if self.finish.tail().is_some() && self.layout.is_interleaved() && long { blocks } else { 1 };
        let per_block = wanted.div_ceil((blocks / together).max(1));
        let height = rows.div_ceil(per_block).next_multiple_of(ROWS).min(BATCH);
        let heights = rows.div_ceil(height.max(1));
        let parts = if together > 1 { 1 } else { per_block.div_ceil(heights.max(1)) };
        let width = columns.div_ceil(parts).next_multiple_of(STRIP);
        let mut items = Vec::new();
        for block in (0..blocks).step_by(together) {
            for row in (0..rows).step_by(height.max(1)) {
                for column in (0..columns).step_by(width.max(1)) {
                    let (row_end, column_end) = ((row + height).min(rows), (column + width).min(columns));
                    let (rows, columns) = ((row, row_end), (column, column_end));
                    items.push(Item { block, blocks: together, rows, columns });
                }
            }
        }
        items
    }

    fn item(&self, item: Item, outputs: &Outputs<'_>, scratch: &mut Scratch) {
        #[cfg(target_arch = "x86_64")]
        let _session = (self.isa.tier() >= Tier::Amx).then(super::amx::Session::new);
        let mut staged = std::mem::take(&mut scratch.staged);
        let mut state = self.finish.state();
        if let Some(dtype) = self.finish.tail() {
            staged.start(dtype, item);
        }
        for block in item.block..item.block + item.blocks {
            self.block(Item { block, ..item }, (outputs, &mut staged), scratch, &mut state);
            staged.next_block();
        }
        if self.finish.tail().is_some() {
            let mut places = std::mem::take(&mut scratch.places);
            self.places(item, &mut places);
            self.rest(&places, item, &mut staged, outputs, &mut state);
            scratch.places = places;
        }
        scratch.staged = staged;
    }

    /// The part of an item that is in one block.
    fn block(
        &self,
        item: Item,
        (outputs, staged): (&Outputs<'_>, &mut Staged),
        scratch: &mut Scratch,
        state: &mut F::State,
    ) {
        let mut places = std::mem::take(&mut scratch.places);
        self.places(item, &mut places);
        let mut tiles = [Lying::default(); BATCH / ROWS];
        let pitch = self.pitch();
        let whole = places.len().next_multiple_of(ROWS) * pitch;
        let packs = matches!(self.columns, Columns::Packed(_));
        for (number, (places, tile)) in places.chunks(ROWS).zip(&mut tiles).enumerate().filter(|_| packs) {
            let start = number * ROWS * pitch;
            *tile = Lying { number, ..self.lie(places, start, pitch) };
            if !self.terms.bounded {
                tile.magnitudes = self.magnitudes(places);
            }
            if tile.packed {
                scratch.packed.reserve(whole + PIECE);
                self.pack(places, pitch, &mut scratch.packed[start..]);
            }
        }
        scratch.halves.clear();
        scratch.splits.clear();
        let mut totals = std::mem::take(&mut scratch.totals);
        totals.clear();
        totals.extend(places.iter().map(|place| self.total(place)));
        let sample = places.first().map_or(0, |place| place.sample);
        if let Some(fixed) = self.finish.fixed(sample) {
            let mut scales = std::mem::take(&mut scratch.scales);
            scales.clear();
            let scale = |place: &Place| self.finish.scale(place.sample, place.out);
            scales.extend(places.iter().filter(|_| fixed.rows.is_some()).map(scale));
            let tail = self.finish.tail();
            for column in (item.columns.0..item.columns.1).step_by(STRIP) {
                let count = STRIP.min(item.columns.1 - column);
                let strip = Strip { block: item.block, column, count };
                for (number, places) in places.chunks(ROWS).enumerate() {
                    let totals = &totals[number * ROWS..][..places.len()];
                    let scales = scales.get(number * ROWS..).unwrap_or(&[]);
                    let mut out = match tail {
                        Some(_) => staged.parts(number * ROWS, places.len(), strip),
                        None => self.parts(places, strip, outputs),
                    };
                    self.fixed((&tiles[number], places), (totals, scales), strip, scratch, &mut out);
                }
            }
            scratch.scales = scales;
        } else {
            for (number, places) in places.chunks(ROWS).enumerate() {
                let totals = &totals[number * ROWS..][..places.len()];
                self.general((&tiles[number], places, totals), item, scratch, outputs, state);
            }
        }
        (scratch.places, scratch.totals) = (places, totals);
    }
}

/// Columns of a tile.
#[derive(Clone, Copy)]
struct Strip {
    block: usize,
    column: usize,
    count: usize,
}

//! A whole product: tiles over blocks, rows and columns, on any number of threads.

use std::cell::Cell;

use rayon::prelude::*;

use super::{
    Aligned, Fixed, GROUP, Isa, LINE, Layout, PANEL, Packed, ROWS, Run, STRIP, Taps,
    finish::Rows,
    portable,
    shared::Outputs,
    tile::{Tile, Width},
};
use crate::tier::Tier;

/// Rows that are packed at a time.
const BATCH: usize = 4 * ROWS;
/// Nanoseconds of work below which a second thread does not pay.
const PARALLEL: usize = 30_000;
/// Groups below which sums are made in i64 at once.
const FEWEST: usize = 8;
/// Bytes that are copied at once when rows are put together from short pieces.
const PIECE: usize = 16;

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
    /// Stores consecutive elements of a sample, from number `first` on, from sums less their columns' share. `column` is
    /// the first one's, counted with the padding of the blocks before.
    fn values(
        &self,
        state: &mut Self::State,
        sample: usize,
        first: usize,
        column: usize,
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
    /// Bytes of an output element.
    pub(in crate::engine) size: usize,
    /// What becomes of the sums.
    pub(in crate::engine) finish: &'a F,
}

/// Work of one thread: rows (of all samples) by columns of a block.
#[derive(Clone, Copy)]
struct Item {
    block: usize,
    rows: (usize, usize),
    columns: (usize, usize),
}

/// A row: sample, start in its source, first element.
#[derive(Clone, Copy, Default)]
struct Place {
    sample: usize,
    a: usize,
    out: usize,
}

/// What a thread works in.
#[derive(Default)]
struct Scratch {
    places: Vec<Place>,
    totals: Vec<i64>,
    packed: Aligned,
    sums: Vec<[i32; STRIP]>,
    wide: Vec<[i64; STRIP]>,
}

thread_local! {
    /// Of the last job on this thread.
    static SCRATCH: Cell<Option<Box<Scratch>>> = const { Cell::new(None) };
}

impl<F: Finish> Job<'_, F> {
    /// The output of each sample, in buffers of the length asked for; all of their bytes are written.
    pub(in crate::engine) fn run(&self, buffer: impl Fn(usize) -> Vec<u8>) -> Vec<Vec<u8>> {
        let bytes = self.layout.elements() * self.size;
        let mut buffers: Vec<Vec<u8>> = self.sources.iter().map(|_| buffer(bytes)).collect();
        let outputs = Outputs::new(&mut buffers);
        let threads = if self.nanoseconds() < PARALLEL { 1 } else { rayon::current_num_threads() };
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
        if let Columns::Taps(taps) = self.columns {
            let products = rows * self.layout.columns() * taps.count();
            return products / if self.isa.tier() >= Tier::Avx512 { 30 } else { 5 };
        }
        let groups = rows * self.layout.blocks() * self.layout.columns() * self.terms.lines;
        // Groups that a core multiplies in a nanosecond.
        let rate = match (self.isa.tier(), rows, self.terms.width) {
            (Tier::Portable, ..) => 1,
            (Tier::Avx2, ..) => 8,
            (_, ..4, _) => 6,
            (Tier::Amx, 16.., Width::Byte) => 150,
            _ => 30,
        };
        groups / rate
    }

    /// Parts of the work: disjoint in rows or columns of a block.
    fn items(&self, threads: usize) -> Vec<Item> {
        let (rows, columns) = (self.layout.rows() * self.sources.len(), self.layout.columns());
        let wanted = if threads == 1 { 1 } else { threads * 3 };
        let blocks = self.layout.blocks();
        let per_block = wanted.div_ceil(blocks.max(1));
        let height = rows.div_ceil(per_block).next_multiple_of(ROWS).min(BATCH);
        let heights = rows.div_ceil(height.max(1));
        let width = columns.div_ceil(per_block.div_ceil(heights.max(1))).next_multiple_of(STRIP);
        let mut items = Vec::new();
        for block in 0..blocks {
            for row in (0..rows).step_by(height.max(1)) {
                for column in (0..columns).step_by(width.max(1)) {
                    let (row_end, column_end) = ((row + height).min(rows), (column + width).min(columns));
                    items.push(Item { block, rows: (row, row_end), columns: (column, column_end) });
                }
            }
        }
        items
    }

    fn item(&self, item: Item, outputs: &Outputs<'_>, scratch: &mut Scratch) {
        #[cfg(target_arch = "x86_64")]
        let _session = (self.isa.tier() >= Tier::Amx).then(super::amx::Session::new);
        let mut places = std::mem::take(&mut scratch.places);
        self.places(item, &mut places);
        let mut tiles = [Lying::default(); BATCH / ROWS];
        let pitch = self.pitch();
        let whole = places.len().next_multiple_of(ROWS) * pitch;
        let packs = matches!(self.columns, Columns::Packed(_));
        for (number, (places, tile)) in places.chunks(ROWS).zip(&mut tiles).enumerate().filter(|_| packs) {
            let start = number * ROWS * pitch;
            *tile = self.lie(places, start, pitch);
            if tile.packed {
                scratch.packed.reserve(whole + PIECE);
                self.pack(places, pitch, &mut scratch.packed[start..]);
            }
        }
        let mut totals = std::mem::take(&mut scratch.totals);
        totals.clear();
        totals.extend(places.iter().map(|place| self.total(place)));
        let mut state = self.finish.state();
        for column in (item.columns.0..item.columns.1).step_by(STRIP) {
            let count = STRIP.min(item.columns.1 - column);
            for (number, places) in places.chunks(ROWS).enumerate() {
                let totals = &totals[number * ROWS..][..places.len()];
                let strip = Strip { block: item.block, column, count };
                self.tile(&tiles[number], places, totals, strip, scratch, outputs, &mut state);
            }
        }
        (scratch.places, scratch.totals) = (places, totals);
    }

    /// Rows of an item.
    fn places(&self, item: Item, places: &mut Vec<Place>) {
        let rows = self.layout.rows();
        let (block_a, block_out) = self.layout.block(item.block);
        let base = self.terms.base + block_a;
        places.clear();
        let mut number = item.rows.0;
        while number < item.rows.1 {
            let (sample, first) = (number / rows, number % rows);
            let count = (rows - first).min(item.rows.1 - number);
            self.layout.walk(first, count, |a, out| {
                let a = usize::try_from(base + a).unwrap_or(0);
                places.push(Place { sample, a, out: block_out + out });
            });
            number += count;
        }
    }

    /// Bytes between packed rows: not a multiple of the distance at which cache lines displace each other.
    fn pitch(&self) -> usize {
        let bytes = (self.terms.lines * GROUP).next_multiple_of(LINE);
        if bytes.is_multiple_of(512) { bytes + LINE } else { bytes }
    }

    /// Whether the rows of a tile are read where they are or copied.
    fn lie(&self, places: &[Place], start: usize, pitch: usize) -> Lying {
        let mut lying = Lying { packed: true, ..Lying::default() };
        let sample = places.first().map_or(0, |place| place.sample);
        let source = self.sources.get(sample).map_or(0, |source| source.len());
        let matrix = self.isa.tier() >= Tier::Amx && self.terms.width == Width::Byte && places.len() >= 16;
        let block = if matrix { 16 } else { 1 };
        let reach = self.terms.runs.iter().map(|run| run.offset + run.groups.next_multiple_of(block) * GROUP).max();
        let reach = reach.unwrap_or(0);
        let inside = places.iter().all(|place| place.sample == sample && place.a + reach <= source);
        let (first, second) = (places.first().map_or(0, |place| place.a), places.get(1).map_or(0, |place| place.a));
        let stride = second.checked_sub(first);
        let even = stride.is_some_and(|stride| {
            stride % 512 != 0 && (first..).step_by(stride.max(1)).zip(places).all(|(a, place)| place.a == a)
        });
        if self.terms.pieces.is_none() && inside && (even || !matrix) {
            lying = Lying { packed: false, sample, stride: stride.filter(|_| even), ..lying };
        } else {
            lying.stride = Some(pitch);
        }
        for (number, (row, place)) in lying.rows.iter_mut().zip(places).enumerate() {
            *row = if lying.packed { start + number * pitch } else { place.a };
        }
        lying
    }

    /// Copies the rows of a tile.
    fn pack(&self, places: &[Place], pitch: usize, out: &mut [u8]) {
        for (number, place) in places.iter().enumerate() {
            let source = self.sources.get(place.sample).and_then(|source| source.get(place.a..)).unwrap_or(&[]);
            let out = &mut out[number * pitch..];
            match &self.terms.pieces {
                Some(pieces) => {
                    for &piece in pieces {
                        copy(source, piece, out);
                    }
                }
                None => {
                    for run in &self.terms.runs {
                        let piece = Piece { to: run.line * GROUP, from: run.offset, length: run.length };
                        copy(source, piece, out);
                    }
                }
            }
        }
    }

    /// The bytes of a row's terms, run by run.
    fn stretches(&self, place: &Place) -> impl Iterator<Item = &[u8]> {
        let source = self.sources.get(place.sample).and_then(|source| source.get(place.a..)).unwrap_or(&[]);
        let piece = |piece: &Piece| (piece.from, piece.length);
        let run = |run: &Run| (run.offset, run.length);
        let (pieces, runs) = match &self.terms.pieces {
            Some(pieces) => (pieces.as_slice(), &[][..]),
            None => (&[][..], self.terms.runs.as_slice()),
        };
        let stretches = pieces.iter().map(piece).chain(runs.iter().map(run));
        stretches.map(move |(from, length)| source.get(from..from + length).unwrap_or(&[]))
    }

    /// The sum of a row's terms times their factor.
    fn total(&self, place: &Place) -> i64 {
        if self.terms.row_factor == 0 {
            return 0;
        }
        let sum = |bytes: &[u8]| -> i64 {
            match self.terms.width {
                Width::Byte => i64::from(bytes.iter().map(|&byte| u32::from(byte)).fold(0, u32::wrapping_add)),
                Width::Word => words(bytes).map(i64::from).sum(),
            }
        };
        self.stretches(place).map(sum).sum::<i64>() * self.terms.row_factor
    }

    /// How many groups of terms are summed in i32: all, or as the magnitudes of these rows and columns allow.
    fn groups(&self, places: &[Place], columns: &Packed) -> usize {
        if self.terms.bounded {
            return usize::MAX;
        }
        let (mut largest, mut heaviest) = (0, 0);
        for place in places {
            let mut weight = 0;
            for magnitude in self.stretches(place).flat_map(words).map(|word| u64::from(word.unsigned_abs())) {
                largest = largest.max(magnitude);
                weight += magnitude;
            }
            heaviest = heaviest.max(weight);
        }
        let limit = u64::from(i32::MAX.unsigned_abs());
        let fits = |a: u64, b: u64| a.checked_mul(b).is_some_and(|product| product <= limit);
        if fits(heaviest, columns.largest) || fits(largest, columns.heaviest) {
            return usize::MAX;
        }
        let pair = largest.saturating_mul(columns.largest).saturating_mul(2);
        usize::try_from(limit / pair.max(1)).unwrap_or(usize::MAX)
    }

    #[expect(clippy::too_many_arguments, reason = "the state of a thread in its parts")]
    fn tile(
        &self,
        lying: &Lying,
        places: &[Place],
        totals: &[i64],
        strip: Strip,
        scratch: &mut Scratch,
        outputs: &Outputs<'_>,
        state: &mut F::State,
    ) {
        let padded = self.layout.columns().next_multiple_of(STRIP);
        let column = strip.block * padded + strip.column;
        let narrow = match self.columns {
            Columns::Packed(columns) => self.products(columns, lying, places, strip, scratch),
            Columns::Taps(taps) => {
                for (place, sums) in places.iter().zip(scratch.sums.iter_mut()) {
                    let source = self.sources.get(place.sample).copied().unwrap_or(&[]);
                    taps.sums(self.isa, source, place.a, strip.column, sums);
                }
                true
            }
        };
        let mut out: [&mut [u8]; ROWS] = Default::default();
        for (out, place) in out.iter_mut().zip(places) {
            let first = place.out + strip.column;
            // SAFETY: items are disjoint in rows or columns, the rows of a tile are too, and no two of the layout's
            // elements stand at one place.
            #[allow(unsafe_code, reason = "rows of a tile are disjoint parts of the output")]
            let part = unsafe { outputs.part(place.sample, first * self.size, strip.count * self.size) };
            *out = part;
        }
        let mut done = 0;
        while let Some(place) = places.get(done) {
            // Rows of one sample together.
            let sample = place.sample;
            let count = places[done..].iter().take_while(|place| place.sample == sample).count();
            let range = done..done + count;
            let out = &mut out[range.clone()];
            done += count;
            let Some(fixed) = self.finish.fixed(sample) else {
                for ((number, place), out) in range.clone().zip(&places[range]).zip(out) {
                    let mut sums = if narrow { scratch.sums[number].map(i64::from) } else { scratch.wide[number] };
                    sums.iter_mut().for_each(|sum| *sum += totals[number]);
                    let first = place.out + strip.column;
                    self.finish.values(state, sample, first, column, &mut sums[..strip.count], out);
                }
                continue;
            };
            let mut rows = Rows { totals: &totals[range.clone()], first: column, out };
            if narrow {
                fixed.narrow(self.isa, &scratch.sums[range], &mut rows);
            } else {
                fixed.wide(self.isa, &scratch.wide[range], &mut rows);
            }
        }
    }

    /// Sums of a tile; whether they are in i32.
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
        let groups = self.groups(places, columns);
        if groups == usize::MAX {
            tile(runs).sums(self.isa, self.terms.width, &mut scratch.sums);
            return true;
        }
        scratch.wide.clear();
        scratch.wide.resize(ROWS, [0; STRIP]);
        if groups < FEWEST {
            portable::wide(&tile(runs), &mut scratch.wide);
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
}

fn words(bytes: &[u8]) -> impl Iterator<Item = i16> {
    bytes.as_chunks().0.iter().map(|&pair| i16::from_le_bytes(pair))
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

/// Columns of a tile.
#[derive(Clone, Copy)]
struct Strip {
    block: usize,
    column: usize,
    count: usize,
}

/// Where the rows of a tile are read.
#[derive(Clone, Copy, Default)]
struct Lying {
    packed: bool,
    sample: usize,
    rows: [usize; ROWS],
    stride: Option<usize>,
}

/// Copies a piece of a row. Short ones are copied with what follows, where there is room: the next piece covers it, and
/// what is left past the last one meets zeros.
fn copy(source: &[u8], piece: Piece, out: &mut [u8]) {
    if piece.length <= PIECE
        && let Some(from) = source.get(piece.from..).and_then(<[u8]>::first_chunk::<PIECE>)
        && let Some(to) = out.get_mut(piece.to..).and_then(<[u8]>::first_chunk_mut::<PIECE>)
    {
        *to = *from;
        return;
    }
    let from = source.get(piece.from..piece.from + piece.length);
    if let (Some(from), Some(to)) = (from, out.get_mut(piece.to..piece.to + piece.length)) {
        to.copy_from_slice(from);
    }
}

//! The rows of a tile: where they are read, copies of those that kernels cannot read in place, and what is known of them.

use super::{Finish, Item, Job, Piece};
use crate::{
    engine::kernels::{GROUP, LINE, ROWS, Run, tile::Width},
    tier::Tier,
};

/// Bytes that are copied at once when rows are put together from short pieces.
pub(super) const PIECE: usize = 16;

/// A row: sample, start in its source, first element.
#[derive(Clone, Copy, Default)]
pub(super) struct Place {
    pub(super) sample: usize,
    pub(super) a: usize,
    pub(super) out: usize,
}

/// Where the rows of a tile are read.
#[derive(Clone, Copy, Default)]
pub(super) struct Lying {
    /// Number of the tile in its item.
    pub(super) number: usize,
    pub(super) packed: bool,
    pub(super) sample: usize,
    pub(super) rows: [usize; ROWS],
    pub(super) stride: Option<usize>,
    /// See [`Job::magnitudes`]; only if sums are not bounded without.
    pub(super) magnitudes: (u64, u64),
}

impl<F: Finish> Job<'_, F> {
    /// Rows of an item.
    pub(super) fn places(&self, item: Item, places: &mut Vec<Place>) {
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
    pub(super) fn pitch(&self) -> usize {
        let bytes = (self.terms.lines * GROUP).next_multiple_of(LINE);
        if bytes.is_multiple_of(512) { bytes + LINE } else { bytes }
    }

    /// Whether the rows of a tile are read where they are or copied.
    pub(super) fn lie(&self, places: &[Place], start: usize, pitch: usize) -> Lying {
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
            !stride.is_multiple_of(512) && (first..).step_by(stride.max(1)).zip(places).all(|(a, place)| place.a == a)
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
    pub(super) fn pack(&self, places: &[Place], pitch: usize, out: &mut [u8]) {
        let short = self.terms.pieces.as_deref().and_then(Short::new);
        for (number, place) in places.iter().enumerate() {
            let source = self.sources.get(place.sample).and_then(|source| source.get(place.a..)).unwrap_or(&[]);
            let out = &mut out[number * pitch..];
            if short.as_ref().is_some_and(|short| short.copy(source, out)) {
                continue;
            }
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
    pub(super) fn stretches(&self, place: &Place) -> impl Iterator<Item = &[u8]> {
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
    pub(super) fn total(&self, place: &Place) -> i64 {
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

    /// Greatest magnitude of a term of rows, and greatest sum of the magnitudes of a row.
    pub(super) fn magnitudes(&self, places: &[Place]) -> (u64, u64) {
        let (mut largest, mut heaviest) = (0, 0);
        for place in places {
            let mut weight = 0;
            for stretch in self.stretches(place).flat_map(|bytes| bytes.chunks(1 << 16)) {
                let magnitudes = || words(stretch).map(|word| u32::from(word.unsigned_abs()));
                largest = largest.max(magnitudes().max().unwrap_or(0));
                // 2^15 magnitudes of at most 2^15.
                weight += u64::from(magnitudes().sum::<u32>());
            }
            heaviest = heaviest.max(weight);
        }
        (u64::from(largest), heaviest)
    }
}

pub(super) fn words(bytes: &[u8]) -> impl Iterator<Item = i16> {
    bytes.as_chunks().0.iter().map(|&pair| i16::from_le_bytes(pair))
}

/// Pieces all of which are short.
struct Short<'a> {
    pieces: &'a [Piece],
    /// Bytes of the source, and of the row, that copies of them need.
    reach: (usize, usize),
}

impl<'a> Short<'a> {
    fn new(pieces: &'a [Piece]) -> Option<Self> {
        let most = |end: fn(&Piece) -> usize| pieces.iter().map(end).max();
        let reach = (most(|piece| piece.from)?.checked_add(PIECE)?, most(|piece| piece.to)?.checked_add(PIECE)?);
        pieces.iter().all(|piece| piece.length <= PIECE).then_some(Self { pieces, reach })
    }

    /// Copies a row as [`copy`] does; `false` if there is not room for whole copies of all pieces.
    fn copy(&self, source: &[u8], out: &mut [u8]) -> bool {
        if source.len() < self.reach.0 || out.len() < self.reach.1 {
            return false;
        }
        for piece in self.pieces {
            // SAFETY: both are as long as the piece that reaches farthest needs, and apart: one is borrowed mutably.
            #[allow(unsafe_code, reason = "the bounds are those of all pieces")]
            unsafe {
                let (from, to) = (source.as_ptr().add(piece.from), out.as_mut_ptr().add(piece.to));
                std::ptr::copy_nonoverlapping(from, to, PIECE);
            }
        }
        true
    }
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

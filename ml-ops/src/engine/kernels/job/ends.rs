//! What becomes of the sums of a tile.

use opml_vm::DType;

use super::{
    Finish, Item, Job, Scratch, Strip,
    rows::{Lying, Place, words},
};
use crate::engine::{
    kernels::{ROWS, STRIP, finish::Rows, shared::Outputs},
    pack,
};

/// Numbers that are handed on at a time.
const NEAR: usize = 1 << 12;

impl<F: Finish> Job<'_, F> {
    /// Where the rows of a tile go.
    #[allow(clippy::mut_from_ref, reason = "parts of the output that no one else writes")]
    pub(super) fn parts<'o>(&self, places: &[Place], strip: Strip, outputs: &'o Outputs<'_>) -> [&'o mut [u8]; ROWS] {
        let mut out: [&mut [u8]; ROWS] = Default::default();
        for (out, place) in out.iter_mut().zip(places) {
            // SAFETY: items are disjoint in rows or columns, the rows of a tile are too, and no two of the layout's
            // elements stand at one place.
            #[allow(unsafe_code, reason = "rows of a tile are disjoint parts of the output")]
            let part =
                unsafe { outputs.part(place.sample, (place.out + strip.column) * self.size, strip.count * self.size) };
            *out = part;
        }
        out
    }

    /// A tile with fixed-point arithmetic.
    pub(super) fn fixed(
        &self,
        (lying, places): (&Lying, &[Place]),
        (totals, scales): (&[i64], &[i32]),
        strip: Strip,
        scratch: &mut Scratch,
        out: &mut [&mut [u8]; ROWS],
    ) {
        let narrow = self.sums(lying, places, strip, scratch);
        let first = strip.block * self.layout.columns().next_multiple_of(STRIP) + strip.column;
        let mut done = 0;
        while let Some(place) = places.get(done) {
            // Rows of one sample together.
            let count = places[done..].iter().take_while(|other| other.sample == place.sample).count();
            let range = done..done + count;
            done += count;
            let Some(fixed) = self.finish.fixed(place.sample) else { continue };
            let scales = scales.get(range.clone()).unwrap_or(&[]);
            let mut rows = Rows { totals: &totals[range.clone()], scales, first, out: &mut out[range.clone()] };
            if narrow {
                fixed.narrow(self.isa, &scratch.sums[range], &mut rows);
            } else {
                fixed.wide(self.isa, &scratch.wide[range], &mut rows);
            }
        }
    }

    /// What follows the fixed-point arithmetic of an item, over stretches of consecutive elements.
    pub(super) fn rest(
        &self,
        places: &[Place],
        item: Item,
        staged: &mut Staged,
        outputs: &Outputs<'_>,
        state: &mut F::State,
    ) {
        let width = item.blocks * (item.columns.1 - item.columns.0);
        // So many that they stay near.
        let most = (NEAR / width.max(1)).max(1);
        each_stretch(places, width, |done, count, place| {
            for first in (0..count).step_by(most) {
                let count = most.min(count - first);
                let start = place.out + item.columns.0 + first * width;
                // SAFETY: as in `parts`; the rows are consecutive, so that all of the part is theirs.
                #[allow(unsafe_code, reason = "rows of an item are disjoint parts of the output")]
                let out = unsafe { outputs.part(place.sample, start * self.size, count * width * self.size) };
                let numbers = staged.numbers((done + first) * width, count * width);
                self.finish.go_on(state, place.sample, start, numbers, out);
            }
        });
    }

    /// All strips of a tile's rows, then what follows, over stretches of consecutive elements.
    pub(super) fn general(
        &self,
        (lying, places, totals): (&Lying, &[Place], &[i64]),
        item: Item,
        scratch: &mut Scratch,
        outputs: &Outputs<'_>,
        state: &mut F::State,
    ) {
        let (first, end) = item.columns;
        let width = end - first;
        let mut values = std::mem::take(&mut scratch.values);
        values.clear();
        values.resize(places.len() * width, 0);
        for column in (first..end).step_by(STRIP) {
            let strip = Strip { block: item.block, column, count: STRIP.min(end - column) };
            let narrow = self.sums(lying, places, strip, scratch);
            for (number, (row, &total)) in values.chunks_mut(width).zip(totals).enumerate() {
                let row = &mut row[column - first..][..strip.count];
                if narrow {
                    row.iter_mut().zip(&scratch.sums[number]).for_each(|(value, &sum)| *value = i64::from(sum) + total);
                } else {
                    row.iter_mut().zip(&scratch.wide[number]).for_each(|(value, &sum)| *value = sum + total);
                }
            }
        }
        let column = item.block * self.layout.columns().next_multiple_of(STRIP) + first;
        each_stretch(places, width, |done, count, place| {
            let start = place.out + first;
            // SAFETY: as in `parts`; the rows are consecutive, so that all of the part is theirs.
            #[allow(unsafe_code, reason = "rows of a tile are disjoint parts of the output")]
            let out = unsafe { outputs.part(place.sample, start * self.size, count * width * self.size) };
            let values = &mut values[done * width..][..count * width];
            self.finish.values(state, place.sample, start, (column, width), values, out);
        });
        scratch.values = values;
    }
}

/// Rows that lie one after another: the number of the first one, how many, and its place.
fn each_stretch(places: &[Place], width: usize, mut f: impl FnMut(usize, usize, &Place)) {
    let mut done = 0;
    while let Some(place) = places.get(done) {
        let next = |number: usize| places.get(number).map(|place| (place.sample, place.out));
        let mut count = 1;
        while next(done + count) == Some((place.sample, place.out + count * width)) {
            count += 1;
        }
        f(done, count, place);
        done += count;
    }
}

/// What fixed-point arithmetic makes of the sums of an item, where more follows.
#[derive(Debug, Default)]
pub(super) struct Staged {
    bytes: Vec<u8>,
    /// Some of them in 32 bits.
    numbers: Vec<i32>,
    dtype: Option<DType>,
    /// Bytes of a number.
    size: usize,
    /// First column.
    first: usize,
    /// Columns of a block.
    width: usize,
    /// The block that is being computed, counted from the item's first one.
    block: usize,
    /// Bytes of a row.
    pitch: usize,
}

impl Staged {
    /// Room for the rows of an item; all of it is written before it is read.
    pub(super) fn start(&mut self, dtype: DType, item: Item) {
        let (first, end) = item.columns;
        (self.dtype, self.size, self.first, self.block) = (Some(dtype), pack::width(dtype), first, 0);
        self.width = end - first;
        self.pitch = item.blocks * self.width * self.size;
        self.bytes.resize((item.rows.1 - item.rows.0) * self.pitch, 0);
    }

    pub(super) const fn next_block(&mut self) {
        self.block += 1;
    }

    /// Where the rows of a tile go.
    pub(super) fn parts(&mut self, row: usize, count: usize, strip: Strip) -> [&mut [u8]; ROWS] {
        let mut out: [&mut [u8]; ROWS] = Default::default();
        let from = (self.block * self.width + strip.column - self.first) * self.size;
        let rows = self.bytes.chunks_exact_mut(self.pitch.max(1)).skip(row).take(count);
        for (out, row) in out.iter_mut().zip(rows) {
            *out = row.get_mut(from..from + strip.count * self.size).unwrap_or(&mut []);
        }
        out
    }

    /// Some of the numbers.
    fn numbers(&mut self, first: usize, count: usize) -> &[i32] {
        self.numbers.clear();
        let bytes = self.bytes.get(first * self.size..(first + count) * self.size).unwrap_or(&[]);
        if let Some(dtype) = self.dtype {
            widen(dtype, bytes, &mut self.numbers);
        }
        &self.numbers
    }
}

/// Adds stored numbers of at most 32 bits.
pub(super) fn widen(dtype: DType, bytes: &[u8], numbers: &mut Vec<i32>) {
    match dtype {
        DType::U8 => numbers.extend(bytes.iter().map(|&byte| i32::from(byte))),
        DType::I8 | DType::I4 => numbers.extend(bytes.iter().map(|&byte| i32::from(i8::from_le_bytes([byte])))),
        DType::I16 => numbers.extend(words(bytes).map(i32::from)),
        DType::I32 | DType::I64 => numbers.extend(bytes.as_chunks().0.iter().map(|&four| i32::from_le_bytes(four))),
    }
}

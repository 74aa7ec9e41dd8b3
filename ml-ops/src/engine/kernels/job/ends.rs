//! What becomes of the sums of a tile.

use super::{
    Finish, Item, Job, Scratch, Strip,
    rows::{Lying, Place},
};
use crate::engine::kernels::{ROWS, STRIP, finish::Rows, shared::Outputs};

impl<F: Finish> Job<'_, F> {
    /// A tile with fixed-point arithmetic.
    pub(super) fn fixed(
        &self,
        lying: &Lying,
        places: &[Place],
        (totals, scales): (&[i64], &[i32]),
        strip: Strip,
        scratch: &mut Scratch,
        outputs: &Outputs<'_>,
    ) {
        let narrow = self.sums(lying, places, strip, scratch);
        let first = strip.block * self.layout.columns().next_multiple_of(STRIP) + strip.column;
        let mut out: [&mut [u8]; ROWS] = Default::default();
        for (out, place) in out.iter_mut().zip(places) {
            // SAFETY: items are disjoint in rows or columns, the rows of a tile are too, and no two of the layout's
            // elements stand at one place.
            #[allow(unsafe_code, reason = "rows of a tile are disjoint parts of the output")]
            let part =
                unsafe { outputs.part(place.sample, (place.out + strip.column) * self.size, strip.count * self.size) };
            *out = part;
        }
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
        let mut done = 0;
        while let Some(place) = places.get(done) {
            let next = |number: usize| places.get(number).map(|place| (place.sample, place.out));
            let mut count = 1;
            while next(done + count) == Some((place.sample, place.out + count * width)) {
                count += 1;
            }
            let start = place.out + first;
            // SAFETY: as in `fixed`; the rows are consecutive, so that all of the part is theirs.
            #[allow(unsafe_code, reason = "rows of a tile are disjoint parts of the output")]
            let out = unsafe { outputs.part(place.sample, start * self.size, count * width * self.size) };
            let values = &mut values[done * width..][..count * width];
            self.finish.values(state, place.sample, start, (column, width), values, out);
            done += count;
        }
        scratch.values = values;
    }
}

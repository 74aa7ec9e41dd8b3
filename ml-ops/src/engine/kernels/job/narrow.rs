//! Products of few columns, line by line.

use rayon::prelude::*;

use super::{Finish, Job, ends::widen};
use crate::engine::{
    kernels::{
        Narrow,
        finish::Fixed,
        narrow::{ROWS, Stored, Stretch},
        shared::Outputs,
    },
    pack,
};

impl<F: Finish> Job<'_, F> {
    /// The whole product with rows in lanes; `false` if it must be computed otherwise.
    pub(super) fn narrow(&self, threads: usize, outputs: &Outputs<'_>) -> bool {
        let (Some(narrow), Some(line)) = (self.narrow, self.layout.line()) else { return false };
        let rows = self.layout.rows() * self.sources.len();
        let part = rows.div_ceil(if threads == 1 { 1 } else { threads * 3 }).next_multiple_of(line.extent.max(1));
        let work = |first: usize| self.narrow_rows(narrow, (first, (first + part).min(rows)), outputs);
        let parts = rows.div_ceil(part.max(1));
        if threads == 1 {
            (0..parts).all(|number| work(number * part))
        } else {
            (0..parts).into_par_iter().all(|number| work(number * part))
        }
    }

    fn narrow_rows(&self, narrow: &Narrow, rows: (usize, usize), outputs: &Outputs<'_>) -> bool {
        let all = self.layout.rows().max(1);
        let mut stored = Stored([0; _]);
        let (mut numbers, mut state) = (Vec::new(), self.finish.state());
        let mut number = rows.0;
        while number < rows.1 {
            let (sample, first) = (number / all, number % all);
            let count = (all - first).min(rows.1 - number);
            let (Some(fixed), Some(&source)) = (self.finish.fixed(sample), self.sources.get(sample)) else {
                return false;
            };
            let run = |a: isize, stride: isize, out: usize, count: usize| {
                let (start, stride) = (usize::try_from(self.terms.base + a).ok()?, usize::try_from(stride).ok()?);
                let stretch = Stretch { source, start, stride, count };
                narrow.run(self.isa, fixed, stretch, &mut stored).then_some(())?;
                match self.finish.tail() {
                    Some(_) => {
                        self.keep_rest((fixed, &stored), (sample, out, count), outputs, (&mut numbers, &mut state))
                    }
                    None => self.keep(fixed, &stored, (sample, out, count), outputs),
                }
            };
            if self.layout.stretches(first, count, ROWS, run).is_none() {
                return false;
            }
            number += count;
        }
        true
    }

    /// Goes on with rows as in [`Job::keep`].
    fn keep_rest(
        &self,
        (fixed, stored): (&Fixed, &Stored),
        (sample, first, count): (usize, usize, usize),
        outputs: &Outputs<'_>,
        (numbers, state): (&mut Vec<i32>, &mut F::State),
    ) -> Option<()> {
        let (pitch, columns) = (Narrow::pitch(fixed)?, self.layout.columns());
        numbers.clear();
        for row in stored.0.chunks_exact(pitch).take(count) {
            widen(fixed.dtype, row.get(..columns * pack::width(fixed.dtype))?, numbers);
        }
        // SAFETY: as in `keep`.
        #[allow(unsafe_code, reason = "rows of a line are disjoint parts of the output")]
        let out = unsafe { outputs.part(sample, first * self.size, count * columns * self.size) };
        self.finish.go_on(state, sample, first, numbers, out);
        Some(())
    }

    /// Stores rows of which `stored` has one every [`Narrow::pitch`] bytes, from an element of a sample on.
    fn keep(
        &self,
        fixed: &Fixed,
        stored: &Stored,
        (sample, first, count): (usize, usize, usize),
        outputs: &Outputs<'_>,
    ) -> Option<()> {
        let (pitch, width) = (Narrow::pitch(fixed)?, self.layout.columns() * self.size);
        // SAFETY: parts of the work have different rows, which are consecutive along a line.
        #[allow(unsafe_code, reason = "rows of a line are disjoint parts of the output")]
        let out = unsafe { outputs.part(sample, first * self.size, count * width) };
        for (row, from) in stored.0.chunks_exact(pitch).enumerate().take(count) {
            let out = out.get_mut(row * width..)?;
            // What is too much is covered by the next row.
            match (out.first_chunk_mut::<16>(), from.first_chunk::<16>()) {
                (Some(out), Some(from)) => *out = *from,
                _ => match (out.first_chunk_mut::<8>(), from.first_chunk::<8>()) {
                    (Some(out), Some(from)) if pitch == 8 => *out = *from,
                    _ => out.get_mut(..width)?.copy_from_slice(from.get(..width)?),
                },
            }
        }
        Some(())
    }
}

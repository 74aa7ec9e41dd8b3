//! Rows of many frames that read the same values: those that start in the same place share a packed copy of them.

use super::{Isa, Words};

/// Rows of several frames.
#[derive(Debug, Default)]
pub(in crate::engine) struct Rows<'a> {
    rows: Vec<(usize, Row<'a>)>,
    /// Where the sums of each frame end.
    ends: Vec<usize>,
    filled: usize,
}

/// A row: its own numbers, and where its sums go.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "read by the vector kernels"))]
pub(super) struct Row<'a> {
    /// The query; or a number for each value.
    pub(super) now: &'a Words,
    /// Place of its first sum.
    pub(super) at: usize,
    /// Values that it reads, from the first one on.
    pub(super) count: usize,
}

/// Sums of several frames.
#[derive(Debug)]
pub(in crate::engine) struct Sums {
    all: Vec<i64>,
    ends: Vec<usize>,
}

impl Sums {
    /// Those of a frame.
    pub(in crate::engine) fn get(&self, frame: usize) -> Option<&[i64]> {
        let start = frame.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied())?;
        self.all.get(start..*self.ends.get(frame)?)
    }
}

impl<'a> Rows<'a> {
    /// Begins a frame of so many sums.
    pub(in crate::engine) fn frame(&mut self, length: usize) {
        self.filled = self.ends.last().copied().unwrap_or(0);
        self.ends.push(self.filled + length);
    }

    /// The next row of the frame: its own numbers, where it reads each value, how many sums it has and values it reads.
    pub(in crate::engine) fn push(&mut self, now: &'a Words, start: usize, (width, count): (usize, usize)) {
        self.rows.push((start, Row { now, at: self.filled, count }));
        self.filled += width;
    }

    /// The sums: dot products with `terms` numbers of each of the values, or `terms` mixed numbers. `None` if the kernels do not
    /// suit.
    #[cfg(target_arch = "x86_64")]
    pub(in crate::engine) fn sums(self, isa: Isa, scores: bool, past: &[&Words], terms: usize) -> Option<Sums> {
        use super::side_by_side::{Keys, Mixed};

        let Self { mut rows, ends, .. } = self;
        let mut all = vec![0; ends.last().copied()?];
        rows.sort_by_key(|(start, row)| (*start, row.at));
        for group in rows.chunk_by(|a, b| a.0 == b.0) {
            let start = group.first()?.0;
            let rows: Vec<Row<'_>> = group.iter().map(|(_, row)| *row).collect();
            if scores {
                Keys::new(isa, past, start, terms)?.scores(&rows, &mut all);
            } else {
                Mixed::new(isa, past, start, terms)?.mix(&rows, &mut all);
            }
        }
        Some(Sums { all, ends })
    }

    /// There are no such kernels.
    #[cfg(not(target_arch = "x86_64"))]
    pub(in crate::engine) fn sums(self, _: Isa, _: bool, _: &[&Words], _: usize) -> Option<Sums> {
        None
    }
}

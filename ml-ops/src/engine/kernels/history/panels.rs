//! Values of many iterations, packed once for all rows that read them. Those of later iterations are added as they come.

use super::{Isa, Words};

/// Rows of several frames.
#[derive(Debug, Default)]
pub(in crate::engine) struct Rows<'a> {
    /// Those that read each value in the same place.
    groups: Vec<(usize, Vec<Row<'a>>)>,
    /// Where the sums of each frame end.
    ends: Vec<usize>,
    filled: usize,
    /// Values that are read.
    count: usize,
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

impl<'a> Rows<'a> {
    /// Begins a frame of so many sums.
    pub(in crate::engine) fn frame(&mut self, length: usize) {
        self.filled = self.ends.last().copied().unwrap_or(0);
        self.ends.push(self.filled + length);
    }

    /// The next row of the frame: its own numbers, where it reads each value, how many sums it has and values it reads.
    pub(in crate::engine) fn push(&mut self, now: &'a Words, start: usize, (width, count): (usize, usize)) {
        let row = Row { now, at: self.filled, count };
        match self.groups.iter_mut().find(|(known, _)| *known == start) {
            Some((_, rows)) => rows.push(row),
            None => self.groups.push((start, vec![row])),
        }
        self.filled += width;
        self.count = self.count.max(count);
    }
}

/// What rows do with values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Kind {
    /// A dot product with so many numbers of each.
    Scores(usize),
    /// So many sums over all, each times a number.
    Mixed(usize),
}

/// Packed values of one instruction in one run.
#[derive(Debug, Clone, Default)]
pub(in crate::engine) struct Panels {
    /// By where rows read each value.
    #[cfg(target_arch = "x86_64")]
    panels: Vec<(usize, super::side_by_side::Panel)>,
}

/// The sums of rows. A thread has one for all instructions: what it writes is read at once, and stays in the caches.
#[derive(Debug, Default)]
pub(in crate::engine) struct Sums {
    numbers: Vec<i64>,
    ends: Vec<usize>,
}

impl Panels {
    /// Computes the sums of rows; `value` gives what they read, in a run at most `most` values. `None` if the kernels do not suit.
    #[cfg(target_arch = "x86_64")]
    pub(in crate::engine) fn compute<'v>(
        &mut self,
        isa: Isa,
        (kind, most): (Kind, usize),
        rows: Rows<'_>,
        value: impl Fn(usize) -> &'v Words,
        sums: &mut Sums,
    ) -> Option<()> {
        use super::side_by_side::Panel;

        let length = rows.ends.last().copied().unwrap_or(0);
        if sums.numbers.len() < length {
            sums.numbers.resize(length.next_power_of_two(), 0);
        }
        for (start, group) in &rows.groups {
            let place = self.panels.iter().position(|(known, _)| known == start);
            let place = place.or_else(|| {
                self.panels.push((*start, Panel::new(isa, kind)?));
                Some(self.panels.len() - 1)
            });
            let (_, panel) = self.panels.get_mut(place?)?;
            panel.extend((rows.count, most), *start, &value)?;
            panel.run(group, &mut sums.numbers);
        }
        sums.ends = rows.ends;
        Some(())
    }

    /// There are no such kernels.
    #[cfg(not(target_arch = "x86_64"))]
    pub(in crate::engine) fn compute<'v>(
        &mut self,
        _: Isa,
        _: (Kind, usize),
        _: Rows<'_>,
        _: impl Fn(usize) -> &'v Words,
        _: &mut Sums,
    ) -> Option<()> {
        None
    }
}

impl Sums {
    /// The sums of a frame that was computed last.
    pub(in crate::engine) fn of(&self, frame: usize) -> &[i64] {
        let end = |frame: usize| self.ends.get(frame).copied().unwrap_or(0);
        let start = frame.checked_sub(1).map_or(0, end);
        self.numbers.get(start..end(frame)).unwrap_or(&[])
    }
}

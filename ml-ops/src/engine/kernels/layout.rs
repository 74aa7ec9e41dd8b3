//! Where rows and blocks of a product read and write.

/// An output axis of rows or blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) struct Axis {
    /// Positions.
    pub(in crate::engine) extent: usize,
    /// Step in the row factor, in bytes; may go backwards.
    pub(in crate::engine) a: isize,
    /// Step in the output, in elements.
    pub(in crate::engine) out: usize,
}

/// The output as blocks of rows of columns. Columns are consecutive elements; blocks have columns of their own.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Layout {
    blocks: Vec<Axis>,
    rows: Vec<Axis>,
    columns: usize,
    elements: usize,
}

impl Layout {
    /// `None` unless every element stands at a place of its own, and there are no other places.
    pub(in crate::engine) fn new(blocks: Vec<Axis>, rows: Vec<Axis>, columns: usize, elements: usize) -> Option<Self> {
        let mut axes: Vec<(usize, usize)> = blocks.iter().chain(&rows).map(|axis| (axis.out, axis.extent)).collect();
        axes.push((1, columns));
        axes.retain(|(_, extent)| *extent != 1);
        axes.sort_unstable();
        let mut covered = 1usize;
        for (step, extent) in axes {
            if step != covered {
                return None;
            }
            covered = step.checked_mul(extent)?;
        }
        (covered == elements).then_some(Self { blocks, rows: merged(rows), columns, elements })
    }

    /// Number of blocks.
    pub(in crate::engine) fn blocks(&self) -> usize {
        self.blocks.iter().map(|axis| axis.extent).product()
    }

    /// Rows of a block.
    pub(in crate::engine) fn rows(&self) -> usize {
        self.rows.iter().map(|axis| axis.extent).product()
    }

    /// Columns of a block.
    pub(in crate::engine) const fn columns(&self) -> usize {
        self.columns
    }

    /// The innermost axis of rows, if rows are consecutive elements along it and there is one block.
    pub(in crate::engine) fn line(&self) -> Option<Axis> {
        let line = self.rows.last().copied();
        line.filter(|line| line.out == self.columns && self.blocks.is_empty())
    }

    /// Whether the blocks of a row are consecutive, one after another.
    pub(super) fn is_interleaved(&self) -> bool {
        let mut step = self.columns;
        self.blocks.iter().rev().all(|axis| {
            let next = axis.out == step;
            step *= axis.extent;
            next
        })
    }

    /// Elements of the output.
    pub(in crate::engine) const fn elements(&self) -> usize {
        self.elements
    }

    /// Offsets of a block: bytes of the row factor, elements of the output.
    pub(super) fn block(&self, number: usize) -> (isize, usize) {
        offsets(&self.blocks, number)
    }

    /// Calls `f` with the offsets of consecutive rows in their block.
    pub(super) fn walk(&self, first: usize, count: usize, mut f: impl FnMut(isize, usize)) {
        let Some((inner, outer)) = self.rows.split_last() else {
            (0..count).for_each(|_| f(0, 0));
            return;
        };
        let (mut line, mut place) = (first / inner.extent, first % inner.extent);
        let mut left = count;
        while left > 0 {
            let (a, out) = offsets(outer, line);
            let end = inner.extent.min(place + left);
            for place in place..end {
                f(a + isize::try_from(place).unwrap_or(0) * inner.a, out + place * inner.out);
            }
            left -= end - place;
            (line, place) = (line + 1, 0);
        }
    }
}

impl Layout {
    /// Calls `f` with stretches of rows along the innermost axis, at most `most` long: offset of the first in the row
    /// factor, step there, offset in the output, number of rows. Ends early if `f` gives nothing.
    pub(super) fn stretches(
        &self,
        first: usize,
        count: usize,
        most: usize,
        mut f: impl FnMut(isize, isize, usize, usize) -> Option<()>,
    ) -> Option<()> {
        let (inner, outer) = self.rows.split_last()?;
        let (mut line, mut place, mut left) = (first / inner.extent, first % inner.extent, count);
        while left > 0 {
            let (a, out) = offsets(outer, line);
            let length = (inner.extent - place).min(left);
            for at in (place..place + length).step_by(most) {
                let count = most.min(place + length - at);
                f(a + isize::try_from(at).ok()? * inner.a, inner.a, out + at * inner.out, count)?;
            }
            left -= length;
            (line, place) = (line + 1, 0);
        }
        Some(())
    }
}

fn offsets(axes: &[Axis], number: usize) -> (isize, usize) {
    let (mut rest, mut a, mut out) = (number, 0, 0);
    for axis in axes.iter().rev() {
        let place = rest % axis.extent;
        rest /= axis.extent;
        a += isize::try_from(place).unwrap_or(0) * axis.a;
        out += place * axis.out;
    }
    (a, out)
}

/// Joins axes that are walked as one.
fn merged(axes: Vec<Axis>) -> Vec<Axis> {
    let mut result: Vec<Axis> = Vec::with_capacity(axes.len());
    for axis in axes.into_iter().filter(|axis| axis.extent != 1) {
        let length = isize::try_from(axis.extent).unwrap_or(0);
        match result.last_mut() {
            Some(last) if last.a == axis.a * length && last.out == axis.out * axis.extent => {
                *last = Axis { extent: last.extent * axis.extent, ..axis };
            }
            _ => result.push(axis),
        }
    }
    result
}

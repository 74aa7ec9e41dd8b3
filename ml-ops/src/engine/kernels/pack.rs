//! The column factor as the kernels read it.

use super::{Aligned, GROUP, LINE, PANEL, Run, tile::Width};

/// Panels of 16 columns: for each group of terms, the groups of the columns side by side.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Packed {
    bytes: Aligned,
    /// Columns of a block.
    columns: usize,
    /// Bytes of a panel.
    panel: usize,
    /// For each block and column, the sum of its terms.
    pub(in crate::engine) totals: Vec<i64>,
}

impl Packed {
    /// Packs rows of `terms` numbers, one for each block and column, less `offset`. The differences fit the width.
    pub(in crate::engine) fn new(
        rows: &[i32],
        terms: usize,
        columns: usize,
        offset: i32,
        (width, runs, lines): (Width, &[Run], usize),
    ) -> Self {
        let panel = lines * LINE;
        let panels = columns.div_ceil(PANEL);
        let blocks = rows.len() / (terms * columns).max(1);
        let mut bytes = Aligned::zeros(blocks * panels * panel);
        let mut totals = Vec::with_capacity(blocks * columns);
        for (number, row) in rows.chunks_exact(terms).enumerate() {
            let (block, column) = (number / columns, number % columns);
            let start = (block * panels + column / PANEL) * panel + column % PANEL * GROUP;
            pack_column(row, offset, width, runs, &mut bytes[start..]);
            totals.push(row.iter().map(|&term| i64::from(term) - i64::from(offset)).sum());
        }
        Self { bytes, columns, panel, totals }
    }

    /// Panels of a block from one of its panels on.
    pub(super) fn panels(&self, block: usize, first: usize) -> &[u8] {
        let panels = self.columns.div_ceil(PANEL);
        self.bytes.get((block * panels + first) * self.panel..(block + 1) * panels * self.panel).unwrap_or(&[])
    }

    /// Bytes of a panel.
    pub(super) const fn panel(&self) -> usize {
        self.panel
    }
}

/// Writes the groups of one column, a line apart.
fn pack_column(row: &[i32], offset: i32, width: Width, runs: &[Run], out: &mut [u8]) {
    let mut row = row.iter().map(|&term| term.wrapping_sub(offset).to_le_bytes());
    let size = width.bytes();
    for run in runs {
        for position in (0..run.length).step_by(size) {
            let Some(bytes) = row.next() else { return };
            let at = (run.line + position / GROUP) * LINE + position % GROUP;
            if let Some(out) = out.get_mut(at..at + size) {
                out.copy_from_slice(&bytes[..size]);
            }
        }
    }
}

//! The column factor as the kernels read it.

use rayon::prelude::*;

use super::{Aligned, GROUP, Isa, LINE, PANEL, Run, planes::Planes, tile::Width};
use crate::tier::Tier;

/// Numbers below which blocks are not packed in parallel.
const PARALLEL: usize = 1 << 18;

/// Panels of 16 columns: for each group of terms, the groups of the columns side by side.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Packed {
    bytes: Aligned,
    /// Columns of a block.
    columns: usize,
    /// Bytes of a panel.
    panel: usize,
    /// The same for the matrix unit, if the numbers have 16 bits.
    #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "of the matrix unit"))]
    pub(super) planes: Option<Planes>,
    /// For each block and column, the sum of its terms.
    pub(in crate::engine) totals: Vec<i64>,
    /// Greatest magnitude of a term.
    pub(in crate::engine) largest: u64,
    /// Greatest sum of the magnitudes of a column.
    pub(in crate::engine) heaviest: u64,
}

/// Where the numbers of a column factor lie in its tensor, each position a sum of three parts.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Grid {
    /// Part of each block.
    pub(in crate::engine) blocks: Vec<usize>,
    /// Part of each column.
    pub(in crate::engine) columns: Vec<usize>,
    /// Part of each term.
    pub(in crate::engine) terms: Vec<usize>,
    /// Bits that change in a byte: 0x80 makes u8 less 128 from u8.
    pub(in crate::engine) flip: u8,
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
        let mut sums = Sums::default();
        for (number, row) in rows.chunks_exact(terms).enumerate() {
            let (block, column) = (number / columns, number % columns);
            let start = (block * panels + column / PANEL) * panel + column % PANEL * GROUP;
            pack_column(row, offset, width, runs, &mut bytes[start..]);
            sums.add(row.iter().map(|&term| i64::from(term) - i64::from(offset)));
        }
        Self::with_sums((bytes, columns, panel), sums)
    }

    /// Panels without planes.
    fn with_sums((bytes, columns, panel): (Aligned, usize, usize), sums: Sums) -> Self {
        let Sums { totals, largest, heaviest } = sums;
        Self { bytes, columns, panel, planes: None, totals, largest, heaviest }
    }

    /// With planes for the matrix unit, if the tier has one and rows of 16-bit numbers are multiplied.
    #[must_use]
    pub(in crate::engine) fn with_planes(self, isa: Isa, rows: &[i32], terms: usize, width: Width) -> Self {
        let wanted = isa.tier() >= Tier::Amx && width == Width::Word;
        let planes = if wanted { Planes::new(rows, terms, self.columns) } else { None };
        Self { planes, ..self }
    }

    /// Packs the bytes of a tensor, whose numbers have the width.
    pub(in crate::engine) fn in_place(
        source: &[u8],
        grid: &Grid,
        (width, runs, lines): (Width, &[Run], usize),
    ) -> Self {
        let panel = lines * LINE;
        let columns = grid.columns.len();
        let block_size = columns.div_ceil(PANEL) * panel;
        let mut bytes = Aligned::zeros(grid.blocks.len() * block_size);
        let fill = |(block, out): (&usize, &mut [u8])| {
            for (columns, out) in grid.columns.chunks(PANEL).zip(out.chunks_mut(panel)) {
                match width {
                    Width::Byte => fill_panel::<1>(source, grid, (*block, columns), runs, out),
                    Width::Word => fill_panel::<2>(source, grid, (*block, columns), runs, out),
                }
            }
            sums_of_block(out, (width, columns, panel))
        };
        let blocks = grid.blocks.iter().zip(bytes.chunks_mut(block_size.max(1)));
        let parts: Vec<Sums> = if grid.blocks.len() * columns * grid.terms.len() < PARALLEL {
            blocks.map(fill).collect()
        } else {
            blocks.collect::<Vec<_>>().into_par_iter().map(fill).collect()
        };
        let mut sums = Sums::default();
        for part in parts {
            sums.totals.extend(part.totals);
            sums.largest = sums.largest.max(part.largest);
            sums.heaviest = sums.heaviest.max(part.heaviest);
        }
        Self::with_sums((bytes, columns, panel), sums)
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

/// What is known of columns.
#[derive(Default)]
struct Sums {
    totals: Vec<i64>,
    largest: u64,
    heaviest: u64,
}

impl Sums {
    /// Adds a column.
    fn add(&mut self, terms: impl Iterator<Item = i64>) {
        let (mut total, mut weight) = (0, 0);
        for term in terms {
            total += term;
            weight += term.unsigned_abs();
            self.largest = self.largest.max(term.unsigned_abs());
        }
        self.totals.push(total);
        self.heaviest = self.heaviest.max(weight);
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

/// Fills a panel with columns of numbers of `W` bytes, group by group.
fn fill_panel<const W: usize>(
    source: &[u8],
    grid: &Grid,
    (block, columns): (usize, &[usize]),
    runs: &[Run],
    out: &mut [u8],
) {
    let numbers = source.as_chunks::<W>().0;
    let apart = |parts: &[usize]| parts.windows(2).all(|pair| pair[0] + 1 == pair[1]);
    let side_by_side = columns.len() == PANEL && apart(columns);
    let mut term = 0;
    for run in runs {
        let terms = grid.terms.get(term..term + run.length / W).unwrap_or(&[]);
        term += run.length / W;
        let lines = out[run.line * LINE..].as_chunks_mut::<LINE>().0;
        let consecutive = apart(terms);
        for (terms, line) in terms.chunks(GROUP / W).zip(lines) {
            let whole = terms.len() == GROUP / W;
            if side_by_side {
                let start = block + columns[0];
                for (number, &term) in terms.iter().enumerate() {
                    let row = numbers.get(start + term..).and_then(<[_]>::first_chunk::<PANEL>);
                    let Some(row) = row else { continue };
                    for (group, bytes) in line.as_chunks_mut::<GROUP>().0.iter_mut().zip(row) {
                        group[number * W..(number + 1) * W].copy_from_slice(bytes);
                    }
                }
            } else if consecutive && whole {
                for (group, &column) in line.as_chunks_mut::<GROUP>().0.iter_mut().zip(columns) {
                    let start = (block + column + terms[0]) * W;
                    if let Some(bytes) = source.get(start..).and_then(<[_]>::first_chunk) {
                        *group = *bytes;
                    }
                }
            } else {
                for (group, &column) in line.as_chunks_mut::<GROUP>().0.iter_mut().zip(columns) {
                    for (place, &term) in group.as_chunks_mut::<W>().0.iter_mut().zip(terms) {
                        *place = numbers.get(block + column + term).copied().unwrap_or([0; W]);
                    }
                }
            }
            if grid.flip != 0 {
                // Zeros past the last term stay.
                for group in line.as_chunks_mut::<GROUP>().0.iter_mut().take(columns.len()) {
                    group.iter_mut().take(terms.len() * W).for_each(|byte| *byte ^= grid.flip);
                }
            }
        }
    }
}

/// Totals and magnitudes of packed panels.
fn sums_of_block(block: &[u8], (width, columns, panel): (Width, usize, usize)) -> Sums {
    let mut sums = Sums::default();
    for panel in block.chunks(panel.max(1)) {
        let (mut totals, mut weights, mut largest) = ([0i64; PANEL], [0u64; PANEL], 0);
        // Short sums in i32, which cannot overflow.
        for lines in panel.as_chunks::<LINE>().0.chunks(1 << 12) {
            let (mut total, mut weight) = ([0i32; PANEL], [0u32; PANEL]);
            for line in lines {
                for ((total, weight), &group) in total.iter_mut().zip(&mut weight).zip(line.as_chunks::<GROUP>().0) {
                    match width {
                        Width::Byte => {
                            *total += group.map(|byte| i32::from(i8::from_le_bytes([byte]))).iter().sum::<i32>()
                        }
                        Width::Word => {
                            let [a, b, c, d] = group;
                            for word in [i16::from_le_bytes([a, b]), i16::from_le_bytes([c, d])] {
                                *total += i32::from(word);
                                *weight += u32::from(word.unsigned_abs());
                                largest = largest.max(u32::from(word.unsigned_abs()));
                            }
                        }
                    }
                }
            }
            totals.iter_mut().zip(total).for_each(|(sum, part)| *sum += i64::from(part));
            weights.iter_mut().zip(weight).for_each(|(sum, part)| *sum += u64::from(part));
        }
        let count = PANEL.min(columns - sums.totals.len());
        sums.totals.extend(&totals[..count]);
        sums.largest = sums.largest.max(u64::from(largest));
        sums.heaviest = sums.heaviest.max(weights.into_iter().max().unwrap_or(0));
    }
    sums
}

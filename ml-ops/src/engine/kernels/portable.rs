//! The kernels in plain Rust, which also say what the others compute.

use super::{
    GROUP, LINE, PANEL,
    tile::{Sums, Tile, Width},
};

/// Sums of a tile.
pub(super) fn sums(tile: &Tile<'_>, width: Width, sums: &mut Sums) {
    for (&row, sums) in tile.rows.iter().zip(sums.iter_mut()) {
        for (panel, sums) in tile.b.chunks_exact(tile.panel.max(LINE)).take(tile.panels).zip(sums.as_chunks_mut().0) {
            match width {
                Width::Byte => bytes(tile, row, panel, sums),
                Width::Word => words(tile, row, panel, sums),
            }
        }
    }
}

/// The groups of a row and the lines of a panel.
fn lines<'a>(tile: &'a Tile<'_>, row: usize, panel: &'a [u8]) -> impl Iterator<Item = Lines<'a>> {
    tile.runs.iter().map(move |run| {
        let terms = tile.a[row + run.offset..].as_chunks::<GROUP>().0;
        let lines = panel[run.line * LINE..].as_chunks::<LINE>().0;
        terms.iter().zip(lines).take(run.groups)
    })
}

type Lines<'a> = std::iter::Take<std::iter::Zip<std::slice::Iter<'a, [u8; GROUP]>, std::slice::Iter<'a, [u8; LINE]>>>;

/// A row of a panel of bytes.
fn bytes(tile: &Tile<'_>, row: usize, panel: &[u8], sums: &mut [i32; PANEL]) {
    let mut acc = [0i32; PANEL];
    for (&group, line) in lines(tile, row, panel).flatten() {
        let [a0, a1, a2, a3] = group.map(i32::from);
        for (sum, column) in acc.iter_mut().zip(line.as_chunks::<GROUP>().0) {
            let [b0, b1, b2, b3] = column.map(|byte| i32::from(i8::from_le_bytes([byte])));
            *sum = sum.wrapping_add(a0 * b0 + a1 * b1 + a2 * b2 + a3 * b3);
        }
    }
    *sums = acc;
}

/// A row of a panel of 16-bit numbers, in pairs as vector units multiply them.
fn words(tile: &Tile<'_>, row: usize, panel: &[u8], sums: &mut [i32; PANEL]) {
    let mut acc = [0i32; PANEL];
    for run in lines(tile, row, panel) {
        for (&group, line) in run {
            add_words(&mut acc, group, line);
        }
    }
    *sums = acc;
}

#[inline(always)]
fn add_words(acc: &mut [i32; PANEL], group: [u8; GROUP], line: &[u8; LINE]) {
    let left = [pair(group); PANEL];
    let mut right = [[0; 2]; PANEL];
    for (right, &column) in right.iter_mut().zip(line.as_chunks::<GROUP>().0) {
        *right = pair(column);
    }
    let (left, right) = (left.as_flattened(), right.as_flattened());
    for (number, sum) in acc.iter_mut().enumerate() {
        let product = |n: usize| i32::from(left[n]) * i32::from(right[n]);
        *sum = sum.wrapping_add(product(2 * number).wrapping_add(product(2 * number + 1)));
    }
}

fn pair([a, b, c, d]: [u8; GROUP]) -> [i16; 2] {
    [i16::from_le_bytes([a, b]), i16::from_le_bytes([c, d])]
}

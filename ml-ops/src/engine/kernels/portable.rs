//! The kernels in plain Rust, which also say what the others compute.

use super::{
    GROUP, LINE, PANEL, STRIP,
    tile::{Sums, Tile, Width},
};

/// Sums of a tile.
pub(super) fn sums(tile: &Tile<'_>, width: Width, sums: &mut Sums) {
    for (&row, sums) in tile.rows.iter().zip(sums.iter_mut()) {
        for (panel, sums) in tile.b.chunks_exact(tile.panel.max(LINE)).take(tile.panels).zip(sums.as_chunks_mut().0) {
            *sums = [0; PANEL];
            for run in tile.runs {
                let terms = &tile.a[row + run.offset..];
                let lines = panel[run.line * LINE..].as_chunks::<LINE>().0;
                for (group, line) in terms.as_chunks::<GROUP>().0.iter().zip(lines).take(run.groups) {
                    match width {
                        Width::Byte => add_bytes(*group, line, sums),
                        Width::Word => add_words(*group, line, sums),
                    }
                }
            }
        }
    }
}

/// Sums of a tile of 16-bit numbers of any size, in i64.
pub(super) fn wide(tile: &Tile<'_>, sums: &mut [[i64; STRIP]]) {
    for (&row, sums) in tile.rows.iter().zip(sums.iter_mut()) {
        for (panel, sums) in tile.b.chunks_exact(tile.panel.max(LINE)).take(tile.panels).zip(sums.as_chunks_mut().0) {
            let sums: &mut [i64; PANEL] = sums;
            *sums = [0; PANEL];
            for run in tile.runs {
                let terms = &tile.a[row + run.offset..];
                let lines = panel[run.line * LINE..].as_chunks::<LINE>().0;
                for (&group, line) in terms.as_chunks::<GROUP>().0.iter().zip(lines).take(run.groups) {
                    let [a0, a1] = pair(group).map(i64::from);
                    for (sum, &column) in sums.iter_mut().zip(line.as_chunks::<GROUP>().0) {
                        let [b0, b1] = pair(column).map(i64::from);
                        *sum += a0 * b0 + a1 * b1;
                    }
                }
            }
        }
    }
}

fn pair([a, b, c, d]: [u8; GROUP]) -> [i32; 2] {
    [i16::from_le_bytes([a, b]), i16::from_le_bytes([c, d])].map(i32::from)
}

/// Four terms of 16 columns.
fn add_bytes(group: [u8; GROUP], line: &[u8; LINE], sums: &mut [i32; PANEL]) {
    let group = group.map(i32::from);
    for (sum, column) in sums.iter_mut().zip(line.as_chunks::<GROUP>().0) {
        let column = column.map(|byte| i32::from(i8::from_le_bytes([byte])));
        let product = group.iter().zip(column).fold(0, |total, (a, b)| a.wrapping_mul(b).wrapping_add(total));
        *sum = sum.wrapping_add(product);
    }
}

/// Two terms of 16 columns.
fn add_words(group: [u8; GROUP], line: &[u8; LINE], sums: &mut [i32; PANEL]) {
    let [a0, a1] = pair(group);
    for (sum, &column) in sums.iter_mut().zip(line.as_chunks::<GROUP>().0) {
        let [b0, b1] = pair(column);
        *sum = sum.wrapping_add(a0.wrapping_mul(b0)).wrapping_add(a1.wrapping_mul(b1));
    }
}

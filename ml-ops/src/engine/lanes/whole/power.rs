//! Powers of two of rows, less a number of the row, to i16: the middle of a softmax. The fraction's power is a table with
//! straight lines between its entries; what is whole shifts.
#![allow(clippy::as_conversions, reason = "halves of pairs and clamped numbers: no conversion trait does")]

use opml_vm::{DType, Opcode, eval::scalar};

use super::{
    super::{number::Number, simd::Kernels},
    line::{Line, Pairs, TILE, Tile},
    pattern::{Flat, Pattern, count},
};
use crate::engine::{
    Frame,
    load::{Extents, FIRST_K},
};

/// The largest shift that matters: sums are below 2^34 in magnitude.
const FAR: i64 = 40;

/// The instruction, with `d = x − m` for the row's `m`: `(2^c · e + d · step) / 2^(one − whole)`, rounded.
#[derive(Debug, Clone)]
pub(in super::super) struct Power {
    source: Flat,
    less: Flat,
    /// Output axes that `m` follows.
    axes: usize,
    line: Line,
    constants: Constants,
}

/// The constants of the loops.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Constants {
    /// Bits of a fraction.
    fraction: u32,
    /// How many of them lie between entries.
    between: u32,
    /// The shift at `d = 0`.
    one: i64,
}

impl Power {
    pub(super) fn new(pattern: &Pattern<'_>) -> Option<Self> {
        let (Opcode::Rshr, [sum, shift, _]) = pattern.op(pattern.analysis.output)? else { return None };
        let (Opcode::Sub, [one, whole, _]) = pattern.op(shift)? else { return None };
        let (Opcode::Shr, [d, s, _]) = pattern.op(whole)? else { return None };
        let (Opcode::Sub, [x, m, _]) = pattern.op(d)? else { return None };
        let (Opcode::Add, [a, b, _]) = pattern.op(sum)? else { return None };
        let apart = |entry: usize, way: usize| match (pattern.op(entry)?, pattern.op(way)?) {
            ((Opcode::Shl, [entry, up, _]), (Opcode::Mul, [a, b, _])) => Some((entry, pattern.shift(up)?, a, b)),
            _ => None,
        };
        let (entry, between, a, b) = apart(a, b).or_else(|| apart(b, a))?;
        let find = |step: usize, part: usize| match (pattern.op(step)?, pattern.op(part)?) {
            ((Opcode::Sub, [next, same, _]), (Opcode::And, [f, mask, _])) if same == entry => {
                Some((next, f, pattern.constant(mask)?))
            }
            _ => None,
        };
        let (next, f, mask) = find(a, b).or_else(|| find(b, a))?;
        let (line, index) = Line::new(pattern, entry, next)?;
        let (Opcode::Shr, [same, down, _]) = pattern.op(index)? else { return None };
        let (Opcode::And, [of, rest, _]) = pattern.op(f)? else { return None };
        let fraction = pattern.shift(s)?;
        let fits = between < fraction && fraction <= 30 && pattern.shift(down) == Some(between);
        let masks = mask == (1 << between) - 1 && pattern.constant(rest)? == (1 << fraction) - 1;
        let one = pattern.constant(one).filter(|one| (i64::from(between) + 1..FAR).contains(one))?;
        let outputs = pattern.outputs();
        let source = pattern.flat(x, &outputs)?;
        let rows = (0..outputs.len()).find_map(|axes| Some((axes, pattern.flat(m, &outputs[..axes])?)));
        let (axes, less) = rows?;
        let known = (source.dtype, less.dtype, pattern.instruction.dtype) == (DType::I32, DType::I32, DType::I16);
        let constants = Constants { fraction, between, one };
        (fits && masks && same == f && of == d && known).then_some(Self { source, less, axes, line, constants })
    }

    /// Whether its sources hold what it reads.
    pub(super) fn suits(&self, frame: Frame<'_>, extents: &Extents) -> bool {
        self.sources(frame, extents).is_some()
    }

    /// The numbers, what is taken from those of each row, and the table.
    fn sources<'a>(&'a self, frame: Frame<'a>, extents: &Extents) -> Option<(&'a [u8], &'a [u8], &'a Pairs)> {
        let source = self.source.bytes(frame, count(&extents[..FIRST_K]))?;
        let less = self.less.bytes(frame, count(&extents[..self.axes]))?;
        Some((source, less, self.line.pairs(frame)?))
    }

    pub(super) fn run(&self, kernels: Kernels, frame: Frame<'_>, extents: &Extents, bytes: &mut [u8]) -> Option<()> {
        let ((source, less, pairs), mut room) = (self.sources(frame, extents)?, Tile::new());
        let width = count(&extents[self.axes..FIRST_K]);
        let rows = bytes.chunks_exact_mut(2 * width).zip(source.chunks_exact(4 * width));
        for ((out, x), &m) in rows.zip(less.as_chunks::<4>().0) {
            let m = i32::from_le_bytes(m);
            let tiles = out.chunks_mut(2 * TILE).zip(x.chunks(4 * TILE));
            tiles.for_each(|(out, x)| tile(kernels, &mut room, (out, x, m), pairs, self.constants));
        }
        Some(())
    }
}

fn tile(kernels: Kernels, room: &mut Tile, (out, x, m): (&mut [u8], &[u8], i32), pairs: &Pairs, constants: Constants) {
    let (lanes, mut above) = (out.len() / 2, 0);
    kernels.power_places(&mut room.index[..lanes], &mut above, x, m, constants);
    if above != 0 {
        return exact(out, x, m, &pairs.pairs, constants);
    }
    room.look_up(kernels, lanes, pairs);
    kernels.power_shift(out, x, m, &room.found[..lanes], constants);
}

/// The index of each number's entry; `above` is not 0 if one of them is above `m`.
#[inline(always)]
pub(in super::super) fn places(index: &mut [i32], above: &mut i32, source: &[u8], m: i32, constants: Constants) {
    let Constants { fraction, between, .. } = constants;
    let mask = (1i32 << fraction) - 1;
    let mut most = i32::MIN;
    for (index, &x) in index.iter_mut().zip(source.as_chunks::<4>().0) {
        let x = i32::from_le_bytes(x);
        most = most.max(x);
        // The fraction has fewer bits than i32.
        *index = (x.wrapping_sub(m) & mask) >> between;
    }
    *above = i32::from(most > m);
}

/// For numbers that are not above `m`. Shifting out what lies between entries first rounds down, as the whole shift does: it
/// has more bits.
#[inline(always)]
pub(in super::super) fn shift(out: &mut [u8], source: &[u8], m: i32, pairs: &[i64], constants: Constants) {
    let Constants { fraction, between, one } = constants;
    let mask = (1i64 << between) - 1;
    let numbers = source.as_chunks::<4>().0.iter().zip(pairs);
    for (out, (&x, &pair)) in out.as_chunks_mut::<2>().0.iter_mut().zip(numbers) {
        let d = i64::from(i32::from_le_bytes(x)).wrapping_sub(m.into());
        let way = (pair >> 32).wrapping_mul(d & mask) >> between;
        let value = i64::from(i32::cut(pair)).wrapping_add(way);
        let shift = (one - i64::from(between)).wrapping_sub(d >> fraction).min(FAR);
        let rounded = value.wrapping_add(1i64.wrapping_shl((shift - 1) as u32)).wrapping_shr(shift as u32);
        *out = (rounded.max(i16::MIN.into()).min(i16::MAX.into()) as i16).to_le_bytes();
    }
}

/// The same for any numbers.
#[cold]
#[inline(never)]
fn exact(out: &mut [u8], source: &[u8], m: i32, pairs: &[i64], constants: Constants) {
    let Constants { fraction, between, one } = constants;
    for (out, &x) in out.as_chunks_mut::<2>().0.iter_mut().zip(source.as_chunks::<4>().0) {
        let d = i64::from(i32::from_le_bytes(x)) - i64::from(m);
        let f = d & ((1 << fraction) - 1);
        let pair = usize::try_from(f >> between).ok().and_then(|index| pairs.get(index)).copied().unwrap_or(0);
        let sum = (i64::from(i32::cut(pair)) << between) + (pair >> 32) * (f & ((1 << between) - 1));
        let value = scalar(Opcode::Rshr, sum, one - (d >> fraction), 0);
        *out = (DType::I16.saturate(value) as i16).to_le_bytes();
    }
}

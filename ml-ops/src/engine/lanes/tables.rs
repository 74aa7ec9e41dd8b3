//! Functions of one byte, which are tables: of all elements of a tensor, or of several whose elements stand one after another along
//! the last axis, as where tensors are put together.

mod look_up;

use opml_vm::{DType, Instruction, Op, Reducer, eval::scalar, isa::SLOT_CONST};
use rayon::prelude::*;

use super::{shuffle::loops, vbmi};
use crate::{
    engine::{
        Frame,
        load::{Extents, FIRST_K, Headers, LoadPlan, Place, size},
    },
    tier::Tier,
};
use look_up::{Table, look_up};

/// Bytes below which a second thread does not pay.
const PARALLEL: usize = 1 << 17;
/// Most loads: each has a table.
const LOADS: usize = 8;
/// Elements for which tables are worth making.
const MANY: i64 = 1 << 12;

/// An instruction of such functions.
#[derive(Debug, Clone)]
pub(super) struct Tables {
    /// Elements along the last axis that is longer than 1.
    width: usize,
    parts: Vec<Part>,
    /// Whether the CPU permutes bytes across whole vectors.
    wide: bool,
}

/// Elements along the last axis that follow one source.
#[derive(Debug, Clone)]
struct Part {
    start: usize,
    end: usize,
    place: Place,
    /// Position of the first one, at the first point of the other axes.
    base: i64,
    /// Extents and steps of the other axes, slowest first.
    outer: Vec<(i64, i64)>,
    table: Table,
}

impl Tables {
    /// `None` if the instruction is no such one.
    pub(super) fn new(instruction: &Instruction, extents: &Extents, header: Headers<'_>, tier: Tier) -> Option<Self> {
        let plain = instruction.reduction.is_empty() && instruction.post.is_empty();
        let elements: i64 = extents[..FIRST_K].iter().product();
        if !plain || !is_byte(instruction.dtype) || instruction.reducer == Reducer::Argmax || elements < MANY {
            return None;
        }
        let last = (0..FIRST_K).rev().find(|&axis| extents[axis] != 1)?;
        let mut covers = Vec::new();
        for (number, op) in instruction.map.iter().enumerate() {
            match op {
                Op::Load(load) => {
                    let plan = LoadPlan::new(instruction, load, extents, header)?;
                    covers.push((number, cover(&plan, last, extents)?, plan));
                }
                Op::Scalar { opcode, operands } => {
                    let coordinates = operands[..opcode.arity()].iter().any(|&slot| slot < SLOT_CONST);
                    if coordinates {
                        return None;
                    }
                }
            }
        }
        covers.sort_by_key(|(_, cover, _)| cover.0);
        let (mut end, mut parts) = (0, Vec::with_capacity(covers.len()));
        for (number, (start, stop), plan) in &covers {
            // Every element follows one load.
            if *start != end || covers.len() > LOADS {
                return None;
            }
            let (base, steps) = plan.linear();
            if steps[last] != 1 {
                return None;
            }
            let mut outer = *extents;
            outer[last..].fill(1);
            parts.push(Part {
                start: size(*start),
                end: size(*stop),
                place: plan.place,
                base: base + start,
                outer: loops(&outer, &steps),
                table: Table::new(table(instruction, *number, plan.dtype)),
            });
            end = *stop;
        }
        (end == extents[last]).then_some(Self { width: size(end), parts, wide: vbmi::is_possible(tier) })
    }

    /// Writes all elements; `false` if a source is not there.
    pub(super) fn run(&self, frame: Frame<'_>, bytes: &mut [u8]) -> bool {
        let sources = self.parts.iter().map(|part| Some(frame.tensor(part.place)?.bytes()));
        let Some(sources) = sources.collect::<Option<Vec<&[u8]>>>() else { return false };
        if bytes.len() < PARALLEL || rayon::current_num_threads() == 1 {
            self.rows(&sources, 0, bytes);
        } else {
            let rows = (PARALLEL / 4 / self.width).max(1);
            let chunks = bytes.par_chunks_mut(rows * self.width).enumerate();
            chunks.for_each(|(number, bytes)| self.rows(&sources, number * rows, bytes));
        }
        true
    }

    /// Rows from number `first` on.
    fn rows(&self, sources: &[&[u8]], first: usize, bytes: &mut [u8]) {
        for (part, source) in self.parts.iter().zip(sources) {
            let length = part.end - part.start;
            // Rows that lie one after another are one.
            if length == self.width && part.is_whole(length) {
                let start = size(part.base) + first * length;
                look_up(&part.table, source.get(start..start + bytes.len()).unwrap_or(&[]), bytes, self.wide);
                continue;
            }
            for (row, out) in (first..).zip(bytes.chunks_exact_mut(self.width)) {
                let start = part.position(row);
                let source = source.get(start..start + length).unwrap_or(&[]);
                look_up(&part.table, source, &mut out[part.start..part.end], self.wide);
            }
        }
    }
}

impl Part {
    /// Where a row begins.
    fn position(&self, row: usize) -> usize {
        let mut rest = i64::try_from(row).unwrap_or(0);
        let mut position = self.base;
        for &(extent, step) in self.outer.iter().rev() {
            position += rest % extent * step;
            rest /= extent;
        }
        size(position)
    }

    /// Whether the rows follow each other.
    fn is_whole(&self, length: usize) -> bool {
        matches!(self.outer.as_slice(), [] | [_]) && self.outer.iter().all(|&(_, step)| size(step) == length)
    }
}

const fn is_byte(dtype: DType) -> bool {
    matches!(dtype, DType::U8 | DType::I8)
}

/// The elements along the last axis for which a load of bytes is valid, if that does not depend on the others.
fn cover(plan: &LoadPlan, last: usize, extents: &Extents) -> Option<(i64, i64)> {
    let known = plan.place != Place::Nowhere && is_byte(plan.dtype) && plan.slots().next().is_none();
    let size = plan.axes.iter().fold(1i128, |n, axis| n.saturating_mul(i128::from(axis.extent)));
    if !known || size > i128::from(plan.elements) {
        return None;
    }
    let (mut start, mut end) = (0, extents[last]);
    for axis in &plan.axes {
        match axis.coordinates.as_slice() {
            &[(coordinate, 1)] if coordinate == last => {
                start = start.max(axis.base.checked_neg()?);
                end = end.min(axis.extent.checked_sub(axis.base)?);
            }
            _ if axis.range.0 < 0 || axis.range.1 >= axis.extent => return None,
            _ => {}
        }
    }
    (start < end).then_some((start, end))
}

/// What the map makes of each byte of one load while all others give their pads.
fn table(instruction: &Instruction, number: usize, dtype: DType) -> [u8; 256] {
    let base = usize::from(SLOT_CONST) + instruction.constants.len();
    let mut table = [0; 256];
    for byte in 0..=u8::MAX {
        let value = if dtype == DType::I8 { i64::from(byte.cast_signed()) } else { i64::from(byte) };
        let mut results: Vec<i64> = Vec::with_capacity(instruction.map.len());
        for (place, op) in instruction.map.iter().enumerate() {
            let result = match op {
                Op::Load(_) if place == number => value,
                Op::Load(load) => load.pad,
                Op::Scalar { opcode, operands } => {
                    let [a, b, c] = operands.map(|slot| match usize::from(slot).checked_sub(base) {
                        Some(result) => results.get(result).copied().unwrap_or(0),
                        None => constant(instruction, slot),
                    });
                    scalar(*opcode, a, b, c)
                }
            };
            results.push(result);
        }
        let stored = instruction.dtype.saturate(results.last().copied().unwrap_or(0));
        let [low, ..] = stored.to_le_bytes();
        table[usize::from(byte)] = low;
    }
    table
}

/// A constant; unused operands are none.
fn constant(instruction: &Instruction, slot: u8) -> i64 {
    let place = slot.checked_sub(SLOT_CONST).map(usize::from);
    place.and_then(|place| instruction.constants.get(place)).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use opml_vm::Source;

    use super::*;
    use crate::{
        engine::{interval::Interval, load::Header},
        lower::{self, Builder, Part as Joined, Requant, Scale},
    };

    /// Whether tensors of 100 rows, joined along an axis, are recognised.
    fn is_known(dtype: DType, axis: usize) -> bool {
        let mut builder = Builder::new();
        let part = |width| Joined {
            view: builder.input(dtype, &[100, width]),
            zero_point: 3,
            multiplier: Some(width * 10_000),
        };
        let parts = [60, if axis == 1 { 40 } else { 60 }].map(part);
        let scale = Scale { multipliers: vec![1], shift: 20 };
        let requant = Requant { dtype, scale, zero_point: 3, low: dtype.min(), high: dtype.max() };
        lower::concat(&mut builder, &parts, axis, &requant).unwrap();
        let program = builder.finish().unwrap();
        let header = |source: &Source| {
            let Source::Input(number) = *source else { return None };
            let input = program.inputs()[usize::try_from(number).unwrap()];
            let (dtype, elements) = (input.dtype, input.elements);
            Some(Header { place: Place::Input(number), dtype, elements, tau: 0, range: Interval::ALL })
        };
        let instruction = &program.instructions()[0];
        let extents = crate::engine::load::extents(instruction, 0);
        Tables::new(instruction, &extents, &header, Tier::best()).is_some()
    }

    #[test]
    fn bytes_side_by_side_are_known() {
        assert!(is_known(DType::U8, 1) && is_known(DType::I8, 1));
        // Rows of one tensor after those of another, and larger numbers.
        assert!(!is_known(DType::U8, 0) && !is_known(DType::I16, 1));
    }
}

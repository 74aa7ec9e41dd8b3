//! Loads as they run: runs of each row, with what lies outside filled by the pad; gathers; single elements.

use opml_vm::{DType, Tensor, tensor::element_at};

use super::{
    code::{LANES, LoadCode, Path},
    machine::Slots,
    number::Number,
    simd::Kernels,
    space::Block,
};
use crate::engine::load::size;

/// Room for one number a row.
#[derive(Debug)]
pub(super) struct Scratch {
    offsets: Vec<i64>,
    check: Vec<i64>,
    /// Valid lanes of each row.
    valid: Vec<(usize, usize)>,
}

impl Scratch {
    pub(super) const fn new() -> Self {
        Self { offsets: Vec::new(), check: Vec::new(), valid: Vec::new() }
    }
}

/// Reads evenly spaced elements of each row.
pub(super) fn run<O: Number>(
    load: &LoadCode,
    tensor: &Tensor,
    (slots, kernels): (&Slots, Kernels),
    block: Block,
    scratch: &mut Scratch,
    out: &mut [O],
) {
    along_rows(&load.position, slots, block, &mut scratch.offsets);
    let source = (load.dtype, tensor.bytes());
    if load.checks.is_empty() {
        let place = (scratch.offsets.as_slice(), load.position.lane);
        return kernels.read_rows(out, source, place, block.lanes);
    }
    scratch.valid.clear();
    scratch.valid.resize(block.rows, (0, block.lanes));
    for (path, extent) in &load.checks {
        along_rows(path, slots, block, &mut scratch.check);
        for (valid, &start) in scratch.valid.iter_mut().zip(&scratch.check) {
            let (low, high) = inside(start, path.lane, *extent, block.lanes);
            *valid = (valid.0.max(low), valid.1.min(high));
        }
    }
    let place = (scratch.offsets.as_slice(), load.position.lane);
    if scratch.valid.iter().all(|&valid| valid == (0, block.lanes)) {
        return kernels.read_rows(out, source, place, block.lanes);
    }
    kernels.read_inside(out, source, place, &scratch.valid, load.pad);
}

/// The sum at the first lane of each row.
fn along_rows(path: &Path, slots: &Slots, block: Block, out: &mut Vec<i64>) {
    let start = slots.base(path).wrapping_add(path.lane.wrapping_mul(i64::try_from(block.lane).unwrap_or(0)));
    out.clear();
    out.resize(block.rows, start);
    for &(slot, coefficient) in &path.rows {
        for (out, &value) in out.iter_mut().zip(&slots.rows[slot]) {
            *out = out.wrapping_add(coefficient.wrapping_mul(value));
        }
    }
}

/// The lanes of `0..lanes` at which `start + step · lane` lies in `0..extent`.
fn inside(start: i64, step: i64, extent: i64, lanes: usize) -> (usize, usize) {
    let lane = |n: i64| size(n.max(0)).min(lanes);
    // Sums below 2^62 in magnitude; extents below 2^62.
    match step {
        0 if (0..extent).contains(&start) => (0, lanes),
        0 => (0, 0),
        1.. => (lane(ceil(-start, step)), lane(ceil(extent - start, step))),
        _ => (lane(ceil(start - extent + 1, -step)), lane(ceil(start + 1, -step))),
    }
}

/// `⌈a / b⌉` for `b > 0`.
const fn ceil(a: i64, b: i64) -> i64 {
    let quotient = a.wrapping_div_euclid(b);
    if a.wrapping_rem_euclid(b) == 0 { quotient } else { quotient + 1 }
}

/// Reads an element a lane, anywhere.
pub(super) fn gather<O: Number>(
    load: &LoadCode,
    tensor: &Tensor,
    slots: &Slots,
    registers: &[&[i64]],
    block: Block,
    out: &mut [O],
) {
    if !load.bounded {
        for (number, out) in out.iter_mut().enumerate() {
            let place = (number / block.lanes, number % block.lanes + block.lane);
            let sum = |path: &Path| exact(path, slots, registers, place, number);
            *out = O::cut(exact_position(load, sum).map_or(load.pad, |position| element(load, tensor, position)));
        }
        return;
    }
    let mut valid = [true; LANES];
    let mut sums = [0; LANES];
    for (path, extent) in &load.checks {
        along_lanes(path, slots, registers, block, &mut sums[..out.len()]);
        for (valid, sum) in valid.iter_mut().zip(&sums[..out.len()]) {
            *valid &= (0..*extent).contains(sum);
        }
    }
    along_lanes(&load.position, slots, registers, block, &mut sums[..out.len()]);
    let places = (&sums[..], &valid[..]);
    match load.dtype {
        DType::U8 => pick(load, tensor, places, out, |[byte]: [u8; 1]| i64::from(byte)),
        DType::I8 => pick(load, tensor, places, out, |byte: [u8; 1]| i64::from(i8::from_le_bytes(byte))),
        DType::I16 => pick(load, tensor, places, out, |bytes: [u8; 2]| i64::from(i16::from_le_bytes(bytes))),
        DType::I32 => pick(load, tensor, places, out, |bytes: [u8; 4]| i64::from(i32::from_le_bytes(bytes))),
        DType::I64 => pick(load, tensor, places, out, i64::from_le_bytes),
        DType::I4 => {
            for ((out, &position), &valid) in out.iter_mut().zip(&sums).zip(&valid) {
                *out = O::cut(if valid { element(load, tensor, position) } else { load.pad });
            }
        }
    }
}

/// The elements at positions, or the pad where they are not valid.
fn pick<O: Number, const W: usize>(
    load: &LoadCode,
    tensor: &Tensor,
    (positions, valid): (&[i64], &[bool]),
    out: &mut [O],
    value: impl Fn([u8; W]) -> i64,
) {
    let elements = tensor.bytes().as_chunks::<W>().0;
    for ((out, &position), &valid) in out.iter_mut().zip(positions).zip(valid) {
        let element = usize::try_from(position).ok().filter(|_| valid).and_then(|position| elements.get(position));
        *out = O::cut(element.map_or(load.pad, |&bytes| value(bytes)));
    }
}

/// The sum of each lane.
fn along_lanes(path: &Path, slots: &Slots, registers: &[&[i64]], block: Block, out: &mut [i64]) {
    let first = path.lane.wrapping_mul(i64::try_from(block.lane).unwrap_or(0));
    for (number, row) in out.chunks_exact_mut(block.lanes).enumerate() {
        let mut sum = slots.at(path, number).wrapping_add(first);
        for out in row {
            *out = sum;
            sum = sum.wrapping_add(path.lane);
        }
    }
    for &(place, coefficient) in &path.lanes {
        for (out, &value) in out.iter_mut().zip(registers[place]) {
            *out = out.wrapping_add(coefficient.wrapping_mul(value));
        }
    }
}

fn element(load: &LoadCode, tensor: &Tensor, position: i64) -> i64 {
    let position = u64::try_from(position).unwrap_or(u64::MAX);
    element_at(load.dtype, tensor.bytes(), position).unwrap_or(load.pad)
}

/// The element of a load that is the same in all lanes of a row.
pub(super) fn single(load: &LoadCode, tensor: Option<&Tensor>, slots: &Slots, row: usize) -> i64 {
    let Some(tensor) = tensor.filter(|_| !load.never) else { return load.pad };
    if !load.bounded {
        let position = exact_position(load, |path| exact(path, slots, &[], (row, 0), 0));
        return position.map_or(load.pad, |position| element(load, tensor, position));
    }
    let valid = load.checks.iter().all(|(path, extent)| (0..*extent).contains(&slots.at(path, row)));
    if valid { element(load, tensor, slots.at(&load.position, row)) } else { load.pad }
}

/// The position from exact indices, if it is valid.
fn exact_position(load: &LoadCode, sum: impl Fn(&Path) -> i128) -> Option<i64> {
    let mut position: i128 = 0;
    for (path, extent) in &load.axes {
        let index = sum(path);
        if !(0..i128::from(*extent)).contains(&index) {
            return None;
        }
        // The extents' product is below 2^62.
        position = position * i128::from(*extent) + index;
    }
    i64::try_from(position).ok().filter(|&position| position < load.elements)
}

/// A sum without any modulus: at most 20 products below 2^94.
fn exact(path: &Path, slots: &Slots, registers: &[&[i64]], (row, lane): (usize, usize), number: usize) -> i128 {
    let uniform = path.uniform.iter().map(|&(slot, c)| (c, slots.uniform[slot]));
    let rows = path.rows.iter().map(|&(slot, c)| (c, slots.rows[slot][row]));
    let lanes = path.lanes.iter().map(|&(place, c)| (c, registers[place][number]));
    let own = (path.lane, i64::try_from(lane).unwrap_or(0));
    let products = uniform.chain(rows).chain(lanes).chain(std::iter::once(own));
    products.fold(i128::from(path.base), |sum, (c, value)| sum + i128::from(c) * i128::from(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_inside() {
        for (start, step) in (-9..10).flat_map(|start| (-4..5).map(move |step| (start, step))) {
            for (extent, lanes) in (0..6).flat_map(|extent| [0, 1, 5].map(|lanes| (extent, lanes))) {
                let expected: Vec<i64> =
                    (0..lanes).filter(|lane| (0..extent).contains(&(start + step * lane))).collect();
                let (low, high) = inside(start, step, extent, size(lanes));
                let found: Vec<i64> = (low..high.max(low)).map(|lane| i64::try_from(lane).unwrap()).collect();
                assert_eq!(found, expected, "{start} {step} {extent} {lanes}");
            }
        }
    }
}

//! Greatest numbers and magnitudes, sums, and sums of squares of rows, and what follows for each row.

use opml_vm::{
    DType, Op, Opcode, Reducer,
    eval::{saturate, scalar},
    isa::{SLOT_ACC, SLOT_CONST},
};

use super::{
    super::simd::Kernels,
    pattern::{Flat, Pattern, count},
};
use crate::engine::{
    Frame,
    load::{Extents, FIRST_K},
    pack,
};

/// Lanes of a step.
const LANES: usize = 16;
/// Lanes of 64 bits: totals that stay in one register.
const WIDE: usize = 8;
/// Numbers of 16 bits whose sum fits i32.
const SHORT: usize = 1 << 15;
/// Rows that are reduced before what follows.
const ROWS: usize = 64;
/// Most operations that follow, over all rows.
const AFTER: i64 = 256;

/// What is reduced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Kind {
    /// Greatest magnitude of i32.
    Magnitude,
    Greatest,
    Sum,
    /// `Σ ⌊x² / 2^s + 1/2⌋` of i32.
    Squares(u32),
}

/// A reduction of rows that lie one after another.
#[derive(Debug, Clone)]
pub(in super::super) struct Reduce {
    kind: Kind,
    source: Flat,
    dtype: DType,
    after: Vec<(Opcode, [Operand; 3])>,
}

/// What an operation after the reduction reads.
#[derive(Debug, Clone, Copy)]
enum Operand {
    Reduced,
    Number(i64),
    /// The result of an earlier one.
    Result(usize),
}

impl Reduce {
    pub(super) fn new(pattern: &Pattern<'_>) -> Option<Self> {
        let instruction = pattern.instruction;
        if instruction.reduction.is_empty() {
            return None;
        }
        let output = pattern.analysis.output;
        let source = |slot: usize| pattern.flat(slot, &pattern.axes());
        let (kind, source) = match (instruction.reducer, pattern.op(output)) {
            (Reducer::Max, None) => (Kind::Greatest, source(output)?),
            (Reducer::Max, Some((Opcode::Abs, [x, ..]))) => (Kind::Magnitude, source(x)?),
            (Reducer::Sum, None) => (Kind::Sum, source(output)?),
            (Reducer::Sum, Some((Opcode::Mulshr, [x, y, s]))) if x == y => {
                (Kind::Squares(pattern.shift(s)?), source(x)?)
            }
            _ => return None,
        };
        let known = match kind {
            Kind::Magnitude | Kind::Squares(_) => source.dtype == DType::I32,
            Kind::Greatest | Kind::Sum => matches!(source.dtype, DType::I16 | DType::I32),
        };
        let rows = count(&pattern.extents[..FIRST_K]);
        let after = after(pattern)?;
        let few = i64::try_from(rows.saturating_mul(after.len())).is_ok_and(|work| work <= AFTER);
        (known && few).then_some(Self { kind, source, dtype: instruction.dtype, after })
    }

    /// The rows.
    pub(super) fn source<'a>(&self, frame: Frame<'a>, extents: &Extents) -> Option<&'a [u8]> {
        self.source.bytes(frame, count(extents))
    }

    pub(super) fn run(&self, kernels: Kernels, frame: Frame<'_>, extents: &Extents, bytes: &mut [u8]) -> Option<()> {
        let source = self.source(frame, extents)?;
        let row = count(&extents[FIRST_K..]) * pack::width(self.source.dtype);
        let width = pack::width(self.dtype);
        let mut numbers = [0; ROWS];
        for (source, bytes) in source.chunks(ROWS * row).zip(bytes.chunks_mut(ROWS * width)) {
            let numbers = &mut numbers[..bytes.len() / width];
            kernels.reduce_rows(numbers, source, self.kind, self.source.dtype);
            if !self.after.is_empty() {
                numbers.iter_mut().for_each(|number| *number = self.follow(*number));
            }
            kernels.write(bytes, self.dtype, numbers);
        }
        Some(())
    }

    /// What follows the reduction.
    fn follow(&self, reduced: i64) -> i64 {
        let mut results = [0; 16];
        let mut last = reduced;
        for (number, (opcode, operands)) in self.after.iter().enumerate() {
            let [a, b, c] = operands.map(|operand| match operand {
                Operand::Reduced => reduced,
                Operand::Number(number) => number,
                Operand::Result(number) => results[number],
            });
            last = scalar(*opcode, a, b, c);
            results[number] = last;
        }
        last
    }
}

/// The operations after the reduction, if they follow nothing but its result.
fn after(pattern: &Pattern<'_>) -> Option<Vec<(Opcode, [Operand; 3])>> {
    let instruction = pattern.instruction;
    let first = usize::from(SLOT_CONST) + instruction.constants.len();
    let operand = |slot: u8| match usize::from(slot) {
        slot if slot == usize::from(SLOT_ACC) => Some(Operand::Reduced),
        slot if slot >= first => Some(Operand::Result(slot - first)),
        slot => Some(Operand::Number(*instruction.constants.get(slot.checked_sub(usize::from(SLOT_CONST))?)?)),
    };
    let step = |op: &Op| {
        let Op::Scalar { opcode, operands } = op else { return None };
        let mut read = [Operand::Number(0); 3];
        for (read, &slot) in read.iter_mut().zip(operands).take(opcode.arity().min(3)) {
            *read = operand(slot)?;
        }
        Some((*opcode, read))
    };
    (instruction.post.len() <= 16).then(|| instruction.post.iter().map(step).collect())?
}

/// A number for each row.
#[inline(always)]
pub(in super::super) fn rows(out: &mut [i64], bytes: &[u8], kind: Kind, dtype: DType) {
    match (kind, dtype) {
        (Kind::Magnitude, _) => each(out, bytes, Magnitude),
        (Kind::Squares(shift), _) => each(out, bytes, Squares(shift)),
        (Kind::Greatest, DType::I16) => each(out, bytes, GreatestShort),
        (Kind::Greatest, _) => each(out, bytes, GreatestLong),
        (Kind::Sum, DType::I16) => each(out, bytes, SumShort),
        (Kind::Sum, _) => each(out, bytes, SumLong),
    }
}

/// What reduces a row of numbers of `W` bytes; types, since closures would not be compiled for the tier of their caller.
trait Row<const W: usize>: Copy {
    fn reduce(self, row: &[[u8; W]]) -> i64;
}

#[inline(always)]
fn each<const W: usize>(out: &mut [i64], bytes: &[u8], row: impl Row<W>) {
    let numbers = bytes.as_chunks::<W>().0;
    let width = numbers.len() / out.len().max(1);
    if width == 2 * LANES {
        // Blocks of quantised numbers: loops of known length.
        for (out, numbers) in out.iter_mut().zip(numbers.as_chunks::<{ 2 * LANES }>().0) {
            *out = row.reduce(numbers);
        }
    } else {
        for (out, numbers) in out.iter_mut().zip(numbers.chunks_exact(width.max(1))) {
            *out = row.reduce(numbers);
        }
    }
}

#[derive(Clone, Copy)]
struct Magnitude;
#[derive(Clone, Copy)]
struct GreatestShort;
#[derive(Clone, Copy)]
struct GreatestLong;
#[derive(Clone, Copy)]
struct SumShort;
#[derive(Clone, Copy)]
struct SumLong;
#[derive(Clone, Copy)]
struct Squares(u32);

impl Row<4> for Magnitude {
    #[inline(always)]
    fn reduce(self, row: &[[u8; 4]]) -> i64 {
        fold(row, [0; 4], 0, |most: u32, bytes| most.max(i32::from_le_bytes(bytes).unsigned_abs()), u32::max).into()
    }
}

impl Row<2> for GreatestShort {
    #[inline(always)]
    fn reduce(self, row: &[[u8; 2]]) -> i64 {
        fold(row, i16::MIN.to_le_bytes(), i16::MIN, |most, bytes| most.max(i16::from_le_bytes(bytes)), i16::max).into()
    }
}

impl Row<4> for GreatestLong {
    #[inline(always)]
    fn reduce(self, row: &[[u8; 4]]) -> i64 {
        fold(row, i32::MIN.to_le_bytes(), i32::MIN, |most, bytes| most.max(i32::from_le_bytes(bytes)), i32::max).into()
    }
}

impl Row<2> for SumShort {
    #[inline(always)]
    fn reduce(self, row: &[[u8; 2]]) -> i64 {
        let mut sum = 0;
        for row in row.chunks(SHORT) {
            let add = |sum: i32, bytes| sum.wrapping_add(i16::from_le_bytes(bytes).into());
            sum += i64::from(fold(row, [0; 2], 0, add, i32::wrapping_add));
        }
        sum
    }
}

impl Row<4> for SumLong {
    #[inline(always)]
    fn reduce(self, row: &[[u8; 4]]) -> i64 {
        fold(row, [0; 4], 0, |sum: i64, bytes| sum.wrapping_add(i32::from_le_bytes(bytes).into()), i64::wrapping_add)
    }
}

/// The exact sum of up to 2^31 squares below 2^62, saturated. It is `2^32 · high + low`, where `high` sums what is above 32
/// bits and `low`, below 2^63, is what the sum modulo 2^64 has beyond that.
impl Row<4> for Squares {
    #[inline(always)]
    fn reduce(self, row: &[[u8; 4]]) -> i64 {
        let (shift, half) = (self.0, 1u64 << (self.0 - 1));
        let square = |&bytes: &[u8; 4]| {
            let x = i64::from(i32::from_le_bytes(bytes));
            // At most 2^62 + 2^61.
            x.wrapping_mul(x).cast_unsigned().wrapping_add(half) >> shift
        };
        let (blocks, rest) = row.as_chunks::<WIDE>();
        let (mut all, mut high) = ([0u64; WIDE], [0u64; WIDE]);
        for block in blocks {
            for ((all, high), bytes) in all.iter_mut().zip(&mut high).zip(block) {
                let square = square(bytes);
                *all = all.wrapping_add(square);
                *high = high.wrapping_add(square >> 32);
            }
        }
        for ((all, high), bytes) in all.iter_mut().zip(&mut high).zip(rest) {
            let square = square(bytes);
            *all = all.wrapping_add(square);
            *high = high.wrapping_add(square >> 32);
        }
        let (all, high) = (halves(all, u64::wrapping_add), halves(high, u64::wrapping_add));
        let low = all.wrapping_sub(high << 32);
        saturate((i128::from(high) << 32) + i128::from(low))
    }
}

/// `pad`, which changes nothing, fills the last block: lanes one by one would be slow.
#[inline(always)]
fn fold<T: Copy, const W: usize>(
    row: &[[u8; W]],
    pad: [u8; W],
    start: T,
    f: impl Fn(T, [u8; W]) -> T,
    both: impl Fn(T, T) -> T,
) -> T {
    let (blocks, rest) = row.as_chunks::<LANES>();
    let mut totals = [start; LANES];
    for block in blocks {
        totals.iter_mut().zip(block).for_each(|(total, &bytes)| *total = f(*total, bytes));
    }
    if !rest.is_empty() {
        let mut last = [pad; LANES];
        last[..rest.len()].copy_from_slice(rest);
        totals.iter_mut().zip(&last).for_each(|(total, &bytes)| *total = f(*total, bytes));
    }
    halves(totals, both)
}

#[inline(always)]
fn halves<T: Copy, const N: usize>(mut totals: [T; N], both: impl Fn(T, T) -> T) -> T {
    let mut half = N / 2;
    while half > 0 {
        for lane in 0..half {
            totals[lane] = both(totals[lane], totals[lane + half]);
        }
        half /= 2;
    }
    totals[0]
}

//! Sums of products of two affine loads: matrix products and convolutions.
//!
//! The trailing output axes that one factor does not follow are columns; all others are rows. For each row that factor is
//! gathered once; the other factor's rows are gathered beforehand, at compile time if it is a constant.

use opml_vm::{DType, Instruction, Op, Opcode, Program, Reducer, Tensor, isa::SLOT_CONST};
use rayon::prelude::*;

use super::{
    Frame,
    lanes::{Post, Workspace},
    load::{self, Extents, FIRST_K, Headers, LoadPlan, Place, size},
    pack,
    rows::{Factor, Number},
};

/// Products below which a second thread does not pay.
const PARALLEL: usize = 1 << 18;
/// Most bytes that the rows of a factor may take.
const ROWS_LIMIT: i64 = 1 << 30;
/// Terms below which a row that serves one column is not worth gathering: elements side by side are faster.
const FEW: i64 = 32;
/// Terms that a plan lists.
const TERMS_LIMIT: i64 = 1 << 24;

/// A sum of products.
#[derive(Debug, Clone)]
pub(super) struct Dot {
    dtype: DType,
    extents: Extents,
    constants: Vec<i64>,
    elements: i64,
    terms: i64,
    /// Gathered once for each row.
    row: Factor,
    /// Gathered once for each of its own points.
    column: Factor,
    /// First column axis: output axes from here on are columns.
    split: usize,
    /// Columns.
    columns: i64,
    kernel: Kernel,
    post: Post,
}

/// Width of the rows, with those of a constant column factor.
#[derive(Debug, Clone)]
enum Kernel {
    /// Rows of i16; this many terms sum exactly in i32.
    Narrow { chunk: usize, columns: Option<Vec<i16>> },
    /// Rows of i32; all terms sum exactly in i64.
    Wide { columns: Option<Vec<i32>> },
}

impl Dot {
    /// `None` if the instruction is not a sum of products, or its numbers are too large for the kernels.
    pub(super) fn new(program: &Program, instruction: &Instruction, t: u64, header: Headers<'_>) -> Option<Self> {
        let (extents, elements, terms) = shape(instruction, t)?;
        let [a, b] = factors(instruction, &extents, terms, header)?;
        let (row, column, split) = roles(a, b)?;
        if (split..FIRST_K).any(|axis| extents[axis] != 1 && !column.load.follows(axis..axis + 1)) {
            return None;
        }
        let columns: i64 = extents[split..FIRST_K].iter().product();
        if columns == 1 && terms < FEW && elements > FEW {
            return None;
        }
        if points(&column, &extents).saturating_mul(terms) > ROWS_LIMIT / 4 {
            return None;
        }
        let magnitude = |factor: &Factor| {
            let (low, high) = factor.range();
            low.abs().max(high.abs())
        };
        let narrow = |factor: &Factor| {
            let (low, high) = factor.range();
            low >= i128::from(i16::MIN) && high <= i128::from(i16::MAX)
        };
        let wide = |factor: &Factor| {
            let (low, high) = factor.range();
            low >= i128::from(i32::MIN) && high <= i128::from(i32::MAX)
        };
        let product = magnitude(&row).max(1).checked_mul(magnitude(&column).max(1))?;
        let fits = product.checked_mul(i128::from(terms)).is_some_and(|sum| sum < 1 << 62);
        let chunk = usize::try_from(i128::from(i32::MAX) / product).unwrap_or(0);
        let constant = match column.load.place {
            Place::Constant(n) => program.constants().get(usize::try_from(n).ok()?),
            _ => None,
        };
        let kernel = if narrow(&row) && narrow(&column) && chunk >= 64 && fits {
            Kernel::Narrow { chunk, columns: constant.map(|tensor| all_rows(&column, tensor, &extents, terms)) }
        } else if wide(&row) && wide(&column) && fits {
            Kernel::Wide { columns: constant.map(|tensor| all_rows(&column, tensor, &extents, terms)) }
        } else {
            return None;
        };
        let post = Post::new(instruction, &extents, header)?;
        let constants = instruction.constants.clone();
        let dtype = instruction.dtype;
        Some(Self { dtype, extents, constants, elements, terms, row, column, split, columns, kernel, post })
    }

    /// The instruction's value.
    pub(super) fn run(&self, frame: Frame<'_>) -> Tensor {
        let empty = Tensor::empty();
        let row = frame.tensor(self.row.load.place).unwrap_or(&empty);
        let column = frame.tensor(self.column.load.place).unwrap_or(&empty);
        let mut acc = vec![0; size(self.elements)];
        match &self.kernel {
            Kernel::Narrow { chunk, columns } => {
                let chunk = *chunk;
                self.sums(row, column, columns.as_deref(), &mut acc, |a, b| narrow(a, b, chunk));
            }
            Kernel::Wide { columns } => self.sums(row, column, columns.as_deref(), &mut acc, wide),
        }
        let width = pack::width(self.dtype);
        let mut bytes = vec![0; acc.len() * width];
        let workspace = || Workspace::with(&self.constants, self.post.len(), self.extents, frame);
        let part = 1 << 12;
        if acc.len() <= part {
            self.post.run(self.dtype, 0, &acc, &mut bytes, &mut workspace());
        } else {
            let parts = bytes.par_chunks_mut(part * width).zip(acc.par_chunks(part)).enumerate();
            parts.for_each_init(workspace, |lanes, (number, (bytes, acc))| {
                self.post.run(self.dtype, number * part, acc, bytes, lanes);
            });
        }
        pack::tensor(self.dtype, self.elements, bytes)
    }

    /// All reduced values.
    fn sums<T: Number>(
        &self,
        row: &Tensor,
        column: &Tensor,
        ready: Option<&[T]>,
        acc: &mut [i64],
        dot: impl Fn(&[T], &[T]) -> i64 + Sync,
    ) {
        let gathered;
        let column_rows = match ready {
            Some(rows) => rows,
            None => {
                gathered = all_rows(&self.column, column, &self.extents, self.terms);
                &gathered
            }
        };
        let (columns, k) = (size(self.columns), size(self.terms));
        let fill = |buffer: &mut Vec<T>, number: usize, acc: &mut [i64], first: usize| {
            let point = self.row_point(number);
            if buffer.is_empty() {
                buffer.resize(k, T::default());
            }
            self.row.gather(row, &point, buffer);
            let start = self.block(&point) * columns + first;
            for (sum, column) in acc.iter_mut().zip(column_rows[start * k..].chunks_exact(k)) {
                *sum = dot(buffer, column);
            }
        };
        let rows = acc.len() / columns.max(1);
        if acc.len().saturating_mul(k) < PARALLEL {
            let mut buffer = Vec::new();
            for (number, acc) in acc.chunks_mut(columns).enumerate() {
                fill(&mut buffer, number, acc, 0);
            }
        } else if rows > 1 {
            let work = acc.par_chunks_mut(columns).enumerate().with_min_len((PARALLEL / 8 / (columns * k)).max(1));
            work.for_each_init(Vec::new, |buffer, (number, acc)| fill(buffer, number, acc, 0));
        } else {
            let part = (PARALLEL / 8 / k).max(1);
            let work = acc.par_chunks_mut(part).enumerate();
            work.for_each_init(Vec::new, |buffer, (number, acc)| fill(buffer, 0, acc, number * part));
        }
    }

    /// Output coordinates of a row.
    fn row_point(&self, number: usize) -> [i64; 16] {
        let mut point = [0; 16];
        let mut rest = i64::try_from(number).unwrap_or(i64::MAX);
        for axis in (0..self.split).rev() {
            point[axis] = rest % self.extents[axis];
            rest /= self.extents[axis];
        }
        point
    }

    /// Number of the column factor's block of rows at a row of the result.
    fn block(&self, point: &[i64; 16]) -> usize {
        let own = (0..self.split).filter(|&axis| self.column.load.follows(axis..axis + 1));
        size(own.fold(0, |number, axis| number * self.extents[axis] + point[axis]))
    }
}

/// Extents, elements and terms of a sum; `None` if it is none, or an empty or an enormous one.
pub(super) fn shape(instruction: &Instruction, t: u64) -> Option<(Extents, i64, i64)> {
    if instruction.reducer != Reducer::Sum || instruction.reduction.is_empty() {
        return None;
    }
    let elements = i64::try_from(instruction.elements(t)).ok().filter(|&n| n > 0)?;
    let terms = i64::try_from(instruction.terms(t)).ok().filter(|&n| n > 0 && n <= TERMS_LIMIT)?;
    Some((load::extents(instruction, t), elements, terms))
}

/// Output points that a factor distinguishes.
fn points(factor: &Factor, extents: &Extents) -> i64 {
    let own = (0..FIRST_K).filter(|&axis| factor.load.follows(axis..axis + 1));
    own.fold(1, |n: i64, axis| n.saturating_mul(extents[axis]))
}

/// Rows of a factor at all output points that it distinguishes, row-major.
pub(super) fn all_rows<T: Number>(factor: &Factor, tensor: &Tensor, extents: &Extents, terms: i64) -> Vec<T> {
    let mut own = *extents;
    for axis in (0..FIRST_K).filter(|&axis| !factor.load.follows(axis..axis + 1)) {
        own[axis] = 1;
    }
    let count = own[..FIRST_K].iter().product::<i64>();
    let mut rows = vec![T::default(); size(count * terms)];
    let mut point = [0; 16];
    for row in rows.chunks_exact_mut(size(terms)) {
        factor.gather(tensor, &point, row);
        load::advance(&own, 0, &mut point);
    }
    rows
}

/// The two factors of `map`: loads, each maybe with a constant added or subtracted, and nothing else.
pub(super) fn factors(
    instruction: &Instruction,
    extents: &Extents,
    terms: i64,
    header: Headers<'_>,
) -> Option<[Factor; 2]> {
    let base = usize::from(SLOT_CONST) + instruction.constants.len();
    let op = |slot: u8| instruction.map.get(usize::from(slot).checked_sub(base)?);
    let constant = |slot: u8| instruction.constants.get(usize::from(slot.checked_sub(SLOT_CONST)?)).copied();
    let factor = |slot: u8| -> Option<Factor> {
        let (load, offset) = match op(slot)? {
            Op::Load(load) => (load, 0),
            Op::Scalar { opcode: Opcode::Sub, operands: [x, c, _] } => match op(*x)? {
                Op::Load(load) => (load, constant(*c)?.checked_neg()?),
                Op::Scalar { .. } => return None,
            },
            Op::Scalar { opcode: Opcode::Add, operands: [x, c, _] } => match op(*x)? {
                Op::Load(load) => (load, constant(*c)?),
                Op::Scalar { .. } => return None,
            },
            Op::Scalar { .. } => return None,
        };
        let plan = LoadPlan::new(instruction, load, extents, header)?;
        let plain = plan.slots().next().is_none() && plan.place != Place::Nowhere;
        plain.then(|| Factor::new(plan, offset, extents, terms))
    };
    match instruction.map.last()? {
        Op::Scalar { opcode: Opcode::Mul, operands: [a, b, _] } => Some([factor(*a)?, factor(*b)?]),
        _ => None,
    }
}

/// Which factor is gathered for each row, which for the columns, and the first column axis.
fn roles(a: Factor, b: Factor) -> Option<(Factor, Factor, usize)> {
    let split =
        |row: &Factor| (0..FIRST_K).rev().find(|&axis| row.load.follows(axis..axis + 1)).map_or(0, |axis| axis + 1);
    let constant = |factor: &Factor| matches!(factor.load.place, Place::Constant(_));
    let swap = match (constant(&a), constant(&b)) {
        (true, false) => true,
        (false, true) => false,
        _ => split(&b) < split(&a),
    };
    let (row, column) = if swap { (b, a) } else { (a, b) };
    let split = split(&row);
    Some((row, column, split))
}

/// Exact sum of products of 16-bit numbers; `chunk` of them fit 32 bits.
fn narrow(a: &[i16], b: &[i16], chunk: usize) -> i64 {
    let part = |a: &[i16], b: &[i16]| -> i32 {
        a.iter().zip(b).map(|(&x, &y)| i32::from(x) * i32::from(y)).fold(0, i32::wrapping_add)
    };
    if a.len() <= chunk {
        return i64::from(part(a, b));
    }
    a.chunks(chunk).zip(b.chunks(chunk)).map(|(a, b)| i64::from(part(a, b))).sum()
}

/// Exact sum of products of 32-bit numbers whose sum fits 63 bits.
fn wide(a: &[i32], b: &[i32]) -> i64 {
    a.iter().zip(b).map(|(&x, &y)| i64::from(x) * i64::from(y)).fold(0, i64::wrapping_add)
}

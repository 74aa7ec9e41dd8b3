//! Matrix products in kernels: sums of products in which one factor follows the rows and the other the columns.
//!
//! The factor that follows the last output axis is the *column* factor; it is packed, once if it is a constant. The other
//! is the *row* factor, read where it lies. Leading axes that both follow are *blocks*: batches and groups. Convolutions
//! are products whose rows overlap in memory; what they read outside of their input is there in a copy with pads.
//!
//! Exactness: with 8 bits, `a = a' + ca` and `b = b' + cb`, where `a'` is u8, `b'` is i8 and the rest constants; then
//! `Σ a·b = Σ a'·b' + cb·Σ a' + ca·Σ b' + K·ca·cb`, where the first sum is the kernels' and fits i32 if
//! `255 · Σ |b'| < 2^31` in every column. With 16 bits, terms are summed in chunks that fit.

mod plan;

use std::borrow::Cow;

use opml_vm::{DType, Instruction, Program, Tensor};
use rayon::prelude::*;

use super::{
    Frame, dot,
    epilogue::Epilogue,
    kernels::{Columns, Grid, Isa, Job, Layout, Narrow, Packed, Taps, Terms, Width},
    load::{Extents, FIRST_K, Headers, Place},
    pack,
    pool::Pool,
    rows::Factor,
    view::Source,
};
use crate::{num, tier::Tier};
use plan::Plan;

/// Columns below which dot products of rows are as fast.
const MIN_COLUMNS: i64 = 2;
/// Most numbers of a column factor.
const COLUMNS_LIMIT: i64 = 1 << 28;

/// A product.
#[derive(Debug, Clone)]
pub(super) struct Gemm {
    dtype: DType,
    isa: Isa,
    extents: Extents,
    constants: Vec<i64>,
    row: Place,
    source: Source,
    column: Factor,
    terms: Terms,
    k: usize,
    layout: Layout,
    /// Taken from the column factor before it is packed.
    column_offset: i32,
    /// Where a column factor lies that is packed as it is.
    grid: Option<Grid>,
    kept: Kept,
    /// A constant column factor of few columns, for rows in lanes.
    narrow: Option<Narrow>,
    epilogue: Epilogue,
}

/// The column factor between runs.
#[derive(Debug, Clone)]
enum Kept {
    /// A constant, packed.
    Packed(Packed),
    /// A constant that the channels have each for themselves.
    Taps(Taps),
    /// A value: packed in each run.
    Nothing,
}

/// The two factors with the roles they have.
struct Sides {
    row: Factor,
    column: Factor,
    /// First column axis.
    split: usize,
    /// Whether both follow the columns, each channel for itself.
    depthwise: bool,
}

impl Gemm {
    /// `None` if the instruction is not such a product, or its numbers are too large for the kernels.
    pub(super) fn new(
        program: &Program,
        instruction: &Instruction,
        t: u64,
        header: Headers<'_>,
        tier: Tier,
    ) -> Option<Self> {
        let (extents, elements, terms) = dot::shape(instruction, t)?;
        let [a, b] = dot::factors(instruction, &extents, terms, header)?;
        let sides = sides(a, b, &extents)?;
        let columns: i64 = extents[sides.split..FIRST_K].iter().product();
        let follows = |axis: usize| extents[axis] != 1 && sides.column.load.follows(axis..axis + 1);
        let blocks: i64 = (0..sides.split).filter(|&axis| follows(axis)).map(|axis| extents[axis]).product();
        if columns < MIN_COLUMNS || blocks.checked_mul(columns)?.checked_mul(terms)? > COLUMNS_LIMIT {
            return None;
        }
        let constant = match sides.column.load.place {
            Place::Constant(n) => Some(program.constants().get(usize::try_from(n).ok()?)?),
            _ => None,
        };
        let fits = |n: i128| i32::try_from(n).is_ok();
        let (low, high) = sides.column.range();
        if !fits(low) || !fits(high) {
            return None;
        }
        if sides.depthwise && constant.is_none() {
            return None;
        }
        let rows = constant.map(|tensor| dot::all_rows::<i32>(&sides.column, tensor, &extents, terms));
        let isa = Isa::new(tier);
        [Width::Byte, Width::Word].into_iter().find_map(|width| {
            let plan = Plan { instruction, extents, elements, terms, columns, isa, width, header, program };
            plan.finish(&sides, rows.as_deref())
        })
    }

    /// The instruction's value in each of the runs.
    pub(super) fn run<'a>(&self, frames: &[Frame<'a>], pool: &Pool) -> Vec<Tensor> {
        if matches!(self.kept, Kept::Nothing) && frames.len() > 1 {
            // Each run has columns of its own, which its rows must not share a tile with those of others.
            return frames.par_iter().flat_map_iter(|frame| self.run(std::slice::from_ref(frame), pool)).collect();
        }
        let empty = Tensor::empty();
        let tensor = |frame: &Frame<'a>| frame.tensor(self.row).unwrap_or(&empty);
        let owned: Vec<Cow<'_, [u8]>> = frames.iter().map(|frame| self.source.bytes(tensor(frame), pool)).collect();
        let sources: Vec<&[u8]> = owned.iter().map(AsRef::as_ref).collect();
        let fresh: Vec<Packed> = match self.kept {
            Kept::Nothing => frames.par_iter().map(|&frame| self.pack(frame)).collect(),
            _ => Vec::new(),
        };
        let packed: Vec<&Packed> = match &self.kept {
            Kept::Packed(packed) => vec![packed],
            _ => fresh.iter().collect(),
        };
        let (columns, totals) = match &self.kept {
            Kept::Taps(taps) => (Columns::Taps(taps), vec![taps.totals.as_slice()]),
            _ => (Columns::Packed(&packed), packed.iter().map(|packed| packed.totals.as_slice()).collect()),
        };
        let finish = self.epilogue.over(totals, frames, (self.dtype, &self.constants, self.extents));
        let job = Job {
            isa: self.isa,
            layout: &self.layout,
            terms: &self.terms,
            sources: &sources,
            columns,
            narrow: self.narrow.as_ref(),
            size: pack::width(self.dtype),
            finish: &finish,
        };
        let elements = num::signed(self.layout.elements());
        let outputs = job.run(|count, length| pool.take_many(count, length));
        for copy in owned {
            if let Cow::Owned(bytes) = copy {
                pool.put(bytes);
            }
        }
        outputs.into_iter().map(|bytes| pack::tensor(self.dtype, elements, bytes)).collect()
    }

    /// The column factor of a run.
    fn pack(&self, frame: Frame<'_>) -> Packed {
        let empty = Tensor::empty();
        let tensor = frame.tensor(self.column.load.place).unwrap_or(&empty);
        let format = (self.terms.width, self.terms.runs.as_slice(), self.terms.lines);
        if let Some(grid) = &self.grid {
            return Packed::in_place(tensor.bytes(), grid, format);
        }
        let rows = dot::all_rows::<i32>(&self.column, tensor, &self.extents, num::signed(self.k));
        Packed::new(&rows, self.k, self.layout.columns(), self.column_offset, format)
    }
}

/// Roles, if every axis from the split on is a column axis.
fn sides(a: Factor, b: Factor, extents: &Extents) -> Option<Sides> {
    let last = (0..FIRST_K).rev().find(|&axis| extents[axis] != 1)?;
    let follows = |factor: &Factor, axis: usize| extents[axis] != 1 && factor.load.follows(axis..axis + 1);
    let (row, column, depthwise) = match (follows(&a, last), follows(&b, last)) {
        (true, false) => (b, a, false),
        (false, true) => (a, b, false),
        (true, true) if matches!(a.load.place, Place::Constant(_)) => (b, a, true),
        (true, true) => (a, b, true),
        (false, false) => return None,
    };
    if depthwise {
        let alone = (0..last).all(|axis| !follows(&column, axis));
        return alone.then_some(Sides { row, column, split: last, depthwise });
    }
    let split = (0..FIRST_K).rev().find(|&axis| follows(&row, axis)).map_or(0, |axis| axis + 1);
    let whole = (split..FIRST_K).all(|axis| extents[axis] == 1 || follows(&column, axis));
    whole.then_some(Sides { row, column, split, depthwise })
}

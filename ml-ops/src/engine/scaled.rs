//! Rows of weights times a vector, both in blocks of 32 with scales: sums over `[blocks, 32]` of
//! `x · (w · scale + minimum) · most` or without minima, where `x` (i8) and `most` (i32) are values and the rest constants;
//! scale and minimum of a block lie side by side.

use std::cell::Cell;

use opml_vm::{DType, Instruction, Op, Opcode, Program, Tensor, isa::SLOT_CONST};
use rayon::prelude::*;

use super::{
    Frame, dot,
    interval::Interval,
    kernels::{
        Isa, pages,
        scaled::{BLOCK, Vector, Vectors, Weights, Worker},
    },
    lanes::{Post, Workspace},
    load::{Extents, FIRST_K, Headers, LoadPlan, Place, size},
    pack,
    pool::Pool,
};
use crate::tier::Tier;

/// Least multiplications of a part.
const LEAST: usize = 1 << 17;
/// Most parts for each thread, of which the slower ones take less.
const PARTS: usize = 3;
/// Most sums of a part: they stay in the cache of a core.
const LARGEST: usize = 1 << 13;
/// Rows that kernels take together.
const GROUP: usize = 16;

/// Such a sum.
#[derive(Debug, Clone)]
pub(super) struct Scaled {
    dtype: DType,
    extents: Extents,
    rows: i64,
    blocks: usize,
    four: bool,
    x: Place,
    most: Place,
    codes: Place,
    scales: Place,
    minima: bool,
    isa: Isa,
    post: Post,
}

/// The loads of a term by the parts they play.
struct Parts<'a> {
    x: &'a LoadPlan,
    most: &'a LoadPlan,
    codes: &'a LoadPlan,
    scales: &'a LoadPlan,
    minima: Option<&'a LoadPlan>,
}

impl Scaled {
    /// `None` if the instruction is no such sum, or sums may leave 63 bits.
    pub(super) fn new(
        program: &Program,
        instruction: &Instruction,
        (t, tier): (u64, Tier),
        header: Headers<'_>,
    ) -> Option<Self> {
        let (extents, rows, terms) = dot::shape(instruction, t)?;
        let blocks = extents[FIRST_K];
        let plain = extents[0] == rows && extents[FIRST_K + 1] == 32 && blocks.checked_mul(32)? == terms;
        if !plain {
            return None;
        }
        let plans = instruction.map.iter().map(|op| match op {
            Op::Load(load) => LoadPlan::new(instruction, load, &extents, header).map(Some),
            Op::Scalar { .. } => Some(None),
        });
        let plans: Vec<Option<LoadPlan>> = plans.collect::<Option<_>>()?;
        let parts = parts(instruction, &plans, blocks)?;
        let whole = |plan: &LoadPlan, elements: i64| plan.inside && plan.elements == elements;
        let constant = |plan: &LoadPlan| matches!(plan.place, Place::Constant(n) if n < program.counts().constants);
        let constants = constant(parts.codes) && constant(parts.scales);
        let scales = rows * blocks * if parts.minima.is_some() { 2 } else { 1 };
        let sizes = whole(parts.x, terms)
            && whole(parts.most, blocks)
            && whole(parts.codes, rows * terms)
            && whole(parts.scales, scales)
            && parts.minima.is_none_or(|plan| plan.inside && plan.place == parts.scales.place);
        if !constants || !sizes {
            return None;
        }
        for plan in [parts.codes, parts.scales] {
            if let Place::Constant(n) = plan.place {
                program
                    .constants()
                    .get(usize::try_from(n).ok()?)
                    .into_iter()
                    .for_each(|tensor| pages::enlarge(tensor.bytes()));
            }
        }
        let bound = bound(&parts, terms)?;
        let acc = Interval { low: -bound, high: bound };
        Some(Self {
            dtype: instruction.dtype,
            extents,
            rows,
            blocks: size(blocks),
            four: parts.codes.dtype == DType::I4,
            x: parts.x.place,
            most: parts.most.place,
            codes: parts.codes.place,
            scales: parts.scales.place,
            minima: parts.minima.is_some(),
            isa: Isa::new(tier),
            post: Post::with_acc(instruction, &extents, acc, header, tier)?,
        })
    }

    /// The instruction's values in several frames, which share a reading of the weights.
    pub(super) fn run(&self, frames: &[Frame<'_>], pool: &Pool) -> Vec<Tensor> {
        let Some(&first) = frames.first() else { return Vec::new() };
        let weights = Weights {
            codes: bytes_of(first, self.codes),
            four: self.four,
            scales: bytes_of(first, self.scales),
            minima: self.minima,
            blocks: self.blocks,
        };
        let vectors = frames.iter().map(|&f| Vector { codes: bytes_of(f, self.x), most: bytes_of(f, self.most) });
        let vectors: Vec<Vector<'_>> = vectors.collect();
        let vectors = Vectors::new(self.isa, &vectors, &weights);
        let (width, rows) = (pack::width(self.dtype), size(self.rows));
        let threads = rayon::current_num_threads();
        let part = self.part(frames.len(), threads);
        let mut out = pool.take_many(frames.len(), rows * width);
        let mut parts: Vec<Part<'_>> = Vec::new();
        parts.resize_with(rows.div_ceil(part), || Vec::with_capacity(frames.len()));
        for out in &mut out {
            parts.iter_mut().zip(out.chunks_mut(part * width)).for_each(|(list, chunk)| list.push(chunk));
        }
        let task = || Task::new(self, frames, &vectors, part);
        let each = |task: &mut Task<'_>, (number, out)| task.run(&weights, number * part, out);
        if threads == 1 || parts.len() == 1 {
            let mut task = task();
            parts.into_iter().enumerate().for_each(|part| each(&mut task, part));
        } else {
            parts.into_par_iter().enumerate().for_each_init(task, each);
        }
        out.into_iter().map(|out| pack::tensor(self.dtype, self.rows, out)).collect()
    }

    /// Rows of a part: some parts for each thread, where there is enough to do.
    fn part(&self, frames: usize, threads: usize) -> usize {
        let rows = size(self.rows);
        let work = rows * self.blocks * BLOCK * frames;
        let parts = if threads == 1 { 1 } else { (work / LEAST).clamp(1, threads * PARTS) };
        rows.div_ceil(parts.max(rows * frames / LARGEST)).next_multiple_of(GROUP)
    }
}

/// The same rows of each frame's value.
type Part<'a> = Vec<&'a mut [u8]>;

/// A thread at work on an instruction.
struct Task<'a> {
    scaled: &'a Scaled,
    vectors: &'a Vectors,
    worker: Worker,
    posts: Vec<Workspace<'a>>,
    sums: Vec<i64>,
    stride: usize,
}

impl<'a> Task<'a> {
    fn new(scaled: &'a Scaled, frames: &[Frame<'a>], vectors: &'a Vectors, part: usize) -> Self {
        // Vectors are an odd number of lines apart: powers of two would have the cache hold few of them.
        let stride = part + GROUP / 2;
        Self {
            scaled,
            vectors,
            worker: Worker::new(scaled.isa, vectors),
            posts: frames.iter().map(|&frame| Workspace::with(&[], 0, scaled.extents, frame)).collect(),
            sums: spare(stride * frames.len()),
            stride,
        }
    }

    /// Rows from `first` on.
    fn run(&mut self, weights: &Weights<'_>, first: usize, out: Part<'_>) {
        let Scaled { dtype, isa, post, .. } = self.scaled;
        let rows = out.first().map_or(0, |out| out.len() / pack::width(*dtype));
        self.worker.products(*isa, weights, self.vectors, (first, rows), (&mut self.sums, self.stride));
        for ((workspace, sums), out) in self.posts.iter_mut().zip(self.sums.chunks(self.stride)).zip(out) {
            post.run(*dtype, first, &sums[..rows], out, workspace);
        }
    }
}

thread_local! {
    /// Room for sums that nobody on this thread uses: as much takes longer to clear than a short product.
    static SPARE: Cell<Vec<i64>> = const { Cell::new(Vec::new()) };
}

/// Room for `count` sums, of unknown content.
fn spare(count: usize) -> Vec<i64> {
    let mut sums = SPARE.take();
    sums.resize(count, 0);
    sums
}

impl Drop for Task<'_> {
    fn drop(&mut self) {
        // While a thread ends there is nothing to keep it in.
        let _ = SPARE.try_with(|spare| spare.set(std::mem::take(&mut self.sums)));
    }
}

/// The bytes of a tensor.
fn bytes_of(frame: Frame<'_>, place: Place) -> &[u8] {
    frame.tensor(place).map_or(&[], Tensor::bytes)
}

/// Largest magnitude of a sum, if all that is computed on the way to it fits 63 bits.
fn bound(parts: &Parts<'_>, terms: i64) -> Option<i64> {
    let largest = |plan: &LoadPlan| plan.range.low.unsigned_abs().max(plan.range.high.unsigned_abs());
    let weight = largest(parts.codes).checked_mul(largest(parts.scales))?;
    let weight = weight.checked_add(parts.minima.map_or(0, largest))?;
    let term = u128::from(largest(parts.x)) * u128::from(weight) * u128::from(largest(parts.most));
    let sum = term.checked_mul(u128::try_from(terms).ok()?)?;
    i64::try_from(sum).ok()
}

/// Finds the parts in a product of loads, one factor of which may be `codes · scale + minimum`.
fn parts<'a>(instruction: &Instruction, plans: &'a [Option<LoadPlan>], blocks: i64) -> Option<Parts<'a>> {
    let base = usize::from(SLOT_CONST) + instruction.constants.len();
    let number = |slot: u8| usize::from(slot).checked_sub(base);
    let (mut loads, mut sum) = (Vec::new(), None);
    factors(instruction, number, instruction.map.len().checked_sub(1)?, &mut loads, &mut sum)?;
    let minima: Option<&LoadPlan> = match sum {
        None => None,
        Some((a, b)) => {
            // Either side may be the product.
            let is_load = |at: usize| matches!(instruction.map.get(at), Some(Op::Load(_)));
            let (product, minimum) = if is_load(b) { (a, b) } else { (b, a) };
            let before = loads.len();
            factors(instruction, number, product, &mut loads, &mut None)?;
            (is_load(minimum) && loads.len() == before + 2).then_some(plans.get(minimum)?.as_ref())?
        }
    };
    let loads: Vec<&LoadPlan> = loads.iter().map(|&at| plans.get(at)?.as_ref()).collect::<Option<_>>()?;
    let terms = blocks.checked_mul(32)?;
    let fits_from = |plan: &LoadPlan, first: i64, types: &[DType], (row, block, place): (i64, i64, i64)| {
        let mut coefficients = [0; 16];
        (coefficients[0], coefficients[FIRST_K], coefficients[FIRST_K + 1]) = (row, block, place);
        let (start, found) = plan.linear();
        let used = |c: usize| found[c] == coefficients[c] || (c == FIRST_K && blocks == 1);
        types.contains(&plan.dtype) && start == first && plan.slots().next().is_none() && (0..16).all(used)
    };
    let fits = |plan: &LoadPlan, types: &[DType], steps: (i64, i64, i64)| fits_from(plan, 0, types, steps);
    let find = |types: &[DType], steps: (i64, i64, i64)| loads.iter().find(|plan| fits(plan, types, steps)).copied();
    let of_blocks = if minima.is_some() { (2 * blocks, 2, 0) } else { (blocks, 1, 0) };
    let parts = Parts {
        x: find(&[DType::I8], (0, 32, 1))?,
        most: find(&[DType::I32], (0, 1, 0))?,
        codes: find(&[DType::I8, DType::I4], (terms, 32, 1))?,
        scales: find(&[DType::I16], of_blocks)?,
        minima,
    };
    let minima_fit = minima.is_none_or(|plan| fits_from(plan, 1, &[DType::I16], of_blocks));
    let operations = if minima.is_some() { 9 } else { 7 };
    (loads.len() == 4 && minima_fit && instruction.map.len() == operations).then_some(parts)
}

/// Numbers of the loads that are multiplied, and the sides of at most one sum among the factors.
fn factors(
    instruction: &Instruction,
    number: impl Fn(u8) -> Option<usize> + Copy,
    at: usize,
    loads: &mut Vec<usize>,
    sum: &mut Option<(usize, usize)>,
) -> Option<()> {
    match instruction.map.get(at)? {
        Op::Load(_) => loads.push(at),
        Op::Scalar { opcode: Opcode::Mul, operands: [a, b, _] } => {
            for &side in [a, b] {
                factors(instruction, number, number(side)?, loads, sum)?;
            }
        }
        Op::Scalar { opcode: Opcode::Add, operands: [a, b, _] } if sum.is_none() => {
            *sum = Some((number(*a)?, number(*b)?));
        }
        Op::Scalar { .. } => return None,
    }
    (loads.len() <= 4).then_some(())
}

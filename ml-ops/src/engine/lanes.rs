//! Any instruction with affine or computed indices, as a scalar program over blocks of lanes.
//!
//! | module | what it does |
//! |---|---|
//! | `access` | index sums of loads, and the bounds checks that intervals do not prove needless |
//! | `analysis` | intervals of all slots, axes joined |
//! | `space` | rows, lanes, terms; blocks |
//! | `calc` | in which width an operation is exact |
//! | `shape`, `compile`, `code`, `buffers` | steps: once, once a block, once a term; rows and lanes; buffers shared |
//! | `pure`, `linear` | several operations as one step: a table, a sum of products |
//! | `machine`, `step`, `fetch`, `reduce` | run steps, loads, reductions |
//! | `grow` | plans for extents that grow with the iteration |
//! | `fold` | sums and extremes of bytes, without registers |
//! | `shuffle`, `tables` | elements in another order; functions of single bytes |
//! | `shifted` | what most products end with, without registers |
//! | `whole` | instructions that are met often, as one loop |
//! | `kernel`, `divide`, `bytes`, `number` | the loops |
//! | `simd`, `products`, `vbmi` | their compilation for each tier; products by hand; which CPUs permute bytes |
//!
//! Lanes are the innermost output axis, or, where that is short or badly placed in memory, the innermost reduction axis.

mod access;
mod analysis;
mod buffers;
mod bytes;
mod calc;
mod code;
mod compile;
mod divide;
mod fetch;
mod fold;
mod grow;
mod kernel;
mod linear;
mod machine;
mod number;
mod post;
mod products;
mod pure;
mod reduce;
mod root;
mod shape;
mod shifted;
mod shuffle;
mod simd;
mod space;
mod step;
mod tables;
mod vbmi;
mod whole;

use opml_vm::{DType, Instruction, Program, Reducer, Tensor, eval};
use rayon::prelude::*;

use super::{
    Frame, interval,
    load::{self, Extents, Headers, size},
    pack,
    pool::Pool,
};
use crate::tier::Tier;
use analysis::Analysis;
use code::Code;
use fold::Fold;
use grow::Growth;
pub(super) use grow::{elements, position};
use machine::Held;
pub(super) use machine::Numbers;
pub(super) use post::{Post, Workspace};
use reduce::{Reduction, Totals};
pub(super) use shuffle::Shuffle;
use simd::Kernels;
use space::{Block, Space};
use tables::Tables;
use whole::Whole;

/// Steps over lanes below which a second thread does not pay.
const PARALLEL: usize = 1 << 18;
/// Least steps over lanes of one task.
const TASK: usize = 1 << 16;
/// What a frame takes beyond its steps, in steps over lanes.
const FRAME: usize = 1 << 14;
/// Most tasks for each thread: more would even out less than they cost.
const TASKS: usize = 3;

/// An instruction as a scalar program.
#[derive(Debug, Clone)]
pub(super) struct Lanes {
    dtype: DType,
    extents: Extents,
    elements: i64,
    terms: i64,
    /// Lanes are terms; else they are elements.
    along: bool,
    reduction: Reduction,
    map: Code,
    post: Post,
    constants: Vec<i64>,
    /// What an empty reduction gives, where it is one.
    empty: Option<i64>,
    kernels: Kernels,
    /// If it is a plain one of bytes.
    fold: Option<Fold>,
    /// If it only moves elements.
    shuffle: Option<Shuffle>,
    /// If its elements are functions of single bytes.
    tables: Option<Tables>,
    /// If one loop computes it.
    whole: Option<Whole>,
    /// How it follows extents, where that was asked for.
    growth: Option<Growth>,
}

impl Lanes {
    /// `None` if a load cannot be planned.
    pub(super) fn new(instruction: &Instruction, t: u64, header: Headers<'_>, tier: Tier) -> Option<Self> {
        let extents = load::extents(instruction, t);
        let elements = i64::try_from(instruction.elements(t)).ok()?;
        let terms = i64::try_from(instruction.terms(t)).ok()?;
        let analysis = Analysis::new(instruction, &instruction.map, &extents, None, header)?;
        let along = terms > 1 && analysis.prefers_terms();
        let space = Space::new(&analysis.extents, along);
        let reduction = Reduction::new(instruction.reducer, analysis.result(), terms);
        let acc = Reduction::interval(instruction.reducer, analysis.result(), terms);
        Some(Self {
            dtype: instruction.dtype,
            extents,
            elements,
            terms,
            along,
            reduction,
            map: compile::compile(instruction, &analysis, space, false, elements.saturating_mul(terms)),
            post: Post::with_acc(instruction, &extents, acc, header, tier)?,
            constants: instruction.constants.clone(),
            empty: (terms == 0).then(|| eval::empty(instruction.reducer)),
            kernels: Kernels::new(tier),
            fold: Fold::new(instruction, &extents, terms, header),
            shuffle: Shuffle::new(instruction, &extents, header, tier),
            tables: Tables::new(instruction, &extents, header, tier),
            whole: Whole::new(instruction, &analysis, &extents),
            growth: None,
        })
    }

    /// The same for all iterations whose extents are not larger than at `t`; see [`Lanes::fit`]. `None` also if the
    /// instruction follows extents in other ways.
    pub(super) fn growing(
        program: &Program,
        instruction: &Instruction,
        t: u64,
        header: Headers<'_>,
        tier: Tier,
    ) -> Option<Self> {
        let extents = load::extents(instruction, t);
        let elements = i64::try_from(instruction.elements(t)).ok().filter(|&n| n > 0)?;
        let terms = i64::try_from(instruction.terms(t)).ok().filter(|&n| n > 0)?;
        let analysis = Analysis::new(instruction, &instruction.map, &extents, None, header)?;
        let along = terms > 1 && analysis.prefers_terms();
        let space = Space::new(&analysis.extents, along);
        let work = elements.saturating_mul(terms);
        let map = compile::compile(instruction, &analysis, space, false, work);
        let growth = Growth::new(program, instruction, &instruction.map, (&analysis, &map, &extents))?;
        let acc = interval::reduced(instruction.reducer, analysis.result(), (1, terms));
        Some(Self {
            dtype: instruction.dtype,
            extents,
            elements,
            terms,
            along,
            reduction: Reduction::new(instruction.reducer, analysis.result(), terms),
            map,
            post: Post::growing(program, instruction, &extents, acc, header, tier)?,
            constants: instruction.constants.clone(),
            empty: None,
            kernels: Kernels::new(tier),
            fold: None,
            shuffle: None,
            tables: None,
            whole: Whole::new(instruction, &analysis, &extents),
            growth: Some(growth),
        })
    }

    /// Fits it to an iteration. If `false`, it must not run before it is fitted to another one.
    pub(super) fn fit(&mut self, instruction: &Instruction, frame: Frame<'_>) -> bool {
        let Some(growth) = &self.growth else { return false };
        let (program, t) = (frame.program, frame.t);
        self.extents = load::extents(instruction, t);
        if !growth.covers(&self.extents) {
            return false;
        }
        self.elements = self.extents[..load::FIRST_K].iter().product();
        self.terms = self.extents[load::FIRST_K..].iter().product();
        if self.whole.as_ref().is_some_and(|whole| whole.suits(frame, &self.extents)) {
            return true;
        }
        // A single term is taken from the block's steps, where a plan for more has none.
        if self.terms == 1 && !self.map.term.is_empty() {
            return false;
        }
        self.map.fit(growth, (program, instruction, &instruction.map), (t, &self.extents))
            && self.post.fit(program, instruction, (t, &self.extents))
    }

    /// The instruction's value.
    pub(super) fn run(&self, frame: Frame<'_>, pool: &Pool) -> Tensor {
        let width = pack::width(self.dtype);
        let elements = size(self.elements);
        let mut bytes = pool.take(elements * width);
        if self.apart(frame, pool, &mut bytes) {
            return pack::tensor(self.dtype, self.elements, bytes);
        }
        let (each, threads) = (self.each(), rayon::current_num_threads());
        // What is fitted to a frame for its loop has nothing else for it.
        let alone = threads == 1 || elements.saturating_mul(each) < PARALLEL || self.growth.is_some();
        if alone && self.whole(frame, &mut bytes) {
            return pack::tensor(self.dtype, self.elements, bytes);
        }
        let run = |worker: &mut Worker<'_>, (number, chunk): (usize, &mut [u8]), part: usize| {
            worker.range(number * part, chunk);
        };
        if threads == 1 || elements.saturating_mul(each) < PARALLEL {
            if elements > 0 {
                run(&mut Worker::new(self, frame), (0, &mut bytes), elements);
            }
        } else {
            let part = self.part(each, threads);
            let chunks = bytes.par_chunks_mut(part * width).enumerate();
            chunks.for_each(|chunk| run(&mut Worker::new(self, frame), chunk, part));
        }
        pack::tensor(self.dtype, self.elements, bytes)
    }

    /// The instruction's value without steps, on all threads; `false` if it is none of those, or its source is not there.
    fn apart(&self, frame: Frame<'_>, pool: &Pool, bytes: &mut [u8]) -> bool {
        if let Some(fold) = self.fold.as_ref().filter(|_| self.elements > 0) {
            fold.run(&self.post, self.kernels, (frame, pool), self.dtype, bytes);
            return true;
        }
        if let Some(shuffle) = &self.shuffle
            && let Some(source) = frame.tensor(shuffle.place())
        {
            shuffle.run(source, bytes);
            return true;
        }
        self.tables.as_ref().is_some_and(|tables| tables.run(frame, bytes))
    }

    /// The instruction's value by one loop; `false` if there is none, or it does not suit the numbers.
    fn whole(&self, frame: Frame<'_>, bytes: &mut [u8]) -> bool {
        self.whole.as_ref().is_some_and(|whole| whole.run(self.kernels, frame, &self.extents, bytes))
    }

    /// Steps over lanes for each element.
    fn each(&self) -> usize {
        let steps = self.map.block.len() + self.map.term.len() + self.post.len() + 1;
        size(self.terms.max(1)).saturating_mul(steps)
    }

    /// The instruction's values in several frames. Where they are short, a thread computes many with one set of buffers.
    pub(super) fn run_all(&self, frames: &[Frame<'_>], pool: &Pool) -> Vec<Tensor> {
        let one = size(self.elements).saturating_mul(self.each());
        let apart = self.fold.is_some() || self.shuffle.is_some() || self.tables.is_some() || self.elements == 0;
        if frames.len() == 1 || apart || one >= PARALLEL {
            let alone = |&frame: &Frame<'_>| self.run(frame, pool);
            return match one.saturating_mul(frames.len()) {
                0..PARALLEL => frames.iter().map(alone).collect(),
                _ => frames.par_iter().map(alone).collect(),
            };
        }
        let mut buffers = pool.take_many(frames.len(), size(self.elements) * pack::width(self.dtype));
        let threads = rayon::current_num_threads();
        let work = frames.len().saturating_mul(one + FRAME);
        if threads == 1 || work < PARALLEL {
            self.frames(frames, &mut buffers);
        } else {
            let part = frames.len().div_ceil((work / TASK).clamp(1, threads * TASKS));
            frames.par_chunks(part).zip(buffers.par_chunks_mut(part)).for_each(|(f, buffers)| self.frames(f, buffers));
        }
        buffers.into_iter().map(|bytes| pack::tensor(self.dtype, self.elements, bytes)).collect()
    }

    /// Frames one after another.
    fn frames(&self, frames: &[Frame<'_>], buffers: &mut [Vec<u8>]) {
        let mut worker: Option<Worker<'_>> = None;
        for (&frame, bytes) in frames.iter().zip(buffers) {
            if self.whole(frame, bytes) {
                continue;
            }
            match &mut worker {
                Some(worker) => worker.turn(frame),
                None => worker = Some(Worker::new(self, frame)),
            }
            if let Some(worker) = &mut worker {
                worker.range(0, bytes);
            }
        }
    }

    /// Elements of one task: whole rows of lanes where they are short.
    fn part(&self, each: usize, threads: usize) -> usize {
        let elements = size(self.elements);
        let tasks = (elements.saturating_mul(each) / TASK).clamp(1, threads * TASKS);
        let part = elements.div_ceil(tasks).max(1);
        if self.along {
            return part;
        }
        let row = self.map.space.width.clamp(1, self.map.lanes());
        part.next_multiple_of(row)
    }
}

/// One thread at work on an instruction.
struct Worker<'a> {
    lanes: &'a Lanes,
    frame: Frame<'a>,
    map: Held,
    post: Workspace<'a>,
    totals: Totals,
    reduced: Vec<i64>,
}

impl<'a> Worker<'a> {
    fn new(lanes: &'a Lanes, frame: Frame<'a>) -> Self {
        Self {
            lanes,
            frame,
            map: Held::new(&lanes.map, lanes.kernels, frame),
            post: Workspace::with(&lanes.constants, lanes.post.len(), lanes.extents, frame),
            totals: Totals::default(),
            reduced: Vec::new(),
        }
    }

    /// Goes on in another frame.
    fn turn(&mut self, frame: Frame<'a>) {
        self.frame = frame;
        if let Some(machine) = self.map.get() {
            machine.start(&self.lanes.map, frame);
        }
        self.post.turn(frame);
    }

    /// Elements from number `first` on.
    fn range(&mut self, first: usize, bytes: &mut [u8]) {
        let lanes = self.lanes;
        let count = bytes.len() / pack::width(lanes.dtype);
        if let Some(empty) = lanes.empty {
            self.reduced.clear();
            self.reduced.resize(count, empty);
            lanes.post.numbers(lanes.dtype, first, Numbers::Wide(&self.reduced), bytes, &mut self.post);
        } else if lanes.along {
            self.along(first, count, bytes);
        } else {
            self.across(first, count, bytes);
        }
    }

    /// Lanes are elements.
    fn across(&mut self, first: usize, count: usize, bytes: &mut [u8]) {
        let Lanes { map, post, dtype, kernels, reduction, .. } = self.lanes;
        let width = pack::width(*dtype);
        let Some(machine) = self.map.get() else { return };
        let mut at = first;
        for block in map.space.blocks(first, count, map.lanes()) {
            let size = block.size();
            let bytes = &mut bytes[(at - first) * width..][..size * width];
            machine.block(map, self.frame, block, Numbers::Wide(&[]));
            let acc = if self.lanes.terms == 1 && !self.lanes.is_argmax() {
                machine.result(map, size)
            } else {
                self.totals.start(*reduction, size);
                let mut point = [0; 16];
                for term in 0..self.lanes.terms {
                    machine.term(map, self.frame, block, &point);
                    self.totals.across(*reduction, *kernels, machine.result(map, size), term);
                    Space::advance(&map.space.terms, &mut point);
                }
                self.totals.finish(*reduction)
            };
            post.numbers(*dtype, at, acc, bytes, &mut self.post);
            at += size;
        }
    }

    /// Lanes are terms, rows are elements.
    fn along(&mut self, first: usize, count: usize, bytes: &mut [u8]) {
        let Lanes { map, post, dtype, kernels, reduction, .. } = self.lanes;
        let width = pack::width(*dtype);
        let lanes = map.space.width;
        let outer = Space::count(&map.space.terms);
        let limit = map.lanes();
        let most = (limit / lanes.max(1)).max(1);
        let Some(machine) = self.map.get() else { return };
        for start in (0..count).step_by(most) {
            let rows = most.min(count - start);
            self.totals.start(*reduction, rows);
            for lane in (0..lanes).step_by(limit) {
                let block = Block { row: first + start, rows, lane, lanes: limit.min(lanes - lane) };
                machine.block(map, self.frame, block, Numbers::Wide(&[]));
                let mut point = [0; 16];
                for number in 0..outer {
                    machine.term(map, self.frame, block, &point);
                    let place = number.saturating_mul(load::count(lanes)) + load::count(lane);
                    let terms = machine.result(map, block.size());
                    self.totals.along(*reduction, *kernels, terms, (block.lanes, place));
                    Space::advance(&map.space.terms, &mut point);
                }
            }
            let bytes = &mut bytes[start * width..][..rows * width];
            post.numbers(*dtype, first + start, self.totals.finish(*reduction), bytes, &mut self.post);
        }
    }
}

impl Lanes {
    fn is_argmax(&self) -> bool {
        self.reduction.reducer() == Reducer::Argmax
    }
}

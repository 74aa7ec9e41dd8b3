//! Any instruction, operation by operation over blocks of lanes.
//!
//! Lanes are consecutive elements, with the terms of the reduction one after another; or, for few elements with many
//! terms, consecutive terms of one element. Operations that do not follow the reduction are computed once for all terms.

use opml_vm::{
    DType, Instruction, Op, Opcode, Reducer, Tensor,
    isa::{SLOT_ACC, SLOT_CONST, SLOT_O, SLOT_T},
};
use rayon::prelude::*;

use super::{
    Frame,
    load::{self, Extents, FIRST_K, Headers, LoadPlan, Place},
    ops, pack,
};

/// Lanes of a block.
const L: usize = 64;
/// Work (lanes · operations) below which a second thread does not pay.
const PARALLEL: usize = 1 << 16;
/// Fewer elements than this, with more terms than that, are computed with terms as lanes.
const FEW: i64 = 16;

/// An instruction as lane operations.
#[derive(Debug, Clone)]
pub(super) struct Lanes {
    dtype: DType,
    reducer: Reducer,
    extents: Extents,
    elements: i64,
    terms: i64,
    constants: Vec<i64>,
    map: Vec<Step>,
    post: Post,
}

/// The operations after the reduction. Other forms use them too.
#[derive(Debug, Clone)]
pub(super) struct Post(Vec<Step>);

#[derive(Debug, Clone)]
struct Step {
    what: What,
    /// Follows a reduction coordinate.
    inner: bool,
}

#[derive(Debug, Clone)]
enum What {
    Scalar(Opcode, [usize; 3]),
    Load(LoadPlan),
}

impl Lanes {
    /// `None` if a load cannot be planned.
    pub(super) fn new(instruction: &Instruction, t: u64, header: Headers<'_>) -> Option<Self> {
        let extents = load::extents(instruction, t);
        Some(Self {
            dtype: instruction.dtype,
            reducer: instruction.reducer,
            extents,
            elements: i64::try_from(instruction.elements(t)).ok()?,
            terms: i64::try_from(instruction.terms(t)).ok()?,
            constants: instruction.constants.clone(),
            map: steps(instruction, &instruction.map, &extents, header)?,
            post: Post::new(instruction, &extents, header)?,
        })
    }

    /// The instruction's value.
    pub(super) fn run(&self, frame: Frame<'_>) -> Tensor {
        let width = pack::width(self.dtype);
        let mut bytes = vec![0; load::size(self.elements) * width];
        if self.elements < FEW && self.terms > FEW {
            let mut lanes = Workspace::new(self, frame);
            let acc: Vec<i64> = (0..self.elements).map(|e| self.element(e, &mut lanes)).collect();
            self.finish(0, &acc, &mut bytes, &mut lanes);
            return pack::tensor(self.dtype, self.elements, bytes);
        }
        let work =
            load::size(self.elements.saturating_mul(self.terms)).saturating_mul(self.map.len() + self.post.0.len());
        let block = |lanes: &mut Workspace<'_>, (number, chunk): (usize, &mut [u8])| {
            let first = number * L;
            let count = chunk.len() / width;
            let acc = self.block(first, count, lanes);
            self.finish(first, &acc[..count], chunk, lanes);
        };
        if work < PARALLEL {
            let mut lanes = Workspace::new(self, frame);
            bytes.chunks_mut(L * width).enumerate().for_each(|chunk| block(&mut lanes, chunk));
        } else {
            let chunks = bytes.par_chunks_mut(L * width).enumerate();
            chunks.for_each_init(|| Workspace::new(self, frame), |lanes, chunk| block(lanes, chunk));
        }
        pack::tensor(self.dtype, self.elements, bytes)
    }

    /// Reduced values of consecutive elements.
    fn block(&self, first: usize, count: usize, lanes: &mut Workspace<'_>) -> [i64; L] {
        lanes.spread(0, first, count, &self.extents);
        lanes.steps(&self.map, false, count);
        let mut total = Total::new(self.reducer);
        let mut k = [0; 16];
        for term in 0..self.terms {
            lanes.fix(FIRST_K, &k);
            lanes.steps(&self.map, true, count);
            total.add(lanes.result(self.map.len(), count), term);
            load::advance(&self.extents, FIRST_K, &mut k);
        }
        total.finish()
    }

    /// Reduced value of one element, with terms as lanes.
    fn element(&self, e: i64, lanes: &mut Workspace<'_>) -> i64 {
        let mut point = [0; 16];
        load::digits(e, &self.extents, 0, &mut point);
        lanes.fix(0, &point);
        lanes.spread(FIRST_K, 0, L.min(load::size(self.terms)), &self.extents);
        lanes.steps(&self.map, false, L);
        let mut total = Total::new(self.reducer);
        let terms = load::size(self.terms);
        for first in (0..terms).step_by(L) {
            let count = L.min(terms - first);
            lanes.spread(FIRST_K, first, count, &self.extents);
            lanes.steps(&self.map, true, count);
            total.add_across(lanes.result(self.map.len(), count), first);
        }
        total.finish()[0]
    }

    /// Runs `post` over consecutive elements and stores them.
    fn finish(&self, first: usize, acc: &[i64], bytes: &mut [u8], lanes: &mut Workspace<'_>) {
        lanes.extents = self.extents;
        self.post.run(self.dtype, first, acc, bytes, lanes);
    }
}

impl Post {
    /// `None` if a load cannot be planned.
    pub(super) fn new(instruction: &Instruction, extents: &Extents, header: Headers<'_>) -> Option<Self> {
        steps(instruction, &instruction.post, extents, header).map(Self)
    }

    /// Elements from number `first` on, from their reduced values.
    pub(super) fn run(&self, dtype: DType, first: usize, acc: &[i64], bytes: &mut [u8], lanes: &mut Workspace<'_>) {
        if self.0.is_empty() {
            pack::store(dtype, acc, bytes);
            return;
        }
        let extents = lanes.extents;
        for (number, (acc, chunk)) in acc.chunks(L).zip(bytes.chunks_mut(L * pack::width(dtype))).enumerate() {
            let count = acc.len();
            lanes.spread(0, first + number * L, count, &extents);
            lanes.fix(FIRST_K, &[0; 16]);
            lanes.slot_mut(usize::from(SLOT_ACC))[..count].copy_from_slice(acc);
            lanes.steps(&self.0, false, count);
            lanes.steps(&self.0, true, count);
            pack::store(dtype, lanes.result(self.0.len(), count), chunk);
        }
        lanes.slot_mut(usize::from(SLOT_ACC)).fill(0);
    }

    /// Number of operations.
    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }
}

fn steps(instruction: &Instruction, program: &[Op], extents: &Extents, header: Headers<'_>) -> Option<Vec<Step>> {
    let base = usize::from(SLOT_CONST) + instruction.constants.len();
    let mut inner: Vec<bool> = Vec::with_capacity(program.len());
    let mut result = Vec::with_capacity(program.len());
    for op in program {
        let follows = |slot: u8, inner: &[bool]| {
            let slot = usize::from(slot);
            let is_k = load::coordinate(u8::try_from(slot).unwrap_or(0)).is_some_and(|c| c >= FIRST_K);
            is_k || slot.checked_sub(base).is_some_and(|number| inner.get(number).copied().unwrap_or(false))
        };
        let step = match op {
            Op::Scalar { opcode, operands } => {
                let read = &operands[..opcode.arity().min(3)];
                let inner = read.iter().any(|&slot| follows(slot, &inner));
                Step { what: What::Scalar(*opcode, operands.map(usize::from)), inner }
            }
            Op::Load(load) => {
                let plan = LoadPlan::new(instruction, load, extents, header)?;
                let inner = plan.follows(FIRST_K..16) || plan.slots().any(|slot| follows(slot, &inner));
                Step { what: What::Load(plan), inner }
            }
        };
        inner.push(step.inner);
        result.push(step);
    }
    Some(result)
}

/// Slots as rows of lanes.
pub(super) struct Workspace<'a> {
    frame: Frame<'a>,
    extents: Extents,
    slots: Vec<i64>,
    base: usize,
    /// What a coordinate is in all lanes, if it is the same.
    fixed: [Option<i64>; 16],
    positions: [i64; L],
    gathered: [i64; L],
}

impl<'a> Workspace<'a> {
    fn new(lanes: &Lanes, frame: Frame<'a>) -> Self {
        Self::with(&lanes.constants, lanes.map.len().max(lanes.post.0.len()), lanes.extents, frame)
    }

    /// Lanes for programs of up to `steps` operations.
    pub(super) fn with(constants: &[i64], steps: usize, extents: Extents, frame: Frame<'a>) -> Self {
        let base = usize::from(SLOT_CONST) + constants.len();
        let mut workspace = Self {
            frame,
            extents,
            slots: vec![0; (base + steps) * L],
            base,
            fixed: [Some(0); 16],
            positions: [0; L],
            gathered: [0; L],
        };
        workspace.slot_mut(usize::from(SLOT_T)).fill(i64::try_from(frame.t).unwrap_or(i64::MAX));
        for (number, &constant) in constants.iter().enumerate() {
            workspace.slot_mut(usize::from(SLOT_CONST) + number).fill(constant);
        }
        workspace
    }

    fn slot(&self, slot: usize) -> &[i64] {
        &self.slots[slot * L..(slot + 1) * L]
    }

    fn slot_mut(&mut self, slot: usize) -> &mut [i64] {
        &mut self.slots[slot * L..(slot + 1) * L]
    }

    /// Result of a program of `steps` operations.
    fn result(&self, steps: usize, count: usize) -> &[i64] {
        &self.slot((self.base + steps).saturating_sub(1))[..count]
    }

    /// Coordinates from `first` on differ from lane to lane: points from number `start` on, row-major.
    fn spread(&mut self, first: usize, start: usize, count: usize, extents: &Extents) {
        let mut point = [0; 16];
        load::digits(i64::try_from(start).unwrap_or(i64::MAX), extents, first, &mut point);
        for (fixed, &extent) in self.fixed.iter_mut().zip(extents).skip(first).take(8) {
            *fixed = fixed.filter(|_| extent == 1);
        }
        for lane in 0..count {
            for axis in first..first + 8 {
                if extents[axis] != 1 {
                    self.slots[(usize::from(SLOT_O) + axis) * L + lane] = point[axis];
                }
            }
            load::advance(extents, first, &mut point);
        }
    }

    /// Coordinates from `first` on are the same in all lanes.
    fn fix(&mut self, first: usize, point: &[i64; 16]) {
        for (axis, &place) in point.iter().enumerate().skip(first).take(8) {
            if self.fixed[axis] != Some(place) {
                self.slot_mut(usize::from(SLOT_O) + axis).fill(place);
                self.fixed[axis] = Some(place);
            }
        }
    }

    /// Runs the operations that follow the reduction, or the others.
    fn steps(&mut self, program: &[Step], inner: bool, count: usize) {
        for (number, step) in program.iter().enumerate().filter(|(_, step)| step.inner == inner) {
            let own = (self.base + number) * L;
            match &step.what {
                What::Scalar(opcode, operands) => {
                    let (before, rest) = self.slots.split_at_mut(own);
                    let [a, b, c] = operands.map(|slot| &before[slot * L..slot * L + count]);
                    ops::apply(*opcode, &mut rest[..count], a, b, c);
                }
                What::Load(plan) => {
                    self.load(plan, count);
                    self.slots[own..own + count].copy_from_slice(&self.gathered[..count]);
                }
            }
        }
    }

    /// Reads one element a lane into `gathered`.
    fn load(&mut self, plan: &LoadPlan, count: usize) {
        let Some(tensor) = self.frame.tensor(plan.place).filter(|_| plan.place != Place::Nowhere) else {
            self.gathered[..count].fill(plan.pad);
            return;
        };
        self.positions[..count].fill(0);
        let mut valid = [true; L];
        for axis in &plan.axes {
            let mut index = [axis.base; L];
            for &(c, coefficient) in &axis.coordinates {
                let slot = usize::from(SLOT_O) + c;
                let row = &self.slots[slot * L..slot * L + count];
                for (index, value) in index.iter_mut().zip(row) {
                    *index += coefficient * value;
                }
            }
            if !axis.slots.is_empty() {
                for (lane, index) in index[..count].iter_mut().enumerate() {
                    let exact = axis.slots.iter().fold(i128::from(*index), |sum, &(slot, coefficient)| {
                        sum + i128::from(coefficient) * i128::from(self.slots[usize::from(slot) * L + lane])
                    });
                    // Past either end is past it, however far.
                    *index = i64::try_from(exact).unwrap_or(-1);
                }
            }
            let positions = self.positions[..count].iter_mut().zip(&mut valid[..count]);
            for ((position, valid), &index) in positions.zip(&index[..count]) {
                *valid &= (0..axis.extent).contains(&index);
                *position = position.wrapping_mul(axis.extent).wrapping_add(index);
            }
        }
        if !plan.inside {
            for (position, valid) in self.positions[..count].iter_mut().zip(&mut valid[..count]) {
                *valid &= *position < plan.elements;
                *position = if *valid { *position } else { 0 };
            }
        }
        pack::gather(plan.dtype, tensor.bytes(), &self.positions[..count], &mut self.gathered[..count]);
        if !plan.inside {
            for (value, valid) in self.gathered[..count].iter_mut().zip(&valid[..count]) {
                *value = if *valid { *value } else { plan.pad };
            }
        }
    }
}

/// A reduction in every lane.
enum Total {
    Sum([i128; L]),
    Max([i64; L]),
    Min([i64; L]),
    Argmax { best: [i64; L], number: [i64; L], any: bool },
}

impl Total {
    const fn new(reducer: Reducer) -> Self {
        match reducer {
            Reducer::Sum => Self::Sum([0; L]),
            Reducer::Max => Self::Max([i64::MIN; L]),
            Reducer::Min => Self::Min([i64::MAX; L]),
            Reducer::Argmax => Self::Argmax { best: [i64::MIN; L], number: [0; L], any: false },
        }
    }

    /// Adds term number `term` of each lane.
    fn add(&mut self, terms: &[i64], term: i64) {
        match self {
            Self::Sum(sums) => sums.iter_mut().zip(terms).for_each(|(sum, &term)| *sum += i128::from(term)),
            Self::Max(best) => best.iter_mut().zip(terms).for_each(|(best, &term)| *best = term.max(*best)),
            Self::Min(best) => best.iter_mut().zip(terms).for_each(|(best, &term)| *best = term.min(*best)),
            Self::Argmax { best, number, any } => {
                for ((best, number), &value) in best.iter_mut().zip(number).zip(terms) {
                    if value > *best || !*any {
                        (*best, *number) = (value, term);
                    }
                }
                *any = true;
            }
        }
    }

    /// Adds consecutive terms to lane 0.
    fn add_across(&mut self, terms: &[i64], first: usize) {
        for (term, value) in (first..).zip(terms) {
            self.add(std::slice::from_ref(value), i64::try_from(term).unwrap_or(i64::MAX));
        }
    }

    fn finish(self) -> [i64; L] {
        match self {
            Self::Sum(sums) => sums.map(opml_vm::eval::saturate),
            Self::Max(best) | Self::Min(best) => best,
            Self::Argmax { number, .. } => number,
        }
    }
}

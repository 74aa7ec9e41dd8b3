//! Products of groups whose groups lie innermost in the output, as where channels are shuffled: the same product with the groups
//! before the columns, for which there are kernels, and its elements in the order in which they are wanted.

use opml_vm::{Axis, DType, Extent, Instruction, Load, Op, Program, Reducer, Source, Tensor, Term, isa::SLOT_O};
use rayon::prelude::*;

use super::{
    Frame, dot,
    gemm::Gemm,
    interval::Interval,
    lanes::Shuffle,
    load::{self, Extents, FIRST_K, Header, Headers, Place, size},
    pack,
    pool::Pool,
    slots::renumbered,
};
use crate::tier::Tier;

/// The product and what becomes of it.
#[derive(Debug, Clone)]
pub(super) struct Regrouped {
    gemm: Gemm,
    shuffle: Shuffle,
    dtype: DType,
    elements: i64,
}

impl Regrouped {
    /// `None` if the instruction is no such product.
    pub(super) fn new(
        program: &Program,
        instruction: &Instruction,
        (t, tier): (u64, Tier),
        header: Headers<'_>,
    ) -> Option<Self> {
        let (extents, elements, terms) = dot::shape(instruction, t)?;
        let [a, b] = dot::factors(instruction, &extents, terms, header)?;
        let follows = |axis: usize| [&a, &b].map(|factor| factor.load.follows(axis..axis + 1));
        let order = order(&extents, instruction.output.len(), &follows)?;
        // Other columns would have to be packed in each run.
        let last = *order.last()?;
        let columns = if follows(last) == [true, false] { &a } else { &b };
        if !matches!(columns.load.place, Place::Constant(_)) {
            return None;
        }
        let gemm = Gemm::new(program, &ordered(instruction, &order)?, t, header, tier)?;
        let copy = copy(instruction, &extents, &order)?;
        let source = Header {
            place: Place::Now(0),
            dtype: instruction.dtype,
            elements: u64::try_from(elements).ok()?,
            tau: t,
            range: Interval::ALL,
        };
        let shuffle = Shuffle::new(&copy, &load::extents(&copy, t), &|_| Some(source), tier)?;
        Some(Self { gemm, shuffle, dtype: instruction.dtype, elements })
    }

    /// The instruction's value in each of the runs.
    pub(super) fn run(&self, frames: &[Frame<'_>], pool: &Pool) -> Vec<Tensor> {
        let products = self.gemm.run(frames, pool);
        let mut buffers = pool.take_many(products.len(), size(self.elements) * pack::width(self.dtype));
        match (products.as_slice(), buffers.as_mut_slice()) {
            ([product], [bytes]) => self.shuffle.run(product, bytes),
            (products, buffers) => {
                products.par_iter().zip(buffers).for_each(|(product, bytes)| self.shuffle.run(product, bytes));
            }
        }
        pool.put_many(products.into_iter().map(Tensor::into_bytes));
        buffers.into_iter().map(|bytes| pack::tensor(self.dtype, self.elements, bytes)).collect()
    }
}

/// The output axes with those that both factors follow before the last ones that only the last axis' factor follows; `None` if they
/// are there already.
fn order(extents: &Extents, rank: usize, follows: &dyn Fn(usize) -> [bool; 2]) -> Option<Vec<usize>> {
    let (groups, others): (Vec<usize>, Vec<usize>) =
        (0..rank).filter(|&axis| extents[axis] != 1).partition(|&axis| follows(axis) == [true; 2]);
    let columns = follows(*others.last()?);
    let rows = others.iter().rposition(|&axis| follows(axis) != columns).map_or(0, |row| row + 1);
    let (rows, columns) = others.split_at(rows);
    let order = [rows, &groups, columns].concat();
    (!order.is_sorted()).then_some(order)
}

/// The instruction with its axes in an order, and without those of one element.
fn ordered(instruction: &Instruction, order: &[usize]) -> Option<Instruction> {
    let unused = u8::try_from(order.len()).ok();
    let moved = |slot: u8| match load::coordinate(slot) {
        Some(axis) if axis < FIRST_K => {
            let place = order.iter().position(|&kept| kept == axis);
            // A coordinate that is always 0, as that of the axis past the last one.
            let place = place.and_then(|place| u8::try_from(place).ok()).or(unused)?;
            (usize::from(place) < FIRST_K).then(|| SLOT_O + place)
        }
        _ => Some(slot),
    };
    let program = |ops: &[Op]| ops.iter().map(|op| renumbered(op, &moved)).collect::<Option<Vec<Op>>>();
    let output = order.iter().map(|&axis| instruction.output.get(axis).copied()).collect::<Option<_>>()?;
    let (map, post) = (program(&instruction.map)?, program(&instruction.post)?);
    Some(Instruction { output, map, post, ..instruction.clone() })
}

/// The instruction that copies the ordered value to where its elements are wanted.
fn copy(instruction: &Instruction, extents: &Extents, order: &[usize]) -> Option<Instruction> {
    let mut step = 1;
    let mut terms = Vec::with_capacity(order.len());
    for &axis in order.iter().rev() {
        terms.push(Term { slot: SLOT_O + u8::try_from(axis).ok()?, coef: i32::try_from(step).ok()? });
        step *= extents[axis];
    }
    let extent = Extent::Fixed(u32::try_from(step).ok()?);
    let load = Load { source: Source::Value(0), pad: 0, axes: vec![Axis { extent, base: 0, terms }] };
    Some(Instruction {
        reducer: Reducer::Sum,
        reduction: Vec::new(),
        constants: Vec::new(),
        map: vec![Op::Load(load)],
        post: Vec::new(),
        ..instruction.clone()
    })
}

//! How an instruction is recognised: its operations from the last one on, and loads whose elements follow each other.

use opml_vm::{DType, Instruction, Load, Op, Opcode, Term, isa::SLOT_O};

use super::super::{access::Access, analysis::Analysis};
use crate::{
    engine::{
        Frame,
        interval::Interval,
        load::{Extents, FIRST_K, Place, size},
        pack,
    },
    num,
};

/// An instruction that is looked at.
pub(in super::super) struct Pattern<'a> {
    pub(super) instruction: &'a Instruction,
    pub(super) analysis: &'a Analysis,
    pub(super) extents: &'a Extents,
}

/// A load of elements that follow each other.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Flat {
    place: Place,
    pub(super) dtype: DType,
    /// Number of the first element.
    first: usize,
}

impl Flat {
    /// The bytes of that many elements, if the source has them.
    pub(super) fn bytes<'a>(&self, frame: Frame<'a>, count: usize) -> Option<&'a [u8]> {
        let tensor = frame.tensor(self.place).filter(|tensor| tensor.dtype() == self.dtype)?;
        let width = pack::width(self.dtype);
        let first = self.first.checked_mul(width)?;
        tensor.bytes().get(first..first.checked_add(count.checked_mul(width)?)?)
    }

    /// The only element of a load that follows nothing.
    pub(super) fn one(&self, frame: Frame<'_>) -> Option<i64> {
        let tensor = frame.tensor(self.place)?;
        tensor.get(num::wide(self.first))
    }
}

impl<'a> Pattern<'a> {
    /// Output axes.
    pub(super) fn outputs(&self) -> Vec<usize> {
        (0..self.instruction.output.len()).collect()
    }

    /// Output and reduction axes.
    pub(super) fn axes(&self) -> Vec<usize> {
        let reduction = FIRST_K..FIRST_K + self.instruction.reduction.len();
        (0..self.instruction.output.len()).chain(reduction).collect()
    }

    /// The operation that gives a slot.
    pub(super) fn op(&self, slot: usize) -> Option<(Opcode, [usize; 3])> {
        match self.analysis.ops.get(slot.checked_sub(self.analysis.base)?)? {
            Op::Scalar { opcode, operands } => Some((*opcode, operands.map(usize::from))),
            Op::Load(_) => None,
        }
    }

    /// The load that gives a slot.
    pub(super) fn load(&self, slot: usize) -> Option<(&'a Access, &'a Load)> {
        let number = slot.checked_sub(self.analysis.base)?;
        match (self.analysis.ops.get(number)?, self.analysis.loads.get(number)?) {
            (Op::Load(load), Some(access)) => Some((access, load)),
            _ => None,
        }
    }

    pub(super) fn interval(&self, slot: usize) -> Interval {
        self.analysis.intervals[slot]
    }

    pub(super) fn constant(&self, slot: usize) -> Option<i64> {
        self.interval(slot).constant()
    }

    /// A constant number of bits that products are shifted by.
    pub(super) fn shift(&self, slot: usize) -> Option<u32> {
        u32::try_from(self.constant(slot)?).ok().filter(|shift| (1..=62).contains(shift))
    }

    /// A load over some axes in row-major order, whatever the others are; it is always valid. Where the instruction has
    /// extents that follow the iteration, this holds for all of them.
    pub(super) fn flat(&self, slot: usize, axes: &[usize]) -> Option<Flat> {
        let (access, load) = self.load(slot)?;
        let plain = access.bounded && !access.never && access.checks.is_empty() && access.position.slots.is_empty();
        let mut strides = [0; 16];
        let mut stride: i64 = 1;
        for &axis in axes.iter().rev() {
            strides[axis] = stride;
            stride = stride.checked_mul(self.extents[axis])?;
        }
        let follows = |axis: usize| access.position.coordinates[axis] == strides[axis] || self.extents[axis] == 1;
        let moves = !self.instruction.dynamics.is_empty();
        let fits = plain && access.dtype != DType::I4 && (0..16).all(follows) && (!moves || self.is_same(load, axes));
        let first = usize::try_from(access.position.base).ok()?;
        fits.then_some(Flat { place: access.place, dtype: access.dtype, first })
    }

    /// Whether the load's view has exactly these axes.
    fn is_same(&self, load: &Load, axes: &[usize]) -> bool {
        let extent = |axis: usize| match axis.checked_sub(FIRST_K) {
            Some(reduction) => self.instruction.reduction.get(reduction),
            None => self.instruction.output.get(axis),
        };
        let same = |(own, &axis): (&opml_vm::Axis, &usize)| {
            let slot = |term: &Term| usize::from(term.slot) == usize::from(SLOT_O) + axis && term.coef == 1;
            let follows = own.base == 0 && matches!(own.terms.as_slice(), [term] if slot(term));
            follows && extent(axis) == Some(&own.extent)
        };
        load.axes.len() == axes.len() && load.axes.iter().zip(axes).all(same)
    }
}

/// The product of some extents.
pub(super) fn count(extents: &[i64]) -> usize {
    size(extents.iter().fold(1, |count: i64, &extent| count.saturating_mul(extent)))
}

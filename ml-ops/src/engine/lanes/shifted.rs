//! Sums that are shifted, and perhaps added to a value, before they are stored: what most products end with.

use opml_vm::{DType, Op, Opcode, Tensor, isa::SLOT_ACC};

use super::{access::Access, analysis::Analysis, bytes, simd::Kernels};
use crate::engine::{
    Frame,
    load::{Extents, FIRST_K, Place},
};

/// `⌊acc / 2^shift + 1/2⌋`, plus the element of a tensor in the same place, as i32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shifted {
    shift: i64,
    added: Option<Place>,
}

/// Shifts by less may carry out of 64 bits, by more leave nothing.
const SHIFTS: std::ops::RangeInclusive<i64> = 2..=62;

impl Shifted {
    /// `None` if the operations after a reduction are others.
    pub(super) fn new(dtype: DType, post: &Analysis) -> Option<Self> {
        let found = post.shift(post.output).map(|shift| Self { shift, added: None });
        let found = found.or_else(|| {
            let Op::Scalar { opcode: Opcode::Add, operands: [a, b, _] } = *post.op(post.output)? else { return None };
            let (a, b) = (usize::from(a), usize::from(b));
            let (shift, load) = post.shift(a).zip(post.load(b)).or_else(|| post.shift(b).zip(post.load(a)))?;
            let is_own = load.dtype == DType::I32 && is_place(load, &post.extents);
            is_own.then_some(Self { shift, added: Some(load.place) })
        });
        found.filter(|_| dtype == DType::I32)
    }

    /// Elements from number `first` on.
    pub(super) fn run(self, frame: Frame<'_>, kernels: Kernels, (first, acc): (usize, &[i64]), out: &mut [u8]) {
        let added = match self.added {
            None => &[],
            Some(place) => {
                let tensor = frame.tensor(place).map_or(&[][..], Tensor::bytes);
                tensor.get(first * bytes::WORD..).unwrap_or(&[])
            }
        };
        kernels.shifted(out, acc, added, self.shift);
    }
}

/// Whether a load reads the element with the number of the output, always a valid one.
fn is_place(load: &Access, extents: &Extents) -> bool {
    let (mut inner, mut coefficients) = (1i64, [0; 16]);
    for axis in (0..FIRST_K).rev() {
        coefficients[axis] = inner;
        inner = inner.saturating_mul(extents[axis]);
    }
    let own = load.position.coordinates.iter().zip(coefficients).zip(extents);
    let plain = load.bounded && !load.never && load.checks.is_empty() && load.position.slots.is_empty();
    let rows = own.clone().all(|((&found, wanted), &extent)| extent == 1 || found == wanted);
    plain && load.position.base == 0 && load.elements >= inner && rows
}

impl Analysis {
    /// The operation whose result a slot is.
    fn op(&self, slot: usize) -> Option<&Op> {
        self.ops.get(slot.checked_sub(self.base)?)
    }

    /// The load whose result a slot is.
    fn load(&self, slot: usize) -> Option<&Access> {
        self.loads.get(slot.checked_sub(self.base)?)?.as_ref()
    }

    /// By how much a slot is the reduced value shifted, rounded.
    fn shift(&self, slot: usize) -> Option<i64> {
        let Op::Scalar { opcode: Opcode::Rshr, operands: [a, s, _] } = *self.op(slot)? else { return None };
        let shift = self.intervals.get(usize::from(s))?.constant()?;
        (a == SLOT_ACC && SHIFTS.contains(&shift)).then_some(shift)
    }
}

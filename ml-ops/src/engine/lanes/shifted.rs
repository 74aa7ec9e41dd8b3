//! Sums that are scaled, and perhaps added to a value, before they are stored: what most products end with.

use opml_vm::{DType, Op, Opcode, Tensor, isa::SLOT_ACC};

use super::{access::Access, analysis::Analysis, bytes, simd::Kernels};
use crate::engine::{
    Frame,
    load::{Extents, FIRST_K, Place},
};

/// `⌊acc · factor / 2^shift + 1/2⌋`, plus the element of a tensor in the same place, as i32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shifted {
    scale: Scale,
    added: Option<Place>,
}

/// By what sums are scaled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scale {
    pub(super) factor: i64,
    pub(super) shift: i64,
}

/// Shifts by less may carry out of 64 bits, by more leave nothing.
const SHIFTS: std::ops::RangeInclusive<i64> = 2..=62;
/// Products and sums stay below this in magnitude.
const LIMIT: i128 = 1 << 62;

impl Shifted {
    /// `None` if the operations after a reduction are others.
    pub(super) fn new(dtype: DType, post: &Analysis) -> Option<Self> {
        let found = post.scale(post.output).map(|scale| Self { scale, added: None });
        let found = found.or_else(|| {
            let Op::Scalar { opcode: Opcode::Add, operands: [a, b, _] } = *post.op(post.output)? else { return None };
            let (a, b) = (usize::from(a), usize::from(b));
            let (scale, load) = post.scale(a).zip(post.load(b)).or_else(|| post.scale(b).zip(post.load(a)))?;
            let is_own = load.dtype == DType::I32 && is_place(load, &post.extents);
            is_own.then_some(Self { scale, added: Some(load.place) })
        });
        found.filter(|_| dtype == DType::I32)
    }

    /// Whether it is the same whatever the extents are.
    pub(super) const fn is_free(self) -> bool {
        self.added.is_none()
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
        kernels.shifted(out, acc, added, self.scale);
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

    /// By what a slot is the reduced value scaled, rounded, if 62 bits hold all that is computed on the way.
    fn scale(&self, slot: usize) -> Option<Scale> {
        let Op::Scalar { opcode, operands: [a, b, c] } = *self.op(slot)? else { return None };
        let constant = |slot: u8| self.intervals.get(usize::from(slot))?.constant();
        let scale = match opcode {
            Opcode::Rshr => Scale { factor: 1, shift: constant(b)? },
            Opcode::Mulshr => Scale { factor: constant(b)?, shift: constant(c)? },
            _ => return None,
        };
        let acc = self.intervals.get(usize::from(SLOT_ACC))?;
        let product = |end: i64| (i128::from(end) * i128::from(scale.factor)).unsigned_abs();
        let largest = product(acc.low).max(product(acc.high));
        let fits = a == SLOT_ACC && SHIFTS.contains(&scale.shift);
        // Half of 2^62 is added at most.
        (fits && (scale.factor == 1 || largest < LIMIT.unsigned_abs())).then_some(scale)
    }
}

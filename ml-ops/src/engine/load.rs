//! Loads with their sources resolved and their indices bounded.

use opml_vm::{
    DType, Instruction, Load, Source, Term,
    isa::{SLOT_ACC, SLOT_CONST, SLOT_K, SLOT_O, SLOT_T},
};

use super::interval::Interval;
use crate::num;

/// Indices and positions stay below this in magnitude, so that i64 holds every sum.
const LIMIT: i128 = 1 << 62;

/// Where a tensor is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Constant(u32),
    Input(u32),
    /// Value at this iteration.
    Now(u32),
    /// Value at an iteration.
    At(u64, u32),
    /// Value so many iterations ago.
    Back(u64, u32),
    /// The load is never valid.
    Nowhere,
}

/// What a load knows of its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) place: Place,
    pub(super) dtype: DType,
    pub(super) elements: u64,
    /// Iteration at which the view's extents are taken.
    pub(super) tau: u64,
    /// What the elements can be.
    pub(super) range: Interval,
}

impl Header {
    pub(super) const NOWHERE: Self =
        Self { place: Place::Nowhere, dtype: DType::I64, elements: 0, tau: 0, range: Interval::ALL };
}

/// Finds the header of a source; `None` if it follows coordinates.
pub(super) type Headers<'a> = &'a dyn Fn(&Source) -> Option<Header>;

/// The iteration that a history load names, if only `t` and constants decide it.
pub(super) fn iteration(instruction: &Instruction, base: i64, terms: &[Term], t: u64) -> Option<i128> {
    terms.iter().try_fold(i128::from(base), |sum, term| {
        let value = match term.slot {
            SLOT_T => i128::from(t),
            slot => i128::from(constant(instruction, slot)?),
        };
        Some(sum + i128::from(term.coef) * value)
    })
}

/// The number in a constant's slot.
pub(super) fn constant(instruction: &Instruction, slot: u8) -> Option<i64> {
    instruction.constants.get(usize::from(slot.checked_sub(SLOT_CONST)?)).copied()
}

/// Number of a coordinate: outputs 0 to 7, reductions 8 to 15.
pub(super) fn coordinate(slot: u8) -> Option<usize> {
    (SLOT_O..SLOT_ACC).contains(&slot).then(|| usize::from(slot - SLOT_O))
}

/// First reduction coordinate.
pub(super) const FIRST_K: usize = 8;
const _: () = assert!(SLOT_K == 9, "reduction coordinates follow eight output coordinates");

/// Extents of all 16 coordinates; absent axes count as 1.
pub(super) type Extents = [i64; 16];

/// Extents of an instruction's coordinates at an iteration.
pub(super) fn extents(instruction: &Instruction, t: u64) -> Extents {
    let mut extents = [1; 16];
    let place = |first: usize, list: &[opml_vm::Extent], extents: &mut Extents| {
        for (axis, &extent) in list.iter().enumerate() {
            extents[first + axis] = i64::try_from(instruction.extent_at(extent, t)).unwrap_or(i64::MAX);
        }
    };
    place(0, &instruction.output, &mut extents);
    place(FIRST_K, &instruction.reduction, &mut extents);
    extents
}

/// An axis of a view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AxisPlan {
    pub(super) extent: i64,
    pub(super) base: i64,
    /// (coordinate, coefficient)
    pub(super) coordinates: Vec<(usize, i64)>,
    /// (slot, coefficient) of `t`, the accumulator and results.
    pub(super) slots: Vec<(u8, i64)>,
    /// Smallest and largest index, without slots.
    pub(super) range: (i64, i64),
}

/// A load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LoadPlan {
    pub(super) place: Place,
    pub(super) dtype: DType,
    pub(super) elements: i64,
    pub(super) pad: i64,
    pub(super) axes: Vec<AxisPlan>,
    /// Whether every load is valid.
    pub(super) inside: bool,
    /// What the source's elements can be.
    pub(super) range: Interval,
}

impl LoadPlan {
    /// `None` if the source follows coordinates or an index may not fit 62 bits.
    pub(super) fn new(instruction: &Instruction, load: &Load, extents: &Extents, header: Headers<'_>) -> Option<Self> {
        let Header { place, dtype, elements, tau, range } = header(&load.source)?;
        let mut axes = Vec::with_capacity(load.axes.len());
        for axis in &load.axes {
            let extent = i64::try_from(instruction.extent_at(axis.extent, tau)).ok()?;
            axes.push(axis_plan(instruction, axis.base, &axis.terms, extent, extents)?);
        }
        let size = axes.iter().fold(1i128, |n, axis| n.saturating_mul(i128::from(axis.extent)));
        if size > LIMIT {
            return None;
        }
        let elements = i64::try_from(elements).ok()?;
        let largest = axes.iter().fold(0i128, |p, axis| p * i128::from(axis.extent) + i128::from(axis.range.1));
        let within = |axis: &AxisPlan| axis.slots.is_empty() && axis.range.0 >= 0 && axis.range.1 < axis.extent;
        let inside = place != Place::Nowhere && axes.iter().all(within) && largest < i128::from(elements);
        Some(Self { place, dtype, elements, pad: load.pad, axes, inside, range })
    }

    /// The position as one sum over coordinates: base and coefficients. Right for loads that are `inside`.
    pub(super) fn linear(&self) -> (i64, [i64; 16]) {
        let mut base = 0;
        let mut coefficients = [0; 16];
        for axis in &self.axes {
            base = base * axis.extent + axis.base;
            for c in &mut coefficients {
                *c *= axis.extent;
            }
            for &(coordinate, coefficient) in &axis.coordinates {
                coefficients[coordinate] += coefficient;
            }
        }
        (base, coefficients)
    }

    /// Whether an index follows any of the coordinates.
    pub(super) fn follows(&self, coordinates: std::ops::Range<usize>) -> bool {
        self.axes.iter().flat_map(|axis| &axis.coordinates).any(|(c, _)| coordinates.contains(c))
    }

    /// Slots that the indices read.
    pub(super) fn slots(&self) -> impl Iterator<Item = u8> {
        self.axes.iter().flat_map(|axis| axis.slots.iter().map(|(slot, _)| *slot))
    }
}

fn axis_plan(instruction: &Instruction, base: i64, terms: &[Term], extent: i64, extents: &Extents) -> Option<AxisPlan> {
    let mut fixed = i128::from(base);
    let mut plan = AxisPlan { extent, base: 0, coordinates: Vec::new(), slots: Vec::new(), range: (0, 0) };
    for term in terms {
        let coefficient = i64::from(term.coef);
        match (coordinate(term.slot), constant(instruction, term.slot)) {
            (Some(c), _) => match plan.coordinates.iter_mut().find(|(known, _)| *known == c) {
                Some((_, sum)) => *sum += coefficient,
                None => plan.coordinates.push((c, coefficient)),
            },
            (None, Some(value)) => fixed += i128::from(coefficient) * i128::from(value),
            (None, None) => plan.slots.push((term.slot, coefficient)),
        }
    }
    let (mut low, mut high) = (fixed, fixed);
    for &(c, coefficient) in &plan.coordinates {
        let reach = i128::from(coefficient) * i128::from(extents[c].max(1) - 1);
        low += reach.min(0);
        high += reach.max(0);
    }
    if low < -LIMIT || high > LIMIT {
        return None;
    }
    plan.base = i64::try_from(fixed).ok()?;
    plan.range = (i64::try_from(low).ok()?, i64::try_from(high).ok()?);
    Some(plan)
}

/// The next point in row-major order.
pub(super) fn advance(extents: &Extents, first: usize, point: &mut [i64; 16]) {
    for axis in (first..first + 8).rev() {
        point[axis] += 1;
        if point[axis] < extents[axis] {
            return;
        }
        point[axis] = 0;
    }
}

/// A size as a count.
pub(super) fn count(n: usize) -> i64 {
    num::signed(n)
}

/// A count as a size.
pub(super) fn size(n: i64) -> usize {
    num::index(n).unwrap_or(0)
}

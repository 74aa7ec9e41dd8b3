//! How a load finds its elements: index sums, and the bounds checks that intervals do not prove needless.

use opml_vm::{DType, Instruction, Load};

use crate::engine::{
    interval::Interval,
    load::{Extents, Headers, LoadPlan, Place},
};

/// Sums stay below this in magnitude where they must be exact.
const LIMIT: i128 = 1 << 62;

/// `base + Σ coefficient · coordinate + Σ coefficient · slot`, modulo 2^64.
#[derive(Debug, Clone, Default)]
pub(super) struct Sum {
    pub(super) base: i64,
    pub(super) coordinates: [i64; 16],
    /// (slot, coefficient) of anything but coordinates and constants.
    pub(super) slots: Vec<(usize, i64)>,
}

impl Sum {
    /// Adds another one times a factor.
    fn add(&mut self, other: &Self, factor: i64) {
        self.base = self.base.wrapping_add(other.base.wrapping_mul(factor));
        for (own, coefficient) in self.coordinates.iter_mut().zip(other.coordinates) {
            *own = own.wrapping_add(coefficient.wrapping_mul(factor));
        }
        let scaled = other.slots.iter().map(|&(slot, coefficient)| (slot, coefficient.wrapping_mul(factor)));
        self.slots.extend(scaled);
    }

    /// Exact bounds; saturated far beyond any limit.
    fn bounds(&self, extents: &Extents, slot: &dyn Fn(usize) -> Interval) -> (i128, i128) {
        let coordinates = self.coordinates.iter().zip(extents).map(|(&c, &extent)| (c, Interval::axis(extent)));
        let slots = self.slots.iter().map(|&(number, c)| (c, slot(number)));
        let base = i128::from(self.base);
        coordinates.chain(slots).fold((base, base), |(low, high), (c, interval)| {
            let ends = [interval.low, interval.high].map(|end| i128::from(c) * i128::from(end));
            (low.saturating_add(ends[0].min(ends[1])), high.saturating_add(ends[0].max(ends[1])))
        })
    }

    /// Whether the sum follows a coordinate of the mask, or a slot for which `slot` says so.
    pub(super) fn follows(&self, mask: u32, slot: &dyn Fn(usize) -> bool) -> bool {
        let own = self.coordinates.iter().enumerate().any(|(axis, &c)| c != 0 && mask >> axis & 1 != 0);
        own || self.slots.iter().any(|&(number, _)| slot(number))
    }
}

/// A load with its checks.
#[derive(Debug, Clone)]
pub(super) struct Access {
    /// Number of the operation.
    pub(super) number: usize,
    pub(super) place: Place,
    pub(super) dtype: DType,
    pub(super) elements: i64,
    pub(super) pad: i64,
    /// Index and extent of every axis of the view.
    pub(super) axes: Vec<(Sum, i64)>,
    /// Row-major number of the element; right wherever all checks hold.
    pub(super) position: Sum,
    /// Sums that must lie in `0..extent`, in this order, for the load to be valid.
    pub(super) checks: Vec<(Sum, i64)>,
    /// Whether the sums of all checks and the position are exact.
    pub(super) bounded: bool,
    /// No index is ever valid.
    pub(super) never: bool,
    /// What the load can give.
    pub(super) value: Interval,
}

impl Access {
    /// `None` if the load cannot be planned.
    pub(super) fn new(
        instruction: &Instruction,
        load: &Load,
        extents: &Extents,
        header: Headers<'_>,
        slot: &dyn Fn(usize) -> Interval,
    ) -> Option<Self> {
        let plan = LoadPlan::new(instruction, load, extents, header)?;
        let axes: Vec<(Sum, i64)> = plan.axes.iter().map(|axis| (sum(axis), axis.extent)).collect();
        let mut access = Self {
            number: 0,
            place: plan.place,
            dtype: plan.dtype,
            elements: plan.elements,
            pad: plan.pad,
            axes,
            position: Sum::default(),
            checks: Vec::new(),
            bounded: true,
            never: plan.place == Place::Nowhere || plan.elements == 0,
            value: plan.range,
        };
        access.bound(extents, slot);
        if access.never {
            access.value = Interval::point(plan.pad);
        } else if !access.checks.is_empty() {
            access.value = access.value.union(Interval::point(plan.pad));
        }
        Some(access)
    }

    /// Finds the position and the checks that remain.
    fn bound(&mut self, extents: &Extents, slot: &dyn Fn(usize) -> Interval) {
        let exact = |(low, high): (i128, i128)| low > -LIMIT && high < LIMIT;
        let mut stride: i64 = 1;
        let mut largest: i128 = 0;
        for (index, extent) in self.axes.iter().rev() {
            let (low, high) = index.bounds(extents, slot);
            let last = i128::from(*extent) - 1;
            self.never |= high < 0 || low > last;
            if low < 0 || high > last {
                self.bounded &= exact((low, high));
                self.checks.insert(0, (index.clone(), *extent));
            }
            largest = largest.saturating_add(high.clamp(0, last.max(0)).saturating_mul(i128::from(stride)));
            self.position.add(index, stride);
            stride = stride.wrapping_mul(*extent);
        }
        let position = self.position.bounds(extents, slot);
        if largest >= i128::from(self.elements) {
            self.checks.push((self.position.clone(), self.elements));
            self.bounded &= exact(position);
        }
    }

    /// The only axis that does not stand still at 0, if there is just one, and the bounds of its index.
    pub(super) fn table(&self, extents: &Extents, slot: &dyn Fn(usize) -> Interval) -> Option<Table> {
        let mut moving = self.axes.iter().enumerate().filter(|(_, (index, extent))| {
            !(*extent == 1 && index.base == 0 && index.coordinates == [0; 16] && index.slots.is_empty())
        });
        let (axis, (index, _)) = moving.next()?;
        if moving.next().is_some() {
            return None;
        }
        let (low, high) = index.bounds(extents, slot);
        let low = i64::try_from(low).ok()?;
        let size = usize::try_from(high - i128::from(low) + 1).ok()?;
        Some(Table { axis, low, size })
    }

    /// Reads other slots with the same numbers.
    pub(super) fn rename(&mut self, new: &dyn Fn(usize) -> usize) {
        let checks = self.checks.iter_mut().map(|(sum, _)| sum);
        let axes = self.axes.iter_mut().map(|(sum, _)| sum);
        for sum in checks.chain(axes).chain(std::iter::once(&mut self.position)) {
            for (slot, _) in &mut sum.slots {
                *slot = new(*slot);
            }
        }
    }

    /// Every sum that is computed.
    pub(super) fn sums(&self) -> impl Iterator<Item = &Sum> {
        let plain = self.bounded && self.axes.iter().all(|(sum, _)| sum.slots.is_empty());
        let axes = self.axes.iter().filter(move |_| !plain).map(|(sum, _)| sum);
        axes.chain(self.checks.iter().map(|(sum, _)| sum)).chain(std::iter::once(&self.position))
    }
}

/// Indices `low .. low + size` of a load with one axis.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table {
    pub(super) axis: usize,
    pub(super) low: i64,
    pub(super) size: usize,
}

fn sum(axis: &crate::engine::load::AxisPlan) -> Sum {
    let mut sum = Sum { base: axis.base, ..Sum::default() };
    for &(coordinate, coefficient) in &axis.coordinates {
        sum.coordinates[coordinate] = coefficient;
    }
    sum.slots = axis.slots.iter().map(|&(slot, coefficient)| (usize::from(slot), coefficient)).collect();
    sum
}

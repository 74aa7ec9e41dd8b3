//! Sums of products, shifted, moved and clamped, as one step: `clamp((a·b + c·d + e) / 2^s + z)`.

use opml_vm::{Op, Opcode};

use super::{
    analysis::Analysis,
    calc,
    code::{Calc, Shape},
    shape::Shapes,
};
use crate::engine::interval::Interval;

/// The constants of the step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Constants {
    /// Added before the shift.
    pub(super) before: i64,
    /// In `0..=62`.
    pub(super) shift: u32,
    /// Added after it.
    pub(super) after: i64,
    pub(super) low: i64,
    pub(super) high: i64,
    /// Whether the shifted numbers and all that follow fit i32.
    pub(super) narrow: bool,
}

/// Products of slots that fit i32, or of such a slot and a factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Factor {
    Slot(usize),
    Number(i64),
}

/// The step.
#[derive(Debug, Clone)]
pub(super) struct Linear {
    /// One or two; the first factor of each is a slot of lanes.
    pub(super) products: Vec<(usize, Factor)>,
    pub(super) constants: Constants,
}

/// Looks at a program to find such steps.
pub(super) struct Finder<'a> {
    pub(super) ops: &'a [Op],
    pub(super) analysis: &'a Analysis,
    pub(super) shapes: &'a Shapes,
}

impl Finder<'_> {
    /// The step that computes a slot of lanes, if it is likely faster.
    pub(super) fn find(&self, slot: usize) -> Option<Linear> {
        let mut constants = Constants { before: 0, shift: 0, after: 0, low: i64::MIN, high: i64::MAX, narrow: true };
        let (mut at, mut saved) = (slot, 0);
        if let (Opcode::Clamp, [x, low, high]) = self.op(at)?
            && let (Some(low), Some(high)) = (self.constant(low), self.constant(high))
            && self.joins(x, slot)
        {
            (constants.low, constants.high, at, saved) = (low, high, x, saved + 1);
        }
        if let (Opcode::Add, [x, y, _]) = self.op(at)?
            && let Some((x, after)) = self.with_constant(x, y)
            && self.joins(x, slot)
            && self.is_shift(x)
        {
            constants.narrow &= self.interval(at).is_narrow();
            (constants.after, at, saved) = (after, x, saved + 1);
        }
        constants.narrow &= self.interval(at).is_narrow() && self.interval(slot).is_narrow();
        let mut sum = Collected::default();
        match self.op(at)? {
            (Opcode::Mulshr, [a, b, s]) => {
                self.shift(&mut constants, s, true)?;
                self.product(&mut sum, a, b)?;
                // Even alone it is faster as this step.
                saved += usize::from(constants.narrow);
            }
            (Opcode::Rshr, [v, s, _]) => {
                self.shift(&mut constants, s, true)?;
                let half = constants.before;
                self.interval(v).high.checked_add(half)?;
                saved += self.collect(&mut sum, v, slot)?;
            }
            (Opcode::Shr, [v, s, _]) => {
                self.shift(&mut constants, s, false)?;
                saved += self.collect(&mut sum, v, slot)?;
            }
            (Opcode::Add, _) => saved += self.collect(&mut sum, at, slot)?,
            _ => return None,
        }
        constants.before = constants.before.wrapping_add(sum.constant);
        (saved > 0 && !sum.products.is_empty()).then_some(Linear { products: sum.products, constants })
    }

    fn op(&self, slot: usize) -> Option<(Opcode, [usize; 3])> {
        match self.ops.get(slot.checked_sub(self.analysis.base)?)? {
            Op::Scalar { opcode, operands } if self.is_exact(slot, *opcode, operands.map(usize::from)) => {
                Some((*opcode, operands.map(usize::from)))
            }
            _ => None,
        }
    }

    /// Whether arithmetic in i64 computes the operation.
    fn is_exact(&self, slot: usize, opcode: Opcode, operands: [usize; 3]) -> bool {
        let intervals = operands.map(|slot| self.interval(slot));
        let lanes = operands.map(|slot| self.constant(slot).is_none());
        calc::form(opcode, intervals, self.interval(slot), lanes).calc != Calc::Exact
    }

    fn interval(&self, slot: usize) -> Interval {
        self.analysis.intervals[slot]
    }

    fn constant(&self, slot: usize) -> Option<i64> {
        self.analysis.is_constant(slot).then(|| self.interval(slot).low)
    }

    fn with_constant(&self, x: usize, y: usize) -> Option<(usize, i64)> {
        match (self.constant(x), self.constant(y)) {
            (None, Some(c)) => Some((x, c)),
            (Some(c), None) => Some((y, c)),
            _ => None,
        }
    }

    /// Whether an operation can be computed within another one: nobody else reads it, and it runs as often.
    fn joins(&self, slot: usize, root: usize) -> bool {
        let Shapes { shapes, whens, readers } = self.shapes;
        shapes[slot] == Shape::Lane && readers[slot] == 1 && whens[slot] == whens[root] && self.op(slot).is_some()
    }

    fn is_shift(&self, slot: usize) -> bool {
        matches!(self.op(slot), Some((Opcode::Mulshr | Opcode::Rshr | Opcode::Shr, _)))
    }

    fn shift(&self, constants: &mut Constants, slot: usize, rounds: bool) -> Option<()> {
        let shift = self.constant(slot).filter(|shift| (0..=62).contains(shift))?;
        constants.shift = u32::try_from(shift).ok()?;
        if rounds && shift > 0 {
            constants.before = 1 << (shift - 1);
        }
        Some(())
    }

    /// Adds a product.
    fn product(&self, sum: &mut Collected, a: usize, b: usize) -> Option<()> {
        let narrow = |slot: usize| self.interval(slot).is_narrow();
        let factor = |slot: usize| self.constant(slot).map_or(Factor::Slot(slot), Factor::Number);
        let lane = |slot: usize| self.shapes.shapes[slot] == Shape::Lane;
        if !narrow(a) || !narrow(b) || sum.products.len() == 2 {
            return None;
        }
        let product = if lane(a) { (a, factor(b)) } else { (b, factor(a)) };
        lane(product.0).then(|| sum.products.push(product))
    }

    /// Adds a slot, taken apart as far as it is a sum; counts the operations that the step replaces.
    fn collect(&self, sum: &mut Collected, slot: usize, root: usize) -> Option<usize> {
        if let Some(constant) = self.constant(slot) {
            sum.constant = sum.constant.wrapping_add(constant);
            return Some(0);
        }
        if slot == root || self.joins(slot, root) {
            let apart = match self.op(slot) {
                Some((Opcode::Add, [x, y, _])) => {
                    Some(self.collect(sum, x, root)? + self.collect(sum, y, root)? + usize::from(slot != root))
                }
                Some((Opcode::Sub, [x, y, _])) if let Some(constant) = self.constant(y) => {
                    sum.constant = sum.constant.wrapping_sub(constant);
                    Some(self.collect(sum, x, root)? + 1)
                }
                Some((Opcode::Mul, [x, y, _])) => self.product(sum, x, y).map(|()| 1),
                Some((Opcode::Shl, [x, s, _])) => {
                    let factor = self.constant(s).filter(|s| (0..31).contains(s)).map(|s| 1i64 << s);
                    let narrow = self.interval(x).is_narrow() && self.shapes.shapes[x] == Shape::Lane;
                    let factor = factor.filter(|_| narrow && sum.products.len() < 2);
                    factor.map(|factor| sum.products.push((x, Factor::Number(factor)))).map(|()| 1)
                }
                _ => None,
            };
            if apart.is_some() {
                return apart;
            }
        }
        let narrow = self.interval(slot).is_narrow() && self.shapes.shapes[slot] == Shape::Lane;
        if slot == root || !narrow || sum.products.len() == 2 {
            return None;
        }
        sum.products.push((slot, Factor::Number(1)));
        Some(0)
    }
}

#[derive(Debug, Default)]
struct Collected {
    products: Vec<(usize, Factor)>,
    constant: i64,
}

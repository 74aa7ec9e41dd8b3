//! Factors of 8 bits with scales that the program computes from the values themselves, one for each row.

use opml_vm::{DType, Reducer};

use super::{super::multiplier, Emit, number::Number};
use crate::{
    graph::{Encoding, Node, Operator, ValueId},
    lower::{self, LowerError, Operand, RowScale, View},
    num,
};

/// Greatest stored magnitude.
const STEPS: i64 = 127;
/// Bits of a reciprocal above those of the greatest stored magnitude.
const GUARD: i64 = 8;
/// Bits of a sum times its row's scale.
const SUM_BITS: i64 = 29;
/// Bits of the numerator of a sum's reciprocal.
const RECIPROCAL: i64 = 27;

/// A value as products read it.
#[derive(Debug, Clone)]
pub(super) struct Factor {
    pub(super) view: View,
    /// What a stored integer means, times its row's number in `rows`.
    pub(super) encoding: Encoding,
    /// One number for each row; they are below `2^bits`.
    pub(super) rows: Option<(View, i64)>,
}

/// Which operand of a product a factor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    /// Multiplied with weights: rows along the last axis have a scale.
    Weighted,
    /// Of two computed ones the left: rows have a scale, together with the axes that lie inside of them in memory, as heads do.
    Left,
    /// The right: all have one scale.
    Right,
}

impl Side {
    /// The axes that share a scale.
    fn axes(self, x: &View) -> Vec<usize> {
        let rank = x.axes.len();
        let last = rank.saturating_sub(1);
        let strides = |axis: usize| x.axes[axis].iter().map(|digit| digit.stride.abs());
        match self {
            Self::Weighted => vec![last],
            Self::Left => {
                let row = last.checked_sub(1).and_then(|row| strides(row).min()).unwrap_or(i64::MAX);
                (0..rank).filter(|&axis| axis == last || strides(axis).max().is_some_and(|s| s < row)).collect()
            }
            Self::Right => (0..rank).collect(),
        }
    }
}

impl Emit<'_> {
    /// A value as a product reads it, with dynamic scales if it has such.
    pub(super) fn scaled_factor(&mut self, id: ValueId, side: Side) -> Result<Factor, LowerError> {
        if let Some(known) = self.scaled.get(&(id, side)) {
            return Ok(known.clone());
        }
        if !self.dynamic[id.0] || self.places[id.0].is_none() {
            let (view, encoding) = self.factor(id)?;
            return Ok(Factor { view, encoding, rows: None });
        }
        let (x, from) = self.place(id)?;
        let factor = self.quantised_rows(&x, from, &side.axes(&x))?;
        self.scaled.insert((id, side), factor.clone());
        Ok(factor)
    }

    /// `x` in 8 bits, `⌊127 · x / max |x|⌉` over the given axes, and the maxima.
    ///
    /// The reciprocal has [`GUARD`] bits more than the maximum, so products with it are below 2^31 for 16-bit numbers.
    fn quantised_rows(&mut self, x: &View, from: Encoding, axes: &[usize]) -> Result<Factor, LowerError> {
        let bits = if from.dtype.bits() <= 16 { 16 } else { 31 };
        let shift = bits - 1 + GUARD;
        let number = Number { operand: Operand::View(x.clone()), encoding: from };
        let form = (DType::I32, Reducer::Max);
        let magnitude = |draft: &mut lower::Draft, x: lower::Reg, _: &[lower::Reg]| {
            let x = number.centred(draft, x.into());
            draft.abs(x)
        };
        let largest = lower::reduction(&mut self.builder, (x, axes), form, &[], magnitude, |_, acc| acc)?;
        let operands = [number.operand.clone(), Operand::View(largest.clone())];
        let view = lower::pointwise(&mut self.builder, &operands, &x.shape(), DType::I8, |draft, args| {
            let x = number.centred(draft, args[0]);
            let reciprocal = draft.div(STEPS << shift, args[1]);
            let product = draft.mul(x, reciprocal);
            draft.rshr(product, shift)
        })?;
        let encoding = Encoding { dtype: DType::I8, scale: from.scale / num::real(STEPS), zero_point: 0 };
        Ok(Factor { view, encoding, rows: Some((largest, bits)) })
    }

    /// Whether nothing but matrix products with dynamic scales reads a value.
    pub(super) fn feeds_products(&self, id: ValueId) -> bool {
        let product = |node: &&Node| matches!(node.operator, Operator::Dense | Operator::MatMul);
        let mut users = self.graph.nodes.iter().filter(|node| node.inputs.contains(&id));
        self.dynamic[id.0] && !self.graph.outputs.contains(&id) && users.all(|user| product(&user))
    }

    /// A softmax that one product multiplies from the left, as `255 · exp(x − largest)`: the reciprocal of its sum is the scale of
    /// a row. `None` if the softmax is another.
    pub(super) fn powers(&mut self, node: &Node) -> Result<Option<Factor>, LowerError> {
        let Operator::Softmax { axis } = node.operator else { return Ok(None) };
        let (x, from) = self.place(node.inputs[0])?;
        let left = |user: &Node| !user.inputs.contains(&node.output) || user.inputs.first() == Some(&node.output);
        let alone = self.feeds_products(node.output) && self.graph.nodes.iter().all(left);
        if !alone || axis + 1 != x.axes.len() || from.dtype.bits() > 32 {
            return Ok(None);
        }
        // A unit of the table is at most 1/256.
        let shift = (-8 - multiplier::exponent(from.scale)).max(0);
        let unit = from.scale * multiplier::power(shift);
        let entry = |number: i64| num::round(255.0 * libm::exp(-unit * num::real(number)));
        let table: Vec<i64> = (0..).map(entry).take_while(|&entry| entry > 0).chain([0]).collect();
        let (view, rows) = lower::powers_of_rows(&mut self.builder, &x, axis, &table, shift, RECIPROCAL)?;
        let encoding = Encoding { dtype: DType::U8, scale: multiplier::power(-RECIPROCAL), zero_point: 0 };
        let factor = Factor { view, encoding, rows: Some((rows, RECIPROCAL - 7)) };
        self.scaled.insert((node.output, Side::Left), factor.clone());
        Ok(Some(factor))
    }

    /// The scales of two factors as one, and the real number that a unit of them is.
    pub(super) fn joined_rows(&mut self, a: &Factor, b: &Factor) -> Result<Option<(View, i64, f64)>, LowerError> {
        let ((x, x_bits), (y, y_bits)) = match (&a.rows, &b.rows) {
            (Some(x), Some(y)) => (x, y),
            (Some((x, bits)), None) | (None, Some((x, bits))) => return Ok(Some((x.clone(), *bits, 1.0))),
            (None, None) => return Ok(None),
        };
        let shift = (x_bits + y_bits - 31).max(0);
        let (x_shape, y_shape) = (x.shape(), y.shape());
        let rank = x_shape.len().max(y_shape.len());
        let extent = |shape: &[i64], axis: usize| (axis + shape.len()).checked_sub(rank).map_or(1, |axis| shape[axis]);
        let shape: Vec<i64> = (0..rank).map(|axis| extent(&x_shape, axis).max(extent(&y_shape, axis))).collect();
        let operands = [Operand::View(x.clone()), Operand::View(y.clone())];
        let joined = lower::pointwise(&mut self.builder, &operands, &shape, DType::I32, |draft, args| {
            draft.mulshr(args[0], args[1], shift)
        })?;
        Ok(Some((joined, (x_bits + y_bits).min(31), multiplier::power(shift))))
    }
}

/// The scales of rows, below `2^bits`, as a product applies them: shifted such that sums below `sum` in magnitude times them, and a
/// bias of `bias` in units of such a product, fit 31 bits. The second number is the power of two that was shifted out.
pub(super) fn row_scale(rows: &View, bits: i64, sum: f64, bias: f64) -> (RowScale, f64) {
    let most = (sum * multiplier::power(bits)).max(bias);
    let shift = (multiplier::exponent(most) - SUM_BITS).max(0);
    (RowScale { view: rows.clone(), shift }, multiplier::power(shift))
}

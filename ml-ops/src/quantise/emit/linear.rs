//! Products with weights.

use opml_vm::DType;

use super::{
    super::constants,
    Emit,
    dynamic::{Factor, Side, row_scale},
};
use crate::{
    graph::{Encoding, Node, Window},
    lower::{self, LowerError, View},
    num,
};

/// A product with weights, in integers.
struct Linear {
    weights: constants::Weights,
    bias: Vec<i64>,
    factors: Vec<f64>,
}

impl Emit<'_> {
    /// Weights, and the real unit of their sums in each row.
    fn weights(&self, node: &Node, x: Encoding) -> (constants::Weights, Vec<f64>) {
        let weights = constants::weights(self.graph.value(node.inputs[1]), self.settings.weights);
        let units = weights.scales.iter().map(|scale| x.scale * scale).collect();
        (weights, units)
    }

    /// The bias of each row in real numbers.
    pub(super) fn bias(&self, node: &Node, rows: usize) -> Vec<f64> {
        let bias = node.inputs.get(2).and_then(|&id| self.graph.value(id).floats()).unwrap_or(&[]);
        (0..rows).map(|row| bias.get(row).map_or(0.0, |&b| f64::from(b))).collect()
    }

    /// Weights, bias in accumulator units with the zero point of `x` folded in, and the factors to the result's unit.
    fn linear(&self, node: &Node, x: Encoding) -> Result<Linear, LowerError> {
        let (weights, units) = self.weights(node, x);
        let unit = self.encoding(node)?.scale;
        let bias = self.bias(node, units.len());
        let rows = bias.iter().zip(&units).zip(weights.sums());
        let stored = |real: f64, unit: f64| num::round(real / unit);
        let bias =
            rows.map(|((&b, &unit), sum)| stored(b, unit).saturating_sub(x.zero_point.saturating_mul(sum))).collect();
        let factors = units.iter().map(|own| own / unit).collect();
        Ok(Linear { weights, bias, factors })
    }

    pub(super) fn dense(&mut self, node: &Node) -> Result<View, LowerError> {
        let selection = self.graph.nodes.iter().find(|other| other.output == node.inputs[0]);
        if let Some(index) = selection.and_then(|selection| self.selected(selection)) {
            return self.columns_of(node, &index);
        }
        let x = self.scaled_factor(node.inputs[0], Side::Weighted)?;
        if let Some((rows, bits)) = &x.rows {
            return self.dense_scaled(node, &x, (rows, *bits));
        }
        let linear = self.linear(node, x.encoding)?;
        let requant = self.requant(node, &linear.factors)?;
        let weights = (linear.weights.dtype, linear.weights.integers.as_slice());
        lower::dense(&mut self.builder, &x.view, weights, &linear.bias, None, &requant)
    }

    /// The bias joins the sums when they have the scale of their row.
    fn dense_scaled(&mut self, node: &Node, x: &Factor, (rows, bits): (&View, i64)) -> Result<View, LowerError> {
        let (weights, mut units) = self.weights(node, x.encoding);
        let bias = self.bias(node, units.len());
        let most = bias.iter().zip(&units).map(|(b, unit)| b.abs() / unit).fold(0.0, f64::max);
        let sum = num::real(weights.heaviest().saturating_mul(128));
        let (scale, shifted) = row_scale(rows, bits, sum, most);
        units.iter_mut().for_each(|unit| *unit *= shifted);
        let bias: Vec<i64> = bias.iter().zip(&units).map(|(b, unit)| num::round(b / unit)).collect();
        let unit = self.encoding(node)?.scale;
        let requant = self.requant(node, &units.iter().map(|own| own / unit).collect::<Vec<_>>())?;
        let weights = (weights.dtype, weights.integers.as_slice());
        lower::dense(&mut self.builder, &x.view, weights, &bias, Some(&scale), &requant)
    }

    pub(super) fn conv(&mut self, node: &Node, window: &Window, groups: usize) -> Result<View, LowerError> {
        let (x, encoding) = self.factor(node.inputs[0])?;
        let linear = self.linear(node, encoding)?;
        let requant = self.requant(node, &linear.factors)?;
        let convolution = lower::Convolution {
            spatial: self.spatial(node, window),
            groups: num::signed(groups),
            weights: (linear.weights.dtype, &linear.weights.integers),
            bias: &linear.bias,
            pad: encoding.zero_point,
        };
        self.windowed(&x, |builder, x| lower::convolution(builder, x, &convolution, &requant))
    }

    /// A product of two computed values, or of a constant and one.
    pub(super) fn matmul(&mut self, node: &Node) -> Result<View, LowerError> {
        let a = self.scaled_factor(node.inputs[0], Side::Left)?;
        let b = self.scaled_factor(node.inputs[1], Side::Right)?;
        let terms = a.view.shape().last().copied().unwrap_or(1);
        let rows = self.joined_rows(&a, &b)?;
        let largest = |of: &Factor| num::real(1 << of.encoding.dtype.bits().min(32));
        let scale = rows.as_ref().map(|(rows, bits, _)| {
            let sum = num::real(terms) * largest(&a) * largest(&b) / if rows_are_signed(&a, &b) { 4.0 } else { 1.0 };
            row_scale(rows, *bits, sum, 0.0)
        });
        let shifted = scale.as_ref().map_or(1.0, |(_, shifted)| *shifted) * rows.map_or(1.0, |(_, _, unit)| unit);
        let unit = a.encoding.scale * b.encoding.scale * shifted;
        let requant = self.requant(node, &[unit / self.encoding(node)?.scale])?;
        let (x, y) = ((&a.view, a.encoding.zero_point), (&b.view, b.encoding.zero_point));
        lower::matmul(&mut self.builder, x, y, scale.as_ref().map(|(scale, _)| scale), &requant)
    }
}

/// Whether both factors have 8 bits with a sign, so that their products have at most 14.
fn rows_are_signed(a: &Factor, b: &Factor) -> bool {
    [a, b].iter().all(|factor| factor.encoding.dtype == DType::I8)
}

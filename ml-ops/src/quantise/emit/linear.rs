//! Products with weights.

use super::{super::constants, Emit};
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
    /// Weights, bias in accumulator units with the zero point of `x` folded in, and the factors to the result's unit.
    fn linear(&self, node: &Node, x: Encoding) -> Result<Linear, LowerError> {
        let weights = constants::weights(self.graph.value(node.inputs[1]), self.settings.weights);
        let bias = node.inputs.get(2).and_then(|&id| self.graph.value(id).floats()).unwrap_or(&[]);
        let unit = self.encoding(node)?.scale;
        let sums = weights.sums();
        let rows = weights.scales.iter().zip(&sums).enumerate();
        let bias = rows.map(|(row, (scale, sum))| {
            let real = bias.get(row).map_or(0.0, |&b| f64::from(b));
            num::round(real / (x.scale * scale)).saturating_sub(x.zero_point.saturating_mul(*sum))
        });
        let bias = bias.collect();
        let factors = weights.scales.iter().map(|scale| x.scale * scale / unit).collect();
        Ok(Linear { weights, bias, factors })
    }

    pub(super) fn dense(&mut self, node: &Node) -> Result<View, LowerError> {
        let (x, encoding) = self.factor(node.inputs[0])?;
        let linear = self.linear(node, encoding)?;
        let requant = self.requant(node, &linear.factors)?;
        let weights = (linear.weights.dtype, linear.weights.integers.as_slice());
        lower::dense(&mut self.builder, &x, weights, &linear.bias, &requant)
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
        let (a, a_encoding) = self.factor(node.inputs[0])?;
        let (b, b_encoding) = self.factor(node.inputs[1])?;
        let requant = self.requant(node, &[a_encoding.scale * b_encoding.scale / self.encoding(node)?.scale])?;
        lower::matmul(&mut self.builder, (&a, a_encoding.zero_point), (&b, b_encoding.zero_point), &requant)
    }
}

//! Curves, argmax, concatenation.

use opml_vm::isa::MAX_LOADS;

use super::{
    super::multiplier,
    Emit,
    number::{common_shift, magnitude_bits},
};
use crate::{
    graph::{Encoding, Node, Operator},
    lower::{self, LowerError, Part, Scale, View},
};

impl Emit<'_> {
    /// Sigmoid, tanh or a leaky bound: exactly by table for 8 bits, else by interpolation or two slopes.
    pub(super) fn curve(&mut self, node: &Node) -> Result<View, LowerError> {
        let (x, from) = self.place(node.inputs[0])?;
        let to = self.encoding(node)?;
        let real: &dyn Fn(f64) -> f64 = match &node.operator {
            Operator::Sigmoid => &|v| 1.0 / (1.0 + libm::exp(-v)),
            Operator::Tanh => &libm::tanh,
            Operator::LeakyRelu { alpha } => &|v| if v < 0.0 { v * f64::from(*alpha) } else { v },
            _ => return Err(LowerError::Layout("not a curve")),
        };
        if from.dtype.bits() <= 8 {
            return self.table(node, &x, from, real);
        }
        if let Operator::LeakyRelu { alpha } = node.operator {
            let ratio = from.scale / to.scale;
            let factors = [ratio * f64::from(alpha), ratio];
            let shift = multiplier::shift(&factors, 31);
            let requant = self.requant_scaled(node, Scale { multipliers: vec![], shift })?;
            let slopes = factors.map(|factor| multiplier::fixed(factor, shift));
            return lower::leaky(&mut self.builder, (&x, from.zero_point), slopes, &requant);
        }
        self.smooth(node, &x, from, real)
    }

    pub(super) fn arg_max(&mut self, node: &Node, axis: usize, last: bool) -> Result<View, LowerError> {
        let (x, _) = self.place(node.inputs[0])?;
        let dtype = self.encoding(node)?.dtype;
        lower::arg_max(&mut self.builder, &x, axis, last, dtype)
    }

    pub(super) fn concat(&mut self, node: &Node, axis: usize) -> Result<View, LowerError> {
        let to = self.encoding(node)?;
        let mut operands: Vec<(View, Encoding)> = Vec::new();
        for &id in &node.inputs {
            let (view, encoding) = self.operand(id)?;
            let rank = view.axes.len();
            operands.push((self.in_parts(view, 0..rank)?, encoding));
        }
        // More operands than loads: first in groups, which are of the result's encoding.
        while operands.len() > MAX_LOADS {
            let groups: Vec<Vec<(View, Encoding)>> = operands.chunks(MAX_LOADS).map(<[_]>::to_vec).collect();
            operands = groups
                .into_iter()
                .map(|group| Ok((self.join(node, &group, axis)?, to)))
                .collect::<Result<_, LowerError>>()?;
        }
        self.join(node, &operands, axis)
    }

    fn join(&mut self, node: &Node, operands: &[(View, Encoding)], axis: usize) -> Result<View, LowerError> {
        let to = self.encoding(node)?;
        if let [(view, encoding)] = operands
            && *encoding == to
        {
            return Ok(view.clone());
        }
        let alike = |encoding: &Encoding| *encoding == to || (encoding.is_integer() && to.is_integer());
        let same = node.clamp.is_none() && operands.iter().all(|(_, encoding)| alike(encoding));
        let enough = multiplier::power(multiplier::bits(to.dtype) + 2);
        let ratios: Vec<f64> = operands.iter().map(|(_, encoding)| (encoding.scale / to.scale).min(enough)).collect();
        let sizes = operands.iter().map(|(_, encoding)| magnitude_bits(encoding));
        let shift = common_shift(&ratios.iter().copied().zip(sizes).collect::<Vec<_>>(), Some(to.dtype));
        let requant = self.requant_scaled(node, Scale { multipliers: vec![], shift })?;
        let mut parts: Vec<Part> = operands
            .iter()
            .zip(&ratios)
            .map(|((view, encoding), &ratio)| Part {
                view: view.clone(),
                zero_point: encoding.zero_point,
                multiplier: (!same).then(|| multiplier::fixed(ratio, shift)),
            })
            .collect();
        match lower::concat(&mut self.builder, &parts, axis, &requant) {
            Err(LowerError::Layout(_)) => {
                for part in parts.iter_mut().filter(|part| !part.view.covers()) {
                    part.view = lower::copy(&mut self.builder, &part.view)?;
                }
                lower::concat(&mut self.builder, &parts, axis, &requant)
            }
            result => result,
        }
    }
}

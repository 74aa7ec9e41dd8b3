//! Curves, softmax, argmax, concatenation.

use opml_vm::isa::MAX_LOADS;

use super::{super::multiplier, Emit};
use crate::{
    graph::{Encoding, Node, Operator},
    lower::{self, Curve, FRACTION, LowerError, Part, Scale, View},
    num,
};

/// Cells of an interpolation table.
const CELLS: i64 = 256;
/// Extra bits of table entries.
const GUARD: i64 = 8;
/// Fraction bits of the powers of two in a softmax.
const POWER_BITS: i64 = 29;

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
        let requant = self.requant_scaled(node, Scale { multipliers: vec![], shift: 0 })?;
        if from.dtype.bits() <= 8 {
            let entry = |stored: i64| {
                let y = num::round(real(num::real(stored - from.zero_point) * from.scale) / to.scale);
                y.saturating_add(to.zero_point).clamp(requant.low, requant.high)
            };
            let table: Vec<i64> = (from.dtype.min()..=from.dtype.max()).map(entry).collect();
            return lower::lookup(&mut self.builder, &x, to.dtype, &table);
        }
        if let Operator::LeakyRelu { alpha } = node.operator {
            let ratio = from.scale / to.scale;
            let factors = [ratio * f64::from(alpha), ratio];
            let shift = multiplier::shift(&factors, 31);
            let requant = self.requant_scaled(node, Scale { multipliers: vec![], shift })?;
            let slopes = factors.map(|factor| multiplier::fixed(factor, shift));
            return lower::leaky(&mut self.builder, (&x, from.zero_point), slopes, &requant);
        }
        // Beyond ±16 both curves are flat to 2^−22.
        let reach = 16.0;
        let cells = num::real(CELLS);
        let guard = num::real(1 << GUARD);
        let table: Vec<i64> = (0..=CELLS)
            .map(|cell| num::round(real((num::real(cell) / cells * 2.0 - 1.0) * reach) / to.scale * guard))
            .collect();
        let per_unit = from.scale / (2.0 * reach) * cells * num::real(1 << FRACTION);
        let shift = multiplier::shift(&[per_unit], 31);
        let curve = Curve {
            zero_point: from.zero_point,
            multiplier: multiplier::fixed(per_unit, shift),
            shift,
            origin: (CELLS / 2) << FRACTION,
            table: &table,
            guard: GUARD,
        };
        lower::interpolate(&mut self.builder, &x, &curve, &requant)
    }

    pub(super) fn softmax(&mut self, node: &Node, axis: usize) -> Result<View, LowerError> {
        let (x, from) = self.place(node.inputs[0])?;
        let to = self.encoding(node)?;
        let requant = self.requant_scaled(node, Scale { multipliers: vec![], shift: 0 })?;
        // 2^16 · log2(e) for each unit of x.
        let per_unit = from.scale * std::f64::consts::LOG2_E * 65536.0;
        let shift = multiplier::shift(&[per_unit], 31);
        let exponent = (multiplier::fixed(per_unit, shift), shift);
        let table: Vec<i64> = (0..=256)
            .map(|entry| num::round(libm::exp2(num::real(entry) / 256.0) * num::real(1 << POWER_BITS)))
            .collect();
        let one = num::round(1.0 / to.scale);
        lower::softmax(&mut self.builder, &x, axis, exponent, &table, one, &requant)
    }

    pub(super) fn arg_max(&mut self, node: &Node, axis: usize, last: bool) -> Result<View, LowerError> {
        let (x, _) = self.place(node.inputs[0])?;
        lower::arg_max(&mut self.builder, &x, axis, last)
    }

    pub(super) fn concat(&mut self, node: &Node, axis: usize) -> Result<View, LowerError> {
        let to = self.encoding(node)?;
        let mut operands: Vec<(View, Encoding)> = Vec::new();
        for &id in &node.inputs {
            let (view, encoding) = if self.places[id.0].is_some() { self.simple(id)? } else { self.operand(id)? };
            operands.push((view, encoding));
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
        let same = node.clamp.is_none() && operands.iter().all(|(_, encoding)| *encoding == to);
        let ratios: Vec<f64> = operands.iter().map(|(_, encoding)| encoding.scale / to.scale).collect();
        let shift = multiplier::shift(&ratios, 26);
        let requant = self.requant_scaled(node, Scale { multipliers: vec![], shift })?;
        let parts: Vec<Part> = operands
            .iter()
            .zip(&ratios)
            .map(|((view, encoding), &ratio)| Part {
                view: view.clone(),
                zero_point: encoding.zero_point,
                multiplier: (!same).then(|| multiplier::fixed(ratio, shift)),
            })
            .collect();
        lower::concat(&mut self.builder, &parts, axis, &requant)
    }
}

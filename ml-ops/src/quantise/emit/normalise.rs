//! Normalisations and softmax.

use opml_vm::DType;

use super::{super::multiplier, Emit};
use crate::{
    graph::{Encoding, Node, Operator, ValueId},
    lower::{self, Exponent, LowerError, Operand, Scale, View, powers},
    num,
};

/// Bits that sums and products have.
const BITS: i64 = 62;

impl Emit<'_> {
    /// Whether a normalisation is computed together with the factors and summands that alone read it.
    pub(super) fn waits(&self, node: &Node) -> bool {
        let id = node.output;
        let mut users = self.graph.nodes.iter().filter(|user| user.inputs.contains(&id));
        let scaled = users.next().is_some_and(|user| {
            let whole = self.graph.shape(user.output) == self.graph.shape(id);
            user.operator == Operator::Affine && user.inputs.first() == Some(&id) && whole
        });
        let plain = |encoding: &Encoding| encoding.dtype == DType::I16 && encoding.zero_point == 0;
        let stored = self.encodings[id.0].as_ref().is_some_and(plain) && self.graph.value(id).encoding.is_none();
        matches!(node.operator, Operator::Normalise { .. })
            && scaled
            && users.next().is_none()
            && stored
            && !self.graph.outputs.contains(&id)
    }

    /// The normalisation that waits for its factors.
    pub(super) fn waiting(&self, id: ValueId) -> Option<Node> {
        let node = self.graph.nodes.iter().find(|node| node.output == id)?;
        self.waits(node).then(|| node.clone())
    }

    /// `(x − mean) / √(variance + ε)`, maybe times factors plus summands.
    pub(super) fn normalise(&mut self, node: &Node, scaled: Option<&Node>) -> Result<View, LowerError> {
        let Operator::Normalise { axes, epsilon, centre } = &node.operator else {
            return Err(LowerError::Layout("not a normalisation"));
        };
        let (epsilon, centre) = (*epsilon, *centre);
        let (x, from) = self.narrow(node)?;
        let count: i64 = axes.iter().map(|&axis| x.shape()[axis]).product::<i64>().max(1);
        let count_bits = multiplier::exponent(num::real(count));
        // Differences are below 2^reach. Of 32 bits, four times the range seen counts; beyond it the variance saturates.
        let range = &self.ranges[node.inputs[0].0];
        let seen = if range.is_finite() { multiplier::exponent(range.magnitude() / from.scale) + 3 } else { 33 };
        let own = if from.dtype.bits() <= 16 { multiplier::bits(from.dtype) } else { seen.clamp(4, 33) };
        let guard = (24 - own).max(0);
        let reach = own + guard;
        let cut = (2 * reach + count_bits - BITS).max(0);
        // An even power of two by which the variance is finer than squares.
        let squares = from.scale * multiplier::power(-guard);
        let epsilon = f64::from(epsilon) / (squares * squares);
        let fine = (BITS - 2 * reach).min(BITS - 2 - multiplier::exponent(epsilon));
        let fine = fine - fine.rem_euclid(2);
        let unit = self.encoding(node)?.scale;
        // A difference is at most √count deviations, so its product with the reciprocal stays below 2^60.
        let one_bits = BITS - 2 - (count_bits + 1) / 2;
        let numerator = multiplier::power(fine / 2) / unit;
        let shift = one_bits - multiplier::exponent(numerator);
        let plan = lower::Normalise {
            guard,
            mean: centre.then(|| multiplier::scale(&[multiplier::power(guard) / num::real(count)])),
            zero_point: from.zero_point << guard,
            cut,
            variance: multiplier::scale(&[multiplier::power(cut + fine) / num::real(count)]),
            epsilon: num::round(epsilon * multiplier::power(fine)),
            one: num::round(numerator * multiplier::power(shift)),
            shift: shift.max(0),
        };
        let requant = self.bounds(node)?;
        let tables = match scaled {
            Some(user) => {
                let tables = self.affine_tables(user, self.encoding(node)?)?;
                let last = self.requant_scaled(user, Scale { multipliers: vec![], shift: tables.shift })?;
                Some((tables, last))
            }
            None => None,
        };
        let lowered = tables.as_ref().map(|(tables, last)| (tables.lowered(), last));
        let scaled = lowered.as_ref().map(|(tables, last)| (tables, *last));
        lower::normalise(&mut self.builder, &x, axes, &plan, &requant, scaled)
    }

    /// The operand in at most 32 bits.
    fn narrow(&mut self, node: &Node) -> Result<(View, Encoding), LowerError> {
        let (x, from) = self.place(node.inputs[0])?;
        if from.dtype != DType::I64 {
            return Ok((x, from));
        }
        let operand = [Operand::View(x.clone())];
        let narrow =
            lower::pointwise(&mut self.builder, &operand, &x.shape(), DType::I32, |draft, args| draft.add(args[0], 0))?;
        Ok((narrow, Encoding { dtype: DType::I32, ..from }))
    }

    /// Exponents to base 2 for each unit of a number.
    fn exponent(from: Encoding) -> Exponent {
        let per_unit = from.scale * std::f64::consts::LOG2_E * multiplier::power(powers::ONE_EXP);
        let shift = multiplier::shift(&[per_unit], 31);
        Exponent { multiplier: multiplier::fixed(per_unit, shift), shift }
    }

    pub(super) fn softmax(&mut self, node: &Node, axis: usize) -> Result<View, LowerError> {
        let (x, from) = self.place(node.inputs[0])?;
        let requant = self.bounds(node)?;
        let one = num::round(1.0 / self.encoding(node)?.scale);
        lower::softmax(&mut self.builder, &x, axis, Self::exponent(from), one, &requant)
    }

    pub(super) fn log_softmax(&mut self, node: &Node, axis: usize) -> Result<View, LowerError> {
        let (x, from) = self.narrow(node)?;
        let unit = self.encoding(node)?.scale;
        let factors = [from.scale / unit, std::f64::consts::LN_2 * multiplier::power(-powers::ONE_LOG) / unit];
        // Differences have a bit more than stored numbers, logarithms of sums at most 31.
        let room = [61 - multiplier::bits(from.dtype) - 1, 30];
        let shifts = factors.iter().zip(room).map(|(&factor, bits)| multiplier::shift(&[factor], bits));
        let shift = shifts.min().unwrap_or(0);
        let requant = self.requant_scaled(node, Scale { multipliers: vec![], shift })?;
        let factors = factors.map(|factor| multiplier::fixed(factor, shift));
        lower::log_softmax(&mut self.builder, &x, axis, Self::exponent(from), (factors[0], factors[1]), &requant)
    }
}

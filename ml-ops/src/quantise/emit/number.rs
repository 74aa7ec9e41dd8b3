//! Operands of functions of elements.

use opml_vm::DType;

use super::{super::multiplier, Emit, signed};
use crate::{
    graph::{Data, Encoding, Node, Value, ValueId},
    lower::{Arg, Builder, Draft, LowerError, Operand, Reg, Requant, Scale, View},
    num,
};

/// A tensor or one number, and what its stored integers mean.
#[derive(Debug, Clone)]
pub(super) struct Number {
    pub(super) operand: Operand,
    pub(super) encoding: Encoding,
}

/// Bits that a factor may have so that products with stored numbers, and sums of two of them, stay in 64 bits.
pub(super) const fn factor_bits(dtype: DType) -> i64 {
    match dtype {
        DType::I64 => 20,
        DType::I32 => 29,
        _ => 31,
    }
}

/// Bits of the magnitude of what an encoding stores; 64-bit fixed point has 40 of them.
pub(super) fn magnitude_bits(encoding: &Encoding) -> i64 {
    multiplier::bits(encoding.dtype).min(41)
}

/// The shift of factors for operands of some bits: the smallest factor gets 31 bits if all products and a sum of two of
/// them stay in 64. Products that do not may saturate, where the result's type saturates long before.
pub(super) fn common_shift(operands: &[(f64, i64)], result: Option<DType>) -> i64 {
    let used = || operands.iter().filter(|(factor, bits)| *factor > 0.0 && *bits > 0);
    let fine = used().map(|(factor, _)| multiplier::shift(&[*factor], 31)).max().unwrap_or(31);
    let room = used().map(|(factor, bits)| 61 - bits - multiplier::exponent(*factor)).min().unwrap_or(31);
    let room = result.map_or(room, |dtype| room.max(60 - multiplier::bits(dtype)));
    fine.min(room).clamp(0, 62)
}

/// The elements of a constant, if all are integers.
pub(super) fn integers(value: &Value) -> Option<Vec<i64>> {
    match &value.constant.as_ref()?.data {
        Data::Int(values) => Some(values.clone()),
        Data::Float(values) => values.iter().map(|&v| integral(v)).collect(),
    }
}

/// The integer that a number is. Beyond 2^53 no float is taken for one.
fn integral(value: f32) -> Option<i64> {
    let wide = f64::from(value);
    let rounded = num::round(wide);
    (wide.abs() < 9.0e15 && num::real(rounded).to_bits() == (wide + 0.0).to_bits()).then_some(rounded)
}

impl Number {
    /// Bits of the magnitude of its stored numbers; 0 for the number 0.
    pub(super) fn bits(&self) -> i64 {
        match self.operand {
            Operand::Literal(0) => 0,
            Operand::Literal(literal) => 64 - i64::from(literal.unsigned_abs().leading_zeros()),
            Operand::View(_) => magnitude_bits(&self.encoding),
        }
    }

    /// `x − zero point`.
    pub(super) fn centred(&self, draft: &mut Draft, x: Arg) -> Arg {
        match (x, self.encoding.zero_point) {
            (x, 0) => x,
            (Arg::Literal(x), zero) => Arg::Literal(x.saturating_sub(zero)),
            (Arg::Reg(x), zero) => draft.sub(x, zero).into(),
        }
    }

    /// `(x − zero point) · factor`.
    pub(super) fn scaled(&self, draft: &mut Draft, x: Arg, factor: i64) -> Arg {
        match (self.centred(draft, x), factor) {
            (x, 1) => x,
            (Arg::Literal(x), factor) => Arg::Literal(x.saturating_mul(factor)),
            (Arg::Reg(x), factor) => draft.mul(x, factor).into(),
        }
    }
}

impl Emit<'_> {
    /// A computed value, or a constant: integers as they are, one number as a literal, others as i16 with a scale.
    pub(super) fn number(&mut self, id: ValueId) -> Result<Number, LowerError> {
        if let Some((view, encoding)) = &self.places[id.0] {
            return Ok(Number { operand: Operand::View(view.clone()), encoding: *encoding });
        }
        let value = self.graph.value(id);
        if let Some(integers) = integers(value) {
            let dtype = Builder::width(&integers);
            let operand = match integers.as_slice() {
                [one] => Operand::Literal(*one),
                _ => Operand::View(self.builder.constant(dtype, &signed(&value.shape), &integers)),
            };
            return Ok(Number { operand, encoding: Encoding::integer(dtype) });
        }
        if let Some(&[one]) = value.floats() {
            let one = one.clamp(f32::MIN, f32::MAX);
            let scale = f64::from(one).abs() * multiplier::power(-30);
            let encoding = Encoding { dtype: DType::I32, scale, zero_point: 0 };
            return Ok(Number { operand: Operand::Literal(num::round(f64::from(one) / scale)), encoding });
        }
        let (view, encoding) = self.operand(id)?;
        Ok(Number { operand: Operand::View(view), encoding })
    }

    /// Whether a node works on integers alone, and gives them.
    pub(super) fn is_exact(&self, node: &Node) -> bool {
        let integer = |&id: &ValueId| match &self.places[id.0] {
            Some((_, encoding)) => encoding.is_integer(),
            None => integers(self.graph.value(id)).is_some(),
        };
        self.encodings[node.output.0].is_some_and(|encoding| encoding.is_integer()) && node.inputs.iter().all(integer)
    }

    /// Bounds, zero point and type of the result, without a scale.
    pub(super) fn bounds(&self, node: &Node) -> Result<Requant, LowerError> {
        self.requant_scaled(node, Scale { multipliers: vec![], shift: 0 })
    }

    /// Factors over a power of two that bring operands to the result's unit. A factor by which one unit of an operand
    /// fills the result's type is as good as any larger one.
    pub(super) fn result_factors(&self, node: &Node, operands: &[&Number]) -> Result<(Vec<i64>, Requant), LowerError> {
        let to = self.encoding(node)?;
        let enough = multiplier::power(multiplier::bits(to.dtype) + 2);
        let factors: Vec<f64> = operands.iter().map(|x| (x.encoding.scale / to.scale).min(enough)).collect();
        let sized: Vec<(f64, i64)> = factors.iter().zip(operands).map(|(&factor, x)| (factor, x.bits())).collect();
        let shift = common_shift(&sized, Some(to.dtype));
        let factors = factors.into_iter().map(|factor| multiplier::fixed(factor, shift)).collect();
        Ok((factors, self.requant_scaled(node, Scale { multipliers: vec![], shift })?))
    }

    /// A value as products read it: as it is stored, or a copy of 8 bits.
    pub(super) fn factor(&mut self, id: ValueId) -> Result<(View, Encoding), LowerError> {
        let (x, from) = self.operand(id)?;
        let Some(to) = self.copies[id.0].filter(|_| self.places[id.0].is_some()) else {
            return Ok((x, from));
        };
        if let Some(copy) = self.copied.get(&id) {
            return Ok(copy.clone());
        }
        let number = Number { operand: Operand::View(x.clone()), encoding: from };
        let scale = multiplier::scale(&[from.scale / to.scale]);
        let requant =
            Requant { dtype: to.dtype, scale, zero_point: to.zero_point, low: to.dtype.min(), high: to.dtype.max() };
        let operands = std::slice::from_ref(&number.operand);
        let copy = crate::lower::pointwise(&mut self.builder, operands, &x.shape(), to.dtype, |draft, args| {
            let x = number.centred(draft, args[0]);
            let factor = requant.scale.multipliers.first().copied().unwrap_or(0);
            let value = draft.mulshr(x, factor, requant.scale.shift);
            requant.place(draft, value)
        })?;
        self.copied.insert(id, (copy.clone(), to));
        Ok((copy, to))
    }

    /// `f` of stored numbers, element by element, then bounds.
    pub(super) fn raw(
        &mut self,
        node: &Node,
        operands: &[Operand],
        f: impl FnOnce(&mut Draft, &[Arg]) -> Reg,
    ) -> Result<View, LowerError> {
        let requant = self.bounds(node)?;
        let shape = self.shape(node);
        crate::lower::pointwise(&mut self.builder, operands, &shape, requant.dtype, |draft, args| {
            let value = f(draft, args);
            requant.place(draft, value)
        })
    }
}

//! Element by element.

use opml_vm::DType;

use super::{
    super::multiplier,
    Emit,
    number::{common_shift, magnitude_bits},
    signed,
};
use crate::{
    graph::{Encoding, Node, Operator, ValueId},
    lower::{self, Builder, LowerError, Requant, Scale, Scaled, View},
    num,
};

/// Bits of a factor that are enough for results of 16.
const ENOUGH: i64 = 24;
/// Fraction bits of factors that are enough for results of 8: two of 255 are off by less than `2^-8` in all.
const ENOUGH_BYTES: i64 = 16;

/// Bits of a factor that multiplies a stored number, so that sums of products stay in 64 bits.
fn factor_bits(dtype: DType) -> i64 {
    match dtype {
        DType::I64 => 20,
        DType::I32 => 26,
        _ => 31,
    }
}

impl Emit<'_> {
    /// A computed value, or a constant stored as i16 with its own scale.
    pub(super) fn operand(&mut self, id: ValueId) -> Result<(View, Encoding), LowerError> {
        if let Some(place) = &self.places[id.0] {
            return Ok(place.clone());
        }
        let value = self.graph.value(id);
        if let (Some(integers), None) = (super::number::integers(value), value.floats()) {
            let dtype = Builder::width(&integers);
            return Ok((self.builder.constant(dtype, &signed(&value.shape), &integers), Encoding::integer(dtype)));
        }
        let floats =
            value.floats().ok_or(LowerError::Layout("a constant of integers stands where numbers are needed"))?;
        let finite = |v: f32| f64::from(v.clamp(f32::MIN, f32::MAX));
        let largest = floats.iter().fold(0.0, |m: f64, &v| m.max(finite(v).abs()));
        let scale = if largest > 1e-30 { largest / 32767.0 } else { 1.0 };
        let stored: Vec<i64> = floats.iter().map(|&v| num::round(finite(v) / scale)).collect();
        let view = self.builder.constant(DType::I16, &signed(&value.shape), &stored);
        Ok((view, Encoding { dtype: DType::I16, scale, zero_point: 0 }))
    }

    /// The same number in another encoding, or with bounds.
    ///
    /// From a type of 8 bits the result is a table look-up, exact for every stored number. A table that only adds a
    /// constant needs no instruction: the zero point moves instead.
    pub(super) fn requantise(&mut self, node: &Node) -> Result<(View, Encoding), LowerError> {
        let place = self.place(node.inputs[0])?;
        self.recode(node, place)
    }

    /// A value in the encoding of a node's result, inside its bounds; see [`Emit::requantise`].
    pub(super) fn recode(&mut self, node: &Node, (x, from): (View, Encoding)) -> Result<(View, Encoding), LowerError> {
        let to = self.encoding(node)?;
        if from.dtype.bits() > 8 {
            if from.is_integer() && to.is_integer() {
                let operand = [lower::Operand::View(x)];
                return Ok((self.raw(node, &operand, |draft, args| draft.add(args[0], 0))?, to));
            }
            let stated = self.graph.value(node.output).encoding.is_some();
            if stated && matches!(node.operator, Operator::Quantise(_) | Operator::Clip { .. }) {
                return Ok((self.rounded_even(node, (&x, from), from.scale / to.scale, 0.0)?, to));
            }
            return Ok((self.rescale(node, &x, from)?, to));
        }
        let requant = self.requant_scaled(node, Scale { multipliers: vec![], shift: 0 })?;
        let curve = |stored: i64| {
            let real = num::single(num::real(stored - from.zero_point) * from.scale);
            // As QuantizeLinear: the quotient in f32, ties to even.
            let quotient = num::round(f64::from(real / num::single(to.scale)));
            quotient.saturating_add(to.zero_point).clamp(requant.low, requant.high)
        };
        let table: Vec<i64> = (from.dtype.min()..=from.dtype.max()).map(curve).collect();
        let shift = table.first().copied().unwrap_or(0) - from.dtype.min();
        if table.iter().zip(from.dtype.min()..).all(|(&y, x)| y == x + shift) {
            return Ok((x, Encoding { dtype: from.dtype, zero_point: to.zero_point - shift, ..to }));
        }
        Ok((lower::lookup(&mut self.builder, &x, to.dtype, &table)?, to))
    }

    fn rescale(&mut self, node: &Node, x: &View, from: Encoding) -> Result<View, LowerError> {
        let ratio = from.scale / self.encoding(node)?.scale;
        let shift = multiplier::shift(&[ratio], factor_bits(from.dtype));
        let requant = self.requant_scaled(node, Scale { multipliers: vec![], shift })?;
        let operand = Scaled { view: x, zero_point: from.zero_point, multiplier: multiplier::fixed(ratio, shift) };
        lower::combine(&mut self.builder, &[operand], &x.shape(), &requant)
    }

    /// `a ± b`.
    pub(super) fn sum(&mut self, node: &Node, sign: i64) -> Result<View, LowerError> {
        if self.is_exact(node) {
            let operands = [self.number(node.inputs[0])?.operand, self.number(node.inputs[1])?.operand];
            return self.raw(node, &operands, |draft, args| {
                if sign < 0 { draft.sub(args[0], args[1]) } else { draft.add(args[0], args[1]) }
            });
        }
        let (a, a_encoding) = self.operand(node.inputs[0])?;
        let (b, b_encoding) = self.operand(node.inputs[1])?;
        let unit = self.encoding(node)?.scale;
        // A factor by which one unit fills the result's type is as good as any larger one.
        let enough = multiplier::power(multiplier::bits(self.encoding(node)?.dtype) + 2);
        let factors = [a_encoding.scale / unit, b_encoding.scale / unit].map(|factor| factor.min(enough));
        let sizes = [a_encoding, b_encoding].map(|encoding| magnitude_bits(&encoding));
        let dtype = self.encoding(node)?.dtype;
        let shift = common_shift(&[(factors[0], sizes[0]), (factors[1], sizes[1])], Some(dtype));
        // For few bits the larger factor need not have more than 31, in which machines multiply fastest.
        let short = multiplier::shift(&factors, 31);
        let fine = factors.iter().all(|&factor| multiplier::fixed(factor, short) >= 1 << ENOUGH);
        let shift = if dtype.bits() <= 16 && fine { shift.min(short) } else { shift };
        // Bytes of bytes: all that is computed fits 32 bits, whose vectors are twice as long.
        let reach = factors.iter().zip(sizes).map(|(&factor, size)| multiplier::exponent(factor) + size).max();
        let slim = 29 - reach.unwrap_or(0);
        let bytes = dtype.bits() <= 8 && [a_encoding, b_encoding].iter().all(|encoding| encoding.dtype.bits() <= 8);
        let shift = if bytes && slim >= ENOUGH_BYTES { shift.min(slim) } else { shift };
        let requant = self.requant_scaled(node, Scale { multipliers: vec![], shift })?;
        let scaled = |view, encoding: Encoding, factor: f64, sign: i64| Scaled {
            view,
            zero_point: encoding.zero_point,
            multiplier: sign * multiplier::fixed(factor, shift),
        };
        let operands = [scaled(&a, a_encoding, factors[0], 1), scaled(&b, b_encoding, factors[1], sign)];
        let shape = self.shape(node);
        lower::combine(&mut self.builder, &operands, &shape, &requant)
    }

    /// `a · b`.
    pub(super) fn product(&mut self, node: &Node) -> Result<View, LowerError> {
        if self.is_exact(node) {
            let operands = [self.number(node.inputs[0])?.operand, self.number(node.inputs[1])?.operand];
            return self.raw(node, &operands, |draft, args| draft.mul(args[0], args[1]));
        }
        let (a, a_encoding) = self.operand(node.inputs[0])?;
        let (b, b_encoding) = self.operand(node.inputs[1])?;
        let factor = a_encoding.scale * b_encoding.scale / self.encoding(node)?.scale;
        let requant = self.requant(node, &[factor])?;
        let shape = self.shape(node);
        lower::product(&mut self.builder, (&a, a_encoding.zero_point), (&b, b_encoding.zero_point), &shape, &requant)
    }

    /// `x · m + b` with constants.
    pub(super) fn affine(&mut self, node: &Node) -> Result<View, LowerError> {
        if self.is_exact(node) {
            let mut operands = Vec::new();
            for &id in &node.inputs {
                operands.push(self.number(id)?.operand);
            }
            return self.raw(node, &operands, |draft, args| {
                let product = draft.mul(args[0], args[1]);
                draft.add(product, args[2])
            });
        }
        if let Some(inner) = self.waiting(node.inputs[0]) {
            return self.normalise(&inner, Some(node));
        }
        let (x, from) = self.place(node.inputs[0])?;
        if let Some((factor, offset)) = self.single_affine(node, from)? {
            return self.rounded_even(node, (&x, from), factor, offset);
        }
        let mut tables = self.affine_tables(node, from)?;
        // The zero point of x moves into the offset, where one factor serves all elements.
        let mut x = x;
        if from.zero_point != 0 && !tables.centre(from.zero_point) {
            x = self.centred(&x, from)?;
        }
        let requant = self.requant_scaled(node, Scale { multipliers: vec![], shift: tables.shift })?;
        lower::affine(&mut self.builder, &x, &tables.lowered(), &requant)
    }

    /// Factor and offset, if one of each gives integers.
    fn single_affine(&self, node: &Node, from: Encoding) -> Result<Option<(f64, f64)>, LowerError> {
        let to = self.encoding(node)?;
        let single = |id: ValueId| match self.graph.value(id).floats() {
            Some(&[one]) => Some(f64::from(one)),
            _ => None,
        };
        let pair = single(node.inputs[1]).zip(single(node.inputs[2]));
        let exact = to.is_integer() && from.dtype != DType::I64;
        let enough = multiplier::power((multiplier::bits(to.dtype) + 3).min(50));
        Ok(pair.filter(|_| exact).map(|(m, b)| (m * from.scale / to.scale, (b / to.scale).clamp(-enough, enough))))
    }

    /// The constants of `x · m + b` as integers.
    pub(super) fn affine_tables(&self, node: &Node, from: Encoding) -> Result<AffineTables, LowerError> {
        let to = self.encoding(node)?;
        let (m, b) = (self.graph.value(node.inputs[1]), self.graph.value(node.inputs[2]));
        let factor = |&m: &f32| f64::from(m) * from.scale / to.scale;
        let factors: Vec<f64> = m.floats().unwrap_or(&[]).iter().map(factor).collect();
        // An offset that fills the result's type is as good as any larger one.
        let enough = multiplier::power((multiplier::bits(to.dtype) + 3).min(50));
        let offset = |&b: &f32| (f64::from(b) / to.scale).clamp(-enough, enough);
        let offsets: Vec<f64> = b.floats().unwrap_or(&[]).iter().map(offset).collect();
        let largest = offsets.iter().fold(0.0, |l: f64, o| l.max(o.abs()));
        let room = 58 - multiplier::exponent(largest).max(0);
        let shift = multiplier::shift(&factors, factor_bits(from.dtype)).min(room).max(0);
        // Of results of 16 bits, 31 bits of an offset are more than enough, and multiply fastest.
        let long = multiplier::exponent(largest) + shift - 31;
        let cut = if to.dtype.bits() <= 16 && offsets.len().max(factors.len()) > 1 { long.clamp(0, 30) } else { 0 };
        let factors: Vec<i64> = factors.iter().map(|&f| multiplier::fixed(f, shift)).collect();
        let mut offsets: Vec<i64> = offsets.iter().map(|&o| multiplier::fixed(o, shift - cut)).collect();
        let mut b_shape = b.shape.as_slice();
        if let ([offset], true) = (offsets.as_slice(), factors.len() > 1) {
            offsets = vec![*offset; factors.len()];
            b_shape = &m.shape;
        }
        Ok(AffineTables { factors: (signed(&m.shape), factors), offsets: (signed(b_shape), offsets), cut, shift })
    }

    /// `x · factor + offset` as integers, ties to even before a whole offset is added: as `QuantizeLinear` rounds.
    fn rounded_even(
        &mut self,
        node: &Node,
        (x, from): (&View, Encoding),
        factor: f64,
        offset: f64,
    ) -> Result<View, LowerError> {
        let shift = multiplier::shift(&[factor], factor_bits(from.dtype));
        let whole = libm::rint(offset);
        let rest = multiplier::fixed(offset - whole, shift);
        let factor = multiplier::fixed(factor, shift);
        let number = super::number::Number { operand: lower::Operand::View(x.clone()), encoding: from };
        let operand = std::slice::from_ref(&number.operand);
        self.raw(node, operand, |draft, args| {
            let value = number.scaled(draft, args[0], factor);
            let value = draft.add(value, rest);
            let value = lower::round_even(draft, value, shift);
            draft.add(value, num::round(whole))
        })
    }

    /// The value with its zero point subtracted, in the smallest type that holds it.
    fn centred(&mut self, x: &View, from: Encoding) -> Result<View, LowerError> {
        let dtype = Builder::width(&[from.dtype.min() - from.zero_point, from.dtype.max() - from.zero_point]);
        let requant = Requant {
            dtype,
            scale: Scale { multipliers: vec![], shift: 0 },
            zero_point: 0,
            low: dtype.min(),
            high: dtype.max(),
        };
        let operand = Scaled { view: x, zero_point: from.zero_point, multiplier: 1 };
        lower::combine(&mut self.builder, &[operand], &x.shape(), &requant)
    }
}

/// Constants of `(x · factor + offset · 2^cut) / 2^shift`.
pub(super) struct AffineTables {
    factors: (Vec<i64>, Vec<i64>),
    offsets: (Vec<i64>, Vec<i64>),
    cut: i64,
    pub(super) shift: i64,
}

impl AffineTables {
    /// Takes a zero point of `x` into the offsets; `false` if offsets and factors have different shapes.
    fn centre(&mut self, zero: i64) -> bool {
        let (shape, factors) = &self.factors;
        if factors.len() != 1 && *shape != self.offsets.0 {
            return false;
        }
        let one = factors.first().copied().unwrap_or(0);
        let many = factors.len() > 1;
        let own = self.offsets.1.iter_mut().enumerate();
        own.for_each(|(number, offset)| {
            let factor = if many { factors.get(number).copied().unwrap_or(0) } else { one };
            let share = factor.saturating_mul(zero);
            *offset = offset.saturating_sub(if self.cut > 0 {
                (share >> (self.cut - 1)).saturating_add(1) >> 1
            } else {
                share
            });
        });
        true
    }

    pub(super) fn lowered(&self) -> lower::Affine<'_> {
        let (factors, offsets) = (&self.factors, &self.offsets);
        lower::Affine { factors: (&factors.0, &factors.1), offsets: (&offsets.0, &offsets.1), cut: self.cut }
    }
}

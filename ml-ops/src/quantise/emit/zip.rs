//! Functions of two operands, and the choice between two.

use super::{
    super::multiplier,
    Emit,
    number::{Number, common_shift, factor_bits},
};
use crate::{
    graph::{Encoding, Node, Pairwise},
    lower::{self, Arg, Draft, LowerError, Operand, Reg, Scale, View, powers},
};

/// Far below all stored numbers of 32 bits.
const LEAST: i64 = -(1 << 40);

impl Emit<'_> {
    /// A function of two operands.
    pub(super) fn zip(&mut self, node: &Node, function: Pairwise) -> Result<View, LowerError> {
        let (a, b) = (self.number(node.inputs[0])?, self.number(node.inputs[1])?);
        let operands = [a.operand.clone(), b.operand.clone()];
        let integers = a.encoding.is_integer() && b.encoding.is_integer();
        match function {
            Pairwise::Equal | Pairwise::Less | Pairwise::LessOrEqual => {
                let (factors, _) = common_unit(&a, &b);
                self.truth(node, &operands, |draft, args| {
                    let [x, y] = aligned(draft, [&a, &b], args, factors);
                    compare(draft, function, x, y)
                })
            }
            Pairwise::And | Pairwise::Or | Pairwise::Xor => self.truth(node, &operands, |draft, args| {
                let [x, y] = [(&a, args[0]), (&b, args[1])].map(|(n, x)| draft.equal(x, n.encoding.zero_point));
                let (x, y) = (draft.xor(x, 1), draft.xor(y, 1));
                match function {
                    Pairwise::And => draft.and(x, y),
                    Pairwise::Or => draft.or(x, y),
                    _ => draft.xor(x, y),
                }
            }),
            Pairwise::Min | Pairwise::Max if self.same(node, &[&a, &b]) => {
                self.raw(node, &operands, |draft, args| extreme(draft, function, args[0], args[1]))
            }
            Pairwise::Min | Pairwise::Max => {
                let (factors, requant) = self.result_factors(node, &[&a, &b])?;
                let shape = self.shape(node);
                lower::pointwise(&mut self.builder, &operands, &shape, requant.dtype, |draft, args| {
                    let [x, y] = aligned(draft, [&a, &b], args, [factors[0], factors[1]]);
                    let value = extreme(draft, function, x, y);
                    let value = draft.rshr(value, requant.scale.shift);
                    requant.place(draft, value)
                })
            }
            Pairwise::Div { integer: true } | Pairwise::Mod { .. } | Pairwise::Pow if self.is_exact(node) => {
                self.raw(node, &operands, |draft, args| integer(draft, function, args[0], args[1]))
            }
            Pairwise::Div { .. } => self.quotient(node, &a, &b),
            Pairwise::Mod { floor } => self.remainder(node, &a, &b, floor),
            Pairwise::Pow => self.power(node, &a, &b),
            _ if integers => self.raw(node, &operands, |draft, args| bitwise(draft, function, args[0], args[1])),
            _ => Err(LowerError::Layout("an operator on bits needs integers")),
        }
    }

    /// 0 or 1, as the result stores them.
    fn truth(
        &mut self,
        node: &Node,
        operands: &[Operand],
        f: impl FnOnce(&mut Draft, &[Arg]) -> Reg,
    ) -> Result<View, LowerError> {
        let to = self.encoding(node)?;
        let one = to.stored(1.0).saturating_sub(to.zero_point);
        self.raw(node, operands, |draft, args| {
            let value = f(draft, args);
            if one == 1 { value } else { draft.mul(value, one) }
        })
    }

    /// Whether stored numbers of the operands mean the same in the result.
    fn same(&self, node: &Node, operands: &[&Number]) -> bool {
        let alike = |x: Encoding, y: Encoding| {
            x.scale.to_bits() == y.scale.to_bits() && x.zero_point == y.zero_point && x.zero_point == 0
        };
        let to = self.encodings[node.output.0];
        to.is_some_and(|to| operands.iter().all(|x| alike(x.encoding, to)))
    }

    /// `a / b`; 0 where `b` is stored as 0.
    fn quotient(&mut self, node: &Node, a: &Number, b: &Number) -> Result<View, LowerError> {
        let ratio = a.encoding.scale / b.encoding.scale / self.encoding(node)?.scale;
        // Bits of b that the numerator has no room for.
        let room = factor_bits(a.encoding.dtype).max(61 - multiplier::bits(a.encoding.dtype));
        let cut = (multiplier::exponent(ratio) + 1 - room).max(0);
        let ratio = ratio * multiplier::power(-cut);
        let shift = multiplier::shift(&[ratio], factor_bits(a.encoding.dtype)).max(1);
        let factor = multiplier::fixed(ratio, shift);
        let requant = self.requant_scaled(node, Scale { multipliers: vec![], shift })?;
        let shape = self.shape(node);
        let operands = [a.operand.clone(), b.operand.clone()];
        lower::pointwise(&mut self.builder, &operands, &shape, requant.dtype, |draft, args| {
            let x = a.scaled(draft, args[0], factor);
            let mut y = b.centred(draft, args[1]);
            if cut > 0 {
                y = draft.rshr(y, cut).into();
            }
            // Rounding down twice, with half a unit between, rounds the exact quotient half up.
            let value = draft.div(x, y);
            let value = draft.rshr(value, shift);
            requant.place(draft, value)
        })
    }

    /// The remainder in the operands' common unit; 0 where `b` is stored as 0.
    fn remainder(&mut self, node: &Node, a: &Number, b: &Number, floor: bool) -> Result<View, LowerError> {
        let (factors, unit) = common_unit(a, b);
        let requant = self.requant(node, &[unit / self.encoding(node)?.scale])?;
        let shape = self.shape(node);
        let operands = [a.operand.clone(), b.operand.clone()];
        lower::pointwise(&mut self.builder, &operands, &shape, requant.dtype, |draft, args| {
            let [x, y] = aligned(draft, [a, b], args, factors);
            let value = integer(draft, Pairwise::Mod { floor }, x, y);
            let factor = requant.scale.multipliers.first().copied().unwrap_or(0);
            let value = draft.mulshr(value, factor, requant.scale.shift);
            requant.place(draft, value)
        })
    }

    /// `a^b` by logarithm and power of two; a negative `a` needs an integer `b`, whose parity gives the sign.
    fn power(&mut self, node: &Node, a: &Number, b: &Number) -> Result<View, LowerError> {
        let requant = self.bounds(node)?;
        let to = self.encoding(node)?;
        let shape = self.shape(node);
        let tables = powers::Tables::new(&mut self.builder);
        let unit = powers::ONE_LOG;
        let start = crate::num::round(libm::log2(a.encoding.scale) * crate::num::real(1 << unit));
        let end = crate::num::round(libm::log2(to.scale) * crate::num::real(1 << powers::ONE_EXP));
        // From units of b times 2^-ONE_LOG to exponents.
        let per_unit = b.encoding.scale * multiplier::power(powers::ONE_EXP - unit);
        let shift = multiplier::shift(&[per_unit], 31);
        let factor = multiplier::fixed(per_unit, shift);
        let whole = multiplier::fixed(b.encoding.scale, multiplier::shift(&[b.encoding.scale], 31));
        let whole_shift = multiplier::shift(&[b.encoding.scale], 31);
        let operands = [a.operand.clone(), b.operand.clone()];
        lower::pointwise(&mut self.builder, &operands, &shape, requant.dtype, |draft, args| {
            let x = a.scaled(draft, args[0], 1);
            let y = b.scaled(draft, args[1], 1);
            let size = draft.abs(x);
            let log = tables.log2(draft, size);
            let log = draft.add(log, start);
            // Of 0: far below everything.
            let zero = draft.equal(x, 0);
            let log = draft.select(zero, -(1i64 << (unit + 10)), log);
            let product = draft.mul(log, y);
            let exponent = draft.mulshr(product, factor, shift);
            let exponent = draft.sub(exponent, end);
            let value = tables.exp2(draft, exponent);
            let parity = draft.mulshr(y, whole, whole_shift);
            let odd = draft.and(parity, 1);
            let below = draft.less(x, 0);
            let flip = draft.and(odd, below);
            let negative = draft.sub(0, value);
            let value = draft.select(flip, negative, value);
            requant.place(draft, value)
        })
    }

    /// `a` where the condition is not 0, else `b`.
    pub(super) fn select(&mut self, node: &Node) -> Result<View, LowerError> {
        let condition = self.number(node.inputs[0])?;
        let (a, b) = (self.number(node.inputs[1])?, self.number(node.inputs[2])?);
        let operands = [condition.operand.clone(), a.operand.clone(), b.operand.clone()];
        let holds = |draft: &mut Draft, x: Arg| condition.centred(draft, x);
        if self.same(node, &[&a, &b]) {
            return self.raw(node, &operands, |draft, args| {
                let holds = holds(draft, args[0]);
                draft.select(holds, args[1], args[2])
            });
        }
        let (factors, requant) = self.result_factors(node, &[&a, &b])?;
        let shape = self.shape(node);
        lower::pointwise(&mut self.builder, &operands, &shape, requant.dtype, |draft, args| {
            let holds = holds(draft, args[0]);
            // Each is brought to the result's unit before the choice: numbers of the result's size are quick to choose.
            let half = |product: i64| product.saturating_add((1i64 << requant.scale.shift.clamp(0, 62)) >> 1);
            let mut stored = |number: &Number, x: Arg, factor: i64| match number.scaled(draft, x, factor) {
                Arg::Literal(n) => Arg::Literal((half(n) >> requant.scale.shift.clamp(0, 63)).clamp(LEAST, -LEAST)),
                Arg::Reg(x) => draft.rshr(x, requant.scale.shift).into(),
            };
            let (x, y) = (stored(&a, args[1], factors[0]), stored(&b, args[2], factors[1]));
            let value = draft.select(holds, x, y);
            requant.place(draft, value)
        })
    }
}

/// Both operands times their factors.
fn aligned(draft: &mut Draft, [a, b]: [&Number; 2], args: &[Arg], factors: [i64; 2]) -> [Arg; 2] {
    [a.scaled(draft, args[0], factors[0]), b.scaled(draft, args[1], factors[1])]
}

/// Factors that bring both operands to one unit, and the unit; 1 if they have it.
fn common_unit(a: &Number, b: &Number) -> ([i64; 2], f64) {
    let (x, y) = (a.encoding.scale, b.encoding.scale);
    if x.to_bits() == y.to_bits() {
        return ([1, 1], x);
    }
    let largest = x.max(y);
    let shift = common_shift(&[(x / largest, a.bits()), (y / largest, b.bits())], None);
    ([x, y].map(|scale| multiplier::fixed(scale / largest, shift)), largest * multiplier::power(-shift))
}

fn compare(draft: &mut Draft, function: Pairwise, a: Arg, b: Arg) -> Reg {
    match function {
        Pairwise::Equal => draft.equal(a, b),
        Pairwise::Less => draft.less(a, b),
        _ => {
            let above = draft.less(b, a);
            draft.xor(above, 1)
        }
    }
}

fn extreme(draft: &mut Draft, function: Pairwise, a: Arg, b: Arg) -> Reg {
    if function == Pairwise::Min { draft.min(a, b) } else { draft.max(a, b) }
}

/// Division, remainder, power of integers. Division by 0 gives 0.
fn integer(draft: &mut Draft, function: Pairwise, a: Arg, b: Arg) -> Reg {
    match function {
        Pairwise::Mod { floor: true } => draft.rem(a, b),
        Pairwise::Mod { floor: false } => {
            let (x, y) = (draft.abs(a), draft.abs(b));
            let size = draft.rem(x, y);
            let negative = draft.sub(0, size);
            let below = draft.less(a, 0);
            draft.select(below, negative, size)
        }
        Pairwise::Pow => integer_power(draft, a, b),
        _ => {
            let (x, y) = (draft.abs(a), draft.abs(b));
            let size = draft.div(x, y);
            let negative = draft.sub(0, size);
            let (below, other) = (draft.less(a, 0), draft.less(b, 0));
            let below = draft.xor(below, other);
            draft.select(below, negative, size)
        }
    }
}

/// `a^b` by squaring; the integer part of it for a negative exponent, saturated.
fn integer_power(draft: &mut Draft, a: Arg, b: Arg) -> Reg {
    // Beyond 64 only bases -1, 0, 1 do not saturate, and for them parity decides.
    let odd = draft.and(b, 1);
    let top = draft.add(odd, 64);
    let large = draft.less(64, b);
    let exponent = draft.select(large, top, b);
    let mut base = a;
    let mut result = Arg::from(1);
    for bit in 0..7 {
        let rest = draft.shr(exponent, bit);
        let taken = draft.and(rest, 1);
        let product = draft.mul(result, base);
        result = draft.select(taken, product, result).into();
        if bit < 6 {
            base = draft.mul(base, base).into();
        }
    }
    let negative = draft.less(b, 0);
    // 1 / a^|b|: 0 but for 1 and -1.
    let unit = draft.mul(a, a);
    let unit = draft.equal(unit, 1);
    let signed = draft.select(odd, a, 1);
    let inverse = draft.select(unit, signed, 0);
    draft.select(negative, inverse, result)
}

fn bitwise(draft: &mut Draft, function: Pairwise, a: Arg, b: Arg) -> Reg {
    match function {
        Pairwise::BitAnd => draft.and(a, b),
        Pairwise::BitOr => draft.or(a, b),
        Pairwise::BitXor => draft.xor(a, b),
        Pairwise::ShiftRight => draft.shr(a, b),
        Pairwise::ShiftLeft(width) => {
            // Numbers end at 2^63; bits that would leave the width are cut first, so nothing saturates.
            let mask = (1i64 << i64::from(width).min(63)).wrapping_sub(1);
            let kept = draft.shr(mask, b);
            let kept = draft.and(a, kept);
            draft.shl(kept, b)
        }
        _ => draft.add(a, b),
    }
}

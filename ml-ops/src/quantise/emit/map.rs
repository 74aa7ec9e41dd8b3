//! Functions of each element: tables for 8 bits, integer arithmetic where it is exact, else tables with interpolation.

use opml_vm::DType;

use super::{
    super::multiplier,
    Emit,
    number::{Number, factor_bits},
    tables,
};
use crate::{
    float::functions,
    graph::{Encoding, Function, Node},
    lower::{self, Draft, LowerError, Operand, Reg, Requant, Scale, View, powers},
    num,
};

/// Stored numbers that share an entry of a table without interpolation.
const COARSE: i64 = 16;
/// Steps between such entries are below this part of the largest.
const STEEP: i64 = 512;

impl Emit<'_> {
    /// A function of each element.
    pub(super) fn map(&mut self, node: &Node, function: Function) -> Result<View, LowerError> {
        let (x, from) = self.place(node.inputs[0])?;
        if from.dtype.bits() <= 8 {
            return self.table(node, &x, from, &|v| functions::real(function, v));
        }
        if self.is_exact(node)
            && let Some(view) = self.integer_map(node, &x, function)?
        {
            return Ok(view);
        }
        if let Some(view) = self.arithmetic(node, &x, from, function)? {
            return Ok(view);
        }
        if let Some(view) = self.coarse(node, &x, from, &|v| functions::real(function, v))? {
            return Ok(view);
        }
        self.smooth(node, &x, from, &|v| functions::real(function, v))
    }

    /// One entry for each [`COARSE`] stored numbers of 16 bits, where products read 8 bits of the result and the curve is not steep.
    fn coarse(
        &mut self,
        node: &Node,
        x: &View,
        from: Encoding,
        f: &dyn Fn(f64) -> f64,
    ) -> Result<Option<View>, LowerError> {
        if from.dtype != DType::I16 || !self.feeds_products(node.output) {
            return Ok(None);
        }
        let (to, requant) = (self.encoding(node)?, self.bounds(node)?);
        let entry = |number: i64| {
            let middle = num::real(number * COARSE - from.zero_point) + num::real(COARSE - 1) / 2.0;
            num::round(f(middle * from.scale) / to.scale).saturating_add(to.zero_point).clamp(requant.low, requant.high)
        };
        let (first, last) = (from.dtype.min() / COARSE, from.dtype.max() / COARSE);
        let table: Vec<i64> = (first..=last).map(entry).collect();
        let largest = table.iter().map(|entry| entry.saturating_sub(to.zero_point).abs()).max().unwrap_or(0);
        if table.windows(2).any(|pair| pair[1].saturating_sub(pair[0]).abs() > largest / STEEP) {
            return Ok(None);
        }
        let shift = i64::from(COARSE.ilog2());
        lower::stairs(&mut self.builder, x, to.dtype, (shift, first), &table).map(Some)
    }

    /// One entry for each stored number of 8 bits.
    pub(super) fn table(
        &mut self,
        node: &Node,
        x: &View,
        from: Encoding,
        f: &dyn Fn(f64) -> f64,
    ) -> Result<View, LowerError> {
        let to = self.encoding(node)?;
        let requant = self.bounds(node)?;
        let entry = |stored: i64| {
            let y = num::round(f(num::real(stored - from.zero_point) * from.scale) / to.scale);
            y.saturating_add(to.zero_point).clamp(requant.low, requant.high)
        };
        let table: Vec<i64> = (from.dtype.min()..=from.dtype.max()).map(entry).collect();
        lower::lookup(&mut self.builder, x, to.dtype, &table)
    }

    /// Functions of integers that give integers.
    fn integer_map(&mut self, node: &Node, x: &View, function: Function) -> Result<Option<View>, LowerError> {
        let f: fn(&mut Draft, Reg) -> Reg = match function {
            Function::Abs => |draft, x| draft.abs(x),
            Function::Neg => |draft, x| draft.sub(0, x),
            Function::Sign => sign,
            Function::Floor | Function::Ceil | Function::Round | Function::Truncate => |_, x| x,
            Function::Not => |draft, x| draft.equal(x, 0),
            _ => return Ok(None),
        };
        let operand = [Operand::View(x.clone())];
        self.raw(node, &operand, |draft, args| {
            let x = draft.add(args[0], 0);
            f(draft, x)
        })
        .map(Some)
    }

    /// Functions that integer arithmetic computes to within rounding.
    fn arithmetic(
        &mut self,
        node: &Node,
        x: &View,
        from: Encoding,
        function: Function,
    ) -> Result<Option<View>, LowerError> {
        let unit = self.encoding(node)?.scale;
        let form = match function {
            Function::Abs => Form::scaled(from.scale / unit, |draft, x| draft.abs(x)),
            Function::Neg => Form::scaled(from.scale / unit, |draft, x| draft.sub(0, x)),
            Function::Sign => Form::scaled(1.0 / unit, sign),
            Function::Not => Form::scaled(1.0 / unit, |draft, x| draft.equal(x, 0)),
            Function::Power(p) if p.to_bits() == 2.0f32.to_bits() => {
                Form::scaled(from.scale * from.scale / unit, |draft, x| draft.mul(x, x))
            }
            Function::Threshold(alpha) => {
                let least = num::round(libm::floor(f64::from(alpha) / from.scale));
                Form::scaled(from.scale / unit, move |draft, x| {
                    let above = draft.less(least, x);
                    draft.select(above, x, 0)
                })
            }
            Function::HardSwish => {
                let [three, six] = [3.0, 6.0].map(|bound| num::round(bound / from.scale));
                Form::scaled(from.scale * from.scale / 6.0 / unit, move |draft, x| {
                    let ramp = draft.add(x, three);
                    let ramp = draft.clamp(ramp, 0, six);
                    draft.mul(x, ramp)
                })
            }
            Function::Floor | Function::Ceil | Function::Round | Function::Truncate => {
                let bits = factor_bits(from.dtype);
                let shift = multiplier::shift(&[from.scale], bits);
                let factor = multiplier::fixed(from.scale, shift);
                Form::scaled(1.0 / unit, move |draft, x| {
                    let x = draft.mul(x, factor);
                    whole(draft, function, x, shift)
                })
            }
            _ => match transcendental(function, from, unit, &self.bounds(node)?) {
                Some(form) => form,
                None => return Ok(None),
            },
        };
        self.form(node, x, from, form).map(Some)
    }

    fn form(&mut self, node: &Node, x: &View, from: Encoding, form: Form) -> Result<View, LowerError> {
        let scale = form.factor.map_or(Scale { multipliers: vec![], shift: 0 }, |factor| multiplier::scale(&[factor]));
        let requant = self.requant_scaled(node, scale)?;
        let number = Number { operand: Operand::View(x.clone()), encoding: from };
        let tables = form.powers.then(|| powers::Tables::new(&mut self.builder));
        lower::pointwise(
            &mut self.builder,
            std::slice::from_ref(&number.operand),
            &x.shape(),
            requant.dtype,
            |draft, args| {
                let x = number.centred(draft, args[0]);
                let x = match x {
                    lower::Arg::Reg(x) => x,
                    lower::Arg::Literal(x) => draft.add(x, 0),
                };
                let mut value = (form.f)(draft, x, tables.as_ref());
                if let Some(&factor) = requant.scale.multipliers.first() {
                    value = draft.mulshr(value, factor, requant.scale.shift);
                }
                requant.place(draft, value)
            },
        )
    }

    /// A smooth function by interpolation over the range seen in calibration; if that is not accurate to about half a
    /// unit of the result, by one entry for each stored number of 16 bits.
    pub(super) fn smooth(
        &mut self,
        node: &Node,
        x: &View,
        from: Encoding,
        f: &dyn Fn(f64) -> f64,
    ) -> Result<View, LowerError> {
        let to = self.encoding(node)?;
        let requant = self.bounds(node)?;
        let (first, last) = self.stored_range(node, from)?;
        let target = tables::Target { from, to, low: requant.low, high: requant.high };
        let found = tables::interpolation(f, &target, first, last);
        if found.accurate {
            return lower::interpolate(&mut self.builder, x, &found.curve(), &requant);
        }
        if from.dtype.bits() <= 16 {
            return lower::lookup(&mut self.builder, x, to.dtype, &target.direct(f, from.dtype));
        }
        // Wider operands are brought to 16 bits over their range first.
        let reach =
            num::real(first.saturating_sub(from.zero_point).abs().max(last.saturating_sub(from.zero_point).abs()));
        let narrow = Encoding { dtype: DType::I16, scale: from.scale * reach / 32767.0, zero_point: 0 };
        let number = Number { operand: Operand::View(x.clone()), encoding: from };
        let factor = multiplier::scale(&[from.scale / narrow.scale]);
        let half = lower::pointwise(
            &mut self.builder,
            std::slice::from_ref(&number.operand),
            &x.shape(),
            DType::I16,
            |draft, args| {
                let x = number.centred(draft, args[0]);
                draft.mulshr(x, factor.multipliers.first().copied().unwrap_or(0), factor.shift)
            },
        )?;
        let target = tables::Target { from: narrow, ..target };
        lower::lookup(&mut self.builder, &half, to.dtype, &target.direct(f, DType::I16))
    }

    /// The stored numbers of the operand that calibration saw, with an eighth more on both sides.
    fn stored_range(&self, node: &Node, from: Encoding) -> Result<(i64, i64), LowerError> {
        let range = &self.ranges[node.inputs[0].0];
        let (least, most) = (from.dtype.min(), from.dtype.max());
        if !range.is_finite() {
            if from.dtype.bits() <= 16 {
                return Ok((least, most));
            }
            return Err(LowerError::Layout("a curve of a number of 32 bits needs calibration"));
        }
        let margin = (range.high - range.low) / 8.0;
        let (first, last) = (from.stored(range.low - margin), from.stored(range.high + margin));
        Ok(if first < last {
            (first, last)
        } else {
            (first.saturating_sub(1).max(least), last.saturating_add(1).min(most))
        })
    }
}

type Code = Box<dyn FnOnce(&mut Draft, Reg, Option<&powers::Tables>) -> Reg>;

/// Operations on `x − zero point`, and the factor of their result, if there still is one.
struct Form {
    f: Code,
    factor: Option<f64>,
    powers: bool,
}

impl Form {
    fn scaled(factor: f64, f: impl FnOnce(&mut Draft, Reg) -> Reg + 'static) -> Self {
        Self { f: Box::new(|draft, x, _| f(draft, x)), factor: Some(factor), powers: false }
    }

    fn finished(f: impl FnOnce(&mut Draft, Reg) -> Reg + 'static) -> Self {
        Self { f: Box::new(|draft, x, _| f(draft, x)), factor: None, powers: false }
    }

    fn powers(f: impl FnOnce(&mut Draft, Reg, &powers::Tables) -> Reg + 'static) -> Self {
        let f = |draft: &mut Draft, x: Reg, tables: Option<&powers::Tables>| match tables {
            Some(tables) => f(draft, x, tables),
            None => x,
        };
        Self { f: Box::new(f), factor: None, powers: true }
    }
}

/// −1, 0 or 1.
fn sign(draft: &mut Draft, x: Reg) -> Reg {
    draft.clamp(x, -1, 1)
}

/// An integer near `x / 2^shift`.
fn whole(draft: &mut Draft, function: Function, x: Reg, shift: i64) -> Reg {
    match function {
        Function::Floor => draft.shr(x, shift),
        Function::Ceil => {
            let negative = draft.sub(0, x);
            let floor = draft.shr(negative, shift);
            draft.sub(0, floor)
        }
        Function::Round => lower::round_even(draft, x, shift),
        _ => {
            let size = draft.abs(x);
            let size = draft.shr(size, shift);
            let negative = draft.sub(0, size);
            let below = draft.less(x, 0);
            draft.select(below, negative, size)
        }
    }
}

/// Roots, reciprocals, powers and logarithms, relative to the size of the result.
fn transcendental(function: Function, from: Encoding, unit: f64, requant: &Requant) -> Option<Form> {
    const LOG: i64 = powers::ONE_LOG;
    const EXP: i64 = powers::ONE_EXP;
    let log = |x: f64, bits: i64| num::round(libm::log2(x) * multiplier::power(bits));
    Some(match function {
        Function::Sqrt => root(from, unit),
        Function::Power(p) if p.to_bits() == 0.5f32.to_bits() => root(from, unit),
        Function::Reciprocal => reciprocal(from, unit),
        Function::Power(p) if p.to_bits() == (-1.0f32).to_bits() => reciprocal(from, unit),
        Function::Exp => {
            let factor = multiplier::scale(&[from.scale * std::f64::consts::LOG2_E * multiplier::power(EXP)]);
            let end = log(unit, EXP);
            Form::powers(move |draft, x, tables| {
                let exponent = draft.mulshr(x, factor.multipliers.first().copied().unwrap_or(0), factor.shift);
                let exponent = draft.sub(exponent, end);
                tables.exp2(draft, exponent)
            })
        }
        Function::Log => {
            let start = log(from.scale, LOG);
            let factor = multiplier::scale(&[std::f64::consts::LN_2 * multiplier::power(-LOG) / unit]);
            let least = requant.dtype.min();
            Form::powers(move |draft, x, tables| {
                let log = tables.log2(draft, x);
                let log = draft.add(log, start);
                let value = draft.mulshr(log, factor.multipliers.first().copied().unwrap_or(0), factor.shift);
                let positive = draft.less(0, x);
                draft.select(positive, value, least)
            })
        }
        Function::Power(p) => {
            let (start, end) = (log(from.scale, LOG), log(unit, EXP));
            let per_log = f64::from(p) * multiplier::power(EXP - LOG);
            let factor = multiplier::scale(&[per_log]);
            let odd = libm::fmod(f64::from(p), 2.0).abs().to_bits() == 1.0f64.to_bits();
            let whole = libm::trunc(f64::from(p)).to_bits() == f64::from(p).to_bits();
            let at_zero = if p > 0.0 { 0 } else { requant.dtype.max() };
            Form::powers(move |draft, x, tables| {
                let size = draft.abs(x);
                let log = tables.log2(draft, size);
                let log = draft.add(log, start);
                let exponent = draft.mulshr(log, factor.multipliers.first().copied().unwrap_or(0), factor.shift);
                let exponent = draft.sub(exponent, end);
                let value = tables.exp2(draft, exponent);
                let zero = draft.equal(x, 0);
                let value = draft.select(zero, at_zero, value);
                if whole && !odd {
                    return value;
                }
                let negative = if odd { draft.sub(0, value) } else { draft.sub(0, 0) };
                let below = draft.less(x, 0);
                draft.select(below, negative, value)
            })
        }
        _ => return None,
    })
}

/// `√x`: the machine's root of `x` times the largest even power of two that fits, so that small numbers keep their bits.
fn root(from: Encoding, unit: f64) -> Form {
    let factor = multiplier::scale(&[libm::sqrt(from.scale) / unit]);
    Form::finished(move |draft, x| {
        let bits = draft.log2(x);
        let room = draft.sub(61, bits);
        let even = draft.and(room, -2);
        let wide = draft.shl(x, even);
        let root = draft.isqrt(wide);
        let half = draft.shr(even, 1);
        let shift = draft.add(half, factor.shift);
        draft.mulshr(root, factor.multipliers.first().copied().unwrap_or(0), shift)
    })
}

/// `1 / x`; 0 where `x` is stored as 0.
fn reciprocal(from: Encoding, unit: f64) -> Form {
    let one = 1.0 / (from.scale * unit);
    // Bits of x that the numerator has no room for.
    let cut = (multiplier::exponent(one) - 60).max(0);
    let one = one * multiplier::power(-cut);
    let shift = multiplier::shift(&[one], 61).max(1);
    let one = multiplier::fixed(one, shift);
    Form::finished(move |draft, x| {
        let x = if cut == 0 { x } else { draft.rshr(x, cut) };
        let value = draft.div(one, x);
        draft.rshr(value, shift)
    })
}

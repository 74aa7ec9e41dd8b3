//! Arithmetic element by element.

use super::{Call, Table, activation::map, chain};
use crate::{
    error::NodeFault,
    graph::{Function, Operator, Pairwise, ValueId},
    num,
    onnx::tensors,
};

pub(super) const TABLE: Table = &[
    ("Abs", |call| map(call, Function::Abs)),
    ("Acos", |call| map(call, Function::Acos)),
    ("Acosh", |call| map(call, Function::Acosh)),
    ("Add", |call| binary(call, Operator::Add)),
    ("Asin", |call| map(call, Function::Asin)),
    ("Asinh", |call| map(call, Function::Asinh)),
    ("Atan", |call| map(call, Function::Atan)),
    ("Atanh", |call| map(call, Function::Atanh)),
    ("BitShift", bit_shift),
    ("BitwiseAnd", |call| binary(call, Operator::Zip(Pairwise::BitAnd))),
    ("BitwiseNot", bitwise_not),
    ("BitwiseOr", |call| binary(call, Operator::Zip(Pairwise::BitOr))),
    ("BitwiseXor", |call| binary(call, Operator::Zip(Pairwise::BitXor))),
    ("Ceil", |call| map(call, Function::Ceil)),
    ("Cos", |call| map(call, Function::Cos)),
    ("Cosh", |call| map(call, Function::Cosh)),
    ("Div", div),
    ("Erf", |call| map(call, Function::Erf)),
    ("Exp", |call| map(call, Function::Exp)),
    ("Floor", |call| map(call, Function::Floor)),
    ("Log", |call| map(call, Function::Log)),
    ("Max", |call| extreme(call, Pairwise::Max)),
    ("Mean", mean),
    ("Min", |call| extreme(call, Pairwise::Min)),
    ("Mod", |call| {
        let floor = call.int("fmod", 0) == 0;
        binary(call, Operator::Zip(Pairwise::Mod { floor }))
    }),
    ("Mul", |call| binary(call, Operator::Mul)),
    ("Neg", |call| map(call, Function::Neg)),
    ("Pow", pow),
    ("Reciprocal", |call| map(call, Function::Reciprocal)),
    ("Round", |call| map(call, Function::Round)),
    ("Sign", |call| map(call, Function::Sign)),
    ("Sin", |call| map(call, Function::Sin)),
    ("Sinh", |call| map(call, Function::Sinh)),
    ("Sqrt", |call| map(call, Function::Sqrt)),
    ("Sub", |call| binary(call, Operator::Sub)),
    ("Sum", |call| {
        let sum = chain(call, |call, a, b| call.emit(Operator::Add, &[a, b]))?;
        call.finish(sum)
    }),
    ("Tan", |call| map(call, Function::Tan)),
];

fn binary(call: &mut Call<'_, '_>, operator: Operator) -> Result<(), NodeFault> {
    let (a, b) = (call.operand(0)?, call.operand(1)?);
    let y = call.emit(operator, &[a, b])?;
    call.finish(y)
}

/// By a constant number: a multiplication.
fn div(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let integer = call.is_integer();
    let (a, b) = (call.operand(0)?, call.operand(1)?);
    let factor = call.scalar(b).map(|b| 1.0 / b).filter(|factor| factor.is_normal() && !integer);
    let y = match factor {
        Some(factor) => {
            let extents = call.shape(b);
            let factor = call.constant(extents, vec![factor]);
            call.emit(Operator::Mul, &[a, factor])?
        }
        None => call.emit(Operator::Zip(Pairwise::Div { integer }), &[a, b])?,
    };
    call.finish(y)
}

/// The least or greatest of all operands; a constant number is a bound.
fn extreme(call: &mut Call<'_, '_>, function: Pairwise) -> Result<(), NodeFault> {
    let y = chain(call, |call, a, b| {
        let wide = |call: &Call<'_, '_>, x| call.shape(x).len();
        for (x, bound) in [(a, b), (b, a)] {
            let Some(value) = call.scalar(bound).filter(|_| wide(call, bound) <= wide(call, x)) else { continue };
            if value.is_infinite() && (value > 0.0) == (function == Pairwise::Min) {
                return Ok(x);
            }
            let (low, high) =
                if function == Pairwise::Max { (value, f32::INFINITY) } else { (f32::NEG_INFINITY, value) };
            return call.emit(Operator::Clip { low, high }, &[x]);
        }
        call.emit(Operator::Zip(function), &[a, b])
    })?;
    call.finish(y)
}

fn mean(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let sum = chain(call, |call, a, b| call.emit(Operator::Add, &[a, b]))?;
    let count = num::single(num::real(num::signed(call.operands().max(1))));
    let factor = call.constant(vec![], vec![1.0 / count]);
    let y = call.emit(Operator::Mul, &[sum, factor])?;
    call.finish(y)
}

/// The result has the type of the base. A constant exponent is part of the operator.
fn pow(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let (a, b) = (call.operand(0)?, call.operand(1)?);
    let whole = call.is_integer();
    let real = whole && tensors::is_float(call.kind_of(1));
    let exponent = constant_exponent(call, b).filter(|_| !whole && call.shape(b).len() <= call.shape(a).len());
    let y = match exponent {
        Some(exponent) => power(call, a, exponent)?,
        None if real => {
            let y = call.emit_kind(tensors::FLOAT, Operator::Zip(Pairwise::Pow), &[a, b])?;
            call.emit(Operator::Map(Function::Truncate), &[y])?
        }
        None => call.emit(Operator::Zip(Pairwise::Pow), &[a, b])?,
    };
    call.finish(y)
}

fn constant_exponent(call: &Call<'_, '_>, b: ValueId) -> Option<f32> {
    match call.value(b).integers() {
        Some([exponent]) => Some(num::single(num::real(*exponent))),
        _ => call.scalar(b),
    }
}

fn power(call: &mut Call<'_, '_>, a: ValueId, exponent: f32) -> Result<ValueId, NodeFault> {
    let is = |other: f32| exponent.to_bits() == other.to_bits();
    let function = match exponent {
        _ if is(1.0) => return Ok(a),
        _ if is(0.5) => Function::Sqrt,
        _ if is(-1.0) => Function::Reciprocal,
        _ => Function::Power(exponent),
    };
    call.emit(Operator::Map(function), &[a])
}

/// Of unsigned integers, modulo their width.
fn bit_shift(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    if !tensors::is_unsigned(call.kind) {
        return Err(NodeFault::Value {
            name: "element type",
            value: call.kind.to_string(),
            supported: "unsigned integers",
        });
    }
    let function = match call.text("direction", "").as_str() {
        "LEFT" => Pairwise::ShiftLeft(tensors::bits(call.kind)),
        "RIGHT" => Pairwise::ShiftRight,
        other => return Err(NodeFault::Value { name: "direction", value: other.into(), supported: "LEFT, RIGHT" }),
    };
    binary(call, Operator::Zip(function))
}

/// `−1 − x`, or the largest number of the type minus `x`.
fn bitwise_not(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let x = call.operand(0)?;
    let ones = match tensors::bits(call.kind) {
        64 if tensors::is_unsigned(call.kind) => {
            return Err(NodeFault::Value { name: "element type", value: "uint64".into(), supported: "other integers" });
        }
        bits if tensors::is_unsigned(call.kind) => (1i64 << bits) - 1,
        _ => -1,
    };
    let ones = call.integer_constant(vec![], vec![ones]);
    let y = call.emit(Operator::Sub, &[ones, x])?;
    call.finish(y)
}

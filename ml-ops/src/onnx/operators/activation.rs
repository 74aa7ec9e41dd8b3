//! Activation functions.

use super::{Call, Table};
use crate::{
    error::NodeFault,
    graph::{Function, Operator, Pairwise, Reduction, ValueId, elements},
    num,
    onnx::tensors,
};

pub(super) const TABLE: Table = &[
    ("Celu", |call| positive(call, "alpha", 1.0).and_then(|alpha| map(call, Function::Celu(alpha)))),
    ("Clip", clip),
    ("Elu", |call| {
        let alpha = finite(call, "alpha", 1.0)?;
        map(call, Function::Elu { alpha, gamma: 1.0 })
    }),
    ("Gelu", |call| match call.text("approximate", "none").as_str() {
        "none" => map(call, Function::Gelu),
        "tanh" => map(call, Function::GeluTanh),
        other => Err(NodeFault::Value { name: "approximate", value: other.into(), supported: "none, tanh" }),
    }),
    ("HardSigmoid", hard_sigmoid),
    ("HardSwish", |call| map(call, Function::HardSwish)),
    ("Hardmax", |call| along(call, hardmax)),
    ("LeakyRelu", |call| finite(call, "alpha", 0.01).and_then(|alpha| unary(call, Operator::LeakyRelu { alpha }))),
    ("LogSoftmax", |call| along(call, |call, x, axis| call.emit(Operator::LogSoftmax { axis }, &[x]))),
    ("Mish", |call| map(call, Function::Mish)),
    ("PRelu", p_relu),
    ("Relu", |call| unary(call, Operator::Clip { low: 0.0, high: f32::INFINITY })),
    ("Selu", |call| {
        let (alpha, gamma) = (finite(call, "alpha", 1.673_263_2)?, finite(call, "gamma", 1.050_701)?);
        map(call, Function::Elu { alpha, gamma })
    }),
    ("Shrink", |call| {
        let (bias, lambd) = (finite(call, "bias", 0.0)?, finite(call, "lambd", 0.5)?);
        map(call, Function::Shrink { bias, lambd })
    }),
    ("Sigmoid", |call| unary(call, Operator::Sigmoid)),
    ("Softmax", |call| along(call, |call, x, axis| call.emit(Operator::Softmax { axis }, &[x]))),
    ("Softplus", |call| map(call, Function::Softplus)),
    ("Softsign", |call| map(call, Function::Softsign)),
    ("Swish", |call| finite(call, "alpha", 1.0).and_then(|alpha| map(call, Function::Swish(alpha)))),
    ("Tanh", |call| unary(call, Operator::Tanh)),
    ("ThresholdedRelu", |call| finite(call, "alpha", 1.0).and_then(|alpha| map(call, Function::Threshold(alpha)))),
];

pub(super) fn unary(call: &mut Call<'_, '_>, operator: Operator) -> Result<(), NodeFault> {
    let x = call.operand(0)?;
    let y = call.emit(operator, &[x])?;
    call.finish(y)
}

pub(super) fn map(call: &mut Call<'_, '_>, function: Function) -> Result<(), NodeFault> {
    unary(call, Operator::Map(function))
}

fn finite(call: &Call<'_, '_>, name: &'static str, default: f32) -> Result<f32, NodeFault> {
    let value = call.float(name, default)?;
    let wrong = || NodeFault::Value { name, value: value.to_string(), supported: "a finite number" };
    if value.is_finite() { Ok(value) } else { Err(wrong()) }
}

fn positive(call: &Call<'_, '_>, name: &'static str, default: f32) -> Result<f32, NodeFault> {
    let value = finite(call, name, default)?;
    let wrong = || NodeFault::Value { name, value: value.to_string(), supported: "a positive number" };
    if value > 0.0 { Ok(value) } else { Err(wrong()) }
}

/// Bounds are attributes before opset 11, operands since.
fn clip(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let x = call.operand(0)?;
    let y = if call.opset() < 11 {
        let (low, high) = (call.float("min", f32::NEG_INFINITY)?, call.float("max", f32::INFINITY)?);
        call.emit(Operator::Clip { low, high }, &[x])?
    } else {
        let low = call.optional(1)?;
        let high = call.optional(2)?;
        bounded(call, x, low, high)?
    };
    call.finish(y)
}

/// Constant bounds of real numbers are part of the operator; others are operands.
fn bounded(
    call: &mut Call<'_, '_>,
    x: ValueId,
    low: Option<ValueId>,
    high: Option<ValueId>,
) -> Result<ValueId, NodeFault> {
    if let Some(bound) = [low, high].into_iter().flatten().find(|&bound| elements(&call.shape(bound)) != 1) {
        return Err(NodeFault::Shape(format!("a bound has extents {:?}", call.shape(bound))));
    }
    let known = |bound: Option<ValueId>, default| bound.map_or(Some(default), |bound| call.scalar(bound));
    if let (Some(low), Some(high)) = (known(low, f32::NEG_INFINITY), known(high, f32::INFINITY)) {
        return call.emit(Operator::Clip { low, high }, &[x]);
    }
    let mut y = x;
    for (bound, function) in [(low, Pairwise::Max), (high, Pairwise::Min)] {
        if let Some(bound) = bound {
            let bound = call.reshape(bound, vec![])?;
            y = call.emit(Operator::Zip(function), &[y, bound])?;
        }
    }
    Ok(y)
}

/// `max(0, min(1, alpha · x + beta))`.
fn hard_sigmoid(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let (alpha, beta) = (finite(call, "alpha", 0.2)?, finite(call, "beta", 0.5)?);
    let x = call.operand(0)?;
    let y = call.affine(x, alpha, beta)?;
    let y = call.emit(Operator::Clip { low: 0.0, high: 1.0 }, &[y])?;
    call.finish(y)
}

/// `max(x, 0) + slope · min(x, 0)`.
fn p_relu(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let (x, slope) = (call.operand(0)?, call.operand(1)?);
    if let Some(alpha) = call.scalar(slope) {
        return unary(call, Operator::LeakyRelu { alpha });
    }
    let above = call.emit(Operator::Clip { low: 0.0, high: f32::INFINITY }, &[x])?;
    let below = call.emit(Operator::Clip { low: f32::NEG_INFINITY, high: 0.0 }, &[x])?;
    let below = call.emit(Operator::Mul, &[below, slope])?;
    let y = call.emit(Operator::Add, &[above, below])?;
    call.finish(y)
}

/// One axis since opset 13; before, all axes from `axis` on.
fn along(
    call: &mut Call<'_, '_>,
    f: impl FnOnce(&mut Call<'_, '_>, ValueId, usize) -> Result<ValueId, NodeFault>,
) -> Result<(), NodeFault> {
    let x = call.operand(0)?;
    let shape = call.shape(x);
    if call.opset() >= 13 {
        let axis = call.axis("axis", call.int("axis", -1), shape.len())?;
        let y = f(call, x, axis)?;
        return call.finish(y);
    }
    let axis = call.axis("axis", call.int("axis", 1), shape.len())?;
    let (rows, columns) = shape.split_at(axis);
    let flat = call.reshape(x, vec![elements(rows), elements(columns)])?;
    let y = f(call, flat, 1)?;
    let y = call.reshape(y, shape)?;
    call.finish(y)
}

/// 1 at the first largest element of each line, else 0.
fn hardmax(call: &mut Call<'_, '_>, x: ValueId, axis: usize) -> Result<ValueId, NodeFault> {
    let shape = call.shape(x);
    let mut reduced = shape.clone();
    reduced[axis] = 1;
    let place = call.emit_kind(tensors::INT64, Operator::ArgMax { axis, last: false }, &[x])?;
    let own = std::mem::replace(&mut call.kind, tensors::INT64);
    let place = call.reshape(place, reduced)?;
    call.kind = own;
    let numbers = along_axis(call, shape.len(), axis, shape[axis]);
    call.emit_kind(tensors::BOOL, Operator::Zip(Pairwise::Equal), &[place, numbers])
}

/// The constant 0, 1, 2, … along an axis.
pub(super) fn along_axis(call: &mut Call<'_, '_>, rank: usize, axis: usize, extent: usize) -> ValueId {
    let mut extents = vec![1; rank];
    extents[axis] = extent;
    call.integer_constant(extents, (0..extent).map(num::signed).collect())
}

/// `x / √(Σ x²)` and the like: `x` over a reduction of it.
pub(super) fn over(call: &mut Call<'_, '_>, x: ValueId, kind: Reduction, axis: usize) -> Result<ValueId, NodeFault> {
    let mut norm = call.emit(Operator::Reduce { kind, axes: vec![axis] }, &[x])?;
    if kind == Reduction::SumSquare {
        norm = call.emit(Operator::Map(Function::Sqrt), &[norm])?;
    }
    call.emit(Operator::Zip(Pairwise::Div { integer: false }), &[x, norm])
}

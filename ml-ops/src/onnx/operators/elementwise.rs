//! Arithmetic element by element, activations, normalisation.

use super::Call;
use crate::{
    error::NodeFault,
    graph::{Operator, elements},
    num,
};

fn unary(call: &mut Call<'_, '_>, operator: Operator) -> Result<(), NodeFault> {
    let x = call.operand(0)?;
    let y = call.emit(operator, &[x])?;
    call.finish(y)
}

fn binary(call: &mut Call<'_, '_>, operator: Operator) -> Result<(), NodeFault> {
    let (a, b) = (call.operand(0)?, call.operand(1)?);
    let y = call.emit(operator, &[a, b])?;
    call.finish(y)
}

pub(super) fn add(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    binary(call, Operator::Add)
}

pub(super) fn sub(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    binary(call, Operator::Sub)
}

pub(super) fn mul(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    binary(call, Operator::Mul)
}

pub(super) fn sigmoid(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    unary(call, Operator::Sigmoid)
}

pub(super) fn tanh(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    unary(call, Operator::Tanh)
}

pub(super) fn relu(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    unary(call, Operator::Clip { low: 0.0, high: f32::INFINITY })
}

pub(super) fn leaky_relu(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let alpha = call.float("alpha", 0.01)?;
    if !alpha.is_finite() {
        return Err(NodeFault::Value { name: "alpha", value: alpha.to_string(), supported: "a finite number" });
    }
    unary(call, Operator::LeakyRelu { alpha })
}

/// Bounds are attributes before opset 11, operands since.
pub(super) fn clip(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let (low, high) = if call.opset() < 11 {
        (call.float("min", f32::NEG_INFINITY)?, call.float("max", f32::INFINITY)?)
    } else {
        (bound(call, 1, f32::NEG_INFINITY)?, bound(call, 2, f32::INFINITY)?)
    };
    unary(call, Operator::Clip { low, high })
}

fn bound(call: &Call<'_, '_>, i: usize, default: f32) -> Result<f32, NodeFault> {
    if call.optional(i)?.is_none() {
        return Ok(default);
    }
    match call.floats(i, "bound")?.as_slice() {
        [bound] => Ok(*bound),
        other => Err(NodeFault::Shape(format!("a bound has {} elements", other.len()))),
    }
}

pub(super) fn identity(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let named = call.any(0)?;
    call.finish_as(named.id, named.coded)
}

/// Identity at inference.
pub(super) fn dropout(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    if call.named(2)?.is_some() && call.integers(2, "training_mode")? != [0] {
        return Err(NodeFault::Value { name: "training_mode", value: "true".into(), supported: "false" });
    }
    identity(call)
}

/// One axis since opset 13; before, all axes from `axis` on.
pub(super) fn softmax(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let x = call.operand(0)?;
    let shape = call.shape(x);
    if call.opset() >= 13 {
        let axis = call.axis("axis", call.int("axis", -1), shape.len())?;
        return unary(call, Operator::Softmax { axis });
    }
    let axis = call.axis("axis", call.int("axis", 1), shape.len())?;
    let (rows, columns) = shape.split_at(axis);
    let flat = call.reshape(x, vec![elements(rows), elements(columns)])?;
    let y = call.emit(Operator::Softmax { axis: 1 }, &[flat])?;
    let y = call.reshape(y, shape)?;
    call.finish(y)
}

/// `(x − mean) / √(var + ε) · scale + bias`, as a multiplication and an addition for each channel.
pub(super) fn batch_normalization(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    if call.int("training_mode", 0) != 0 {
        return Err(NodeFault::Value { name: "training_mode", value: "1".into(), supported: "0" });
    }
    let x = call.operand(0)?;
    let epsilon = f64::from(call.float("epsilon", 1e-5)?);
    let [scale, bias, mean, variance] =
        [call.floats(1, "scale")?, call.floats(2, "bias")?, call.floats(3, "mean")?, call.floats(4, "variance")?];
    let shape = call.shape(x);
    let channels = *shape.get(1).ok_or_else(|| NodeFault::Shape(format!("operand {shape:?} has no channels")))?;
    if [&scale, &bias, &mean, &variance].iter().any(|list| list.len() != channels) {
        return Err(NodeFault::Shape(format!("statistics of another length than {channels} channels")));
    }
    let mut factors = Vec::with_capacity(channels);
    let mut offsets = Vec::with_capacity(channels);
    for c in 0..channels {
        let factor = f64::from(scale[c]) / libm::sqrt(f64::from(variance[c]) + epsilon);
        if !factor.is_finite() {
            let value = format!("{} for channel {c}", variance[c]);
            return Err(NodeFault::Value { name: "variance", value, supported: "positive numbers" });
        }
        factors.push(num::single(factor));
        offsets.push(num::single(f64::from(bias[c]) - f64::from(mean[c]) * factor));
    }
    let mut extents = vec![1; shape.len().saturating_sub(1)];
    if let Some(first) = extents.first_mut() {
        *first = channels;
    }
    let factors = call.constant(extents.clone(), factors);
    let offsets = call.constant(extents, offsets);
    let y = call.emit(Operator::Mul, &[x, factors])?;
    let y = call.emit(Operator::Add, &[y, offsets])?;
    call.finish(y)
}

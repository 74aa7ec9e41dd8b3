//! Operators of ONNX Runtime's domain that its quantiser writes.

use super::{
    Call, Table,
    integer::{dequantised, quantised},
    linear,
};
use crate::{
    error::NodeFault,
    graph::{Operator, ValueId},
    num,
    onnx::{tensors, window},
};

/// Name of the domain.
pub(super) const DOMAIN: &str = "com.microsoft";

pub(super) const TABLE: Table = &[
    ("QGemm", q_gemm),
    ("QLinearAdd", |call| pair(call, Operator::Add)),
    ("QLinearAveragePool", |call| {
        own(call, |call, x| {
            let window = window::read(call, &call.shape(x), None)?;
            let count_pad = call.flag("count_include_pad", false);
            call.emit(Operator::AveragePool { window, count_pad }, &[x])
        })
    }),
    ("QLinearConcat", q_linear_concat),
    ("QLinearGlobalAveragePool", |call| {
        own(call, |call, x| {
            let window = super::pool::whole(&call.shape(x))?;
            call.emit(Operator::AveragePool { window, count_pad: true }, &[x])
        })
    }),
    ("QLinearLeakyRelu", |call| {
        let alpha = call.float("alpha", 0.01)?;
        own(call, |call, x| call.emit(Operator::LeakyRelu { alpha }, &[x]))
    }),
    ("QLinearMul", |call| pair(call, Operator::Mul)),
    ("QLinearSigmoid", |call| own(call, |call, x| call.emit(Operator::Sigmoid, &[x]))),
    ("QLinearSoftmax", |call| {
        let opset = call.int("opset", 13);
        if opset < 13 {
            return Err(NodeFault::Value { name: "opset", value: opset.to_string(), supported: "13 and later" });
        }
        own(call, |call, x| {
            let axis = call.axis("axis", call.int("axis", -1), call.shape(x).len())?;
            call.emit(Operator::Softmax { axis }, &[x])
        })
    }),
];

/// Channels first is the only layout.
fn channels_first(call: &Call<'_, '_>) -> Result<(), NodeFault> {
    if call.flag("channels_last", false) {
        return Err(NodeFault::Value { name: "channels_last", value: "1".into(), supported: "0" });
    }
    Ok(())
}

/// `x, x scale, x zero point, y scale, y zero point`.
fn own(
    call: &mut Call<'_, '_>,
    f: impl FnOnce(&mut Call<'_, '_>, ValueId) -> Result<ValueId, NodeFault>,
) -> Result<(), NodeFault> {
    channels_first(call)?;
    let stored = call.kind;
    let x = dequantised(call, 0, 1)?;
    call.kind = tensors::FLOAT;
    let y = f(call, x)?;
    quantised(call, y, 3, stored)
}

/// `a, a scale, a zero point, b, b scale, b zero point, y scale, y zero point`.
fn pair(call: &mut Call<'_, '_>, operator: Operator) -> Result<(), NodeFault> {
    let stored = call.kind;
    let (a, b) = (dequantised(call, 0, 1)?, dequantised(call, 3, 4)?);
    call.kind = tensors::FLOAT;
    let y = call.emit(operator, &[a, b])?;
    quantised(call, y, 6, stored)
}

/// `y scale, y zero point`, then three operands for each part.
fn q_linear_concat(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let stored = call.kind_of(2);
    let mut parts = Vec::new();
    for i in (2..call.operands()).step_by(3) {
        parts.push(dequantised(call, i, i + 1)?);
    }
    let first = *parts.first().ok_or(NodeFault::MissingInput(2))?;
    let axis = call.axis("axis", call.int("axis", 0), call.shape(first).len())?;
    call.kind = tensors::FLOAT;
    let y = call.emit(Operator::Concat { axis }, &parts)?;
    quantised(call, y, 0, stored)
}

/// `a, a scale, a zero point, b, b scale, b zero point, c, y scale, y zero point`; `c` in units of the product of scales.
fn q_gemm(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let stored = call.kind;
    let (mut a, mut b) = (dequantised(call, 0, 1)?, dequantised(call, 3, 4)?);
    call.kind = tensors::FLOAT;
    for (id, name) in [(&mut a, "transA"), (&mut b, "transB")] {
        if call.flag(name, false) {
            *id = call.emit(Operator::Transpose { perm: vec![1, 0] }, &[*id])?;
        }
    }
    let alpha = call.float("alpha", 1.0)?;
    let mut y = linear::product(call, a, b)?;
    y = call.affine(y, alpha, 0.0)?;
    if call.has_operand(6) {
        let unit = alpha * call.floats(1, "scale")?[0] * call.floats(4, "scale")?[0];
        let (integers, shape) = (call.integers(6, "bias")?, call.shape_of(6)?);
        let floats = integers.iter().map(|&v| num::single(f64::from(unit) * num::real(v))).collect();
        let bias = call.constant(shape, floats);
        y = call.emit(Operator::Add, &[y, bias])?;
    }
    if !call.has_operand(7) {
        return call.finish(y);
    }
    quantised(call, y, 7, stored)
}

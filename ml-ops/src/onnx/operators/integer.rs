//! Operators on quantised integers, as real arithmetic on the numbers they stand for.

use super::{Call, Table, cast::integers, linear};
use crate::{
    error::NodeFault,
    graph::{Constant, Data, Encoding, Function, Operator, Pairwise, Quantised, Reduction, ValueId, elements},
    num,
    onnx::{Coded, Named, tensors},
};

pub(super) const TABLE: Table = &[
    ("ConvInteger", conv_integer),
    ("DynamicQuantizeLinear", dynamic_quantize),
    ("MatMulInteger", mat_mul_integer),
    ("QLinearConv", q_linear_conv),
    ("QLinearMatMul", q_linear_mat_mul),
];

/// The encoding that operands `scale` and `scale + 1` state for integers of type `kind`.
fn encoding(call: &Call<'_, '_>, scale: usize, kind: i32) -> Result<Encoding, NodeFault> {
    let wrong = |value| NodeFault::Value { name: "scale", value, supported: "one positive number" };
    let scales = call.floats(scale, "scale")?;
    let zero_points = if call.has_operand(scale + 1) { call.integers(scale + 1, "zero point")? } else { vec![0] };
    let dtype = tensors::dtype(kind).ok_or_else(|| wrong(format!("for element type {kind}")))?;
    match (scales.as_slice(), zero_points.as_slice()) {
        ([scale], [zero_point]) if scale.is_normal() && *scale > 0.0 && dtype.saturate(*zero_point) == *zero_point => {
            Ok(Encoding { dtype, scale: f64::from(*scale), zero_point: *zero_point })
        }
        _ => Err(wrong(format!("{scales:?}, zero point {zero_points:?}"))),
    }
}

/// The real numbers that operand `i` stands for by the scale and zero point after it.
pub(super) fn dequantised(call: &mut Call<'_, '_>, i: usize, scale: usize) -> Result<ValueId, NodeFault> {
    let Named { id, coded, kind } = call.any(i)?;
    let encoding = encoding(call, scale, kind)?;
    match coded {
        Some(Coded::With(own)) if own == encoding => return Ok(id),
        Some(Coded::Input(number, _)) => {
            let known = call.reader.encodings[number].replace(encoding);
            return if known.is_none_or(|known| known == encoding) { Ok(id) } else { Err(NodeFault::Encoded(i)) };
        }
        _ => {}
    }
    if coded.is_none() && call.value(id).integers().is_some() {
        return weights(call, i, vec![num::single(encoding.scale)], vec![encoding.zero_point]);
    }
    let integers = integers(call, i)?;
    let (m, b) = (num::single(encoding.scale), num::single(encoding.real(0)));
    let own = std::mem::replace(&mut call.kind, tensors::FLOAT);
    let real = call.affine(integers, m, b);
    call.kind = own;
    real
}

/// Rounds to the encoding of operands `scale` and `scale + 1`, and gives the stored integers as the node's result; of type
/// `default` without a zero point.
pub(super) fn quantised(call: &mut Call<'_, '_>, y: ValueId, scale: usize, default: i32) -> Result<(), NodeFault> {
    let kind = if call.has_operand(scale + 1) { call.kind_of(scale + 1) } else { default };
    let encoding = encoding(call, scale, kind)?;
    let y = call.emit_kind(tensors::FLOAT, Operator::Quantise(encoding), &[y])?;
    call.kind = kind;
    call.finish_as(y, Some(Coded::With(encoding)))
}

/// Constant integers `[rows, ..]` less a zero point, or one for each row, times a scale, or one for each row.
fn weights(call: &mut Call<'_, '_>, i: usize, scales: Vec<f32>, zero_points: Vec<i64>) -> Result<ValueId, NodeFault> {
    let (integers, shape) = (call.integers(i, "weights")?, call.shape_of(i)?);
    let rows = shape.first().copied().unwrap_or(1);
    let scales = if scales.len() == 1 && zero_points.len() > 1 { vec![scales[0]; zero_points.len()] } else { scales };
    let zero_points = if zero_points.len() == 1 { vec![zero_points[0]; scales.len()] } else { zero_points };
    let usable = scales.iter().all(|scale| scale.is_normal() && *scale > 0.0);
    if !usable || scales.len() != zero_points.len() || (scales.len() != 1 && scales.len() != rows) {
        return Err(NodeFault::Shape(format!(
            "{} scales, {} zero points for weights {shape:?}",
            scales.len(),
            zero_points.len()
        )));
    }
    let row = elements(shape.get(1..).unwrap_or(&[])).max(1);
    let floats = integers.iter().enumerate().map(|(e, &v)| {
        let c = if scales.len() == 1 { 0 } else { e / row };
        num::single(f64::from(scales[c]) * num::real(v.saturating_sub(zero_points[c])))
    });
    let data = Data::Float(floats.collect());
    let quantised = Some(Quantised { integers, scales, zero_points, axis: 0 });
    let name = call.node.input.get(i).cloned().unwrap_or_default();
    Ok(call.reader.graph.add_constant(name, shape, Constant { data, quantised }))
}

/// `x, x scale, x zero point, w, w scale, w zero point, y scale, y zero point`, and a bias in units of the product of scales.
fn q_linear_conv(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let x = dequantised(call, 0, 1)?;
    let x_scale = call.floats(1, "scale")?[0];
    let scales = call.floats(4, "scale")?;
    let w = weights(call, 3, scales.clone(), call.integers(5, "zero point")?)?;
    call.kind = tensors::FLOAT;
    let mut bias = None;
    if call.has_operand(8) {
        let integers = call.integers(8, "bias")?;
        let unit = |c: usize| x_scale * scales.get(c).or(scales.first()).copied().unwrap_or(1.0);
        let floats = integers.iter().enumerate().map(|(c, &v)| num::single(f64::from(unit(c)) * num::real(v)));
        let floats = floats.collect();
        bias = Some(call.constant(vec![integers.len()], floats));
    }
    let y = linear::convolution(call, x, w, bias)?;
    quantised(call, y, 6, tensors::UINT8)
}

/// `a, a scale, a zero point, b, b scale, b zero point, y scale, y zero point`.
fn q_linear_mat_mul(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let a = dequantised(call, 0, 1)?;
    let b = dequantised(call, 3, 4)?;
    call.kind = tensors::FLOAT;
    let y = linear::product(call, a, b)?;
    quantised(call, y, 6, tensors::UINT8)
}

/// Operand `i` less its zero point, operand `zero`, as an integer.
fn centred(call: &mut Call<'_, '_>, i: usize, zero: usize, along_rows: bool) -> Result<ValueId, NodeFault> {
    let x = integers(call, i)?;
    if !call.has_operand(zero) {
        return Ok(x);
    }
    let mut zero_point = call.operand(zero)?;
    let count = elements(&call.shape(zero_point));
    if call.value(zero_point).integers().is_some_and(|list| list.iter().all(|&v| v == 0)) {
        return Ok(x);
    }
    let extents = match call.shape(zero_point).len() {
        _ if count == 1 => vec![],
        1 if along_rows => vec![count, 1],
        _ => call.shape(zero_point),
    };
    zero_point = call.reshape(zero_point, extents)?;
    call.emit(Operator::Sub, &[x, zero_point])
}

/// A constant of integers as real numbers, which products of constants are made of.
fn as_weights(call: &mut Call<'_, '_>, id: ValueId) -> ValueId {
    let value = call.value(id);
    let Some(integers) = value.integers() else {
        return id;
    };
    let (name, shape, integers) = (value.name.clone(), value.shape.clone(), integers.to_vec());
    let floats = integers.iter().map(|&v| num::single(num::real(v))).collect();
    let quantised = Some(Quantised { integers, scales: vec![1.0], zero_points: vec![0], axis: 0 });
    call.reader.graph.add_constant(name, shape, Constant { data: Data::Float(floats), quantised })
}

fn mat_mul_integer(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    (call.kind, call.coded) = (tensors::INT32, false);
    let a = centred(call, 0, 2, true)?;
    let b = centred(call, 1, 3, false)?;
    let b = as_weights(call, b);
    let y = linear::product(call, a, b)?;
    call.finish(y)
}

fn conv_integer(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    (call.kind, call.coded) = (tensors::INT32, false);
    let x = centred(call, 0, 2, false)?;
    let zero_points = if call.has_operand(3) { call.integers(3, "zero point")? } else { vec![0] };
    let w = weights(call, 1, vec![1.0], zero_points)?;
    let y = linear::convolution(call, x, w, None)?;
    call.finish(y)
}

/// `y = round(x / scale) + zero point` in u8, with `scale = (max − min) / 255` and `zero point = round(−min / scale)`, where min and
/// max include 0.
fn dynamic_quantize(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let x = call.operand(0)?;
    let rank = call.shape(x).len();
    let mut bounds = [Reduction::Max, Reduction::Min].map(|kind| {
        let bound = call.emit(Operator::Reduce { kind, axes: (0..rank).collect() }, &[x])?;
        call.reshape(bound, vec![])
    });
    let (low, high) = (bounds[1].clone()?, bounds[0].clone()?);
    bounds[0] = call.emit(Operator::Clip { low: 0.0, high: f32::INFINITY }, &[high]);
    bounds[1] = call.emit(Operator::Clip { low: f32::NEG_INFINITY, high: 0.0 }, &[low]);
    let [high, low] = bounds;
    let (high, low) = (high?, low?);
    let span = call.emit(Operator::Sub, &[high, low])?;
    let scale = call.affine(span, 1.0 / 255.0, 0.0)?;
    call.finish_at(1, scale)?;
    let div = Operator::Zip(Pairwise::Div { integer: false });
    let below = call.emit(Operator::Map(Function::Neg), &[low])?;
    let zero_point = call.emit(div.clone(), &[below, scale])?;
    let quotient = call.emit(div, &[x, scale])?;
    call.kind = tensors::UINT8;
    let zero_point = call.emit(Operator::Map(Function::Round), &[zero_point])?;
    call.finish_at(2, zero_point)?;
    let rounded = call.emit_kind(tensors::INT32, Operator::Map(Function::Round), &[quotient])?;
    let y = call.emit(Operator::Add, &[rounded, zero_point])?;
    call.finish(y)
}

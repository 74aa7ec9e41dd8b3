//! `QuantizeLinear` and `DequantizeLinear`.
//!
//! A pair of them around a value becomes one [`Operator::Quantise`], and a dequantised constant keeps its integers. With a
//! scale for each index along an axis, or for each block, stored integers of computed values are values of their own.

use opml_vm::DType;

use super::{Call, Table};
use crate::{
    error::NodeFault,
    graph::{Data, Encoding, Function, Operator, Pairwise, Quantised, ValueId, elements},
    num,
    onnx::{Coded, tensors},
};

pub(super) const TABLE: Table = &[("DequantizeLinear", dequantize), ("QuantizeLinear", quantize)];

/// Scales and zero points of operands 1 and 2.
fn parameters(call: &Call<'_, '_>) -> Result<(Vec<f32>, Vec<i64>), NodeFault> {
    let scales = call.floats(1, "scale")?;
    if let Some(scale) = scales.iter().find(|scale| !(scale.is_normal() && **scale > 0.0)) {
        return Err(NodeFault::Value { name: "scale", value: scale.to_string(), supported: "positive numbers" });
    }
    let zero_points = match call.has_operand(2) && !tensors::is_float(call.kind_of(2)) {
        true => call.integers(2, "zero point")?,
        false => vec![0; scales.len()],
    };
    if zero_points.len() != scales.len() || scales.is_empty() {
        return Err(NodeFault::Shape(format!("{} zero points for {} scales", zero_points.len(), scales.len())));
    }
    Ok((scales, zero_points))
}

/// One scale for all elements.
fn single(call: &Call<'_, '_>, dtype: DType) -> Result<Encoding, NodeFault> {
    let (scales, zero_points) = parameters(call)?;
    match (scales.as_slice(), zero_points.as_slice()) {
        ([scale], [zero_point]) if dtype.saturate(*zero_point) == *zero_point => {
            Ok(Encoding { dtype, scale: f64::from(*scale), zero_point: *zero_point })
        }
        _ => Err(NodeFault::Value {
            name: "scale",
            value: format!("a list of {}", scales.len()),
            supported: "one scale and zero point for a value that is not a constant",
        }),
    }
}

/// Type of the stored numbers: that of the zero point, or as the attribute says.
fn stored_type(call: &Call<'_, '_>) -> i32 {
    if call.has_operand(2) {
        return call.kind_of(2);
    }
    match i32::try_from(call.int("output_dtype", 0)) {
        Ok(kind) if kind != 0 => kind,
        _ => tensors::UINT8,
    }
}

fn quantize(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let x = call.operand(0)?;
    let kind = stored_type(call);
    let wrong = || NodeFault::Value {
        name: "zero point type",
        value: kind.to_string(),
        supported: "integers of 4 to 16 bits, floats of 4 and 8",
    };
    if let Some(largest) = tensors::largest(kind) {
        let scale = spread(call, 1, x)?;
        let y = call.emit(Operator::Zip(Pairwise::Div { integer: false }), &[x, scale])?;
        let y = call.emit(Operator::Clip { low: -largest, high: largest }, &[y])?;
        call.kind = kind;
        return call.finish(y);
    }
    let (low, high) =
        tensors::range(kind).filter(|&(low, high)| high.saturating_sub(low) < 1 << 16).ok_or_else(wrong)?;
    let dtype = tensors::dtype(kind).ok_or_else(wrong)?;
    let (scales, _) = parameters(call)?;
    if scales.len() > 1 {
        let y = integers_by_axis(call, x, (low, high))?;
        call.kind = kind;
        return call.finish(y);
    }
    let encoding = single(call, dtype)?;
    let mut y = x;
    if dtype.min() != low || dtype.max() != high {
        let bound = |stored| num::single(encoding.real(stored));
        y = call.emit(Operator::Clip { low: bound(low), high: bound(high) }, &[x])?;
    }
    y = call.emit_kind(tensors::FLOAT, Operator::Quantise(encoding), &[y])?;
    call.kind = kind;
    call.finish_as(y, Some(Coded::With(encoding)))
}

/// `round(x / scale) + zero point` within bounds, as integers.
fn integers_by_axis(call: &mut Call<'_, '_>, x: ValueId, (low, high): (i64, i64)) -> Result<ValueId, NodeFault> {
    let scale = spread(call, 1, x)?;
    let quotient = call.emit(Operator::Zip(Pairwise::Div { integer: false }), &[x, scale])?;
    call.kind = tensors::INT32;
    let mut y = call.emit(Operator::Map(Function::Round), &[quotient])?;
    if call.has_operand(2) {
        let zero_point = spread(call, 2, x)?;
        y = call.emit(Operator::Add, &[y, zero_point])?;
    }
    for (bound, function) in [(low, Pairwise::Max), (high, Pairwise::Min)] {
        let bound = call.integer_constant(vec![], vec![bound]);
        y = call.emit(Operator::Zip(function), &[y, bound])?;
    }
    Ok(y)
}

/// Constant operand `i` with extents that broadcast to `x`: one number, one for each index along `axis`, or one for each block.
fn spread(call: &mut Call<'_, '_>, i: usize, x: ValueId) -> Result<ValueId, NodeFault> {
    let (id, shape) = (call.operand(i)?, call.shape(x));
    let own = call.shape(id);
    if call.value(id).constant.is_none() {
        return Err(call.not_constant(i, "scale or zero point"));
    }
    if elements(&own) == 1 {
        return call.reshape(id, vec![]);
    }
    let axis = call.axis("axis", call.int("axis", 1), shape.len())?;
    let block = call.size("block_size", 0, 0)?;
    let own_kind = call.kind_of(i);
    let kind = std::mem::replace(&mut call.kind, own_kind);
    let result = if block == 0 {
        let mut extents = vec![1; shape.len()];
        extents[axis] = own.first().copied().unwrap_or(1);
        call.reshape(id, extents)
    } else if own.len() == shape.len() && own[axis].saturating_mul(block) >= shape[axis] {
        call.take_along(id, axis, (0..shape[axis]).map(|j| j / block))
    } else {
        Err(NodeFault::Shape(format!("{own:?} in blocks of {block} for {shape:?}")))
    };
    call.kind = kind;
    let result = result?;
    let wide = crate::graph::shape::broadcast(&shape, call.value(result).shape.as_slice());
    if wide.as_ref() != Ok(&shape) {
        return Err(NodeFault::Shape(format!("scales {own:?} along axis {axis} of {shape:?}")));
    }
    Ok(result)
}

fn dequantize(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let named = call.any(0)?;
    call.kind = call.kind_of(1);
    let one = call.shape_of(1)?.iter().product::<usize>() == 1;
    match named.coded {
        Some(Coded::Input(number, dtype)) if one => {
            let encoding = single(call, dtype)?;
            let known = call.reader.encodings[number].replace(encoding);
            if known.is_some_and(|known| known != encoding) {
                return Err(NodeFault::Encoded(0));
            }
            call.finish(named.id)
        }
        Some(Coded::Input(number, dtype)) => {
            let plain = Encoding::integer(dtype);
            if call.reader.encodings[number].replace(plain).is_some_and(|known| known != plain) {
                return Err(NodeFault::Encoded(0));
            }
            lines(call, named.id)
        }
        Some(Coded::With(encoding)) => {
            let wanted = single(call, encoding.dtype)?;
            if wanted != encoding {
                return Err(NodeFault::Value {
                    name: "scale or zero point",
                    value: format!("{} / {}", wanted.scale, wanted.zero_point),
                    supported: "those of the QuantizeLinear before",
                });
            }
            call.finish(named.id)
        }
        None if tensors::is_float(named.kind) => {
            let scale = spread(call, 1, named.id)?;
            let y = call.emit(Operator::Mul, &[named.id, scale])?;
            call.finish(y)
        }
        None if call.value(named.id).constant.is_some() && call.int("block_size", 0) == 0 => constant(call),
        None => lines(call, named.id),
    }
}

/// `(x − zero point) · scale` of integers.
fn lines(call: &mut Call<'_, '_>, x: ValueId) -> Result<(), NodeFault> {
    let scale = spread(call, 1, x)?;
    let mut y = x;
    if call.has_operand(2) {
        let zero_point = spread(call, 2, x)?;
        y = call.emit_kind(tensors::INT32, Operator::Sub, &[x, zero_point])?;
    }
    y = call.emit(Operator::Mul, &[y, scale])?;
    call.finish(y)
}

fn constant(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let x = call.operand(0)?;
    let shape = call.shape(x);
    let integers = call.integers(0, "quantised data")?;
    let (scales, zero_points) = parameters(call)?;
    let axis = if scales.len() == 1 { 0 } else { call.axis("axis", call.int("axis", 1), shape.len())? };
    let extent = shape.get(axis).copied().unwrap_or(1);
    if scales.len() != 1 && scales.len() != extent {
        return Err(NodeFault::Shape(format!("{} scales along axis {axis} of {shape:?}", scales.len())));
    }
    let inner: usize = shape.iter().skip(axis + 1).product();
    let floats = integers.iter().enumerate().map(|(e, &integer)| {
        let c = if scales.len() == 1 { 0 } else { (e / inner.max(1)) % extent };
        num::single(f64::from(scales[c]) * num::real(integer.saturating_sub(zero_points[c])))
    });
    let floats: Vec<f32> = floats.collect();
    let id = call.constant(shape, floats);
    let quantised = Quantised { integers, scales, zero_points, axis };
    if let Some(constant) = call.reader.graph.value_mut(id).constant.as_mut() {
        debug_assert!(matches!(constant.data, Data::Float(_)), "just made");
        constant.quantised = Some(quantised);
    }
    call.finish(id)
}

//! `QuantizeLinear` and `DequantizeLinear`.
//!
//! A pair of them around a value becomes one [`Operator::Quantise`], and a dequantised constant keeps its integers.

use opml_vm::DType;

use super::{Call, Table};
use crate::{
    error::NodeFault,
    graph::{Data, Encoding, Operator, Quantised},
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
    let zero_points = match call.optional(2)? {
        Some(_) => call.integers(2, "zero point")?,
        None => vec![0; scales.len()],
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

/// Type of the zero point; u8 without one, as the operator says.
fn zero_point_type(call: &Call<'_, '_>) -> Result<DType, NodeFault> {
    let code = if call.has_operand(2) { call.kind_of(2) } else { tensors::UINT8 };
    match tensors::dtype(code) {
        Some(dtype @ (DType::U8 | DType::I8 | DType::I16)) => Ok(dtype),
        _ => Err(NodeFault::Value { name: "zero point type", value: code.to_string(), supported: "u8, i8, i16" }),
    }
}

fn quantize(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let x = call.operand(0)?;
    let encoding = single(call, zero_point_type(call)?)?;
    let y = call.emit_kind(tensors::FLOAT, Operator::Quantise(encoding), &[x])?;
    call.kind = if call.has_operand(2) { call.kind_of(2) } else { tensors::UINT8 };
    call.finish_as(y, Some(Coded::With(encoding)))
}

fn dequantize(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let named = call.any(0)?;
    call.kind = call.kind_of(1);
    match named.coded {
        Some(Coded::Input(number, dtype)) => {
            let encoding = single(call, dtype)?;
            let known = call.reader.encodings[number].replace(encoding);
            if known.is_some_and(|known| known != encoding) {
                return Err(NodeFault::Encoded(0));
            }
            call.finish(named.id)
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
        None => constant(call),
    }
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

//! Operators that move elements or name shapes, and constants.

use opml_vm::DType;

use super::Call;
use crate::{
    error::NodeFault,
    graph::{Data, Encoding, Operator, elements},
    num,
    onnx::{Coded, tensors},
};

pub(super) fn constant(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let (shape, data) = if let Some(tensor) = call.tensor("value") {
        let wrong = |error: crate::ImportError| NodeFault::Shape(error.to_string());
        let (shape, constant) = tensors::constant(tensor).map_err(wrong)?;
        if let Some(name) = call.node.output.first() {
            call.reader.types.insert(name.clone(), tensor.data_type);
        }
        (shape, constant.data)
    } else if call.has("value_float") {
        (vec![], Data::Float(vec![call.float("value_float", 0.0)?]))
    } else if call.has("value_int") {
        (vec![], Data::Int(vec![call.int("value_int", 0)]))
    } else if let Some(floats) = call.floats_attribute("value_floats") {
        (vec![floats.len()], Data::Float(floats))
    } else if let Some(ints) = call.ints("value_ints") {
        (vec![ints.len()], Data::Int(ints))
    } else {
        return Err(NodeFault::Value {
            name: "value",
            value: "absent".into(),
            supported: "value, value_float, value_floats, value_int, value_ints",
        });
    };
    let id = match data {
        Data::Float(floats) => call.constant(shape, floats),
        Data::Int(ints) => call.integer_constant(shape, ints),
    };
    call.finish(id)
}

pub(super) fn flatten(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let named = call.any(0)?;
    let shape = call.shape(named.id);
    // One past the last axis is allowed here.
    let axis = call.axis("axis", call.int("axis", 1), shape.len() + 1);
    let axis = if call.int("axis", 1) < 0 { call.axis("axis", call.int("axis", 1), shape.len()) } else { axis }?;
    let (rows, columns) = shape.split_at(axis);
    let y = call.reshape(named.id, vec![elements(rows), elements(columns)])?;
    call.finish_as(y, named.coded)
}

/// 0 keeps an extent (unless `allowzero`), −1 takes what is left.
pub(super) fn reshape(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let named = call.any(0)?;
    let from = call.shape(named.id);
    let target = call.integers(1, "shape")?;
    let wrong = || NodeFault::Shape(format!("{from:?} reshaped to {target:?}"));
    let mut shape = Vec::with_capacity(target.len());
    for (axis, &extent) in target.iter().enumerate() {
        shape.push(match extent {
            0 if call.int("allowzero", 0) == 0 => *from.get(axis).ok_or_else(wrong)?,
            -1 => 1,
            extent => num::index(extent).ok_or_else(wrong)?,
        });
    }
    let mut free = target.iter().enumerate().filter(|(_, extent)| **extent == -1);
    if let Some((axis, _)) = free.next() {
        shape[axis] = elements(&from).checked_div(elements(&shape)).ok_or_else(wrong)?;
    }
    if free.next().is_some() {
        return Err(wrong());
    }
    let y = call.reshape(named.id, shape)?;
    call.finish_as(y, named.coded)
}

pub(super) fn transpose(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let named = call.any(0)?;
    let rank = call.shape(named.id).len();
    let perm = match call.ints("perm") {
        Some(perm) => perm.iter().map(|&axis| call.axis("perm", axis, rank)).collect::<Result<_, _>>()?,
        None => (0..rank).rev().collect(),
    };
    let y = call.emit(Operator::Transpose { perm }, &[named.id])?;
    call.finish_as(y, named.coded)
}

/// Axes are an attribute before opset 13, an operand since.
fn axes(call: &Call<'_, '_>, rank: usize) -> Result<Option<Vec<usize>>, NodeFault> {
    let axes = if call.opset() < 13 {
        call.ints("axes")
    } else if call.optional(1)?.is_some() {
        Some(call.integers(1, "axes")?)
    } else {
        None
    };
    let Some(axes) = axes else {
        return Ok(None);
    };
    let mut axes: Vec<usize> = axes.iter().map(|&axis| call.axis("axes", axis, rank)).collect::<Result<_, _>>()?;
    axes.sort_unstable();
    axes.dedup();
    Ok(Some(axes))
}

pub(super) fn squeeze(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let named = call.any(0)?;
    let shape = call.shape(named.id);
    let axes = axes(call, shape.len())?;
    if let Some(axis) = axes.iter().flatten().find(|&&axis| shape[axis] != 1) {
        return Err(NodeFault::Shape(format!("axis {axis} of {shape:?} is not 1")));
    }
    let gone = |axis: usize| axes.as_ref().map_or(shape[axis] == 1, |axes| axes.contains(&axis));
    let kept = (0..shape.len()).filter(|&axis| !gone(axis)).map(|axis| shape[axis]).collect();
    let y = call.reshape(named.id, kept)?;
    call.finish_as(y, named.coded)
}

pub(super) fn unsqueeze(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let named = call.any(0)?;
    let shape = call.shape(named.id);
    let count = if call.opset() < 13 {
        call.ints("axes").map_or(0, |axes| axes.len())
    } else {
        call.integers(1, "axes")?.len()
    };
    let rank = shape.len() + count;
    let axes = axes(call, rank)?.unwrap_or_default();
    if axes.len() != count {
        return Err(NodeFault::Shape(format!("axes {axes:?} are given twice")));
    }
    let mut old = shape.iter().copied();
    let wider = (0..rank).map(|axis| if axes.contains(&axis) { 1 } else { old.next().unwrap_or(1) }).collect();
    let y = call.reshape(named.id, wider)?;
    call.finish_as(y, named.coded)
}

pub(super) fn concat(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let named = (0..call.operands()).map(|i| call.any(i)).collect::<Result<Vec<_>, _>>()?;
    let first = named.first().copied().ok_or(NodeFault::MissingInput(0))?;
    if let Some(i) = named.iter().position(|other| other.coded != first.coded) {
        return Err(NodeFault::Encoded(i));
    }
    let axis = call.axis("axis", call.int("axis", 1), call.shape(first.id).len())?;
    let ids: Vec<_> = named.iter().map(|named| named.id).collect();
    let y = if ids.len() == 1 { first.id } else { call.emit(Operator::Concat { axis }, &ids)? };
    call.finish_as(y, first.coded)
}

pub(super) fn arg_max(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let x = call.any(0)?.id;
    let mut shape = call.shape(x);
    let axis = call.axis("axis", call.int("axis", 0), shape.len())?;
    let last = call.int("select_last_index", 0) != 0;
    let mut y = call.emit(Operator::ArgMax { axis, last }, &[x])?;
    if call.int("keepdims", 1) != 0 {
        shape[axis] = 1;
        y = call.reshape(y, shape)?;
    }
    call.finish(y)
}

/// Shapes are known, so this is a constant.
pub(super) fn shape(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let shape = call.shape(call.any(0)?.id);
    let rank = num::signed(shape.len());
    let bound = |value: i64| num::index(if value < 0 { value.saturating_add(rank) } else { value }.clamp(0, rank));
    let (start, end) = (bound(call.int("start", 0)).unwrap_or(0), bound(call.int("end", rank)).unwrap_or(0));
    let extents: Vec<i64> = shape.get(start..end).unwrap_or(&[]).iter().map(|&n| num::signed(n)).collect();
    let id = call.integer_constant(vec![extents.len()], extents);
    call.finish(id)
}

/// Of constants along axis 0, as graphs of shapes do.
pub(super) fn gather(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let (x, indices) = (call.operand(0)?, call.operand(1)?);
    let data = call.integers(0, "data (shape arithmetic alone)")?;
    let (shape, result) = (call.shape(x), call.shape(indices));
    let [extent] = shape.as_slice() else {
        return Err(NodeFault::Shape(format!("gather from {shape:?}; supported is one axis")));
    };
    let picked = call.integers(1, "indices")?;
    let picked: Result<Vec<i64>, NodeFault> =
        picked.iter().map(|&i| call.axis("indices", i, *extent).map(|i| data[i])).collect();
    let id = call.integer_constant(result, picked?);
    call.finish(id)
}

/// To floats: integers become real numbers of scale 1. Between integers, or to the same: nothing.
pub(super) fn cast(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let named = call.any(0)?;
    let to = i32::try_from(call.int("to", 0)).unwrap_or(0);
    let constant = call.value(named.id).constant.as_ref().map(|constant| constant.data.clone());
    let shape = call.shape(named.id);
    match (constant, named.coded) {
        (Some(Data::Int(ints)), _) if tensors::is_float(to) => {
            let id = call.constant(shape, ints.iter().map(|&v| num::single(num::real(v))).collect());
            call.finish(id)
        }
        (Some(Data::Int(_)), _) if tensors::dtype(to) == Some(DType::I64) => call.finish(named.id),
        (Some(Data::Float(_)) | None, None) if tensors::is_float(to) => call.finish(named.id),
        (None, Some(Coded::Input(number, dtype))) if tensors::is_float(to) => {
            call.reader.encodings[number] = Some(Encoding { dtype, scale: 1.0, zero_point: 0 });
            call.finish(named.id)
        }
        _ => Err(NodeFault::Value {
            name: "to",
            value: to.to_string(),
            supported: "floats, from floats, constants or integer inputs; int64 from integer constants",
        }),
    }
}

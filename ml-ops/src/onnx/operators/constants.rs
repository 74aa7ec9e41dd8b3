//! Constants, and what follows from shapes alone.

use super::{Call, Table};
use crate::{
    error::NodeFault,
    graph::{Data, elements},
    num,
    onnx::tensors,
};

pub(super) const TABLE: Table = &[
    ("Constant", constant),
    ("ConstantOfShape", constant_of_shape),
    ("EyeLike", eye_like),
    ("Range", range),
    ("Shape", shape),
    ("Size", size),
];

fn constant(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let (shape, data) = if let Some(tensor) = call.tensor("value") {
        let wrong = |error: crate::ImportError| NodeFault::Shape(error.to_string());
        let (shape, constant) = tensors::constant(tensor).map_err(wrong)?;
        call.kind = tensor.data_type;
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
        Data::Int(ints) => {
            if !call.is_integer() {
                call.kind = tensors::INT64;
            }
            call.integer_constant(shape, ints)
        }
    };
    call.finish(id)
}

/// Extents, those of axes `start` to `end` alone.
fn shape(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let shape = call.shape_of(0)?;
    let rank = num::signed(shape.len());
    let bound = |value: i64| num::index(if value < 0 { value.saturating_add(rank) } else { value }.clamp(0, rank));
    let (start, end) = (bound(call.int("start", 0)).unwrap_or(0), bound(call.int("end", rank)).unwrap_or(0));
    let extents: Vec<i64> = shape.get(start..end).unwrap_or(&[]).iter().map(|&n| num::signed(n)).collect();
    call.kind = tensors::INT64;
    let id = call.integer_constant(vec![extents.len()], extents);
    call.finish(id)
}

fn size(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let count = elements(&call.shape_of(0)?);
    call.kind = tensors::INT64;
    let id = call.integer_constant(vec![], vec![num::signed(count)]);
    call.finish(id)
}

/// The number of attribute `value`; 0 without it.
fn constant_of_shape(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let extents = call.integers(0, "shape")?;
    let shape: Option<Vec<usize>> = extents.iter().map(|&n| num::index(n)).collect();
    let shape = shape.ok_or_else(|| NodeFault::Shape(format!("{extents:?} has a negative extent")))?;
    let (kind, data) = match call.tensor("value") {
        None => (tensors::FLOAT, Data::Float(vec![0.0])),
        Some(tensor) => {
            let read = tensors::constant(tensor).map_err(|error| NodeFault::Shape(error.to_string()))?;
            (tensor.data_type, read.1.data)
        }
    };
    call.kind = kind;
    call.room(&shape)?;
    let count = elements(&shape);
    call.charge(count)?;
    let id = match data {
        Data::Float(values) if values.len() == 1 => call.constant(shape, vec![values[0]; count]),
        Data::Int(values) if values.len() == 1 => call.integer_constant(shape, vec![values[0]; count]),
        other => return Err(NodeFault::Shape(format!("value has {} elements", other.len()))),
    };
    call.finish(id)
}

/// `start`, `start + delta`, … below `limit`, or above it if `delta` is negative.
fn range(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let wrong = |what: String| NodeFault::Value { name: "range", value: what, supported: "numbers that end" };
    if call.is_integer() {
        let (start, limit, delta) = (call.integer(0, "start")?, call.integer(1, "limit")?, call.integer(2, "delta")?);
        let span = i128::from(limit) - i128::from(start);
        let step = i128::from(delta);
        let whole = span.checked_div(step).ok_or_else(|| wrong(format!("steps of {delta}")))?;
        let count = whole + i128::from(span % step != 0 && (span < 0) == (step < 0));
        let count = usize::try_from(count.max(0)).unwrap_or(usize::MAX);
        call.charge(count)?;
        let values = (0..count).map(|i| start.saturating_add(delta.saturating_mul(num::signed(i)))).collect();
        let id = call.integer_constant(vec![count], values);
        return call.finish(id);
    }
    let number = |i, what| -> Result<f64, NodeFault> {
        match call.floats(i, what)?.as_slice() {
            [value] => Ok(f64::from(*value)),
            other => Err(NodeFault::Shape(format!("{what} has {} elements", other.len()))),
        }
    };
    let (start, limit, delta) = (number(0, "start")?, number(1, "limit")?, number(2, "delta")?);
    let count = libm::ceil((limit - start) / delta);
    if !count.is_finite() {
        return Err(wrong(format!("steps of {delta}")));
    }
    let count = num::index(num::round(count.max(0.0))).unwrap_or(usize::MAX);
    call.charge(count)?;
    let values = (0..count).map(|i| num::single(start + delta * num::real(num::signed(i)))).collect();
    let id = call.constant(vec![count], values);
    call.finish(id)
}

/// 1 on the `k`-th diagonal, else 0.
fn eye_like(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let shape = call.shape_of(0)?;
    let &[rows, columns] = shape.as_slice() else {
        return Err(NodeFault::Shape(format!("{shape:?} is no matrix")));
    };
    call.charge(elements(&shape))?;
    let k = call.int("k", 0);
    let at = |e: usize| num::signed(e / columns.max(1)).saturating_add(k) == num::signed(e % columns.max(1));
    call.kind = i32::try_from(call.int("dtype", i64::from(call.kind))).unwrap_or(0);
    let count = rows * columns;
    let id = if call.is_integer() {
        call.integer_constant(shape, (0..count).map(|e| i64::from(at(e))).collect())
    } else {
        call.constant(shape, (0..count).map(|e| if at(e) { 1.0 } else { 0.0 }).collect())
    };
    call.finish(id)
}

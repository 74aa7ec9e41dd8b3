//! Casts between element types.

use super::{Call, Table};
use crate::{
    error::NodeFault,
    graph::{Constant, Data, Encoding, Function, Operator, Quantised, ValueId},
    num,
    onnx::{Coded, Named, tensors},
};

pub(super) const TABLE: Table = &[
    ("Cast", |call| {
        let to = i32::try_from(call.int("to", 0)).unwrap_or(0);
        cast(call, to)
    }),
    ("CastLike", |call| {
        call.any(1)?;
        cast(call, call.kind_of(1))
    }),
];

/// Integers of a smaller type saturate, where ONNX takes their low bits. Floats of all sizes are f32.
fn cast(call: &mut Call<'_, '_>, to: i32) -> Result<(), NodeFault> {
    let named = call.any(0)?;
    let from = named.kind;
    let x = integers(call, 0)?;
    (call.kind, call.coded) = (to, false);
    let known = |kind| tensors::is_float(kind) || tensors::dtype(kind).is_some();
    if !known(from) || !known(to) {
        let value = format!("{to} from {from}");
        return Err(NodeFault::Value { name: "to", value, supported: "floats of 16 bits and more, integers, bool" });
    }
    let y = match (tensors::dtype(from), tensors::dtype(to)) {
        (None, None) => x,
        (Some(_), None) => real(call, x, from),
        (_, Some(_)) if to == tensors::BOOL && from != to => {
            let zero = call.emit(Operator::Map(Function::Not), &[x])?;
            call.emit(Operator::Map(Function::Not), &[zero])?
        }
        (Some(own), Some(wanted)) if own.min() >= wanted.min() && own.max() <= wanted.max() => x,
        _ => call.emit(Operator::Map(Function::Truncate), &[x])?,
    };
    call.finish(y)
}

/// Integers as real numbers: the same numbers. A constant remembers its bytes.
fn real(call: &mut Call<'_, '_>, x: ValueId, from: i32) -> ValueId {
    let value = call.value(x);
    let Some(integers) = value.integers() else {
        return x;
    };
    let (name, shape, integers) = (value.name.clone(), value.shape.clone(), integers.to_vec());
    let floats = integers.iter().map(|&v| num::single(num::real(v))).collect();
    let bytes = matches!(from, tensors::INT8 | tensors::UINT8);
    let quantised = bytes.then(|| Quantised { integers, scales: vec![1.0], zero_points: vec![0], axis: 0 });
    call.reader.graph.add_constant(name, shape, Constant { data: Data::Float(floats), quantised })
}

/// Operand `i` as its own numbers: stored integers of a `QuantizeLinear` become integers.
pub(super) fn integers(call: &mut Call<'_, '_>, i: usize) -> Result<ValueId, NodeFault> {
    match call.any(i)? {
        Named { coded: None, id, .. } => Ok(id),
        Named { coded: Some(Coded::Input(..)), .. } => Err(NodeFault::Encoded(i)),
        Named { coded: Some(Coded::With(encoding)), id, .. } => stored(call, id, &encoding),
    }
}

/// `x / scale + zero point`, which is an integer.
pub(super) fn stored(call: &mut Call<'_, '_>, x: ValueId, encoding: &Encoding) -> Result<ValueId, NodeFault> {
    let (m, b) = (num::single(1.0 / encoding.scale), num::single(num::real(encoding.zero_point)));
    let y = call.affine(x, m, b)?;
    call.reader.graph.value_mut(y).encoding = Some(Encoding::integer(encoding.dtype));
    Ok(y)
}

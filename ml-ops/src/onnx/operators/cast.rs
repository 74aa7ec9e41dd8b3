//! Casts between element types.

use super::{Call, Table};
use crate::{
    error::NodeFault,
    graph::{Constant, Data, Encoding, Function, Operator, Pairwise, Quantised, ValueId},
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

/// Integers keep their low bits where a type of 16 bits or less follows, else they saturate. Floats of all sizes are f32: those
/// of 8 and 4 bits are bounded, but not rounded to what these can hold.
fn cast(call: &mut Call<'_, '_>, to: i32) -> Result<(), NodeFault> {
    let named = call.any(0)?;
    let from = named.kind;
    let x = integers(call, 0)?;
    (call.kind, call.coded) = (to, false);
    let known = |kind| tensors::is_float(kind) || tensors::dtype(kind).is_some();
    // Powers of two alone are not nearly the number that is cast.
    if !known(from) || !known(to) || to == tensors::FLOAT8E8M0 {
        let value = format!("{to} from {from}");
        return Err(NodeFault::Value { name: "to", value, supported: "floats, integers, bool" });
    }
    let y = match (tensors::dtype(from), tensors::dtype(to)) {
        (None, None) => match tensors::largest(to) {
            Some(largest) => call.emit(Operator::Clip { low: -largest, high: largest }, &[x])?,
            None => x,
        },
        (Some(_), None) => real(call, x, from),
        (_, Some(_)) if to == tensors::BOOL && from != to => {
            let zero = call.emit(Operator::Map(Function::Not), &[x])?;
            call.emit(Operator::Map(Function::Not), &[zero])?
        }
        _ if holds(to, from) => x,
        (own, _) if tensors::bits(to) == 4 || (own.is_some() && tensors::bits(to) < 32) => low_bits(call, x, to)?,
        _ => {
            let whole = call.emit(Operator::Map(Function::Truncate), &[x])?;
            within(call, whole, to)?
        }
    };
    call.finish(y)
}

/// Whether all numbers of an integer type are numbers of another.
fn holds(wide: i32, narrow: i32) -> bool {
    let ranges = tensors::range(wide).zip(tensors::range(narrow));
    ranges.is_some_and(|((low, high), (least, greatest))| least >= low && greatest <= high)
}

/// The integer modulo `2^bits`, in the type's range.
fn low_bits(call: &mut Call<'_, '_>, x: ValueId, to: i32) -> Result<ValueId, NodeFault> {
    let width = 1i64 << tensors::bits(to);
    let shift = if tensors::is_unsigned(to) { 0 } else { width / 2 };
    let [width, shift] = [width, shift].map(|n| call.integer_constant(vec![], vec![n]));
    call.kind = tensors::INT64;
    let whole = call.emit(Operator::Map(Function::Truncate), &[x])?;
    let above = call.emit(Operator::Add, &[whole, shift])?;
    let rest = call.emit(Operator::Zip(Pairwise::Mod { floor: true }), &[above, width])?;
    call.kind = to;
    call.emit(Operator::Sub, &[rest, shift])
}

/// Bounds of a type that is stored in a wider one.
fn within(call: &mut Call<'_, '_>, x: ValueId, kind: i32) -> Result<ValueId, NodeFault> {
    let (Some((low, high)), Some(dtype)) = (tensors::range(kind), tensors::dtype(kind)) else { return Ok(x) };
    let mut y = x;
    for (bound, own, function) in [(low, dtype.min(), Pairwise::Max), (high, dtype.max(), Pairwise::Min)] {
        if bound != own {
            let bound = call.integer_constant(vec![], vec![bound]);
            y = call.emit(Operator::Zip(function), &[y, bound])?;
        }
    }
    Ok(y)
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

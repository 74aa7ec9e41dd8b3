//! Constants in the file: `TensorProto` to [`Constant`].

use opml_vm::DType;

use super::proto::TensorProto;
use crate::{
    error::ImportError,
    graph::{Constant, Data, elements},
    num,
};

/// Codes of `TensorProto.DataType`.
pub(super) const FLOAT: i32 = 1;
pub(super) const UINT8: i32 = 2;
pub(super) const INT8: i32 = 3;
pub(super) const UINT16: i32 = 4;
pub(super) const INT16: i32 = 5;
pub(super) const INT32: i32 = 6;
pub(super) const INT64: i32 = 7;
pub(super) const BOOL: i32 = 9;
pub(super) const FLOAT16: i32 = 10;
pub(super) const DOUBLE: i32 = 11;
pub(super) const UINT32: i32 = 12;
pub(super) const UINT64: i32 = 13;
pub(super) const BFLOAT16: i32 = 16;

/// The machine's type of an ONNX integer type: the smallest that holds its numbers, those of u64 above i64 excepted.
pub(super) const fn dtype(code: i32) -> Option<DType> {
    match code {
        UINT8 | BOOL => Some(DType::U8),
        INT8 => Some(DType::I8),
        INT16 => Some(DType::I16),
        UINT16 | INT32 => Some(DType::I32),
        UINT32 | INT64 | UINT64 => Some(DType::I64),
        _ => None,
    }
}

/// Whether a type holds natural numbers.
pub(super) const fn is_unsigned(code: i32) -> bool {
    matches!(code, UINT8 | UINT16 | UINT32 | UINT64)
}

/// Bits of an integer type.
pub(super) const fn bits(code: i32) -> u8 {
    match code {
        UINT8 | INT8 => 8,
        UINT16 | INT16 => 16,
        UINT32 | INT32 => 32,
        _ => 64,
    }
}

/// Whether a type is a float.
pub(super) const fn is_float(code: i32) -> bool {
    matches!(code, FLOAT | FLOAT16 | DOUBLE | BFLOAT16)
}

/// Shape and elements of a constant, which must be numbers.
pub(super) fn constant(tensor: &TensorProto) -> Result<(Vec<usize>, Constant), ImportError> {
    let (shape, data) = read(tensor)?;
    if let Data::Float(values) = &data
        && values.iter().any(|value| value.is_nan())
    {
        let why = "holds a value that is not a number".into();
        return Err(ImportError::Constant { name: tensor.name.clone(), why });
    }
    Ok((shape, Constant { data, quantised: None }))
}

/// Shape and elements; the element count must be that of the data, so memory follows the file.
pub(super) fn read(tensor: &TensorProto) -> Result<(Vec<usize>, Data), ImportError> {
    let fail = |why: String| ImportError::Constant { name: tensor.name.clone(), why };
    if tensor.data_location != 0 {
        return Err(fail("is stored in another file; only constants inside the model are read".into()));
    }
    let shape: Option<Vec<usize>> = tensor.dims.iter().map(|&n| num::index(n)).collect();
    let shape = shape.ok_or_else(|| fail(format!("has a negative extent in {:?}", tensor.dims)))?;
    let data = match &tensor.raw_data {
        Some(raw) => raw_data(tensor.data_type, raw),
        None => listed(tensor),
    };
    let data = data.ok_or_else(|| {
        fail(format!("element type {} is not supported: floats, bool and integers below 2^63 are", tensor.data_type))
    })?;
    if data.len() != elements(&shape) {
        return Err(fail(format!("has {} elements where its shape {shape:?} needs {}", data.len(), elements(&shape))));
    }
    Ok((shape, data))
}

/// Data in the type's own field.
fn listed(tensor: &TensorProto) -> Option<Data> {
    let from_i32 = || tensor.int32_data.iter().map(|&v| i64::from(v));
    let bits = || tensor.int32_data.iter().map(|&v| u16::try_from(v).unwrap_or(0));
    Some(match tensor.data_type {
        FLOAT => Data::Float(tensor.float_data.clone()),
        DOUBLE => Data::Float(tensor.double_data.iter().map(|&v| num::single(v)).collect()),
        FLOAT16 => Data::Float(bits().map(half).collect()),
        BFLOAT16 => Data::Float(bits().map(brain).collect()),
        UINT8 | INT8 | UINT16 | INT16 | INT32 | BOOL => Data::Int(from_i32().collect()),
        INT64 => Data::Int(tensor.int64_data.clone()),
        UINT32 | UINT64 => {
            Data::Int(tensor.uint64_data.iter().map(|&v| i64::try_from(v)).collect::<Result<_, _>>().ok()?)
        }
        _ => return None,
    })
}

/// Little-endian data; bytes that do not fill an element are seen by the count.
fn raw_data(data_type: i32, raw: &[u8]) -> Option<Data> {
    fn ints<const W: usize>(raw: &[u8], value: impl Fn([u8; W]) -> i64) -> Data {
        let (chunks, rest) = raw.as_chunks::<W>();
        let partial = rest.first().map(|_| 0);
        Data::Int(chunks.iter().map(|&chunk| value(chunk)).chain(partial).collect())
    }
    fn floats<const W: usize>(raw: &[u8], value: impl Fn([u8; W]) -> f32) -> Data {
        let (chunks, rest) = raw.as_chunks::<W>();
        let partial = rest.first().map(|_| 0.0);
        Data::Float(chunks.iter().map(|&chunk| value(chunk)).chain(partial).collect())
    }
    Some(match data_type {
        FLOAT => floats(raw, f32::from_le_bytes),
        DOUBLE => floats(raw, |b| num::single(f64::from_le_bytes(b))),
        FLOAT16 => floats(raw, |b| half(u16::from_le_bytes(b))),
        BFLOAT16 => floats(raw, |b| brain(u16::from_le_bytes(b))),
        UINT8 | BOOL => ints(raw, |b: [u8; 1]| i64::from(u8::from_le_bytes(b))),
        INT8 => ints(raw, |b| i64::from(i8::from_le_bytes(b))),
        UINT16 => ints(raw, |b| i64::from(u16::from_le_bytes(b))),
        INT16 => ints(raw, |b| i64::from(i16::from_le_bytes(b))),
        INT32 => ints(raw, |b| i64::from(i32::from_le_bytes(b))),
        UINT32 => ints(raw, |b| i64::from(u32::from_le_bytes(b))),
        INT64 => ints(raw, i64::from_le_bytes),
        UINT64 if raw.chunks(8).any(|b| b.get(7).is_some_and(|&b| b > 127)) => return None,
        UINT64 => ints(raw, i64::from_le_bytes),
        _ => return None,
    })
}

/// IEEE half precision, exactly.
fn half(bits: u16) -> f32 {
    let sign = u32::from(bits >> 15) << 31;
    let exponent = u32::from(bits >> 10) & 31;
    let fraction = u32::from(bits & 0x3ff);
    match (exponent, fraction) {
        (0, _) => {
            // Subnormals are fraction · 2^−24.
            let magnitude = f32::from(bits & 0x3ff) / 16_777_216.0;
            if sign == 0 { magnitude } else { -magnitude }
        }
        (31, _) => f32::from_bits(sign | 0x7f80_0000 | (fraction << 13)),
        _ => f32::from_bits(sign | ((exponent + 112) << 23) | (fraction << 13)),
    }
}

/// The upper half of an f32.
fn brain(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

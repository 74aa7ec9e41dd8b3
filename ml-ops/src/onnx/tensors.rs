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
const FLOAT8E4M3FN: i32 = 17;
const FLOAT8E4M3FNUZ: i32 = 18;
const FLOAT8E5M2: i32 = 19;
const FLOAT8E5M2FNUZ: i32 = 20;
pub(super) const UINT4: i32 = 21;
pub(super) const INT4: i32 = 22;
const FLOAT4E2M1: i32 = 23;
pub(super) const FLOAT8E8M0: i32 = 24;

/// The machine's type of an ONNX integer type: the smallest that holds its numbers, those of u64 above i64 excepted.
pub(super) const fn dtype(code: i32) -> Option<DType> {
    match code {
        UINT8 | UINT4 | BOOL => Some(DType::U8),
        INT8 | INT4 => Some(DType::I8),
        INT16 => Some(DType::I16),
        UINT16 | INT32 => Some(DType::I32),
        UINT32 | INT64 | UINT64 => Some(DType::I64),
        _ => None,
    }
}

/// Least and greatest number of an integer type, as far as i64 goes.
pub(super) const fn range(code: i32) -> Option<(i64, i64)> {
    Some(match code {
        UINT4 => (0, 15),
        INT4 => (-8, 7),
        BOOL => (0, 1),
        UINT16 => (0, 65_535),
        UINT32 => (0, 4_294_967_295),
        UINT64 => (0, i64::MAX),
        _ => match dtype(code) {
            Some(dtype) => (dtype.min(), dtype.max()),
            None => return None,
        },
    })
}

/// Greatest number of a float type of 8 or 4 bits.
pub(super) const fn largest(code: i32) -> Option<f32> {
    match code {
        FLOAT8E4M3FN => Some(448.0),
        FLOAT8E4M3FNUZ => Some(240.0),
        FLOAT8E5M2 | FLOAT8E5M2FNUZ => Some(57_344.0),
        FLOAT4E2M1 => Some(6.0),
        _ => None,
    }
}

/// Whether a type holds natural numbers.
pub(super) const fn is_unsigned(code: i32) -> bool {
    matches!(code, UINT4 | UINT8 | UINT16 | UINT32 | UINT64)
}

/// Bits of an integer type.
pub(super) const fn bits(code: i32) -> u8 {
    match code {
        UINT4 | INT4 => 4,
        UINT8 | INT8 => 8,
        UINT16 | INT16 => 16,
        UINT32 | INT32 => 32,
        _ => 64,
    }
}

/// Whether a type is a float.
pub(super) const fn is_float(code: i32) -> bool {
    matches!(code, FLOAT | FLOAT16 | DOUBLE | BFLOAT16 | FLOAT8E8M0) || largest(code).is_some()
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
    let data = unpacked(tensor.data_type, data, elements(&shape));
    if data.len() != elements(&shape) {
        return Err(fail(format!("has {} elements where its shape {shape:?} needs {}", data.len(), elements(&shape))));
    }
    Ok((shape, data))
}

/// Of an odd number of elements of 4 bits, the last byte holds one alone.
fn unpacked(code: i32, mut data: Data, count: usize) -> Data {
    if matches!(code, UINT4 | INT4 | FLOAT4E2M1) && data.len() == count.saturating_add(1) {
        match &mut data {
            Data::Float(values) => values.truncate(count),
            Data::Int(values) => values.truncate(count),
        }
    }
    data
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
        UINT4 | INT4 | FLOAT4E2M1 | FLOAT8E4M3FN | FLOAT8E4M3FNUZ | FLOAT8E5M2 | FLOAT8E5M2FNUZ | FLOAT8E8M0 => {
            let bytes: Vec<u8> = tensor.int32_data.iter().map(|v| v.to_le_bytes()[0]).collect();
            return raw_data(tensor.data_type, &bytes);
        }
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
        UINT4 => Data::Int(nibbles(raw).map(i64::from).collect()),
        INT4 => Data::Int(nibbles(raw).map(|n| i64::from(n) - if n > 7 { 16 } else { 0 }).collect()),
        FLOAT4E2M1 => Data::Float(nibbles(raw).map(|n| tiny(n, 3, 1, 1)).collect()),
        FLOAT8E4M3FN => {
            Data::Float(raw.iter().map(|&b| if b & 0x7f == 0x7f { f32::NAN } else { tiny(b, 7, 3, 7) }).collect())
        }
        FLOAT8E4M3FNUZ => {
            Data::Float(raw.iter().map(|&b| if b == 0x80 { f32::NAN } else { tiny(b, 7, 3, 8) }).collect())
        }
        FLOAT8E5M2 => Data::Float(raw.iter().map(|&b| half(u16::from(b) << 8)).collect()),
        FLOAT8E5M2FNUZ => {
            Data::Float(raw.iter().map(|&b| if b == 0x80 { f32::NAN } else { tiny(b, 7, 2, 16) }).collect())
        }
        FLOAT8E8M0 => Data::Float(
            raw.iter().map(|&b| if b == 0xff { f32::NAN } else { power_of_two(i32::from(b) - 127) }).collect(),
        ),
        INT32 => ints(raw, |b| i64::from(i32::from_le_bytes(b))),
        UINT32 => ints(raw, |b| i64::from(u32::from_le_bytes(b))),
        INT64 => ints(raw, i64::from_le_bytes),
        UINT64 if raw.chunks(8).any(|b| b.get(7).is_some_and(|&b| b > 127)) => return None,
        UINT64 => ints(raw, i64::from_le_bytes),
        _ => return None,
    })
}

/// Two numbers of 4 bits in each byte, the lower first.
fn nibbles(raw: &[u8]) -> impl Iterator<Item = u8> + '_ {
    raw.iter().flat_map(|b| [b & 15, b >> 4])
}

/// A float of a sign at bit `sign`, an exponent less `bias`, and a fraction of some bits.
fn tiny(bits: u8, sign: u32, fraction: u32, bias: i32) -> f32 {
    let magnitude = bits & ((1 << sign) - 1);
    let (exponent, own) = (i32::from(magnitude >> fraction), magnitude & ((1 << fraction) - 1));
    // Without a leading 1 the exponent is that of 1.
    let lead = if exponent > 0 { 1 << fraction } else { 0 };
    let width = i32::try_from(fraction).unwrap_or(0);
    let value = f32::from(own + lead) * power_of_two(exponent.max(1) - bias - width);
    if bits >> sign & 1 == 0 { value } else { -value }
}

/// `2^n`, which f32 holds for the exponents of small floats.
fn power_of_two(n: i32) -> f32 {
    num::single(libm::ldexp(1.0, n))
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

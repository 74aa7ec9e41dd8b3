//! Bytes of tensors to and from numbers.

use opml_vm::{DType, Tensor};

use super::load::size;

/// Elements at the given positions, which lie inside the tensor.
pub(super) fn gather(dtype: DType, bytes: &[u8], positions: &[i64], out: &mut [i64]) {
    fn each<const W: usize>(bytes: &[u8], positions: &[i64], out: &mut [i64], value: impl Fn([u8; W]) -> i64) {
        let (chunks, _) = bytes.as_chunks::<W>();
        for (place, &position) in out.iter_mut().zip(positions) {
            *place = chunks.get(size(position)).map_or(0, |&chunk| value(chunk));
        }
    }
    match dtype {
        DType::U8 => each(bytes, positions, out, |[b]: [u8; 1]| i64::from(b)),
        DType::I8 => each(bytes, positions, out, |b| i64::from(i8::from_le_bytes(b))),
        DType::I16 => each(bytes, positions, out, |b| i64::from(i16::from_le_bytes(b))),
        DType::I32 => each(bytes, positions, out, |b| i64::from(i32::from_le_bytes(b))),
        DType::I64 => each(bytes, positions, out, i64::from_le_bytes),
        DType::I4 => {
            for (place, &position) in out.iter_mut().zip(positions) {
                let index = u64::try_from(position).unwrap_or(u64::MAX);
                *place = opml_vm::tensor::element_at(dtype, bytes, index).unwrap_or(0);
            }
        }
    }
}

/// Saturated values as bytes.
pub(super) fn store(dtype: DType, values: &[i64], bytes: &mut [u8]) {
    fn each<const W: usize>(dtype: DType, values: &[i64], bytes: &mut [u8]) {
        let (chunks, _) = bytes.as_chunks_mut::<W>();
        for (chunk, &value) in chunks.iter_mut().zip(values) {
            // Two's complement: the low bytes of a number in range.
            if let Some(low) = dtype.saturate(value).to_le_bytes().first_chunk::<W>() {
                *chunk = *low;
            }
        }
    }
    match dtype {
        DType::U8 | DType::I8 | DType::I4 => each::<1>(dtype, values, bytes),
        DType::I16 => each::<2>(dtype, values, bytes),
        DType::I32 => each::<4>(dtype, values, bytes),
        DType::I64 => each::<8>(dtype, values, bytes),
    }
}

/// Bytes of an element that an instruction writes.
pub(super) const fn width(dtype: DType) -> usize {
    match dtype {
        DType::U8 | DType::I8 | DType::I4 => 1,
        DType::I16 => 2,
        DType::I32 => 4,
        DType::I64 => 8,
    }
}

/// A tensor of packed bytes.
pub(super) fn tensor(dtype: DType, elements: i64, bytes: Vec<u8>) -> Tensor {
    // The byte count is elements · width by construction.
    Tensor::new(dtype, u64::try_from(elements).unwrap_or(0), bytes).unwrap_or_else(|_| Tensor::empty())
}

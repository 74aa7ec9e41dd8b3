//! Bytes of written tensors.

use opml_vm::{DType, Tensor};

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

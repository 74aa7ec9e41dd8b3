//! Flat tensors: a type, a count, and little-endian bytes that are the committed string (SPEC §1).

use alloc::{boxed::Box, vec::Vec};
use core::{fmt, mem, ops::Deref};

use bytes::Bytes;

use crate::{error::TensorError, isa::DType, isa::MAX_ELEMENTS};

/// A flat list of integers. It has no shape: views give it one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    dtype: DType,
    elements: u64,
    bytes: Store,
}

/// Where the bytes lie.
#[derive(Clone)]
enum Store {
    /// In memory of the tensor's own.
    Own(Vec<u8>),
    /// In a model file, with all its other tensors, or shared on purpose; a copy shares them. Behind a pointer, so that other
    /// tensors are no larger for it: runs of many short values move them often.
    Shared(Box<Bytes>),
}

impl Deref for Store {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Own(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.deref().fmt(f)
    }
}

impl PartialEq for Store {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Store {}

impl Tensor {
    /// Wraps committed bytes.
    ///
    /// # Errors
    /// The byte count does not fit, there are more than 2^40 elements, or an unused nibble is not 0.
    #[inline]
    pub fn new(dtype: DType, elements: u64, bytes: Vec<u8>) -> Result<Self, TensorError> {
        Self::of(dtype, elements, Store::Own(bytes))
    }

    /// The same over bytes that others share, without a copy. They have no alignment.
    ///
    /// # Errors
    /// As [`Tensor::new`].
    pub fn shared(dtype: DType, elements: u64, bytes: Bytes) -> Result<Self, TensorError> {
        Self::of(dtype, elements, Store::Shared(Box::new(bytes)))
    }

    #[inline]
    fn of(dtype: DType, elements: u64, bytes: Store) -> Result<Self, TensorError> {
        if elements > MAX_ELEMENTS {
            return Err(TensorError::Elements(elements));
        }
        let needed = dtype.bytes(elements).ok_or(TensorError::Elements(elements))?;
        let actual = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if needed != actual {
            return Err(TensorError::Length { dtype: dtype.name(), elements, needed, actual });
        }
        let odd_nibble = dtype == DType::I4 && elements % 2 == 1;
        if odd_nibble && bytes.last().is_some_and(|last| last >> 4 != 0) {
            return Err(TensorError::Nibble);
        }
        Ok(Self { dtype, elements, bytes })
    }

    /// The empty i64 tensor, which a malformed instruction writes.
    pub const fn empty() -> Self {
        Self { dtype: DType::I64, elements: 0, bytes: Store::Own(Vec::new()) }
    }

    /// Packs values.
    ///
    /// # Errors
    /// A value is outside the type's range.
    pub fn from_values(dtype: DType, values: &[i64]) -> Result<Self, TensorError> {
        let out_of_range = values.iter().position(|&value| dtype.saturate(value) != value);
        if let Some((index, &value)) = out_of_range.and_then(|i| values.get(i).map(|v| (i, v))) {
            return Err(TensorError::Range { dtype: dtype.name(), index, value });
        }
        let elements = u64::try_from(values.len()).unwrap_or(u64::MAX);
        Self::new(dtype, elements, pack(dtype, values))
    }

    /// Packs values after clamping each to the type's range.
    pub fn saturating(dtype: DType, values: &[i64]) -> Self {
        let clamped: Vec<i64> = values.iter().map(|&value| dtype.saturate(value)).collect();
        let elements = u64::try_from(values.len()).unwrap_or(u64::MAX);
        Self { dtype, elements, bytes: Store::Own(pack(dtype, &clamped)) }
    }

    /// Element type.
    pub const fn dtype(&self) -> DType {
        self.dtype
    }

    /// Number of elements.
    pub const fn elements(&self) -> u64 {
        self.elements
    }

    /// The committed bytes.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes, without a copy unless others share them.
    #[inline]
    pub fn into_bytes(self) -> Vec<u8> {
        match self.bytes {
            Store::Own(bytes) => bytes,
            Store::Shared(bytes) => (*bytes).into(),
        }
    }

    /// From now on clones share the bytes.
    pub fn share(&mut self) {
        if let Store::Own(bytes) = &mut self.bytes {
            self.bytes = Store::Shared(Box::new(mem::take(bytes).into()));
        }
    }

    /// The bytes, if nobody else shares them.
    #[inline]
    pub fn reclaim(self) -> Option<Vec<u8>> {
        match self.bytes {
            Store::Own(bytes) => Some(bytes),
            Store::Shared(bytes) => bytes.try_into_mut().ok().map(Vec::from),
        }
    }

    /// Element `index`; `None` past the end.
    pub fn get(&self, index: u64) -> Option<i64> {
        if index >= self.elements {
            return None;
        }
        element_at(self.dtype, &self.bytes, index)
    }

    /// All elements in order.
    pub fn values(&self) -> Vec<i64> {
        (0..self.elements).filter_map(|index| self.get(index)).collect()
    }
}

/// Element `index` of packed bytes; `None` if the bytes end before it.
pub fn element_at(dtype: DType, bytes: &[u8], index: u64) -> Option<i64> {
    let index = usize::try_from(index).ok()?;
    match dtype {
        DType::U8 => bytes.get(index).map(|&b| i64::from(b)),
        DType::I8 => bytes.get(index).map(|&b| i64::from(i8::from_le_bytes([b]))),
        DType::I16 => chunk(bytes, index).map(|b| i64::from(i16::from_le_bytes(b))),
        DType::I32 => chunk(bytes, index).map(|b| i64::from(i32::from_le_bytes(b))),
        DType::I64 => chunk(bytes, index).map(i64::from_le_bytes),
        DType::I4 => {
            let byte = i64::from(*bytes.get(index / 2)?);
            let nibble = if index % 2 == 0 { byte & 15 } else { byte >> 4 };
            Some((nibble ^ 8) - 8)
        }
    }
}

/// The `index`-th group of `W` bytes.
fn chunk<const W: usize>(bytes: &[u8], index: usize) -> Option<[u8; W]> {
    let start = index.checked_mul(W)?;
    bytes.get(start..start.checked_add(W)?)?.try_into().ok()
}

/// Packs values that are in range; the low bytes of the two's complement.
fn pack(dtype: DType, values: &[i64]) -> Vec<u8> {
    let low = |width: usize| {
        values.iter().flat_map(move |value| value.to_le_bytes().into_iter().take(width)).collect::<Vec<u8>>()
    };
    match dtype {
        DType::U8 | DType::I8 => low(1),
        DType::I16 => low(2),
        DType::I32 => low(4),
        DType::I64 => low(8),
        DType::I4 => values
            .chunks(2)
            .map(|pair| {
                let [first, second] = [pair.first(), pair.get(1)].map(|v| {
                    let [byte, ..] = v.copied().unwrap_or(0).to_le_bytes();
                    byte & 15
                });
                first | (second << 4)
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use alloc::{vec, vec::Vec};

    use super::*;

    #[test]
    fn shared_bytes_come_back_to_the_last_owner() {
        let bytes: Vec<u8> = (0..200).collect();
        let mut tensor = Tensor::new(DType::U8, 200, bytes.clone()).unwrap();
        let place = tensor.bytes().as_ptr();
        tensor.share();
        tensor.share();
        let copy = tensor.clone();
        assert_eq!((copy.bytes().as_ptr(), &copy), (place, &tensor));
        assert_eq!(tensor.reclaim(), None);
        let back = copy.reclaim().unwrap();
        assert_eq!((back.as_ptr(), &back), (place, &bytes));
        // Without a copy if it is the only one, with one if not.
        let mut tensor = Tensor::new(DType::U8, 200, back).unwrap();
        tensor.share();
        let copy = tensor.clone();
        assert_eq!(tensor.into_bytes(), bytes);
        let back = copy.into_bytes();
        assert_eq!((back.as_ptr(), &back), (place, &bytes));
        assert_eq!(Tensor::shared(DType::I8, 2, Bytes::from_static(&[1, 2])).unwrap().into_bytes(), vec![1, 2]);
    }
}

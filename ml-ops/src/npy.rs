//! Reader and writer of `.npy` files (NumPy's array format, versions 1 to 3): numbers in C order, little-endian.
//!
//! <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>

use opml_vm::{DType, Tensor};
use thiserror::Error;

use crate::num;

/// Why bytes are not a readable array.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NpyError {
    /// The first bytes are not the format's.
    #[error("not an .npy file")]
    Magic,
    /// Format version unknown.
    #[error(".npy version {0} is not supported: 1, 2 and 3 are")]
    Version(u8),
    /// The bytes end inside the header.
    #[error(".npy header is cut off")]
    Truncated,
    /// The header lacks a key or is not a dictionary of the known keys.
    #[error(".npy header: {0}")]
    Header(&'static str),
    /// Element type not supported.
    #[error(".npy type \"{0}\" is not supported: |u1 |i1 <i2 <i4 <i8 <f4 are")]
    Type(String),
    /// Fortran order.
    #[error(".npy array is in Fortran order: only C order is supported")]
    Order,
    /// The data do not have the size that the shape says.
    #[error(".npy shape {shape:?} needs {needed} data bytes, the file has {actual}")]
    Size {
        /// Shape in the header.
        shape: Vec<u64>,
        /// Bytes needed.
        needed: u64,
        /// Bytes present.
        actual: u64,
    },
}

/// The elements of an array.
#[derive(Debug, Clone, PartialEq)]
enum Elements {
    Integers(DType, Vec<i64>),
    Floats(Vec<f32>),
}

/// An array in memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    shape: Vec<usize>,
    elements: Elements,
}

impl Array {
    /// Extents, last axis fastest; none for a scalar.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Integer type; `None` for floats.
    pub const fn dtype(&self) -> Option<DType> {
        match self.elements {
            Elements::Integers(dtype, _) => Some(dtype),
            Elements::Floats(_) => None,
        }
    }

    /// The integers; `None` for floats.
    pub fn integers(&self) -> Option<&[i64]> {
        match &self.elements {
            Elements::Integers(_, values) => Some(values),
            Elements::Floats(_) => None,
        }
    }

    /// The floats; `None` for integers.
    pub fn floats(&self) -> Option<&[f32]> {
        match &self.elements {
            Elements::Floats(values) => Some(values),
            Elements::Integers(..) => None,
        }
    }

    /// Elements of one sample when the first axis counts samples: the product of the other extents.
    pub fn row(&self) -> usize {
        self.shape.iter().skip(1).fold(1, |n: usize, &extent| n.saturating_mul(extent))
    }
}

/// Reads a file's bytes.
///
/// # Errors
/// See [`NpyError`]. Memory is only taken for data that are there.
pub fn read(bytes: &[u8]) -> Result<Array, NpyError> {
    let rest = bytes.strip_prefix(b"\x93NUMPY").ok_or(NpyError::Magic)?;
    let (&[version, _minor], rest) = rest.split_first_chunk::<2>().ok_or(NpyError::Truncated)?;
    let (length, rest) = match version {
        1 => {
            let (length, rest) = rest.split_first_chunk::<2>().ok_or(NpyError::Truncated)?;
            (usize::from(u16::from_le_bytes(*length)), rest)
        }
        2 | 3 => {
            let (length, rest) = rest.split_first_chunk::<4>().ok_or(NpyError::Truncated)?;
            (num::size(u64::from(u32::from_le_bytes(*length))), rest)
        }
        _ => return Err(NpyError::Version(version)),
    };
    let (header, data) = rest.split_at_checked(length).ok_or(NpyError::Truncated)?;
    let header = std::str::from_utf8(header).map_err(|_| NpyError::Header("is not text"))?;
    let header = Header::parse(header)?;
    if header.fortran {
        return Err(NpyError::Order);
    }
    let (width, _) = element_type(&header.descr)?;
    let needed = header.shape.iter().try_fold(wide(width), |n, &extent| n.checked_mul(extent));
    let actual = wide(data.len());
    if needed != Some(actual) {
        return Err(NpyError::Size { shape: header.shape, needed: needed.unwrap_or(u64::MAX), actual });
    }
    let elements = decode(&header.descr, data)?;
    Ok(Array { shape: header.shape.iter().map(|&n| num::size(n)).collect(), elements })
}

fn wide(n: usize) -> u64 {
    num::wide(n)
}

/// Width in bytes, and the integer type unless floats.
fn element_type(descr: &str) -> Result<(usize, Option<DType>), NpyError> {
    match descr {
        "|u1" | "u1" => Ok((1, Some(DType::U8))),
        "|i1" | "i1" => Ok((1, Some(DType::I8))),
        "<i2" => Ok((2, Some(DType::I16))),
        "<i4" => Ok((4, Some(DType::I32))),
        "<i8" => Ok((8, Some(DType::I64))),
        "<f4" => Ok((4, None)),
        other => Err(NpyError::Type(other.to_owned())),
    }
}

fn decode(descr: &str, data: &[u8]) -> Result<Elements, NpyError> {
    let (width, dtype) = element_type(descr)?;
    let Some(dtype) = dtype else {
        let (floats, _) = data.as_chunks::<4>();
        return Ok(Elements::Floats(floats.iter().map(|b| f32::from_le_bytes(*b)).collect()));
    };
    let count = wide(data.len() / width);
    let values = (0..count).filter_map(|i| opml_vm::tensor::element_at(dtype, data, i)).collect();
    Ok(Elements::Integers(dtype, values))
}

/// A tensor as a one-dimensional `.npy` file of version 1. Numbers of four bits are widened to i8.
pub fn write(tensor: &Tensor) -> Vec<u8> {
    file(tensor.dtype(), &format!("{},", tensor.elements()), &data(tensor))
}

/// An array of tensors of one type and size, row by row; the first axis counts them.
pub fn write_rows(tensors: &[Tensor]) -> Vec<u8> {
    let (dtype, elements) = tensors.first().map_or((DType::U8, 0), |first| (first.dtype(), first.elements()));
    let rows: Vec<u8> = tensors.iter().flat_map(data).collect();
    file(dtype, &format!("{}, {elements}", tensors.len()), &rows)
}

/// Elements as `file` names their type.
fn data(tensor: &Tensor) -> Vec<u8> {
    match tensor.dtype() {
        DType::I4 => Tensor::saturating(DType::I8, &tensor.values()).into_bytes(),
        _ => tensor.bytes().to_vec(),
    }
}

fn file(dtype: DType, shape: &str, data: &[u8]) -> Vec<u8> {
    let descr = match dtype {
        DType::U8 => "|u1",
        DType::I8 | DType::I4 => "|i1",
        DType::I16 => "<i2",
        DType::I32 => "<i4",
        DType::I64 => "<i8",
    };
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}").into_bytes();
    // Magic, version and length take 10 bytes; the data begin at a multiple of 64, after a line feed.
    let padded = (10 + header.len() + 1).next_multiple_of(64) - 10;
    header.resize(padded - 1, b' ');
    header.push(b'\n');
    let mut out = b"\x93NUMPY\x01\x00".to_vec();
    out.extend(u16::try_from(header.len()).unwrap_or(u16::MAX).to_le_bytes());
    out.extend(header);
    out.extend(data);
    out
}

/// The dictionary in the header.
struct Header {
    descr: String,
    fortran: bool,
    shape: Vec<u64>,
}

impl Header {
    /// Parses `{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }`.
    fn parse(text: &str) -> Result<Self, NpyError> {
        let descr = value_of(text, "'descr'")?;
        let descr = descr.strip_prefix('\'').and_then(|rest| rest.split_once('\''));
        let (descr, _) = descr.ok_or(NpyError::Header("'descr' is not a simple type"))?;
        let fortran = value_of(text, "'fortran_order'")?;
        let fortran = match (fortran.starts_with("True"), fortran.starts_with("False")) {
            (true, _) => true,
            (_, true) => false,
            _ => return Err(NpyError::Header("'fortran_order' is neither True nor False")),
        };
        let shape = value_of(text, "'shape'")?;
        let shape = shape.strip_prefix('(').and_then(|rest| rest.split_once(')'));
        let (shape, _) = shape.ok_or(NpyError::Header("'shape' is not a tuple"))?;
        let extents = shape.split(',').map(str::trim).filter(|extent| !extent.is_empty());
        let shape: Vec<u64> = extents
            .map(|extent| extent.parse().map_err(|_| NpyError::Header("'shape' has an extent that is not a number")))
            .collect::<Result<_, _>>()?;
        if shape.len() > 32 {
            return Err(NpyError::Header("'shape' has more than 32 extents"));
        }
        Ok(Self { descr: descr.to_owned(), fortran, shape })
    }
}

fn value_of<'a>(text: &'a str, key: &str) -> Result<&'a str, NpyError> {
    let missing = NpyError::Header("lacks 'descr', 'fortran_order' or 'shape'");
    let (_, rest) = text.split_once(key).ok_or(missing.clone())?;
    rest.trim_start().strip_prefix(':').map(str::trim_start).ok_or(missing)
}

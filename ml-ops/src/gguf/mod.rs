//! Reads GGUF files, versions 2 and 3: metadata at once, tensors one by one where they lie.
//!
//! The file may be hostile: every count and length is compared with what is left of the file before anything is
//! allocated, and every fault is a [`GgufError`] that names its place. Format:
//! <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>.
//!
//! | module | what it does |
//! |---|---|
//! | `cursor` | numbers and strings with their bounds checked |
//! | `value` | metadata |
//! | `types` | tensor types and their blocks |
//! | `blocks` | blocks of 32 and 256 weights as floats |

mod blocks;
pub(crate) use blocks::{brain, half};
mod cursor;
mod error;
mod types;
mod value;

use std::{
    collections::BTreeMap,
    io::{Read, Seek, SeekFrom},
};

pub use blocks::Codes;
use cursor::Cursor;
pub use error::GgufError;
pub use types::TensorType;
pub use value::Value;

use crate::num;

/// Most axes of a tensor.
const MAX_RANK: u32 = 4;
/// Longest header that is read.
const HEADER_LIMIT: u64 = 1 << 30;

/// A tensor's place in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Extents, slowest axis first (the file lists them the other way round).
    pub shape: Vec<u64>,
    /// How elements are stored.
    pub kind: TensorType,
    /// Bytes from the start of the file.
    start: u64,
    /// Number of bytes.
    bytes: u64,
}

/// An open file.
#[derive(Debug)]
pub struct Gguf<R> {
    reader: R,
    metadata: BTreeMap<String, Value>,
    tensors: BTreeMap<String, TensorInfo>,
}

impl<R: Read + Seek> Gguf<R> {
    /// Reads the header: metadata and places of tensors.
    ///
    /// # Errors
    /// The file cannot be read, is no GGUF file, or is damaged.
    pub fn open(mut reader: R) -> Result<Self, GgufError> {
        let length = reader.seek(SeekFrom::End(0)).map_err(GgufError::read)?;
        reader.seek(SeekFrom::Start(0)).map_err(GgufError::read)?;
        let mut cursor = Cursor::new(std::io::BufReader::new(&mut reader), length.min(HEADER_LIMIT));
        let (tensor_count, metadata_count) = preamble(&mut cursor)?;
        let metadata = metadata(&mut cursor, metadata_count)?;
        let listed = listing(&mut cursor, tensor_count)?;
        let alignment = match metadata.get("general.alignment") {
            None => 32,
            Some(value) => value.unsigned().filter(|&n| n > 0 && n <= 1 << 20).ok_or(GgufError::Alignment)?,
        };
        let start = cursor.position().next_multiple_of(alignment);
        let tensors = place(listed, start, length)?;
        Ok(Self { reader, metadata, tensors })
    }

    /// A metadata value.
    pub fn value(&self, key: &str) -> Option<&Value> {
        self.metadata.get(key)
    }

    /// All metadata by key.
    pub const fn metadata(&self) -> &BTreeMap<String, Value> {
        &self.metadata
    }

    /// All tensors by name.
    pub const fn tensors(&self) -> &BTreeMap<String, TensorInfo> {
        &self.tensors
    }

    /// The elements of a tensor, row-major, as floats.
    ///
    /// # Errors
    /// There is no such tensor, or the file cannot be read.
    pub fn tensor(&mut self, name: &str) -> Result<Vec<f32>, GgufError> {
        let (kind, bytes) = self.bytes(name)?;
        Ok(blocks::floats(kind, &bytes))
    }

    /// The codes of a tensor whose blocks have 32 of them, or 256 in eights of 32; `None` if it is of another type.
    ///
    /// # Errors
    /// As [`Gguf::tensor`].
    pub fn codes(&mut self, name: &str) -> Result<Option<Codes>, GgufError> {
        let (kind, bytes) = self.bytes(name)?;
        Ok(blocks::codes(kind, &bytes))
    }

    fn bytes(&mut self, name: &str) -> Result<(TensorType, Vec<u8>), GgufError> {
        let info = self.tensors.get(name).ok_or_else(|| GgufError::NoTensor(name.to_owned()))?;
        let mut bytes = vec![0; num::size(info.bytes)];
        self.reader.seek(SeekFrom::Start(info.start)).map_err(GgufError::read)?;
        self.reader.read_exact(&mut bytes).map_err(GgufError::read)?;
        Ok((info.kind, bytes))
    }
}

/// Magic, version, counts.
fn preamble<R: Read>(cursor: &mut Cursor<R>) -> Result<(u64, u64), GgufError> {
    if cursor.array::<4>("the magic")? != *b"GGUF" {
        return Err(GgufError::Magic);
    }
    let version = cursor.u32("the version")?;
    if !(2..=3).contains(&version) {
        return Err(GgufError::Version(version));
    }
    // A tensor takes at least 24 bytes, a metadata value 13.
    let tensors = cursor.count("the number of tensors", 24)?;
    Ok((tensors, cursor.count("the number of metadata values", 13)?))
}

fn metadata<R: Read>(cursor: &mut Cursor<R>, count: u64) -> Result<BTreeMap<String, Value>, GgufError> {
    let mut metadata = BTreeMap::new();
    for _ in 0..count {
        let key = cursor.string("a metadata key")?;
        let code = cursor.u32(&key)?;
        let value = value::read(cursor, code, &key)?;
        if metadata.insert(key.clone(), value).is_some() {
            return Err(GgufError::Twice(key));
        }
    }
    Ok(metadata)
}

/// Names with shape, type and offset from the start of the data.
type Listed = Vec<(String, Vec<u64>, TensorType, u64)>;

fn listing<R: Read>(cursor: &mut Cursor<R>, count: u64) -> Result<Listed, GgufError> {
    let mut listed = Vec::new();
    for _ in 0..count {
        let name = cursor.string("a tensor's name")?;
        let rank = cursor.u32(&name)?;
        if rank > MAX_RANK {
            return Err(GgufError::Shape { name, why: "has more than four axes" });
        }
        let mut shape = Vec::new();
        for _ in 0..rank {
            shape.push(cursor.u64(&name)?);
        }
        shape.reverse();
        let code = cursor.u32(&name)?;
        let kind = TensorType::from_code(code).ok_or_else(|| GgufError::Type { name: name.clone(), code })?;
        let offset = cursor.u64(&name)?;
        listed.push((name, shape, kind, offset));
    }
    Ok(listed)
}

/// Places of listed tensors, all inside the file.
fn place(listed: Listed, start: u64, length: u64) -> Result<BTreeMap<String, TensorInfo>, GgufError> {
    let mut tensors = BTreeMap::new();
    for (name, shape, kind, offset) in listed {
        let fault = |why| GgufError::Shape { name: name.clone(), why };
        let elements = shape.iter().try_fold(1u64, |n, &extent| n.checked_mul(extent));
        let elements = elements.ok_or_else(|| fault("has too many elements"))?;
        let row = shape.last().copied().unwrap_or(1);
        if row % kind.block() != 0 {
            return Err(fault("has rows that are no whole number of blocks"));
        }
        let bytes = (elements / kind.block()).checked_mul(kind.bytes()).ok_or_else(|| fault("has too many bytes"))?;
        let start = start.checked_add(offset).ok_or_else(|| fault("lies outside of the file"))?;
        if start.checked_add(bytes).is_none_or(|end| end > length) {
            return Err(fault("lies outside of the file"));
        }
        if tensors.insert(name.clone(), TensorInfo { shape, kind, start, bytes }).is_some() {
            return Err(GgufError::Twice(name));
        }
    }
    Ok(tensors)
}

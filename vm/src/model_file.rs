//! The model file (SPEC §4.1): canonical bytes, strict reader.

use alloc::{format, string::ToString, vec::Vec};
use core::fmt::Arguments;

use bytes::Bytes;

use crate::{
    codec::{self, Counts},
    error::{ModelError, TensorError},
    isa::{DType, MAX_ELEMENTS, MAX_INSTRUCTIONS},
    program::{InputHeader, Program},
    tensor::Tensor,
};

/// First bytes of a model file: name and version.
pub const MAGIC: [u8; 5] = *b"opML\x01";

/// Writes a model.
pub fn write(program: &Program) -> Vec<u8> {
    let counts = program.counts();
    let mut out = Vec::from(MAGIC);
    let halt = program.halt().unwrap_or(u32::MAX);
    for number in [counts.instructions, counts.constants, counts.inputs, program.output(), halt] {
        out.extend(number.to_be_bytes());
    }
    for input in program.inputs() {
        out.push(input.dtype.code());
        out.extend(input.elements.to_be_bytes());
    }
    for encoding in program.encodings() {
        // At most 4,096 bytes.
        out.extend(u32::try_from(encoding.len()).unwrap_or(u32::MAX).to_be_bytes());
        out.extend(encoding);
    }
    for constant in program.constants() {
        out.push(constant.dtype().code());
        out.extend(constant.elements().to_be_bytes());
        out.extend(constant.bytes());
    }
    out
}

/// Reads a model; every byte must be accounted for.
///
/// # Errors
/// Names the place at which the file is not a canonical model.
pub fn read(bytes: &[u8]) -> Result<Program, ModelError> {
    read_from(bytes, &mut |dtype, elements, field| Tensor::new(dtype, elements, field.to_vec()))
}

/// Reads a model whose constants are parts of the given bytes, not copies: of a file that is mapped into memory, say. Apart
/// from the ends of constants of i4, nothing of constants is looked at.
///
/// # Errors
/// As [`read`].
pub fn read_shared(bytes: &Bytes) -> Result<Program, ModelError> {
    read_from(bytes, &mut |dtype, elements, field| Tensor::shared(dtype, elements, bytes.slice_ref(field)))
}

/// Makes a constant of its bytes.
type Making<'m> = dyn FnMut(DType, u64, &[u8]) -> Result<Tensor, TensorError> + 'm;

fn read_from(bytes: &[u8], making: &mut Making<'_>) -> Result<Program, ModelError> {
    let mut reader = Reader { bytes, at: 0 };
    let magic = reader.array::<5>(format_args!("the magic and version"))?;
    if magic != MAGIC {
        return Err(ModelError::Magic(magic));
    }
    let instructions = reader.u32(format_args!("the instruction count"))?;
    let constants = reader.u32(format_args!("the constant count"))?;
    let inputs = reader.u32(format_args!("the input count"))?;
    let output = reader.u32(format_args!("the output instruction"))?;
    let halt = reader.u32(format_args!("the halt instruction"))?;
    if instructions == 0 || instructions > MAX_INSTRUCTIONS {
        return Err(ModelError::Count { field: "instructions", value: u64::from(instructions), why: "1 to 2^24" });
    }
    let counts = Counts { instructions, constants, inputs };
    let inputs = (0..inputs).map(|index| read_input(&mut reader, index)).collect::<Result<_, _>>()?;
    let instructions = (0..instructions)
        .map(|index| {
            let length = reader.u32(format_args!("the length of instruction {index}"))?;
            let encoding = reader.take(u64::from(length), format_args!("instruction {index}"))?;
            let index = usize::try_from(index).unwrap_or(usize::MAX);
            codec::decode(encoding, &counts).map_err(|error| ModelError::Instruction { index, error })
        })
        .collect::<Result<_, _>>()?;
    let constants = (0..constants).map(|index| read_constant(&mut reader, index, making)).collect::<Result<_, _>>()?;
    let left = bytes.len().saturating_sub(reader.at);
    if left > 0 {
        return Err(ModelError::Trailing(left));
    }
    let halt = (halt != u32::MAX).then_some(halt);
    Program::new(instructions, constants, inputs, output, halt)
}

fn read_input(reader: &mut Reader<'_>, index: u32) -> Result<InputHeader, ModelError> {
    let (code, elements) = reader.header(format_args!("input {index}"))?;
    let dtype = DType::from_code(code).ok_or_else(|| ModelError::DType { place: format!("input {index}"), code })?;
    Ok(InputHeader { dtype, elements })
}

fn read_constant(reader: &mut Reader<'_>, index: u32, making: &mut Making<'_>) -> Result<Tensor, ModelError> {
    let (code, elements) = reader.header(format_args!("constant {index}"))?;
    let dtype = DType::from_code(code).ok_or_else(|| ModelError::DType { place: format!("constant {index}"), code })?;
    let number = usize::try_from(index).unwrap_or(usize::MAX);
    let refused = |error| ModelError::Constant { index: number, error };
    let length = dtype.bytes(elements).filter(|_| elements <= MAX_ELEMENTS);
    let length = length.ok_or_else(|| refused(TensorError::Elements(elements)))?;
    let bytes = reader.take(length, format_args!("constant {index}"))?;
    making(dtype, elements, bytes).map_err(refused)
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: u64, place: Arguments<'_>) -> Result<&'a [u8], ModelError> {
        let end = usize::try_from(length).ok().and_then(|length| self.at.checked_add(length));
        let field = end.and_then(|end| Some((self.bytes.get(self.at..end)?, end)));
        let (field, end) = field.ok_or_else(|| truncated(self.bytes.len(), place))?;
        self.at = end;
        Ok(field)
    }

    fn array<const W: usize>(&mut self, place: Arguments<'_>) -> Result<[u8; W], ModelError> {
        let field = self.take(u64::try_from(W).unwrap_or(u64::MAX), place)?;
        field.try_into().map_err(|_| truncated(self.at, place))
    }

    fn u32(&mut self, place: Arguments<'_>) -> Result<u32, ModelError> {
        Ok(u32::from_be_bytes(self.array(place)?))
    }

    /// Type code and element count of a tensor.
    fn header(&mut self, place: Arguments<'_>) -> Result<(u8, u64), ModelError> {
        let [code] = self.array(place)?;
        Ok((code, u64::from_be_bytes(self.array(place)?)))
    }
}

fn truncated(at: usize, place: Arguments<'_>) -> ModelError {
    ModelError::Truncated { at, place: place.to_string() }
}

//! A program being written: instructions, constants without repetition, inputs.

use std::collections::BTreeMap;

use opml_vm::{Counts, DType, InputHeader, Instruction, ModelError, Program, Source, Tensor, merkle};

use super::{Draft, LowerError, View, fuse};
use crate::num;

/// A tensor that a load can name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Where it is.
    pub source: Source,
    /// Element type.
    pub dtype: DType,
    /// Number of elements.
    pub elements: i64,
}

/// Collects a program.
#[derive(Debug, Clone, Default)]
pub struct Builder {
    instructions: Vec<Instruction>,
    constants: Vec<Tensor>,
    known: BTreeMap<merkle::Hash, u32>,
    inputs: Vec<InputHeader>,
}

impl Builder {
    /// An empty program.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an input of the given shape, row-major.
    pub fn input(&mut self, dtype: DType, shape: &[i64]) -> View {
        let elements = shape.iter().product::<i64>();
        let source = Source::Input(count(self.inputs.len()));
        self.inputs.push(InputHeader { dtype, elements: u64::try_from(elements).unwrap_or(0) });
        View::contiguous(Stored { source, dtype, elements }, shape)
    }

    /// Adds a constant of the given shape, row-major. Values saturate to the type; equal constants are stored once.
    pub fn constant(&mut self, dtype: DType, shape: &[i64], values: &[i64]) -> View {
        let tensor = Tensor::saturating(dtype, values);
        let elements = i64::try_from(tensor.elements()).unwrap_or(i64::MAX);
        let header = merkle::header_of(&tensor);
        let number = *self.known.entry(header).or_insert_with(|| {
            self.constants.push(tensor);
            count(self.constants.len() - 1)
        });
        View::contiguous(Stored { source: Source::Constant(number), dtype, elements }, shape)
    }

    /// Adds a constant that is already packed, as it is: for large ones that nothing else is equal to.
    pub fn tensor(&mut self, tensor: Tensor) -> Stored {
        let elements = i64::try_from(tensor.elements()).unwrap_or(i64::MAX);
        let stored = Stored { source: Source::Constant(count(self.constants.len())), dtype: tensor.dtype(), elements };
        self.constants.push(tensor);
        stored
    }

    /// Writes another instruction in the place of one that was pushed: for one that reads from earlier iterations what comes
    /// after it. Type and elements stay.
    ///
    /// # Errors
    /// The draft does not fit the encoding, or the value is none of this program.
    pub fn replace(&mut self, stored: &Stored, draft: Draft) -> Result<(), LowerError> {
        let place = match stored.source {
            Source::Value(n) => self.instructions.get_mut(num::size(n.into())),
            _ => None,
        };
        let place = place.ok_or(LowerError::Layout("no instruction to replace"))?;
        *place = draft.finish()?;
        Ok(())
    }

    /// The smallest of i8, i16, i32, i64 that holds all values.
    pub fn width(values: &[i64]) -> DType {
        let fits = |dtype: DType| values.iter().all(|&v| dtype.saturate(v) == v);
        [DType::I8, DType::I16, DType::I32].into_iter().find(|&dtype| fits(dtype)).unwrap_or(DType::I64)
    }

    /// Adds an instruction.
    ///
    /// # Errors
    /// The draft does not fit the encoding.
    pub fn push(&mut self, draft: Draft) -> Result<Stored, LowerError> {
        let instruction = draft.finish()?;
        let stored = Stored {
            source: Source::Value(count(self.instructions.len())),
            dtype: instruction.dtype,
            elements: i64::try_from(instruction.elements(0)).unwrap_or(i64::MAX),
        };
        self.instructions.push(instruction);
        Ok(stored)
    }

    /// Number of instructions so far.
    pub const fn len(&self) -> usize {
        self.instructions.len()
    }

    /// Whether there is no instruction yet.
    pub const fn is_empty(&self) -> bool {
        self.instructions.is_empty()
    }

    /// Makes instructions that only one other reads, element by element, one with it: fewer values are stored. The program's output
    /// stays the same; where other values are changes.
    pub fn fuse(&mut self) {
        let counts = Counts {
            instructions: count(self.instructions.len()),
            constants: count(self.constants.len()),
            inputs: count(self.inputs.len()),
        };
        fuse::fuse(&mut self.instructions, &counts);
    }

    /// The program; the last instruction's value is its output.
    ///
    /// # Errors
    /// The machine refuses it.
    pub fn finish(self) -> Result<Program, ModelError> {
        self.finish_with(None)
    }

    /// The program of several iterations; `halt` is the value that ends them.
    ///
    /// # Errors
    /// The machine refuses it.
    pub fn finish_with(self, halt: Option<&Stored>) -> Result<Program, ModelError> {
        let output = count(self.instructions.len().saturating_sub(1));
        let halt = halt.and_then(|stored| if let Source::Value(n) = stored.source { Some(n) } else { None });
        let program = Program::new(self.instructions, self.constants, self.inputs, output, halt)?;
        program.validate()?;
        Ok(program)
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(num::wide(n)).unwrap_or(u32::MAX)
}

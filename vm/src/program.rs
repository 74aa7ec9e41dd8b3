//! Programs and the roots that commit to them (SPEC §4).

use alloc::{format, string::String, sync::Arc, vec::Vec};

use crate::{
    codec::{self, Counts},
    error::ModelError,
    instruction::{Extent, Instruction, Source},
    isa::{DType, MAX_ELEMENTS, MAX_INSTRUCTIONS},
    merkle::{self, Hash, Tree},
    tensor::Tensor,
};

/// Type and size of an input tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputHeader {
    /// Element type, not i4.
    pub dtype: DType,
    /// Number of elements.
    pub elements: u64,
}

/// A model: instructions in their committed encoding, constants, inputs' headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    instructions: Vec<Instruction>,
    encodings: Vec<Vec<u8>>,
    constants: Vec<Tensor>,
    inputs: Vec<InputHeader>,
    output: u32,
    halt: Option<u32>,
    trees: Kept,
}

/// Trees over the constants that were hashed before. They follow from the constants, so programs do not differ by them.
#[derive(Debug, Clone, Default)]
struct Kept(Option<Arc<[Arc<Tree>]>>);

impl PartialEq for Kept {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Kept {}

/// What a program commits to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelRoots {
    /// Root of the instructions.
    pub program: Hash,
    /// Root of the constants' headers.
    pub constants: Hash,
    /// Hash of the inputs' headers.
    pub inputs_hash: Hash,
    /// All of it in one hash.
    pub model: Hash,
}

impl Program {
    /// Puts a program together and checks it (see [`Program::validate`]).
    ///
    /// # Errors
    /// A count is out of range or an instruction is malformed.
    pub fn new(
        instructions: Vec<Instruction>,
        constants: Vec<Tensor>,
        inputs: Vec<InputHeader>,
        output: u32,
        halt: Option<u32>,
    ) -> Result<Self, ModelError> {
        let counts = Counts {
            instructions: count("instructions", instructions.len())?,
            constants: count("constants", constants.len())?,
            inputs: count("inputs", inputs.len())?,
        };
        let encodings = instructions
            .iter()
            .enumerate()
            .map(|(index, instruction)| {
                codec::encode(instruction, &counts).map_err(|error| ModelError::Instruction { index, error })
            })
            .collect::<Result<_, _>>()?;
        let program = Self { instructions, encodings, constants, inputs, output, halt, trees: Kept(None) };
        program.check_counts()?;
        Ok(program)
    }

    fn check_counts(&self) -> Result<(), ModelError> {
        let n = self.counts().instructions;
        if n == 0 || n > MAX_INSTRUCTIONS {
            return Err(ModelError::Count { field: "instructions", value: u64::from(n), why: "1 to 2^24" });
        }
        for (field, number) in [("output instruction", Some(self.output)), ("halt instruction", self.halt)] {
            if let Some(value) = number.filter(|&number| number >= n) {
                return Err(ModelError::Count { field, value: u64::from(value), why: "below the instruction count" });
            }
        }
        for (index, input) in self.inputs.iter().enumerate() {
            if !input.dtype.is_writable() {
                return Err(ModelError::DType { place: format!("input {index}"), code: input.dtype.code() });
            }
            if input.elements > MAX_ELEMENTS {
                return Err(ModelError::Count { field: "input elements", value: input.elements, why: "at most 2^40" });
            }
        }
        Ok(())
    }

    /// Checks beyond well-formedness: what an importer's program satisfies and a registered one need not.
    ///
    /// Loads of the same iteration name earlier instructions, and static views fit in their sources.
    /// A program that fails is still deterministic and total: such loads read their pad.
    ///
    /// # Errors
    /// The first fault, with instruction and load.
    pub fn validate(&self) -> Result<(), ModelError> {
        for (index, instruction) in self.instructions.iter().enumerate() {
            for (load_number, load) in instruction.loads().enumerate() {
                let source_elements = match load.source {
                    Source::Constant(n) => at(&self.constants, n).map(Tensor::elements),
                    Source::Input(n) => at(&self.inputs, n).map(|input| input.elements),
                    Source::Value(n) if usize::try_from(n).is_ok_and(|n| n >= index) => {
                        return Err(ModelError::NotEarlier { index, source_index: n });
                    }
                    Source::Value(n) | Source::History { instruction: n, .. } => {
                        at(&self.instructions, n).map(|source| bound(source, &source.output))
                    }
                };
                let extents: Vec<Extent> = load.axes.iter().map(|axis| axis.extent).collect();
                let view = bound(instruction, &extents);
                if let Some(source_elements) = source_elements.filter(|&elements| view > elements) {
                    return Err(ModelError::View { index, load: load_number, view, source_elements });
                }
            }
        }
        Ok(())
    }

    /// Instructions, constants and inputs.
    pub fn counts(&self) -> Counts {
        // Construction checked that the lengths fit.
        let length = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Counts {
            instructions: length(self.instructions.len()),
            constants: length(self.constants.len()),
            inputs: length(self.inputs.len()),
        }
    }

    /// The instructions.
    pub fn instructions(&self) -> &[Instruction] {
        &self.instructions
    }

    /// The committed bytes of each instruction.
    pub fn encodings(&self) -> &[Vec<u8>] {
        &self.encodings
    }

    /// The constants.
    pub fn constants(&self) -> &[Tensor] {
        &self.constants
    }

    /// Headers of the inputs.
    pub fn inputs(&self) -> &[InputHeader] {
        &self.inputs
    }

    /// Number of the output instruction.
    pub const fn output(&self) -> u32 {
        self.output
    }

    /// Number of the halt instruction.
    pub const fn halt(&self) -> Option<u32> {
        self.halt
    }

    /// With trees over all constants that were hashed elsewhere, as [`merkle::TensorTree::under`] takes them: those who commit to the
    /// program and open its constants need not hash them again. They are taken as they are: with others, the program commits
    /// to something else. Without one for each constant they are left away.
    #[must_use]
    pub fn with_trees(self, trees: Vec<Arc<Tree>>) -> Self {
        let trees = Kept((trees.len() == self.constants.len()).then(|| trees.into()));
        Self { trees, ..self }
    }

    /// The trees over the constants, if they were hashed before.
    pub fn trees(&self) -> Option<&[Arc<Tree>]> {
        self.trees.0.as_deref()
    }

    /// The hashes that commit to the program (SPEC §4). Hashes all constants, whatever trees there are.
    pub fn roots(&self) -> ModelRoots {
        let leaves: Vec<Hash> = self.encodings.iter().map(|e| merkle::instruction_hash(e)).collect();
        let program = merkle::root(&leaves);
        let headers: Vec<Hash> = self.constants.iter().map(merkle::header_of).collect();
        self.roots_over(program, merkle::root(&headers))
    }

    /// The same, from the two tree roots: of the instructions and of the constants' headers. They are not checked.
    pub fn roots_over(&self, program: Hash, constants: Hash) -> ModelRoots {
        let mut listed = Vec::new();
        for input in &self.inputs {
            listed.push(input.dtype.code());
            listed.extend(input.elements.to_be_bytes());
        }
        let inputs_hash = merkle::keccak(&[&listed]);
        let counts = self.counts();
        let model = merkle::keccak(&[
            &[1],
            &program,
            &constants,
            &counts.instructions.to_be_bytes(),
            &counts.constants.to_be_bytes(),
            &counts.inputs.to_be_bytes(),
            &self.output.to_be_bytes(),
            &self.halt.unwrap_or(u32::MAX).to_be_bytes(),
            &inputs_hash,
        ]);
        ModelRoots { program, constants, inputs_hash, model }
    }

    /// Checks the inputs of a run against the headers.
    ///
    /// # Errors
    /// The first input that is missing, left over, or of another type or size.
    pub fn check_inputs(&self, inputs: &[Tensor]) -> Result<(), ModelError> {
        for index in 0..self.inputs.len().max(inputs.len()) {
            let expected = self.inputs.get(index).copied();
            let actual = inputs.get(index).map(|t| InputHeader { dtype: t.dtype(), elements: t.elements() });
            if expected != actual {
                let words = |header: Option<InputHeader>| match header {
                    Some(InputHeader { dtype, elements }) => format!("{elements} elements of {}", dtype.name()),
                    None => String::from("nothing"),
                };
                return Err(ModelError::Input { index, expected: words(expected), actual: words(actual) });
            }
        }
        Ok(())
    }
}

/// Root of a run's inputs (SPEC §4).
pub fn input_root(inputs: &[Tensor]) -> Hash {
    let headers: Vec<Hash> = inputs.iter().map(merkle::header_of).collect();
    merkle::root(&headers)
}

fn count(field: &'static str, length: usize) -> Result<u32, ModelError> {
    u32::try_from(length).map_err(|_| ModelError::Count {
        field,
        value: u64::try_from(length).unwrap_or(u64::MAX),
        why: "must fit 32 bits",
    })
}

fn at<T>(list: &[T], number: u32) -> Option<&T> {
    list.get(usize::try_from(number).ok()?)
}

fn bound(instruction: &Instruction, extents: &[Extent]) -> u64 {
    extents.iter().fold(1, |product: u64, &extent| product.saturating_mul(instruction.bound(extent)))
}

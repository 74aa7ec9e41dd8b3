//! Named conformance cases: written once, run by every engine.

mod extents;
mod iterations;
mod loads;
mod reduce;
mod scalar;
mod types;

use alloc::{string::String, vec::Vec};

use crate::{
    error::ModelError,
    instruction::Instruction,
    isa::DType,
    program::{InputHeader, Program},
    tensor::Tensor,
};

/// A program and what must come out of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// What is tested, `family/detail`.
    pub name: String,
    /// The program.
    pub program: Program,
    /// Its inputs.
    pub inputs: Vec<Tensor>,
    /// Longest run; the halt instruction may end it earlier.
    pub max_t: u64,
    /// Elements of the output, from literals or a model that shares no code with the interpreter.
    pub expected: Option<Vec<i64>>,
}

/// All cases.
///
/// # Errors
/// A case is not a well-formed program: a fault of the case.
pub fn build_cases() -> Result<Vec<Case>, ModelError> {
    let plans =
        [scalar::plans(), reduce::plans(), types::plans(), loads::plans(), iterations::plans(), extents::plans()];
    plans.into_iter().flatten().map(Plan::case).collect()
}

/// All cases; none at all if one of them is not a well-formed program.
pub fn conformance_cases() -> Vec<Case> {
    build_cases().unwrap_or_default()
}

/// A case in the making.
struct Plan {
    name: String,
    instructions: Vec<Instruction>,
    constants: Vec<Tensor>,
    inputs: Vec<Tensor>,
    output: Option<u32>,
    halt: Option<u32>,
    max_t: u64,
    expected: Option<Vec<i64>>,
}

impl Plan {
    fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            instructions: Vec::new(),
            constants: Vec::new(),
            inputs: Vec::new(),
            output: None,
            halt: None,
            max_t: 1,
            expected: None,
        }
    }

    fn constant(mut self, dtype: DType, values: &[i64]) -> Self {
        self.constants.push(Tensor::saturating(dtype, values));
        self
    }

    fn input(mut self, dtype: DType, values: &[i64]) -> Self {
        self.inputs.push(Tensor::saturating(dtype, values));
        self
    }

    fn then(mut self, build: super::Build) -> Self {
        self.instructions.push(build.done());
        self
    }

    /// Another output than the last instruction.
    fn output(mut self, number: u32) -> Self {
        self.output = Some(number);
        self
    }

    fn halt(mut self, number: u32) -> Self {
        self.halt = Some(number);
        self
    }

    fn max_t(mut self, max_t: u64) -> Self {
        self.max_t = max_t;
        self
    }

    fn gives(mut self, values: &[i64]) -> Self {
        self.expected = Some(values.to_vec());
        self
    }

    fn case(self) -> Result<Case, ModelError> {
        let headers = self.inputs.iter().map(|t| InputHeader { dtype: t.dtype(), elements: t.elements() }).collect();
        let last = u32::try_from(self.instructions.len()).unwrap_or(0).saturating_sub(1);
        let output = self.output.unwrap_or(last);
        let program = Program::new(self.instructions, self.constants, headers, output, self.halt)?;
        Ok(Case { name: self.name, program, inputs: self.inputs, max_t: self.max_t, expected: self.expected })
    }
}

/// Number of elements as an extent.
fn len(values: &[i64]) -> u32 {
    u32::try_from(values.len()).unwrap_or(0)
}

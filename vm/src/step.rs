//! Verification of one step from openings: the mirror of the `StepVerifier` contract (SPEC §6).

use crate::{
    codec::{self, Counts},
    error::StepError,
    eval::{self, At, Evaluator},
    instruction::Instruction,
    isa::{DType, MAX_ELEMENTS, Reducer},
    merkle::{self, Hash},
    witness::{Reader, Roots, Tables},
};

/// What a step is verified against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Job {
    /// Root of the instructions.
    pub program_root: Hash,
    /// Root of the constants' headers.
    pub constants_root: Hash,
    /// Root of the inputs' headers.
    pub input_root: Hash,
    /// Root of the trace that is judged.
    pub trace_root: Hash,
    /// Sizes of the program.
    pub counts: Counts,
    /// Iterations of the run.
    pub length: u64,
    /// Iteration of the step.
    pub t: u64,
    /// Instruction of the step.
    pub instruction: u32,
}

/// Type and sizes of an instruction at an iteration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Type it writes.
    pub dtype: DType,
    /// Elements it writes.
    pub elements: u64,
    /// Terms of its reduction.
    pub terms: u64,
    /// Its reducer.
    pub reducer: Reducer,
}

/// What a malformed instruction has: the empty i64 tensor.
pub const MALFORMED: Shape = Shape { dtype: DType::I64, elements: 0, terms: 0, reducer: Reducer::Sum };

/// The shape of an instruction at an iteration; total over all encodings.
pub fn shape_of(encoding: &[u8], counts: &Counts, t: u64) -> Shape {
    codec::decode(encoding, counts).map_or(MALFORMED, |instruction| Shape {
        dtype: instruction.dtype,
        elements: instruction.elements(t),
        terms: instruction.terms(t),
        reducer: instruction.reducer,
    })
}

impl Job {
    /// The shape of the step's instruction, opened by its siblings in the program tree.
    ///
    /// # Errors
    /// The step is outside the trace or the encoding does not open.
    pub fn shape(&self, encoding: &[u8], siblings: &[u8]) -> Result<Shape, StepError> {
        let mut reader = Reader::new(siblings);
        self.open_instruction(encoding, &mut reader)?;
        if reader.take(1).is_ok() {
            return Err(StepError::Witness("bytes are left over"));
        }
        Ok(shape_of(encoding, &self.counts, self.t))
    }

    /// The value of element `e`.
    ///
    /// # Errors
    /// The question is refused or the witness does not verify.
    pub fn element(&self, e: u64, encoding: &[u8], witness: &[u8]) -> Result<i64, StepError> {
        let (instruction, mut tables) = self.open(e, encoding, witness)?;
        self.evaluator(&instruction).element(e, &mut tables)
    }

    /// The partial of terms `k0..k1` of element `e`.
    ///
    /// # Errors
    /// The question is refused or the witness does not verify.
    pub fn slice(&self, e: u64, k0: u64, k1: u64, encoding: &[u8], witness: &[u8]) -> Result<i128, StepError> {
        let (instruction, mut tables) = self.open(e, encoding, witness)?;
        let refused = StepError::Slice { k0, k1, terms: instruction.terms(self.t) };
        if k0 >= k1 || k1 > instruction.terms(self.t) {
            return Err(refused);
        }
        self.evaluator(&instruction).slice(e, k0, k1, &mut tables)?.ok_or(refused)
    }

    /// The value of element `e` when `acc` is the partial over all terms.
    ///
    /// # Errors
    /// The question is refused or the witness does not verify.
    pub fn post(&self, e: u64, acc: i128, encoding: &[u8], witness: &[u8]) -> Result<i64, StepError> {
        let (instruction, mut tables) = self.open(e, encoding, witness)?;
        if instruction.terms(self.t) == 0 {
            return Err(StepError::EmptyReduction);
        }
        self.evaluator(&instruction).post(e, eval::finish(instruction.reducer, acc), &mut tables)
    }

    fn evaluator<'i>(&self, instruction: &'i Instruction) -> Evaluator<'i> {
        let at = At { instructions: self.counts.instructions, t: self.t, instruction: self.instruction };
        Evaluator::new(instruction, at)
    }

    /// Checks the witness; gives the instruction and its opened operands.
    fn open<'w>(&self, e: u64, encoding: &[u8], witness: &'w [u8]) -> Result<(Instruction, Tables<'w>), StepError> {
        let mut reader = Reader::new(witness);
        self.open_instruction(encoding, &mut reader)?;
        let tables = Tables::read(&mut reader, &self.roots())?;
        let elements = shape_of(encoding, &self.counts, self.t).elements;
        match codec::decode(encoding, &self.counts) {
            Ok(instruction) if e < elements => Ok((instruction, tables)),
            _ => Err(StepError::Element { e, elements }),
        }
    }

    fn open_instruction(&self, encoding: &[u8], reader: &mut Reader<'_>) -> Result<(), StepError> {
        let leaves = self.length.saturating_mul(u64::from(self.counts.instructions));
        if leaves > MAX_ELEMENTS || self.t >= self.length || self.instruction >= self.counts.instructions {
            return Err(StepError::OutsideTrace);
        }
        let leaf = (u64::from(self.instruction), merkle::instruction_hash(encoding));
        let folded = merkle::fold_multi(u64::from(self.counts.instructions), &[leaf], &mut || reader.hash());
        if folded.ok_or(StepError::Witness("it ends early"))? != self.program_root {
            return Err(StepError::Root("instruction"));
        }
        Ok(())
    }

    fn roots(&self) -> Roots {
        Roots {
            constants: (self.constants_root, u64::from(self.counts.constants)),
            inputs: (self.input_root, u64::from(self.counts.inputs)),
            trace: (self.trace_root, self.length.saturating_mul(u64::from(self.counts.instructions))),
            instructions: self.counts.instructions,
        }
    }
}

//! What a program costs at most, without running it: for people, and to refuse what nobody could recompute.
//!
//! All numbers are upper bounds over a run of `maxT` iterations; sums saturate. Dynamic extents are monotone in `t`, so
//! the larger of their values at the first and the last iteration bounds every one between.

use alloc::vec::Vec;

use crate::{
    error::ModelError,
    instruction::{Extent, Instruction, Load, Source},
    isa::DType,
    merkle,
    program::Program,
    tensor::Tensor,
};

/// Costs of one instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InstructionBounds {
    /// Elements of its largest value.
    pub elements: u128,
    /// Terms of its longest reduction.
    pub terms: u128,
    /// Terms of a whole run: multiply-accumulates where the term is a product.
    pub run_terms: u128,
    /// Scalar operations and loads of a whole run, `map` and `post`.
    pub run_operations: u128,
    /// Bytes of all its values of a run.
    pub trace_bytes: u128,
    /// 256-byte leaves of all its values of a run.
    pub tensor_leaves: u128,
    /// Bytes of its encoding.
    pub encoding_bytes: u128,
    /// Bytes of the largest witness that answers a question about one term, with `post`. Values are opened at the
    /// sizes that an honest trace has.
    pub witness_bytes: u128,
}

/// Costs of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// Iterations that the bounds are for.
    pub max_t: u64,
    /// By instruction.
    pub instructions: Vec<InstructionBounds>,
    /// Elements of all values of a run.
    pub run_elements: u128,
    /// Terms of a run.
    pub run_terms: u128,
    /// Scalar operations and loads of a run.
    pub run_operations: u128,
    /// Bytes of all values of a run.
    pub trace_bytes: u128,
    /// 256-byte leaves of all values of a run.
    pub tensor_leaves: u128,
    /// Leaves of the trace tree, `maxT·N`.
    pub trace_leaves: u128,
    /// Depth of the trace tree.
    pub trace_depth: u32,
    /// Bytes of the constants.
    pub constant_bytes: u128,
    /// The largest witness for one term.
    pub witness_bytes: u128,
}

/// How much a party is ready to recompute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Most elements of a run, an empty value counted as one.
    pub elements: u64,
    /// Most scalar operations and loads of a run.
    pub operations: u64,
    /// Most bytes of all values of a run.
    pub trace_bytes: u64,
}

impl Bounds {
    /// Bounds of a program over runs of at most `max_t` iterations.
    pub fn new(program: &Program, max_t: u64) -> Self {
        let frame = Frame { program, max_t };
        let instructions: Vec<InstructionBounds> =
            program.instructions().iter().zip(program.encodings()).map(|(i, e)| frame.instruction(i, e)).collect();
        let sum = |of: fn(&InstructionBounds) -> u128| instructions.iter().map(of).fold(0, u128::saturating_add);
        let trace_leaves = frame.trace_leaves();
        Self {
            max_t,
            run_elements: sum(|i| i.elements).saturating_mul(u128::from(max_t)),
            run_terms: sum(|i| i.run_terms),
            run_operations: sum(|i| i.run_operations),
            trace_bytes: sum(|i| i.trace_bytes),
            tensor_leaves: sum(|i| i.tensor_leaves),
            trace_leaves: u128::from(max_t).saturating_mul(u128::from(program.counts().instructions)),
            trace_depth: merkle::depth(trace_leaves),
            constant_bytes: program.constants().iter().map(|c| wide(c.bytes().len())).fold(0, u128::saturating_add),
            witness_bytes: instructions.iter().map(|i| i.witness_bytes).max().unwrap_or(0),
            instructions,
        }
    }

    /// Refuses a program that may cost more than the budget.
    ///
    /// # Errors
    /// The first bound that is past its budget.
    pub fn check(&self, budget: &Budget) -> Result<(), ModelError> {
        for (what, value, limit) in [
            ("number of elements", self.run_elements.saturating_add(self.trace_leaves), budget.elements),
            ("number of operations", self.run_operations, budget.operations),
            ("size of all values in bytes", self.trace_bytes, budget.trace_bytes),
        ] {
            if value > u128::from(limit) {
                return Err(ModelError::TooLarge { what, value: u64::try_from(value).unwrap_or(u64::MAX), limit });
            }
        }
        Ok(())
    }
}

/// Bytes of the largest witness for one term, with `post`, that any legal program, run and trace can need: 16 loads in
/// `map`, 16 in `post`, each from a tensor of 2^35 leaves in a trace of 2^40, one of 2^24 instructions. Trees that
/// registered programs cannot have, with 2^32 constants say, are not deeper than the trace's.
pub const LARGEST_WITNESS: u128 = TABLES + HASH * 24 + 32 * (OPENING + HASH * (35 + 40));

/// A program and the length of its runs.
struct Frame<'a> {
    program: &'a Program,
    max_t: u64,
}

/// Bytes of a tensor in a witness without its hashes: index, dtype, elements, leaf count, leaf number, leaf.
const OPENING: u128 = 8 + 1 + 8 + 1 + 5 + 256;
/// Counts of the three tables.
const TABLES: u128 = 3;
const HASH: u128 = 32;

impl Frame<'_> {
    fn instruction(&self, instruction: &Instruction, encoding: &[u8]) -> InstructionBounds {
        let elements = self.product(instruction, &instruction.output);
        let terms = self.product(instruction, &instruction.reduction);
        let times = u128::from(self.max_t);
        let run_elements = elements.saturating_mul(times);
        let run_terms = run_elements.saturating_mul(terms);
        let map = run_terms.saturating_mul(wide(instruction.map.len()));
        let post = run_elements.saturating_mul(wide(instruction.post.len()));
        let bytes = bytes(instruction.dtype, elements);
        let program_depth = merkle::depth(u64::from(self.program.counts().instructions));
        let loads = instruction.loads().map(|load| self.opening(load)).fold(0, u128::saturating_add);
        InstructionBounds {
            elements,
            terms,
            run_terms,
            run_operations: map.saturating_add(post),
            trace_bytes: bytes.saturating_mul(times),
            tensor_leaves: bytes.div_ceil(256).saturating_mul(times),
            encoding_bytes: wide(encoding.len()),
            witness_bytes: hashes(program_depth).saturating_add(TABLES).saturating_add(loads),
        }
    }

    /// Bytes that one load adds at most: its tensor, one leaf, and all siblings up to both roots.
    fn opening(&self, load: &Load) -> u128 {
        let counts = self.program.counts();
        let (tensor_bytes, tree_leaves) = match load.source {
            Source::Constant(n) => {
                let constant = at(self.program.constants(), n).map_or(0, |c: &Tensor| wide(c.bytes().len()));
                (constant, u64::from(counts.constants))
            }
            Source::Input(n) => {
                let input = at(self.program.inputs(), n).map_or(0, |i| bytes(i.dtype, u128::from(i.elements)));
                (input, u64::from(counts.inputs))
            }
            Source::Value(n) | Source::History { instruction: n, .. } => {
                let value = at(self.program.instructions(), n);
                (value.map_or(0, |i| bytes(i.dtype, self.product(i, &i.output))), self.trace_leaves())
            }
        };
        let leaves = u64::try_from(tensor_bytes.div_ceil(256)).unwrap_or(u64::MAX);
        let depth = merkle::depth(leaves).saturating_add(merkle::depth(tree_leaves));
        // A header alone carries one hash instead of a leaf and its siblings: less.
        OPENING.saturating_add(hashes(depth))
    }

    fn trace_leaves(&self) -> u64 {
        self.max_t.saturating_mul(u64::from(self.program.counts().instructions))
    }

    fn product(&self, instruction: &Instruction, extents: &[Extent]) -> u128 {
        let last = self.max_t.saturating_sub(1);
        let largest = |extent| instruction.extent_at(extent, 0).max(instruction.extent_at(extent, last));
        if extents.iter().any(|&extent| largest(extent) == 0) {
            return 0;
        }
        extents.iter().fold(1, |product: u128, &extent| product.saturating_mul(u128::from(largest(extent))))
    }
}

fn bytes(dtype: DType, elements: u128) -> u128 {
    elements.saturating_mul(u128::from(dtype.bits())).div_ceil(8)
}

fn hashes(count: u32) -> u128 {
    HASH.saturating_mul(u128::from(count))
}

fn wide(length: usize) -> u128 {
    u128::try_from(length).unwrap_or(u128::MAX)
}

fn at<T>(list: &[T], number: u32) -> Option<&T> {
    list.get(usize::try_from(number).ok()?)
}

//! The tree over a run (SPEC §5).

use crate::{
    interpreter::{Run, leaf_index},
    merkle::{self, Hash, Tree},
    program::Program,
    tensor::Tensor,
    witness::Known,
};
use alloc::vec::Vec;

/// A run with the tree that commits to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    instructions: u32,
    run: Run,
    tensor_roots: Vec<Hash>,
    tree: Tree,
}

impl Trace {
    /// Hashes a run.
    pub fn new(program: &Program, run: Run) -> Self {
        Self::of_values(program.counts().instructions, run)
    }

    /// Hashes the values of a program of so many instructions.
    pub fn of_values(instructions: u32, run: Run) -> Self {
        let tensor_roots: Vec<Hash> = run.values.iter().map(|value| merkle::tensor_root(value.bytes())).collect();
        let headers = run
            .values
            .iter()
            .zip(&tensor_roots)
            .map(|(value, root)| merkle::header_hash(value.dtype().code(), value.elements(), root))
            .collect();
        Self::from_hashes(instructions, run, tensor_roots, Tree::new(headers))
    }

    /// A trace whose hashes were made elsewhere: the tensor root of every value, and the tree over the header hashes.
    /// They are taken as they are: with other hashes than [`Trace::of_values`] makes, the trace is a wrong claim.
    pub const fn from_hashes(instructions: u32, run: Run, tensor_roots: Vec<Hash>, tree: Tree) -> Self {
        Self { instructions, run, tensor_roots, tree }
    }

    /// Instructions `N` of the program.
    pub const fn instructions(&self) -> u32 {
        self.instructions
    }

    /// Iterations `T`.
    pub const fn length(&self) -> u64 {
        self.run.length
    }

    /// Number of leaves, `T·N`.
    pub fn leaves(&self) -> u64 {
        self.tree.leaves()
    }

    /// The trace root.
    pub fn root(&self) -> Hash {
        self.tree.root()
    }

    /// The tree over the header hashes.
    pub const fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The run.
    pub const fn run(&self) -> &Run {
        &self.run
    }

    /// The values and their roots, for witnesses.
    pub fn known(&self) -> Known<'_> {
        Known { values: &self.run.values, roots: &self.tensor_roots }
    }

    /// Value at a leaf.
    pub fn value(&self, leaf: u64) -> Option<&Tensor> {
        self.run.values.get(usize::try_from(leaf).ok()?)
    }

    /// Tensor root of the value at a leaf.
    pub fn tensor_root(&self, leaf: u64) -> Option<Hash> {
        self.tensor_roots.get(usize::try_from(leaf).ok()?).copied()
    }

    /// Number of the leaf of value `(t, i)`.
    pub fn leaf(&self, t: u64, instruction: u32) -> Option<u64> {
        leaf_index(self.instructions, t, instruction)
    }
}

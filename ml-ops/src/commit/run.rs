//! The commitments of a run: trace, model, inputs.

use std::sync::Arc;

use opml_vm::{
    Hash, Program, Tensor, Trace,
    interpreter::Run,
    merkle::{self, TensorTree},
    program::ModelRoots,
    witness::{Openings, TaskOpenings},
};

use super::hasher::Hasher;

impl Hasher {
    /// The trace of a run, as [`Trace::new`].
    pub fn trace(self, program: &Program, run: Run) -> Trace {
        let (roots, headers) = self.headers_of(&run.values.iter().collect::<Vec<_>>());
        Trace::from_hashes(program.counts().instructions, run, roots, self.tree(headers))
    }

    /// The traces of runs, as [`Trace::new`]; those of short runs are hashed side by side.
    pub fn traces(self, program: &Program, runs: Vec<Run>) -> Vec<Trace> {
        let counts: Vec<usize> = runs.iter().map(|run| run.values.len()).collect();
        let values: Vec<&Tensor> = runs.iter().flat_map(|run| &run.values).collect();
        let (roots, headers) = self.headers_of(&values);
        let mut roots = roots.into_iter();
        let own: Vec<Vec<Hash>> = counts.iter().map(|&count| roots.by_ref().take(count).collect()).collect();
        let trees = self.trees(&counts, headers);
        let parts = runs.into_iter().zip(own).zip(trees);
        parts.map(|((run, roots), tree)| Trace::from_hashes(program.counts().instructions, run, roots, tree)).collect()
    }

    /// The roots of the traces of runs, without the trees below them.
    pub fn trace_roots(self, runs: &[Run]) -> Vec<Hash> {
        let counts: Vec<usize> = runs.iter().map(|run| run.values.len()).collect();
        let values: Vec<&Tensor> = runs.iter().flat_map(|run| &run.values).collect();
        self.roots(&counts, self.headers_of(&values).1)
    }

    /// The hashes that commit to a program, as [`Program::roots`].
    pub fn model_roots(self, program: &Program) -> ModelRoots {
        let instructions = program.encodings().iter().map(|encoding| merkle::instruction_hash(encoding)).collect();
        let constants = match program.trees() {
            Some(trees) => self.header_root_over(program.constants(), trees.iter().map(|tree| tree.root()).collect()),
            None => self.header_root(program.constants()),
        };
        program.roots_over(self.tree(instructions).root(), constants)
    }

    /// The program with the trees over its constants, so that they are hashed once.
    pub fn hashed(self, program: Program) -> Program {
        let trees = self.upper_trees(program.constants()).into_iter().map(Arc::new).collect();
        program.with_trees(trees)
    }

    /// Root of a run's inputs, as [`opml_vm::program::input_root`].
    pub fn input_root(self, inputs: &[Tensor]) -> Hash {
        self.header_root(inputs)
    }

    /// The trees that openings come from, as [`Openings::new`].
    pub fn openings<'a>(self, program: &'a Program, inputs: &'a [Tensor], trace: &'a Trace) -> Openings<'a> {
        Openings::of_task(self.task_openings(program, inputs), trace)
    }

    /// The trees of a model and its inputs, as [`TaskOpenings::new`].
    pub fn task_openings<'a>(self, program: &'a Program, inputs: &'a [Tensor]) -> TaskOpenings<'a> {
        let constants = match program.trees() {
            Some(trees) => {
                let below = program.constants().iter().zip(trees);
                below.map(|(constant, tree)| TensorTree::under(constant.bytes(), tree.clone())).collect()
            }
            None => self.tensor_trees(program.constants()),
        };
        TaskOpenings::from_trees(program, inputs, constants, self.tensor_trees(inputs))
    }

    fn header_root(self, tensors: &[Tensor]) -> Hash {
        self.tree(self.headers_of(&tensors.iter().collect::<Vec<_>>()).1).root()
    }

    fn header_root_over(self, tensors: &[Tensor], roots: Vec<Hash>) -> Hash {
        self.tree(self.headers_over(&tensors.iter().collect::<Vec<_>>(), &roots)).root()
    }

    /// Roots and header hashes of tensors.
    pub(crate) fn headers_of(self, tensors: &[&Tensor]) -> (Vec<Hash>, Vec<Hash>) {
        let bytes: Vec<&[u8]> = tensors.iter().map(|tensor| tensor.bytes()).collect();
        let roots = self.tensor_roots(&bytes);
        let headers = self.headers_over(tensors, &roots);
        (roots, headers)
    }

    /// Header hashes of tensors with these roots.
    fn headers_over(self, tensors: &[&Tensor], roots: &[Hash]) -> Vec<Hash> {
        let header = |(tensor, root): (&&Tensor, &Hash)| merkle::header(tensor.dtype().code(), tensor.elements(), root);
        self.headers(&tensors.iter().zip(roots).map(header).collect::<Vec<_>>())
    }
}

//! The commitment to a run while it runs: values are hashed as soon as they are there, and still in the cache.

use opml_vm::{
    Hash, ModelError, Tensor, Trace,
    interpreter::{Run, Stop},
    merkle::{self, LEAF_BYTES},
};

use super::{forest, hasher::Hasher};
use crate::engine::{Engine, Output};

/// Leaves that are hashed together at least: the widest vectors hash so many at once.
const LANES: usize = 8;
/// The same for each of several threads.
const SHARE: usize = 64;

/// Hashes of values, in the order in which they came.
struct Watch {
    hasher: Hasher,
    /// Leaves that are hashed together at least.
    many: usize,
    /// Leaves that wait for others.
    waiting: Vec<[u8; LEAF_BYTES]>,
    leaves: Vec<Hash>,
    values: Vec<Value>,
}

/// What is left to be known of a value.
struct Value {
    run: usize,
    code: u8,
    elements: u64,
    leaves: usize,
}

impl Watch {
    fn new(hasher: Hasher) -> Self {
        let threads = rayon::current_num_threads();
        let many = if threads > 1 { SHARE * threads } else { LANES };
        Self { hasher, many, waiting: Vec::with_capacity(many), leaves: Vec::new(), values: Vec::new() }
    }

    /// The next value of a run.
    fn see(&mut self, run: usize, value: &Tensor) {
        let bytes = value.bytes();
        let leaves = bytes.len().div_ceil(LEAF_BYTES);
        self.values.push(Value { run, code: value.dtype().code(), elements: value.elements(), leaves });
        let mut whole = bytes.as_chunks().0;
        if !self.waiting.is_empty() || whole.len() < self.many {
            let (head, tail) = whole.split_at(whole.len().min(self.many - self.waiting.len()));
            self.waiting.extend_from_slice(head);
            whole = tail;
            self.flush(self.many);
        }
        if self.waiting.is_empty() {
            let (now, later) = whole.split_at(whole.len() / LANES * LANES);
            self.hasher.leaves_onto(now, &mut self.leaves);
            self.waiting.extend_from_slice(later);
        }
        if let Some(leaf) = forest::filled(bytes) {
            self.waiting.push(leaf);
            self.flush(self.many);
        }
    }

    /// Hashes what waits, if that are so many leaves.
    fn flush(&mut self, many: usize) {
        if self.waiting.len() >= many {
            self.hasher.leaves_onto(&self.waiting, &mut self.leaves);
            self.waiting.clear();
        }
    }

    /// Of each run the roots of its values, and their header hashes one run after another.
    fn finish(mut self, runs: usize) -> (Vec<Vec<Hash>>, Vec<Hash>) {
        self.flush(0);
        let counts: Vec<usize> = self.values.iter().map(|value| value.leaves).collect();
        let roots = self.hasher.roots(&counts, self.leaves);
        let mut own = vec![Vec::new(); runs];
        let mut headers = vec![Vec::new(); runs];
        for (value, root) in self.values.iter().zip(roots) {
            if let (Some(own), Some(headers)) = (own.get_mut(value.run), headers.get_mut(value.run)) {
                own.push(root);
                headers.push(merkle::header(value.code, value.elements, &root));
            }
        }
        (own, self.hasher.headers(&headers.concat()))
    }
}

impl Hasher {
    /// Runs a program on inputs and commits to the trace: [`Hasher::trace`] of [`Engine::run`], and faster.
    ///
    /// # Errors
    /// As [`Engine::run`].
    pub fn run(self, engine: &Engine, inputs: &[Tensor], stop: Stop, budget: u64) -> Result<Trace, ModelError> {
        let mut watch = Watch::new(self);
        let mut runs = engine.run_watched(&[inputs], stop, budget, &mut |run, value| watch.see(run, value))?;
        let (mut roots, headers) = watch.finish(runs.len());
        let run = runs.pop().unwrap_or(Run { length: 0, values: Vec::new() });
        let roots = roots.pop().unwrap_or_default();
        Ok(Trace::from_hashes(engine.program().counts().instructions, run, roots, self.tree(headers)))
    }

    /// The outputs of [`Engine::run_outputs`] with the roots of the traces, as [`Hasher::trace_roots`]. Values go when they
    /// are hashed and nobody reads them any more.
    ///
    /// # Errors
    /// As [`Engine::run_batch`].
    pub fn run_roots<I: AsRef<[Tensor]>>(
        self,
        engine: &Engine,
        batch: &[I],
        stop: Stop,
        budget: u64,
    ) -> Result<(Vec<Output>, Vec<Hash>), ModelError> {
        let mut watch = Watch::new(self);
        let outputs = engine.outputs_watched(batch, stop, budget, &mut |run, value| watch.see(run, value))?;
        let (values, headers) = watch.finish(outputs.len());
        let counts: Vec<usize> = values.iter().map(Vec::len).collect();
        Ok((outputs, self.roots(&counts, headers)))
    }
}

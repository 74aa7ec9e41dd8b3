//! The commitment to a run while it runs: values are hashed as soon as they are there, and still in the cache.

mod alone;
mod beside;

use opml_vm::{
    Hash, ModelError, Tensor, Trace,
    interpreter::{Run, Stop},
    merkle::{self, LEAF_BYTES},
};

use self::{alone::Alone, beside::Beside};
use super::{forest::filled, hasher::Hasher};
use crate::engine::{Engine, Output, Watch};

/// Fewer leaves wait for others: the widest vectors hash so many at once.
const LANES: usize = 8;
/// Leaves of large values that are hashed together with what is above them, some 10 µs.
const PART: usize = 128;
/// Values of fewer leaves are small, and hashed together with others.
const SMALL: usize = 32;
/// Levels of a large value's tree that are hashed with its leaves.
const LEVELS: u32 = 3;

/// The values that were seen, in the order in which they came, and the lowest nodes that are left of their trees.
#[derive(Debug, Default)]
struct Seen {
    values: Vec<Value>,
    /// Leaves of small values.
    small: Vec<Hash>,
    /// Nodes of large values, [`LEVELS`] above their leaves.
    large: Vec<Hash>,
}

/// What is left to be known of a value.
#[derive(Debug)]
struct Value {
    run: usize,
    code: u8,
    elements: u64,
    leaves: usize,
}

impl Value {
    fn of(run: usize, value: &Tensor) -> Self {
        let leaves = value.bytes().len().div_ceil(LEAF_BYTES);
        Self { run, code: value.dtype().code(), elements: value.elements(), leaves }
    }

    /// Whether it is large, and its nodes that are left.
    const fn nodes(&self) -> (bool, usize) {
        if self.leaves >= SMALL { (true, self.leaves.div_ceil(1 << LEVELS)) } else { (false, self.leaves) }
    }
}

impl Seen {
    /// Of each run the roots of its values, and their header hashes one run after another.
    fn finish(self, hasher: Hasher, runs: usize) -> (Vec<Vec<Hash>>, Vec<Hash>) {
        let (mut small, mut large) = (self.small.as_slice(), self.large.as_slice());
        let (mut counts, mut nodes) = (Vec::with_capacity(self.values.len()), Vec::new());
        for value in &self.values {
            let (is_large, count) = value.nodes();
            let left = if is_large { &mut large } else { &mut small };
            let (own, others) = left.split_at_checked(count).unwrap_or((left, &[]));
            nodes.extend_from_slice(own);
            *left = others;
            counts.push(count);
        }
        let roots = hasher.roots(&counts, nodes);
        let mut own = vec![Vec::new(); runs];
        let mut headers = vec![Vec::new(); runs];
        for (value, root) in self.values.iter().zip(roots) {
            if let (Some(own), Some(headers)) = (own.get_mut(value.run), headers.get_mut(value.run)) {
                own.push(root);
                headers.push(merkle::header(value.code, value.elements, &root));
            }
        }
        (own, hasher.headers(&headers.concat()))
    }
}

/// The nodes over a part of a large tensor's leaves, [`LEVELS`] above them.
fn low(hasher: Hasher, bytes: &[u8], first: usize) -> Vec<Hash> {
    let (start, end) = (first * LEAF_BYTES, (first + PART) * LEAF_BYTES);
    let part = bytes.get(start..end.min(bytes.len())).unwrap_or(&[]);
    let mut nodes = Vec::with_capacity(PART);
    hasher.leaves_onto(part.as_chunks().0, &mut nodes);
    hasher.leaves_onto(filled(part).as_slice(), &mut nodes);
    (0..LEVELS).fold(nodes, |nodes, _| hasher.above(nodes))
}

impl Hasher {
    /// Runs a program on inputs and commits to the trace: [`Hasher::trace`] of [`Engine::run`], and faster.
    ///
    /// # Errors
    /// As [`Engine::run`].
    pub fn run(self, engine: &Engine, inputs: &[Tensor], stop: Stop, budget: u64) -> Result<Trace, ModelError> {
        let run = |watch: Watch<'_>| engine.run_watched(&[inputs], stop, budget, watch);
        let (mut runs, seen) = self.watched(engine, 1, run)?;
        let (mut roots, headers) = seen.finish(self, runs.len());
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
        let run = |watch: Watch<'_>| engine.outputs_watched(batch, stop, budget, watch);
        let (outputs, seen) = self.watched(engine, batch.len(), run)?;
        let (values, headers) = seen.finish(self, outputs.len());
        let counts: Vec<usize> = values.iter().map(Vec::len).collect();
        Ok((outputs, self.roots(&counts, headers)))
    }

    /// What a run of so many inputs gives, and what was seen of it.
    fn watched<R>(
        self,
        engine: &Engine,
        batch: usize,
        run: impl FnOnce(Watch<'_>) -> Result<R, ModelError>,
    ) -> Result<(R, Seen), ModelError> {
        let mut values = Vec::new();
        if !engine.shares_threads(batch) {
            let mut alone = Alone::new(self);
            let see = &mut |run, value: &mut Tensor| {
                values.push(Value::of(run, value));
                alone.see(value);
            };
            let result = run(Watch { see, other: &() })?;
            return Ok((result, alone.end(values)));
        }
        let beside = Beside::new(self, engine);
        let see = &mut |run, value: &mut Tensor| {
            values.push(Value::of(run, value));
            beside.see(value);
        };
        let result = run(Watch { see, other: &beside })?;
        Ok((result, beside.end(values)))
    }
}

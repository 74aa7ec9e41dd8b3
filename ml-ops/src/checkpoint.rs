//! Traces of runs too long for memory: the hashes of all values, and the values of one iteration at a time.
//!
//! A run is computed once, hashed iteration by iteration and forgotten but for its [`Checkpoints`]. Whoever asks for a value
//! later waits for one iteration. Memory is, for each value, its header, its root and two nodes of the trace tree, and
//! what [`Checkpoints`] keep.

use std::sync::{Mutex, PoisonError};

use opml_vm::{
    DType, Hash, ModelError, Program, Tensor,
    interpreter::{self, Stop},
    merkle::{self, Tree},
    witness::Known,
};

use crate::{
    commit::Hasher,
    engine::{Checkpoints, Engine},
    num,
};

/// A wrong element of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tamper {
    /// Iteration.
    pub t: u64,
    /// Instruction.
    pub instruction: u32,
    /// Element.
    pub element: u64,
    /// What it is said to be; it saturates.
    pub value: i64,
    /// Whether everything later is computed from it.
    pub consistent: bool,
}

impl Tamper {
    /// Changes a value if it is the one; an element past its end changes nothing.
    fn apply(&self, t: u64, number: u32, value: &mut Tensor) {
        if (t, number) == (self.t, self.instruction) {
            let mut elements = value.values();
            if let Some(element) = elements.get_mut(num::size(self.element)) {
                *element = self.value;
                *value = Tensor::saturating(value.dtype(), &elements);
            }
        }
    }
}

/// The trace of a run that is computed again where it is asked for.
#[derive(Debug)]
pub struct CheckpointTrace {
    engine: Engine,
    inputs: Vec<Tensor>,
    tamper: Option<Tamper>,
    headers: Vec<(DType, u64)>,
    roots: Vec<Hash>,
    tree: Tree,
    state: Mutex<Checkpoints>,
    length: u64,
}

/// Bytes that a trace holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// Headers, roots and tree.
    pub hashes: u64,
    /// Values.
    pub values: u64,
}

impl CheckpointTrace {
    /// Runs a prepared program and hashes each iteration; at most `budget` elements are computed. With a `tamper` it is the
    /// trace of a lie.
    ///
    /// # Errors
    /// As [`Engine::run`].
    pub fn new(
        engine: &Engine,
        inputs: &[Tensor],
        (stop, budget): (Stop, u64),
        tamper: Option<Tamper>,
    ) -> Result<Self, ModelError> {
        let hasher = Hasher::current();
        let (mut headers, mut roots, mut leaves) = (Vec::new(), Vec::new(), Vec::new());
        let (told, shown) = (tamper.filter(|t| t.consistent), tamper.filter(|t| !t.consistent));
        let mut each = |t: u64, values: &[Tensor]| {
            let mut values: Vec<&Tensor> = values.iter().collect();
            let wrong = shown.filter(|shown| shown.t == t).and_then(|shown| {
                let place = values.get_mut(num::size(shown.instruction.into()))?;
                let mut value = place.clone();
                shown.apply(t, shown.instruction, &mut value);
                Some((num::size(shown.instruction.into()), value))
            });
            if let Some((number, value)) = &wrong
                && let Some(place) = values.get_mut(*number)
            {
                *place = value;
            }
            let (own_roots, own_leaves) = hasher.headers_of(&values);
            headers.extend(values.iter().map(|value| (value.dtype(), value.elements())));
            roots.extend(own_roots);
            leaves.extend(own_leaves);
        };
        let doubting = told.map(|told| engine.doubting(told.instruction));
        let engine = doubting.as_ref().unwrap_or(engine);
        // Inside the pool, so that short steps are not handed to another thread.
        let state = rayon::scope(|_| engine.checkpoints(inputs, (stop, budget), &mut hook(told), &mut each))?;
        let (engine, inputs, length) = (engine.clone(), inputs.to_vec(), state.length());
        let (tree, state) = (hasher.tree(leaves), Mutex::new(state));
        Ok(Self { engine, inputs, tamper, headers, roots, tree, state, length })
    }

    /// The program.
    pub fn program(&self) -> &Program {
        self.engine.program()
    }

    /// Iterations.
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// The trace root.
    pub fn root(&self) -> Hash {
        self.tree.root()
    }

    /// The tree over the header hashes.
    pub const fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Type and number of elements of the value at a leaf.
    pub fn header(&self, leaf: u64) -> Option<(DType, u64)> {
        self.headers.get(num::size(leaf)).copied()
    }

    /// The hash of that value's bytes in its header.
    pub fn tensor_root(&self, leaf: u64) -> Option<Hash> {
        self.roots.get(num::size(leaf)).copied()
    }

    /// Looks at the values of iteration `t`, computed again if it is not the one that was looked at last. All that a step of
    /// it reads is there; other values may be empty.
    ///
    /// # Errors
    /// None, if the run had none.
    pub fn at<R>(&self, t: u64, look: impl FnOnce(Known<'_>) -> R) -> Result<R, ModelError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let told = self.tamper.filter(|tamper| tamper.consistent);
        let place: &mut Checkpoints = &mut state;
        rayon::scope(|_| self.engine.recompute(&self.inputs, place, t, &mut hook(told)))?;
        let shown = self.tamper.filter(|tamper| !tamper.consistent && tamper.t == t);
        let right = shown.and_then(|shown| Some((shown, self.show(shown, &mut state)?)));
        let answer = look(Known { values: state.values(), roots: &self.roots });
        if let Some((shown, right)) = right
            && let Some(place) = self.place(shown, &mut state)
        {
            *place = right;
        }
        Ok(answer)
    }

    /// Puts a lie that nothing follows from in its place; gives what was there.
    fn show(&self, shown: Tamper, state: &mut Checkpoints) -> Option<Tensor> {
        let place = self.place(shown, state)?;
        let right = place.clone();
        shown.apply(shown.t, shown.instruction, place);
        Some(right)
    }

    fn place<'s>(&self, shown: Tamper, state: &'s mut Checkpoints) -> Option<&'s mut Tensor> {
        let leaf = interpreter::leaf_index(self.program().counts().instructions, shown.t, shown.instruction)?;
        state.values_mut().get_mut(num::size(leaf))
    }

    /// Bytes that it holds now, without the model.
    pub fn memory(&self) -> Memory {
        let nodes =
            (0..=merkle::depth(self.tree.leaves())).map(|level| self.tree.leaves().div_ceil(1 << level.min(63)));
        let hashes = nodes.sum::<u64>().saturating_add(num::wide(self.roots.len())).saturating_mul(32);
        let headers = size_of::<(DType, u64)>().saturating_mul(self.headers.len());
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        Memory { hashes: hashes.saturating_add(num::wide(headers)), values: state.bytes() }
    }
}

fn hook(told: Option<Tamper>) -> impl FnMut(u64, u32, &mut Tensor) {
    move |t, number, value| {
        if let Some(tamper) = told {
            tamper.apply(t, number, value);
        }
    }
}

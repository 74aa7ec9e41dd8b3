//! Openings for one step (SPEC §6.2): built by a prover, read by the verifier.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use crate::{
    error::StepError,
    eval::{At, Evaluator, Memory, Place},
    interpreter::{RunMemory, leaf_index},
    isa::{DType, MAX_ELEMENTS},
    merkle::{self, Hash, LEAF_BYTES, TensorTree, Tree},
    program::Program,
    tensor::Tensor,
    trace::Trace,
};

/// The part of a step that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// A whole element.
    Element {
        /// Element number.
        e: u64,
    },
    /// A slice of its reduction.
    Slice {
        /// Element number.
        e: u64,
        /// First term.
        k0: u64,
        /// End.
        k1: u64,
    },
    /// Its `post` part from a given partial over all terms.
    Post {
        /// Element number.
        e: u64,
        /// The partial.
        acc: i128,
    },
}

/// The trees of a model and its inputs, and the trace that the other operands come from.
pub struct Openings<'a> {
    task: TaskOpenings<'a>,
    trace: &'a Trace,
}

/// The trees of a model and its inputs that openings come from; built once for many witnesses.
pub struct TaskOpenings<'a> {
    program: &'a Program,
    inputs: &'a [Tensor],
    program_tree: Tree,
    constants: HeaderTree<'a>,
    input_tree: HeaderTree<'a>,
}

/// What a prover knows of a run when it builds a witness.
#[derive(Clone, Copy)]
pub struct Known<'k> {
    /// Value `(t, i)` at `t·N + i`. Those that the question does not read may be anything.
    pub values: &'k [Tensor],
    /// Their tensor roots, all of them.
    pub roots: &'k [Hash],
}

/// The trees of a list of tensors, and the tree over their headers.
struct HeaderTree<'a> {
    tensors: Vec<TensorTree<'a>>,
    tree: Tree,
}

impl<'a> HeaderTree<'a> {
    fn new(tensors: &'a [Tensor], trees: Vec<TensorTree<'a>>) -> Self {
        let headers = tensors
            .iter()
            .zip(&trees)
            .map(|(tensor, tree)| merkle::header_hash(tensor.dtype().code(), tensor.elements(), &tree.root()))
            .collect();
        Self { tensors: trees, tree: Tree::new(headers) }
    }
}

/// Node `(level, index)` of the trace tree that a witness must open to. It differs from the prover's own tree
/// where a submitter lies.
pub type TraceNodes<'n> = dyn Fn(u32, u64) -> Hash + 'n;

impl<'a> Openings<'a> {
    /// Hashes the program, the constants and the inputs.
    pub fn new(program: &'a Program, inputs: &'a [Tensor], trace: &'a Trace) -> Self {
        Self { task: TaskOpenings::new(program, inputs), trace }
    }

    /// Openings of a trace with trees that are there already.
    pub const fn of_task(task: TaskOpenings<'a>, trace: &'a Trace) -> Self {
        Self { task, trace }
    }

    /// Encoding of an instruction and the siblings that open it.
    pub fn instruction(&self, number: u32) -> Option<(&[u8], Vec<Hash>)> {
        self.task.instruction(number)
    }

    /// The witness for a question about value `(t, i)`, against the own trace.
    pub fn witness(&self, t: u64, instruction: u32, question: Question) -> Option<Vec<u8>> {
        self.witness_under(t, instruction, question, &|level, index| self.trace.tree().node(level, index))
    }

    /// The witness for a question about value `(t, i)`, against another trace tree that holds the same operands.
    ///
    /// `None` if `(t, i)` is outside the trace, or more than 255 tensors or leaves of one would have to be opened.
    pub fn witness_under(
        &self,
        t: u64,
        instruction: u32,
        question: Question,
        trace_nodes: &TraceNodes<'_>,
    ) -> Option<Vec<u8>> {
        self.task.witness_under(&self.trace.known(), (t, instruction), question, trace_nodes)
    }
}

impl<'a> TaskOpenings<'a> {
    /// Hashes the program, the constants and the inputs.
    pub fn new(program: &'a Program, inputs: &'a [Tensor]) -> Self {
        let trees = |tensors: &'a [Tensor]| tensors.iter().map(|tensor| TensorTree::new(tensor.bytes())).collect();
        Self::from_trees(program, inputs, trees(program.constants()), trees(inputs))
    }

    /// The same with the trees of all constants and inputs hashed elsewhere; they are taken as they are.
    pub fn from_trees(
        program: &'a Program,
        inputs: &'a [Tensor],
        constants: Vec<TensorTree<'a>>,
        input_trees: Vec<TensorTree<'a>>,
    ) -> Self {
        let leaves = program.encodings().iter().map(|encoding| merkle::instruction_hash(encoding)).collect();
        Self {
            program,
            inputs,
            program_tree: Tree::new(leaves),
            constants: HeaderTree::new(program.constants(), constants),
            input_tree: HeaderTree::new(inputs, input_trees),
        }
    }

    /// Encoding of an instruction and the siblings that open it.
    pub fn instruction(&self, number: u32) -> Option<(&[u8], Vec<Hash>)> {
        let encoding = self.program.encodings().get(usize::try_from(number).ok()?)?;
        Some((encoding, self.program_tree.prove(&[u64::from(number)])))
    }

    /// The witness for a question about value `(t, i)`, against a trace tree that holds the operands of `known`.
    ///
    /// `None` if `(t, i)` is outside the trace, more than 255 tensors or leaves of one would have to be opened, or a constant
    /// is not below the tree that was given for it.
    pub fn witness_under(
        &self,
        known: &Known<'_>,
        (t, instruction): (u64, u32),
        question: Question,
        trace_nodes: &TraceNodes<'_>,
    ) -> Option<Vec<u8>> {
        let trace_leaves = u64::try_from(known.roots.len()).ok()?;
        if leaf_index(self.program.counts().instructions, t, instruction)? >= trace_leaves {
            return None;
        }
        let (_, siblings) = self.instruction(instruction)?;
        let touched = self.touch(known, (t, instruction), question)?;
        let mut out = Vec::new();
        put_hashes(&mut out, &siblings);
        let constants =
            |index: u64| Some(Source::of(at(self.program.constants(), index)?, at(&self.constants.tensors, index)?));
        let inputs = |index: u64| Some(Source::of(at(self.inputs, index)?, at(&self.input_tree.tensors, index)?));
        let values =
            |index: u64| Some(Source { tensor: at(known.values, index)?, root: *at(known.roots, index)?, tree: None });
        let nodes = |tree: &Tree, level, index| tree.node(level, index);
        let constants_nodes = |level, index| nodes(&self.constants.tree, level, index);
        let input_nodes = |level, index| nodes(&self.input_tree.tree, level, index);
        put_table(&mut out, &touched.constants, constants, self.constants.tree.leaves(), &constants_nodes)?;
        put_table(&mut out, &touched.inputs, inputs, self.input_tree.tree.leaves(), &input_nodes)?;
        put_table(&mut out, &touched.values, values, trace_leaves, trace_nodes)?;
        Some(out)
    }

    /// Runs the question and records what its loads touch.
    fn touch(&self, known: &Known<'_>, (t, number): (u64, u32), question: Question) -> Option<Touched> {
        let instructions = self.program.counts().instructions;
        let instruction = self.program.instructions().get(usize::try_from(number).ok()?)?;
        let memory = RunMemory::new(self.program, self.inputs, known.values);
        let mut recorder = Recorder { memory, touched: Touched::default() };
        let mut evaluator = Evaluator::new(instruction, At { instructions, t, instruction: number });
        let done = match question {
            Question::Element { e } => evaluator.element(e, &mut recorder).map(|_| ()),
            Question::Slice { e, k0, k1 } => evaluator.slice(e, k0, k1, &mut recorder).map(|_| ()),
            Question::Post { e, acc } => {
                evaluator.post(e, crate::eval::finish(instruction.reducer, acc), &mut recorder).map(|_| ())
            }
        };
        match done {
            Ok(()) => Some(recorder.touched),
            Err(never) => match never {},
        }
    }
}

fn at<T>(list: &[T], index: u64) -> Option<&T> {
    list.get(usize::try_from(index).ok()?)
}

/// By tensor: the leaves that were read; none where only the header was.
type TouchedTree = BTreeMap<u64, BTreeSet<u64>>;

#[derive(Default)]
struct Touched {
    constants: TouchedTree,
    inputs: TouchedTree,
    values: TouchedTree,
}

struct Recorder<'a> {
    memory: RunMemory<'a>,
    touched: Touched,
}

impl Recorder<'_> {
    fn tree(&mut self, place: Place) -> (&mut TouchedTree, u64) {
        match place {
            Place::Constant(n) => (&mut self.touched.constants, u64::from(n)),
            Place::Input(n) => (&mut self.touched.inputs, u64::from(n)),
            Place::Value { t, instruction } => {
                let instructions = self.memory.program().counts().instructions;
                (&mut self.touched.values, leaf_index(instructions, t, instruction).unwrap_or(u64::MAX))
            }
        }
    }
}

impl Memory for Recorder<'_> {
    type Error = core::convert::Infallible;

    fn header(&mut self, place: Place, position: u64) -> Result<(u8, u64), Self::Error> {
        let (tree, index) = self.tree(place);
        tree.entry(index).or_default();
        self.memory.header(place, position)
    }

    fn element(&mut self, place: Place, position: u64) -> Result<i64, Self::Error> {
        let dtype = self.memory.tensor(place).map_or(DType::U8, Tensor::dtype);
        let (tree, index) = self.tree(place);
        tree.entry(index).or_default().insert(leaf_of(dtype, position));
        self.memory.element(place, position)
    }
}

/// Number of the 256-byte leaf that holds an element. Leaves hold whole elements of every type.
pub fn leaf_of(dtype: DType, position: u64) -> u64 {
    position / elements_per_leaf(dtype)
}

/// Elements of a 256-byte leaf.
pub const fn elements_per_leaf(dtype: DType) -> u64 {
    match dtype {
        DType::U8 | DType::I8 => 256,
        DType::I16 => 128,
        DType::I32 => 64,
        DType::I64 => 32,
        DType::I4 => 512,
    }
}

fn put_hashes(out: &mut Vec<u8>, hashes: &[Hash]) {
    for hash in hashes {
        out.extend(hash);
    }
}

/// A tensor to open. Trees over values are built when needed: a run has many values and opens few.
struct Source<'t> {
    tensor: &'t Tensor,
    root: Hash,
    tree: Option<&'t TensorTree<'t>>,
}

impl<'t> Source<'t> {
    fn of(tensor: &'t Tensor, tree: &'t TensorTree<'t>) -> Self {
        Self { tensor, root: tree.root(), tree: Some(tree) }
    }

    fn prove(&self, leaves: &[u64]) -> Vec<Hash> {
        match self.tree {
            Some(tree) => tree.prove(leaves),
            None => TensorTree::new(self.tensor.bytes()).prove(leaves),
        }
    }
}

fn put_table<'t>(
    out: &mut Vec<u8>,
    touched: &TouchedTree,
    source: impl Fn(u64) -> Option<Source<'t>>,
    tree_leaves: u64,
    tree_nodes: &TraceNodes<'_>,
) -> Option<()> {
    out.push(u8::try_from(touched.len()).ok()?);
    for (&index, leaves) in touched {
        let source = source(index)?;
        let tensor = source.tensor;
        out.extend(index.to_be_bytes());
        out.push(tensor.dtype().code());
        out.extend(tensor.elements().to_be_bytes());
        out.push(u8::try_from(leaves.len()).ok()?);
        if leaves.is_empty() {
            out.extend(source.root);
            continue;
        }
        for number in leaves {
            // A leaf number is below 2^35: the high three bytes are 0.
            out.extend(number.to_be_bytes().iter().skip(3));
        }
        for &number in leaves {
            out.extend(padded_leaf(tensor.bytes(), number));
        }
        let numbers: Vec<u64> = leaves.iter().copied().collect();
        // Trees may have been read from somewhere: an opening that does not lead to its root is none.
        if source.tree.is_some_and(|tree| !tree.holds(&numbers)) {
            return None;
        }
        put_hashes(out, &source.prove(&numbers));
    }
    if !touched.is_empty() {
        let indices: Vec<u64> = touched.keys().copied().collect();
        put_hashes(out, &merkle::siblings(tree_leaves, &indices, tree_nodes));
    }
    Some(())
}

/// The 256 bytes of a tensor's leaf, zero-filled.
pub fn padded_leaf(bytes: &[u8], number: u64) -> [u8; LEAF_BYTES] {
    let mut leaf = [0; LEAF_BYTES];
    let chunk = usize::try_from(number).ok().and_then(|number| bytes.chunks(LEAF_BYTES).nth(number));
    for (to, from) in leaf.iter_mut().zip(chunk.unwrap_or(&[])) {
        *to = *from;
    }
    leaf
}

/// A witness that was read and found to open to its roots.
pub struct Tables<'w> {
    constants: BTreeMap<u64, Opened<'w>>,
    inputs: BTreeMap<u64, Opened<'w>>,
    values: BTreeMap<u64, Opened<'w>>,
    instructions: u32,
}

struct Opened<'w> {
    dtype: u8,
    elements: u64,
    leaves: Vec<(u64, &'w [u8])>,
}

/// Roots and sizes that a witness must open to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roots {
    /// Root and leaves of the constants tree.
    pub constants: (Hash, u64),
    /// Root and leaves of the inputs tree.
    pub inputs: (Hash, u64),
    /// Root and leaves of the trace tree.
    pub trace: (Hash, u64),
    /// Instructions of the program.
    pub instructions: u32,
}

impl<'w> Tables<'w> {
    /// Reads the three tables; the instruction's siblings were taken off before.
    ///
    /// # Errors
    /// The bytes are malformed or do not open to the roots.
    pub fn read(reader: &mut Reader<'w>, roots: &Roots) -> Result<Self, StepError> {
        let constants = read_table(reader, roots.constants, "constants table")?;
        let inputs = read_table(reader, roots.inputs, "inputs table")?;
        let values = read_table(reader, roots.trace, "trace table")?;
        if !reader.bytes.is_empty() {
            return Err(StepError::Witness("bytes are left over"));
        }
        Ok(Self { constants, inputs, values, instructions: roots.instructions })
    }

    fn find(&self, place: Place) -> (&'static str, u64, Option<&Opened<'w>>) {
        let (tree, index, table) = match place {
            Place::Constant(n) => ("constant", u64::from(n), &self.constants),
            Place::Input(n) => ("input", u64::from(n), &self.inputs),
            Place::Value { t, instruction } => {
                ("value", leaf_index(self.instructions, t, instruction).unwrap_or(u64::MAX), &self.values)
            }
        };
        (tree, index, table.get(&index))
    }
}

impl Memory for Tables<'_> {
    type Error = StepError;

    fn header(&mut self, place: Place, position: u64) -> Result<(u8, u64), StepError> {
        let (tree, index, opened) = self.find(place);
        let missing = StepError::Missing { tree, index, element: position };
        opened.map(|opened| (opened.dtype, opened.elements)).ok_or(missing)
    }

    fn element(&mut self, place: Place, position: u64) -> Result<i64, StepError> {
        let (tree, index, opened) = self.find(place);
        let read = || {
            let opened = opened?;
            let dtype = DType::from_code(opened.dtype)?;
            let number = leaf_of(dtype, position);
            let &(_, bytes) = opened.leaves.iter().find(|&&(leaf, _)| leaf == number)?;
            crate::tensor::element_at(dtype, bytes, position % elements_per_leaf(dtype))
        };
        read().ok_or(StepError::Missing { tree, index, element: position })
    }
}

/// Takes bytes off the front of a witness.
pub struct Reader<'w> {
    bytes: &'w [u8],
}

impl<'w> Reader<'w> {
    /// A reader over a whole witness.
    pub const fn new(bytes: &'w [u8]) -> Self {
        Self { bytes }
    }

    /// Takes `n` bytes.
    ///
    /// # Errors
    /// Fewer are left.
    pub fn take(&mut self, n: usize) -> Result<&'w [u8], StepError> {
        let (head, rest) = self.bytes.split_at_checked(n).ok_or(StepError::Witness("it ends early"))?;
        self.bytes = rest;
        Ok(head)
    }

    /// Takes a hash; `None` if fewer than 32 bytes are left.
    pub fn hash(&mut self) -> Option<Hash> {
        self.take(32).ok()?.try_into().ok()
    }

    /// Takes a big-endian number of `n ≤ 8` bytes.
    fn number(&mut self, n: usize) -> Result<u64, StepError> {
        Ok(self.take(n)?.iter().fold(0, |value, &byte| (value << 8) | u64::from(byte)))
    }
}

fn read_table<'w>(
    reader: &mut Reader<'w>,
    (root, tree_leaves): (Hash, u64),
    place: &'static str,
) -> Result<BTreeMap<u64, Opened<'w>>, StepError> {
    let count = reader.number(1)?;
    let mut table = BTreeMap::new();
    let mut headers: Vec<(u64, Hash)> = Vec::new();
    for _ in 0..count {
        let index = reader.number(8)?;
        if index >= tree_leaves || headers.last().is_some_and(|&(last, _)| last >= index) {
            return Err(StepError::Witness("tensors are not ascending inside their tree"));
        }
        let (opened, tensor_root) = read_tensor(reader)?;
        headers.push((index, merkle::header_hash(opened.dtype, opened.elements, &tensor_root)));
        table.insert(index, opened);
    }
    if count > 0 {
        let folded = merkle::fold_multi(tree_leaves, &headers, &mut || reader.hash());
        if folded.ok_or(StepError::Witness("it ends early"))? != root {
            return Err(StepError::Root(place));
        }
    }
    Ok(table)
}

fn read_tensor<'w>(reader: &mut Reader<'w>) -> Result<(Opened<'w>, Hash), StepError> {
    let dtype = u8::try_from(reader.number(1)?).unwrap_or(u8::MAX);
    let elements = reader.number(8)?;
    let count = usize::try_from(reader.number(1)?).unwrap_or(0);
    if count == 0 {
        let root = reader.hash().ok_or(StepError::Witness("it ends early"))?;
        return Ok((Opened { dtype, elements, leaves: Vec::new() }, root));
    }
    let bytes = DType::from_code(dtype).filter(|_| elements <= MAX_ELEMENTS).and_then(|d| d.bytes(elements));
    let bytes = bytes.ok_or(StepError::Witness("leaves of a tensor without a known size"))?;
    let total = merkle::tensor_leaves(bytes);
    let mut numbers: Vec<u64> = Vec::new();
    for _ in 0..count {
        let number = reader.number(5)?;
        if number >= total || numbers.last().is_some_and(|&last| last >= number) {
            return Err(StepError::Witness("leaves are not ascending inside their tensor"));
        }
        numbers.push(number);
    }
    let leaves =
        numbers.iter().map(|&number| Ok((number, reader.take(LEAF_BYTES)?))).collect::<Result<Vec<_>, StepError>>()?;
    let hashes: Vec<(u64, Hash)> = leaves.iter().map(|&(number, leaf)| (number, merkle::leaf_hash(leaf))).collect();
    let root = merkle::fold_multi(total, &hashes, &mut || reader.hash());
    Ok((Opened { dtype, elements, leaves }, root.ok_or(StepError::Witness("it ends early"))?))
}

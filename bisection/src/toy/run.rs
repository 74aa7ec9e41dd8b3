//! Runs of toy programs, and the traces they leave.

use super::eval::{self, At, Memory};
use super::hash::ToyHash;
use super::program::{MALFORMED, Program};
use super::witness::{self, Opening};
use crate::hash::{self, Hash, ZERO};
use crate::position::Header;
use crate::rules::{Shape, Step, StepRefused};
use crate::suite::Lie;
use crate::trace::{Answer, Nodes, Question, TensorNodes, Trace, Unavailable};
use crate::tree;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

type Levels = BTreeMap<(u32, u64), Hash>;

#[derive(Clone, Debug)]
struct Value {
    header: Header,
    bytes: Vec<u8>,
    nodes: Levels,
}

impl Value {
    fn new(header: Header, bytes: Vec<u8>) -> Self {
        let nodes = levels(&hash::leaf_hashes(&ToyHash, &bytes));
        Self { header, bytes, nodes }
    }

    fn hash(&self) -> Hash {
        let depth = tree::depth(u64::try_from(self.bytes.len()).unwrap_or(u64::MAX).div_ceil(256));
        let root = self.nodes.get(&(depth, 0)).unwrap_or(&ZERO);
        hash::header(&ToyHash, self.header.dtype, self.header.elements, root)
    }
}

fn levels(leaves: &[Hash]) -> Levels {
    let mut nodes = Levels::new();
    let n = u64::try_from(leaves.len()).unwrap_or(u64::MAX);
    tree::fold(&ToyHash, leaves, tree::depth(n), |level, at, hash| {
        nodes.insert((level, at), hash);
    });
    nodes
}

/// A full run of a toy program.
#[derive(Clone, Debug)]
pub struct Run {
    program: Program,
    values: Vec<Value>,
    nodes: Levels,
}

impl Run {
    /// Runs `length` iterations, halting or not. A lie overwrites one element as soon as it is computed, and all that is
    /// computed later reads it.
    #[must_use]
    pub fn new(program: &Program, length: u64, lie: Option<&Lie>) -> Self {
        let mut run = Self { program: program.clone(), values: Vec::new(), nodes: Levels::new() };
        for leaf in 0..length.saturating_mul(program.count()) {
            let value = run.compute(leaf, lie.filter(|lie| lie.leaf == leaf));
            run.values.push(value);
        }
        let leaves: Vec<Hash> = run.values.iter().map(Value::hash).collect();
        run.nodes = levels(&leaves);
        run
    }

    fn compute(&self, leaf: u64, lie: Option<&Lie>) -> Value {
        let Shape { dtype, elements, .. } = self.shape_at(leaf);
        let mut bytes = Vec::new();
        for e in 0..elements {
            let value = self.with(leaf, self, |at| at.element(e)).unwrap_or(0);
            let value = lie.filter(|lie| lie.e == e).map_or(value, |lie| lie.value);
            bytes.extend(eval::encode(dtype, value));
        }
        Value::new(Header { dtype, elements }, bytes)
    }

    fn shape_at(&self, leaf: u64) -> Shape {
        let (_, instruction) = self.program.at(leaf);
        instruction.map_or(MALFORMED, |i| i.shape(leaf / self.program.count().max(1)))
    }

    fn with<M: Memory, T>(
        &self,
        leaf: u64,
        memory: &M,
        ask: impl Fn(&At<'_, M>) -> Result<T, StepRefused>,
    ) -> Result<T, StepRefused> {
        let (_, instruction) = self.program.at(leaf);
        let instruction = instruction.ok_or_else(|| StepRefused("malformed".into()))?;
        let t = leaf / self.program.count().max(1);
        ask(&At { instruction: &instruction, leaf, t, memory })
    }

    fn value(&self, leaf: u64) -> Answer<&Value> {
        let value = usize::try_from(leaf).ok().and_then(|at| self.values.get(at));
        value.ok_or_else(|| Unavailable(format!("no trace leaf {leaf}")))
    }

    fn opening(&self, tree: &dyn Nodes, leaf: u64, index: Option<u64>) -> Answer<Opening> {
        let header = self.value(leaf)?.header;
        let n = tensor_leaves(header);
        let own = TensorNodes(self, leaf);
        let (index, bytes, tensor) = match index {
            Some(at) => (at, self.tensor_leaf(leaf, at)?, tree::path(&own, n, (0, at), tree::depth(n))?),
            None => (0, Vec::new(), vec![self.tensor_node(leaf, tree::depth(n), 0)?]),
        };
        let total = u64::try_from(self.values.len()).unwrap_or(u64::MAX);
        let trace = tree::path(tree, total, (0, leaf), tree::depth(total))?;
        Ok(Opening { leaf, header, index, bytes, tensor, trace })
    }
}

fn tensor_leaves(header: Header) -> u64 {
    header.elements.saturating_mul(eval::size(header.dtype).unwrap_or(0)).div_ceil(256)
}

impl Memory for Run {
    fn header(&self, leaf: u64) -> Result<Header, StepRefused> {
        Trace::header(self, leaf).map_err(|u| StepRefused(u.0))
    }

    fn element(&self, leaf: u64, e: u64) -> Result<i64, StepRefused> {
        Trace::element(self, leaf, e).map_err(|u| StepRefused(u.0))
    }
}

/// A memory that notes which leaves are read.
struct Noting<'a> {
    run: &'a Run,
    headers: RefCell<BTreeSet<u64>>,
    leaves: RefCell<BTreeSet<(u64, u64)>>,
}

impl Memory for Noting<'_> {
    fn header(&self, leaf: u64) -> Result<Header, StepRefused> {
        self.headers.borrow_mut().insert(leaf);
        Memory::header(self.run, leaf)
    }

    fn element(&self, leaf: u64, e: u64) -> Result<i64, StepRefused> {
        let size = eval::size(Memory::header(self.run, leaf)?.dtype).unwrap_or(0);
        self.leaves.borrow_mut().insert((leaf, e * size / 256));
        Memory::element(self.run, leaf, e)
    }
}

impl Trace for Run {
    fn node(&self, height: u32, index: u64) -> Answer<Hash> {
        Ok(self.nodes.get(&(height, index)).copied().unwrap_or(ZERO))
    }

    fn header(&self, leaf: u64) -> Answer<Header> {
        Ok(self.value(leaf)?.header)
    }

    fn tensor_node(&self, leaf: u64, height: u32, index: u64) -> Answer<Hash> {
        Ok(self.value(leaf)?.nodes.get(&(height, index)).copied().unwrap_or(ZERO))
    }

    fn tensor_leaf(&self, leaf: u64, index: u64) -> Answer<Vec<u8>> {
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        Ok(hash::cut_leaf(&self.value(leaf)?.bytes, index))
    }

    fn element(&self, leaf: u64, e: u64) -> Answer<i64> {
        let value = self.value(leaf)?;
        let size = usize::try_from(eval::size(value.header.dtype).unwrap_or(1)).unwrap_or(1);
        let at = usize::try_from(e).unwrap_or(usize::MAX).saturating_mul(size);
        let bytes = value.bytes.get(at..at.saturating_add(size)).unwrap_or(&[]);
        eval::decode(value.header.dtype, bytes).ok_or_else(|| Unavailable(format!("no element {e}")))
    }

    fn bytes(&self, leaf: u64) -> Answer<Vec<u8>> {
        Ok(self.value(leaf)?.bytes.clone())
    }

    fn shape(&self, leaf: u64) -> Answer<Shape> {
        Ok(self.shape_at(leaf))
    }

    fn partial(&self, leaf: u64, e: u64, k0: u64, k1: u64) -> Answer<i128> {
        self.with(leaf, self, |at| at.partial(e, k0, k1)).map_err(|r| Unavailable(r.0))
    }

    fn instruction(&self, leaf: u64) -> Answer<Step> {
        let n = self.program.count().max(1);
        let nodes = levels(&self.program.hashes());
        let siblings = tree::path(&Table(&nodes), n, (0, leaf % n), tree::depth(n))?;
        let (bytes, _) = self.program.at(leaf);
        Ok(Step { instruction: bytes.to_vec(), witness: witness::write(&siblings, &[]) })
    }

    fn step(&self, leaf: u64, question: &Question, tree: &dyn Nodes) -> Answer<Step> {
        let noting = Noting { run: self, headers: RefCell::default(), leaves: RefCell::default() };
        // Only what is read matters here; a question that is refused needs no operands.
        let _ = self.with(leaf, &noting, |at| match *question {
            Question::Element { e } => at.element(e).map(|_| ()),
            Question::Slice { e, k0, k1 } => at.partial(e, k0, k1).map(|_| ()),
            Question::Post { e, acc } => at.post(e, Some(acc)).map(|_| ()),
        });
        let leaves = noting.leaves.take();
        let bare = noting.headers.take().into_iter().filter(|h| !leaves.iter().any(|(leaf, _)| leaf == h));
        let wanted = leaves.iter().map(|&(leaf, at)| (leaf, Some(at))).chain(bare.map(|leaf| (leaf, None)));
        let openings = wanted.map(|(leaf, at)| self.opening(tree, leaf, at)).collect::<Answer<Vec<_>>>()?;
        let mut step = self.instruction(leaf)?;
        step.witness.extend(witness::write(&[], &openings).split_off(1));
        Ok(step)
    }
}

struct Table<'a>(&'a Levels);

impl Nodes for Table<'_> {
    fn node(&self, height: u32, index: u64) -> Answer<Hash> {
        Ok(self.0.get(&(height, index)).copied().unwrap_or(ZERO))
    }
}

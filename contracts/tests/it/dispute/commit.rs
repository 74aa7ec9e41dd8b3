//! What a submitter commits to: the headers and bytes of its trace, right or wrong.

use alloy_primitives::B256;
use opml_contracts::abi::Dispute::{HeaderOpening, Opening, TraceOpening};
use opml_vm::{
    Tensor,
    interpreter::Run,
    merkle::{Tree, header_hash},
};

/// A tensor as committed: the header may say anything, and the bytes are whole leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Value {
    pub(crate) dtype: u8,
    pub(crate) elements: u64,
    pub(crate) bytes: Vec<u8>,
}

impl From<&Tensor> for Value {
    fn from(tensor: &Tensor) -> Self {
        let mut bytes = tensor.bytes().to_vec();
        bytes.resize(bytes.len().next_multiple_of(256), 0);
        Self { dtype: tensor.dtype().code(), elements: tensor.elements(), bytes }
    }
}

impl Value {
    pub(crate) fn tree(&self) -> Tree {
        Tree::of_tensor(&self.bytes)
    }

    pub(crate) fn header(&self) -> [u8; 32] {
        header_hash(self.dtype, self.elements, &self.tree().root())
    }

    pub(crate) fn size(&self) -> u64 {
        [1, 1, 2, 4, 8][usize::from(self.dtype)]
    }

    pub(crate) fn leaf(&self, number: u64) -> [B256; 8] {
        let start = usize::try_from(number).unwrap() * 256;
        std::array::from_fn(|word| B256::from_slice(&self.bytes[start + 32 * word..][..32]))
    }

    pub(crate) fn leaf_of(&self, e: u64) -> u64 {
        e * self.size() / 256
    }
}

/// A trace as committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Commit {
    pub(crate) values: Vec<Value>,
    pub(crate) tree: Tree,
}

pub(crate) fn words(hashes: Vec<[u8; 32]>) -> Vec<B256> {
    hashes.into_iter().map(B256::from).collect()
}

impl Commit {
    pub(crate) fn new(values: Vec<Value>) -> Self {
        let tree = Tree::new(values.iter().map(Value::header).collect());
        Self { values, tree }
    }

    pub(crate) fn of(run: &Run) -> Self {
        Self::new(run.values.iter().map(Value::from).collect())
    }

    pub(crate) fn value(&self, leaf: u64) -> &Value {
        &self.values[usize::try_from(leaf).unwrap()]
    }

    /// An element from the trace node at `(height, ·)` above its leaf.
    pub(crate) fn opening(&self, leaf: u64, e: u64, height: u32) -> Opening {
        let value = self.value(leaf);
        let tree = value.tree();
        Opening {
            leaf,
            dtype: value.dtype,
            elements: value.elements,
            e,
            data: value.leaf(value.leaf_of(e)),
            tensorPath: words(tree.prove_under(0, value.leaf_of(e), tree.depth())),
            tracePath: words(self.tree.prove_under(0, leaf, height)),
        }
    }

    /// An element from the tensor node at `(height, ·)` above its leaf.
    pub(crate) fn opening_in_tensor(&self, leaf: u64, e: u64, height: u32) -> Opening {
        let value = self.value(leaf);
        Opening {
            tensorPath: words(value.tree().prove_under(0, value.leaf_of(e), height)),
            tracePath: vec![],
            ..self.opening(leaf, e, 0)
        }
    }

    pub(crate) fn header_opening(&self, leaf: u64, height: u32) -> HeaderOpening {
        let value = self.value(leaf);
        HeaderOpening {
            leaf,
            dtype: value.dtype,
            elements: value.elements,
            tensorRoot: value.tree().root().into(),
            tracePath: words(self.tree.prove_under(0, leaf, height)),
        }
    }

    /// The real children one step below a node.
    pub(crate) fn children(tree: &Tree, height: u32, index: u64, b: u32) -> Vec<B256> {
        let levels = b.min(height);
        let below = height - levels;
        (index << levels..(index + 1) << levels)
            .filter(|child| child << below < tree.leaves())
            .map(|child| tree.node(below, child).into())
            .collect()
    }

    pub(crate) fn trace_opening(&self, b: u32, output: u64, halt: Option<u64>) -> TraceOpening {
        let depth = self.tree.depth();
        let below = depth - b.min(depth);
        TraceOpening {
            dtype: self.value(output).dtype,
            children: Self::children(&self.tree, depth, 0, b),
            path: words(self.tree.prove_under(0, output, below)),
            halt: halt.map(|leaf| self.opening(leaf, 0, below)).into_iter().collect(),
        }
    }
}

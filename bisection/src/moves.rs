//! Moves and the openings they carry. All data travel as they would in a transaction: nothing here is trusted.

use crate::hash::Hash;
use crate::rules::Step;

/// Opening of a trace leaf's header under a trace node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceLeaf {
    /// Number of the trace leaf.
    pub leaf: u64,
    /// Element type in its header.
    pub dtype: u8,
    /// Number of elements in its header.
    pub elements: u64,
    /// Sub-tree proof of the header hash.
    pub proof: Vec<Hash>,
}

/// Opening of one element under the disputed node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ElementOpening {
    /// From a trace node: the leaf that holds the tensor. From a tensor node or tensor leaf: none.
    pub trace: Option<TraceLeaf>,
    /// Element number.
    pub e: u64,
    /// The 256 bytes of the tensor leaf that holds it.
    pub bytes: Vec<u8>,
    /// Sub-tree proof of that leaf up to the tensor's root, or to the disputed tensor node.
    pub proof: Vec<Hash>,
}

/// What [`Move::RevealHeader`] reveals of the tensor itself, as its size demands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Below {
    /// No elements.
    Nothing,
    /// One leaf: its 256 bytes.
    Leaf(Vec<u8>),
    /// More: the real children of the tensor's root.
    Children(Vec<Hash>),
}

/// The submitter opens the claim's trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenTrace {
    /// The trace root.
    pub root: Hash,
    /// Its real children.
    pub children: Vec<Hash>,
    /// The claimed output's bytes.
    pub output: Vec<u8>,
    /// Where they stand in the trace.
    pub output_leaf: TraceLeaf,
    /// If `T < maxT`: element 0 of the halt instruction at `T−1`.
    pub halt: Option<ElementOpening>,
}

/// One move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Move {
    /// Submitter, before the walk.
    OpenTrace(Box<OpenTrace>),
    /// Challenger: names a child of the open node.
    Select {
        /// Number of the child among the node's children.
        child: u64,
        /// The child's hash.
        hash: Hash,
        /// Sub-tree proof under the open node.
        proof: Vec<Hash>,
    },
    /// Submitter: the real children of the hidden node.
    Reveal {
        /// Their hashes.
        children: Vec<Hash>,
    },
    /// Submitter: the header of the hidden trace leaf and the first step into its tensor.
    RevealHeader {
        /// Element type.
        dtype: u8,
        /// Number of elements.
        elements: u64,
        /// Tensor root.
        root: Hash,
        /// The first step down.
        below: Below,
    },
    /// Submitter: the bytes of the hidden tensor leaf.
    RevealLeaf {
        /// 256 bytes.
        bytes: Vec<u8>,
    },
    /// Challenger: names an element of the open leaf whose reduction is to be cut.
    SelectElement {
        /// The leaf's 256 bytes.
        bytes: Vec<u8>,
        /// Element number.
        e: u64,
        /// The opened instruction.
        step: Step,
    },
    /// Submitter: the partials of the parts of the range in dispute.
    RevealPartials {
        /// One for each part.
        partials: Vec<i128>,
    },
    /// Challenger: names a part.
    SelectPartial {
        /// Number of the part.
        part: u64,
        /// All the partials.
        partials: Vec<i128>,
    },
    /// Challenger: the header contradicts the instruction.
    ProveHeader {
        /// From a trace node: the opened header.
        trace: Option<TraceLeaf>,
        /// Its tensor root; not looked at where the position already has the header.
        root: Hash,
        /// The opened instruction.
        step: Step,
    },
    /// Challenger: the run halted earlier.
    ProveHalt {
        /// Iteration `< T−1` at which it halted.
        t: u64,
        /// Element 0 of the halt instruction there.
        opening: ElementOpening,
    },
    /// Challenger: an element contradicts its instruction.
    ProveElement {
        /// The committed element.
        opening: ElementOpening,
        /// The instruction and all it reads.
        step: Step,
    },
    /// Challenger: a partial contradicts the instruction.
    ProveSlice {
        /// Number of the part.
        part: u64,
        /// All the partials.
        partials: Vec<i128>,
        /// The instruction and all it reads.
        step: Step,
    },
    /// Challenger: the partials together do not give the element.
    ProvePost {
        /// All the partials.
        partials: Vec<i128>,
        /// The instruction and all it reads.
        step: Step,
    },
}

/// A move's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each is the move of the same name")]
pub enum MoveKind {
    OpenTrace,
    Select,
    Reveal,
    RevealHeader,
    RevealLeaf,
    SelectElement,
    RevealPartials,
    SelectPartial,
    ProveHeader,
    ProveHalt,
    ProveElement,
    ProveSlice,
    ProvePost,
}

impl Move {
    /// The move's name.
    #[must_use]
    pub fn kind(&self) -> MoveKind {
        match self {
            Self::OpenTrace(_) => MoveKind::OpenTrace,
            Self::Select { .. } => MoveKind::Select,
            Self::Reveal { .. } => MoveKind::Reveal,
            Self::RevealHeader { .. } => MoveKind::RevealHeader,
            Self::RevealLeaf { .. } => MoveKind::RevealLeaf,
            Self::SelectElement { .. } => MoveKind::SelectElement,
            Self::RevealPartials { .. } => MoveKind::RevealPartials,
            Self::SelectPartial { .. } => MoveKind::SelectPartial,
            Self::ProveHeader { .. } => MoveKind::ProveHeader,
            Self::ProveHalt { .. } => MoveKind::ProveHalt,
            Self::ProveElement { .. } => MoveKind::ProveElement,
            Self::ProveSlice { .. } => MoveKind::ProveSlice,
            Self::ProvePost { .. } => MoveKind::ProvePost,
        }
    }
}

impl MoveKind {
    /// Whether anybody may send it: its data are determined by a hash, or it is a proof, whose gain is the challenger's
    /// whoever sends it.
    #[must_use]
    pub fn by_anybody(self) -> bool {
        matches!(self, Self::Reveal | Self::RevealHeader | Self::RevealLeaf) || self.is_proof()
    }

    /// Whether it is a proof that ends the dispute.
    #[must_use]
    pub fn is_proof(self) -> bool {
        matches!(self, Self::ProveHeader | Self::ProveHalt | Self::ProveElement | Self::ProveSlice | Self::ProvePost)
    }
}

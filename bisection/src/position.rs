//! Positions of the game.

use crate::hash::Hash;

/// One of the two sides, or anybody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Party {
    /// Made the claim.
    Submitter,
    /// Opened the dispute.
    Challenger,
    /// Neither; may send what is determined by a hash, and claim timeouts.
    Stranger,
}

impl Party {
    /// The side that gains what this one loses.
    #[must_use]
    pub fn opponent(self) -> Self {
        match self {
            Self::Submitter => Self::Challenger,
            Self::Challenger | Self::Stranger => Self::Submitter,
        }
    }
}

/// A committed node: of the trace tree or of one tensor's tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// Height above the leaves.
    pub height: u32,
    /// Index among the nodes of that height.
    pub index: u64,
    /// Its hash.
    pub hash: Hash,
}

/// What a trace leaf says about its tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Element type.
    pub dtype: u8,
    /// Number of elements.
    pub elements: u64,
}

/// A disputed value whose header is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// Its trace leaf, `t·N + i`.
    pub leaf: u64,
    /// The submitter's header.
    pub header: Header,
}

/// A disputed element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// The value it belongs to.
    pub tensor: Tensor,
    /// Element number.
    pub e: u64,
    /// Code of the instruction's reduction: how its partials combine.
    pub reducer: u8,
}

/// Terms `[k0, k1)` of a reduction and what the submitter says of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    /// First term.
    pub k0: u64,
    /// One past the last term.
    pub k1: u64,
    /// At element level the element's value, below it the slice's partial.
    pub value: i128,
}

impl Slice {
    /// Number of terms.
    #[must_use]
    pub fn terms(&self) -> u64 {
        self.k1.saturating_sub(self.k0)
    }
}

/// Where a dispute stands once the trace is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// The challenger names a child of a trace node.
    TraceOpen(Node),
    /// The submitter opens a trace node.
    TraceHidden(Node),
    /// The challenger names a child of a tensor node.
    TensorOpen(Tensor, Node),
    /// The submitter opens a tensor node.
    TensorHidden(Tensor, Node),
    /// The bytes of a tensor leaf lie open; the node is that leaf.
    Leaf(Tensor, Node),
    /// A tensor of 0 elements: only its header can be wrong.
    Empty(Tensor),
    /// The submitter cuts the reduction of an element, `[0, K)`, into partials.
    Element(Cell, Slice),
    /// The submitter cuts a slice into partials.
    Slice(Cell, Slice),
    /// The element's reduction is cut; the hash is that of the partials.
    ElementPartials(Cell, Slice, Hash),
    /// A slice is cut; the hash is that of the partials.
    SlicePartials(Cell, Slice, Hash),
}

impl Position {
    /// Whose turn it is.
    #[must_use]
    pub fn turn(&self) -> Party {
        match self {
            Self::TraceHidden(_) | Self::TensorHidden(..) | Self::Element(..) | Self::Slice(..) => Party::Submitter,
            _ => Party::Challenger,
        }
    }

    /// Number of the kind, as in the contract's state.
    #[must_use]
    pub fn kind(&self) -> u8 {
        match self {
            Self::TraceOpen(_) => 0,
            Self::TraceHidden(_) => 1,
            Self::TensorOpen(..) => 2,
            Self::TensorHidden(..) => 3,
            Self::Leaf(..) => 4,
            Self::Empty(_) => 5,
            Self::Element(..) => 6,
            Self::Slice(..) => 7,
            Self::ElementPartials(..) => 8,
            Self::SlicePartials(..) => 9,
        }
    }
}

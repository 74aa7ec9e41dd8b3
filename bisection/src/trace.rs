//! What a player knows: a full trace, of its own run or of a lie.

use crate::hash::Hash;
use crate::position::Header;
use crate::rules::{Shape, Step};
use thiserror::Error;

/// A trace could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("trace unavailable: {0}")]
pub struct Unavailable(pub String);

/// What a trace answers.
pub type Answer<T> = Result<T, Unavailable>;

/// The nodes of one tree.
pub trait Nodes {
    /// Hash of node (height, index); zero if it covers no real leaf.
    ///
    /// # Errors
    /// If the node is not known.
    fn node(&self, height: u32, index: u64) -> Answer<Hash>;
}

/// One question to the step verifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Value of an element.
    Element {
        /// Element number.
        e: u64,
    },
    /// Partial over terms `[k0, k1)`.
    Slice {
        /// Element number.
        e: u64,
        /// First term.
        k0: u64,
        /// One past the last term.
        k1: u64,
    },
    /// Value of an element from the partial of its whole reduction.
    Post {
        /// Element number.
        e: u64,
        /// The partial.
        acc: i128,
    },
}

/// The full trace of a run of the claim's length `T`. Arguments are always in range: `leaf < T·N`, `e < elements`.
pub trait Trace {
    /// Node of the trace tree.
    ///
    /// # Errors
    /// If the trace cannot be read; so for all methods.
    fn node(&self, height: u32, index: u64) -> Answer<Hash>;

    /// Header of the value at trace leaf `leaf`.
    ///
    /// # Errors
    /// As for [`Trace::node`].
    fn header(&self, leaf: u64) -> Answer<Header>;

    /// Node of the tree over that value's bytes.
    ///
    /// # Errors
    /// As for [`Trace::node`].
    fn tensor_node(&self, leaf: u64, height: u32, index: u64) -> Answer<Hash>;

    /// Its tensor leaf `index`: 256 bytes, filled with zeros.
    ///
    /// # Errors
    /// As for [`Trace::node`].
    fn tensor_leaf(&self, leaf: u64, index: u64) -> Answer<Vec<u8>>;

    /// Its element `e`.
    ///
    /// # Errors
    /// As for [`Trace::node`].
    fn element(&self, leaf: u64, e: u64) -> Answer<i64>;

    /// All its bytes, without padding.
    ///
    /// # Errors
    /// As for [`Trace::node`].
    fn bytes(&self, leaf: u64) -> Answer<Vec<u8>>;

    /// Shape that the instruction demands there.
    ///
    /// # Errors
    /// As for [`Trace::node`].
    fn shape(&self, leaf: u64) -> Answer<Shape>;

    /// Partial over terms `[k0, k1)` of element `e`, computed from this trace's own values.
    ///
    /// # Errors
    /// As for [`Trace::node`].
    fn partial(&self, leaf: u64, e: u64, k0: u64, k1: u64) -> Answer<i128>;

    /// The opened instruction of the leaf, without operands: what [`crate::Rules::shape`] takes.
    ///
    /// # Errors
    /// As for [`Trace::node`].
    fn instruction(&self, leaf: u64) -> Answer<Step>;

    /// The instruction with all that `question` reads. Operands' contents are this trace's; their openings go up the
    /// trace tree `tree`, the submitter's, which holds the same values before `leaf`.
    ///
    /// # Errors
    /// As for [`Trace::node`].
    fn step(&self, leaf: u64, question: &Question, tree: &dyn Nodes) -> Answer<Step>;
}

/// The trace tree of a trace.
#[derive(Clone, Copy, Debug)]
pub struct TraceNodes<'a, T: ?Sized>(pub &'a T);

impl<T: Trace + ?Sized> Nodes for TraceNodes<'_, T> {
    fn node(&self, height: u32, index: u64) -> Answer<Hash> {
        self.0.node(height, index)
    }
}

/// The tensor tree of one value of a trace.
#[derive(Clone, Copy, Debug)]
pub struct TensorNodes<'a, T: ?Sized>(pub &'a T, pub u64);

impl<T: Trace + ?Sized> Nodes for TensorNodes<'_, T> {
    fn node(&self, height: u32, index: u64) -> Answer<Hash> {
        self.0.tensor_node(self.1, height, index)
    }
}

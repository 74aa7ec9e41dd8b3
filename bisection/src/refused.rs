//! Why a move is refused.

use crate::moves::MoveKind;
use crate::position::Party;
use crate::rules::StepRefused;
use thiserror::Error;

/// The rule that a call violates. A refused call changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// Nothing follows the end.
    #[error("the dispute is over")]
    Over,
    /// The move belongs to the other side.
    #[error("{0:?} may not send this move")]
    NotYours(Party),
    /// The mover's time is used up.
    #[error("the party on turn is late")]
    Late,
    /// A proof in the block of the challenge could be a copy of somebody else's.
    #[error("a proof must wait for a block after the challenge")]
    TooEarly,
    /// A timeout needs seconds and blocks.
    #[error("the party on turn is not late")]
    NotLate,
    /// The position has no such move.
    #[error("{0:?} is not possible here")]
    NotHere(MoveKind),
    /// Only children and parts that exist can be named.
    #[error("no child, part or leaf with this number")]
    Number,
    /// The sub-tree proof must lead to the committed node.
    #[error("the opening does not lead to the committed node")]
    Opening,
    /// All real children, which fold to the node.
    #[error("the children do not fold to the committed node")]
    Children,
    /// dtype and number of elements must be ones a value can have.
    #[error("no value has such a header")]
    Header,
    /// The tensor's first step must be what its size demands.
    #[error("the header's first step does not fit its size")]
    Below,
    /// A leaf has 256 bytes that hash to the node.
    #[error("these are not the committed leaf's bytes")]
    LeafBytes,
    /// Bytes past the tensor's last element are 0.
    #[error("non-zero bytes past the last element")]
    Padding,
    /// The element must exist and lie in the opened leaf.
    #[error("the element is not in the opened leaf")]
    Element,
    /// One term, or none, cannot be cut.
    #[error("fewer than two terms")]
    Terms,
    /// As many partials as parts.
    #[error("wrong number of partials")]
    PartialCount,
    /// Partials combine to the value in dispute.
    #[error("the partials do not combine to the value in dispute")]
    PartialSum,
    /// Partials sent again are those revealed.
    #[error("these are not the revealed partials")]
    Partials,
    /// A proof must show a difference.
    #[error("nothing is wrong")]
    NoFault,
    /// A halt counts only before the last iteration, and only if the program has one.
    #[error("no halt of the program before the last iteration")]
    Halt,
    /// The trace's output is the claimed one.
    #[error("the opened output is not the claimed one")]
    Output,
    /// A run shorter than the bound must have halted.
    #[error("a run shorter than maxT must show its halt")]
    NotHalted,
    /// The step verifier does not answer.
    #[error(transparent)]
    Step(#[from] StepRefused),
}

//! What an honest player owes at every move, as named rules, each with its reason.

use crate::claim::Claim;
use crate::moves::{Move, MoveKind};
use crate::position::{Cell, Node, Party, Position};
use crate::revealed::{Revealed, leaves};
use crate::rules::Rules;
use crate::trace::{Answer, Nodes, TensorNodes, Trace, TraceNodes};
use crate::{split, tree};
use core::fmt;
use thiserror::Error;

/// A duty of an honest player.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duty {
    /// It has a move whenever it is on turn.
    Answers,
    /// Its move is accepted.
    Accepted,
    /// Submitter: whatever is disputed is what its own trace says.
    StandsByItsTrace,
    /// Challenger: whatever it has named differs from its own trace.
    NamesADifference,
    /// Challenger: everything before what it has named is agreed.
    NamesTheFirst,
    /// Challenger: its proofs end the dispute.
    ProofsWin,
    /// The dispute ends within [`most_moves`].
    Ends,
    /// It wins.
    Wins,
    /// The arena keeps its own rules. (Not the player's duty, but what all its duties rest on.)
    FairArena,
}

impl Duty {
    /// Why the protocol rests on it.
    #[must_use]
    pub fn why(self) -> &'static str {
        match self {
            Self::Answers => "a player who followed the protocol must not lose by its clock",
            Self::Accepted => "a refusal may only be reachable by the mover's own fault",
            Self::StandsByItsTrace => "a submitter led away from its own trace could be made to contradict itself",
            Self::NamesADifference => "below an agreed node there is nothing to prove",
            Self::NamesTheFirst => "the last proof reads what was agreed: all of it must lie before the difference",
            Self::ProofsWin => "a proof that fails has given its data away and spent its time",
            Self::Ends => "the free delay of every turn counts towards the bound on finality",
            Self::Wins => "one honest player is enough",
            Self::FairArena => "contract and pure game are one game",
        }
    }
}

/// A duty was not met.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{duty:?}: {detail} ({})", duty.why())]
pub struct Broken {
    /// Which.
    pub duty: Duty,
    /// What was seen instead.
    pub detail: String,
}

impl Broken {
    /// The duty with what was seen.
    pub fn new(duty: Duty, detail: impl fmt::Display) -> Self {
        Self { duty, detail: detail.to_string() }
    }
}

/// An accepted move of an honest player.
#[derive(Clone, Copy)]
pub struct Witnessed<'a> {
    /// The claim.
    pub claim: &'a Claim,
    /// Who moved.
    pub party: Party,
    /// Its own trace.
    pub own: &'a dyn Trace,
    /// What the submitter had revealed.
    pub revealed: &'a Revealed,
    /// The move.
    pub mv: &'a Move,
    /// The position at which it was made.
    pub before: Option<&'a Position>,
    /// The position that it led to.
    pub after: Option<&'a Position>,
    /// Whether the dispute is over.
    pub over: bool,
    /// The rules.
    pub rules: &'a dyn Rules,
}

impl Witnessed<'_> {
    /// Checks the duties that concern a single move.
    ///
    /// # Errors
    /// If the player's trace cannot be read.
    pub fn check(&self) -> Answer<Result<(), Broken>> {
        let broken = |duty| Ok(Err(Broken::new(duty, format_args!("after {:?}", self.mv.kind()))));
        if self.proof() {
            return if self.over { Ok(Ok(())) } else { broken(Duty::ProofsWin) };
        }
        let Some(after) = self.after else { return Ok(Ok(())) };
        match self.party {
            Party::Challenger if self.agrees(after)? => broken(Duty::NamesADifference),
            Party::Challenger if !self.agreed_before(after)? => broken(Duty::NamesTheFirst),
            Party::Submitter if !self.agrees(after)? => broken(Duty::StandsByItsTrace),
            _ => Ok(Ok(())),
        }
    }

    fn proof(&self) -> bool {
        use MoveKind::{ProveElement, ProveHalt, ProveHeader, ProvePost, ProveSlice};
        matches!(self.mv.kind(), ProveHeader | ProveHalt | ProveElement | ProveSlice | ProvePost)
    }

    /// Whether what is disputed at the position is what the own trace says.
    fn agrees(&self, at: &Position) -> Answer<bool> {
        Ok(match at {
            Position::TraceOpen(node) | Position::TraceHidden(node) => {
                self.own.node(node.height, node.index)? == node.hash
            }
            Position::TensorOpen(tensor, node)
            | Position::TensorHidden(tensor, node)
            | Position::Leaf(tensor, node) => {
                self.own.header(tensor.leaf)? == tensor.header
                    && self.own.tensor_node(tensor.leaf, node.height, node.index)? == node.hash
            }
            Position::Empty(tensor) => self.own.header(tensor.leaf)? == tensor.header,
            Position::Element(cell, slice) | Position::ElementPartials(cell, slice, _) => {
                i128::from(self.own.element(cell.tensor.leaf, cell.e)?) == slice.value
            }
            Position::Slice(cell, slice) | Position::SlicePartials(cell, slice, _) => {
                self.own.partial(cell.tensor.leaf, cell.e, slice.k0, slice.k1)? == slice.value
            }
        })
    }

    /// Whether everything to the left of what is disputed is agreed.
    fn agreed_before(&self, at: &Position) -> Answer<bool> {
        match at {
            Position::TraceHidden(node) => self.left(node, self.claim.leaves(), &TraceNodes(self.own), true),
            Position::TensorHidden(tensor, node) => {
                let n = leaves(self.rules, tensor.header);
                self.left(node, n, &TensorNodes(self.own, tensor.leaf), false)
            }
            Position::Element(cell, _) => self.left_elements(cell),
            Position::Slice(cell, _) => self.left_parts(cell),
            _ => Ok(true),
        }
    }

    fn left(&self, node: &Node, n: u64, own: &dyn Nodes, trace: bool) -> Answer<bool> {
        let theirs = if trace { self.revealed.trace_over(own) } else { self.revealed.tensor_over(own) };
        for height in node.height..tree::depth(n) {
            let index = node.index >> (height - node.height);
            if index & 1 == 1 && theirs.theirs(height, index - 1)? != own.node(height, index - 1)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn left_elements(&self, cell: &Cell) -> Answer<bool> {
        let size = self.rules.element_size(self.own.header(cell.tensor.leaf)?.dtype).unwrap_or(256);
        let own = self.own.tensor_leaf(cell.tensor.leaf, cell.e.saturating_mul(size) / 256)?;
        let before = usize::try_from(cell.e.saturating_mul(size) % 256).unwrap_or(0);
        Ok(own.iter().zip(self.revealed.bytes()).take(before).all(|(a, b)| a == b))
    }

    fn left_parts(&self, cell: &Cell) -> Answer<bool> {
        let (Move::SelectPartial { part, partials }, Some(cut)) = (self.mv, self.before) else { return Ok(true) };
        let (Position::ElementPartials(_, whole, _) | Position::SlicePartials(_, whole, _)) = cut else {
            return Ok(true);
        };
        for (j, partial) in (0..*part).zip(partials) {
            let Some((k0, k1)) = split::part(self.claim.arity(), whole.k0, whole.k1, j) else { return Ok(false) };
            if self.own.partial(cell.tensor.leaf, cell.e, k0, k1)? != *partial {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Most moves of a dispute over `claim` in which every value has at most `tensor_leaves` tensor leaves and `terms` terms:
/// opening the trace; a selection and a reveal for every step down both trees; the element; a set of partials and a
/// selection, the last one a proof, for every cut.
#[must_use]
pub fn most_moves(claim: &Claim, tensor_leaves: u64, terms: u64) -> u32 {
    let steps = |n: u64| tree::depth(n).div_ceil(claim.arity_log2.max(1));
    1 + 2 * steps(claim.leaves()).max(1) + 2 * steps(tensor_leaves) + 1 + 2 * split::rounds(claim.arity(), terms)
}

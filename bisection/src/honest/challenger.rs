//! The challenger: it names the first difference at every level and proves what it finds there.
//!
//! Because it is the first, everything the disputed step reads is agreed, and every node beside the path was revealed:
//! so the last proof can always be built.

use super::Policy;
use super::open::{element_under_trace, first_halt};
use super::submitter::partials;
use crate::claim::Claim;
use crate::hash::Hash;
use crate::moves::{ElementOpening, Move};
use crate::position::{Cell, Header, Node, Position, Slice, Tensor};
use crate::revealed::{Overlay, Revealed, leaves};
use crate::rules::{Rules, Shape};
use crate::split;
use crate::trace::{Answer, Nodes, Question, TensorNodes, Trace, TraceNodes};
use crate::tree::{self, Children};

/// The move of a challenger whose own trace, for the claim's length, is `own`. None if it is not on turn, or if it finds
/// nothing wrong.
///
/// # Errors
/// If the trace cannot be read, or something the submitter must have revealed is missing.
pub fn honest_challenger<T: Trace + ?Sized, R: Rules + ?Sized>(
    policy: &Policy,
    claim: &Claim,
    position: &Position,
    revealed: &Revealed,
    own: &T,
    rules: &R,
) -> Answer<Option<Move>> {
    let player = Player { policy, claim, revealed, own, rules };
    match position {
        Position::TraceOpen(node) => player.trace(node),
        Position::TensorOpen(tensor, node) => match player.header(tensor)? {
            Some(proof) => Ok(Some(proof)),
            None => player.tensor(tensor, node),
        },
        Position::Leaf(tensor, node) => match player.header(tensor)? {
            Some(proof) => Ok(Some(proof)),
            None => player.leaf(tensor, node),
        },
        Position::Empty(tensor) => player.header(tensor),
        Position::ElementPartials(cell, slice, _) => match player.part(cell, slice)? {
            Some(mv) => Ok(Some(mv)),
            None => player.post(cell),
        },
        Position::SlicePartials(cell, slice, _) => player.part(cell, slice),
        _ => Ok(None),
    }
}

struct Player<'a, T: ?Sized, R: ?Sized> {
    policy: &'a Policy,
    claim: &'a Claim,
    revealed: &'a Revealed,
    own: &'a T,
    rules: &'a R,
}

impl<T: Trace + ?Sized, R: Rules + ?Sized> Player<'_, T, R> {
    /// At a trace node: the first child that differs; but a halt that lies before it is proved at once.
    fn trace(&self, node: &Node) -> Answer<Option<Move>> {
        let n = self.claim.leaves();
        let own = TraceNodes(self.own);
        let theirs = self.revealed.trace_over(&own);
        let children = Children::of(n, node.height, node.index, self.claim.arity_log2);
        let first = self.difference(&children, &theirs, &own)?;
        if node.height == tree::depth(n)
            && let Some(t) = first_halt(self.claim, self.own)?
        {
            let leaf = self.claim.leaf(t, self.claim.halt_at.unwrap_or(0));
            if first.is_none_or(|(c, _)| leaf >> children.height < children.first + c) {
                let at = (leaf, 0);
                let opening = element_under_trace(self.claim, self.own, &theirs, at, node.height, self.rules)?;
                return Ok(Some(Move::ProveHalt { t, opening }));
            }
        }
        first.map(|found| self.select(n, &children, found, &theirs)).transpose()
    }

    fn tensor(&self, tensor: &Tensor, node: &Node) -> Answer<Option<Move>> {
        let n = leaves(self.rules, tensor.header);
        let own = TensorNodes(self.own, tensor.leaf);
        let theirs = self.revealed.tensor_over(&own);
        let children = Children::of(n, node.height, node.index, self.claim.arity_log2);
        let first = self.difference(&children, &theirs, &own)?;
        first.map(|found| self.select(n, &children, found, &theirs)).transpose()
    }

    fn difference(&self, c: &Children, theirs: &Overlay<'_>, own: &dyn Nodes) -> Answer<Option<(u64, Hash)>> {
        for child in 0..c.count {
            let hash = theirs.theirs(c.height, c.first + child)?;
            if hash != own.node(c.height, c.first + child)? {
                return Ok(Some((child, hash)));
            }
        }
        Ok(None)
    }

    fn select(&self, n: u64, c: &Children, (child, hash): (u64, Hash), theirs: &Overlay<'_>) -> Answer<Move> {
        let proof = tree::path(theirs, n, (c.height, c.first + child), c.levels)?;
        Ok(Move::Select { child, hash, proof })
    }

    /// A proof if the header is not the instruction's.
    fn header(&self, tensor: &Tensor) -> Answer<Option<Move>> {
        let Shape { dtype, elements, .. } = self.own.shape(tensor.leaf)?;
        if tensor.header == (Header { dtype, elements }) {
            return Ok(None);
        }
        let step = self.own.instruction(tensor.leaf)?;
        Ok(Some(Move::ProveHeader { trace: None, root: crate::hash::ZERO, step }))
    }

    fn leaf(&self, tensor: &Tensor, node: &Node) -> Answer<Option<Move>> {
        let Header { dtype, elements } = tensor.header;
        let size = self.rules.element_size(dtype).unwrap_or(256);
        let first = node.index.saturating_mul(256) / size;
        let width = usize::try_from(size).unwrap_or(256);
        for (bytes, e) in self.revealed.bytes().chunks(width).zip(first..elements) {
            if self.rules.decode(dtype, bytes) != Some(self.own.element(tensor.leaf, e)?) {
                return self.element(tensor, e).map(Some);
            }
        }
        Ok(None)
    }

    fn element(&self, tensor: &Tensor, e: u64) -> Answer<Move> {
        let bytes = self.revealed.bytes().to_vec();
        if self.policy.proves(self.own.shape(tensor.leaf)?.terms) {
            let opening = ElementOpening { trace: None, e, bytes, proof: Vec::new() };
            let step = self.step(tensor.leaf, &Question::Element { e })?;
            return Ok(Move::ProveElement { opening, step });
        }
        Ok(Move::SelectElement { bytes, e, step: self.own.instruction(tensor.leaf)? })
    }

    /// The first part that differs: proved if short enough, else named.
    fn part(&self, cell: &Cell, slice: &Slice) -> Answer<Option<Move>> {
        let (leaf, e) = (cell.tensor.leaf, cell.e);
        let theirs = self.revealed.partials();
        let own = partials(self.claim, self.own, (leaf, e), (slice.k0, slice.k1))?;
        for ((part, own), theirs) in (0..).zip(&own).zip(theirs) {
            let Some((k0, k1)) = split::part(self.claim.arity(), slice.k0, slice.k1, part) else { break };
            if own != theirs {
                return self.name(part, leaf, Question::Slice { e, k0, k1 }, k1 - k0).map(Some);
            }
        }
        Ok(None)
    }

    fn name(&self, part: u64, leaf: u64, question: Question, terms: u64) -> Answer<Move> {
        let partials = self.revealed.partials().to_vec();
        if self.policy.proves(terms) {
            return Ok(Move::ProveSlice { part, partials, step: self.step(leaf, &question)? });
        }
        Ok(Move::SelectPartial { part, partials })
    }

    /// All partials agree: then the element does not follow from them, or nothing is wrong.
    fn post(&self, cell: &Cell) -> Answer<Option<Move>> {
        let (leaf, e) = (cell.tensor.leaf, cell.e);
        let partials = self.revealed.partials().to_vec();
        let Some(acc) = self.rules.combine(cell.reducer, &partials) else { return Ok(None) };
        let step = self.step(leaf, &Question::Post { e, acc })?;
        Ok(Some(Move::ProvePost { partials, step }))
    }

    /// A witness under the submitter's root.
    fn step(&self, leaf: u64, question: &Question) -> Answer<crate::rules::Step> {
        let own = TraceNodes(self.own);
        self.own.step(leaf, question, &self.revealed.trace_over(&own))
    }
}

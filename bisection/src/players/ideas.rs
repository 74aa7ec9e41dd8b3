//! Everything a challenger could try at a position, for trolls and for exhaustive tests.

use super::View;
use crate::claim::Claim;
use crate::hash::ZERO;
use crate::honest::{element_under_tensor, element_under_trace, tensor_root, trace_leaf};
use crate::moves::{ElementOpening, Move};
use crate::position::{Cell, Position, Slice, Tensor};
use crate::revealed::leaves;
use crate::rules::{Rules, Step};
use crate::split;
use crate::trace::{Answer, Nodes, Question, TensorNodes, Trace, TraceNodes};
use crate::tree::{self, Children};
use core::ops::Range;

/// One thing to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idea {
    /// Name a child.
    Select(u64),
    /// Prove a halt at this iteration.
    Halt(u64),
    /// Prove the header of this trace leaf wrong.
    Header(u64),
    /// Prove this element of this trace leaf wrong.
    Element(u64, u64),
    /// Have this element's reduction cut.
    Cut(u64),
    /// Name a part.
    Part(u64),
    /// Prove a part wrong.
    Slice(u64),
    /// Prove that the partials do not give the element.
    Post,
}

/// All ideas at a position, legal or hopeless, under a submitter whose trace is `theirs`.
///
/// # Errors
/// If the trace cannot be read.
pub fn ideas(claim: &Claim, at: &Position, theirs: &dyn Trace, rules: &dyn Rules) -> Answer<Vec<Idea>> {
    let b = claim.arity_log2;
    let mut all = Vec::new();
    match at {
        Position::TraceOpen(node) => {
            let n = claim.leaves();
            all.extend((0..Children::of(n, node.height, node.index, b).count).map(Idea::Select));
            all.extend((0..claim.length).filter(|_| claim.halt_at.is_some()).map(Idea::Halt));
            for leaf in under(node.height, node.index, n) {
                all.push(Idea::Header(leaf));
                all.extend((0..theirs.header(leaf)?.elements).map(|e| Idea::Element(leaf, e)));
            }
        }
        Position::TensorOpen(tensor, node) => {
            let n = leaves(rules, tensor.header);
            all.extend((0..Children::of(n, node.height, node.index, b).count).map(Idea::Select));
            all.push(Idea::Header(tensor.leaf));
            let inside = elements(tensor, under(node.height, node.index, n), rules);
            all.extend(inside.map(|e| Idea::Element(tensor.leaf, e)));
        }
        Position::Leaf(tensor, node) => {
            all.push(Idea::Header(tensor.leaf));
            for e in elements(tensor, node.index..node.index + 1, rules) {
                all.extend([Idea::Element(tensor.leaf, e), Idea::Cut(e)]);
            }
        }
        Position::Empty(tensor) => all.push(Idea::Header(tensor.leaf)),
        Position::ElementPartials(_, slice, _) | Position::SlicePartials(_, slice, _) => {
            let m = split::parts(claim.arity(), slice.terms());
            all.extend((0..m).flat_map(|j| [Idea::Part(j), Idea::Slice(j)]));
            all.push(Idea::Post);
        }
        _ => (),
    }
    Ok(all)
}

fn under(height: u32, index: u64, n: u64) -> Range<u64> {
    index << height..((index + 1) << height).min(n)
}

fn elements(tensor: &Tensor, leaves: Range<u64>, rules: &dyn Rules) -> Range<u64> {
    let per = 256 / rules.element_size(tensor.header.dtype).unwrap_or(256).max(1);
    leaves.start * per..(leaves.end * per).min(tensor.header.elements)
}

/// The move that an idea means, built from the submitter's trace `theirs`; none if it has no meaning at the position.
///
/// # Errors
/// If the trace cannot be read.
pub fn realise(view: &View<'_>, idea: Idea, theirs: &dyn Trace) -> Answer<Option<Move>> {
    let Some(at) = view.position else { return Ok(None) };
    let builder = Builder { view, theirs };
    match (idea, at) {
        (Idea::Select(child), _) => builder.select(at, child),
        (Idea::Halt(t), Position::TraceOpen(node)) => {
            let leaf = view.claim.leaf(t, view.claim.halt_at.unwrap_or(0));
            if leaf >> node.height != node.index || theirs.header(leaf)?.elements == 0 {
                return Ok(None);
            }
            Ok(Some(Move::ProveHalt { t, opening: builder.under_trace((leaf, 0), node.height)? }))
        }
        (Idea::Header(leaf), _) => builder.header(at, leaf).map(Some),
        (Idea::Element(leaf, e), _) => {
            let opening = builder.element(at, (leaf, e))?;
            let step = builder.step(leaf, &Question::Element { e })?;
            Ok(opening.map(|opening| Move::ProveElement { opening, step }))
        }
        (Idea::Cut(e), Position::Leaf(tensor, _)) => {
            let step = theirs.instruction(tensor.leaf)?;
            Ok(Some(Move::SelectElement { bytes: view.revealed.bytes().to_vec(), e, step }))
        }
        (_, Position::ElementPartials(cell, slice, _) | Position::SlicePartials(cell, slice, _)) => {
            builder.partial(idea, cell, slice)
        }
        _ => Ok(None),
    }
}

struct Builder<'a, 'v> {
    view: &'a View<'v>,
    theirs: &'a dyn Trace,
}

impl Builder<'_, '_> {
    fn select(&self, at: &Position, child: u64) -> Answer<Option<Move>> {
        let trace = TraceNodes(self.theirs);
        let (nodes, n, node): (Box<dyn Nodes + '_>, u64, _) = match at {
            Position::TraceOpen(node) => (Box::new(trace), self.view.claim.leaves(), node),
            Position::TensorOpen(tensor, node) => {
                let n = leaves(self.view.rules, tensor.header);
                (Box::new(TensorNodes(self.theirs, tensor.leaf)), n, node)
            }
            _ => return Ok(None),
        };
        let c = Children::of(n, node.height, node.index, self.view.claim.arity_log2);
        let hash = nodes.node(c.height, c.first + child)?;
        let proof = tree::path(&*nodes, n, (c.height, c.first + child), c.levels)?;
        Ok(Some(Move::Select { child, hash, proof }))
    }

    fn under_trace(&self, at: (u64, u64), levels: u32) -> Answer<ElementOpening> {
        element_under_trace(self.view.claim, self.theirs, &TraceNodes(self.theirs), at, levels, self.view.rules)
    }

    fn header(&self, at: &Position, leaf: u64) -> Answer<Move> {
        let step = self.theirs.instruction(leaf)?;
        let Position::TraceOpen(node) = at else {
            return Ok(Move::ProveHeader { trace: None, root: ZERO, step });
        };
        let trace = trace_leaf(self.view.claim, self.theirs, &TraceNodes(self.theirs), leaf, node.height)?;
        let root = tensor_root(self.theirs, leaf, self.view.rules)?;
        Ok(Move::ProveHeader { trace: Some(trace), root, step })
    }

    fn element(&self, at: &Position, (leaf, e): (u64, u64)) -> Answer<Option<ElementOpening>> {
        match at {
            Position::TraceOpen(node) => self.under_trace((leaf, e), node.height).map(Some),
            Position::TensorOpen(_, node) | Position::Leaf(_, node) => {
                let nodes = TensorNodes(self.theirs, leaf);
                element_under_tensor(self.theirs, &nodes, (leaf, e), node.height, self.view.rules).map(Some)
            }
            _ => Ok(None),
        }
    }

    fn partial(&self, idea: Idea, cell: &Cell, slice: &Slice) -> Answer<Option<Move>> {
        let (leaf, e) = (cell.tensor.leaf, cell.e);
        let partials = self.view.revealed.partials().to_vec();
        Ok(match idea {
            Idea::Part(part) => Some(Move::SelectPartial { part, partials }),
            Idea::Slice(part) => match split::part(self.view.claim.arity(), slice.k0, slice.k1, part) {
                Some((k0, k1)) => {
                    let step = self.step(leaf, &Question::Slice { e, k0, k1 })?;
                    Some(Move::ProveSlice { part, partials, step })
                }
                None => None,
            },
            Idea::Post => {
                let acc = self.view.rules.combine(cell.reducer, &partials).unwrap_or(0);
                let step = self.step(leaf, &Question::Post { e, acc })?;
                Some(Move::ProvePost { partials, step })
            }
            _ => None,
        })
    }

    fn step(&self, leaf: u64, question: &Question) -> Answer<Step> {
        self.theirs.step(leaf, question, &TraceNodes(self.theirs))
    }
}

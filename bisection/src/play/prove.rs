//! Proofs: each shows that the submitter's commitment contradicts itself.

use super::opening::Opened;
use super::reduce::cut;
use super::{Next, Table};
use crate::hash::Hash;
use crate::moves::{ElementOpening, MoveKind, TraceLeaf};
use crate::position::{Header, Position};
use crate::refused::Refused;
use crate::rules::{Rules, Step};

impl<R: Rules + ?Sized> Table<'_, R> {
    pub(super) fn prove_header(
        &self,
        at: &Position,
        trace: Option<&TraceLeaf>,
        root: &Hash,
        step: &Step,
    ) -> Result<Next, Refused> {
        let tensor = match (at, trace) {
            (Position::TraceOpen(node), Some(opening)) => self.trace_leaf(node, opening, root)?,
            (Position::TensorOpen(tensor, _) | Position::Leaf(tensor, _) | Position::Empty(tensor), None) => *tensor,
            (Position::TraceOpen(_), None)
            | (Position::TensorOpen(..) | Position::Leaf(..) | Position::Empty(_), Some(_)) => {
                return Err(Refused::Opening);
            }
            _ => return Err(Refused::NotHere(MoveKind::ProveHeader)),
        };
        let shape = self.rules.shape(&self.claim.job(tensor.leaf, self.root), step)?;
        differs(tensor.header, Header { dtype: shape.dtype, elements: shape.elements })
    }

    pub(super) fn prove_halt(&self, at: &Position, t: u64, opening: &ElementOpening) -> Result<Next, Refused> {
        let Position::TraceOpen(node) = at else {
            return Err(Refused::NotHere(MoveKind::ProveHalt));
        };
        let halt = self.claim.halt_at.ok_or(Refused::Halt)?;
        if t >= self.claim.length.saturating_sub(1) {
            return Err(Refused::Halt);
        }
        let opened = self.under_trace(node, opening)?;
        if opening.e != 0 || opened.tensor.leaf != self.claim.leaf(t, halt) {
            return Err(Refused::Number);
        }
        differs(opened.value, 0)
    }

    pub(super) fn prove_element(&self, at: &Position, opening: &ElementOpening, step: &Step) -> Result<Next, Refused> {
        let Opened { tensor, value } = match at {
            Position::TraceOpen(node) => self.under_trace(node, opening)?,
            Position::TensorOpen(tensor, node) | Position::Leaf(tensor, node) => {
                self.under_tensor(*tensor, node, opening)?
            }
            _ => return Err(Refused::NotHere(MoveKind::ProveElement)),
        };
        let job = self.claim.job(tensor.leaf, self.root);
        differs(value, self.rules.element(&job, opening.e, step)?)
    }

    pub(super) fn prove_slice(
        &self,
        at: &Position,
        part: u64,
        partials: &[i128],
        step: &Step,
    ) -> Result<Next, Refused> {
        let cut = cut(at, MoveKind::ProveSlice)?;
        let named = self.part(&cut, part, partials)?;
        let job = self.claim.job(cut.cell.tensor.leaf, self.root);
        differs(named.value, self.rules.slice(&job, cut.cell.e, named.k0, named.k1, step)?)
    }

    pub(super) fn prove_post(&self, at: &Position, partials: &[i128], step: &Step) -> Result<Next, Refused> {
        if !matches!(at, Position::ElementPartials(..)) {
            return Err(Refused::NotHere(MoveKind::ProvePost));
        }
        let cut = cut(at, MoveKind::ProvePost)?;
        self.revealed(&cut, partials)?;
        let acc = self.rules.combine(cut.cell.reducer, partials).ok_or(Refused::PartialSum)?;
        let job = self.claim.job(cut.cell.tensor.leaf, self.root);
        differs(cut.slice.value, i128::from(self.rules.post(&job, cut.cell.e, acc, step)?))
    }
}

/// A proof must show a difference.
fn differs<T: PartialEq>(committed: T, right: T) -> Result<Next, Refused> {
    if committed == right { Err(Refused::NoFault) } else { Ok(Next::Fault) }
}

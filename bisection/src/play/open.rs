//! Opening the claim's trace.

use super::Table;
use crate::claim::Claim;
use crate::hash;
use crate::moves::OpenTrace;
use crate::position::{Node, Position};
use crate::refused::Refused;
use crate::rules::Rules;
use crate::tree;

/// Checks that the trace fits the claim (its output, and its halt if it is shorter than the task's bound) and gives the
/// first position.
pub(crate) fn open_trace<R: Rules + ?Sized>(claim: &Claim, open: &OpenTrace, rules: &R) -> Result<Position, Refused> {
    let table = Table { claim, root: open.root, rules };
    let leaves = claim.leaves();
    let top = Node { height: tree::depth(leaves), index: 0, hash: open.root };
    table.folds(leaves, &top, &open.children)?;
    table.output(&top, open)?;
    if claim.length < claim.max_length {
        table.halted(&top, open)?;
    }
    Ok(Position::TraceOpen(top))
}

impl<R: Rules + ?Sized> Table<'_, R> {
    fn output(&self, top: &Node, open: &OpenTrace) -> Result<(), Refused> {
        let leaf = &open.output_leaf;
        let (header, size) = self.header(leaf.dtype, leaf.elements)?;
        let length = u64::try_from(open.output.len()).unwrap_or(u64::MAX);
        let whole = header.elements.saturating_mul(size) == length;
        if !whole || self.rules.hash(&open.output) != self.claim.output || leaf.leaf != self.claim.output_leaf() {
            return Err(Refused::Output);
        }
        let root = tree::root(self.rules, &hash::leaf_hashes(self.rules, &open.output));
        self.trace_leaf(top, leaf, &root).map(|_| ())
    }

    fn halted(&self, top: &Node, open: &OpenTrace) -> Result<(), Refused> {
        let (Some(halt), Some(opening)) = (self.claim.halt_at, &open.halt) else {
            return Err(Refused::NotHalted);
        };
        let opened = self.under_trace(top, opening)?;
        let at = self.claim.leaf(self.claim.length.saturating_sub(1), halt);
        if opened.tensor.leaf != at || opening.e != 0 || opened.value == 0 {
            return Err(Refused::NotHalted);
        }
        Ok(())
    }
}

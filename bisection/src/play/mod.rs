//! The transitions: one move from one position, without clocks.

mod open;
mod opening;
mod prove;
mod reduce;
mod walk;

use crate::claim::Claim;
use crate::hash::Hash;
use crate::moves::Move;
use crate::position::Position;
use crate::refused::Refused;
use crate::rules::Rules;

pub(crate) use open::open_trace;

/// Where a move leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The dispute goes on.
    At(Position),
    /// The submitter's commitment contradicts itself: the challenger wins.
    Fault,
}

/// What every transition may look at.
struct Table<'a, R: ?Sized> {
    claim: &'a Claim,
    root: Hash,
    rules: &'a R,
}

/// Applies `mv` at `position` of a dispute under trace `root`, whoever sends it.
///
/// # Errors
/// The rule that the move violates.
pub fn transition<R: Rules + ?Sized>(
    claim: &Claim,
    root: Hash,
    position: &Position,
    mv: &Move,
    rules: &R,
) -> Result<Next, Refused> {
    let table = Table { claim, root, rules };
    match mv {
        Move::OpenTrace(_) => Err(Refused::NotHere(mv.kind())),
        Move::Select { child, hash, proof } => table.select(position, *child, *hash, proof).map(Next::At),
        Move::Reveal { children } => table.reveal(position, children).map(Next::At),
        Move::RevealHeader { dtype, elements, root, below } => {
            table.reveal_header(position, (*dtype, *elements), root, below).map(Next::At)
        }
        Move::RevealLeaf { bytes } => table.reveal_leaf(position, bytes).map(Next::At),
        Move::SelectElement { bytes, e, step } => table.select_element(position, bytes, *e, step).map(Next::At),
        Move::RevealPartials { partials } => table.reveal_partials(position, partials).map(Next::At),
        Move::SelectPartial { part, partials } => table.select_partial(position, *part, partials).map(Next::At),
        Move::ProveHeader { trace, root, step } => table.prove_header(position, trace.as_ref(), root, step),
        Move::ProveHalt { t, opening } => table.prove_halt(position, *t, opening),
        Move::ProveElement { opening, step } => table.prove_element(position, opening, step),
        Move::ProveSlice { part, partials, step } => table.prove_slice(position, *part, partials, step),
        Move::ProvePost { partials, step } => table.prove_post(position, partials, step),
    }
}

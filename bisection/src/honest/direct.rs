//! The proof in one transaction, when the whole trace of the submitter is public.

use super::Policy;
use super::open::{element_under_trace, first_halt, tensor_root, trace_leaf};
use crate::claim::Claim;
use crate::moves::Move;
use crate::position::Header;
use crate::revealed::leaves;
use crate::rules::Rules;
use crate::trace::{Answer, Nodes, Question, TensorNodes, Trace, TraceNodes};
use crate::tree;

/// The challenger's proof from the first position, if `theirs` (the submitter's published trace) differs from `own` and
/// the step is short enough for `policy`. None if it is not, or if nothing is wrong.
///
/// # Errors
/// If a trace cannot be read.
pub fn direct_proof<S: Trace + ?Sized, T: Trace + ?Sized, R: Rules + ?Sized>(
    policy: &Policy,
    claim: &Claim,
    theirs: &S,
    own: &T,
    rules: &R,
) -> Answer<Option<Move>> {
    let tree = TraceNodes(theirs);
    let depth = tree::depth(claim.leaves());
    let first = first_difference(&tree, &TraceNodes(own), claim.leaves())?;
    if let Some(t) = first_halt(claim, own)? {
        let leaf = claim.leaf(t, claim.halt_at.unwrap_or(0));
        if first.is_none_or(|first| leaf < first) {
            let opening = element_under_trace(claim, theirs, &tree, (leaf, 0), depth, rules)?;
            return Ok(Some(Move::ProveHalt { t, opening }));
        }
    }
    let Some(leaf) = first else { return Ok(None) };
    let shape = own.shape(leaf)?;
    let header = Header { dtype: shape.dtype, elements: shape.elements };
    if theirs.header(leaf)? != header {
        let trace = Some(trace_leaf(claim, theirs, &tree, leaf, depth)?);
        let root = tensor_root(theirs, leaf, rules)?;
        return Ok(Some(Move::ProveHeader { trace, root, step: own.instruction(leaf)? }));
    }
    let Some(e) = first_element(theirs, own, leaf, header, rules)? else { return Ok(None) };
    if !policy.proves(shape.terms) {
        return Ok(None);
    }
    let opening = element_under_trace(claim, theirs, &tree, (leaf, e), depth, rules)?;
    let step = own.step(leaf, &Question::Element { e }, &tree)?;
    Ok(Some(Move::ProveElement { opening, step }))
}

/// First leaf whose hash differs between two trees over `n` leaves.
fn first_difference(theirs: &dyn Nodes, own: &dyn Nodes, n: u64) -> Answer<Option<u64>> {
    let depth = tree::depth(n);
    if theirs.node(depth, 0)? == own.node(depth, 0)? {
        return Ok(None);
    }
    let mut index = 0;
    for height in (0..depth).rev() {
        index <<= 1;
        if theirs.node(height, index)? == own.node(height, index)? {
            index |= 1;
        }
    }
    Ok(Some(index))
}

fn first_element<S: Trace + ?Sized, T: Trace + ?Sized, R: Rules + ?Sized>(
    theirs: &S,
    own: &T,
    leaf: u64,
    header: Header,
    rules: &R,
) -> Answer<Option<u64>> {
    let n = leaves(rules, header);
    let first = first_difference(&TensorNodes(theirs, leaf), &TensorNodes(own, leaf), n)?;
    let Some(first) = first else { return Ok(None) };
    let per = 256 / rules.element_size(header.dtype).unwrap_or(256).max(1);
    for e in first * per..header.elements.min((first + 1) * per) {
        if theirs.element(leaf, e)? != own.element(leaf, e)? {
            return Ok(Some(e));
        }
    }
    Ok(None)
}

//! The submitter: it opens whatever is asked.

use super::open::{children, open_trace, tensor_root};
use crate::claim::Claim;
use crate::moves::{Below, Move};
use crate::position::Position;
use crate::revealed::leaves;
use crate::rules::Rules;
use crate::split;
use crate::trace::{Answer, TensorNodes, Trace, TraceNodes};
use crate::tree;

/// The move of a submitter whose trace is `trace`; none if it is not on turn. `position` is none before the trace is
/// open.
///
/// # Errors
/// If the trace cannot be read.
pub fn honest_submitter<T: Trace + ?Sized, R: Rules + ?Sized>(
    claim: &Claim,
    position: Option<&Position>,
    trace: &T,
    rules: &R,
) -> Answer<Option<Move>> {
    let b = claim.arity_log2;
    Ok(Some(match position {
        None => Move::OpenTrace(Box::new(open_trace(claim, trace, rules)?)),
        Some(Position::TraceHidden(node)) if node.height == 0 => reveal_header(claim, trace, node.index, rules)?,
        Some(Position::TraceHidden(node)) => {
            Move::Reveal { children: children(&TraceNodes(trace), claim.leaves(), (node.height, node.index), b)? }
        }
        Some(Position::TensorHidden(tensor, node)) if node.height == 0 => {
            Move::RevealLeaf { bytes: trace.tensor_leaf(tensor.leaf, node.index)? }
        }
        Some(Position::TensorHidden(tensor, node)) => {
            let n = leaves(rules, tensor.header);
            let nodes = TensorNodes(trace, tensor.leaf);
            Move::Reveal { children: children(&nodes, n, (node.height, node.index), b)? }
        }
        Some(Position::Element(cell, slice) | Position::Slice(cell, slice)) => {
            let (leaf, e) = (cell.tensor.leaf, cell.e);
            Move::RevealPartials { partials: partials(claim, trace, (leaf, e), (slice.k0, slice.k1))? }
        }
        Some(_) => return Ok(None),
    }))
}

/// The trace's partials of all parts of a range.
pub(crate) fn partials<T: Trace + ?Sized>(
    claim: &Claim,
    trace: &T,
    (leaf, e): (u64, u64),
    (k0, k1): (u64, u64),
) -> Answer<Vec<i128>> {
    (0..)
        .map_while(|j| split::part(claim.arity(), k0, k1, j))
        .map(|(from, to)| trace.partial(leaf, e, from, to))
        .collect()
}

fn reveal_header<T: Trace + ?Sized, R: Rules + ?Sized>(claim: &Claim, trace: &T, leaf: u64, rules: &R) -> Answer<Move> {
    let header = trace.header(leaf)?;
    let n = leaves(rules, header);
    let below = match n {
        0 => Below::Nothing,
        1 => Below::Leaf(trace.tensor_leaf(leaf, 0)?),
        _ => Below::Children(children(&TensorNodes(trace, leaf), n, (tree::depth(n), 0), claim.arity_log2)?),
    };
    let root = tensor_root(trace, leaf, rules)?;
    Ok(Move::RevealHeader { dtype: header.dtype, elements: header.elements, root, below })
}

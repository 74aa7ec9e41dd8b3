//! Builders of openings from a trace.

use crate::claim::Claim;
use crate::hash::Hash;
use crate::moves::{ElementOpening, OpenTrace, TraceLeaf};
use crate::revealed::leaves;
use crate::rules::Rules;
use crate::trace::{Answer, Nodes, TensorNodes, Trace, TraceNodes};
use crate::tree::{self, Children};

/// Hashes of the real children of node (height, index).
pub(crate) fn children(nodes: &dyn Nodes, n: u64, (height, index): (u32, u64), b: u32) -> Answer<Vec<Hash>> {
    let children = Children::of(n, height, index, b);
    (0..children.count).map(|c| nodes.node(children.height, children.first + c)).collect()
}

/// Root of the tree over a value's bytes.
pub(crate) fn tensor_root<T: Trace + ?Sized, R: Rules + ?Sized>(trace: &T, leaf: u64, rules: &R) -> Answer<Hash> {
    let n = leaves(rules, trace.header(leaf)?);
    trace.tensor_node(leaf, tree::depth(n), 0)
}

/// Opening of a header under the trace node `levels` above it; siblings are taken from `nodes`.
pub(crate) fn trace_leaf<T: Trace + ?Sized>(
    claim: &Claim,
    trace: &T,
    nodes: &dyn Nodes,
    leaf: u64,
    levels: u32,
) -> Answer<TraceLeaf> {
    let header = trace.header(leaf)?;
    let proof = tree::path(nodes, claim.leaves(), (0, leaf), levels)?;
    Ok(TraceLeaf { leaf, dtype: header.dtype, elements: header.elements, proof })
}

/// Opening of element `e` of value `leaf` under the trace node `levels` above it. The value is `trace`'s, siblings in the
/// trace tree are taken from `nodes`.
///
/// # Errors
/// If the trace cannot be read.
pub fn element_under_trace<T: Trace + ?Sized, R: Rules + ?Sized>(
    claim: &Claim,
    trace: &T,
    nodes: &dyn Nodes,
    (leaf, e): (u64, u64),
    levels: u32,
    rules: &R,
) -> Answer<ElementOpening> {
    let depth = tree::depth(leaves(rules, trace.header(leaf)?));
    let opened = trace_leaf(claim, trace, nodes, leaf, levels)?;
    let below = element_under_tensor(trace, &TensorNodes(trace, leaf), (leaf, e), depth, rules)?;
    Ok(ElementOpening { trace: Some(opened), ..below })
}

/// Opening of element `e` of value `leaf` under the tensor node `levels` above its tensor leaf.
///
/// # Errors
/// If the trace cannot be read.
pub fn element_under_tensor<T: Trace + ?Sized, R: Rules + ?Sized>(
    trace: &T,
    nodes: &dyn Nodes,
    (leaf, e): (u64, u64),
    levels: u32,
    rules: &R,
) -> Answer<ElementOpening> {
    let header = trace.header(leaf)?;
    let index = e.saturating_mul(rules.element_size(header.dtype).unwrap_or(0)) / 256;
    let proof = tree::path(nodes, leaves(rules, header), (0, index), levels)?;
    Ok(ElementOpening { trace: None, e, bytes: trace.tensor_leaf(leaf, index)?, proof })
}

/// The opening of a claim's trace.
///
/// # Errors
/// If the trace cannot be read.
pub fn open_trace<T: Trace + ?Sized, R: Rules + ?Sized>(claim: &Claim, trace: &T, rules: &R) -> Answer<OpenTrace> {
    let nodes = TraceNodes(trace);
    let depth = tree::depth(claim.leaves());
    let output = claim.output_leaf();
    let halt = match claim.halt_at {
        Some(halt) if claim.length < claim.max_length => {
            let leaf = claim.leaf(claim.length.saturating_sub(1), halt);
            match trace.header(leaf)?.elements {
                0 => None,
                _ => Some(element_under_trace(claim, trace, &nodes, (leaf, 0), depth, rules)?),
            }
        }
        _ => None,
    };
    Ok(OpenTrace {
        root: trace.node(depth, 0)?,
        children: children(&nodes, claim.leaves(), (depth, 0), claim.arity_log2)?,
        output: trace.bytes(output)?,
        output_leaf: trace_leaf(claim, trace, &nodes, output, depth)?,
        halt,
    })
}

/// First iteration before the last at which the run had already halted.
///
/// # Errors
/// If the trace cannot be read.
pub fn first_halt<T: Trace + ?Sized>(claim: &Claim, trace: &T) -> Answer<Option<u64>> {
    let Some(halt) = claim.halt_at else { return Ok(None) };
    for t in 0..claim.length.saturating_sub(1) {
        let leaf = claim.leaf(t, halt);
        if trace.header(leaf)?.elements > 0 && trace.element(leaf, 0)? != 0 {
            return Ok(Some(t));
        }
    }
    Ok(None)
}

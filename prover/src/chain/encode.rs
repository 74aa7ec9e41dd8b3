//! Moves of the game as arguments of the contract's functions.

use alloy_primitives::{B256, Bytes};
use opml_bisection::{Below, ElementOpening, Hash, OpenTrace};
use opml_contracts::abi::Dispute;
use opml_vm::{Program, merkle};

use crate::error::ProverError;

/// `dtype:u8 ‖ elements:u64` of every input.
pub(super) fn input_headers(program: &Program) -> Bytes {
    let mut out = Vec::new();
    for input in program.inputs() {
        out.push(input.dtype.code());
        out.extend(input.elements.to_be_bytes());
    }
    out.into()
}

pub(super) fn words(hashes: &[Hash]) -> Vec<B256> {
    hashes.iter().map(B256::from).collect()
}

/// Bytes in words of 32.
pub(super) fn words_of(bytes: &[u8]) -> Vec<B256> {
    bytes.chunks(32).map(B256::right_padding_from).collect()
}

/// The 256 bytes of a tensor leaf.
pub(super) fn leaf(bytes: &[u8]) -> Result<[B256; 8], ProverError> {
    let words = words_of(bytes);
    let wrong = |words: Vec<B256>| ProverError::Stuck(format!("a tensor leaf has {} words instead of 8", words.len()));
    words.try_into().map_err(wrong)
}

pub(super) fn partials(partials: &[i128]) -> Bytes {
    partials.iter().flat_map(|partial| partial.to_be_bytes()).collect()
}

/// What `revealHeader` reveals of the tensor.
pub(super) fn below(below: &Below) -> Vec<B256> {
    match below {
        Below::Nothing => Vec::new(),
        Below::Leaf(bytes) => words_of(bytes),
        Below::Children(children) => words(children),
    }
}

/// An element's opening; from a tensor node the header is the position's.
pub(super) fn opening(opening: &ElementOpening, position: (u64, u8, u64)) -> Result<Dispute::Opening, ProverError> {
    let (leaf_number, dtype, elements) = match &opening.trace {
        Some(trace) => (trace.leaf, trace.dtype, trace.elements),
        None => position,
    };
    Ok(Dispute::Opening {
        leaf: leaf_number,
        dtype,
        elements,
        e: opening.e,
        data: leaf(&opening.bytes)?,
        tensorPath: words(&opening.proof),
        tracePath: opening.trace.as_ref().map_or_else(Vec::new, |trace| words(&trace.proof)),
    })
}

/// The opening of a trace of `leaves` leaves. The contract takes paths up to the revealed children, the game up to the
/// root: siblings from the children upwards are left out.
pub(super) fn trace_opening(
    open: &OpenTrace,
    leaves: u64,
    arity_log2: u8,
) -> Result<Dispute::TraceOpening, ProverError> {
    let below = merkle::depth(leaves).saturating_sub(u32::from(arity_log2));
    let cut = |leaf: u64, proof: &[Hash]| {
        let real = (0..below).filter(|&level| merkle::is_real(leaves, level, (leaf >> level) ^ 1)).count();
        words(proof.get(..real).unwrap_or(proof))
    };
    let halt = open
        .halt
        .iter()
        .map(|halt| {
            let mut opened = opening(halt, (0, 0, 0))?;
            if let Some(trace) = &halt.trace {
                opened.tracePath = cut(trace.leaf, &trace.proof);
            }
            Ok(opened)
        })
        .collect::<Result<_, ProverError>>()?;
    Ok(Dispute::TraceOpening {
        dtype: open.output_leaf.dtype,
        children: words(&open.children),
        path: cut(open.output_leaf.leaf, &open.output_leaf.proof),
        halt,
    })
}

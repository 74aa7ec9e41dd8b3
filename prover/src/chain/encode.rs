//! Moves of the game as arguments of the contract's functions.

use alloy_primitives::{B256, Bytes};
use opml_bisection::{
    Below, Claim, ElementOpening, Hash, Hashing as _, Move, OpenTrace, TraceLeaf, ZERO, encode_partials,
    tree::{self, Children},
};
use opml_contracts::abi::Dispute;
use opml_ops::commit::Hasher;
use opml_vm::{DType, Program, merkle};

use crate::{error::ProverError, machine::Keccak};

/// `dtype:u8 ‖ elements:u64` of every input.
#[must_use]
pub fn input_headers(program: &Program) -> Bytes {
    let mut out = Vec::new();
    for input in program.inputs() {
        out.push(input.dtype.code());
        out.extend(input.elements.to_be_bytes());
    }
    out.into()
}

/// The call that makes a model known.
#[must_use]
pub fn register_call(program: &Program) -> Dispute::registerModelCall {
    let roots = Hasher::current().model_roots(program);
    let counts = program.counts();
    Dispute::registerModelCall {
        programRoot: roots.program.into(),
        constsRoot: roots.constants.into(),
        N: counts.instructions,
        nConsts: counts.constants,
        out: program.output(),
        halt: program.halt().unwrap_or(u32::MAX),
        inputHeaders: input_headers(program),
    }
}

pub(super) fn words(hashes: &[Hash]) -> Vec<B256> {
    hashes.iter().map(B256::from).collect()
}

/// Bytes in words of 32.
pub(super) fn words_of(bytes: &[u8]) -> Vec<B256> {
    bytes.chunks(32).map(B256::right_padding_from).collect()
}

/// Refuses a move that contradicts itself in what the contract computes anew and is therefore not sent: roots of revealed
/// children, the place of the output, siblings above the children.
pub(super) fn check(claim: &Claim, mv: &Move) -> Result<(), ProverError> {
    let whole = match mv {
        Move::OpenTrace(open) => opens(claim, open),
        Move::RevealHeader { root, below, .. } => match below {
            Below::Nothing => *root == ZERO,
            Below::Leaf(bytes) => *root == Keccak.hash(bytes),
            // A fold of fewer levels is another tree; the contract knows how many there are.
            Below::Children(children) => folds(children).contains(root),
        },
        _ => true,
    };
    if whole { Ok(()) } else { Err(ProverError::Stuck("the move contradicts itself".to_owned())) }
}

fn opens(claim: &Claim, open: &OpenTrace) -> bool {
    let height = tree::depth(claim.leaves());
    let children = Children::of(claim.leaves(), height, 0, claim.arity_log2);
    let above = |leaf: &TraceLeaf| {
        let index = leaf.leaf >> children.height;
        let child = usize::try_from(index).ok().and_then(|index| open.children.get(index));
        let below = real_siblings(claim.leaves(), leaf.leaf, children.height);
        let rest = leaf.proof.get(below..);
        child.zip(rest).is_some_and(|(&child, rest)| {
            let at = (children.height, index);
            tree::climb(&Keccak, claim.leaves(), at, child, children.levels, rest) == Some(open.root)
        })
    };
    let elements = DType::from_code(open.output_leaf.dtype).and_then(|dtype| dtype.bytes(open.output_leaf.elements));
    let halts = claim.length < claim.max_length;
    tree::fold(&Keccak, &open.children, children.levels, |_, _, _| ()) == Some(open.root)
        && open.output_leaf.leaf == claim.output_leaf()
        && elements.is_some_and(|bytes| usize::try_from(bytes).is_ok_and(|bytes| bytes == open.output.len()))
        && above(&open.output_leaf)
        && (!halts || open.halt.iter().filter_map(|halt| halt.trace.as_ref()).all(above))
}

/// The roots that revealed children can have, one for each number of levels.
fn folds(children: &[Hash]) -> Vec<Hash> {
    (1..=6).filter_map(|levels| tree::fold(&Keccak, children, levels, |_, _, _| ())).collect()
}

/// How many siblings a path from a leaf has below `height`.
fn real_siblings(leaves: u64, leaf: u64, height: u32) -> usize {
    (0..height).filter(|&level| merkle::is_real(leaves, level, (leaf >> level) ^ 1)).count()
}

/// The 256 bytes of a tensor leaf.
pub(super) fn leaf(bytes: &[u8]) -> Result<[B256; 8], ProverError> {
    let words = words_of(bytes);
    let wrong = |words: Vec<B256>| ProverError::Stuck(format!("a tensor leaf has {} words instead of 8", words.len()));
    words.try_into().map_err(wrong)
}

pub(super) fn partials(partials: &[i128]) -> Bytes {
    encode_partials(partials).into()
}

/// Partials sent again, in the bytes in which they were posted: a poster may have taken a greater width than they need.
pub(super) fn posted_partials(partials: &[i128], length: usize) -> Bytes {
    let least = encode_partials(partials);
    let width = length.checked_div(partials.len()).unwrap_or(0);
    if width > 16 || width.saturating_mul(partials.len()) != length || length < least.len() {
        return least.into();
    }
    partials.iter().flat_map(|partial| partial.to_be_bytes().into_iter().skip(16_usize.saturating_sub(width))).collect()
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
    let cut = |leaf: u64, proof: &[Hash]| words(proof.get(..real_siblings(leaves, leaf, below)).unwrap_or(proof));
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

/// What a task is made of besides its header.
#[must_use]
pub fn parts(program: &Program, task: &Dispute::Task) -> Dispute::Parts {
    parts_of(&Hasher::current().model_roots(program), task)
}

/// The parts of a task of a model with these roots.
#[must_use]
pub fn parts_of(roots: &opml_vm::program::ModelRoots, task: &Dispute::Task) -> Dispute::Parts {
    Dispute::Parts {
        programRoot: roots.program.into(),
        constsRoot: roots.constants.into(),
        inputsHash: roots.inputs_hash.into(),
        inputRoot: task.inputRoot,
        requester: task.requester,
    }
}

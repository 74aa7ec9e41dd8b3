//! Turning a legal move into one with a fault in its data.

use super::Dice;
use crate::hash::Hash;
use crate::moves::{Below, ElementOpening, Move, TraceLeaf};
use crate::rules::Step;

/// A copy of the move with one thing wrong: a hash, a length, a number, a byte.
#[must_use]
pub fn mangle(mv: &Move, dice: &mut Dice) -> Move {
    let mut mv = mv.clone();
    match &mut mv {
        Move::OpenTrace(open) => match dice.below(4) {
            0 => open.root = dice.hash(),
            1 => hashes(&mut open.children, dice),
            2 => bytes(&mut open.output, dice),
            _ => trace_leaf(&mut open.output_leaf, dice),
        },
        Move::Select { child, hash, proof } => match dice.below(3) {
            0 => *child = child.wrapping_add(64 + dice.below(1 << 40)),
            1 => *hash = dice.hash(),
            _ => hashes(proof, dice),
        },
        Move::Reveal { children } => hashes(children, dice),
        Move::RevealHeader { dtype, elements, root, below } => match dice.below(4) {
            0 => *dtype = dtype.wrapping_add(1 + dice.roll().to_le_bytes()[0] % 254),
            1 => *elements = elements.wrapping_add(1 + dice.below(1 << 62)),
            2 => *root = dice.hash(),
            _ => match below {
                Below::Nothing => *below = Below::Children(vec![dice.hash()]),
                Below::Leaf(leaf) => bytes(leaf, dice),
                Below::Children(children) => hashes(children, dice),
            },
        },
        Move::RevealLeaf { bytes: leaf } => bytes(leaf, dice),
        Move::SelectElement { bytes: leaf, e, step: s } => match dice.below(3) {
            0 => bytes(leaf, dice),
            1 => *e = e.wrapping_add(256 + dice.below(1 << 62)),
            _ => step(s, dice),
        },
        Move::RevealPartials { partials } => partials.push(1),
        Move::SelectPartial { part, partials } => number_or_partials(part, partials, dice),
        Move::ProveHeader { trace, root, step: s } => match (trace, dice.below(3)) {
            (Some(leaf), 0) => trace_leaf(leaf, dice),
            (Some(_), 1) => *root = dice.hash(),
            _ => step(s, dice),
        },
        Move::ProveHalt { t, opening } => match dice.below(2) {
            0 => *t = t.wrapping_add(1 + dice.below(1 << 62)),
            _ => element(opening, dice),
        },
        Move::ProveElement { opening, step: s } => match dice.below(2) {
            0 => element(opening, dice),
            _ => step(s, dice),
        },
        Move::ProveSlice { part, partials, step: s } => match dice.below(2) {
            0 => number_or_partials(part, partials, dice),
            _ => step(s, dice),
        },
        Move::ProvePost { partials, step: s } => match dice.below(2) {
            0 => shift(partials, dice),
            _ => step(s, dice),
        },
    }
    mv
}

fn bytes(bytes: &mut Vec<u8>, dice: &mut Dice) {
    let at = dice.index(bytes.len());
    match (dice.below(3), bytes.get_mut(at)) {
        (0, Some(byte)) => *byte ^= 0x40,
        (1, Some(_)) => bytes.truncate(at),
        _ => bytes.push(1),
    }
}

fn hashes(hashes: &mut Vec<Hash>, dice: &mut Dice) {
    let at = dice.index(hashes.len());
    match (dice.below(3), hashes.get_mut(at)) {
        (0, Some(hash)) => *hash = dice.hash(),
        (1, Some(_)) => hashes.truncate(at),
        _ => hashes.push(dice.hash()),
    }
}

fn step(step: &mut Step, dice: &mut Dice) {
    if dice.below(2) == 0 { bytes(&mut step.instruction, dice) } else { bytes(&mut step.witness, dice) }
}

fn trace_leaf(opening: &mut TraceLeaf, dice: &mut Dice) {
    match dice.below(4) {
        0 => opening.leaf = opening.leaf.wrapping_add(1 + dice.below(1 << 62)),
        1 => opening.dtype ^= 8,
        2 => opening.elements = opening.elements.wrapping_add(1 + dice.below(1 << 62)),
        _ => hashes(&mut opening.proof, dice),
    }
}

fn element(opening: &mut ElementOpening, dice: &mut Dice) {
    match (&mut opening.trace, dice.below(4)) {
        (Some(trace), 0) => trace_leaf(trace, dice),
        (_, 1) => hashes(&mut opening.proof, dice),
        (_, 2) => opening.e = opening.e.wrapping_add((1 << 20) + dice.below(1 << 62)),
        _ => bytes(&mut opening.bytes, dice),
    }
}

fn number_or_partials(part: &mut u64, partials: &mut [i128], dice: &mut Dice) {
    if dice.below(2) == 0 { *part += 64 + dice.below(1 << 40) } else { shift(partials, dice) }
}

fn shift(partials: &mut [i128], dice: &mut Dice) {
    let at = dice.index(partials.len());
    if let Some(p) = partials.get_mut(at) {
        *p = p.wrapping_add(1);
    }
}

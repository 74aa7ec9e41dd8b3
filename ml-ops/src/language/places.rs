//! What the instructions of a generating program are, found in the program itself.

use opml_vm::{Instruction, Op, Program, Reducer, Source, isa::SLOT_K};

use super::generate::Layout;
use crate::num;

/// Constants of fewer elements are norms and tables, not weights of products.
const WEIGHTS: u64 = 1 << 10;

/// Instructions by what they compute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// Products with weights, the logits last.
    pub products: Vec<u32>,
    /// Probabilities of attention before they are divided by their sum.
    pub probabilities: Vec<u32>,
    /// The logits.
    pub logits: u32,
    /// The next token.
    pub next: u32,
    /// Whether the text ends.
    pub halt: Option<u32>,
}

impl Places {
    /// Finds them.
    pub fn of(program: &Program, layout: &Layout) -> Self {
        let instructions = || (0..).zip(program.instructions());
        let products = instructions().filter(|(_, i)| is_product(program, i)).map(|(number, _)| number).collect();
        let mut probabilities: Vec<u32> = instructions().filter_map(|(_, i)| weighs(i)).collect();
        probabilities.dedup();
        Self { products, probabilities, logits: layout.logits, next: layout.next, halt: program.halt() }
    }
}

fn loads(instruction: &Instruction) -> impl Iterator<Item = &opml_vm::Load> {
    instruction.map.iter().filter_map(|op| match op {
        Op::Load(load) => Some(load),
        Op::Scalar { .. } => None,
    })
}

/// A sum over weights.
fn is_product(program: &Program, instruction: &Instruction) -> bool {
    let large = |n: u32| program.constants().get(num::size(n.into())).is_some_and(|t| t.elements() >= WEIGHTS);
    let weights = loads(instruction).any(|load| matches!(load.source, Source::Constant(n) if large(n)));
    instruction.reducer == Reducer::Sum && !instruction.reduction.is_empty() && weights
}

/// The value of this iteration that a sum over earlier iterations is weighed by.
fn weighs(instruction: &Instruction) -> Option<u32> {
    let past = |load: &opml_vm::Load| match &load.source {
        Source::History { terms, .. } => terms.iter().any(|term| term.slot == SLOT_K),
        _ => false,
    };
    if instruction.reducer != Reducer::Sum || !loads(instruction).any(past) {
        return None;
    }
    loads(instruction).find_map(|load| match load.source {
        Source::Value(n) => Some(n),
        _ => None,
    })
}

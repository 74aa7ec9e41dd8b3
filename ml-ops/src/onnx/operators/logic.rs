//! Comparisons, truth values and choices.

use super::{Call, Table};
use crate::{
    error::NodeFault,
    graph::{Function, Operator, Pairwise, elements},
    onnx::tensors,
};

pub(super) const TABLE: Table = &[
    ("And", |call| truth(call, Pairwise::And, false)),
    ("Equal", |call| truth(call, Pairwise::Equal, false)),
    ("Greater", |call| truth(call, Pairwise::Less, true)),
    ("GreaterOrEqual", |call| truth(call, Pairwise::LessOrEqual, true)),
    ("IsInf", never),
    ("IsNaN", never),
    ("Less", |call| truth(call, Pairwise::Less, false)),
    ("LessOrEqual", |call| truth(call, Pairwise::LessOrEqual, false)),
    ("Not", |call| {
        let x = call.operand(0)?;
        let y = call.emit_kind(tensors::BOOL, Operator::Map(Function::Not), &[x])?;
        call.finish(y)
    }),
    ("Or", |call| truth(call, Pairwise::Or, false)),
    ("Where", choose),
    ("Xor", |call| truth(call, Pairwise::Xor, false)),
];

fn truth(call: &mut Call<'_, '_>, function: Pairwise, swapped: bool) -> Result<(), NodeFault> {
    let (mut a, mut b) = (call.operand(0)?, call.operand(1)?);
    if swapped {
        (a, b) = (b, a);
    }
    call.kind = tensors::BOOL;
    let y = call.emit(Operator::Zip(function), &[a, b])?;
    call.finish(y)
}

/// The integers that a program computes with are always numbers, so this is false everywhere. A float network that relies on
/// NaN or ∞ to mark something does not survive quantisation.
fn never(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let shape = call.shape_of(0)?;
    let count = elements(&shape);
    call.charge(count)?;
    call.kind = tensors::BOOL;
    let y = call.integer_constant(shape, vec![0; count]);
    call.finish(y)
}

/// With a constant condition that is the same everywhere, one of the operands, if it has the result's extents.
fn choose(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let (condition, a, b) = (call.operand(0)?, call.operand(1)?, call.operand(2)?);
    call.kind = call.kind_of(1);
    let constant = call.value(condition).integers().and_then(|bits| {
        let first = *bits.first()? != 0;
        bits.iter().all(|&bit| (bit != 0) == first).then_some(first)
    });
    let wide = |x| call.shape(x);
    let chosen = constant
        .map(|first| if first { a } else { b })
        .filter(|&x| [condition, a, b].iter().all(|&other| broadcasts(&wide(other), &wide(x))));
    let y = match chosen {
        Some(x) => x,
        None => call.emit(Operator::Select, &[condition, a, b])?,
    };
    call.finish(y)
}

fn broadcasts(from: &[usize], to: &[usize]) -> bool {
    crate::graph::shape::broadcast(from, to).is_ok_and(|shape| shape == to)
}

//! Operators that compare indices with constants.

use super::{Call, Table, activation::along_axis};
use crate::{
    error::NodeFault,
    graph::{Operator, Pairwise},
    num,
    onnx::tensors,
};

pub(super) const TABLE: Table = &[("OneHot", one_hot), ("Trilu", trilu)];

/// `x` on and below the `k`-th diagonal (or above), 0 elsewhere.
fn trilu(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let x = call.operand(0)?;
    let shape = call.shape(x);
    let &[.., rows, columns] = shape.as_slice() else {
        return Err(NodeFault::Shape(format!("{shape:?} is no matrix")));
    };
    let k = if call.has_operand(1) { call.integer(1, "k")? } else { 0 };
    let upper = call.flag("upper", true);
    let kept = (0..rows * columns).map(|e| {
        let diagonal = num::signed(e % columns) - num::signed(e / columns);
        i64::from(if upper { diagonal >= k } else { diagonal <= k })
    });
    let kept = kept.collect();
    let kept = call.integer_constant(vec![rows, columns], kept);
    let zero =
        if call.is_integer() { call.integer_constant(vec![], vec![0]) } else { call.constant(vec![], vec![0.0]) };
    let y = call.emit(Operator::Select, &[kept, x, zero])?;
    call.finish(y)
}

/// An axis of `depth` elements: the second value at the index, the first elsewhere.
fn one_hot(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let (x, values) = (call.operand(0)?, call.operand(2)?);
    let depth = call.operand(1)?;
    let depth = match call.value(depth).floats() {
        Some([depth]) => num::integral(*depth).unwrap_or(-1),
        _ => call.integer(1, "depth")?,
    };
    let mut shape = call.shape(x);
    let axis = call.axis("axis", call.int("axis", -1), shape.len() + 1)?;
    let extent = num::index(depth).filter(|&extent| extent > 0);
    let extent =
        extent.ok_or_else(|| NodeFault::Value { name: "depth", value: depth.to_string(), supported: "1 or more" })?;
    call.room(&[extent])?;
    shape.insert(axis, 1);
    let x = call.reshape(x, shape.clone())?;
    // A negative index counts from the end.
    let numbers = along_axis(call, shape.len(), axis, extent);
    let depth = call.integer_constant(vec![], vec![depth]);
    let below = call.emit_kind(tensors::INT64, Operator::Sub, &[numbers, depth])?;
    let here = call.emit_kind(tensors::BOOL, Operator::Zip(Pairwise::Equal), &[x, numbers])?;
    let there = call.emit_kind(tensors::BOOL, Operator::Zip(Pairwise::Equal), &[x, below])?;
    let hot = call.emit_kind(tensors::BOOL, Operator::Zip(Pairwise::Or), &[here, there])?;
    call.kind = call.kind_of(2);
    let value = |call: &mut Call<'_, '_>, i| {
        let one = call.take_along(values, 0, [i])?;
        call.reshape(one, vec![])
    };
    if call.shape(values) != [2] {
        return Err(NodeFault::Shape(format!("values {:?}", call.shape(values))));
    }
    let (off, on) = (value(call, 0)?, value(call, 1)?);
    let y = call.emit(Operator::Select, &[hot, on, off])?;
    call.finish(y)
}

//! Slices, splits and repetition.

use super::{Call, Table};
use crate::{
    error::NodeFault,
    graph::{ValueId, shape},
    num,
};

pub(super) const TABLE: Table = &[("Expand", expand), ("Slice", slice), ("Split", split), ("Tile", tile)];

/// Attributes before opset 10, operands since.
fn slice(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let x = call.any(0)?;
    let shape = call.shape(x.id);
    let list = |name: &'static str, i: usize| -> Result<Option<Vec<i64>>, NodeFault> {
        match call.opset() {
            ..10 => Ok(call.ints(name)),
            _ if call.has_operand(i) => call.integers(i, name).map(Some),
            _ => Ok(None),
        }
    };
    let (starts, ends) = (list("starts", 1)?.unwrap_or_default(), list("ends", 2)?.unwrap_or_default());
    let axes = list("axes", 3)?.unwrap_or_else(|| (0..num::signed(starts.len())).collect());
    let steps = list("steps", 4)?.unwrap_or_else(|| vec![1; starts.len()]);
    if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] {
        return Err(NodeFault::Shape(format!("starts {starts:?}, ends {ends:?}, axes {axes:?}, steps {steps:?}")));
    }
    let mut sources = vec![None; shape.len()];
    for (i, &axis) in axes.iter().enumerate() {
        let axis = call.axis("axes", axis, shape.len())?;
        sources[axis] = Some(sliced(shape[axis], starts[i], ends[i], steps[i])?);
    }
    let y = call.take(x.id, sources, 0.0)?;
    call.finish_as(y, x.coded)
}

/// Indices from `start` towards `end`; bounds beyond the extent are moved to it.
fn sliced(extent: usize, start: i64, end: i64, step: i64) -> Result<Vec<Option<usize>>, NodeFault> {
    let n = num::signed(extent);
    let counted = |v: i64| if v < 0 { v.saturating_add(n) } else { v };
    let stride = num::index(step.saturating_abs()).filter(|&stride| stride > 0);
    let stride = stride.ok_or(NodeFault::Value { name: "step", value: "0".into(), supported: "other steps" })?;
    let indices: Vec<Option<usize>> = if step > 0 {
        (counted(start).clamp(0, n)..counted(end).clamp(0, n)).step_by(stride).map(num::index).collect()
    } else {
        (counted(end).clamp(-1, n - 1) + 1..counted(start).clamp(-1, n - 1) + 1)
            .rev()
            .step_by(stride)
            .map(num::index)
            .collect()
    };
    Ok(indices)
}

/// Extents along the axis: an attribute before opset 13, an operand since; or parts of equal extent, the last maybe less.
fn split(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let x = call.any(0)?;
    let shape = call.shape(x.id);
    let axis = call.axis("axis", call.int("axis", 0), shape.len())?;
    let given = if call.opset() < 13 {
        call.ints("split")
    } else if call.has_operand(1) {
        Some(call.integers(1, "split")?)
    } else {
        None
    };
    let wrong = || NodeFault::Shape(format!("axis {axis} of {shape:?} split into {} parts", call.node.output.len()));
    let extents: Vec<usize> = match given {
        Some(list) => list.iter().map(|&n| num::index(n)).collect::<Option<_>>().ok_or_else(wrong)?,
        None => {
            let part = shape[axis].div_ceil(call.node.output.len().max(1));
            (0..call.node.output.len()).map(|i| part.min(shape[axis].saturating_sub(i * part))).collect()
        }
    };
    if extents.iter().fold(0usize, |sum, &n| sum.saturating_add(n)) != shape[axis]
        || extents.len() != call.node.output.len()
    {
        return Err(wrong());
    }
    let mut first = 0;
    for (i, extent) in extents.into_iter().enumerate() {
        if call.wants(i) {
            let part = call.take_along(x.id, axis, first..first + extent)?;
            let named = crate::onnx::Named { id: part, ..x };
            call.name_result(i, named)?;
        }
        first += extent;
    }
    Ok(())
}

/// Extents given by a constant operand.
pub(super) fn target(call: &Call<'_, '_>, i: usize, what: &'static str) -> Result<Vec<usize>, NodeFault> {
    let list = call.integers(i, what)?;
    let extents: Option<Vec<usize>> = list.iter().map(|&n| num::index(n)).collect();
    extents.ok_or_else(|| NodeFault::Shape(format!("{what} {list:?}")))
}

/// Repeats axes of extent 1.
pub(super) fn broadcast_to(call: &mut Call<'_, '_>, x: ValueId, wider: &[usize]) -> Result<ValueId, NodeFault> {
    call.room(wider)?;
    let mut shape = vec![1; wider.len().saturating_sub(call.shape(x).len())];
    shape.extend(call.shape(x));
    let y = call.reshape(x, shape.clone())?;
    let repeated = |(&from, &to): (&usize, &usize)| (from != to).then(|| vec![Some(0); to]);
    let sources = shape.iter().zip(wider).map(repeated).collect();
    call.take(y, sources, 0.0)
}

fn expand(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let x = call.any(0)?;
    let wider = shape::broadcast(&call.shape(x.id), &target(call, 1, "shape")?).map_err(NodeFault::Shape)?;
    let y = broadcast_to(call, x.id, &wider)?;
    call.finish_as(y, x.coded)
}

fn tile(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let x = call.any(0)?;
    let (shape, repeats) = (call.shape(x.id), target(call, 1, "repeats")?);
    if shape.len() != repeats.len() {
        return Err(NodeFault::Shape(format!("{shape:?} repeated {repeats:?} times")));
    }
    let wider: Vec<usize> = shape.iter().zip(&repeats).map(|(&n, &times)| n.saturating_mul(times)).collect();
    call.room(&wider)?;
    let repeated = |(&n, &wide): (&usize, &usize)| Some((0..wide).map(|j| Some(j % n)).collect());
    let sources = shape.iter().zip(&wider).map(repeated).collect();
    let y = call.take(x.id, sources, 0.0)?;
    call.finish_as(y, x.coded)
}

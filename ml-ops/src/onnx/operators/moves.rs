//! Operators that give elements other extents or another order.

use super::{Call, Table};
use crate::{
    error::NodeFault,
    graph::{Operator, elements},
    num,
};

pub(super) const TABLE: Table = &[
    ("Concat", concat),
    ("DepthToSpace", depth_to_space),
    ("Dropout", dropout),
    ("Flatten", flatten),
    ("Identity", identity),
    ("Reshape", reshape),
    ("SpaceToDepth", space_to_depth),
    ("Squeeze", squeeze),
    ("Transpose", transpose),
    ("Unsqueeze", unsqueeze),
];

fn identity(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let named = call.any(0)?;
    call.finish_as(named.id, named.coded)
}

/// Identity at inference; the mask is true everywhere.
fn dropout(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    if call.has_operand(2) && call.integers(2, "training_mode")? != [0] {
        return Err(NodeFault::Value { name: "training_mode", value: "true".into(), supported: "false" });
    }
    identity(call)?;
    if call.wants(1) {
        let shape = call.shape_of(0)?;
        call.charge(elements(&shape))?;
        let ones = vec![1; elements(&shape)];
        let mask = call.integer_constant(shape, ones);
        call.kind = crate::onnx::tensors::BOOL;
        call.finish_at(1, mask)?;
    }
    Ok(())
}

fn flatten(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let named = call.any(0)?;
    let shape = call.shape(named.id);
    // One past the last axis is allowed here.
    let axis = call.axis("axis", call.int("axis", 1), shape.len() + 1);
    let axis = if call.int("axis", 1) < 0 { call.axis("axis", call.int("axis", 1), shape.len()) } else { axis }?;
    let (rows, columns) = shape.split_at(axis);
    let y = call.reshape(named.id, vec![elements(rows), elements(columns)])?;
    call.finish_as(y, named.coded)
}

/// 0 keeps an extent (unless `allowzero`), −1 takes what is left.
fn reshape(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let named = call.any(0)?;
    let from = call.shape(named.id);
    let target = call.integers(1, "shape")?;
    let wrong = || NodeFault::Shape(format!("{from:?} reshaped to {target:?}"));
    let mut shape = Vec::with_capacity(target.len());
    for (axis, &extent) in target.iter().enumerate() {
        shape.push(match extent {
            0 if call.int("allowzero", 0) == 0 => *from.get(axis).ok_or_else(wrong)?,
            -1 => 1,
            extent => num::index(extent).ok_or_else(wrong)?,
        });
    }
    let mut free = target.iter().enumerate().filter(|(_, extent)| **extent == -1);
    if let Some((axis, _)) = free.next() {
        shape[axis] = elements(&from).checked_div(elements(&shape)).ok_or_else(wrong)?;
    }
    if free.next().is_some() {
        return Err(wrong());
    }
    let y = call.reshape(named.id, shape)?;
    call.finish_as(y, named.coded)
}

fn transpose(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let named = call.any(0)?;
    let rank = call.shape(named.id).len();
    let perm: Vec<usize> = match call.ints("perm") {
        Some(perm) => perm.iter().map(|&axis| call.axis("perm", axis, rank)).collect::<Result<_, _>>()?,
        None => (0..rank).rev().collect(),
    };
    let y = if perm.len() == rank { call.transpose(named.id, perm)? } else { return Err(wrong_order(&perm, rank)) };
    call.finish_as(y, named.coded)
}

/// Axes are an attribute before opset 13, an operand since.
fn axes(call: &Call<'_, '_>, rank: usize) -> Result<Option<Vec<usize>>, NodeFault> {
    let axes = if call.opset() < 13 {
        call.ints("axes")
    } else if call.optional(1)?.is_some() {
        Some(call.integers(1, "axes")?)
    } else {
        None
    };
    let Some(axes) = axes else {
        return Ok(None);
    };
    let mut axes: Vec<usize> = axes.iter().map(|&axis| call.axis("axes", axis, rank)).collect::<Result<_, _>>()?;
    axes.sort_unstable();
    axes.dedup();
    Ok(Some(axes))
}

fn squeeze(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let named = call.any(0)?;
    let shape = call.shape(named.id);
    let axes = axes(call, shape.len())?;
    if let Some(axis) = axes.iter().flatten().find(|&&axis| shape[axis] != 1) {
        return Err(NodeFault::Shape(format!("axis {axis} of {shape:?} is not 1")));
    }
    let gone = |axis: usize| axes.as_ref().map_or(shape[axis] == 1, |axes| axes.contains(&axis));
    let kept = (0..shape.len()).filter(|&axis| !gone(axis)).map(|axis| shape[axis]).collect();
    let y = call.reshape(named.id, kept)?;
    call.finish_as(y, named.coded)
}

fn unsqueeze(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let named = call.any(0)?;
    let shape = call.shape(named.id);
    let count = if call.opset() < 13 {
        call.ints("axes").map_or(0, |axes| axes.len())
    } else {
        call.integers(1, "axes")?.len()
    };
    let rank = shape.len() + count;
    let axes = axes(call, rank)?.unwrap_or_default();
    if axes.len() != count {
        return Err(NodeFault::Shape(format!("axes {axes:?} are given twice")));
    }
    let mut old = shape.iter().copied();
    let wider = (0..rank).map(|axis| if axes.contains(&axis) { 1 } else { old.next().unwrap_or(1) }).collect();
    let y = call.reshape(named.id, wider)?;
    call.finish_as(y, named.coded)
}

fn concat(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let named = (0..call.operands()).map(|i| call.any(i)).collect::<Result<Vec<_>, _>>()?;
    let first = named.first().copied().ok_or(NodeFault::MissingInput(0))?;
    if let Some(i) = named.iter().position(|other| other.coded != first.coded) {
        return Err(NodeFault::Encoded(i));
    }
    let axis = call.axis("axis", call.int("axis", 1), call.shape(first.id).len())?;
    let ids: Vec<_> = named.iter().map(|named| named.id).collect();
    let y = if ids.len() == 1 { first.id } else { call.emit(Operator::Concat { axis }, &ids)? };
    call.finish_as(y, first.coded)
}

fn wrong_order(perm: &[usize], rank: usize) -> NodeFault {
    NodeFault::Value {
        name: "perm",
        value: format!("{perm:?}"),
        supported: if rank == 0 { "none" } else { "all axes" },
    }
}

/// `[N, C, H, W]` and the square of blocks in it.
fn blocks(call: &Call<'_, '_>) -> Result<([usize; 4], usize), NodeFault> {
    let (shape, block) = (call.shape_of(0)?, call.size("blocksize", 0, 1)?);
    let wrong = || NodeFault::Shape(format!("blocks of {block} in {shape:?}"));
    Ok((shape.as_slice().try_into().map_err(|_| wrong())?, block))
}

fn depth_to_space(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let ([n, c, h, w], b) = blocks(call)?;
    let deep = c / (b * b);
    let (split, perm) = match call.text("mode", "DCR").as_str() {
        "DCR" => (vec![n, b, b, deep, h, w], vec![0, 3, 4, 1, 5, 2]),
        "CRD" => (vec![n, deep, b, b, h, w], vec![0, 1, 4, 2, 5, 3]),
        other => return Err(NodeFault::Value { name: "mode", value: other.into(), supported: "DCR, CRD" }),
    };
    rearrange(call, split, perm, vec![n, deep, h * b, w * b])
}

fn space_to_depth(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let ([n, c, h, w], b) = blocks(call)?;
    let (high, wide) = (h / b, w / b);
    rearrange(call, vec![n, c, high, b, wide, b], vec![0, 3, 5, 1, 2, 4], vec![n, c.saturating_mul(b * b), high, wide])
}

fn rearrange(call: &mut Call<'_, '_>, split: Vec<usize>, perm: Vec<usize>, shape: Vec<usize>) -> Result<(), NodeFault> {
    let x = call.any(0)?;
    let y = call.reshape(x.id, split)?;
    let y = call.transpose(y, perm)?;
    let y = call.reshape(y, shape)?;
    call.finish_as(y, x.coded)
}

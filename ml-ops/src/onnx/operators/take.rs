//! Operators that choose elements by index.

use super::{Call, Table, activation::along_axis};
use crate::{
    error::NodeFault,
    graph::{Operator, Pairwise, ValueId, elements, shape},
    moves, num,
    onnx::{Coded, tensors},
};

pub(super) const TABLE: Table = &[
    ("CenterCropPad", center_crop_pad),
    ("Expand", expand),
    ("Gather", gather),
    ("GatherElements", gather_elements),
    ("GatherND", gather_nd),
    ("OneHot", one_hot),
    ("Pad", pad),
    ("ReverseSequence", reverse_sequence),
    ("Slice", slice),
    ("Split", split),
    ("Tile", tile),
    ("Trilu", trilu),
];

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

/// Attributes before opset 11, operands since; negative pads crop.
fn pad(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let x = call.any(0)?;
    let shape = call.shape(x.id);
    let (pads, fill) = if call.opset() < 11 {
        (call.ints("pads").unwrap_or_default(), call.float("value", 0.0)?)
    } else {
        (call.integers(1, "pads")?, fill(call, x.coded)?)
    };
    let axes = if call.opset() >= 18 && call.has_operand(3) {
        let axes = call.integers(3, "axes")?;
        axes.iter().map(|&axis| call.axis("axes", axis, shape.len())).collect::<Result<_, _>>()?
    } else {
        (0..shape.len()).collect::<Vec<_>>()
    };
    if pads.len() != 2 * axes.len() {
        return Err(NodeFault::Shape(format!("{} pads for {} axes", pads.len(), axes.len())));
    }
    let mode = call.text("mode", "constant");
    let (mut sources, mut wider) = (vec![None; shape.len()], shape.clone());
    for (i, &axis) in axes.iter().enumerate() {
        let (before, after) = (pads[i], pads[axes.len() + i]);
        let extent = i128::from(before) + i128::from(after) + i128::from(num::signed(shape[axis]));
        wider[axis] = usize::try_from(extent.max(0)).unwrap_or(usize::MAX);
        call.room(&wider)?;
        sources[axis] = Some(padded(shape[axis], before, wider[axis], &mode)?);
    }
    let y = call.take(x.id, sources, fill)?;
    call.finish_as(y, x.coded)
}

/// What padding reads, as the number that stored integers stand for.
fn fill(call: &Call<'_, '_>, coded: Option<Coded>) -> Result<f32, NodeFault> {
    let stored = if !call.has_operand(2) {
        0
    } else if tensors::is_float(call.kind) {
        return match call.floats(2, "constant value")?.as_slice() {
            [] => Ok(0.0),
            [value, ..] => Ok(*value),
        };
    } else {
        call.integers(2, "constant value")?.first().copied().unwrap_or(0)
    };
    let real = match coded {
        None => num::real(stored),
        Some(Coded::With(encoding)) => encoding.real(stored),
        Some(Coded::Input(..)) => return Err(NodeFault::Encoded(0)),
    };
    let fill = num::single(real);
    if coded.is_none() && f64::from(fill) != real {
        let value = stored.to_string();
        return Err(NodeFault::Value { name: "constant value", value, supported: "integers up to 2^24" });
    }
    Ok(fill)
}

/// Where each padded index reads.
fn padded(extent: usize, before: i64, wider: usize, mode: &str) -> Result<Vec<Option<usize>>, NodeFault> {
    let n = num::signed(extent);
    let inside = |index: i64| num::index(index).filter(|&index| index < extent);
    let place: Box<dyn Fn(i64) -> Option<usize>> = match mode {
        "constant" => Box::new(inside),
        "edge" if n > 0 => Box::new(|index| inside(index.clamp(0, n - 1))),
        "wrap" if n > 0 => Box::new(|index| inside(index.rem_euclid(n))),
        "reflect" if n > 0 => Box::new(|index| {
            let period = (2 * (n - 1)).max(1);
            let place = index.rem_euclid(period);
            inside(place.min(period - place).min(n - 1))
        }),
        other => {
            let supported = "constant, edge, reflect, wrap";
            return Err(NodeFault::Value { name: "mode", value: other.into(), supported });
        }
    };
    Ok((0..num::signed(wider)).map(|j| place(j.saturating_sub(before))).collect())
}

/// Extents given by a constant operand.
fn target(call: &Call<'_, '_>, i: usize, what: &'static str) -> Result<Vec<usize>, NodeFault> {
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

/// With constant indices, a choice along the axis.
fn gather(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let (x, indices) = (call.any(0)?, call.operand(1)?);
    let shape = call.shape(x.id);
    let axis = call.axis("axis", call.int("axis", 0), shape.len())?;
    let y = match call.value(indices).integers() {
        None => call.emit(Operator::Gather { axis }, &[x.id, indices])?,
        Some(list) => {
            let picked: Vec<usize> =
                list.iter().map(|&i| call.axis("indices", i, shape[axis])).collect::<Result<_, _>>()?;
            let result = shape::infer(&Operator::Gather { axis }, &[&shape, &call.shape(indices)]);
            let result = result.map_err(NodeFault::Shape)?;
            call.room(&result)?;
            let y = call.take_along(x.id, axis, picked)?;
            call.reshape(y, result)?
        }
    };
    call.finish_as(y, x.coded)
}

/// Elements of `x` at row-major numbers, as blocks of `inner` elements.
fn at(
    call: &mut Call<'_, '_>,
    x: ValueId,
    inner: usize,
    numbers: Vec<usize>,
    shape: Vec<usize>,
) -> Result<ValueId, NodeFault> {
    let count = elements(&call.shape(x)) / inner.max(1);
    let flat = call.reshape(x, vec![count, inner])?;
    let y = call.take_along(flat, 0, numbers)?;
    call.reshape(y, shape)
}

fn gather_elements(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let (x, indices) = (call.operand(0)?, call.operand(1)?);
    let shape = call.shape(x);
    let axis = call.axis("axis", call.int("axis", 0), shape.len())?;
    let operator = Operator::GatherElements { axis };
    let Some(list) = call.value(indices).integers() else {
        let y = call.emit(operator, &[x, indices])?;
        return call.finish(y);
    };
    let result = shape::infer(&operator, &[&shape, &call.shape(indices)]).map_err(NodeFault::Shape)?;
    let mut strides = moves::strides(&shape);
    let stride = std::mem::take(&mut strides[axis]);
    let mut list = list.iter();
    let mut numbers = Vec::new();
    moves::for_each_offset(&result, &strides, |offset| {
        let index = list.next().map(|&index| call.axis("indices", index, shape[axis]));
        numbers.extend(index.map(|index| index.map(|index| offset + index * stride)));
    });
    let numbers = numbers.into_iter().collect::<Result<_, _>>()?;
    let y = at(call, x, 1, numbers, result)?;
    call.finish(y)
}

fn gather_nd(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let (x, indices) = (call.operand(0)?, call.operand(1)?);
    let (shape, tuples) = (call.shape(x), call.shape(indices));
    let batch = call.size("batch_dims", 0, 0)?;
    let operator = Operator::GatherNd { batch };
    let result = shape::infer(&operator, &[&shape, &tuples]).map_err(NodeFault::Shape)?;
    let Some(list) = call.value(indices).integers() else {
        let y = call.emit(operator, &[x, indices])?;
        return call.finish(y);
    };
    let width = tuples.last().copied().unwrap_or(1);
    let places = &shape[batch..batch + width];
    let per_batch = (elements(&tuples[batch..]) / width.max(1)).max(1);
    let numbers = list.chunks(width.max(1)).enumerate().map(|(number, tuple)| {
        tuple.iter().zip(places).try_fold(number / per_batch, |number, (&index, &extent)| {
            Ok(number * extent + call.axis("indices", index, extent)?)
        })
    });
    let numbers = numbers.collect::<Result<_, NodeFault>>()?;
    let y = at(call, x, elements(&shape[batch + width..]), numbers, result)?;
    call.finish(y)
}

/// The first `lengths[batch]` elements along the time axis in reverse.
fn reverse_sequence(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let x = call.operand(0)?;
    let shape = call.shape(x);
    let lengths = target(call, 1, "sequence lengths")?;
    let (batch, time) = (call.size("batch_axis", 1, 0)?, call.size("time_axis", 0, 0)?);
    if batch.max(time) > 1 || batch == time || shape.len() < 2 || lengths.len() != shape[batch] {
        return Err(NodeFault::Shape(format!("{} sequences of {shape:?}, axes {batch} and {time}", lengths.len())));
    }
    let inner = elements(&shape[2..]);
    let numbers = (0..shape[0] * shape[1]).map(|number| {
        let mut place = [number / shape[1], number % shape[1]];
        if let Some(mirrored) = lengths[place[batch]].checked_sub(place[time] + 1) {
            place[time] = mirrored;
        }
        place[0] * shape[1] + place[1]
    });
    let numbers: Vec<usize> = numbers.collect();
    if lengths.iter().any(|&length| length > shape[time]) {
        return Err(NodeFault::Shape(format!("sequences {lengths:?} are longer than axis {time} of {shape:?}")));
    }
    let y = at(call, x, inner, numbers, shape)?;
    call.finish(y)
}

fn center_crop_pad(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let x = call.operand(0)?;
    let shape = call.shape(x);
    let wanted = target(call, 1, "shape")?;
    let axes = match call.ints("axes") {
        Some(axes) => axes.iter().map(|&axis| call.axis("axes", axis, shape.len())).collect::<Result<_, _>>()?,
        None => (0..shape.len()).collect::<Vec<_>>(),
    };
    if axes.len() != wanted.len() {
        return Err(NodeFault::Shape(format!("{wanted:?} for axes {axes:?}")));
    }
    let mut sources = vec![None; shape.len()];
    for (&axis, &wanted) in axes.iter().zip(&wanted) {
        call.room(&[wanted])?;
        let n = shape[axis];
        let before = num::signed(wanted.saturating_sub(n) / 2) - num::signed(n.saturating_sub(wanted) / 2);
        sources[axis] = Some(padded(n, before, wanted, "constant")?);
    }
    let y = call.take(x, sources, 0.0)?;
    call.finish(y)
}

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

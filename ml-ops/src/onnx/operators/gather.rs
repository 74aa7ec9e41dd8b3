//! Operators that choose elements by indices, constant or computed.

use super::{Call, Table, take::target};
use crate::{
    error::NodeFault,
    graph::{Operator, ValueId, elements, shape},
    moves,
};

pub(super) const TABLE: Table = &[
    ("Gather", gather),
    ("GatherElements", gather_elements),
    ("GatherND", gather_nd),
    ("ReverseSequence", reverse_sequence),
];

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
    if lengths.iter().any(|&length| length > shape[time]) {
        return Err(NodeFault::Shape(format!("sequences {lengths:?} are longer than axis {time} of {shape:?}")));
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
    let y = at(call, x, inner, numbers, shape)?;
    call.finish(y)
}

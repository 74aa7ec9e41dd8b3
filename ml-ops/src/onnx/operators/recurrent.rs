//! `RNN`, `GRU` and `LSTM`, unrolled over the sequence.
//!
//! The products with the input go over all steps at once; only the products with the state are one for each step.

mod activations;
mod cells;

use super::{Call, Table};
use crate::{
    error::NodeFault,
    graph::{Operator, ValueId},
};
use activations::Activation;
use cells::{Cell, State};

pub(super) const TABLE: Table = &[
    ("GRU", |call| read(call, Cell::Gru)),
    ("LSTM", |call| read(call, Cell::Lstm)),
    ("RNN", |call| read(call, Cell::Rnn)),
];

/// Sizes of a sequence.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    steps: usize,
    batch: usize,
    input: usize,
    hidden: usize,
}

/// Operands and attributes that all directions share.
struct Layer {
    cell: Cell,
    sizes: Sizes,
    /// `[steps · batch, input]`.
    x: ValueId,
    /// Bound of what enters the activations.
    clip: Option<f32>,
    linear_before_reset: bool,
    input_forget: bool,
}

/// One direction of a layer.
struct Direction {
    /// `[gates · hidden, hidden]`.
    recurrent: ValueId,
    /// `[gates · hidden]`, if biases of the state are kept apart from those of the input.
    recurrent_bias: Option<ValueId>,
    /// `[3, hidden]`.
    peepholes: Option<ValueId>,
    activations: Vec<Activation>,
}

fn read(call: &mut Call<'_, '_>, cell: Cell) -> Result<(), NodeFault> {
    let (weights, layout) = (call.shape(call.constant_floats(1, "weights")?), call.flag("layout", false));
    let x = call.operand(0)?;
    let &[directions, rows, input] = weights.as_slice() else {
        return Err(NodeFault::Shape(format!("weights {weights:?}")));
    };
    let hidden = rows / cell.gates();
    let x = if layout { transposed(call, x)? } else { x };
    let shape = call.shape(x);
    let &[steps, batch, width] = shape.as_slice() else {
        return Err(NodeFault::Shape(format!("sequence {shape:?}")));
    };
    let reverse: &[bool] = match call.text("direction", "forward").as_str() {
        "forward" => &[false],
        "reverse" => &[true],
        "bidirectional" => &[false, true],
        other => {
            let supported = "forward, reverse, bidirectional";
            return Err(NodeFault::Value { name: "direction", value: other.into(), supported });
        }
    };
    let sizes = Sizes { steps, batch, input, hidden };
    if width != input || directions != reverse.len() || rows != cell.gates() * hidden || hidden == 0 {
        return Err(NodeFault::Shape(format!("weights {weights:?} on {shape:?}, {} directions", reverse.len())));
    }
    whole_sequences(call, sizes)?;
    let clip = if call.has("clip") { Some(call.float("clip", 0.0)?.abs()) } else { None };
    let layer = Layer {
        cell,
        sizes,
        x: call.reshape(x, vec![steps * batch, input])?,
        clip,
        linear_before_reset: call.flag("linear_before_reset", false),
        input_forget: call.flag("input_forget", false),
    };
    let mut sides = Vec::new();
    for (number, &reverse) in reverse.iter().enumerate() {
        sides.push(run(call, &layer, number, reverse, layout)?);
    }
    finish(call, &layer, &sides, layout)
}

/// `[batch, steps, ..]` to `[steps, batch, ..]` and back.
fn transposed(call: &mut Call<'_, '_>, x: ValueId) -> Result<ValueId, NodeFault> {
    let rank = call.shape(x).len();
    if rank < 2 {
        return Err(NodeFault::Shape(format!("sequence {:?}", call.shape(x))));
    }
    call.transpose(x, [1, 0].into_iter().chain(2..rank).collect())
}

/// Sequences that end early are not read.
fn whole_sequences(call: &Call<'_, '_>, sizes: Sizes) -> Result<(), NodeFault> {
    if !call.has_operand(4) {
        return Ok(());
    }
    let lengths = call.integers(4, "sequence lengths")?;
    if lengths.iter().any(|&length| usize::try_from(length) != Ok(sizes.steps)) {
        let value = format!("{lengths:?}");
        return Err(NodeFault::Value { name: "sequence_lens", value, supported: "the length of the input" });
    }
    Ok(())
}

/// The results of one direction.
struct Side {
    /// State after each step in the order of time, `[batch, hidden]`.
    outputs: Vec<ValueId>,
    last: State,
}

fn run(call: &mut Call<'_, '_>, layer: &Layer, number: usize, reverse: bool, layout: bool) -> Result<Side, NodeFault> {
    let Sizes { steps, batch, hidden, .. } = layer.sizes;
    let width = layer.cell.gates() * hidden;
    let part = |call: &mut Call<'_, '_>, i: usize, what, shape: Vec<usize>| -> Result<ValueId, NodeFault> {
        let all = call.constant_floats(i, what)?;
        let one = call.take_along(all, 0, [number])?;
        call.reshape(one, shape)
    };
    let weights = part(call, 1, "weights", vec![width, layer.sizes.input])?;
    let recurrent = part(call, 2, "recurrent weights", vec![width, hidden])?;
    let (mut bias, mut recurrent_bias) = (None, None);
    if call.has_operand(3) {
        let both = part(call, 3, "biases", vec![2, width])?;
        let [own, other] = [0, 1].map(|row| {
            let one = call.take_along(both, 0, [row])?;
            call.reshape(one, vec![width])
        });
        // Only a reset gate comes between the two.
        let apart = layer.cell == Cell::Gru;
        bias = Some(if apart { own? } else { call.emit(Operator::Add, &[own?, other.clone()?])? });
        recurrent_bias = if apart { Some(other?) } else { None };
    }
    let peepholes = match layer.cell {
        Cell::Lstm if call.has_operand(7) => Some(part(call, 7, "peepholes", vec![3, hidden])?),
        _ => None,
    };
    let activations = activations::of(call, layer.cell, number)?;
    let direction = Direction { recurrent, recurrent_bias, peepholes, activations };
    let operands: Vec<ValueId> = [layer.x, weights].into_iter().chain(bias).collect();
    let products = call.emit(Operator::Dense, &operands)?;
    let products = call.reshape(products, vec![steps, batch, width])?;
    let mut state = State { hidden: initial(call, layer, 5, number, layout)?, cell: None };
    if layer.cell == Cell::Lstm {
        state.cell = initial(call, layer, 6, number, layout)?;
    }
    let mut outputs = Vec::new();
    for step in 0..steps {
        let step = if reverse { steps - 1 - step } else { step };
        let product = call.take_along(products, 0, [step])?;
        let product = call.reshape(product, vec![batch, width])?;
        state = cells::step(call, layer, &direction, product, state)?;
        outputs.extend(state.hidden);
    }
    if reverse {
        outputs.reverse();
    }
    Ok(Side { outputs, last: state })
}

/// Operand `i` for a direction as `[batch, hidden]`; `None` for zeros.
fn initial(
    call: &mut Call<'_, '_>,
    layer: &Layer,
    i: usize,
    number: usize,
    layout: bool,
) -> Result<Option<ValueId>, NodeFault> {
    let Some(all) = call.optional(i)? else {
        return Ok(None);
    };
    let axis = usize::from(layout);
    if call.shape(all).get(axis).is_none_or(|&directions| directions <= number) {
        return Err(NodeFault::Shape(format!("initial state {:?}", call.shape(all))));
    }
    let one = call.take_along(all, axis, [number])?;
    call.reshape(one, vec![layer.sizes.batch, layer.sizes.hidden]).map(Some)
}

/// `Y [steps, directions, batch, hidden]`, `Y_h` and `Y_c [directions, batch, hidden]`; with `layout` the batch is first.
fn finish(call: &mut Call<'_, '_>, layer: &Layer, sides: &[Side], layout: bool) -> Result<(), NodeFault> {
    let Sizes { steps, batch, hidden, .. } = layer.sizes;
    if call.wants(0) {
        let mut parts = Vec::new();
        for step in 0..steps {
            for side in sides {
                parts.push(call.reshape(side.outputs[step], vec![1, batch, hidden])?);
            }
        }
        let all = concatenated(call, &parts)?;
        let y = call.reshape(all, vec![steps, sides.len(), batch, hidden])?;
        let y = if layout { call.transpose(y, vec![2, 0, 1, 3])? } else { y };
        call.finish_at(0, y)?;
    }
    let last = |state: &State, i: usize| if i == 1 { state.hidden } else { state.cell };
    for i in [1, 2] {
        if !call.wants(i) {
            continue;
        }
        let mut parts = Vec::new();
        for id in sides.iter().filter_map(|side| last(&side.last, i)) {
            parts.push(call.reshape(id, vec![1, batch, hidden])?);
        }
        let y = concatenated(call, &parts)?;
        let y = if layout { transposed(call, y)? } else { y };
        call.finish_at(i, y)?;
    }
    Ok(())
}

fn concatenated(call: &mut Call<'_, '_>, parts: &[ValueId]) -> Result<ValueId, NodeFault> {
    match parts {
        [] => Err(NodeFault::NoOutput),
        [one] => Ok(*one),
        _ => call.emit(Operator::Concat { axis: 0 }, parts),
    }
}

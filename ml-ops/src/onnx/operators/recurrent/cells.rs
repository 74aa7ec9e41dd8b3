//! One step of each cell, by the equations of the ONNX operator definitions.

use super::{Direction, Layer, activations::Activation};
use crate::{
    error::NodeFault,
    graph::{Operator, ValueId},
    onnx::call::Call,
};

/// A kind of cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cell {
    Rnn,
    Gru,
    Lstm,
}

impl Cell {
    /// Blocks of rows in the weights.
    pub(super) const fn gates(self) -> usize {
        match self {
            Self::Rnn => 1,
            Self::Gru => 3,
            Self::Lstm => 4,
        }
    }

    /// Activations unless told otherwise.
    pub(super) const fn activations(self) -> &'static [Activation] {
        match self {
            Self::Rnn => &[Activation::Tanh],
            Self::Gru => &[Activation::Sigmoid, Activation::Tanh],
            Self::Lstm => &[Activation::Sigmoid, Activation::Tanh, Activation::Tanh],
        }
    }
}

/// What goes from step to step, `[batch, hidden]` each; `None` for zeros.
#[derive(Debug, Clone, Copy)]
pub(super) struct State {
    pub(super) hidden: Option<ValueId>,
    pub(super) cell: Option<ValueId>,
}

/// The next state. `x` is the input's product with the weights, `[batch, gates · hidden]`.
pub(super) fn step(
    call: &mut Call<'_, '_>,
    layer: &Layer,
    direction: &Direction,
    x: ValueId,
    state: State,
) -> Result<State, NodeFault> {
    let mut cell = Step { call, layer, direction };
    match layer.cell {
        Cell::Rnn => cell.rnn(x, state),
        Cell::Gru => cell.gru(x, state),
        Cell::Lstm => cell.lstm(x, state),
    }
}

struct Step<'c, 'r, 'a> {
    call: &'c mut Call<'r, 'a>,
    layer: &'c Layer,
    direction: &'c Direction,
}

impl Step<'_, '_, '_> {
    fn add(&mut self, a: ValueId, b: ValueId) -> Result<ValueId, NodeFault> {
        self.call.emit(Operator::Add, &[a, b])
    }

    fn mul(&mut self, a: ValueId, b: ValueId) -> Result<ValueId, NodeFault> {
        self.call.emit(Operator::Mul, &[a, b])
    }

    /// Blocks `from` to `to` of `hidden` columns.
    fn blocks(&mut self, x: ValueId, from: usize, to: usize) -> Result<ValueId, NodeFault> {
        let hidden = self.layer.sizes.hidden;
        let axis = self.call.shape(x).len().saturating_sub(1);
        self.call.take_along(x, axis, from * hidden..to * hidden)
    }

    /// Activation number `i`, of a bounded argument.
    fn activate(&mut self, i: usize, mut x: ValueId) -> Result<ValueId, NodeFault> {
        if let Some(bound) = self.layer.clip {
            x = self.call.emit(Operator::Clip { low: -bound, high: bound }, &[x])?;
        }
        self.direction.activations[i].emit(self.call, x)
    }

    /// `x` plus the state's product with rows of the recurrent weights; a state of zeros adds nothing.
    fn with_state(&mut self, x: ValueId, state: Option<ValueId>) -> Result<ValueId, NodeFault> {
        let Some(state) = state else {
            return Ok(x);
        };
        let product = self.call.emit(Operator::Dense, &[state, self.direction.recurrent])?;
        self.add(x, product)
    }

    fn rnn(&mut self, x: ValueId, state: State) -> Result<State, NodeFault> {
        let sum = self.with_state(x, state.hidden)?;
        Ok(State { hidden: Some(self.activate(0, sum)?), cell: None })
    }

    /// Gates in the order input, output, forget, cell.
    fn lstm(&mut self, x: ValueId, state: State) -> Result<State, NodeFault> {
        let sum = self.with_state(x, state.hidden)?;
        let (input, output, forget) = match self.direction.peepholes {
            // Without peepholes the three gates are one value.
            None => {
                let gates = self.blocks(sum, 0, 3)?;
                let gates = self.activate(0, gates)?;
                (self.blocks(gates, 0, 1)?, Ok(self.blocks(gates, 1, 2)?), self.blocks(gates, 2, 3)?)
            }
            Some(weights) => {
                let input = self.peeping(sum, 0, weights, 0, state.cell)?;
                let forget = self.peeping(sum, 2, weights, 2, state.cell)?;
                (self.activate(0, input)?, Err(weights), self.activate(0, forget)?)
            }
        };
        let forget = if self.layer.input_forget { self.call.affine(input, -1.0, 1.0)? } else { forget };
        let candidate = self.blocks(sum, 3, 4)?;
        let candidate = self.activate(1, candidate)?;
        let mut cell = self.mul(input, candidate)?;
        if let Some(old) = state.cell {
            let kept = self.mul(forget, old)?;
            cell = self.add(kept, cell)?;
        }
        let output = match output {
            Ok(output) => output,
            Err(weights) => {
                let output = self.peeping(sum, 1, weights, 1, Some(cell))?;
                self.activate(0, output)?
            }
        };
        // The bound concerns what enters the gates.
        let squashed = self.direction.activations[2].emit(self.call, cell)?;
        Ok(State { hidden: Some(self.mul(output, squashed)?), cell: Some(cell) })
    }

    /// Block `gate` of the sum plus the cell's state times a row of the peepholes.
    fn peeping(
        &mut self,
        sum: ValueId,
        gate: usize,
        weights: ValueId,
        row: usize,
        cell: Option<ValueId>,
    ) -> Result<ValueId, NodeFault> {
        let own = self.blocks(sum, gate, gate + 1)?;
        let Some(cell) = cell else {
            return Ok(own);
        };
        let row = self.call.take_along(weights, 0, [row])?;
        let seen = self.mul(cell, row)?;
        self.add(own, seen)
    }

    /// Rows of a constant by blocks of `hidden`.
    fn rows(&mut self, id: ValueId, from: usize, to: usize) -> Result<ValueId, NodeFault> {
        let hidden = self.layer.sizes.hidden;
        self.call.take_along(id, 0, from * hidden..to * hidden)
    }

    /// A product of the state with rows of the recurrent weights, with their bias; `None` if both are 0.
    fn recurrence(&mut self, state: Option<ValueId>, from: usize, to: usize) -> Result<Option<ValueId>, NodeFault> {
        let bias = match self.direction.recurrent_bias {
            Some(bias) => Some(self.rows(bias, from, to)?),
            None => None,
        };
        let Some(state) = state else {
            return Ok(bias);
        };
        let weights = self.rows(self.direction.recurrent, from, to)?;
        let operands: Vec<ValueId> = [state, weights].into_iter().chain(bias).collect();
        self.call.emit(Operator::Dense, &operands).map(Some)
    }

    fn plus(&mut self, x: ValueId, other: Option<ValueId>) -> Result<ValueId, NodeFault> {
        other.map_or(Ok(x), |other| self.add(x, other))
    }

    /// Gates in the order update, reset, hidden. `h = (1 − z) · g + z · h' = g + z · (h' − g)`.
    fn gru(&mut self, x: ValueId, state: State) -> Result<State, NodeFault> {
        let gates = self.blocks(x, 0, 2)?;
        let recurrence = self.recurrence(state.hidden, 0, 2)?;
        let gates = self.plus(gates, recurrence)?;
        let gates = self.activate(0, gates)?;
        let (update, reset) = (self.blocks(gates, 0, 1)?, self.blocks(gates, 1, 2)?);
        let recurrence = if self.layer.linear_before_reset {
            match self.recurrence(state.hidden, 2, 3)? {
                Some(recurrence) => Some(self.mul(reset, recurrence)?),
                None => None,
            }
        } else {
            let kept = match state.hidden {
                Some(hidden) => Some(self.mul(reset, hidden)?),
                None => None,
            };
            self.recurrence(kept, 2, 3)?
        };
        let candidate = self.blocks(x, 2, 3)?;
        let candidate = self.plus(candidate, recurrence)?;
        let candidate = self.activate(1, candidate)?;
        let hidden = match state.hidden {
            Some(old) => {
                let change = self.call.emit(Operator::Sub, &[old, candidate])?;
                let change = self.mul(update, change)?;
                self.add(candidate, change)?
            }
            None => {
                let kept = self.call.affine(update, -1.0, 1.0)?;
                self.mul(kept, candidate)?
            }
        };
        Ok(State { hidden: Some(hidden), cell: None })
    }
}

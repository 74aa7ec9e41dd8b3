//! One run, iteration by iteration, over values of which only some stay.

use opml_vm::{ModelError, Tensor, interpreter};

use super::{Engine, moving::Moving, run::Sample};
use crate::num;

/// A run that is being computed.
pub(super) struct Walk<'a> {
    engine: &'a Engine,
    pub(super) sample: Sample<'a>,
    moving: Moving,
    budget: u64,
    spent: u64,
}

/// Told of each value `(t, i)` when it is written; what comes later is computed from what it leaves there. It may change values
/// only of an instruction that the engine [doubts](Engine::doubting).
pub type Hook<'h> = &'h mut dyn FnMut(u64, u32, &mut Tensor);

impl<'a> Walk<'a> {
    /// A run of at most `budget` elements over values that are there already.
    ///
    /// # Errors
    /// The inputs do not match the headers.
    pub(super) fn new(
        engine: &'a Engine,
        inputs: &'a [Tensor],
        values: Vec<Tensor>,
        budget: u64,
    ) -> Result<Self, ModelError> {
        engine.program.check_inputs(inputs)?;
        let sample = Sample { inputs, values, length: None };
        Ok(Self { engine, sample, moving: Moving::new(engine.forms.len()), budget, spent: 0 })
    }

    /// Computes an iteration. After instruction `i` the values of `after[i]` go.
    ///
    /// # Errors
    /// The run is larger than its budget.
    pub(super) fn iteration(&mut self, t: u64, after: &[Vec<u32>], hook: Hook<'_>) -> Result<(), ModelError> {
        let engine = self.engine;
        let program = engine.program.as_ref();
        for ((number, instruction), form) in (0..).zip(program.instructions()).zip(&engine.forms) {
            self.spent = self.spent.saturating_add(instruction.elements(t));
            if self.spent > self.budget {
                let (value, limit) = (self.spent, self.budget);
                return Err(ModelError::TooLarge { what: "number of elements", value, limit });
            }
            let frame = self.sample.frame(program, (t, number));
            let value = engine.step(&[frame], instruction, form.as_ref(), &mut self.moving).pop();
            let mut value = value.unwrap_or_else(Tensor::empty);
            hook(t, number, &mut value);
            self.put(t, number, value);
            if let Some(list) = after.get(num::size(number.into())) {
                engine.release(list, &mut self.sample, t, &engine.pool);
            }
        }
        Ok(())
    }

    fn put(&mut self, t: u64, number: u32, value: Tensor) {
        let leaf = interpreter::leaf_index(self.engine.program.counts().instructions, t, number);
        match leaf.and_then(|leaf| self.sample.values.get_mut(num::size(leaf))) {
            Some(place) => *place = value,
            None => self.sample.values.push(value),
        }
    }
}

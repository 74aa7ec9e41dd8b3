//! Runs too long for memory: only what other iterations read is kept, and any iteration is computed again from that.
//!
//! The values that other iterations read are a checkpoint at every iteration, and nothing else is needed for one: a
//! generating language model keeps keys, values and tokens.

use opml_vm::{
    ModelError, Tensor,
    interpreter::{self, Stop},
};

use super::{
    Engine,
    walk::{Halted, Hook, Span, Told, Walk},
};
use crate::num;

/// Iterations that are computed side by side: all their values are in memory.
const SIDE_BY_SIDE: u64 = 8;

/// A run of which the values are kept that other iterations read, and all those of at most one iteration.
#[derive(Debug, Clone)]
pub struct Checkpoints {
    length: u64,
    /// Value `(t, i)` at `t·N + i`; empty where it is not kept.
    values: Vec<Tensor>,
    /// The iteration that is complete.
    complete: Option<u64>,
}

impl Checkpoints {
    /// Iterations.
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// Value `(t, i)` at `t·N + i`: those of the iteration that was computed last, those of others that are kept, and empty
    /// ones.
    pub fn values(&self) -> &[Tensor] {
        &self.values
    }

    /// The same, to change what is shown; iterations are not computed from that again.
    pub(crate) fn values_mut(&mut self) -> &mut [Tensor] {
        &mut self.values
    }

    /// Bytes in memory.
    pub fn bytes(&self) -> u64 {
        let values: u64 = self.values.iter().map(|value| num::wide(value.bytes().len())).sum();
        values.saturating_add(num::wide(size_of::<Tensor>().saturating_mul(self.values.len())))
    }
}

impl Engine {
    /// Runs the program and shows all values of each iteration, `T·N` places of which earlier iterations have only what is
    /// kept. `hook` may change values.
    ///
    /// # Errors
    /// As [`Engine::run`].
    pub fn checkpoints(
        &self,
        inputs: &[Tensor],
        (stop, budget): (Stop, u64),
        hook: Hook<'_>,
        each: &mut dyn FnMut(u64, &[Tensor]),
    ) -> Result<Checkpoints, ModelError> {
        let program = self.program.as_ref();
        let mut walk = Walk::new(self, inputs, Vec::new(), budget)?;
        let (Stop::Halt { max: longest } | Stop::Exactly(longest)) = stop;
        interpreter::check_length(program, longest)?;
        let (needed, count) = (self.needs.all(), program.instructions().len());
        let mut t = 0;
        loop {
            let end = walk.reach(t, longest.min(t.saturating_add(SIDE_BY_SIDE)), &needed);
            computed(
                walk.span(
                    &Span { iterations: t..end, needed: &needed, last: None, after: &[] },
                    &mut Told::Values(hook),
                ),
            )?;
            for t in t..end {
                let first = num::size(t).saturating_mul(count);
                each(t, walk.sample.values.get(first..).and_then(|rest| rest.get(..count)).unwrap_or(&[]));
                let last = matches!(stop, Stop::Halt { .. }) && interpreter::halts(program, &walk.sample.values, t);
                let length = t.saturating_add(1);
                if last || length == longest {
                    walk.sample.values.truncate(first.saturating_add(count));
                    return Ok(Checkpoints { length, values: walk.sample.values, complete: Some(t) });
                }
                self.release(&self.lifetimes.gone(), &mut walk.sample, t, &self.pool);
            }
            t = end;
        }
    }

    /// Computes the values of iteration `t` again; those of the iteration that was complete before go, but for what is kept.
    /// `hook` must be that of the run.
    ///
    /// # Errors
    /// The inputs are not those of the program.
    pub fn recompute(
        &self,
        inputs: &[Tensor],
        checkpoints: &mut Checkpoints,
        t: u64,
        hook: Hook<'_>,
    ) -> Result<(), ModelError> {
        if checkpoints.complete == Some(t) || t >= checkpoints.length {
            return Ok(());
        }
        let mut walk = Walk::new(self, inputs, std::mem::take(&mut checkpoints.values), u64::MAX)?;
        if let Some(before) = checkpoints.complete.take() {
            self.release(&self.lifetimes.gone(), &mut walk.sample, before, &self.pool);
        }
        let needed = self.needs.all();
        let span = Span { iterations: t..t.saturating_add(1), needed: &needed, last: None, after: &[] };
        let done = walk.span(&span, &mut Told::Values(hook));
        checkpoints.values = walk.sample.values;
        checkpoints.complete = Some(t);
        computed(done)
    }
}

/// Where nothing is left out, nothing is missing; if it were, the run would be refused and not be wrong.
fn computed(result: Result<(), Halted>) -> Result<(), ModelError> {
    result.map_err(Halted::refusal)
}

//! Runs of many iterations of which only some values are looked at.

use std::ops::ControlFlow;

use opml_vm::{
    ModelError, Tensor,
    interpreter::{self, Stop},
};

use super::{Engine, walk::Walk};

/// An iteration that is over.
#[derive(Debug, Clone)]
pub struct Iteration<'a> {
    /// Its number.
    pub t: u64,
    /// Values of the instructions that were asked for, in their order.
    pub values: Vec<&'a Tensor>,
    /// Whether the run ends here by its own rule.
    pub last: bool,
}

impl Engine {
    /// Runs the program and shows values of some instructions after each iteration; `each` may end the run. Other values
    /// are dropped when nobody reads them any more. `observe` is told after each instruction, as in
    /// [`Engine::run_observed`]. Gives the number of iterations.
    ///
    /// # Errors
    /// As [`Engine::run`].
    pub fn stream(
        &self,
        inputs: &[Tensor],
        (stop, budget): (Stop, u64),
        watched: &[u32],
        observe: &mut dyn FnMut(u64, u32),
        each: &mut dyn FnMut(Iteration<'_>) -> ControlFlow<()>,
    ) -> Result<u64, ModelError> {
        let program = self.program.as_ref();
        let mut walk = Walk::new(self, inputs, Vec::new(), budget)?;
        let (Stop::Halt { max: longest } | Stop::Exactly(longest)) = stop;
        interpreter::check_length(program, longest)?;
        let unwatched = |list: &[u32]| -> Vec<u32> { list.iter().copied().filter(|n| !watched.contains(n)).collect() };
        let after: Vec<Vec<u32>> = self.lifetimes.after.iter().map(|list| unwatched(list)).collect();
        let mut ends: Vec<u32> = watched.iter().copied().filter(|&n| self.lifetimes.goes(n)).collect();
        ends.extend(unwatched(&self.lifetimes.ends));
        for t in 0..longest {
            if let Some(before) = t.checked_sub(1) {
                self.release(&ends, &mut walk.sample, before, &self.pool);
            }
            walk.iteration(t, &after, &mut |t, number, _| observe(t, number))?;
            let last = matches!(stop, Stop::Halt { .. }) && interpreter::halts(program, &walk.sample.values, t);
            let frame = walk.sample.frame(program, (t, 0));
            let values = watched.iter().filter_map(|&number| frame.value(t, number)).collect();
            let over = each(Iteration { t, values, last: last || t.saturating_add(1) == longest });
            if last || over.is_break() {
                return Ok(t.saturating_add(1));
            }
        }
        Ok(longest)
    }
}

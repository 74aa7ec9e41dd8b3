//! Runs of many iterations of which only some values are looked at.

use std::ops::ControlFlow;

use opml_vm::{
    ModelError, Tensor,
    interpreter::{self, Stop},
};

use super::{
    Engine, awake,
    run::LONG,
    walk::{Halted, Span, Told, Walk},
};
use crate::num;

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

/// Iterations that a thread computes side by side.
const SIDE_BY_SIDE: u64 = 32;

/// What is looked at in a run.
#[derive(Debug, Clone, Copy)]
pub struct Watched<'w> {
    /// Instructions.
    pub instructions: &'w [u32],
    /// The first iteration that is looked at.
    pub from: u64,
}

impl Engine {
    /// Runs the program and shows values of some instructions after each iteration; `each` may end the run. Before the first
    /// iteration that is looked at it is shown none. Other values are dropped when nobody reads them any more, or not
    /// computed; iterations that do not wait for each other are computed side by side. `observe` is told after each
    /// instruction, as in [`Engine::run_observed`]. Gives the number of iterations.
    ///
    /// # Errors
    /// As [`Engine::run`]; elements count against `budget` where they are computed.
    pub fn stream(
        &self,
        inputs: &[Tensor],
        (stop, budget): (Stop, u64),
        watched: Watched<'_>,
        observe: &mut dyn FnMut(u64, u32),
        each: &mut dyn FnMut(Iteration<'_>) -> ControlFlow<()>,
    ) -> Result<u64, ModelError> {
        let (Stop::Halt { max: longest } | Stop::Exactly(longest)) = stop;
        interpreter::check_length(&self.program, longest)?;
        let mut shown = 0;
        let mut once = |iteration: Iteration<'_>| {
            let t = iteration.t;
            let over = if t < shown { ControlFlow::Continue(()) } else { each(iteration) };
            shown = shown.max(t.saturating_add(1));
            over
        };
        let mut streaming = Streaming { engine: self, stop, longest, watched, observe, each: &mut once };
        match streaming.run(inputs, budget, true) {
            // What was left out is needed after all: nothing is left out this time.
            Err(Halted::Missing) => streaming.run(inputs, budget, false),
            done => done,
        }
        .map_err(Halted::refusal)
    }
}

struct Streaming<'s> {
    engine: &'s Engine,
    stop: Stop,
    longest: u64,
    watched: Watched<'s>,
    observe: &'s mut dyn FnMut(u64, u32),
    each: &'s mut dyn FnMut(Iteration<'_>) -> ControlFlow<()>,
}

impl Streaming<'_> {
    fn run(&mut self, inputs: &[Tensor], budget: u64, leaving_out: bool) -> Result<u64, Halted> {
        let engine = self.engine;
        let program = engine.program.as_ref();
        let watched = self.watched.instructions;
        let mut walk = Walk::new(engine, inputs, Vec::new(), budget)?;
        walk.reserve(self.longest);
        let unwatched = |list: &[u32]| -> Vec<u32> { list.iter().copied().filter(|n| !watched.contains(n)).collect() };
        let after: Vec<Vec<u32>> = engine.lifetimes.after.iter().map(|list| unwatched(list)).collect();
        let mut ends: Vec<u32> = watched.iter().copied().filter(|&n| engine.lifetimes.goes(n)).collect();
        ends.extend(unwatched(&engine.lifetimes.ends));
        let (loud, quiet) = if leaving_out { self.needed(&walk) } else { (engine.needs.all(), engine.needs.all()) };
        let is_long = engine.work >= LONG && rayon::current_num_threads() > 1;
        let side_by_side = SIDE_BY_SIDE.saturating_mul(num::wide(rayon::current_num_threads()));
        let mut t = 0;
        while t < self.longest {
            let is_quiet = self.is_quiet(&walk, t);
            let most = self.longest.min(t.saturating_add(side_by_side));
            let until = (t..most).find(|&t| self.is_quiet(&walk, t) != is_quiet).unwrap_or(most);
            let needed = if is_quiet { &quiet } else { &loud };
            let mut end = walk.reach(t, until, needed);
            // The first iteration that is looked at goes with those before it, if it does not wait for them.
            let next = end.saturating_add(1);
            let looked =
                is_quiet && end < self.longest && !self.is_quiet(&walk, end) && walk.reach(t, next, &loud) == next;
            end = if looked { next } else { end };
            let last = looked.then_some(loud.as_slice());
            let span = Span { iterations: t..end, needed, last, after: &after };
            let mut compute = || walk.span(&span, &mut Told::Places(&mut *self.observe));
            if is_long { awake::during(&(), compute) } else { compute() }?;
            for t in t..end {
                let is_quiet = is_quiet && !(looked && t.saturating_add(1) == end);
                let last = !is_quiet
                    && matches!(self.stop, Stop::Halt { .. })
                    && interpreter::halts(program, &walk.sample.values, t);
                let frame = walk.sample.frame(program, (t, 0));
                let shown = watched.iter().filter(|_| t >= self.watched.from);
                let values = shown.filter_map(|&number| frame.value(t, number)).collect();
                let over = (self.each)(Iteration { t, values, last: last || t.saturating_add(1) == self.longest });
                if last || over.is_break() {
                    return Ok(t.saturating_add(1));
                }
                engine.release(&ends, &mut walk.sample, t, &engine.pool);
            }
            t = end;
        }
        Ok(self.longest)
    }

    /// The values of an iteration that is looked at, and of another.
    fn needed(&self, walk: &Walk<'_>) -> (Vec<bool>, Vec<bool>) {
        let needs = &self.engine.needs;
        let halt = match self.stop {
            Stop::Halt { .. } => self.engine.program.halt(),
            Stop::Exactly(_) => None,
        };
        let roots: Vec<u32> = self.watched.instructions.iter().copied().chain(halt).collect();
        let chosen = |number: u32, branches: &[u32]| walk.chosen(self.watched.from, number, branches);
        let loud = needs.of(&roots, &chosen);
        let quiet = needs.of(&needs.lasting(&loud), &chosen);
        (loud, quiet)
    }

    /// Whether nothing of an iteration is looked at, and it is known not to be the last.
    fn is_quiet(&self, walk: &Walk<'_>, t: u64) -> bool {
        let goes_on = |halt| walk.known(t, halt).is_some_and(|value| value.get(0).unwrap_or(0) == 0);
        let free = match self.stop {
            Stop::Halt { .. } => self.engine.program.halt().is_none_or(goes_on),
            Stop::Exactly(_) => true,
        };
        t < self.watched.from && free
    }
}

//! One run over values of which only some stay: several iterations side by side where none of them waits for another.

use std::ops::Range;

use opml_vm::{ModelError, Tensor, interpreter};
use thiserror::Error;

use super::{
    Engine, Frame,
    moving::{Moving, Scope},
    needs,
    pool::Pool,
    run::Sample,
    stretch::{self, Part, Stretch},
};
use crate::num;

/// Most values for which there is room from the start.
const ROOM: usize = 1 << 19;

/// A run that is being computed.
pub(super) struct Walk<'a> {
    engine: &'a Engine,
    pub(super) sample: Sample<'a>,
    /// Which values have been computed.
    present: Vec<bool>,
    /// Of one thread.
    alone: Option<Moving>,
    /// Of threads that share iterations.
    shared: Vec<Moving>,
    budget: u64,
    spent: u64,
    /// Most iterations.
    longest: u64,
}

/// Told of each value `(t, i)` when it is written; what comes later is computed from what it leaves there. It may change values
/// only of an instruction that the engine [doubts](Engine::doubting).
pub type Hook<'h> = &'h mut dyn FnMut(u64, u32, &mut Tensor);

/// What is told of each value that is written.
pub(super) enum Told<'h> {
    /// Its place. Values are computed in any order.
    Places(&'h mut dyn FnMut(u64, u32)),
    /// Itself, before what comes later is computed.
    Values(Hook<'h>),
}

/// Iterations side by side.
pub(super) struct Span<'s> {
    /// Which.
    pub(super) iterations: Range<u64>,
    /// Which values are computed.
    pub(super) needed: &'s [bool],
    /// Which values of the last iteration are, if they are more.
    pub(super) last: Option<&'s [bool]>,
    /// After instruction `i` the values of `after[i]` go.
    pub(super) after: &'s [Vec<u32>],
}

impl Span<'_> {
    /// The iterations in which a value is computed: all, the last, or none.
    pub(super) fn of(&self, number: u32) -> Range<u64> {
        let is_in = |list: &[bool]| list.get(num::size(number.into())).copied().unwrap_or(true);
        let Range { start, end } = self.iterations;
        if is_in(self.needed) {
            start..end
        } else if self.last.is_some_and(is_in) {
            end.saturating_sub(1).max(start)..end
        } else {
            end..end
        }
    }

    /// Whether a value is computed at all.
    pub(super) fn is_needed(&self, number: u32) -> bool {
        !self.of(number).is_empty()
    }

    /// The values that go after an instruction.
    pub(super) fn gone(&self, number: u32) -> &[u32] {
        self.after.get(num::size(number.into())).map_or(&[], Vec::as_slice)
    }
}

/// What two ranges share, at the end of the second if that is nothing.
pub(super) fn shared(a: &Range<u64>, b: &Range<u64>) -> Range<u64> {
    let end = a.end.min(b.end);
    if a.start.max(b.start) < end { a.start.max(b.start)..end } else { b.end..b.end }
}

/// Why iterations were not computed.
#[derive(Debug, Error)]
pub(super) enum Halted {
    /// The run is refused.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A value is asked for that was left out.
    #[error("a value that was left out is needed")]
    Missing,
}

impl Halted {
    /// The error of a run in which nothing was left out.
    pub(super) fn refusal(self) -> ModelError {
        match self {
            Self::Model(error) => error,
            Self::Missing => {
                let why = "none, where nothing is left out: this is a fault of the engine";
                ModelError::Count { field: "number of missing values", value: 1, why }
            }
        }
    }
}

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
        let present = vec![true; values.len()];
        let sample = Sample { inputs, values, length: None };
        Ok(Self { engine, sample, present, alone: None, shared: Vec::new(), budget, spent: 0, longest: u64::MAX })
    }

    /// Makes room for the most iterations that there can be, as far as it is not too much for those that may not come.
    pub(super) fn reserve(&mut self, iterations: u64) {
        self.longest = iterations;
        let count = num::size(self.engine.program.counts().instructions.into());
        let places = num::size(iterations).saturating_mul(count).min(ROOM);
        self.sample.values.reserve(places.saturating_sub(self.sample.values.len()));
    }

    /// How many iterations from `first` on, at most up to `end`, can be computed side by side.
    pub(super) fn reach(&self, first: u64, end: u64, needed: &[bool]) -> u64 {
        let one = first.saturating_add(1);
        let Some(feedback) = self.engine.needs.feedback(needed) else { return one };
        let free = |t: &u64| feedback.iter().all(|&number| self.known(*t, number).is_some());
        (one..end.max(one)).find(|t| !free(t)).unwrap_or(end.max(one))
    }

    /// The value of an instruction from what is there, without computing anything else.
    pub(super) fn known(&self, t: u64, number: u32) -> Option<Tensor> {
        let program = self.engine.program.as_ref();
        let instruction = program.instructions().get(num::size(number.into()))?;
        needs::known(instruction, self.sample.frame(program, (t, number)), &self.present)
    }

    /// Which of its branches an instruction is going to read at an iteration: a guess.
    pub(super) fn chosen(&self, t: u64, number: u32, branches: &[u32]) -> Vec<u32> {
        let program = self.engine.program.as_ref();
        let Some(instruction) = program.instructions().get(num::size(number.into())) else { return Vec::new() };
        needs::chosen(instruction, self.sample.frame(program, (t, number)), &self.present, branches)
    }

    /// Computes iterations.
    ///
    /// # Errors
    /// The run is larger than its budget, or a value that was left out earlier is needed.
    pub(super) fn span(&mut self, span: &Span<'_>, told: &mut Told<'_>) -> Result<(), Halted> {
        let parts = match told {
            Told::Places(_) => stretch::parts(&span.iterations, self.engine.work),
            Told::Values(_) => None,
        };
        self.in_parts(span, parts.as_deref(), told)
    }

    /// The same with iterations shared among threads, if they are.
    pub(super) fn in_parts(
        &mut self,
        span: &Span<'_>,
        parts: Option<&[Range<u64>]>,
        told: &mut Told<'_>,
    ) -> Result<(), Halted> {
        let count = self.engine.program.counts().instructions;
        let places = num::size(span.iterations.end).saturating_mul(num::size(count.into()));
        if self.sample.values.len() < places {
            self.sample.values.resize_with(places, Tensor::empty);
            self.present.resize(places, false);
        }
        let engine = self.engine;
        let stretch = |number: u32| engine.needs.stretch(number, span.last.unwrap_or(span.needed));
        let mut numbers = 0..count;
        while let Some(number) = numbers.next() {
            let end = parts.map(|parts| (parts, stretch(number))).filter(|(_, end)| *end > number);
            if let Some((parts, end)) = end {
                numbers.start = end;
                self.together(span, number..end, parts, told)?;
            } else if span.is_needed(number) {
                self.one(span, number, told)?;
            }
        }
        Ok(())
    }

    /// Counts the elements of an instruction.
    fn spend(&mut self, span: &Span<'_>, number: u32) -> Result<(), Halted> {
        let Some(instruction) = self.engine.program.instructions().get(num::size(number.into())) else { return Ok(()) };
        let Range { start, end } = span.of(number);
        let elements = if instruction.dynamics.is_empty() {
            instruction.elements(start).saturating_mul(end.saturating_sub(start))
        } else {
            (start..end).map(|t| instruction.elements(t)).fold(0, u64::saturating_add)
        };
        self.spent = self.spent.saturating_add(elements);
        if self.spent > self.budget {
            let (value, limit) = (self.spent, self.budget);
            return Err(ModelError::TooLarge { what: "number of elements", value, limit }.into());
        }
        Ok(())
    }

    /// Computes an instruction.
    fn one(&mut self, span: &Span<'_>, number: u32, told: &mut Told<'_>) -> Result<(), Halted> {
        self.spend(span, number)?;
        let values = self.values(span, number)?;
        let iterations = span.of(number);
        for (t, mut value) in iterations.clone().zip(values) {
            match told {
                Told::Places(told) => told(t, number),
                Told::Values(hook) => hook(t, number, &mut value),
            }
            self.put(t, number, value);
        }
        for &gone in span.gone(number) {
            self.let_go(gone, &iterations, &self.engine.pool);
        }
        Ok(())
    }

    /// Computes a stretch of instructions on several threads.
    fn together(
        &mut self,
        span: &Span<'_>,
        numbers: Range<u32>,
        parts: &[Range<u64>],
        told: &mut Told<'_>,
    ) -> Result<(), Halted> {
        let (engine, longest) = (self.engine, self.longest);
        numbers.clone().filter(|&number| span.is_needed(number)).try_for_each(|number| self.spend(span, number))?;
        // One part goes on as single iterations do.
        let is_alone = parts.len() == 1;
        let mut kept =
            if is_alone { self.alone.take().into_iter().collect() } else { std::mem::take(&mut self.shared) }
                .into_iter();
        let part = |iterations: &Range<u64>| {
            let fresh = || Moving::new((engine.forms.len(), longest), Scope::OneThread, Pool::default());
            Part { iterations: iterations.clone(), moving: kept.next().unwrap_or_else(fresh), values: Vec::new() }
        };
        let mut parts: Vec<Part> = parts.iter().map(part).collect();
        Stretch { engine, sample: &self.sample, span, numbers: numbers.clone() }.run(&mut parts);
        for part in parts {
            self.take(span, &numbers, part.iterations.clone(), part.values, told);
            // What comes from before the stretch goes now.
            for number in numbers.clone() {
                let iterations = shared(&span.of(number), &part.iterations);
                for &gone in span.gone(number).iter().filter(|gone| **gone < numbers.start) {
                    self.let_go(gone, &iterations, &part.moving.pool);
                }
            }
            if is_alone {
                self.alone = Some(part.moving);
            } else {
                self.shared.push(part.moving);
            }
        }
        Ok(())
    }

    /// Takes in what a thread has computed.
    fn take(
        &mut self,
        span: &Span<'_>,
        numbers: &Range<u32>,
        iterations: Range<u64>,
        values: Vec<Tensor>,
        told: &mut Told<'_>,
    ) {
        let count = num::size(self.engine.program.counts().instructions.into());
        let place = |t: u64, number: u32| num::size(t).saturating_mul(count).saturating_add(num::size(number.into()));
        let (first, length) = (num::size(numbers.start.into()), numbers.len());
        for t in iterations.clone() {
            let present = self.present.iter_mut().skip(place(t, numbers.start)).take(length);
            let is_last = t.saturating_add(1) == span.iterations.end;
            let needed = span.last.filter(|_| is_last).unwrap_or(span.needed);
            let needed = needed.iter().skip(first).chain(std::iter::repeat(&true));
            present.zip(needed).for_each(|(present, needed)| *present |= needed);
        }
        let mut values = values.into_iter();
        for number in numbers.clone() {
            let computed = span.of(number);
            for (t, value) in iterations.clone().zip(&mut values) {
                // Places are far apart, and most values are gone by now.
                if value != Tensor::empty()
                    && let Some(own) = self.sample.values.get_mut(place(t, number))
                {
                    *own = value;
                }
                if let Told::Places(told) = told
                    && computed.contains(&t)
                {
                    told(t, number);
                }
            }
        }
    }

    /// Drops the values of an instruction.
    fn let_go(&mut self, number: u32, iterations: &Range<u64>, pool: &Pool) {
        let values = iterations.clone().map(|t| self.engine.gone(number, &mut self.sample, t));
        let values: Vec<Vec<u8>> = values.collect();
        pool.put_many(values.into_iter());
    }

    /// The values of an instruction.
    fn values(&mut self, span: &Span<'_>, number: u32) -> Result<Vec<Tensor>, Halted> {
        let engine = self.engine;
        let program = engine.program.as_ref();
        let place = num::size(number.into());
        let (Some(instruction), Some(form)) = (program.instructions().get(place), engine.forms.get(place)) else {
            return Ok(Vec::new());
        };
        if engine.needs.is_guarded(number) {
            let each = |t| self.known(t, number).ok_or(Halted::Missing);
            return span.of(number).map(each).collect();
        }
        let frames: Vec<Frame<'_>> = span.of(number).map(|t| self.sample.frame(program, (t, number))).collect();
        // A thread that had a part knows what came before.
        let longest = self.longest;
        let mut known = || self.shared.pop().map(|moving| moving.with(Scope::OneRun));
        let fresh = || Moving::new((engine.forms.len(), longest), Scope::OneRun, engine.pool.clone());
        let moving = self.alone.get_or_insert_with(|| known().unwrap_or_else(fresh));
        Ok(engine.step(&frames, instruction, form.as_ref(), moving))
    }

    fn put(&mut self, t: u64, number: u32, value: Tensor) {
        let leaf = interpreter::leaf_index(self.engine.program.counts().instructions, t, number).map(num::size);
        if let Some(leaf) = leaf
            && let (Some(place), Some(present)) = (self.sample.values.get_mut(leaf), self.present.get_mut(leaf))
        {
            (*place, *present) = (value, true);
        }
    }
}

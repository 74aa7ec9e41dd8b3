//! Runs of a prepared program: one input or many, all values or the output alone.

use opml_vm::{
    Instruction, ModelError, Program, Source, Tensor,
    interpreter::{self, Run, Stop},
};
use rayon::prelude::*;

use super::{
    Engine, Form, Frame,
    awake::{self, Other},
    execute,
    moving::{Moving, Scope},
    pool::Pool,
};
use crate::num;

/// Terms below which the runs of a batch are not computed in parallel.
const PARALLEL: u64 = 1 << 14;

/// Work of an iteration from which on a run takes some 100 µs: the pool's threads are kept awake for it.
pub(super) const LONG: u64 = 1 << 21;

/// Terms of an iteration's reductions, and elements, each as some terms.
pub(super) fn work(program: &Program) -> u64 {
    let one = |instruction: &Instruction| {
        let elements = instruction.elements(0);
        elements.saturating_mul(instruction.terms(0).max(1)).saturating_add(elements.saturating_mul(16))
    };
    program.instructions().iter().map(one).fold(0, u64::saturating_add)
}

/// The end of a run whose other values are gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Iterations.
    pub length: u64,
    /// Value of the output instruction at the last one.
    pub tensor: Tensor,
}

/// Which values nobody reads any more, after each instruction of an iteration.
#[derive(Debug, Clone)]
pub(super) struct Lifetimes {
    /// Numbers of instructions whose values at this iteration go.
    pub(super) after: Vec<Vec<u32>>,
    /// Read by the run itself at the end of an iteration; these go at the next one.
    pub(super) ends: Vec<u32>,
}

impl Lifetimes {
    pub(super) fn new(program: &Program) -> Self {
        let count = program.instructions().len();
        let mut last: Vec<Option<usize>> = (0..count).map(Some).collect();
        for (number, instruction) in program.instructions().iter().enumerate() {
            for load in instruction.loads() {
                match load.source {
                    Source::Value(n) => {
                        if let Some(Some(last)) =
                            last.get_mut(num::size(n.into())).filter(|_| num::size(n.into()) < number)
                        {
                            *last = number;
                        }
                    }
                    // Any later iteration may read it.
                    Source::History { instruction, .. } => {
                        if let Some(last) = last.get_mut(num::size(instruction.into())) {
                            *last = None;
                        }
                    }
                    Source::Constant(_) | Source::Input(_) => {}
                }
            }
        }
        let mut ends: Vec<u32> = program.halt().into_iter().chain([program.output()]).collect();
        ends.dedup();
        ends.retain(|&n| last.get(num::size(n.into())).is_some_and(Option::is_some));
        let mut after = vec![Vec::new(); count];
        for (number, last) in (0..).zip(&last) {
            if let Some(list) = last.and_then(|last| after.get_mut(last)).filter(|_| !ends.contains(&number)) {
                list.push(number);
            }
        }
        Self { after, ends }
    }

    /// Instructions whose values no other iteration reads.
    pub(super) fn gone(&self) -> Vec<u32> {
        self.after.iter().flatten().chain(&self.ends).copied().collect()
    }

    /// Whether no other iteration reads the values of an instruction.
    pub(super) fn goes(&self, number: u32) -> bool {
        self.after.iter().flatten().chain(&self.ends).any(|&n| n == number)
    }
}

/// Gets every value: its place `(t, i)`, the number of its run, and itself, whose bytes it may share.
type Observe<'a> = &'a mut dyn FnMut((u64, u32), usize, &mut Tensor);

/// Watches a run.
pub(crate) struct Watch<'a> {
    /// Gets every value when it is there: the number of its run, and itself, whose bytes it may share.
    pub(crate) see: &'a mut dyn FnMut(usize, &mut Tensor),
    /// What threads do that the run leaves idle, and all of them after it, if [`Engine::shares_threads`].
    pub(crate) other: &'a dyn Other,
}

/// One input of a batch.
pub(super) struct Sample<'a> {
    pub(super) inputs: &'a [Tensor],
    pub(super) values: Vec<Tensor>,
    pub(super) length: Option<u64>,
}

impl Sample<'_> {
    pub(super) fn frame<'a>(&'a self, program: &'a Program, (t, number): (u64, u32)) -> Frame<'a> {
        Frame { program, inputs: self.inputs, values: &self.values, own: None, t, number }
    }
}

impl Engine {
    /// Runs the program; at most `budget` elements are computed in all. All values are those of
    /// [`opml_vm::interpreter::run`].
    ///
    /// # Errors
    /// As the interpreter.
    pub fn run(&self, inputs: &[Tensor], stop: Stop, budget: u64) -> Result<Run, ModelError> {
        self.run_observed(inputs, stop, budget, &mut |_, _| ())
    }

    /// [`Engine::run`], telling after each instruction which value `(t, i)` is there: for progress and profiles.
    ///
    /// # Errors
    /// As [`Engine::run`].
    pub fn run_observed(
        &self,
        inputs: &[Tensor],
        stop: Stop,
        budget: u64,
        observe: &mut dyn FnMut(u64, u32),
    ) -> Result<Run, ModelError> {
        let see: Observe<'_> = &mut |place, _, _| observe(place.0, place.1);
        let run = self.runs(&[inputs], (stop, budget), None, (see, &()))?.pop();
        Ok(run.unwrap_or(Run { length: 0, values: Vec::new() }))
    }

    /// Runs the program on several inputs at once; products with constants run as one over all of them. `budget` holds for
    /// each input. The runs are those of [`Engine::run`], in the order of the inputs.
    ///
    /// # Errors
    /// As [`Engine::run`] on the first input that has one.
    pub fn run_batch<I: AsRef<[Tensor]>>(&self, batch: &[I], stop: Stop, budget: u64) -> Result<Vec<Run>, ModelError> {
        let batch: Vec<&[Tensor]> = batch.iter().map(AsRef::as_ref).collect();
        self.runs(&batch, (stop, budget), None, (&mut |_, _, _| (), &()))
    }

    /// [`Engine::run_batch`], watched. The values of one run come in the order of its trace.
    ///
    /// # Errors
    /// As [`Engine::run_batch`].
    pub(crate) fn run_watched<I: AsRef<[Tensor]>>(
        &self,
        batch: &[I],
        stop: Stop,
        budget: u64,
        watch: Watch<'_>,
    ) -> Result<Vec<Run>, ModelError> {
        let batch: Vec<&[Tensor]> = batch.iter().map(AsRef::as_ref).collect();
        self.runs(&batch, (stop, budget), None, (&mut |_, run, value| (watch.see)(run, value), watch.other))
    }

    /// Runs the program for its output alone: values are dropped when nobody reads them any more, and their memory is used
    /// again, also by later runs of this engine and its clones.
    ///
    /// # Errors
    /// As [`Engine::run`].
    pub fn run_output(&self, inputs: &[Tensor], stop: Stop, budget: u64) -> Result<Output, ModelError> {
        let output = self.run_outputs(&[inputs], stop, budget)?.pop();
        Ok(output.unwrap_or(Output { length: 0, tensor: Tensor::empty() }))
    }

    /// The outputs of [`Engine::run_batch`], with the memory of [`Engine::run_output`].
    ///
    /// # Errors
    /// As [`Engine::run_batch`].
    pub fn run_outputs<I: AsRef<[Tensor]>>(
        &self,
        batch: &[I],
        stop: Stop,
        budget: u64,
    ) -> Result<Vec<Output>, ModelError> {
        self.outputs_watched(batch, stop, budget, Watch { see: &mut |_, _| (), other: &() })
    }

    /// [`Engine::run_outputs`], watched as in [`Engine::run_watched`].
    ///
    /// # Errors
    /// As [`Engine::run_batch`].
    pub(crate) fn outputs_watched<I: AsRef<[Tensor]>>(
        &self,
        batch: &[I],
        stop: Stop,
        budget: u64,
        watch: Watch<'_>,
    ) -> Result<Vec<Output>, ModelError> {
        let batch: Vec<&[Tensor]> = batch.iter().map(AsRef::as_ref).collect();
        let see: Observe<'_> = &mut |_, run, value| (watch.see)(run, value);
        let runs = self.runs(&batch, (stop, budget), Some(&self.pool), (see, watch.other))?;
        let program = self.program.as_ref();
        let output = |mut run: Run| {
            let leaf =
                interpreter::leaf_index(program.counts().instructions, run.length.checked_sub(1)?, program.output());
            let value = run.values.get_mut(num::size(leaf?))?;
            let tensor = std::mem::replace(value, Tensor::empty());
            run.values.into_iter().for_each(|tensor| self.recycle(tensor));
            Some(Output { length: run.length, tensor })
        };
        Ok(runs.into_iter().filter_map(output).collect())
    }

    /// Whether a run of so many inputs takes long enough to keep the other threads awake for it.
    pub(crate) fn shares_threads(&self, batch: usize) -> bool {
        self.work.saturating_mul(num::wide(batch)) >= LONG && rayon::current_num_threads() > 1
    }

    /// Keeps the memory of a value for others, if nobody shares it any more.
    pub(crate) fn recycle(&self, tensor: Tensor) {
        if let Some(bytes) = tensor.reclaim() {
            self.pool.put(bytes);
        }
    }

    /// Runs in step; with a pool, values are dropped when they are not read any more.
    fn runs(
        &self,
        batch: &[&[Tensor]],
        limits: (Stop, u64),
        pool: Option<&Pool>,
        (observe, other): (Observe<'_>, &dyn Other),
    ) -> Result<Vec<Run>, ModelError> {
        if self.shares_threads(batch.len()) {
            return awake::during(other, || self.in_step(batch, limits, pool, observe));
        }
        self.in_step(batch, limits, pool, observe)
    }

    fn in_step(
        &self,
        batch: &[&[Tensor]],
        (stop, budget): (Stop, u64),
        pool: Option<&Pool>,
        observe: Observe<'_>,
    ) -> Result<Vec<Run>, ModelError> {
        let program = self.program.as_ref();
        batch.iter().try_for_each(|inputs| program.check_inputs(inputs))?;
        let (Stop::Halt { max: longest } | Stop::Exactly(longest)) = stop;
        interpreter::check_length(program, longest)?;
        let room = if longest == 1 { self.forms.len() } else { 0 };
        let sample = |&inputs| Sample { inputs, values: Vec::with_capacity(room), length: None };
        let mut samples: Vec<Sample<'_>> = batch.iter().map(sample).collect();
        let mut spent: u64 = 0;
        let mut moving = Moving::new((self.forms.len(), longest), Scope::Runs, self.pool.clone());
        for t in 0..longest {
            let mut active: Vec<(usize, &mut Sample<'_>)> =
                samples.iter_mut().enumerate().filter(|(_, sample)| sample.length.is_none()).collect();
            if active.is_empty() {
                break;
            }
            if let Some((pool, before)) = pool.zip(t.checked_sub(1)) {
                active.iter_mut().for_each(|(_, sample)| self.release(&self.lifetimes.ends, sample, before, pool));
            }
            for ((number, instruction), form) in (0..).zip(program.instructions()).zip(&self.forms) {
                spent = spent.saturating_add(instruction.elements(t));
                if spent > budget {
                    return Err(ModelError::TooLarge { what: "number of elements", value: spent, limit: budget });
                }
                let frames: Vec<Frame<'_>> =
                    active.iter().map(|(_, sample)| sample.frame(program, (t, number))).collect();
                let values = self.step(&frames, instruction, form.as_ref(), &mut moving);
                for ((run, sample), mut value) in active.iter_mut().zip(values) {
                    observe((t, number), *run, &mut value);
                    sample.values.push(value);
                }
                if let Some((pool, list)) = pool.zip(self.lifetimes.after.get(num::size(number.into()))) {
                    for &gone in list {
                        let values = active.iter_mut().map(|(_, sample)| self.gone(gone, sample, t));
                        pool.put_many(values);
                    }
                }
            }
            for (_, sample) in active {
                if matches!(stop, Stop::Halt { .. }) && interpreter::halts(program, &sample.values, t) {
                    sample.length = Some(t.saturating_add(1));
                }
            }
        }
        let run = |sample: Sample<'_>| Run { length: sample.length.unwrap_or(longest), values: sample.values };
        Ok(samples.into_iter().map(run).collect())
    }

    /// The value of an instruction in each frame: of several runs, or of several iterations of one that do not read each other.
    pub(super) fn step(
        &self,
        frames: &[Frame<'_>],
        instruction: &Instruction,
        form: Option<&Form>,
        moving: &mut Moving,
    ) -> Vec<Tensor> {
        let pool = moving.pool.clone();
        if let Some(form) = form {
            return by(form, frames, instruction, &pool);
        }
        let Some(first) = frames.first() else { return Vec::new() };
        if let Some(values) = moving.grown(instruction, frames, (&self.ranges, self.tier)) {
            return values;
        }
        let mut plan = |frame: &Frame<'_>| moving.form(instruction, *frame, &self.ranges, self.tier);
        if frames.iter().all(|frame| frame.t == first.t) {
            // Shapes are the same in all runs: one form is right for all.
            return by(&plan(first), frames, instruction, &pool);
        }
        let planned: Vec<(Form, Frame<'_>)> = frames.iter().map(|frame| (plan(frame), *frame)).collect();
        planned.par_iter().map(|(form, frame)| execute(form, instruction, *frame, &pool)).collect()
    }

    /// Drops values of an iteration.
    pub(super) fn release(&self, numbers: &[u32], sample: &mut Sample<'_>, t: u64, pool: &Pool) {
        numbers.iter().for_each(|&number| pool.put(self.gone(number, sample, t)));
    }

    /// The bytes of a value of an iteration, which is empty from now on; none if others share them.
    pub(super) fn gone(&self, number: u32, sample: &mut Sample<'_>, t: u64) -> Vec<u8> {
        let leaf = interpreter::leaf_index(self.program.counts().instructions, t, number);
        let value = leaf.and_then(|leaf| sample.values.get_mut(num::size(leaf)));
        value.and_then(|value| std::mem::replace(value, Tensor::empty()).reclaim()).unwrap_or_default()
    }
}

/// The values by one form.
fn by(form: &Form, frames: &[Frame<'_>], instruction: &Instruction, pool: &Pool) -> Vec<Tensor> {
    let alone = |&frame: &Frame<'_>| execute(form, instruction, frame, pool);
    match (form, frames) {
        (Form::Gemm(gemm), _) => gemm.run(frames, pool),
        (Form::Regrouped(regrouped), _) => regrouped.run(frames, pool),
        (Form::Scaled(scaled), _) => scaled.run(frames, pool),
        (Form::Lanes(lanes), [_, _, ..]) => lanes.run_all(frames, pool),
        (_, [frame]) => vec![alone(frame)],
        (_, [first, ..]) => {
            let terms = instruction.elements(first.t).saturating_mul(instruction.terms(first.t));
            if terms.saturating_mul(num::wide(frames.len())) < PARALLEL {
                frames.iter().map(alone).collect()
            } else {
                frames.par_iter().map(alone).collect()
            }
        }
        (_, []) => Vec::new(),
    }
}

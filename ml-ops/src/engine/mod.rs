//! Runs programs fast, bit for bit like the reference interpreter, on any number of threads.
//!
//! Everything is recognised from the instructions themselves. Each instruction gets one of these forms:
//!
//! | form | for | how |
//! |---|---|---|
//! | `gemm` | sums of products of two affine loads: matrix products, convolutions | vector kernels over packed columns |
//! | `regrouped` | products whose groups lie innermost | a `gemm` with the groups before the columns, then a copy |
//! | `dot` | such sums whose numbers or axes do not suit the kernels | rows of both factors side by side |
//! | `scaled` | such sums with scales for blocks of 32 terms, over weights in 8 or 4 bits | rows of weights as they lie |
//! | `history` | such sums over values of many iterations: attention | rows of 16-bit numbers |
//! | `lanes` | any instruction with affine or computed indices | operations over blocks of elements or terms, in the narrowest width that is exact |
//! | `slow` | what is left: loads from iterations that follow coordinates, indices beyond 62 bits | `opml_vm::eval` |
//!
//! Forms of instructions whose extents and sources are the same at every iteration are made once. Where only extents grow,
//! a form for larger ones is fitted to each iteration; the others are made whenever what they follow changes.

mod awake;
mod checkpoints;
mod dot;
mod epilogue;
mod gemm;
mod history;
mod interval;
mod kernels;
mod lanes;
mod load;
mod moving;
mod needs;
mod ops;
mod pack;
mod pool;
mod ranges;
mod regrouped;
mod rows;
mod run;
mod scaled;
mod slots;
mod slow;
mod stream;
mod stretch;
mod view;
mod walk;

use std::sync::Arc;

use opml_vm::{Extent, Instruction, Program, Source, Tensor, interpreter};

use crate::tier::Tier;
pub(crate) use awake::Other;
pub use checkpoints::Checkpoints;
#[cfg(target_arch = "x86_64")]
pub(crate) use kernels::has_matrix_unit;
use load::{Header, Place};
use ranges::Ranges;
pub use run::Output;
pub(crate) use run::Watch;
pub use stream::{Iteration, Watched};
pub use walk::Hook;

/// A program, prepared for running.
#[derive(Debug, Clone)]
pub struct Engine {
    program: Arc<Program>,
    forms: Vec<Option<Form>>,
    tier: Tier,
    ranges: Ranges,
    lifetimes: run::Lifetimes,
    needs: needs::Needs,
    /// Terms and elements of one iteration, a measure of its time.
    work: u64,
    pool: pool::Pool,
}

/// How an instruction is executed.
#[derive(Debug, Clone)]
enum Form {
    Gemm(Arc<gemm::Gemm>),
    Regrouped(Arc<regrouped::Regrouped>),
    Dot(Arc<dot::Dot>),
    Scaled(Arc<scaled::Scaled>),
    History(Arc<history::History>),
    Lanes(Arc<lanes::Lanes>),
    Slow,
}

/// The tensors that an instruction can read.
#[derive(Clone, Copy)]
struct Frame<'a> {
    program: &'a Program,
    inputs: &'a [Tensor],
    values: &'a [Tensor],
    /// Values that nobody else sees yet.
    own: Option<stretch::Own<'a>>,
    t: u64,
    number: u32,
}

impl<'a> Frame<'a> {
    fn tensor(&self, place: Place) -> Option<&'a Tensor> {
        match place {
            Place::Constant(n) => self.program.constants().get(usize::try_from(n).ok()?),
            Place::Input(n) => self.inputs.get(usize::try_from(n).ok()?),
            Place::Now(n) => self.value(self.t, n),
            Place::At(t, n) => self.value(t, n),
            Place::Back(by, n) => self.value(self.t.checked_sub(by)?, n),
            Place::Nowhere => None,
        }
    }

    /// The same with values that nobody else sees.
    const fn with(self, own: stretch::Own<'a>) -> Self {
        Self { own: Some(own), ..self }
    }

    fn value(&self, t: u64, n: u32) -> Option<&'a Tensor> {
        if let Some(value) = self.own.and_then(|own| own.get(t, n)) {
            return Some(value);
        }
        let leaf = interpreter::leaf_index(self.program.counts().instructions, t, n)?;
        self.values.get(usize::try_from(leaf).ok()?)
    }
}

impl Engine {
    /// Prepares a program.
    pub fn compile(program: &Program) -> Self {
        Self::from_arc(Arc::new(program.clone()))
    }

    /// Prepares a program for the instructions of a tier, or the best that this CPU has below it.
    pub fn compile_for(program: &Program, tier: Tier) -> Self {
        Self::with_tier(Arc::new(program.clone()), tier)
    }

    /// Prepares a shared program, without a copy.
    pub fn from_arc(program: Arc<Program>) -> Self {
        Self::with_tier(program, Tier::current())
    }

    /// Prepares a shared program for the instructions of a tier, or the best that this CPU has below it.
    pub fn with_tier(program: Arc<Program>, tier: Tier) -> Self {
        let ranges = Ranges::new(&program);
        Self::with_ranges(program, ranges, tier)
    }

    /// The same program for runs in which a hook changes values of an instruction to anything of their type: what is known of
    /// them by their instruction is forgotten.
    #[must_use]
    pub fn doubting(&self, instruction: u32) -> Self {
        let program = self.program.clone();
        let ranges = Ranges::with_any(&program, Some(instruction));
        Self::with_ranges(program, ranges, self.tier)
    }

    fn with_ranges(program: Arc<Program>, ranges: Ranges, tier: Tier) -> Self {
        let instructions = (0..).zip(program.instructions());
        let forms = instructions.map(|(n, instruction)| fixed_form(&program, n, instruction, &ranges, tier));
        let forms = forms.collect();
        let lifetimes = run::Lifetimes::new(&program);
        let needs = needs::Needs::new(&program);
        let work = run::work(&program);
        Self { program, forms, tier, ranges, lifetimes, needs, work, pool: pool::Pool::default() }
    }

    /// The program.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// How the instructions are executed, for reports and tests; `moving` is decided at each iteration.
    pub fn forms(&self) -> Vec<&'static str> {
        let name = |form: &Option<Form>| match form {
            Some(Form::Gemm(_)) => "gemm",
            Some(Form::Regrouped(_)) => "regrouped",
            Some(Form::Dot(_)) => "dot",
            Some(Form::Scaled(_)) => "scaled",
            Some(Form::History(_)) => "history",
            Some(Form::Lanes(_)) => "lanes",
            Some(Form::Slow) => "slow",
            None => "moving",
        };
        self.forms.iter().map(name).collect()
    }
}

fn execute(form: &Form, instruction: &Instruction, frame: Frame<'_>, pool: &pool::Pool) -> Tensor {
    match form {
        Form::Gemm(gemm) => gemm.run(&[frame], pool).pop().unwrap_or_else(Tensor::empty),
        Form::Regrouped(regrouped) => regrouped.run(&[frame], pool).pop().unwrap_or_else(Tensor::empty),
        Form::Dot(dot) => dot.run(frame),
        Form::Scaled(scaled) => scaled.run(&[frame], pool).pop().unwrap_or_else(Tensor::empty),
        Form::History(history) => history.run(frame, pool),
        Form::Lanes(lanes) => lanes.run(frame, pool),
        Form::Slow => slow::run(instruction, frame),
    }
}

/// The form of an instruction that is the same at every iteration.
fn fixed_form(program: &Program, number: u32, instruction: &Instruction, ranges: &Ranges, tier: Tier) -> Option<Form> {
    let header = |source: &Source| match source {
        Source::Constant(n) => {
            let tensor = program.constants().get(usize::try_from(*n).ok()?)?;
            Some(Header {
                place: Place::Constant(*n),
                dtype: tensor.dtype(),
                elements: tensor.elements(),
                tau: 0,
                range: ranges.of(source),
            })
        }
        Source::Input(n) => {
            let input = program.inputs().get(usize::try_from(*n).ok()?)?;
            Some(Header {
                place: Place::Input(*n),
                dtype: input.dtype,
                elements: input.elements,
                tau: 0,
                range: ranges.of(source),
            })
        }
        Source::Value(n) if *n >= number => Some(Header::NOWHERE),
        Source::Value(n) => {
            let range = ranges.of(source);
            let source = program.instructions().get(usize::try_from(*n).ok()?)?;
            let fixed = source.output.iter().all(|extent| matches!(extent, Extent::Fixed(_)));
            let header =
                Header { place: Place::Now(*n), dtype: source.dtype, elements: source.elements(0), tau: 0, range };
            fixed.then_some(header)
        }
        Source::History { .. } => None,
    };
    let fixed = instruction.dynamics.is_empty() && instruction.loads().all(|load| header(&load.source).is_some());
    fixed.then(|| form(program, instruction, (0, tier), &|source| header(source)))
}

fn form(program: &Program, instruction: &Instruction, (t, tier): (u64, Tier), header: load::Headers<'_>) -> Form {
    if let Some(gemm) = gemm::Gemm::new(program, instruction, t, header, tier) {
        return Form::Gemm(Arc::new(gemm));
    }
    if let Some(regrouped) = regrouped::Regrouped::new(program, instruction, (t, tier), header) {
        return Form::Regrouped(Arc::new(regrouped));
    }
    if let Some(dot) = dot::Dot::new(program, instruction, t, header) {
        return Form::Dot(Arc::new(dot));
    }
    if let Some(scaled) = scaled::Scaled::new(program, instruction, (t, tier), header) {
        return Form::Scaled(Arc::new(scaled));
    }
    lanes::Lanes::new(instruction, t, header, tier).map_or(Form::Slow, |lanes| Form::Lanes(Arc::new(lanes)))
}

//! Lies to try disputes on: one wrong multiply-add somewhere in a run, alone or with all that follows from it.

use std::{fmt, str::FromStr};

use opml_bisection::{Answer, Hash, Header, Nodes, Question, Shape, Step, Trace as GameTrace};
use opml_vm::{
    ModelError, Program, Reducer, Tensor, Trace,
    eval::{At, Evaluator, finish},
    interpreter::{self, Run, RunMemory, Stop},
};
use thiserror::Error;

use crate::{machine::VmTrace, random::Random};

/// An element of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cell {
    /// Iteration.
    pub t: u64,
    /// Instruction.
    pub instruction: u32,
    /// Element.
    pub e: u64,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "iteration {}, instruction {}, element {}", self.t, self.instruction, self.e)
    }
}

/// Where a lie is told, and whether the rest of the run follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// The element; none: chosen at random among all elements of the run.
    pub cell: Option<Cell>,
    /// Everything later is computed from the wrong element.
    pub consistent: bool,
}

/// A fault that was not understood.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "`{0}` is not a fault: use `random`, `consistent`, `at:I:E`, `from:I:E`, `at:T:I:E` or `from:T:I:E` \
     (iteration T, instruction I, element E; `from` also computes what follows from the lie)"
)]
pub struct BadFault(String);

impl FromStr for Fault {
    type Err = BadFault;

    fn from_str(text: &str) -> Result<Self, BadFault> {
        let bad = || BadFault(text.to_owned());
        match text {
            "random" => return Ok(Self { cell: None, consistent: false }),
            "consistent" => return Ok(Self { cell: None, consistent: true }),
            _ => {}
        }
        let (kind, place) = text.split_once(':').ok_or_else(bad)?;
        let consistent = match kind {
            "at" => false,
            "from" => true,
            _ => return Err(bad()),
        };
        let numbers: Vec<u64> = place.split(':').map(str::parse).collect::<Result<_, _>>().map_err(|_| bad())?;
        let (t, instruction, e) = match *numbers.as_slice() {
            [instruction, e] => (0, instruction, e),
            [t, instruction, e] => (t, instruction, e),
            _ => return Err(bad()),
        };
        let instruction = u32::try_from(instruction).map_err(|_| bad())?;
        Ok(Self { cell: Some(Cell { t, instruction, e }), consistent })
    }
}

/// Why a lie could not be planted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LieError {
    /// The run has no such element.
    #[error("the run has no {0}")]
    NoSuchCell(Cell),
    /// The run has no element at all.
    #[error("the run has no elements to lie about")]
    NoElements,
    /// The run could not be repeated.
    #[error(transparent)]
    Run(#[from] ModelError),
}

/// A run with a lie in it.
#[derive(Debug, Clone)]
pub struct Lie {
    /// The wrong element.
    pub cell: Cell,
    /// Its right value.
    pub right: i64,
    /// What the liar says.
    pub wrong: i64,
    /// The term whose product the liar gets wrong, and by how much; none if only the element itself is wrong.
    pub term: Option<(u64, i128)>,
    /// Everything later was computed from the wrong element.
    pub consistent: bool,
    /// The whole lying run.
    pub run: Run,
}

impl Lie {
    /// Plants a lie in an honest run.
    ///
    /// # Errors
    /// The run has no such element.
    pub fn plant(
        program: &Program,
        inputs: &[Tensor],
        honest: &Run,
        fault: Fault,
        random: &mut Random,
    ) -> Result<Self, LieError> {
        let cell = match fault.cell {
            Some(cell) => cell,
            None => random_cell(program, honest, random)?,
        };
        let value = value_of(program, honest, cell);
        let right = value.and_then(|value| value.get(cell.e)).ok_or(LieError::NoSuchCell(cell))?;
        let (wrong, term) = wrong_sum(program, inputs, honest, cell, right, random)
            .map_or_else(|| (wrong_element(value, right), None), |(wrong, term)| (wrong, Some(term)));
        Self::told(program, inputs, honest, Told { cell, right, wrong, term, consistent: fault.consistent })
    }

    /// A consistent lie: term `term` of the sum behind `cell` is off by `error`. None if the element stays the same.
    ///
    /// # Errors
    /// The run has no such element.
    pub fn of_term(
        program: &Program,
        inputs: &[Tensor],
        honest: &Run,
        cell: Cell,
        (term, error): (u64, i128),
    ) -> Result<Option<Self>, LieError> {
        let value = value_of(program, honest, cell);
        let right = value.and_then(|value| value.get(cell.e)).ok_or(LieError::NoSuchCell(cell))?;
        let Some(wrong) = Sum::of(program, inputs, honest, cell).and_then(|mut sum| sum.with_error(error)) else {
            return Ok(None);
        };
        if wrong == right {
            return Ok(None);
        }
        let told = Told { cell, right, wrong, term: Some((term, error)), consistent: true };
        Self::told(program, inputs, honest, told).map(Some)
    }

    fn told(program: &Program, inputs: &[Tensor], honest: &Run, told: Told) -> Result<Self, LieError> {
        let Told { cell, right, wrong, term, consistent } = told;
        let mut hook = |t: u64, instruction: u32, value: &mut Tensor| {
            if (t, instruction) == (cell.t, cell.instruction) {
                replace(value, cell.e, wrong);
            }
        };
        let run = if consistent {
            let stop = Stop::Exactly(honest.length);
            interpreter::run_tampered(program, inputs, stop, u64::MAX, &mut hook)?
        } else {
            let mut run = honest.clone();
            let leaf = interpreter::leaf_index(program.counts().instructions, cell.t, cell.instruction);
            let place = leaf.and_then(|leaf| usize::try_from(leaf).ok()).and_then(|leaf| run.values.get_mut(leaf));
            hook(cell.t, cell.instruction, place.ok_or(LieError::NoSuchCell(cell))?);
            run
        };
        Ok(Self { cell, right, wrong, term, consistent, run })
    }
}

/// What is lied, before the rest of the run follows.
struct Told {
    cell: Cell,
    right: i64,
    wrong: i64,
    term: Option<(u64, i128)>,
    consistent: bool,
}

fn value_of<'r>(program: &Program, honest: &'r Run, cell: Cell) -> Option<&'r Tensor> {
    honest.value(program.counts().instructions, cell.t, cell.instruction)
}

/// The sum behind an element, and what the element would be with another.
struct Sum<'a> {
    evaluator: Evaluator<'a>,
    memory: RunMemory<'a>,
    e: u64,
    terms: u64,
    total: i128,
}

impl<'a> Sum<'a> {
    /// None if the element is not a sum of at least one term.
    fn of(program: &'a Program, inputs: &'a [Tensor], honest: &'a Run, cell: Cell) -> Option<Self> {
        let instruction = program.instructions().get(usize::try_from(cell.instruction).ok()?)?;
        if instruction.reducer != Reducer::Sum {
            return None;
        }
        let at = At { instructions: program.counts().instructions, t: cell.t, instruction: cell.instruction };
        let mut memory = RunMemory::new(program, inputs, &honest.values);
        let mut evaluator = Evaluator::new(instruction, at);
        let terms = instruction.terms(cell.t);
        let total = match evaluator.slice(cell.e, 0, terms, &mut memory) {
            Ok(total) => total?,
            Err(never) => match never {},
        };
        Some(Self { evaluator, memory, e: cell.e, terms, total })
    }

    /// The element if the sum is off by `error`.
    fn with_error(&mut self, error: i128) -> Option<i64> {
        let acc = finish(Reducer::Sum, self.total.checked_add(error)?);
        match self.evaluator.post(self.e, acc, &mut self.memory) {
            Ok(element) => Some(element),
            Err(never) => match never {},
        }
    }
}

fn random_cell(program: &Program, honest: &Run, random: &mut Random) -> Result<Cell, LieError> {
    let total = honest.values.iter().map(Tensor::elements).sum();
    let mut rest = random.below(total).ok_or(LieError::NoElements)?;
    let instructions = program.counts().instructions;
    for (leaf, value) in (0u64..).zip(&honest.values) {
        if rest < value.elements() {
            let instruction = leaf.checked_rem(u64::from(instructions)).and_then(|i| u32::try_from(i).ok());
            let t = leaf.checked_div(u64::from(instructions)).unwrap_or(0);
            return Ok(Cell { t, instruction: instruction.unwrap_or(0), e: rest });
        }
        rest -= value.elements();
    }
    Err(LieError::NoElements)
}

/// A wrong term of a sum that shows in the element: its number, its error, and the element it leads to.
fn wrong_sum(
    program: &Program,
    inputs: &[Tensor],
    honest: &Run,
    cell: Cell,
    right: i64,
    random: &mut Random,
) -> Option<(i64, (u64, i128))> {
    let mut sum = Sum::of(program, inputs, honest, cell)?;
    let term = random.below(sum.terms)?;
    // The smallest power of two that changes the requantised element, upwards or downwards.
    (0..63).flat_map(|bit| [1i128 << bit, -(1i128 << bit)]).find_map(|error| {
        let wrong = sum.with_error(error)?;
        (wrong != right).then_some((wrong, (term, error)))
    })
}

/// The next number of the type, or the one before at its end.
fn wrong_element(value: Option<&Tensor>, right: i64) -> i64 {
    let max = value.map_or(i64::MAX, |value| value.dtype().max());
    if right < max { right.saturating_add(1) } else { right.saturating_sub(1) }
}

fn replace(value: &mut Tensor, e: u64, wrong: i64) {
    let mut values = value.values();
    if let Some(place) = usize::try_from(e).ok().and_then(|e| values.get_mut(e)) {
        *place = wrong;
    }
    *value = Tensor::saturating(value.dtype(), &values);
}

/// What a liar knows and says: the trace of its lying run, and partials that hide where the sum goes wrong.
pub struct LyingTrace<'a> {
    trace: VmTrace<'a>,
    leaf: u64,
    e: u64,
    term: Option<(u64, i128)>,
}

impl<'a> LyingTrace<'a> {
    /// The liar's side of a dispute; `trace` is that of [`Lie::run`].
    #[must_use]
    pub fn new(program: &'a Program, inputs: &'a [Tensor], trace: &'a Trace, lie: &Lie) -> Self {
        let leaf = trace.leaf(lie.cell.t, lie.cell.instruction).unwrap_or(u64::MAX);
        Self { trace: VmTrace::new(program, inputs, trace), leaf, e: lie.cell.e, term: lie.term }
    }
}

impl GameTrace for LyingTrace<'_> {
    fn node(&self, height: u32, index: u64) -> Answer<Hash> {
        self.trace.node(height, index)
    }

    fn header(&self, leaf: u64) -> Answer<Header> {
        self.trace.header(leaf)
    }

    fn tensor_node(&self, leaf: u64, height: u32, index: u64) -> Answer<Hash> {
        self.trace.tensor_node(leaf, height, index)
    }

    fn tensor_leaf(&self, leaf: u64, index: u64) -> Answer<Vec<u8>> {
        self.trace.tensor_leaf(leaf, index)
    }

    fn element(&self, leaf: u64, e: u64) -> Answer<i64> {
        self.trace.element(leaf, e)
    }

    fn bytes(&self, leaf: u64) -> Answer<Vec<u8>> {
        self.trace.bytes(leaf)
    }

    fn shape(&self, leaf: u64) -> Answer<Shape> {
        self.trace.shape(leaf)
    }

    fn partial(&self, leaf: u64, e: u64, k0: u64, k1: u64) -> Answer<i128> {
        let partial = self.trace.partial(leaf, e, k0, k1)?;
        let error = self.term.filter(|(k, _)| (leaf, e) == (self.leaf, self.e) && (k0..k1).contains(k));
        Ok(partial.saturating_add(error.map_or(0, |(_, error)| error)))
    }

    fn instruction(&self, leaf: u64) -> Answer<Step> {
        self.trace.instruction(leaf)
    }

    fn step(&self, leaf: u64, question: &Question, tree: &dyn Nodes) -> Answer<Step> {
        self.trace.step(leaf, question, tree)
    }
}

//! Lies to try disputes on: one wrong multiply-add somewhere in a run, alone or with all that follows from it.

use std::{fmt, str::FromStr};

use opml_bisection::{Answer, Hash, Header, Nodes, Question, Shape, Step, Trace as GameTrace, Unavailable};
use opml_ops::checkpoint::Tamper;
use opml_vm::{
    ModelError, Program, Reducer, Tensor,
    eval::{At, Evaluator, finish},
    interpreter::{self, Run, RunMemory, Stop},
};
use thiserror::Error;

use crate::{knowledge::Knowledge, machine::VmTrace, random::Random};

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
    /// The run cannot be read.
    #[error(transparent)]
    Trace(#[from] Unavailable),
}

/// What a liar says of one element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
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
}

/// A run with a lie in it.
#[derive(Debug, Clone)]
pub struct Lie {
    /// The lie.
    pub told: Told,
    /// The whole lying run.
    pub run: Run,
}

impl Told {
    /// Finds something to say about a run.
    ///
    /// # Errors
    /// The run has no such element.
    pub fn plan(
        program: &Program,
        inputs: &[Tensor],
        honest: Knowledge<'_>,
        fault: Fault,
        random: &mut Random,
    ) -> Result<Self, LieError> {
        let elements = |leaf| honest.header(leaf).map_or(0, |(_, elements)| elements);
        let cell = fault.cell.map_or_else(|| random_cell(program, honest.tree().leaves(), elements, random), Ok)?;
        if cell.t >= honest.length() {
            return Err(LieError::NoSuchCell(cell));
        }
        honest.at(cell.t, |known| Self::of(program, inputs, known.values, (cell, fault.consistent), random))?
    }

    /// Something to say about one element.
    fn of(
        program: &Program,
        inputs: &[Tensor],
        values: &[Tensor],
        (cell, consistent): (Cell, bool),
        random: &mut Random,
    ) -> Result<Self, LieError> {
        let value = value_of(program, values, cell).ok_or(LieError::NoSuchCell(cell))?;
        let right = value.get(cell.e).ok_or(LieError::NoSuchCell(cell))?;
        let (wrong, term) = wrong_sum(program, inputs, values, cell, right, random)
            .map_or_else(|| (wrong_element(value, right), None), |(wrong, term)| (wrong, Some(term)));
        Ok(Self { cell, right, wrong, term, consistent })
    }

    /// The same for a run that is computed again.
    #[must_use]
    pub const fn tamper(&self) -> Tamper {
        let Cell { t, instruction, e } = self.cell;
        Tamper { t, instruction, element: e, value: self.wrong, consistent: self.consistent }
    }

    /// When the lying run ends, if the honest one has so many iterations: a lie about the halt is one about the length, others keep it.
    #[must_use]
    pub fn stop(&self, program: &Program, (length, max): (u64, u64)) -> Stop {
        if self.consistent && program.halt() == Some(self.cell.instruction) {
            Stop::Halt { max }
        } else {
            Stop::Exactly(length)
        }
    }

    /// The whole lying run.
    fn run(&self, program: &Program, inputs: &[Tensor], honest: &Run) -> Result<Run, LieError> {
        let cell = self.cell;
        let mut hook = |t: u64, instruction: u32, value: &mut Tensor| {
            if (t, instruction) == (cell.t, cell.instruction) {
                replace(value, cell.e, self.wrong);
            }
        };
        if self.consistent {
            let stop = Stop::Exactly(honest.length);
            return Ok(interpreter::run_tampered(program, inputs, stop, u64::MAX, &mut hook)?);
        }
        let mut run = honest.clone();
        let leaf = interpreter::leaf_index(program.counts().instructions, cell.t, cell.instruction);
        let place = leaf.and_then(|leaf| usize::try_from(leaf).ok()).and_then(|leaf| run.values.get_mut(leaf));
        hook(cell.t, cell.instruction, place.ok_or(LieError::NoSuchCell(cell))?);
        Ok(run)
    }
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
        let elements =
            |leaf| usize::try_from(leaf).ok().and_then(|leaf| honest.values.get(leaf)).map_or(0, Tensor::elements);
        let leaves = u64::try_from(honest.values.len()).unwrap_or(u64::MAX);
        let cell = fault.cell.map_or_else(|| random_cell(program, leaves, elements, random), Ok)?;
        let told = Told::of(program, inputs, &honest.values, (cell, fault.consistent), random)?;
        Ok(Self { told, run: told.run(program, inputs, honest)? })
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
        let value = value_of(program, &honest.values, cell);
        let right = value.and_then(|value| value.get(cell.e)).ok_or(LieError::NoSuchCell(cell))?;
        let sum = Sum::of(program, inputs, &honest.values, cell);
        let Some(wrong) = sum.and_then(|mut sum| sum.with_error(error)).filter(|&wrong| wrong != right) else {
            return Ok(None);
        };
        let told = Told { cell, right, wrong, term: Some((term, error)), consistent: true };
        Ok(Some(Self { told, run: told.run(program, inputs, honest)? }))
    }
}

fn value_of<'r>(program: &Program, values: &'r [Tensor], cell: Cell) -> Option<&'r Tensor> {
    let instructions = program.counts().instructions;
    let leaf = interpreter::leaf_index(instructions, cell.t, cell.instruction)?;
    values.get(usize::try_from(leaf).ok()?).filter(|_| cell.instruction < instructions)
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
    fn of(program: &'a Program, inputs: &'a [Tensor], values: &'a [Tensor], cell: Cell) -> Option<Self> {
        let instruction = program.instructions().get(usize::try_from(cell.instruction).ok()?)?;
        if instruction.reducer != Reducer::Sum {
            return None;
        }
        let at = At { instructions: program.counts().instructions, t: cell.t, instruction: cell.instruction };
        let mut memory = RunMemory::new(program, inputs, values);
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

/// An element of a run whose value at each leaf has so many.
fn random_cell(
    program: &Program,
    leaves: u64,
    elements: impl Fn(u64) -> u64,
    random: &mut Random,
) -> Result<Cell, LieError> {
    let mut rest = random.below((0..leaves).map(&elements).sum()).ok_or(LieError::NoElements)?;
    let instructions = u64::from(program.counts().instructions);
    for leaf in 0..leaves {
        if rest < elements(leaf) {
            let instruction = leaf.checked_rem(instructions).and_then(|i| u32::try_from(i).ok());
            let t = leaf.checked_div(instructions).unwrap_or(0);
            return Ok(Cell { t, instruction: instruction.unwrap_or(0), e: rest });
        }
        rest -= elements(leaf);
    }
    Err(LieError::NoElements)
}

/// A wrong term of a sum that shows in the element: its number, its error, and the element it leads to.
fn wrong_sum(
    program: &Program,
    inputs: &[Tensor],
    values: &[Tensor],
    cell: Cell,
    right: i64,
    random: &mut Random,
) -> Option<(i64, (u64, i128))> {
    let mut sum = Sum::of(program, inputs, values, cell)?;
    let term = random.below(sum.terms)?;
    // The smallest power of two that changes the requantised element, upwards or downwards.
    (0..63).flat_map(|bit| [1i128 << bit, -(1i128 << bit)]).find_map(|error| {
        let wrong = sum.with_error(error)?;
        (wrong != right).then_some((wrong, (term, error)))
    })
}

/// The next number of the type, or the one before at its end.
fn wrong_element(value: &Tensor, right: i64) -> i64 {
    if right < value.dtype().max() { right.saturating_add(1) } else { right.saturating_sub(1) }
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
    /// The liar's side of a dispute; `trace` is that of the lying run.
    #[must_use]
    pub fn new(program: &'a Program, inputs: &'a [Tensor], trace: impl Into<Knowledge<'a>>, told: &Told) -> Self {
        let trace = VmTrace::new(program, inputs, trace);
        let leaf = trace.knowledge().leaf(told.cell.t, told.cell.instruction).unwrap_or(u64::MAX);
        Self { trace, leaf, e: told.cell.e, term: told.term }
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

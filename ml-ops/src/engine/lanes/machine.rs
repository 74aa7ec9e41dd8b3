//! The registers of a thread, and the steps over them: once, once a row, once a lane.

use std::{cell::RefCell, sync::Arc};

use opml_vm::{Tensor, eval::scalar};

use super::{
    code::{Code, LANES, Path, Reg, Shape, SlotStep, Step, TablePlan, TableSource, Width},
    fetch::{self, Scratch},
    number::Number,
    simd::Kernels,
    space::{Block, Space},
};
use crate::engine::{Frame, load::Place, ops};

/// Lanes, aligned for whole vectors.
#[derive(Debug, Clone)]
#[repr(align(64))]
pub(super) struct Lanes<T>(pub(super) [T; LANES]);

/// Numbers over lanes of either width.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) enum Numbers<'a> {
    Narrow(&'a [i32]),
    Wide(&'a [i64]),
}

impl Numbers<'_> {
    pub(in crate::engine) const fn len(self) -> usize {
        match self {
            Self::Narrow(numbers) => numbers.len(),
            Self::Wide(numbers) => numbers.len(),
        }
    }

    /// `count` of them from a place on.
    pub(super) fn part(self, at: usize, count: usize) -> Self {
        match self {
            Self::Narrow(numbers) => Self::Narrow(&numbers[at..at + count]),
            Self::Wide(numbers) => Self::Wide(&numbers[at..at + count]),
        }
    }
}

/// Slots that are not lanes.
#[derive(Debug, Default)]
pub(super) struct Slots {
    pub(super) uniform: Vec<i64>,
    /// A number for each row, for slots of that shape.
    pub(super) rows: Vec<Vec<i64>>,
}

impl Slots {
    /// The part of a sum that is the same everywhere.
    pub(super) fn base(&self, path: &Path) -> i64 {
        let products = path.uniform.iter().map(|&(slot, c)| c.wrapping_mul(self.uniform[slot]));
        products.fold(path.base, i64::wrapping_add)
    }

    /// The sum at lane 0 of a row.
    pub(super) fn at(&self, path: &Path, row: usize) -> i64 {
        let products = path.rows.iter().map(|&(slot, c)| c.wrapping_mul(self.rows[slot][row]));
        products.fold(self.base(path), i64::wrapping_add)
    }
}

/// Numbers known before the lanes are.
#[derive(Debug)]
pub(super) enum Table {
    Narrow(Vec<i32>),
    Wide(Vec<i64>),
}

/// The registers of one thread.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) kernels: Kernels,
    pub(super) slots: Slots,
    pub(super) narrow: Vec<Option<Box<Lanes<i32>>>>,
    pub(super) wide: Vec<Option<Box<Lanes<i64>>>>,
    pub(super) tables: Vec<Arc<Table>>,
    pub(super) scratch: Scratch,
    /// Room for operands of a step over rows.
    operands: [Vec<i64>; 3],
    point: [i64; 16],
}

thread_local! {
    /// Machines that nobody on this thread uses.
    static SPARE: RefCell<Vec<Machine>> = const { RefCell::new(Vec::new()) };
}

/// Machines that a thread keeps.
const SPARES: usize = 8;

/// A machine for one program; afterwards the thread keeps it, since fresh buffers take longer than a short program.
#[derive(Debug)]
pub(super) struct Held(Option<Machine>);

impl Held {
    /// Runs what is the same everywhere.
    pub(super) fn new(code: &Code, kernels: Kernels, frame: Frame<'_>) -> Self {
        let spare = SPARE.with_borrow_mut(Vec::pop);
        let mut machine = spare.unwrap_or_else(|| Machine::empty(kernels));
        machine.prepare(code, kernels);
        machine.start(code, frame);
        Self(Some(machine))
    }

    /// The machine. It is there until it is dropped.
    pub(super) fn get(&mut self) -> Option<&mut Machine> {
        self.0.as_mut()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some(machine) = self.0.take() else { return };
        // While a thread ends there is nothing to keep it in.
        let _ = SPARE.try_with(|spare| {
            let mut spare = spare.borrow_mut();
            if spare.len() < SPARES {
                spare.push(machine);
            }
        });
    }
}

fn reserve<T: Number>(own: &mut Vec<Option<Box<Lanes<T>>>>, count: usize) {
    while own.len() < count {
        own.push(Some(Box::new(Lanes([T::default(); LANES]))));
    }
}

impl Machine {
    const fn empty(kernels: Kernels) -> Self {
        Self {
            kernels,
            slots: Slots { uniform: Vec::new(), rows: Vec::new() },
            narrow: Vec::new(),
            wide: Vec::new(),
            tables: Vec::new(),
            scratch: Scratch::new(),
            operands: [const { Vec::new() }; 3],
            point: [0; 16],
        }
    }

    /// Makes room for a program. What buffers hold from before is written before it is read.
    fn prepare(&mut self, code: &Code, kernels: Kernels) {
        self.kernels = kernels;
        let uniform = &mut self.slots.uniform;
        uniform.clear();
        uniform.resize(usize::from(opml_vm::isa::SLOT_CONST), 0);
        uniform.extend(&code.constants);
        uniform.resize(code.slots, 0);
        if self.slots.rows.len() < code.slots {
            self.slots.rows.resize(code.slots, Vec::new());
        }
        reserve(&mut self.narrow, code.narrow);
        reserve(&mut self.wide, code.wide);
        self.point = [0; 16];
    }

    /// Begins in a frame: runs what is the same everywhere.
    pub(super) fn start(&mut self, code: &Code, frame: Frame<'_>) {
        self.slots.uniform[0] = i64::try_from(frame.t).unwrap_or(i64::MAX);
        self.tables.clear();
        self.tables.extend(code.tables.iter().map(|plan| table(code, plan, frame)));
        let all = Block { row: 0, rows: 1, lane: 0, lanes: LANES };
        self.steps(code, &code.start, frame, all, Numbers::Wide(&[]));
    }

    /// Runs the steps of a block; `acc` are reduced values.
    pub(super) fn block(&mut self, code: &Code, frame: Frame<'_>, block: Block, acc: Numbers<'_>) {
        let row = i64::try_from(block.row).unwrap_or(i64::MAX);
        Space::point(&code.space.rows, row, &mut self.point);
        self.steps(code, &code.block, frame, block, acc);
    }

    /// Runs the steps of a term.
    pub(super) fn term(&mut self, code: &Code, frame: Frame<'_>, block: Block, point: &[i64; 16]) {
        for &(axis, _) in &code.space.terms {
            self.point[axis] = point[axis];
        }
        self.steps(code, &code.term, frame, block, Numbers::Wide(&[]));
    }

    /// The program's result.
    pub(super) fn result(&self, code: &Code, count: usize) -> Numbers<'_> {
        match code.result.width {
            Width::Narrow => Numbers::Narrow(&self.narrow(code.result)[..count]),
            Width::Wide => Numbers::Wide(&self.wide(code.result)[..count]),
        }
    }

    pub(super) fn narrow(&self, reg: Reg) -> &[i32] {
        self.narrow.get(reg.number).and_then(Option::as_ref).map_or(&[], |lanes| &lanes.0)
    }

    pub(super) fn wide(&self, reg: Reg) -> &[i64] {
        self.wide.get(reg.number).and_then(Option::as_ref).map_or(&[], |lanes| &lanes.0)
    }

    fn steps(&mut self, code: &Code, steps: &[Step], frame: Frame<'_>, block: Block, acc: Numbers<'_>) {
        for step in steps {
            match step {
                Step::Slot { slot, shape, what } => {
                    if *shape == Shape::Uniform {
                        self.slots.uniform[*slot] = self.single(code, frame, what, 0);
                    } else {
                        self.row(code, frame, block, *slot, what);
                    }
                }
                Step::Lanes { out, what } => self.lanes(code, frame, block, acc, *out, what),
            }
        }
    }

    /// A slot's number in one row.
    fn single(&self, code: &Code, frame: Frame<'_>, what: &SlotStep, row: usize) -> i64 {
        match what {
            SlotStep::Op(opcode, operands) => {
                let [a, b, c] = operands.map(|slot| self.scalar(code, slot, row));
                scalar(*opcode, a, b, c)
            }
            SlotStep::Load(load) => {
                let load = &code.loads[*load];
                fetch::single(load, frame.tensor(load.place), &self.slots, row)
            }
            SlotStep::Coordinate(axis) => self.point[*axis],
        }
    }

    /// A slot that is the same in all lanes of a row.
    pub(super) fn scalar(&self, code: &Code, slot: usize, row: usize) -> i64 {
        match code.shapes[slot] {
            Shape::Row => self.slots.rows[slot].get(row).copied().unwrap_or(0),
            Shape::Uniform | Shape::Lane => self.slots.uniform[slot],
        }
    }

    fn row(&mut self, code: &Code, frame: Frame<'_>, block: Block, slot: usize, what: &SlotStep) {
        let mut values = std::mem::take(&mut self.slots.rows[slot]);
        values.clear();
        match what {
            _ if block.rows == 1 => values.push(self.single(code, frame, what, 0)),
            SlotStep::Op(opcode, operands) => {
                values.resize(block.rows, 0);
                let arity = opcode.arity().min(3);
                for (number, &source) in operands.iter().enumerate().take(arity) {
                    let mut operand = std::mem::take(&mut self.operands[number]);
                    operand.clear();
                    operand.extend((0..block.rows).map(|row| self.scalar(code, source, row)));
                    self.operands[number] = operand;
                }
                // Operands past the arity are not looked at.
                let operand = |number: usize| self.operands[number.min(arity.saturating_sub(1))].as_slice();
                ops::apply(*opcode, &mut values, operand(0), operand(1), operand(2));
            }
            SlotStep::Load(load) => {
                let load = &code.loads[*load];
                let tensor = frame.tensor(load.place);
                values.extend((0..block.rows).map(|row| fetch::single(load, tensor, &self.slots, row)));
            }
            SlotStep::Coordinate(axis) => {
                let mut point = self.point;
                for _ in 0..block.rows {
                    values.push(point[*axis]);
                    Space::advance(&code.space.rows, &mut point);
                }
            }
        }
        self.slots.rows[slot] = values;
    }
}

/// A table's numbers.
fn table(code: &Code, plan: &TablePlan, frame: Frame<'_>) -> Arc<Table> {
    if let Some(known) = plan.known.get() {
        return known.clone();
    }
    match &plan.source {
        TableSource::Function(function) => {
            let numbers = || Arc::new(cut(plan.width, function.values(frame.program).into_iter()));
            plan.known.get_or_init(numbers).clone()
        }
        TableSource::Load { load, extent } => {
            let load = &code.loads[*load];
            let empty = Tensor::empty();
            let tensor = frame.tensor(load.place).unwrap_or(&empty);
            let extent = load.elements.min(*extent);
            let entry = |index: i64| {
                let position = u64::try_from(index).ok().filter(|_| index < extent);
                position.and_then(|position| tensor.get(position)).unwrap_or(load.pad)
            };
            let numbers = || Arc::new(cut(plan.width, (plan.low..).take(plan.size).map(entry)));
            match load.place {
                Place::Constant(_) => plan.known.get_or_init(numbers).clone(),
                _ => numbers(),
            }
        }
    }
}

fn cut(width: Width, numbers: impl Iterator<Item = i64>) -> Table {
    match width {
        Width::Narrow => Table::Narrow(numbers.map(i32::cut).collect()),
        Width::Wide => Table::Wide(numbers.collect()),
    }
}

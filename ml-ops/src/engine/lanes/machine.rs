//! The registers of a thread, and the steps over them: once, once a row, once a lane.

use std::cell::RefCell;

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
    pub(super) tables: Vec<Table>,
    pub(super) scratch: Scratch,
    /// Room for operands of a step over rows.
    operands: [Vec<i64>; 3],
    point: [i64; 16],
}

thread_local! {
    /// Registers that no machine of this thread holds.
    static SPARE: RefCell<Spare> = const { RefCell::new(Spare { narrow: Vec::new(), wide: Vec::new() }) };
}

/// Registers kept for later: what they hold is not looked at.
struct Spare {
    narrow: Vec<Box<Lanes<i32>>>,
    wide: Vec<Box<Lanes<i64>>>,
}

/// Registers of each width that a thread keeps.
const SPARES: usize = 64;

fn take<T: Number>(spare: &mut Vec<Box<Lanes<T>>>, count: usize) -> Vec<Option<Box<Lanes<T>>>> {
    let fresh = || Box::new(Lanes([T::default(); LANES]));
    (0..count).map(|_| Some(spare.pop().unwrap_or_else(fresh))).collect()
}

fn give<T>(spare: &mut Vec<Box<Lanes<T>>>, own: &mut Vec<Option<Box<Lanes<T>>>>) {
    let room = SPARES.saturating_sub(spare.len());
    spare.extend(own.drain(..).flatten().take(room));
}

impl Drop for Machine {
    fn drop(&mut self) {
        // While a thread ends there is nothing to keep them in.
        let _ = SPARE.try_with(|spare| {
            let mut spare = spare.borrow_mut();
            give(&mut spare.narrow, &mut self.narrow);
            give(&mut spare.wide, &mut self.wide);
        });
    }
}

impl Machine {
    /// Runs what is the same everywhere.
    pub(super) fn new(code: &Code, kernels: Kernels, frame: Frame<'_>) -> Self {
        let mut uniform = vec![0; code.slots];
        uniform[0] = i64::try_from(frame.t).unwrap_or(i64::MAX);
        for (slot, &constant) in uniform.iter_mut().skip(usize::from(opml_vm::isa::SLOT_CONST)).zip(&code.constants) {
            *slot = constant;
        }
        let (narrow, wide) =
            SPARE.with_borrow_mut(|spare| (take(&mut spare.narrow, code.narrow), take(&mut spare.wide, code.wide)));
        let mut machine = Self {
            kernels,
            slots: Slots { uniform, rows: vec![Vec::new(); code.slots] },
            narrow,
            wide,
            tables: code.tables.iter().map(|plan| table(code, plan, frame)).collect(),
            scratch: Scratch::default(),
            operands: Default::default(),
            point: [0; 16],
        };
        let all = Block { row: 0, rows: 1, lane: 0, lanes: LANES };
        machine.steps(code, &code.start, frame, all, Numbers::Wide(&[]));
        machine
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
fn table(code: &Code, plan: &TablePlan, frame: Frame<'_>) -> Table {
    match &plan.source {
        TableSource::Function(function) => cut(plan.width, function.values(frame.program).iter().copied()),
        TableSource::Load { load, extent, known } => {
            let load = &code.loads[*load];
            let empty = Tensor::empty();
            let tensor = frame.tensor(load.place).unwrap_or(&empty);
            let extent = load.elements.min(*extent);
            let entry = |index: i64| {
                let position = u64::try_from(index).ok().filter(|_| index < extent);
                position.and_then(|position| tensor.get(position)).unwrap_or(load.pad)
            };
            let entries = (plan.low..).take(plan.size).map(entry);
            match load.place {
                Place::Constant(_) => cut(plan.width, known.get_or_init(|| entries.collect()).iter().copied()),
                _ => cut(plan.width, entries),
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

//! Runs the steps of a program over a block.

use opml_vm::{Opcode, Tensor, eval::scalar};

use super::{
    code::{Arg, Calc, Code, LANES, LaneStep, Path, Reg, Shape, SlotStep, Step, Width},
    fetch::{self, Scratch},
    kernel::In,
    number::Number,
    simd::Kernels,
    space::{Block, Space},
};
use crate::engine::{Frame, load::Place, ops};

/// Lanes, aligned for whole vectors.
#[derive(Debug, Clone)]
#[repr(align(64))]
pub(super) struct Lanes<T>([T; LANES]);

impl<T: Number> Lanes<T> {
    pub(super) fn new() -> Box<Self> {
        Box::new(Self([T::default(); LANES]))
    }
}

/// Numbers over lanes of either width.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) enum Numbers<'a> {
    Narrow(&'a [i32]),
    Wide(&'a [i64]),
}

impl<'a> Numbers<'a> {
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

/// The registers of one thread.
#[derive(Debug)]
pub(super) struct Machine {
    kernels: Kernels,
    slots: Slots,
    narrow: Vec<Option<Box<Lanes<i32>>>>,
    wide: Vec<Option<Box<Lanes<i64>>>>,
    narrow_tables: Vec<Vec<i32>>,
    wide_tables: Vec<Vec<i64>>,
    scratch: Scratch,
    point: [i64; 16],
}

impl Machine {
    /// Runs what is the same everywhere.
    pub(super) fn new(code: &Code, kernels: Kernels, frame: Frame<'_>) -> Self {
        let mut uniform = vec![0; code.slots];
        uniform[0] = i64::try_from(frame.t).unwrap_or(i64::MAX);
        for (slot, &constant) in uniform.iter_mut().skip(usize::from(opml_vm::isa::SLOT_CONST)).zip(&code.constants) {
            *slot = constant;
        }
        let mut machine = Self {
            kernels,
            slots: Slots { uniform, rows: vec![Vec::new(); code.slots] },
            narrow: (0..code.narrow).map(|_| Some(Lanes::new())).collect(),
            wide: (0..code.wide).map(|_| Some(Lanes::new())).collect(),
            narrow_tables: Vec::new(),
            wide_tables: Vec::new(),
            scratch: Scratch::default(),
            point: [0; 16],
        };
        let all = Block { row: 0, rows: 1, lane: 0, lanes: LANES };
        machine.steps(code, &code.start, frame, all, Numbers::Wide(&[]));
        machine.tables(code, frame);
        machine
    }

    fn tables(&mut self, code: &Code, frame: Frame<'_>) {
        for table in &code.tables {
            let load = &code.loads[table.load];
            let empty = Tensor::empty();
            let tensor = frame.tensor(load.place).unwrap_or(&empty);
            let entries = (table.low..).take(table.size).map(|index| {
                let extent = table.extent.min(load.elements);
                let position = u64::try_from(index).ok().filter(|_| index < extent && !load.never);
                position.and_then(|position| tensor.get(position)).unwrap_or(load.pad)
            });
            let (mut narrow, mut wide) = (Vec::new(), Vec::new());
            match table.width {
                Width::Narrow => narrow = entries.map(i32::cut).collect(),
                Width::Wide => wide = entries.collect(),
            }
            self.narrow_tables.push(narrow);
            self.wide_tables.push(wide);
        }
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

    fn narrow(&self, reg: Reg) -> &[i32] {
        self.narrow.get(reg.number).and_then(Option::as_ref).map_or(&[], |lanes| &lanes.0)
    }

    fn wide(&self, reg: Reg) -> &[i64] {
        self.wide.get(reg.number).and_then(Option::as_ref).map_or(&[], |lanes| &lanes.0)
    }

    fn steps(&mut self, code: &Code, steps: &[Step], frame: Frame<'_>, block: Block, acc: Numbers<'_>) {
        for step in steps {
            match step {
                Step::Slot { slot, shape: Shape::Uniform, what } => self.uniform(code, frame, *slot, what),
                Step::Slot { slot, what, .. } => self.row(code, frame, block, *slot, what),
                // The buffer is out while it is written: no step reads what it writes.
                Step::Lanes { out, what } => match out.width {
                    Width::Narrow => {
                        if let Some(mut lanes) = self.narrow[out.number].take() {
                            self.narrow_step(code, frame, block, acc, &mut lanes.0, what);
                            self.narrow[out.number] = Some(lanes);
                        }
                    }
                    Width::Wide => {
                        if let Some(mut lanes) = self.wide[out.number].take() {
                            self.wide_step(code, frame, block, acc, &mut lanes.0, what);
                            self.wide[out.number] = Some(lanes);
                        }
                    }
                },
            }
        }
    }

    fn uniform(&mut self, code: &Code, frame: Frame<'_>, slot: usize, what: &SlotStep) {
        let value = match what {
            SlotStep::Op(opcode, operands) => {
                let [a, b, c] = operands.map(|slot| self.slots.uniform[slot]);
                scalar(*opcode, a, b, c)
            }
            SlotStep::Load(load) => {
                let load = &code.loads[*load];
                fetch::single(load, frame.tensor(load.place), &self.slots, 0)
            }
            SlotStep::Coordinate(axis) => self.point[*axis],
        };
        self.slots.uniform[slot] = value;
    }

    fn row(&mut self, code: &Code, frame: Frame<'_>, block: Block, slot: usize, what: &SlotStep) {
        let mut values = std::mem::take(&mut self.slots.rows[slot]);
        values.clear();
        match what {
            SlotStep::Op(opcode, operands) => {
                values.resize(block.rows, 0);
                let arity = opcode.arity().min(3);
                let filled = |slot: usize| vec![self.slots.uniform[slot]; block.rows];
                let owned = operands.map(|slot| match code.shapes[slot] {
                    Shape::Uniform => Some(filled(slot)),
                    Shape::Row | Shape::Lane => None,
                });
                let operand = |number: usize| -> &[i64] {
                    // Operands past the arity are not looked at.
                    let number = number.min(arity.saturating_sub(1));
                    owned[number].as_deref().unwrap_or(&self.slots.rows[operands[number]])
                };
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

    fn narrow_step(
        &mut self,
        code: &Code,
        frame: Frame<'_>,
        block: Block,
        acc: Numbers<'_>,
        out: &mut [i32; LANES],
        what: &LaneStep,
    ) {
        match what {
            LaneStep::Op { opcode, calc: Calc::Narrow, args } if *opcode != Opcode::Select => {
                let kernels = self.kernels;
                self.parts(code, block, *opcode, args, |machine, range, row| {
                    let [a, b, c] = args.map(|arg| machine.operand(code, arg, &range, row, Self::narrow));
                    kernels.narrow(*opcode, &mut out[range], a, b, c);
                });
            }
            LaneStep::Table { table, index, offset } => {
                let count = block.size();
                self.kernels.table(
                    &mut out[..count],
                    &self.narrow(*index)[..count],
                    &self.narrow_tables[*table],
                    *offset,
                );
            }
            other => self.any_step(code, frame, block, acc, out, other, Self::narrow),
        }
    }

    fn wide_step(
        &mut self,
        code: &Code,
        frame: Frame<'_>,
        block: Block,
        acc: Numbers<'_>,
        out: &mut [i64; LANES],
        what: &LaneStep,
    ) {
        match what {
            LaneStep::Op { opcode, calc: Calc::Exact, args } => {
                let count = block.size();
                let read = args.map(|arg| match arg {
                    Arg::Lanes(reg) => self.wide(reg),
                    Arg::Scalar(_) | Arg::None => &[],
                });
                // Operands past the arity are not looked at.
                let [a, b, c] = [read[0], read[1], read[2]].map(|r| if r.is_empty() { read[0] } else { r });
                ops::apply(*opcode, &mut out[..count], &a[..count], &b[..count], &c[..count]);
            }
            LaneStep::Table { table, index, offset } => {
                let count = block.size();
                let index = &self.narrow(*index)[..count];
                self.kernels.table(&mut out[..count], index, &self.wide_tables[*table], *offset);
            }
            other => self.any_step(code, frame, block, acc, out, other, Self::wide),
        }
    }

    /// What is the same for both widths; `own` reads a register of the width of `out`.
    #[allow(clippy::too_many_arguments, reason = "the operands of a step")]
    fn any_step<O: Number>(
        &mut self,
        code: &Code,
        frame: Frame<'_>,
        block: Block,
        acc: Numbers<'_>,
        out: &mut [O; LANES],
        what: &LaneStep,
        own: for<'m> fn(&'m Self, Reg) -> &'m [O],
    ) {
        let count = block.size();
        match what {
            LaneStep::Run(_) | LaneStep::Gather(..) => self.load(code, frame, block, &mut out[..count], what),
            LaneStep::Coordinate => {
                for row in out[..count].chunks_exact_mut(block.lanes) {
                    let lanes = i64::try_from(block.lane).unwrap_or(0)..;
                    row.iter_mut().zip(lanes).for_each(|(out, lane)| *out = O::cut(lane));
                }
            }
            LaneStep::Acc => match acc {
                Numbers::Narrow(acc) => self.kernels.convert(&mut out[..count], acc),
                Numbers::Wide(acc) => self.kernels.convert(&mut out[..count], acc),
            },
            LaneStep::Expand(slot) => {
                for (number, row) in out[..count].chunks_exact_mut(block.lanes).enumerate() {
                    row.fill(O::cut(self.scalar(code, *slot, number)));
                }
            }
            LaneStep::Convert(reg) => match reg.width {
                Width::Narrow => self.kernels.convert(&mut out[..count], &self.narrow(*reg)[..count]),
                Width::Wide => self.kernels.convert(&mut out[..count], &self.wide(*reg)[..count]),
            },
            LaneStep::Op { opcode: Opcode::Select, args, .. } => self.select(code, block, out, args, own),
            LaneStep::Op { opcode, args, .. } => {
                let narrow = args.iter().all(|arg| !matches!(arg, Arg::Lanes(Reg { width: Width::Wide, .. })));
                if narrow {
                    self.op(code, block, out, (*opcode, args), Self::narrow);
                } else {
                    self.op(code, block, out, (*opcode, args), Self::wide);
                }
            }
            // Tables are of one width each.
            LaneStep::Table { .. } => {}
        }
    }

    fn op<A: Number, O: Number>(
        &self,
        code: &Code,
        block: Block,
        out: &mut [O; LANES],
        (opcode, args): (Opcode, &[Arg; 3]),
        read: for<'m> fn(&'m Self, Reg) -> &'m [A],
    ) {
        self.parts(code, block, opcode, args, |machine, range, row| {
            let [a, b, c] = args.map(|arg| machine.operand(code, arg, &range, row, read));
            machine.kernels.wide(opcode, &mut out[range], a, b, c);
        });
    }

    fn select<O: Number>(
        &self,
        code: &Code,
        block: Block,
        out: &mut [O; LANES],
        args: &[Arg; 3],
        own: for<'m> fn(&'m Self, Reg) -> &'m [O],
    ) {
        let Arg::Lanes(condition) = args[0] else { return };
        self.parts(code, block, Opcode::Select, args, |machine, range, row| {
            let [b, c] = [args[1], args[2]].map(|arg| machine.operand(code, arg, &range, row, own));
            match condition.width {
                Width::Narrow => {
                    machine.kernels.select(&mut out[range.clone()], &machine.narrow(condition)[range], b, c);
                }
                Width::Wide => machine.kernels.select(&mut out[range.clone()], &machine.wide(condition)[range], b, c),
            }
        });
    }

    /// Calls `run` for the whole block, or for each row if an operand is one number a row.
    fn parts(
        &self,
        code: &Code,
        block: Block,
        opcode: Opcode,
        args: &[Arg; 3],
        mut run: impl FnMut(&Self, std::ops::Range<usize>, usize),
    ) {
        let a_row = |arg: &Arg| matches!(arg, Arg::Scalar(slot) if code.shapes[*slot] == Shape::Row);
        if block.rows > 1 && args.iter().any(a_row) {
            for row in 0..block.rows {
                run(self, row * block.lanes..(row + 1) * block.lanes, row);
            }
            return;
        }
        let count = block.size();
        // Lanes past the end hold old numbers and nobody reads them; division would look at them.
        let slow = matches!(opcode, Opcode::Div | Opcode::Rem | Opcode::Isqrt);
        let count = if slow { count } else { count.next_multiple_of(64).min(LANES) };
        run(self, 0..count, 0);
    }

    fn operand<'m, A>(
        &'m self,
        code: &Code,
        arg: Arg,
        range: &std::ops::Range<usize>,
        row: usize,
        read: for<'r> fn(&'r Self, Reg) -> &'r [A],
    ) -> In<'m, A> {
        match arg {
            Arg::Lanes(reg) => In::Lanes(read(self, reg).get(range.clone()).unwrap_or(&[])),
            Arg::Scalar(slot) => In::One(self.scalar(code, slot, row)),
            Arg::None => In::One(0),
        }
    }

    fn scalar(&self, code: &Code, slot: usize, row: usize) -> i64 {
        match code.shapes[slot] {
            Shape::Row => self.slots.rows[slot].get(row).copied().unwrap_or(0),
            Shape::Uniform | Shape::Lane => self.slots.uniform[slot],
        }
    }

    fn load<O: Number>(&mut self, code: &Code, frame: Frame<'_>, block: Block, out: &mut [O], what: &LaneStep) {
        let (LaneStep::Run(number) | LaneStep::Gather(number, _)) = what else { return };
        let load = &code.loads[*number];
        let Some(tensor) = frame.tensor(load.place).filter(|_| load.place != Place::Nowhere) else {
            out.fill(O::cut(load.pad));
            return;
        };
        match what {
            LaneStep::Gather(_, regs) => {
                let registers: Vec<&[i64]> = regs.iter().map(|&reg| self.wide(reg)).collect();
                fetch::gather(load, tensor, &self.slots, &registers, block, out);
            }
            _ => fetch::run(load, tensor, (&self.slots, self.kernels), block, &mut self.scratch, out),
        }
    }
}

//! Writes a program as steps: each slot where it changes least often, lanes in the narrowest width that is exact.

use std::collections::BTreeMap;

use opml_vm::{
    Instruction, Op, Opcode,
    isa::{SLOT_ACC, SLOT_CONST},
};

use super::{
    access::{Access, Sum},
    analysis::Analysis,
    buffers, calc,
    code::{Arg, Calc, Code, LaneStep, LoadCode, Path, Reg, Shape, SlotStep, Step, TablePlan, When, Width},
    space::Space,
};
use crate::engine::{
    interval::Interval,
    load::{self, FIRST_K},
};

/// Rows shorter than this get a row's number copied into each lane.
const SHORT: usize = 64;
/// Most entries of a table made beforehand.
const TABLE: usize = 2048;

/// The steps of a program over the given loops; `acc` says whether slot 17 is a number a lane.
pub(super) fn compile(instruction: &Instruction, ops: &[Op], analysis: Analysis, space: Space, acc: bool) -> Code {
    let mut writer = Writer::new(instruction, analysis, space, acc);
    for (number, op) in ops.iter().enumerate() {
        writer.op(number, op);
    }
    writer.finish()
}

struct Writer {
    analysis: Analysis,
    whens: Vec<When>,
    /// Registers by slot and width.
    regs: BTreeMap<(usize, Width), Reg>,
    next: usize,
    code: Code,
}

impl Writer {
    fn new(instruction: &Instruction, analysis: Analysis, space: Space, acc: bool) -> Self {
        let (mut shapes, mut whens) = (vec![Shape::Uniform; analysis.base], vec![When::Start; analysis.base]);
        for (slot, (shape, when)) in (0u8..).zip(shapes.iter_mut().zip(&mut whens)) {
            let Some(axis) = load::coordinate(slot) else { continue };
            if axis == space.lane && analysis.extents[axis] != 1 {
                (*shape, *when) = (Shape::Lane, When::Block);
            } else if space.rows.iter().any(|&(row, _)| row == axis) {
                (*shape, *when) = (Shape::Row, When::Block);
            } else if space.terms.iter().any(|&(term, _)| term == axis) {
                *when = When::Term;
            }
        }
        if acc {
            let slot = usize::from(SLOT_ACC);
            (shapes[slot], whens[slot]) = (Shape::Lane, When::Block);
        }
        let code = Code {
            space,
            loads: Vec::new(),
            tables: Vec::new(),
            slots: analysis.intervals.len(),
            constants: instruction.constants.clone(),
            shapes,
            start: Vec::new(),
            block: Vec::new(),
            term: Vec::new(),
            result: Reg { number: 0, width: Width::Wide },
            interval: analysis.result(),
            narrow: 0,
            wide: 0,
        };
        let mut writer = Self { analysis, whens, regs: BTreeMap::new(), next: 0, code };
        for axis in writer.code.space.rows.clone() {
            let slot = axis.0 + 1;
            writer.push(When::Block, Step::Slot { slot, shape: Shape::Row, what: SlotStep::Coordinate(axis.0) });
        }
        for axis in writer.code.space.terms.clone() {
            let slot = axis.0 + 1;
            writer.push(When::Term, Step::Slot { slot, shape: Shape::Uniform, what: SlotStep::Coordinate(axis.0) });
        }
        writer
    }

    fn finish(mut self) -> Code {
        let last = self.code.slots - 1;
        let width = self.natural(last);
        self.code.result = self.lanes(last, width);
        buffers::share(&mut self.code);
        self.code
    }

    fn push(&mut self, when: When, step: Step) {
        match when {
            When::Start => self.code.start.push(step),
            When::Block => self.code.block.push(step),
            When::Term => self.code.term.push(step),
        }
    }

    fn push_lanes(&mut self, when: When, width: Width, what: LaneStep) -> Reg {
        let out = Reg { number: self.next, width };
        self.next += 1;
        self.push(when, Step::Lanes { out, what });
        out
    }

    fn interval(&self, slot: usize) -> Interval {
        self.analysis.intervals[slot]
    }

    fn natural(&self, slot: usize) -> Width {
        Width::of(self.interval(slot))
    }

    /// The next operation.
    fn op(&mut self, number: usize, op: &Op) {
        let slot = self.analysis.base + number;
        match op {
            Op::Scalar { opcode, operands } => {
                let operands = operands.map(usize::from);
                let read = &operands[..opcode.arity().min(3)];
                let shape = read.iter().map(|&slot| self.code.shapes[slot]).max().unwrap_or(Shape::Uniform);
                let when = read.iter().map(|&slot| self.whens[slot]).max().unwrap_or(When::Start);
                self.place(shape, when);
                if shape == Shape::Lane {
                    self.lane_op(slot, *opcode, operands);
                } else {
                    self.push(when, Step::Slot { slot, shape, what: SlotStep::Op(*opcode, operands) });
                }
            }
            Op::Load(_) => {
                if let Some(access) = self.analysis.loads[number].take() {
                    self.load(slot, access);
                }
            }
        }
    }

    fn place(&mut self, shape: Shape, when: When) {
        self.code.shapes.push(shape);
        self.whens.push(when);
    }

    fn load(&mut self, slot: usize, access: Access) {
        let (shape, when) = if access.never { (Shape::Uniform, When::Start) } else { self.reach(&access) };
        self.place(shape, when);
        let number = self.code.loads.len();
        if shape != Shape::Lane {
            let load = self.load_code(&access, &mut Vec::new());
            self.code.loads.push(load);
            self.push(when, Step::Slot { slot, shape, what: SlotStep::Load(number) });
            return;
        }
        let width = self.natural(slot);
        let table = self.table(&access, number, width);
        let mut slots = Vec::new();
        let load = self.load_code(&access, &mut slots);
        let bounded = load.bounded;
        self.code.loads.push(load);
        let what = match table {
            Some(table) => table,
            None if bounded && slots.is_empty() => LaneStep::Run(number),
            None => LaneStep::Gather(number, slots.iter().map(|&slot| self.lanes(slot, Width::Wide)).collect()),
        };
        let reg = self.push_lanes(when, width, what);
        self.regs.insert((slot, width), reg);
    }

    /// The load over rows and lanes; slots of lanes are listed in `slots`.
    fn load_code(&self, access: &Access, slots: &mut Vec<usize>) -> LoadCode {
        let paths = |list: &[(Sum, i64)], slots: &mut Vec<usize>| -> Vec<(Path, i64)> {
            list.iter().map(|(sum, extent)| (self.path(sum, slots), *extent)).collect()
        };
        LoadCode {
            place: access.place,
            dtype: access.dtype,
            elements: access.elements,
            pad: access.pad,
            never: access.never,
            bounded: access.bounded,
            position: self.path(&access.position, slots),
            checks: paths(&access.checks, slots),
            axes: if access.bounded { Vec::new() } else { paths(&access.axes, slots) },
        }
    }

    fn path(&self, sum: &Sum, slots: &mut Vec<usize>) -> Path {
        let mut path = Path { base: sum.base, ..Path::default() };
        let coordinates =
            (1..).zip(sum.coordinates).filter(|&(slot, c)| c != 0 && self.analysis.extents[slot - 1] != 1);
        for (slot, coefficient) in coordinates.chain(sum.slots.iter().copied()) {
            if slot == self.code.space.lane + 1 {
                path.lane = path.lane.wrapping_add(coefficient);
                continue;
            }
            match self.code.shapes[slot] {
                Shape::Uniform => path.uniform.push((slot, coefficient)),
                Shape::Row => path.rows.push((slot, coefficient)),
                Shape::Lane => {
                    let place = slots.iter().position(|&known| known == slot).unwrap_or_else(|| {
                        slots.push(slot);
                        slots.len() - 1
                    });
                    path.lanes.push((place, coefficient));
                }
            }
        }
        path
    }

    /// What a load follows.
    fn reach(&self, access: &Access) -> (Shape, When) {
        let space = &self.code.space;
        let any = |mask: u32, slot: &dyn Fn(usize) -> bool| access.sums().any(|sum| sum.follows(mask, slot));
        let lane = if space.width == 1 { 0 } else { 1 << space.lane };
        let shape = if any(lane, &|slot| self.code.shapes[slot] == Shape::Lane) {
            Shape::Lane
        } else if any(Space::mask(&space.rows), &|slot| self.code.shapes[slot] == Shape::Row) {
            Shape::Row
        } else {
            Shape::Uniform
        };
        let term = any(Space::mask(&space.terms), &|slot| self.whens[slot] == When::Term);
        let when = match (term, shape) {
            (true, _) => When::Term,
            (false, Shape::Uniform) => When::Start,
            (false, _) => When::Block,
        };
        (shape, when)
    }

    /// A load by one register alone reads a table made beforehand.
    fn table(&mut self, access: &Access, load: usize, width: Width) -> Option<LaneStep> {
        let slots = |slot: usize| self.interval(slot);
        let plan = access.table(&self.analysis.extents, &slots).filter(|table| table.size <= TABLE)?;
        let (sum, extent) = &access.axes[plan.axis];
        let [(slot, 1)] = sum.slots.as_slice() else { return None };
        let alone = sum.coordinates.iter().zip(&self.analysis.extents).all(|(&c, &extent)| c == 0 || extent == 1);
        if !alone || self.code.shapes[*slot] != Shape::Lane || self.natural(*slot) != Width::Narrow {
            return None;
        }
        let offset = sum.base.checked_sub(plan.low)?;
        let index = self.lanes(*slot, Width::Narrow);
        let table = self.code.tables.len();
        self.code.tables.push(TablePlan { load, extent: *extent, low: plan.low, size: plan.size, width });
        Some(LaneStep::Table { table, index, offset })
    }

    /// A slot's numbers as lanes of the given width, which holds them.
    fn lanes(&mut self, slot: usize, width: Width) -> Reg {
        if let Some(&reg) = self.regs.get(&(slot, width)) {
            return reg;
        }
        let natural = self.natural(slot);
        let (what, made) = match (self.code.shapes[slot], self.regs.get(&(slot, natural))) {
            (Shape::Lane, Some(&reg)) => (LaneStep::Convert(reg), width),
            (Shape::Lane, None) if slot == usize::from(SLOT_ACC) => (LaneStep::Acc, natural),
            (Shape::Lane, None) => (LaneStep::Coordinate, natural),
            (Shape::Uniform | Shape::Row, _) => (LaneStep::Expand(slot), width),
        };
        let reg = self.push_lanes(self.whens[slot], made, what);
        self.regs.insert((slot, made), reg);
        // A coordinate or the reduced value, wanted in another width than its own.
        self.lanes(slot, width)
    }

    fn lane_op(&mut self, slot: usize, opcode: Opcode, operands: [usize; 3]) {
        let arity = opcode.arity().min(3);
        let lanes = operands.map(|slot| !self.is_scalar(slot));
        let form = calc::form(opcode, operands.map(|slot| self.interval(slot)), self.interval(slot), lanes);
        let natural = self.natural(slot);
        let out = if form.calc == Calc::Exact { Width::Wide } else { natural };
        let sources = form.order.map(|number| operands[number]);
        let from = sources.iter().zip(form.lanes).take(arity).filter(|(_, lanes)| *lanes);
        let from = from.map(|(&slot, _)| self.natural(slot)).max().unwrap_or(Width::Narrow);
        let mut args = [Arg::None; 3];
        for number in 0..arity {
            let source = sources[number];
            let width = match (form.calc, opcode) {
                (Calc::Exact, _) => Width::Wide,
                (_, Opcode::Select) if number == 0 => self.natural(source),
                (_, Opcode::Select) => out,
                _ => from,
            };
            args[number] = if form.lanes[number] { Arg::Lanes(self.lanes(source, width)) } else { Arg::Scalar(source) };
        }
        let reg = self.push_lanes(self.whens[slot], out, LaneStep::Op { opcode, calc: form.calc, args });
        self.regs.insert((slot, out), reg);
        if out != natural {
            let own = self.push_lanes(self.whens[slot], natural, LaneStep::Convert(reg));
            self.regs.insert((slot, natural), own);
        }
    }

    /// Whether a step over lanes can take the slot as one number.
    fn is_scalar(&self, slot: usize) -> bool {
        match self.code.shapes[slot] {
            Shape::Uniform => true,
            Shape::Row => self.code.space.width >= SHORT,
            Shape::Lane => false,
        }
    }
}

const _: () = assert!(FIRST_K == 8 && SLOT_CONST == 18, "coordinates are in slots 1 to 16");

//! Writes a program as steps: what is asked for, where it changes least often, in the narrowest width that is exact.

use std::{collections::BTreeMap, sync::Arc};

use opml_vm::{Instruction, Op, Opcode, isa::SLOT_ACC};

use super::{
    access::{Access, Sum},
    analysis::Analysis,
    buffers, calc,
    code::{
        Arg, Calc, Code, LaneStep, LoadCode, Path, Reg, Shape, SlotStep, Step, TablePlan, TableSource, When, Width,
    },
    linear::{Factor, Finder, Linear},
    pure::Pure,
    shape::Shapes,
    space::Space,
};
use crate::engine::{
    interval::Interval,
    load::{self, Place},
};

/// Most entries of a table: 16 KiB stay in the nearest cache.
const ENTRIES: i64 = 4096;
/// Rows shorter than this get a row's number copied into each lane.
const SHORT: usize = 64;

/// The steps of a program over the given loops; `acc` says whether slot 17 is a number a lane, `work` how many lanes will
/// run.
pub(super) fn compile(instruction: &Instruction, analysis: &Analysis, space: Space, acc: bool, work: i64) -> Code {
    let shapes = Shapes::new(&analysis.ops, analysis, &space, acc);
    let pure = Pure::new(&analysis.ops, analysis, &shapes);
    let code = Code {
        space,
        loads: Vec::new(),
        tables: Vec::new(),
        slots: analysis.intervals.len(),
        constants: instruction.constants.clone(),
        shapes: shapes.shapes.clone(),
        start: Vec::new(),
        block: Vec::new(),
        term: Vec::new(),
        result: Reg { number: 0, width: Width::Wide },
        narrow: 0,
        wide: 0,
    };
    let done = vec![false; code.slots];
    let mut writer = Writer { analysis, shapes: &shapes, pure, work, regs: BTreeMap::new(), done, next: 0, code };
    let width = writer.natural(analysis.output);
    writer.code.result = writer.lanes(analysis.output, width);
    buffers::share(&mut writer.code);
    writer.code
}

struct Writer<'a> {
    analysis: &'a Analysis,
    shapes: &'a Shapes,
    pure: Pure,
    work: i64,
    /// Registers by slot and width.
    regs: BTreeMap<(usize, Width), Reg>,
    /// Slots that are not lanes and have their step.
    done: Vec<bool>,
    next: usize,
    code: Code,
}

impl Writer<'_> {
    fn push(&mut self, when: When, step: Step) {
        match when {
            When::Start => self.code.start.push(step),
            When::Block => self.code.block.push(step),
            When::Term => self.code.term.push(step),
        }
    }

    fn push_lanes(&mut self, slot: usize, width: Width, what: LaneStep) -> Reg {
        let out = Reg { number: self.next, width };
        self.next += 1;
        self.push(self.shapes.whens[slot], Step::Lanes { out, what });
        self.regs.insert((slot, width), out);
        out
    }

    fn interval(&self, slot: usize) -> Interval {
        self.analysis.intervals[slot]
    }

    fn natural(&self, slot: usize) -> Width {
        Width::of(self.interval(slot))
    }

    fn shape(&self, slot: usize) -> Shape {
        self.shapes.shapes[slot]
    }

    /// The operation whose result a slot is.
    fn op(&self, slot: usize) -> Option<(&Op, Option<&Access>)> {
        let number = slot.checked_sub(self.analysis.base)?;
        Some((self.analysis.ops.get(number)?, self.analysis.loads.get(number)?.as_ref()))
    }

    /// Writes the step of a slot that is not lanes, once.
    fn need(&mut self, slot: usize) {
        if std::mem::replace(&mut self.done[slot], true) {
            return;
        }
        let what = match self.op(slot) {
            Some((Op::Scalar { opcode, operands }, _)) => {
                let (opcode, operands) = (*opcode, operands.map(usize::from));
                for &operand in &operands[..opcode.arity().min(3)] {
                    self.need(operand);
                }
                SlotStep::Op(opcode, operands)
            }
            Some((Op::Load(_), Some(access))) => {
                let access = access.clone();
                SlotStep::Load(self.load_code(&access, &mut Vec::new()))
            }
            Some((Op::Load(_), None)) => return,
            // Constants and the iteration are there from the start.
            None => match u8::try_from(slot).ok().and_then(load::coordinate) {
                Some(axis) if self.analysis.extents[axis] != 1 => SlotStep::Coordinate(axis),
                _ => return,
            },
        };
        self.push(self.shapes.whens[slot], Step::Slot { slot, shape: self.shape(slot), what });
    }

    /// A slot's numbers as lanes of the given width, which holds them.
    fn lanes(&mut self, slot: usize, width: Width) -> Reg {
        if let Some(&reg) = self.regs.get(&(slot, width)) {
            return reg;
        }
        if self.shape(slot) != Shape::Lane {
            self.need(slot);
            return self.push_lanes(slot, width, LaneStep::Expand(slot));
        }
        let own = match self.regs.get(&(slot, self.natural(slot))) {
            Some(&reg) => reg,
            None => self.produce(slot),
        };
        if own.width == width { own } else { self.push_lanes(slot, width, LaneStep::Convert(own)) }
    }

    /// Writes the step of a slot of lanes in its own width.
    fn produce(&mut self, slot: usize) -> Reg {
        let width = self.natural(slot);
        if let Some(step) = self.function(slot) {
            return self.push_lanes(slot, width, step);
        }
        let found = Finder { ops: &self.analysis.ops, analysis: self.analysis, shapes: self.shapes }.find(slot);
        if let Some(linear) = found {
            let step = self.linear(&linear);
            return self.push_lanes(slot, width, step);
        }
        match self.op(slot) {
            Some((Op::Scalar { opcode, operands }, _)) => self.lane_op(slot, *opcode, operands.map(usize::from)),
            Some((Op::Load(_), Some(access))) => {
                let access = access.clone();
                let step = self.load(&access, width);
                self.push_lanes(slot, width, step)
            }
            _ if slot == usize::from(SLOT_ACC) => self.push_lanes(slot, width, LaneStep::Acc),
            _ => self.push_lanes(slot, width, LaneStep::Coordinate),
        }
    }

    /// A table of the slot as a function of another one.
    fn function(&mut self, slot: usize) -> Option<LaneStep> {
        let function = self.pure.function(slot, self.analysis, self.work)?;
        let index = self.lanes(function.input, Width::Narrow);
        let (low, size, width) = (function.low, function.size, self.natural(slot));
        let (source, known) = (TableSource::Function(Box::new(function)), Arc::default());
        self.code.tables.push(TablePlan { source, low, size, width, known });
        Some(LaneStep::Table { table: self.code.tables.len() - 1, index, base: 0 })
    }

    fn linear(&mut self, linear: &Linear) -> LaneStep {
        let mut args = [Arg::None; 4];
        for (pair, &(slot, factor)) in args.chunks_exact_mut(2).zip(&linear.products) {
            pair[0] = Arg::Lanes(self.lanes(slot, Width::Narrow));
            pair[1] = match factor {
                Factor::Number(number) => Arg::Number(number),
                Factor::Slot(slot) if self.is_scalar(slot) => {
                    self.need(slot);
                    Arg::Scalar(slot)
                }
                Factor::Slot(slot) => Arg::Lanes(self.lanes(slot, Width::Narrow)),
            };
        }
        LaneStep::Linear { args, constants: linear.constants }
    }

    fn load(&mut self, access: &Access, width: Width) -> LaneStep {
        if let Some(table) = self.table(access, width) {
            return table;
        }
        let mut slots = Vec::new();
        let number = self.load_code(access, &mut slots);
        if access.bounded && slots.is_empty() {
            return LaneStep::Run(number);
        }
        LaneStep::Gather(number, slots.iter().map(|&slot| self.lanes(slot, Width::Wide)).collect())
    }

    /// A load by one register alone reads a table made beforehand.
    fn table(&mut self, access: &Access, width: Width) -> Option<LaneStep> {
        let plan = access.table(&self.analysis.extents, &|slot| self.interval(slot))?;
        let (sum, extent) = &access.axes[plan.axis];
        let [(slot, 1)] = sum.slots.as_slice() else { return None };
        let alone = sum.coordinates.iter().zip(&self.analysis.extents).all(|(&c, &extent)| c == 0 || extent == 1);
        // A constant's table is made once, others in each run.
        let worth =
            if matches!(access.place, Place::Constant(_)) { self.work.saturating_mul(16) } else { self.work / 8 };
        let few = load::count(plan.size) <= ENTRIES.min(worth);
        if !alone || !few || self.shape(*slot) != Shape::Lane || self.natural(*slot) != Width::Narrow {
            return None;
        }
        let index = self.lanes(*slot, Width::Narrow);
        let table = self.share_table(access, *extent, (plan.low, plan.size), width);
        Some(LaneStep::Table { table, index, base: sum.base })
    }

    /// A table with the given indices; one of the same numbers grows to hold them.
    fn share_table(&mut self, access: &Access, extent: i64, (low, size): (i64, usize), width: Width) -> usize {
        for (number, table) in self.code.tables.iter_mut().enumerate() {
            let TableSource::Load { load, extent: own, .. } = table.source else { continue };
            let known = &self.code.loads[load];
            if known.place != access.place || known.pad != access.pad || own != extent || table.width != width {
                continue;
            }
            let end = (table.low + load::count(table.size)).max(low + load::count(size));
            let first = table.low.min(low);
            let whole = load::size(end - first);
            if whole <= table.size + size {
                (table.low, table.size) = (first, whole);
                return number;
            }
        }
        let load = self.code.loads.len();
        self.code.loads.push(LoadCode::plain(access));
        let (source, known) = (TableSource::Load { load, extent }, Arc::default());
        self.code.tables.push(TablePlan { source, low, size, width, known });
        self.code.tables.len() - 1
    }

    /// The load over rows and lanes; slots of lanes are listed in `slots`.
    fn load_code(&mut self, access: &Access, slots: &mut Vec<usize>) -> usize {
        let mut load = LoadCode::plain(access);
        load.position = self.path(&access.position, slots);
        load.checks = access.checks.iter().map(|(sum, extent)| (self.path(sum, slots), *extent)).collect();
        if !access.bounded {
            load.axes = access.axes.iter().map(|(sum, extent)| (self.path(sum, slots), *extent)).collect();
        }
        self.code.loads.push(load);
        self.code.loads.len() - 1
    }

    fn path(&mut self, sum: &Sum, slots: &mut Vec<usize>) -> Path {
        let mut path = Path { base: sum.base, ..Path::default() };
        let coordinates =
            (1..).zip(sum.coordinates).filter(|&(slot, c)| c != 0 && self.analysis.extents[slot - 1] != 1);
        let coordinates: Vec<(usize, i64)> = coordinates.collect();
        for (slot, coefficient) in coordinates.into_iter().chain(sum.slots.iter().copied()) {
            if slot == self.code.space.lane + 1 {
                path.lane = path.lane.wrapping_add(coefficient);
                continue;
            }
            match self.shape(slot) {
                Shape::Uniform => path.uniform.push((slot, coefficient)),
                Shape::Row => path.rows.push((slot, coefficient)),
                Shape::Lane => {
                    let place = slots.iter().position(|&known| known == slot).unwrap_or_else(|| {
                        slots.push(slot);
                        slots.len() - 1
                    });
                    path.lanes.push((place, coefficient));
                    continue;
                }
            }
            self.need(slot);
        }
        path
    }

    fn lane_op(&mut self, slot: usize, opcode: Opcode, operands: [usize; 3]) -> Reg {
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
            if !form.lanes[number] {
                self.need(source);
                args[number] = Arg::Scalar(source);
                continue;
            }
            let width = match (form.calc, opcode) {
                (Calc::Exact, _) => Width::Wide,
                (_, Opcode::Select) if number == 0 => self.natural(source),
                (_, Opcode::Select) => out,
                _ => from,
            };
            args[number] = Arg::Lanes(self.lanes(source, width));
        }
        let reg = self.push_lanes(slot, out, LaneStep::Op { opcode, calc: form.calc, args });
        if out == natural { reg } else { self.push_lanes(slot, natural, LaneStep::Convert(reg)) }
    }

    /// Whether a step over lanes can take the slot as one number.
    fn is_scalar(&self, slot: usize) -> bool {
        match self.shape(slot) {
            Shape::Uniform => true,
            Shape::Row => self.code.space.width >= SHORT,
            Shape::Lane => false,
        }
    }
}

impl LoadCode {
    /// The load without its sums.
    fn plain(access: &Access) -> Self {
        Self {
            number: access.number,
            place: if access.never { Place::Nowhere } else { access.place },
            dtype: access.dtype,
            elements: access.elements,
            pad: access.pad,
            never: access.never,
            bounded: access.bounded,
            position: Path::default(),
            checks: Vec::new(),
            axes: Vec::new(),
        }
    }
}

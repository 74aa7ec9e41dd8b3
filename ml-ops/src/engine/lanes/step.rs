//! Steps over lanes.

use std::ops::Range;

use opml_vm::Opcode;

use super::{
    code::{Arg, Calc, Code, LANES, LaneStep, Reg, Shape, Width},
    fetch,
    linear::Constants,
    machine::{Machine, Numbers, Table},
    number::Number,
    simd::Kernels,
    space::Block,
};
use crate::engine::{Frame, load::Place, ops};

impl Machine {
    /// Runs a step. Its buffer is out of the machine meanwhile: no step reads what it writes.
    pub(super) fn lanes(
        &mut self,
        code: &Code,
        frame: Frame<'_>,
        block: Block,
        acc: Numbers<'_>,
        out: Reg,
        what: &LaneStep,
    ) {
        match out.width {
            Width::Narrow => {
                let Some(mut lanes) = self.narrow.get_mut(out.number).and_then(Option::take) else { return };
                if let LaneStep::Op { opcode, calc: Calc::Narrow, args } = what
                    && *opcode != Opcode::Select
                {
                    self.narrow_op(code, block, &mut lanes.0, *opcode, args);
                } else {
                    self.step(code, frame, block, acc, &mut lanes.0, what);
                }
                self.narrow[out.number] = Some(lanes);
            }
            Width::Wide => {
                let Some(mut lanes) = self.wide.get_mut(out.number).and_then(Option::take) else { return };
                if let LaneStep::Op { opcode, calc: Calc::Exact, args } = what {
                    self.exact_op(block.size(), &mut lanes.0, *opcode, args);
                } else {
                    self.step(code, frame, block, acc, &mut lanes.0, what);
                }
                self.wide[out.number] = Some(lanes);
            }
        }
    }

    fn narrow_op(&self, code: &Code, block: Block, out: &mut [i32; LANES], opcode: Opcode, args: &[Arg; 3]) {
        let [a, b, c] = *args;
        let mut run = |range: Range<usize>, row: usize| {
            self.kernels.narrow(
                opcode,
                &mut out[range.clone()],
                self.of(a, &range),
                self.of(b, &range),
                self.of(c, &range),
                self.one(code, a, row),
                self.one(code, b, row),
                self.one(code, c, row),
            );
        };
        parts(code, block, args, is_slow(opcode), &mut run);
    }

    fn wide_op<A: Register, O: Number>(
        &self,
        code: &Code,
        block: Block,
        out: &mut [O; LANES],
        opcode: Opcode,
        args: &[Arg; 3],
    ) {
        let [a, b, c] = *args;
        let mut run = |range: Range<usize>, row: usize| {
            self.kernels.wide::<A, O>(
                opcode,
                &mut out[range.clone()],
                self.of(a, &range),
                self.of(b, &range),
                self.of(c, &range),
                self.one(code, a, row),
                self.one(code, b, row),
                self.one(code, c, row),
            );
        };
        parts(code, block, args, is_slow(opcode), &mut run);
    }

    fn exact_op(&self, count: usize, out: &mut [i64; LANES], opcode: Opcode, args: &[Arg; 3]) {
        let range = 0..count;
        let [a, b, c] = [0, 1, 2].map(|number| {
            // Operands past the arity are not looked at.
            let arg = if args[number] == Arg::None { args[0] } else { args[number] };
            self.of::<i64>(arg, &range)
        });
        ops::apply(opcode, &mut out[range.clone()], a, b, c);
    }

    /// What is the same for both widths.
    fn step<O: Register>(
        &mut self,
        code: &Code,
        frame: Frame<'_>,
        block: Block,
        acc: Numbers<'_>,
        out: &mut [O; LANES],
        what: &LaneStep,
    ) {
        let count = block.size();
        let kernels = self.kernels;
        match what {
            LaneStep::Run(load) => self.load(code, frame, block, &mut out[..count], *load, None),
            LaneStep::Gather(load, regs) => self.load(code, frame, block, &mut out[..count], *load, Some(regs)),
            LaneStep::Coordinate => {
                for row in out[..count].chunks_exact_mut(block.lanes) {
                    let lanes = i64::try_from(block.lane).unwrap_or(0)..;
                    row.iter_mut().zip(lanes).for_each(|(out, lane)| *out = O::cut(lane));
                }
            }
            LaneStep::Acc => match acc {
                Numbers::Narrow(acc) => kernels.convert(&mut out[..count], acc),
                Numbers::Wide(acc) => kernels.convert(&mut out[..count], acc),
            },
            LaneStep::Expand(slot) => {
                for (number, row) in out[..count].chunks_exact_mut(block.lanes).enumerate() {
                    row.fill(O::cut(self.scalar(code, *slot, number)));
                }
            }
            LaneStep::Convert(reg) => match reg.width {
                Width::Narrow => kernels.convert(&mut out[..count], &self.narrow(*reg)[..count]),
                Width::Wide => kernels.convert(&mut out[..count], &self.wide(*reg)[..count]),
            },
            LaneStep::Table { table, index, base } => {
                let (index, plan) = (&self.narrow(*index)[..count], &code.tables[*table]);
                // The index of a function is the number itself.
                let offset = base.wrapping_sub(plan.low);
                if let Some(table) = O::table(self.tables[*table].as_ref()) {
                    O::look_up(kernels, &mut out[..count], index, table, offset);
                }
            }
            LaneStep::Linear { args, constants } => {
                let [a, b, c, d] = *args;
                let mut run = |range: Range<usize>, row: usize| {
                    O::linear(
                        kernels,
                        &mut out[range.clone()],
                        self.of(a, &range),
                        self.of(b, &range),
                        self.of(c, &range),
                        self.of(d, &range),
                        self.one(code, b, row),
                        self.one(code, d, row),
                        constants,
                    );
                };
                parts(code, block, args, false, &mut run);
            }
            LaneStep::Op { opcode: Opcode::Select, args, .. } => self.select(code, block, out, args),
            LaneStep::Op { opcode, args, .. } => {
                if args.iter().any(|arg| matches!(arg, Arg::Lanes(Reg { width: Width::Wide, .. }))) {
                    self.wide_op::<i64, O>(code, block, out, *opcode, args);
                } else {
                    self.wide_op::<i32, O>(code, block, out, *opcode, args);
                }
            }
        }
    }

    fn select<O: Register>(&self, code: &Code, block: Block, out: &mut [O; LANES], args: &[Arg; 3]) {
        let [condition, b, c] = *args;
        let Arg::Lanes(reg) = condition else { return };
        let mut run = |range: Range<usize>, row: usize| {
            let (left, right) = (self.of(b, &range), self.of(c, &range));
            let (x, y) = (self.one(code, b, row), self.one(code, c, row));
            let out = &mut out[range.clone()];
            match reg.width {
                Width::Narrow => self.kernels.select(out, self.of::<i32>(condition, &range), left, right, x, y),
                Width::Wide => self.kernels.select(out, self.of::<i64>(condition, &range), left, right, x, y),
            }
        };
        parts(code, block, args, false, &mut run);
    }

    fn load<O: Number>(
        &mut self,
        code: &Code,
        frame: Frame<'_>,
        block: Block,
        out: &mut [O],
        load: usize,
        regs: Option<&[Reg]>,
    ) {
        let load = &code.loads[load];
        let Some(tensor) = frame.tensor(load.place).filter(|_| load.place != Place::Nowhere) else {
            out.fill(O::cut(load.pad));
            return;
        };
        match regs {
            Some(regs) => {
                let mut registers: [&[i64]; 32] = [&[]; 32];
                for (register, &reg) in registers.iter_mut().zip(regs) {
                    *register = self.wide(reg);
                }
                fetch::gather(load, tensor, &self.slots, &registers, block, out);
            }
            None => fetch::run(load, tensor, (&self.slots, self.kernels), block, &mut self.scratch, out),
        }
    }

    /// The lanes of an operand; none if it is one number.
    fn of<A: Register>(&self, arg: Arg, range: &Range<usize>) -> &[A] {
        match arg {
            Arg::Lanes(reg) => A::read(self, reg).get(range.clone()).unwrap_or(&[]),
            _ => &[],
        }
    }

    /// The number of an operand that is not lanes.
    fn one(&self, code: &Code, arg: Arg, row: usize) -> i64 {
        match arg {
            Arg::Scalar(slot) => self.scalar(code, slot, row),
            Arg::Number(number) => number,
            Arg::Lanes(_) | Arg::None => 0,
        }
    }
}

/// Lanes past the end of a block hold old numbers, which nobody reads; slow operations would waste time on them, and
/// division looks at all numbers first.
const fn is_slow(opcode: Opcode) -> bool {
    matches!(opcode, Opcode::Div | Opcode::Rem | Opcode::Isqrt)
}

/// Calls `run` for the whole block, or for each row if an operand is one number a row.
fn parts(code: &Code, block: Block, args: &[Arg], exactly: bool, run: &mut dyn FnMut(Range<usize>, usize)) {
    let a_row = |arg: &Arg| matches!(arg, Arg::Scalar(slot) if code.shapes[*slot] == Shape::Row);
    if block.rows > 1 && args.iter().any(a_row) {
        for row in 0..block.rows {
            run(row * block.lanes..(row + 1) * block.lanes, row);
        }
        return;
    }
    let count = block.size();
    let whole = if exactly { count } else { count.next_multiple_of(64).min(LANES) };
    run(0..whole, 0);
}

/// A width of registers.
pub(super) trait Register: Number {
    fn read(machine: &Machine, reg: Reg) -> &[Self];
    fn table(table: &Table) -> Option<&[Self]>;
    fn look_up(kernels: Kernels, out: &mut [Self], index: &[i32], table: &[Self], offset: i64);
    #[allow(clippy::too_many_arguments, reason = "as for the kernel")]
    fn linear(
        kernels: Kernels,
        out: &mut [Self],
        a: &[i32],
        b: &[i32],
        c: &[i32],
        d: &[i32],
        y: i64,
        w: i64,
        constants: &Constants,
    );
}

impl Register for i32 {
    fn read(machine: &Machine, reg: Reg) -> &[Self] {
        machine.narrow(reg)
    }
    fn table(table: &Table) -> Option<&[Self]> {
        if let Table::Narrow(table) = table { Some(table) } else { None }
    }
    fn look_up(kernels: Kernels, out: &mut [Self], index: &[i32], table: &[Self], offset: i64) {
        kernels.look_up(out, index, table, offset);
    }
    fn linear(
        kernels: Kernels,
        out: &mut [Self],
        a: &[i32],
        b: &[i32],
        c: &[i32],
        d: &[i32],
        y: i64,
        w: i64,
        constants: &Constants,
    ) {
        kernels.linear(out, a, b, c, d, y, w, constants);
    }
}

impl Register for i64 {
    fn read(machine: &Machine, reg: Reg) -> &[Self] {
        machine.wide(reg)
    }
    fn table(table: &Table) -> Option<&[Self]> {
        if let Table::Wide(table) = table { Some(table) } else { None }
    }
    fn look_up(kernels: Kernels, out: &mut [Self], index: &[i32], table: &[Self], offset: i64) {
        kernels.table(out, index, table, offset);
    }
    fn linear(
        kernels: Kernels,
        out: &mut [Self],
        a: &[i32],
        b: &[i32],
        c: &[i32],
        d: &[i32],
        y: i64,
        w: i64,
        constants: &Constants,
    ) {
        kernels.linear_wide(out, a, b, c, d, y, w, constants);
    }
}

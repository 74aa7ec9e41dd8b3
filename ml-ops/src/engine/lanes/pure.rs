//! Parts of a program that follow one small number alone: computed beforehand for all its values.

use opml_vm::{Op, Opcode, Program, eval::scalar};

use super::{
    access::{Access, Sum},
    analysis::Analysis,
    calc,
    code::{Calc, Shape},
    shape::Shapes,
};
use crate::engine::load::{Place, size};

/// Most values of the number.
const VALUES: i128 = 2048;
/// A table pays for operations of this cost and above.
const PAYS: u32 = 14;

/// A slot as a function of another one.
#[derive(Debug, Clone)]
pub(super) struct Function {
    pub(super) input: usize,
    pub(super) low: i64,
    pub(super) size: usize,
    output: usize,
    slots: Vec<i64>,
    steps: Vec<(usize, FunctionStep)>,
}

#[derive(Debug, Clone)]
enum FunctionStep {
    Op(Opcode, [usize; 3]),
    Load { constant: u32, pad: i64, elements: i64, axes: Vec<(Sum, i64)> },
}

/// For each slot the slot of few values that alone decides it, if there is one.
pub(super) struct Pure {
    decides: Vec<Option<usize>>,
}

impl Pure {
    pub(super) fn new(ops: &[Op], analysis: &Analysis, shapes: &Shapes) -> Self {
        let few = |slot: usize| {
            let interval = analysis.intervals[slot];
            shapes.shapes[slot] == Shape::Lane
                && interval.is_narrow()
                && i128::from(interval.high) - i128::from(interval.low) < VALUES
        };
        let mut decides: Vec<Option<usize>> = (0..analysis.base).map(|slot| Some(slot).filter(|&s| few(s))).collect();
        for (number, (op, load)) in ops.iter().zip(&analysis.loads).enumerate() {
            let slot = analysis.base + number;
            let read: Option<Vec<usize>> = match (op, load) {
                (Op::Scalar { opcode, operands }, _) => {
                    Some(operands[..opcode.arity().min(3)].iter().map(|&slot| usize::from(slot)).collect())
                }
                (_, Some(load)) => table_slots(load, analysis),
                (_, None) => None,
            };
            let inherited = read.and_then(|read| {
                let mut moving = read.into_iter().filter(|&slot| !analysis.is_constant(slot));
                let first = decides[moving.next()?]?;
                moving.all(|slot| decides[slot] == Some(first)).then_some(first)
            });
            decides.push(inherited.or(Some(slot).filter(|&slot| few(slot))));
        }
        Self { decides }
    }

    /// The slot as a function of another one, if that is likely faster.
    pub(super) fn function(&self, slot: usize, analysis: &Analysis, work: i64) -> Option<Function> {
        let ops = &analysis.ops;
        let input = self.decides[slot].filter(|&input| input != slot)?;
        let interval = analysis.intervals[input];
        let size = size(interval.high - interval.low + 1);
        let mut needed = vec![false; slot + 1];
        needed[slot] = true;
        let (mut steps, mut cost) = (Vec::new(), 0);
        for at in (analysis.base..=slot).rev().filter(|&at| at != input && !analysis.is_constant(at)) {
            if !needed[at] {
                continue;
            }
            let step = step(at, ops, analysis)?;
            cost += price(at, ops, analysis);
            for read in step.reads() {
                needed[read] = true;
            }
            steps.push((at, step));
        }
        steps.reverse();
        if cost < PAYS || work < i64::try_from(size).ok()?.saturating_mul(8) {
            return None;
        }
        let slots = (0..=slot).map(|slot| analysis.intervals[slot].low).collect();
        Some(Function { input, low: interval.low, size, output: slot, slots, steps })
    }
}

/// Slots that decide an entry of a constant table; `None` if anything else does.
fn table_slots(load: &Access, analysis: &Analysis) -> Option<Vec<usize>> {
    let still = |sum: &Sum| sum.coordinates.iter().zip(&analysis.extents).all(|(&c, &extent)| c == 0 || extent == 1);
    let table = matches!(load.place, Place::Constant(_)) && load.axes.iter().all(|(sum, _)| still(sum));
    table.then(|| load.axes.iter().flat_map(|(sum, _)| sum.slots.iter().map(|&(slot, _)| slot)).collect())
}

/// A measure of an operation's time.
fn price(slot: usize, ops: &[Op], analysis: &Analysis) -> u32 {
    match &ops[slot - analysis.base] {
        Op::Scalar { opcode, operands } => {
            let operands = operands.map(|slot| analysis.intervals[usize::from(slot)]);
            match calc::form(*opcode, operands, analysis.intervals[slot], [true, false, false]).calc {
                Calc::Narrow => 2,
                Calc::Wide => 5,
                Calc::Exact => 12,
            }
        }
        Op::Load(_) => 12,
    }
}

fn step(slot: usize, ops: &[Op], analysis: &Analysis) -> Option<FunctionStep> {
    let number = slot - analysis.base;
    match (&ops[number], &analysis.loads[number]) {
        (Op::Scalar { opcode, operands }, _) => Some(FunctionStep::Op(*opcode, operands.map(usize::from))),
        (_, Some(load)) => {
            let Place::Constant(constant) = load.place else { return None };
            let (pad, elements, axes) = (load.pad, load.elements, load.axes.clone());
            Some(FunctionStep::Load { constant, pad, elements, axes })
        }
        (_, None) => None,
    }
}

impl FunctionStep {
    fn reads(&self) -> Vec<usize> {
        match self {
            Self::Op(opcode, operands) => operands[..opcode.arity().min(3)].to_vec(),
            Self::Load { axes, .. } => axes.iter().flat_map(|(sum, _)| sum.slots.iter().map(|&(s, _)| s)).collect(),
        }
    }

    fn run(&self, slots: &[i64], program: &Program) -> i64 {
        match self {
            Self::Op(opcode, [a, b, c]) => {
                let slot = |slot: usize| slots.get(slot).copied().unwrap_or(0);
                scalar(*opcode, slot(*a), slot(*b), slot(*c))
            }
            Self::Load { constant, pad, elements, axes } => {
                let tensor = usize::try_from(*constant).ok().and_then(|n| program.constants().get(n));
                let mut position: i128 = 0;
                for (sum, extent) in axes {
                    let products = sum.slots.iter().map(|&(slot, c)| i128::from(c) * i128::from(slots[slot]));
                    let index = i128::from(sum.base) + products.sum::<i128>();
                    if !(0..i128::from(*extent)).contains(&index) {
                        return *pad;
                    }
                    position = position * i128::from(*extent) + index;
                }
                let position = u64::try_from(position).ok().filter(|_| position < i128::from(*elements));
                position.and_then(|position| tensor?.get(position)).unwrap_or(*pad)
            }
        }
    }
}

impl Function {
    /// The values from `low` on: they follow from constants only.
    pub(super) fn values(&self, program: &Program) -> Vec<i64> {
        let mut slots = self.slots.clone();
        let values = (self.low..).take(self.size).map(|value| {
            slots[self.input] = value;
            for (slot, step) in &self.steps {
                slots[*slot] = step.run(&slots, program);
            }
            slots[self.output]
        });
        values.collect()
    }
}

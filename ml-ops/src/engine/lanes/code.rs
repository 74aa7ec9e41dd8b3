//! A scalar program in the form that runs: steps over rows and over blocks of lanes.

use std::sync::{Arc, OnceLock};

use opml_vm::{DType, Opcode};

use super::{linear::Constants, machine::Table, pure::Function, space::Space};
use crate::engine::{interval::Interval, load::Place};

/// Lanes of a block.
pub(super) const LANES: usize = 1024;
/// Bytes of registers that stay in the nearest cache.
const CACHE: usize = 24 << 10;

/// Width of lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Width {
    /// i32
    Narrow,
    /// i64
    Wide,
}

impl Width {
    /// The least that holds an interval.
    pub(super) const fn of(interval: Interval) -> Self {
        if interval.is_narrow() { Self::Narrow } else { Self::Wide }
    }
}

/// What a slot follows, as far as output elements or lanes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Shape {
    /// The same in all rows and lanes.
    Uniform,
    /// One number a row.
    Row,
    /// One number a lane.
    Lane,
}

/// When a step runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum When {
    /// Once.
    Start,
    /// Once a block.
    Block,
    /// Once a block and term.
    Term,
}

/// A buffer of lanes. While a program is written, numbers are unique; then buffers are shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Reg {
    pub(super) number: usize,
    pub(super) width: Width,
}

/// An operand of a step over lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arg {
    None,
    /// A slot that is the same in all lanes of a row.
    Scalar(usize),
    Number(i64),
    Lanes(Reg),
}

/// How an operation over lanes is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Calc {
    /// In i32: operands, result and all between fit.
    Narrow,
    /// In i64, where all between fits, from and to lanes of any width.
    Wide,
    /// As the reference does it.
    Exact,
}

#[derive(Debug, Clone)]
pub(super) enum Step {
    /// A slot of shape [`Shape::Uniform`] or [`Shape::Row`].
    Slot {
        slot: usize,
        shape: Shape,
        what: SlotStep,
    },
    Lanes {
        out: Reg,
        what: LaneStep,
    },
}

/// One number, or one a row.
#[derive(Debug, Clone)]
pub(super) enum SlotStep {
    Op(Opcode, [usize; 3]),
    /// Load by number.
    Load(usize),
    Coordinate(usize),
}

/// One number a lane.
#[derive(Debug, Clone)]
pub(super) enum LaneStep {
    /// Load by number, at evenly spaced positions in each row.
    Run(usize),
    /// Load by number, anywhere; with every register that its sums read.
    Gather(usize, Vec<Reg>),
    /// Entry of a table, at a register's number and `base`.
    Table {
        table: usize,
        index: Reg,
        base: i64,
    },
    /// Coordinate of the lane.
    Coordinate,
    /// What the reduction gave.
    Acc,
    /// A scalar slot in every lane.
    Expand(usize),
    /// The same numbers in the other width.
    Convert(Reg),
    Op {
        opcode: Opcode,
        calc: Calc,
        args: [Arg; 3],
    },
    /// `a · b + c · d` of i32, and what follows; `c` may be none.
    Linear {
        args: [Arg; 4],
        constants: Constants,
    },
}

/// `base + Σ coefficient · number`, modulo 2^64.
#[derive(Debug, Clone, Default)]
pub(super) struct Path {
    pub(super) base: i64,
    /// (slot, coefficient) of slots that are the same everywhere.
    pub(super) uniform: Vec<(usize, i64)>,
    /// (slot, coefficient) of slots with a number a row.
    pub(super) rows: Vec<(usize, i64)>,
    /// Coefficient of the lane's coordinate.
    pub(super) lane: i64,
    /// (place in the step's list of registers, coefficient)
    pub(super) lanes: Vec<(usize, i64)>,
}

/// A load as it runs.
#[derive(Debug, Clone)]
pub(super) struct LoadCode {
    /// Number of the operation.
    pub(super) number: usize,
    pub(super) place: Place,
    pub(super) dtype: DType,
    pub(super) elements: i64,
    pub(super) pad: i64,
    /// No index is ever valid.
    pub(super) never: bool,
    /// Whether position and checks are exact in i64; if not, the axes are computed exactly.
    pub(super) bounded: bool,
    pub(super) position: Path,
    pub(super) checks: Vec<(Path, i64)>,
    pub(super) axes: Vec<(Path, i64)>,
}

/// Numbers known before the lanes are.
#[derive(Debug, Clone)]
pub(super) struct TablePlan {
    pub(super) source: TableSource,
    /// Index of the first one.
    pub(super) low: i64,
    pub(super) size: usize,
    pub(super) width: Width,
    /// The numbers, once they are known, where they follow from constants only.
    pub(super) known: Arc<OnceLock<Arc<Table>>>,
}

/// Where a table's numbers come from.
#[derive(Debug, Clone)]
pub(super) enum TableSource {
    /// A load whose only index decides, over an axis of this extent.
    Load { load: usize, extent: i64 },
    /// Part of the program.
    Function(Box<Function>),
}

/// A scalar program.
#[derive(Debug, Clone)]
pub(super) struct Code {
    pub(super) space: Space,
    pub(super) loads: Vec<LoadCode>,
    pub(super) tables: Vec<TablePlan>,
    /// Number of slots, and those of constants with their values.
    pub(super) slots: usize,
    pub(super) constants: Vec<i64>,
    pub(super) shapes: Vec<Shape>,
    pub(super) start: Vec<Step>,
    pub(super) block: Vec<Step>,
    pub(super) term: Vec<Step>,
    /// The value of the last operation.
    pub(super) result: Reg,
    /// Buffers of each width.
    pub(super) narrow: usize,
    pub(super) wide: usize,
}

impl Code {
    /// Lanes of a block, such that all registers stay near.
    pub(super) const fn lanes(&self) -> usize {
        if LANES * (self.narrow * 4 + self.wide * 8) <= CACHE { LANES } else { LANES / 2 }
    }
}

impl LaneStep {
    /// Registers read.
    pub(super) fn reads(&self) -> Vec<Reg> {
        match self {
            Self::Run(_) | Self::Coordinate | Self::Acc | Self::Expand(_) => Vec::new(),
            Self::Gather(_, regs) => regs.clone(),
            Self::Table { index, .. } => vec![*index],
            Self::Convert(reg) => vec![*reg],
            Self::Op { args, .. } => {
                args.iter().filter_map(|arg| if let Arg::Lanes(reg) = arg { Some(*reg) } else { None }).collect()
            }
            Self::Linear { args, .. } => {
                args.iter().filter_map(|arg| if let Arg::Lanes(reg) = arg { Some(*reg) } else { None }).collect()
            }
        }
    }

    /// Replaces registers.
    pub(super) fn rename(&mut self, new: &dyn Fn(Reg) -> Reg) {
        match self {
            Self::Run(_) | Self::Coordinate | Self::Acc | Self::Expand(_) => {}
            Self::Gather(_, regs) => regs.iter_mut().for_each(|reg| *reg = new(*reg)),
            Self::Table { index: reg, .. } | Self::Convert(reg) => *reg = new(*reg),
            Self::Op { args, .. } => rename(args, new),
            Self::Linear { args, .. } => rename(args, new),
        }
    }
}

fn rename(args: &mut [Arg], new: &dyn Fn(Reg) -> Reg) {
    for arg in args {
        if let Arg::Lanes(reg) = arg {
            *reg = new(*reg);
        }
    }
}

//! What follows a product: fixed-point arithmetic where `post` is recognised as such, else `post` itself.
//!
//! Recognised are chains `acc → + table → · table / 2^shift → + zero point → clamp`, in which any link may be missing
//! and tables are numbers or constants that follow the column. No link may leave i64, by the bounds of the sums.

use opml_vm::{
    DType, Instruction, Op, Opcode, Program, eval,
    isa::{SLOT_ACC, SLOT_CONST},
    tensor,
};

use super::{
    Frame,
    kernels::{Channels, Finish, Fixed, STRIP},
    lanes::{Post, Workspace},
    load::{self, Extents, FIRST_K, Headers, LoadPlan, Place},
};
/// Products and all that follows stay below this in magnitude.
const PRODUCT: i128 = 1 << 61;
/// Zero points stay below this in magnitude.
const ZERO: i64 = 1 << 29;

/// Least and greatest sum.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) low: i128,
    pub(super) high: i128,
}

/// A column's share of its sums, which the kernels leave out: `shift · total + offset`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Share {
    pub(super) shift: i64,
    pub(super) offset: i64,
}

impl Share {
    fn of(self, total: i64) -> i64 {
        self.shift * total + self.offset
    }
}

/// What follows a product.
#[derive(Debug, Clone)]
pub(super) struct Epilogue {
    /// With the columns' share in its table if the column factor is a constant.
    fixed: Option<Fixed>,
    post: Post,
    share: Share,
    columns: usize,
    /// Whether the column factor is a constant.
    constant: bool,
}

/// The product's instruction.
pub(super) struct Context<'a> {
    pub(super) program: &'a Program,
    pub(super) instruction: &'a Instruction,
    pub(super) extents: Extents,
    /// Extents of the axes that columns and blocks follow, 1 for the others.
    pub(super) own: Extents,
    pub(super) header: Headers<'a>,
    pub(super) columns: usize,
}

impl Epilogue {
    /// `None` if a load of `post` cannot be planned.
    pub(super) fn new(context: &Context<'_>, bounds: Bounds, share: Share, totals: Option<&[i64]>) -> Option<Self> {
        let post = Post::new(context.instruction, &context.extents, context.header)?;
        let fixed = chain(context).and_then(|chain| chain.fixed(context, bounds));
        let fixed = match totals {
            Some(totals) => fixed.map(|fixed| shared(&fixed, share, totals, context.columns)),
            None => fixed,
        };
        Some(Self { fixed, post, share, columns: context.columns, constant: totals.is_some() })
    }

    /// The epilogue of runs, with the totals of each one's columns, or one set for all.
    pub(super) fn over<'a>(
        &'a self,
        totals: Vec<&'a [i64]>,
        frames: &'a [Frame<'a>],
        instruction: (DType, &'a [i64], Extents),
    ) -> Over<'a> {
        let own = |totals: &&[i64]| self.fixed.as_ref().map(|f| shared(f, self.share, totals, self.columns));
        let fixed = if self.constant || self.share.of(1) == 0 && self.share.of(0) == 0 {
            Vec::new()
        } else {
            totals.iter().filter_map(own).collect()
        };
        Over { epilogue: self, fixed, totals, frames, instruction }
    }
}

/// Adds the columns' share to a table.
fn shared(fixed: &Fixed, share: Share, totals: &[i64], columns: usize) -> Fixed {
    let padded = columns.next_multiple_of(STRIP);
    let mut fixed = fixed.clone();
    for (number, &total) in totals.iter().enumerate() {
        let at = number / columns * padded + number % columns;
        match &mut fixed.channels {
            // Low halves suffice: the sum of all parts fits i32.
            Channels::Narrow { add, .. } => {
                if let Some(add) = add.get_mut(at) {
                    *add = add.wrapping_add(low_half(share.of(total)));
                }
            }
            Channels::Wide { add, .. } => {
                if let Some(add) = add.get_mut(at) {
                    *add = add.wrapping_add(share.of(total));
                }
            }
        }
    }
    fixed
}

fn low_half(n: i64) -> i32 {
    let [a, b, c, d, ..] = n.to_le_bytes();
    i32::from_le_bytes([a, b, c, d])
}

/// An epilogue with the tensors of runs.
pub(super) struct Over<'a> {
    epilogue: &'a Epilogue,
    fixed: Vec<Fixed>,
    totals: Vec<&'a [i64]>,
    frames: &'a [Frame<'a>],
    instruction: (DType, &'a [i64], Extents),
}

impl<'a> Finish for Over<'a> {
    type State = Option<(usize, Workspace<'a>)>;

    fn state(&self) -> Self::State {
        None
    }

    fn fixed(&self, sample: usize) -> Option<&Fixed> {
        self.fixed.get(sample).or(self.epilogue.fixed.as_ref())
    }

    fn values(
        &self,
        state: &mut Self::State,
        sample: usize,
        first: usize,
        column: usize,
        sums: &mut [i64],
        out: &mut [u8],
    ) {
        let (dtype, constants, extents) = self.instruction;
        let totals = self.totals.get(sample).or(self.totals.first());
        let (Some(totals), Some(&frame)) = (totals, self.frames.get(sample)) else { return };
        let columns = self.epilogue.columns;
        let padded = columns.next_multiple_of(STRIP);
        let totals = totals.get(column / padded * columns + column % padded..).unwrap_or(&[]);
        for (sum, &total) in sums.iter_mut().zip(totals) {
            *sum += self.epilogue.share.of(total);
        }
        if state.as_ref().is_none_or(|(known, _)| *known != sample) {
            *state = Some((sample, Workspace::with(constants, self.epilogue.post.len(), extents, frame)));
        }
        if let Some((_, lanes)) = state {
            self.epilogue.post.run(dtype, first, sums, out, lanes);
        }
    }
}

/// The links of a chain so far. Tables have one number, or one for each column of each block.
#[derive(Debug, Clone)]
struct Chain {
    stage: Stage,
    add: Vec<i64>,
    factor: Vec<i64>,
    shift: i64,
    half: i64,
    zero: i64,
    low: i64,
    high: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Sum,
    Product,
    Scaled,
    Clamped,
}

/// A value of `post`.
#[derive(Debug, Clone)]
enum Value {
    Table(Vec<i64>),
    Chain(Box<Chain>),
}

/// `post` as a chain.
fn chain(context: &Context<'_>) -> Option<Chain> {
    let start = Chain {
        stage: Stage::Sum,
        add: vec![0],
        factor: vec![1],
        shift: 0,
        half: 0,
        zero: 0,
        low: i64::MIN,
        high: i64::MAX,
    };
    let instruction = context.instruction;
    let base = usize::from(SLOT_CONST) + instruction.constants.len();
    let mut values: Vec<Option<Value>> = Vec::with_capacity(instruction.post.len());
    for op in &instruction.post {
        let value = match op {
            Op::Load(load) => {
                let plan = LoadPlan::new(instruction, load, &context.extents, context.header)?;
                table(&plan, context).map(Value::Table)
            }
            Op::Scalar { opcode, operands } => {
                let operand = |&slot: &u8| -> Option<Value> {
                    let number = usize::from(slot);
                    match slot.checked_sub(SLOT_CONST) {
                        None if slot == SLOT_ACC => Some(Value::Chain(Box::new(start.clone()))),
                        None => None,
                        Some(n) if number < base => {
                            instruction.constants.get(usize::from(n)).map(|&n| Value::Table(vec![n]))
                        }
                        Some(_) => values.get(number - base)?.clone(),
                    }
                };
                let read = operands.get(..opcode.arity())?;
                let operands: Option<Vec<Value>> = read.iter().map(operand).collect();
                operands.and_then(|operands| apply(*opcode, operands))
            }
        };
        values.push(value);
    }
    match values.pop() {
        None => Some(start),
        Some(Some(Value::Chain(chain))) => Some(*chain),
        Some(_) => None,
    }
}

/// The numbers that a load reads at each column of each block; `None` if it follows anything else.
fn table(plan: &LoadPlan, context: &Context<'_>) -> Option<Vec<i64>> {
    let Place::Constant(n) = plan.place else { return None };
    let follows = |axis: usize| plan.follows(axis..axis + 1);
    let foreign = (0..FIRST_K).any(|axis| context.extents[axis] != 1 && context.own[axis] == 1 && follows(axis));
    if foreign || plan.slots().next().is_some() {
        return None;
    }
    let tensor = context.program.constants().get(usize::try_from(n).ok()?)?;
    let points: i64 = context.own[..FIRST_K].iter().product();
    let mut point = [0; 16];
    let mut numbers = Vec::with_capacity(load::size(points));
    for _ in 0..points {
        let mut position = Some(0);
        for axis in &plan.axes {
            let index = axis.coordinates.iter().fold(axis.base, |sum, &(c, coefficient)| sum + coefficient * point[c]);
            let inside = (0..axis.extent).contains(&index);
            position = position.filter(|_| inside).map(|position: i64| position * axis.extent + index);
        }
        let position = position.filter(|&position| position < plan.elements).and_then(|p| u64::try_from(p).ok());
        let number = position.and_then(|position| tensor::element_at(plan.dtype, tensor.bytes(), position));
        numbers.push(number.unwrap_or(plan.pad));
        load::advance(&context.own, 0, &mut point);
    }
    Some(numbers)
}

/// `f` over tables, of which those with one number are the same everywhere.
fn zip(tables: &[&[i64]], f: impl Fn(&[i64]) -> i64) -> Vec<i64> {
    let length = tables.iter().map(|table| table.len()).max().unwrap_or(1);
    let at = |table: &[i64], n: usize| if table.len() == 1 { table[0] } else { table.get(n).copied().unwrap_or(0) };
    (0..length).map(|n| f(&tables.iter().map(|table| at(table, n)).collect::<Vec<_>>())).collect()
}

fn apply(opcode: Opcode, operands: Vec<Value>) -> Option<Value> {
    let tables: Option<Vec<&[i64]>> = operands
        .iter()
        .map(|value| match value {
            Value::Table(table) => Some(table.as_slice()),
            Value::Chain(_) => None,
        })
        .collect();
    if let Some(tables) = tables {
        let operand = |numbers: &[i64], n: usize| numbers.get(n).copied().unwrap_or(0);
        let value = |n: &[i64]| eval::scalar(opcode, operand(n, 0), operand(n, 1), operand(n, 2));
        return Some(Value::Table(zip(&tables, value)));
    }
    let mut operands = operands.into_iter();
    let chain = match (opcode, operands.next()?, operands.next(), operands.next()) {
        (Opcode::Add, Value::Chain(chain), Some(Value::Table(n)), _)
        | (Opcode::Add, Value::Table(n), Some(Value::Chain(chain)), _) => chain.plus(n, 1),
        (Opcode::Sub, Value::Chain(chain), Some(Value::Table(n)), _) => chain.plus(n, -1),
        (Opcode::Mul, Value::Chain(chain), Some(Value::Table(n)), _)
        | (Opcode::Mul, Value::Table(n), Some(Value::Chain(chain)), _) => chain.times(n),
        (Opcode::Mulshr, Value::Chain(chain), Some(Value::Table(n)), Some(Value::Table(c)))
        | (Opcode::Mulshr, Value::Table(n), Some(Value::Chain(chain)), Some(Value::Table(c))) => {
            chain.times(n)?.shifted(&c, true)
        }
        (Opcode::Rshr, Value::Chain(chain), Some(Value::Table(c)), _) => chain.shifted(&c, true),
        (Opcode::Shr, Value::Chain(chain), Some(Value::Table(c)), _) => chain.shifted(&c, false),
        (Opcode::Clamp, Value::Chain(chain), Some(Value::Table(low)), Some(Value::Table(high))) => {
            chain.clamped(&low, &high)
        }
        (Opcode::Max, Value::Chain(chain), Some(Value::Table(n)), _)
        | (Opcode::Max, Value::Table(n), Some(Value::Chain(chain)), _) => chain.clamped(&n, &[i64::MAX]),
        (Opcode::Min, Value::Chain(chain), Some(Value::Table(n)), _)
        | (Opcode::Min, Value::Table(n), Some(Value::Chain(chain)), _) => chain.clamped(&[i64::MIN], &n),
        _ => None,
    };
    chain.map(|chain| Value::Chain(Box::new(chain)))
}

/// The number of a table that has one.
fn single(table: &[i64]) -> Option<i64> {
    match table {
        &[number] => Some(number),
        _ => None,
    }
}

impl Chain {
    fn plus(mut self, table: Vec<i64>, sign: i64) -> Option<Self> {
        let negatable = table.iter().all(|&n| n != i64::MIN);
        match self.stage {
            Stage::Sum if negatable => {
                // An overflow here is past every bound that `fixed` checks.
                self.add = zip(&[&self.add, &table], |n| n[0].saturating_add(n[1] * sign));
                Some(self)
            }
            Stage::Product | Stage::Scaled if negatable => {
                self.zero = self.zero.checked_add(single(&table)? * sign)?;
                self.stage = Stage::Scaled;
                Some(self)
            }
            _ => None,
        }
    }

    fn times(mut self, table: Vec<i64>) -> Option<Self> {
        self.factor = table;
        (std::mem::replace(&mut self.stage, Stage::Product) == Stage::Sum).then_some(self)
    }

    fn shifted(mut self, shift: &[i64], rounded: bool) -> Option<Self> {
        self.shift = single(shift)?.clamp(0, 126);
        self.half = if rounded && self.shift > 0 { 1i64.checked_shl(u32::try_from(self.shift - 1).ok()?)? } else { 0 };
        (std::mem::replace(&mut self.stage, Stage::Scaled) <= Stage::Product).then_some(self)
    }

    fn clamped(mut self, low: &[i64], high: &[i64]) -> Option<Self> {
        let (low, high) = (single(low)?, single(high)?);
        self.low = self.low.max(low).min(high);
        self.high = self.high.max(low).min(high);
        self.stage = Stage::Clamped;
        Some(self)
    }

    /// The chain as the kernels do it, if it stays in i64 by the bounds of the sums.
    fn fixed(&self, context: &Context<'_>, bounds: Bounds) -> Option<Fixed> {
        let dtype = context.instruction.dtype;
        let shift = u32::try_from(self.shift).ok().filter(|&shift| shift <= 61)?;
        if self.zero.abs() > ZERO {
            return None;
        }
        let points: i64 = context.own[..FIRST_K].iter().product();
        let whole = vec![0; load::size(points)];
        let add = zip(&[&self.add, &whole], |n| n[0]);
        let factor = zip(&[&self.factor, &whole], |n| n[0]);
        let mut narrow = true;
        for (&add, &factor) in add.iter().zip(&factor) {
            let (low, high) = (bounds.low + i128::from(add), bounds.high + i128::from(add));
            let largest = low.abs().max(high.abs());
            if largest >= PRODUCT || largest.checked_mul(i128::from(factor).abs())? >= PRODUCT {
                return None;
            }
            narrow &= i32::try_from(low).is_ok() && i32::try_from(high).is_ok() && i32::try_from(factor).is_ok();
        }
        let spread = |table: &[i64]| -> Vec<i64> {
            let padding = context.columns.next_multiple_of(STRIP) - context.columns;
            let rows = table.chunks(context.columns.max(1));
            rows.flat_map(|row| row.iter().copied().chain(std::iter::repeat_n(0, padding))).collect()
        };
        let (add, factor) = (spread(&add), spread(&factor));
        let halves = |table: &[i64]| table.iter().map(|&n| low_half(n)).collect();
        let channels = if narrow {
            Channels::Narrow { add: halves(&add), factor: halves(&factor) }
        } else {
            Channels::Wide { add, factor }
        };
        let (low, high) = (self.low.max(dtype.min()).min(dtype.max()), self.high.max(dtype.min()).min(dtype.max()));
        Some(Fixed { dtype, channels, shift, half: self.half, zero: self.zero, low, high })
    }
}

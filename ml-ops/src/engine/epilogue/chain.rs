//! `post` as a chain of fixed-point links.

use opml_vm::{
    Op, Opcode, eval,
    isa::{SLOT_ACC, SLOT_CONST},
    tensor,
};

use super::{Bounds, Context};
use crate::engine::{
    kernels::{Channels, Fixed, Gate, RowStage, STRIP, low_half},
    load::{self, FIRST_K, LoadPlan, Place},
};

/// Products and all that follows stay below this in magnitude.
const PRODUCT: i128 = 1 << 61;
/// Zero points stay below this in magnitude.
const ZERO: i64 = 1 << 29;

/// The links of a chain so far. Tables have one number, or one for each column of each block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chain {
    stage: Stage,
    /// What comes before all else.
    pub(super) row: Option<RowLink>,
    add: Vec<i64>,
    factor: Vec<i64>,
    shift: i64,
    half: i64,
    zero: i64,
    low: i64,
    high: i64,
    gate: Option<Gated>,
}

/// A chain times its own ramp, and the links after that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Gated {
    ramp: Ramp,
    stage: Stage,
    factor: i64,
    shift: i64,
    zero: i64,
}

/// `clamp(x + add, least, most)`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ramp {
    add: i64,
    least: i64,
    most: i64,
}

/// `⌊(sum + add) · scale / 2^shift⌋`, maybe rounded, with a scale that follows the row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RowLink {
    pub(super) scale: Box<LoadPlan>,
    add: Vec<i64>,
    shift: i64,
    half: i64,
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
    Row(Box<LoadPlan>),
    Chain(Box<Chain>),
    Ramp(Box<Chain>, Ramp),
}

/// `post` as a chain.
pub(super) fn find(context: &Context<'_>) -> Option<Chain> {
    let start = Chain {
        stage: Stage::Sum,
        row: None,
        add: vec![0],
        factor: vec![1],
        shift: 0,
        half: 0,
        zero: 0,
        low: i64::MIN,
        high: i64::MAX,
        gate: None,
    };
    let instruction = context.instruction;
    let base = usize::from(SLOT_CONST) + instruction.constants.len();
    let mut values: Vec<Option<Value>> = Vec::with_capacity(instruction.post.len());
    for op in &instruction.post {
        let value = match op {
            Op::Load(load) => {
                let plan = LoadPlan::new(instruction, load, &context.extents, context.header)?;
                table(&plan, context).map(Value::Table).or_else(|| row(plan, context).map(Value::Row))
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
        Some(Some(Value::Chain(chain))) => {
            let half_made = chain.gate.is_some_and(|gate| gate.stage < Stage::Scaled);
            Some(*chain).filter(|_| !half_made)
        }
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

/// A load that follows rows and blocks alone, and is always valid.
fn row(plan: LoadPlan, context: &Context<'_>) -> Option<Box<LoadPlan>> {
    let known = plan.inside && plan.range.is_narrow() && plan.slots().next().is_none();
    (known && !plan.follows(context.split..FIRST_K)).then(|| Box::new(plan))
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
            Value::Chain(_) | Value::Row(_) | Value::Ramp(..) => None,
        })
        .collect();
    if let Some(tables) = tables {
        let operand = |numbers: &[i64], n: usize| numbers.get(n).copied().unwrap_or(0);
        let value = |n: &[i64]| eval::scalar(opcode, operand(n, 0), operand(n, 1), operand(n, 2));
        return Some(Value::Table(zip(&tables, value)));
    }
    let operands = match ramp(opcode, operands) {
        Ok(value) => return Some(value),
        Err(operands) => operands,
    };
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
        (Opcode::Mulshr, Value::Chain(chain), Some(Value::Row(scale)), Some(Value::Table(c)))
        | (Opcode::Mulshr, Value::Row(scale), Some(Value::Chain(chain)), Some(Value::Table(c))) => {
            chain.rowed(scale, &c)
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

/// Links of a chain's own ramp, from a chain that is clamped; else the operands.
fn ramp(opcode: Opcode, operands: Vec<Value>) -> Result<Value, Vec<Value>> {
    let clamped = |chain: &Chain| chain.stage == Stage::Clamped && chain.gate.is_none();
    let number = |value: &Value| match value {
        Value::Table(table) => single(table),
        _ => None,
    };
    let value = match (opcode, operands.as_slice()) {
        (Opcode::Add, [Value::Chain(chain), n]) if clamped(chain) => number(n).map(|add| {
            let ramp = Ramp { add, least: i64::MIN, most: i64::MAX };
            Value::Ramp(chain.clone(), ramp)
        }),
        (Opcode::Clamp, [Value::Ramp(chain, ramp), low, high]) => {
            number(low).zip(number(high)).filter(|(low, high)| low <= high).map(|(least, most)| {
                let limit = |n: i64| n.max(least).min(most);
                Value::Ramp(chain.clone(), Ramp { least: limit(ramp.least), most: limit(ramp.most), ..*ramp })
            })
        }
        (Opcode::Mul, [Value::Chain(chain), Value::Ramp(other, ramp)]) if clamped(chain) && chain == other => {
            let gate = Gated { ramp: *ramp, stage: Stage::Sum, factor: 1, shift: 0, zero: 0 };
            Some(Value::Chain(Box::new(Chain { gate: Some(gate), ..(**chain).clone() })))
        }
        (Opcode::Mulshr, [Value::Chain(chain), n, c]) => {
            chain.gate.zip(number(n)).zip(number(c)).and_then(|((gate, n), c)| {
                let gate = Gated { stage: Stage::Scaled, factor: n, shift: c.clamp(0, 126), ..gate };
                let first = chain.gate.is_some_and(|gate| gate.stage == Stage::Sum);
                first.then(|| Value::Chain(Box::new(Chain { gate: Some(gate), ..(**chain).clone() })))
            })
        }
        (Opcode::Add, [Value::Chain(chain), n]) => chain.gate.zip(number(n)).and_then(|(gate, n)| {
            let gate = Gated { zero: gate.zero.checked_add(n)?, ..gate };
            let scaled = gate.stage == Stage::Scaled;
            scaled.then(|| Value::Chain(Box::new(Chain { gate: Some(gate), ..(**chain).clone() })))
        }),
        _ => None,
    };
    value.ok_or(operands)
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
        if self.gate.is_some() {
            return None;
        }
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
        if self.gate.is_some() {
            return None;
        }
        self.factor = table;
        (std::mem::replace(&mut self.stage, Stage::Product) == Stage::Sum).then_some(self)
    }

    /// The rest of the chain starts anew after the scale of a row.
    fn rowed(mut self, scale: Box<LoadPlan>, shift: &[i64]) -> Option<Self> {
        if self.row.is_some() || self.stage != Stage::Sum {
            return None;
        }
        let shift = single(shift)?.clamp(0, 126);
        let half = if shift > 0 { 1i64.checked_shl(u32::try_from(shift - 1).ok()?)? } else { 0 };
        self.row = Some(RowLink { scale, add: std::mem::replace(&mut self.add, vec![0]), shift, half });
        Some(self)
    }

    fn shifted(mut self, shift: &[i64], rounded: bool) -> Option<Self> {
        if self.gate.is_some() {
            return None;
        }
        self.shift = single(shift)?.clamp(0, 126);
        self.half = if rounded && self.shift > 0 { 1i64.checked_shl(u32::try_from(self.shift - 1).ok()?)? } else { 0 };
        (std::mem::replace(&mut self.stage, Stage::Scaled) <= Stage::Product).then_some(self)
    }

    fn clamped(mut self, low: &[i64], high: &[i64]) -> Option<Self> {
        if self.gate.is_some() {
            return None;
        }
        let (low, high) = (single(low)?, single(high)?);
        self.low = self.low.max(low).min(high);
        self.high = self.high.max(low).min(high);
        self.stage = Stage::Clamped;
        Some(self)
    }

    /// The chain as the kernels do it, if it stays in i64 by the bounds of the sums.
    pub(super) fn fixed(&self, context: &Context<'_>, bounds: Bounds) -> Option<Fixed> {
        let dtype = context.instruction.dtype;
        let shift = u32::try_from(self.shift).ok().filter(|&shift| shift <= 61)?;
        let (rows, bounds) = match &self.row {
            Some(link) => {
                let (stage, bounds) = link.stage(context, bounds)?;
                (Some(stage), bounds)
            }
            None => (None, bounds),
        };
        if self.zero.abs() > ZERO {
            return None;
        }
        let whole = vec![0; points(context)];
        let add = zip(&[&self.add, &whole], |n| n[0]);
        let factor = zip(&[&self.factor, &whole], |n| n[0]);
        let (mut narrow, mut split, mut most, mut largest) = (true, false, 0, 0);
        for (&add, &factor) in add.iter().zip(&factor) {
            let (low, high) = (bounds.low + i128::from(add), bounds.high + i128::from(add));
            let sum = low.abs().max(high.abs());
            most = most.max(sum);
            let fits = |n: i128| n < PRODUCT && n.checked_mul(i128::from(factor).abs()).is_some_and(|n| n < PRODUCT);
            largest = largest.max((sum.saturating_mul(i128::from(factor).abs())) >> shift);
            if !fits(sum) {
                // The upper bits of a negative sum count one more.
                if sum >= PRODUCT || shift < 16 || !fits((sum >> 16) + 1) || !fits(1 << 16) {
                    return None;
                }
                split = true;
            }
            narrow &= i32::try_from(low).is_ok() && i32::try_from(high).is_ok() && i32::try_from(factor).is_ok();
        }
        if rows.is_some() && (!narrow || split || self.gate.is_some()) {
            return None;
        }
        let largest_factor = factor.iter().map(|&n| i128::from(n).abs()).max().unwrap_or(0);
        let (add, factor) = (spread(&add, context), spread(&factor, context));
        let channels = if narrow && !split {
            Channels::Narrow { add: halves(&add), factor: halves(&factor) }
        } else {
            Channels::Wide { add, factor }
        };
        // Products of sums that are shifted up stay what they are in number of bits, less those shifted out.
        let up = 32u32.saturating_sub(shift);
        let fits = most < 1 << (31 - up.min(30)) && PRODUCT >> up > most * largest_factor;
        let lift = if fits && narrow && !split && rows.is_none() { up } else { 0 };
        let stored = |n: i64| n.max(dtype.min()).min(dtype.max());
        let (low, high, gate) = match &self.gate {
            None => (stored(self.low), stored(self.high), None),
            Some(gate) => {
                (self.low, self.high, Some(gate.fixed((self.low, self.high), (stored(i64::MIN), stored(i64::MAX)))?))
            }
        };
        // Stored numbers before they are cut.
        let small = largest + 1 + i128::from(ZERO) < 1 << 31;
        let rows = rows.map(|stage| RowStage { small, ..stage });
        Some(Fixed { dtype, channels, shift, half: self.half, zero: self.zero, low, high, split, lift, gate, rows })
    }
}

impl Gated {
    /// The gate as the kernels do it, if numbers between `low` and `high` and all that becomes of them fit.
    fn fixed(&self, (low, high): (i64, i64), stored: (i64, i64)) -> Option<Gate> {
        let narrow = |n: i64| i32::try_from(n).ok();
        let Ramp { add, least, most } = self.ramp;
        let ends = [low, high].map(|x| x.checked_add(add));
        let fits = [narrow(low)?, narrow(high)?, narrow(ends[0]?)?, narrow(ends[1]?)?];
        let ramp = i64::from(narrow(least)?).abs().max(i64::from(narrow(most)?).abs());
        let largest = low.abs().max(high.abs()).checked_mul(ramp)?;
        let product = i128::from(narrow(largest)?) * i128::from(narrow(self.factor)?).abs();
        let shift = u32::try_from(self.shift).ok().filter(|&shift| shift <= 61)?;
        let half = if shift > 0 { 1i64.checked_shl(shift - 1)? } else { 0 };
        if product >= PRODUCT || self.zero.abs() > ZERO || fits.is_empty() {
            return None;
        }
        let (least, most, add, factor) = (narrow(least)?, narrow(most)?, narrow(add)?, narrow(self.factor)?);
        Some(Gate { add, least, most, factor, shift, half, zero: self.zero, low: stored.0, high: stored.1 })
    }
}

impl RowLink {
    /// The link as the kernels do it, and the bounds of what comes out; `None` if anything leaves i32.
    fn stage(&self, context: &Context<'_>, bounds: Bounds) -> Option<(RowStage, Bounds)> {
        let shift = u32::try_from(self.shift).ok().filter(|&shift| shift <= 61)?;
        let add = zip(&[&self.add, &vec![0; points(context)]], |n| n[0]);
        let (low, high) = (*add.iter().min()?, *add.iter().max()?);
        let sums = [bounds.low + i128::from(low), bounds.high + i128::from(high)];
        let scales = [i128::from(self.scale.range.low), i128::from(self.scale.range.high)];
        let scaled = sums.iter().flat_map(|sum| scales.map(|scale| (sum * scale + i128::from(self.half)) >> shift));
        let (low, high) = scaled.fold((0, 0), |(low, high): (i128, i128), n| (low.min(n), high.max(n)));
        let fits = |n: i128| i32::try_from(n).is_ok();
        let known = sums.into_iter().chain(scales).chain([low, high]).all(fits);
        let stage = RowStage { add: halves(&spread(&add, context)), shift, half: self.half, small: false };
        known.then_some((stage, Bounds { low, high }))
    }
}

/// Columns of all blocks.
fn points(context: &Context<'_>) -> usize {
    load::size(context.own[..FIRST_K].iter().product())
}

/// A table of all columns with zeros up to whole strips.
fn spread(table: &[i64], context: &Context<'_>) -> Vec<i64> {
    let padding = context.columns.next_multiple_of(STRIP) - context.columns;
    let rows = table.chunks(context.columns.max(1));
    rows.flat_map(|row| row.iter().copied().chain(std::iter::repeat_n(0, padding))).collect()
}

fn halves(table: &[i64]) -> Vec<i32> {
    table.iter().map(|&n| low_half(n)).collect()
}

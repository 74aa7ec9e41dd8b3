//! One instruction while it is written: named axes, affine indices, operations in the order they run.

use std::ops::{Add, Mul, Sub};

use opml_vm::{
    Axis, DType, Dynamic, Extent, Instruction, Load, Op, Opcode, Reducer, Source, Term,
    isa::{
        MAX_CONSTANTS, MAX_DYNAMICS, MAX_LOADS, MAX_OPS, MAX_RANK, MAX_TERMS, SLOT_ACC, SLOT_CONST, SLOT_K, SLOT_O,
        SLOT_T,
    },
};

use super::{LowerError, Stored};
use crate::num;

/// A number inside the instruction: a coordinate, or the result of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reg(Place);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// A slot before the constants.
    Fixed(u8),
    /// Constant by number.
    Constant(u8),
    /// Operation by number, in the program it stands in.
    Result(u8),
}

/// An operand: a register or a literal, which becomes a constant of the instruction.
#[derive(Debug, Clone, Copy)]
pub enum Arg {
    /// A register.
    Reg(Reg),
    /// A literal.
    Literal(i64),
}

impl From<Reg> for Arg {
    fn from(reg: Reg) -> Self {
        Self::Reg(reg)
    }
}

impl From<i64> for Arg {
    fn from(literal: i64) -> Self {
        Self::Literal(literal)
    }
}

/// `base + Σ coefficient · register`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Index {
    base: i64,
    terms: Vec<(Reg, i64)>,
}

impl Index {
    /// A constant index.
    pub const fn constant(base: i64) -> Self {
        Self { base, terms: Vec::new() }
    }

    /// Adds `coefficient · reg`.
    #[must_use]
    pub fn plus(mut self, reg: Reg, coefficient: i64) -> Self {
        match self.terms.iter_mut().find(|(known, _)| *known == reg) {
            Some((_, sum)) => *sum = sum.saturating_add(coefficient),
            None => self.terms.push((reg, coefficient)),
        }
        self.terms.retain(|(_, coefficient)| *coefficient != 0);
        self
    }

    /// The registers.
    pub fn registers(&self) -> impl Iterator<Item = Reg> {
        self.terms.iter().map(|&(reg, _)| reg)
    }

    /// Number of terms.
    pub const fn len(&self) -> usize {
        self.terms.len()
    }

    /// Whether the index is a constant.
    pub const fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }
}

impl From<Reg> for Index {
    fn from(reg: Reg) -> Self {
        Self::default().plus(reg, 1)
    }
}

impl Mul<i64> for Reg {
    type Output = Index;
    fn mul(self, coefficient: i64) -> Index {
        Index::default().plus(self, coefficient)
    }
}

impl Mul<i64> for Index {
    type Output = Self;
    fn mul(self, factor: i64) -> Self {
        let start = Self::constant(self.base.saturating_mul(factor));
        self.terms.into_iter().fold(start, |index, (reg, c)| index.plus(reg, c.saturating_mul(factor)))
    }
}

impl<T: Into<Self>> Add<T> for Index {
    type Output = Self;
    fn add(mut self, other: T) -> Self {
        let other = other.into();
        self.base = self.base.saturating_add(other.base);
        other.terms.into_iter().fold(self, |index, (reg, c)| index.plus(reg, c))
    }
}

impl Add<i64> for Index {
    type Output = Self;
    fn add(mut self, base: i64) -> Self {
        self.base = self.base.saturating_add(base);
        self
    }
}

impl Sub<i64> for Index {
    type Output = Self;
    fn sub(mut self, base: i64) -> Self {
        self.base = self.base.saturating_sub(base);
        self
    }
}

/// An extent: a number, or one that follows the iteration ([`Draft::growing`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size(SizeKind);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SizeKind {
    Fixed(i64),
    Dynamic(u32),
}

impl From<i64> for Size {
    fn from(extent: i64) -> Self {
        Self(SizeKind::Fixed(extent))
    }
}

/// An instruction being written. Faults are kept and reported by [`Draft::finish`].
///
/// Output and reduction axes are declared first; then come the operations of `map`; [`Draft::reduced`] ends it and
/// starts `post`.
#[derive(Debug)]
pub struct Draft {
    dtype: DType,
    reducer: Reducer,
    output: Vec<Extent>,
    reduction: Vec<Extent>,
    dynamics: Vec<Dynamic>,
    constants: Vec<i64>,
    map: Vec<Pending>,
    post: Vec<Pending>,
    in_post: bool,
    fault: Option<LowerError>,
}

#[derive(Debug)]
enum Pending {
    Scalar(Opcode, Vec<Reg>),
    Load { stored: Stored, iteration: Option<Index>, pad: i64, axes: Vec<(Size, Index)> },
}

impl Draft {
    /// An instruction that writes `dtype`.
    pub const fn new(dtype: DType, reducer: Reducer) -> Self {
        Self {
            dtype,
            reducer,
            output: Vec::new(),
            reduction: Vec::new(),
            dynamics: Vec::new(),
            constants: Vec::new(),
            map: Vec::new(),
            post: Vec::new(),
            in_post: false,
            fault: None,
        }
    }

    fn fail(&mut self, fault: LowerError) {
        self.fault.get_or_insert(fault);
    }

    /// Declares the next output axis; the last one declared varies fastest.
    pub fn output(&mut self, extent: impl Into<Size>) -> Reg {
        let (number, extent) = (self.output.len(), self.extent(extent.into()));
        self.output.push(extent);
        self.coordinate(number, SLOT_O, "output axes")
    }

    /// Declares the next reduction axis; the last one declared varies fastest.
    pub fn reduce(&mut self, extent: impl Into<Size>) -> Reg {
        let (number, extent) = (self.reduction.len(), self.extent(extent.into()));
        self.reduction.push(extent);
        self.coordinate(number, SLOT_K, "reduction axes")
    }

    /// An extent `clamp(start + step · t, 0, cap)` at iteration `t`.
    pub fn growing(&mut self, start: i64, step: i32, cap: i64) -> Size {
        let word = u32::try_from(cap).ok().filter(|&word| word < opml_vm::isa::EXTENT_LIMIT);
        let dynamic = Dynamic { a: start, b: step, cap: word.unwrap_or(0) };
        if word.is_none() {
            self.fail(LowerError::Field { what: "extent", value: cap });
        }
        let number = self.dynamics.iter().position(|&known| known == dynamic).unwrap_or_else(|| {
            self.dynamics.push(dynamic);
            self.dynamics.len() - 1
        });
        if number >= MAX_DYNAMICS {
            self.fail(LowerError::Count { what: "growing extents", count: number + 1, limit: MAX_DYNAMICS });
        }
        Size(SizeKind::Dynamic(u32::try_from(number).unwrap_or(u32::MAX)))
    }

    /// The number of the iteration.
    #[allow(clippy::unused_self, reason = "a register belongs to a draft")]
    pub const fn iteration(&self) -> Reg {
        Reg(Place::Fixed(SLOT_T))
    }

    fn extent(&mut self, extent: Size) -> Extent {
        word(extent).unwrap_or_else(|fault| {
            self.fail(fault);
            Extent::Fixed(0)
        })
    }

    fn coordinate(&mut self, number: usize, first: u8, what: &'static str) -> Reg {
        if number >= MAX_RANK {
            self.fail(LowerError::Count { what, count: number + 1, limit: MAX_RANK });
        }
        Reg(Place::Fixed(first.saturating_add(u8::try_from(number).unwrap_or(u8::MAX))))
    }

    fn reg(&mut self, arg: Arg) -> Reg {
        let literal = match arg {
            Arg::Reg(reg) => return reg,
            Arg::Literal(literal) => literal,
        };
        let number = self.constants.iter().position(|&known| known == literal).unwrap_or_else(|| {
            self.constants.push(literal);
            self.constants.len() - 1
        });
        if number >= MAX_CONSTANTS {
            self.fail(LowerError::Count { what: "constants", count: number + 1, limit: MAX_CONSTANTS });
        }
        Reg(Place::Constant(u8::try_from(number).unwrap_or(u8::MAX)))
    }

    fn push(&mut self, pending: Pending) -> Reg {
        let program = if self.in_post { &mut self.post } else { &mut self.map };
        program.push(pending);
        let count = program.len();
        if count > MAX_OPS {
            self.fail(LowerError::Count { what: "operations", count, limit: MAX_OPS });
        }
        Reg(Place::Result(u8::try_from(count - 1).unwrap_or(u8::MAX)))
    }

    /// A scalar operation.
    pub fn op(&mut self, opcode: Opcode, args: &[Arg]) -> Reg {
        let regs = args.iter().map(|&arg| self.reg(arg)).collect();
        self.push(Pending::Scalar(opcode, regs))
    }

    /// Reads an element: each axis of the view has an extent and an index; out of bounds gives `pad`.
    pub fn load(&mut self, stored: Stored, pad: i64, axes: Vec<(i64, Index)>) -> Reg {
        self.load_sized(stored, None, pad, axes.into_iter().map(|(extent, index)| (extent.into(), index)).collect())
    }

    /// Reads an element of a value of another iteration, or through a view whose extents grow. `iteration` may follow
    /// anything; what is not strictly earlier than this step reads `pad`.
    pub fn load_sized(&mut self, stored: Stored, iteration: Option<Index>, pad: i64, axes: Vec<(Size, Index)>) -> Reg {
        if axes.len() > MAX_RANK {
            self.fail(LowerError::Count { what: "axes of a view", count: axes.len(), limit: MAX_RANK });
        }
        for index in axes.iter().map(|(_, index)| index).chain(&iteration) {
            if index.len() > MAX_TERMS {
                self.fail(LowerError::Count { what: "index terms", count: index.len(), limit: MAX_TERMS });
            }
        }
        self.push(Pending::Load { stored, iteration, pad, axes })
    }

    /// Makes a number the program's last one, which is its value.
    pub fn yields(&mut self, value: Reg) {
        let program = if self.in_post { &self.post } else { &self.map };
        let last = program.len().checked_sub(1).and_then(|last| u8::try_from(last).ok());
        if last.is_none_or(|last| value != Reg(Place::Result(last))) {
            self.add(value, 0);
        }
    }

    /// Ends `map`; the reduced value.
    pub const fn reduced(&mut self) -> Reg {
        self.in_post = true;
        Reg(Place::Fixed(SLOT_ACC))
    }

    /// The instruction.
    ///
    /// # Errors
    /// A number or count does not fit the encoding.
    pub fn finish(self) -> Result<Instruction, LowerError> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let base = usize::from(SLOT_CONST) + self.constants.len();
        let program = |pending: Vec<Pending>| -> Result<Vec<Op>, LowerError> {
            let loads = pending.iter().filter(|p| matches!(p, Pending::Load { .. })).count();
            if loads > MAX_LOADS {
                return Err(LowerError::Count { what: "loads", count: loads, limit: MAX_LOADS });
            }
            pending.into_iter().map(|pending| resolve(pending, base)).collect()
        };
        Ok(Instruction {
            dtype: self.dtype,
            reducer: self.reducer,
            output: self.output,
            reduction: self.reduction,
            dynamics: self.dynamics,
            constants: self.constants,
            map: program(self.map)?,
            post: program(self.post)?,
        })
    }
}

/// Names of the operations that lowerings use.
macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident = $opcode:ident($($arg:ident),+);)*) => {
        impl Draft {
            $($(#[$doc])* pub fn $name(&mut self, $($arg: impl Into<Arg>),+) -> Reg {
                let args = [$($arg.into()),+];
                self.op(Opcode::$opcode, &args)
            })*
        }
    };
}

operations! {
    /// `a + b`
    add = Add(a, b);
    /// `a − b`
    sub = Sub(a, b);
    /// `a · b`
    mul = Mul(a, b);
    /// `min(a, b)`
    min = Min(a, b);
    /// `max(a, b)`
    max = Max(a, b);
    /// `|a|`
    abs = Abs(a);
    /// `a · 2^b`
    shl = Shl(a, b);
    /// `a − b · ⌊a / b⌋`, 0 if `b = 0`
    rem = Rem(a, b);
    /// `⌊√a⌋`, 0 if `a ≤ 0`
    isqrt = Isqrt(a);
    /// `⌊log2 a⌋`, −1 if `a ≤ 0`
    log2 = Log2(a);
    /// 1 if `a = b`, else 0
    equal = Eq(a, b);
    /// bitwise or
    or = Or(a, b);
    /// bitwise exclusive or
    xor = Xor(a, b);
    /// `min(max(a, low), high)`
    clamp = Clamp(a, low, high);
    /// `⌊a / 2^b⌋`
    shr = Shr(a, b);
    /// `a / 2^b` rounded half up
    rshr = Rshr(a, b);
    /// `a · b / 2^c` rounded half up
    mulshr = Mulshr(a, b, c);
    /// `⌊a / b⌋`
    div = Div(a, b);
    /// 1 if `a < b`, else 0
    less = Lt(a, b);
    /// `b` if `a ≠ 0`, else `c`
    select = Select(a, b, c);
    /// bitwise and
    and = And(a, b);
}

fn slot(reg: Reg, base: usize) -> Result<u8, LowerError> {
    let slot = match reg.0 {
        Place::Fixed(slot) => usize::from(slot),
        Place::Constant(number) => usize::from(SLOT_CONST) + usize::from(number),
        Place::Result(number) => base + usize::from(number),
    };
    u8::try_from(slot).map_err(|_| LowerError::Field { what: "slot", value: num::signed(slot) })
}

fn resolve(pending: Pending, base: usize) -> Result<Op, LowerError> {
    match pending {
        Pending::Scalar(opcode, regs) => {
            let mut operands = [0; 3];
            for (operand, reg) in operands.iter_mut().zip(regs) {
                *operand = slot(reg, base)?;
            }
            Ok(Op::Scalar { opcode, operands })
        }
        Pending::Load { stored, iteration, pad, axes } => {
            let axes = axes.into_iter().map(|(extent, index)| axis(extent, index, base)).collect::<Result<_, _>>()?;
            let source = match (iteration, stored.source) {
                (Some(index), Source::Value(instruction)) => {
                    Source::History { instruction, base: index.base, terms: terms(index, base)? }
                }
                (Some(_), _) => return Err(LowerError::Layout("only values have iterations")),
                (None, source) => source,
            };
            Ok(Op::Load(Load { source, pad, axes }))
        }
    }
}

fn word(size: Size) -> Result<Extent, LowerError> {
    match size.0 {
        SizeKind::Dynamic(number) => Ok(Extent::Dynamic(number)),
        SizeKind::Fixed(extent) => {
            let word = u32::try_from(extent).ok().filter(|&word| word < opml_vm::isa::EXTENT_LIMIT);
            word.map(Extent::Fixed).ok_or(LowerError::Field { what: "extent", value: extent })
        }
    }
}

fn terms(index: Index, base: usize) -> Result<Vec<Term>, LowerError> {
    let term = |(reg, coefficient): (Reg, i64)| {
        let coef = i32::try_from(coefficient);
        let coef = coef.map_err(|_| LowerError::Field { what: "index coefficient", value: coefficient })?;
        Ok(Term { slot: slot(reg, base)?, coef })
    };
    index.terms.into_iter().map(term).collect()
}

fn axis(extent: Size, index: Index, base: usize) -> Result<Axis, LowerError> {
    Ok(Axis { extent: word(extent)?, base: index.base, terms: terms(index, base)? })
}

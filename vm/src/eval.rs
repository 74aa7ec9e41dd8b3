//! The meaning of an instruction: one scalar operation, one element, one slice (SPEC §3.4–3.6).
//!
//! The reference interpreter and the step verifier both run this code; they differ only in where loads find
//! their tensors ([`Memory`]).

use alloc::vec::Vec;

use crate::{
    instruction::{Extent, Instruction, Load, Op, Source, Term},
    isa::{DType, MAX_ELEMENTS, MAX_SHIFT, Opcode, Reducer, SLOT_ACC, SLOT_CONST, SLOT_K, SLOT_O, SLOT_T},
};

/// Slots before the constants.
const FIXED_SLOTS: usize = 18;

/// The tensor that a load names, after its iteration was found valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Constant by number.
    Constant(u32),
    /// Input by number.
    Input(u32),
    /// Value of an instruction at an iteration.
    Value {
        /// Iteration.
        t: u64,
        /// Instruction.
        instruction: u32,
    },
}

/// Where loads find tensors.
pub trait Memory {
    /// What can go wrong when a tensor is looked up.
    type Error;

    /// The dtype code and element count of a tensor; `position` is the element that will be read next.
    ///
    /// # Errors
    /// The memory does not hold the tensor.
    fn header(&mut self, place: Place, position: u64) -> Result<(u8, u64), Self::Error>;

    /// Element `position`, which is below the header's count and of a known type.
    ///
    /// # Errors
    /// The memory does not hold the element.
    fn element(&mut self, place: Place, position: u64) -> Result<i64, Self::Error>;
}

/// Where in a run an instruction stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At {
    /// Instructions in the program.
    pub instructions: u32,
    /// Iteration.
    pub t: u64,
    /// Number of the instruction.
    pub instruction: u32,
}

/// Evaluates the elements and slices of one instruction at one iteration.
pub struct Evaluator<'a> {
    instruction: &'a Instruction,
    at: At,
    output: Vec<u64>,
    reduction: Vec<u64>,
    slots: Vec<i64>,
}

impl<'a> Evaluator<'a> {
    /// Prepares an instruction at a place of a run.
    pub fn new(instruction: &'a Instruction, at: At) -> Self {
        let extents = |list: &[Extent]| list.iter().map(|&e| instruction.extent_at(e, at.t)).collect();
        Self {
            instruction,
            at,
            output: extents(&instruction.output),
            reduction: extents(&instruction.reduction),
            slots: Vec::with_capacity(FIXED_SLOTS + 160),
        }
    }

    /// Element `e`.
    ///
    /// # Errors
    /// The memory lacks an operand.
    pub fn element<M: Memory>(&mut self, e: u64, memory: &mut M) -> Result<i64, M::Error> {
        let terms = self.instruction.terms(self.at.t);
        let acc = match self.slice(e, 0, terms, memory)? {
            Some(partial) => finish(self.instruction.reducer, partial),
            None => empty(self.instruction.reducer),
        };
        self.post(e, acc, memory)
    }

    /// The partial over terms `k0..k1` (SPEC §3.4); `None` if the range is empty.
    ///
    /// # Errors
    /// The memory lacks an operand.
    pub fn slice<M: Memory>(&mut self, e: u64, k0: u64, k1: u64, memory: &mut M) -> Result<Option<i128>, M::Error> {
        let instruction = self.instruction;
        let reducer = instruction.reducer;
        self.start(e);
        let mut total: Option<i128> = None;
        for k in k0..k1 {
            self.coordinates(SLOT_K, k, false);
            let term = self.run(&instruction.map, memory)?;
            let value = partial_of(reducer, term, k);
            total = Some(total.map_or(value, |total| combine(reducer, total, value)));
        }
        Ok(total)
    }

    /// Element `e` from the finished reduction.
    ///
    /// # Errors
    /// The memory lacks an operand.
    pub fn post<M: Memory>(&mut self, e: u64, acc: i64, memory: &mut M) -> Result<i64, M::Error> {
        let instruction = self.instruction;
        let mut value = acc;
        if !instruction.post.is_empty() {
            self.start(e);
            set(&mut self.slots, SLOT_ACC, acc);
            value = self.run(&instruction.post, memory)?;
        }
        Ok(instruction.dtype.saturate(value))
    }

    /// Element `e` where the memory may lack operands: `None` unless it is the same whatever they are, because selects do not
    /// choose them.
    pub fn known_element<M: Memory>(&mut self, e: u64, memory: &mut M) -> Option<i64> {
        let instruction = self.instruction;
        let reducer = instruction.reducer;
        self.start(e);
        let mut total: Option<i128> = None;
        for k in 0..instruction.terms(self.at.t) {
            self.coordinates(SLOT_K, k, false);
            let value = partial_of(reducer, self.run_known(&instruction.map, memory)?, k);
            total = Some(total.map_or(value, |total| combine(reducer, total, value)));
        }
        let acc = total.map_or_else(|| empty(reducer), |total| finish(reducer, total));
        if instruction.post.is_empty() {
            return Some(instruction.dtype.saturate(acc));
        }
        self.start(e);
        set(&mut self.slots, SLOT_ACC, acc);
        self.run_known(&instruction.post, memory).map(|value| instruction.dtype.saturate(value))
    }

    /// Runs a scalar program some of whose loads may be lacking.
    fn run_known<M: Memory>(&mut self, program: &[Op], memory: &mut M) -> Option<i64> {
        let first = usize::from(SLOT_CONST) + self.instruction.constants.len();
        self.slots.truncate(first);
        let mut known: Vec<bool> = Vec::with_capacity(program.len());
        for op in program {
            let is_known =
                |slot: u8| usize::from(slot).checked_sub(first).is_none_or(|at| known.get(at).copied().unwrap_or(true));
            let value = match op {
                Op::Scalar { opcode: Opcode::Select, operands: [a, b, c] } if is_known(*a) => {
                    let chosen = if self.slot(*a) != 0 { *b } else { *c };
                    is_known(chosen).then(|| self.slot(chosen))
                }
                Op::Scalar { opcode, operands: [a, b, c] } => [*a, *b, *c]
                    .into_iter()
                    .all(is_known)
                    .then(|| scalar(*opcode, self.slot(*a), self.slot(*b), self.slot(*c))),
                Op::Load(load) if load.registers().all(is_known) => self.load(load, memory).ok(),
                Op::Load(_) => None,
            };
            known.push(value.is_some());
            self.slots.push(value.unwrap_or(0));
        }
        known.last().copied().unwrap_or(true).then(|| self.slots.last().copied().unwrap_or(0))
    }

    /// Fills the slots that all terms of element `e` share.
    fn start(&mut self, e: u64) {
        self.slots.clear();
        self.slots.resize(FIXED_SLOTS, 0);
        set(&mut self.slots, SLOT_T, i64::try_from(self.at.t).unwrap_or(i64::MAX));
        self.slots.extend(&self.instruction.constants);
        self.coordinates(SLOT_O, e, true);
    }

    /// Writes the row-major digits of a point into the coordinate slots.
    fn coordinates(&mut self, first: u8, point: u64, output: bool) {
        let extents = if output { &self.output } else { &self.reduction };
        let mut rest = point;
        for (axis, &extent) in extents.iter().enumerate().rev() {
            let digit = rest.checked_rem(extent).unwrap_or(0);
            rest = rest.checked_div(extent).unwrap_or(0);
            let slot = u8::try_from(axis).unwrap_or(u8::MAX).saturating_add(first);
            set(&mut self.slots, slot, i64::try_from(digit).unwrap_or(i64::MAX));
        }
    }

    /// Runs a scalar program; its result is the last operation's.
    fn run<M: Memory>(&mut self, program: &[Op], memory: &mut M) -> Result<i64, M::Error> {
        self.slots.truncate(usize::from(SLOT_CONST) + self.instruction.constants.len());
        for op in program {
            let value = match op {
                Op::Scalar { opcode, operands: [a, b, c] } => {
                    scalar(*opcode, self.slot(*a), self.slot(*b), self.slot(*c))
                }
                Op::Load(load) => self.load(load, memory)?,
            };
            self.slots.push(value);
        }
        Ok(self.slots.last().copied().unwrap_or(0))
    }

    fn slot(&self, slot: u8) -> i64 {
        self.slots.get(usize::from(slot)).copied().unwrap_or(0)
    }

    /// `base + Σ coef·slot`; four products below 2^94 and a base below 2^63.
    fn affine(&self, base: i64, terms: &[Term]) -> i128 {
        terms.iter().fold(i128::from(base), |sum, term| sum + i128::from(term.coef) * i128::from(self.slot(term.slot)))
    }

    fn load<M: Memory>(&self, load: &Load, memory: &mut M) -> Result<i64, M::Error> {
        let Some((place, position)) = self.resolve(load) else {
            return Ok(load.pad);
        };
        let (dtype, elements) = memory.header(place, position)?;
        let known = DType::from_code(dtype).is_some() && elements <= MAX_ELEMENTS;
        if !known || position >= elements {
            return Ok(load.pad);
        }
        memory.element(place, position)
    }

    /// Steps 1 to 4 of SPEC §3.5, up to the header: the tensor and the position in it.
    fn resolve(&self, load: &Load) -> Option<(Place, u64)> {
        let (place, tau) = match &load.source {
            Source::Constant(n) => (Place::Constant(*n), self.at.t),
            Source::Input(n) => (Place::Input(*n), self.at.t),
            Source::Value(n) => (self.value(i128::from(self.at.t), *n)?, self.at.t),
            Source::History { instruction, base, terms } => {
                let tau = self.affine(*base, terms);
                (self.value(tau, *instruction)?, u64::try_from(tau).ok()?)
            }
        };
        let mut position: u64 = 0;
        for axis in &load.axes {
            let extent = self.instruction.extent_at(axis.extent, tau);
            let index = u64::try_from(self.affine(axis.base, &axis.terms)).ok().filter(|&index| index < extent)?;
            // Monotone in every step, so a saturated position is past any tensor's end and stays there.
            position = position.saturating_mul(extent).saturating_add(index);
        }
        Some((place, position))
    }

    /// The value `(tau, n)` if it is strictly earlier than this step.
    fn value(&self, tau: i128, n: u32) -> Option<Place> {
        let t = u64::try_from(tau).ok()?;
        let earlier = (t, n) < (self.at.t, self.at.instruction);
        earlier.then_some(Place::Value { t, instruction: n })
    }
}

fn set(slots: &mut [i64], slot: u8, value: i64) {
    if let Some(place) = slots.get_mut(usize::from(slot)) {
        *place = value;
    }
}

/// The partial of a single term.
fn partial_of(reducer: Reducer, term: i64, k: u64) -> i128 {
    match reducer {
        Reducer::Sum | Reducer::Max | Reducer::Min => i128::from(term),
        // |term·2^32| < 2^95; the larger low half is the earlier term.
        Reducer::Argmax => i128::from(term) * (1 << 32) + (i128::from(u32::MAX) - i128::from(k)),
    }
}

/// `a ⊕ b` of adjacent slices that were computed: a sum of at most 2^40 terms stays inside i128. Posted partials need
/// [`combine_all`].
pub fn combine(reducer: Reducer, a: i128, b: i128) -> i128 {
    match reducer {
        Reducer::Sum => a.saturating_add(b),
        Reducer::Max | Reducer::Argmax => a.max(b),
        Reducer::Min => a.min(b),
    }
}

/// The `⊕` of partials that anybody may have posted: exact, whatever the order. `None` if there are none or the whole
/// is not an i128 (SPEC §7.2).
pub fn combine_all(reducer: Reducer, partials: &[i128]) -> Option<i128> {
    match reducer {
        Reducer::Sum => exact_sum(partials),
        Reducer::Max | Reducer::Argmax => partials.iter().copied().max(),
        Reducer::Min => partials.iter().copied().min(),
    }
}

/// Sums the high and low halves apart: a prefix may leave i128 although the whole does not.
fn exact_sum(values: &[i128]) -> Option<i128> {
    const LOW: i128 = (1 << 64) - 1;
    let (&first, rest) = values.split_first()?;
    let (mut high, mut low) = (first >> 64, first & LOW);
    for value in rest {
        low += value & LOW;
        high += (value >> 64) + (low >> 64);
        low &= LOW;
    }
    high.checked_mul(1 << 64)?.checked_add(low)
}

/// The reduced value from the partial over all terms.
pub fn finish(reducer: Reducer, partial: i128) -> i64 {
    match reducer {
        Reducer::Sum | Reducer::Max | Reducer::Min => saturate(partial),
        Reducer::Argmax => saturate(i128::from(u32::MAX) - partial.rem_euclid(1 << 32)),
    }
}

/// The reduced value of no terms.
pub const fn empty(reducer: Reducer) -> i64 {
    match reducer {
        Reducer::Sum | Reducer::Argmax => 0,
        Reducer::Max => i64::MIN,
        Reducer::Min => i64::MAX,
    }
}

/// Clamps to i64.
pub fn saturate(value: i128) -> i64 {
    let clamped = value.clamp(i128::from(i64::MIN), i128::from(i64::MAX));
    i64::try_from(clamped).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
}

/// A shift amount as the machine uses it.
fn shift(amount: i64) -> u32 {
    u32::try_from(amount.clamp(0, MAX_SHIFT)).unwrap_or(0)
}

/// `⌊(x + h) / 2^s⌋` with `h = 2^(s−1)`, or 0 for `s = 0`; |x| ≤ 2^126, so the sum fits.
fn round_shift(x: i128, s: u32) -> i128 {
    let half = if s == 0 { 0 } else { 1i128 << (s - 1) };
    (x + half) >> s
}

/// One scalar operation (SPEC §3.6); [`Opcode::Load`] is not one and gives 0.
pub fn scalar(opcode: Opcode, a: i64, b: i64, c: i64) -> i64 {
    let (wide_a, wide_b) = (i128::from(a), i128::from(b));
    match opcode {
        Opcode::Load => 0,
        Opcode::Add => a.saturating_add(b),
        Opcode::Sub => a.saturating_sub(b),
        Opcode::Mul => saturate(wide_a * wide_b),
        Opcode::Min => a.min(b),
        Opcode::Max => a.max(b),
        Opcode::Clamp => a.max(b).min(c),
        Opcode::Abs => a.saturating_abs(),
        Opcode::And => a & b,
        Opcode::Or => a | b,
        Opcode::Xor => a ^ b,
        Opcode::Shl => shift_left(a, shift(b)),
        Opcode::Shr => saturate(wide_a >> shift(b)),
        Opcode::Rshr => saturate(round_shift(wide_a, shift(b))),
        Opcode::Mulshr => saturate(round_shift(wide_a * wide_b, shift(c))),
        Opcode::Div => floor_div(wide_a, wide_b).map_or(0, saturate),
        Opcode::Rem => floor_div(wide_a, wide_b).map_or(0, |quotient| saturate(wide_a - wide_b * quotient)),
        Opcode::Isqrt => i64::try_from(a.max(0).unsigned_abs().isqrt()).unwrap_or(0),
        Opcode::Log2 => a.checked_ilog2().map_or(-1, i64::from),
        Opcode::Eq => i64::from(a == b),
        Opcode::Lt => i64::from(a < b),
        Opcode::Select => {
            if a != 0 {
                b
            } else {
                c
            }
        }
    }
}

/// `a · 2^s`, saturated.
fn shift_left(a: i64, s: u32) -> i64 {
    if s < 64 {
        saturate(i128::from(a) << s)
    } else {
        match a {
            0 => 0,
            1.. => i64::MAX,
            _ => i64::MIN,
        }
    }
}

/// `⌊a / b⌋`; `None` for `b = 0`.
fn floor_div(a: i128, b: i128) -> Option<i128> {
    let quotient = a.checked_div(b)?;
    let inexact = a.checked_rem(b)? != 0;
    Some(if inexact && ((a < 0) != (b < 0)) { quotient - 1 } else { quotient })
}

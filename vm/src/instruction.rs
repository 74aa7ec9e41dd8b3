//! The one instruction: a strided map-reduce (SPEC §3).

use alloc::vec::Vec;

use crate::isa::{DType, Opcode, Reducer};

/// `out[o] = sat_dtype(post(⊕_k map(o, k, t)))`.
///
/// Fields are as in the encoding; [`crate::codec::encode`] refuses what is not well-formed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instruction {
    /// Type of the written tensor.
    pub dtype: DType,
    /// How terms combine.
    pub reducer: Reducer,
    /// Output extents, last axis fastest.
    pub output: Vec<Extent>,
    /// Reduction extents, last axis fastest.
    pub reduction: Vec<Extent>,
    /// Extents that follow the iteration.
    pub dynamics: Vec<Dynamic>,
    /// Constants, in slots from [`crate::isa::SLOT_CONST`].
    pub constants: Vec<i64>,
    /// Computes one term.
    pub map: Vec<Op>,
    /// Computes the element from the reduced value; empty: the reduced value itself.
    pub post: Vec<Op>,
}

/// An extent of a domain or a view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// The number itself, below 2^31.
    Fixed(u32),
    /// Number of an entry of [`Instruction::dynamics`].
    Dynamic(u32),
}

/// `clamp(a + b·t, 0, cap)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dynamic {
    /// Extent at `t = 0`, before clamping.
    pub a: i64,
    /// Growth an iteration.
    pub b: i32,
    /// Largest extent, below 2^31.
    pub cap: u32,
}

impl Dynamic {
    /// The extent at iteration `t`.
    pub fn at(&self, t: u64) -> u64 {
        // |a| ≤ 2^63 and |b·t| ≤ 2^31·2^64: far inside i128.
        let exact = i128::from(self.a) + i128::from(self.b) * i128::from(t);
        u64::try_from(exact.clamp(0, i128::from(self.cap))).unwrap_or(0)
    }
}

/// One line of `map` or `post`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// A scalar operation over slots; operands past the arity are 0.
    Scalar {
        /// Any operation but [`Opcode::Load`].
        opcode: Opcode,
        /// Slots of `a`, `b`, `c`.
        operands: [u8; 3],
    },
    /// Reads one element of a tensor.
    Load(Load),
}

/// Reads one element through a view, or the pad.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Load {
    /// The tensor.
    pub source: Source,
    /// Result where anything is out of bounds.
    pub pad: i64,
    /// Axes of the view, last fastest; none: element 0.
    pub axes: Vec<Axis>,
}

/// What a load reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A constant of the model.
    Constant(u32),
    /// An input of the task.
    Input(u32),
    /// The value of an instruction at this iteration.
    Value(u32),
    /// The value of an instruction at the iteration `base + Σ coef·slot`.
    History {
        /// Instruction number.
        instruction: u32,
        /// Constant part of the iteration.
        base: i64,
        /// Further parts, at most four.
        terms: Vec<Term>,
    },
}

impl Load {
    /// Slots that decide what is read.
    pub fn registers(&self) -> impl Iterator<Item = u8> {
        let history = match &self.source {
            Source::History { terms, .. } => terms.as_slice(),
            Source::Constant(_) | Source::Input(_) | Source::Value(_) => &[],
        };
        self.axes.iter().flat_map(|axis| &axis.terms).chain(history).map(|term| term.slot)
    }
}

/// One axis of a view: its extent and its index `base + Σ coef·slot`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Axis {
    /// Extent at the iteration that is read.
    pub extent: Extent,
    /// Constant part of the index.
    pub base: i64,
    /// Further parts, at most four.
    pub terms: Vec<Term>,
}

/// `coef · slot`, `coef ≠ 0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term {
    /// Slot read.
    pub slot: u8,
    /// Factor.
    pub coef: i32,
}

impl Instruction {
    /// An extent at iteration `t`; an extent that names no dynamic is 0 (unreachable after decoding).
    pub fn extent_at(&self, extent: Extent, t: u64) -> u64 {
        match extent {
            Extent::Fixed(n) => u64::from(n),
            Extent::Dynamic(d) => {
                usize::try_from(d).ok().and_then(|d| self.dynamics.get(d)).map_or(0, |dynamic| dynamic.at(t))
            }
        }
    }

    /// The largest value that an extent can have.
    pub fn bound(&self, extent: Extent) -> u64 {
        match extent {
            Extent::Fixed(n) => u64::from(n),
            Extent::Dynamic(d) => {
                usize::try_from(d).ok().and_then(|d| self.dynamics.get(d)).map_or(0, |dynamic| u64::from(dynamic.cap))
            }
        }
    }

    /// Elements written at iteration `t`: the product of the output extents.
    pub fn elements(&self, t: u64) -> u64 {
        self.product(&self.output, t)
    }

    /// Terms of the reduction at iteration `t`; 1 without reduction axes.
    pub fn terms(&self, t: u64) -> u64 {
        self.product(&self.reduction, t)
    }

    /// Every load, `map` first.
    pub fn loads(&self) -> impl Iterator<Item = &Load> {
        self.map.iter().chain(&self.post).filter_map(|op| match op {
            Op::Load(load) => Some(load),
            Op::Scalar { .. } => None,
        })
    }

    fn product(&self, extents: &[Extent], t: u64) -> u64 {
        // Well-formed instructions bound the product by 2^40; saturation keeps others total.
        extents.iter().fold(1, |product: u64, &e| product.saturating_mul(self.extent_at(e, t)))
    }
}

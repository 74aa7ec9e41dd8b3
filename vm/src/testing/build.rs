//! A short hand for instructions.

use alloc::vec::Vec;

use crate::{
    instruction::{Axis, Dynamic, Extent, Instruction, Load, Op, Source, Term},
    isa::{DType, Opcode, Reducer, SLOT_CONST},
};

/// An axis word over a literal extent: `base + Σ coef·slot`.
pub fn fixed(extent: u32, base: i64, terms: &[(u8, i32)]) -> Axis {
    axis(Extent::Fixed(extent), base, terms)
}

/// An axis word over a dynamic extent.
pub fn moving(number: u32, base: i64, terms: &[(u8, i32)]) -> Axis {
    axis(Extent::Dynamic(number), base, terms)
}

/// An axis word.
pub fn axis(extent: Extent, base: i64, terms: &[(u8, i32)]) -> Axis {
    Axis { extent, base, terms: terms.iter().map(|&(slot, coef)| Term { slot, coef }).collect() }
}

/// An instruction in the making; constants first, then operations in order.
#[derive(Debug, Clone)]
pub struct Build(Instruction);

impl Build {
    /// Literal output and reduction extents.
    pub fn new(dtype: DType, reducer: Reducer, output: &[u32], reduction: &[u32]) -> Self {
        let extents = |list: &[u32]| list.iter().map(|&n| Extent::Fixed(n)).collect();
        Self(Instruction {
            dtype,
            reducer,
            output: extents(output),
            reduction: extents(reduction),
            dynamics: Vec::new(),
            constants: Vec::new(),
            map: Vec::new(),
            post: Vec::new(),
        })
    }

    /// A sum without reduction axes: one term an element.
    pub fn each(dtype: DType, output: &[u32]) -> Self {
        Self::new(dtype, Reducer::Sum, output, &[])
    }

    /// Adds a dynamic extent `clamp(a + b·t, 0, cap)`.
    #[must_use]
    pub fn dynamic(mut self, a: i64, b: i32, cap: u32) -> Self {
        self.0.dynamics.push(Dynamic { a, b, cap });
        self
    }

    /// Appends an output axis of a dynamic extent.
    #[must_use]
    pub fn output(mut self, number: u32) -> Self {
        self.0.output.push(Extent::Dynamic(number));
        self
    }

    /// Appends a reduction axis of a dynamic extent.
    #[must_use]
    pub fn reduction(mut self, number: u32) -> Self {
        self.0.reduction.push(Extent::Dynamic(number));
        self
    }

    /// Adds constants.
    #[must_use]
    pub fn constants(mut self, values: &[i64]) -> Self {
        self.0.constants.extend(values);
        self
    }

    /// Appends a scalar operation to `map`.
    #[must_use]
    pub fn op(mut self, opcode: Opcode, operands: [u8; 3]) -> Self {
        self.0.map.push(Op::Scalar { opcode, operands });
        self
    }

    /// Appends a load to `map`.
    #[must_use]
    pub fn load(mut self, source: Source, pad: i64, axes: &[Axis]) -> Self {
        self.0.map.push(Op::Load(Load { source, pad, axes: axes.to_vec() }));
        self
    }

    /// Appends a scalar operation to `post`.
    #[must_use]
    pub fn post(mut self, opcode: Opcode, operands: [u8; 3]) -> Self {
        self.0.post.push(Op::Scalar { opcode, operands });
        self
    }

    /// Appends a load to `post`.
    #[must_use]
    pub fn post_load(mut self, source: Source, pad: i64, axes: &[Axis]) -> Self {
        self.0.post.push(Op::Load(Load { source, pad, axes: axes.to_vec() }));
        self
    }

    /// Slot of the next operation of `map`.
    pub fn slot(&self) -> u8 {
        self.slot_after(self.0.map.len())
    }

    /// Slot of the next operation of `post`.
    pub fn post_slot(&self) -> u8 {
        self.slot_after(self.0.post.len())
    }

    fn slot_after(&self, operations: usize) -> u8 {
        let number = self.0.constants.len().saturating_add(operations);
        SLOT_CONST.saturating_add(u8::try_from(number).unwrap_or(u8::MAX))
    }

    /// The instruction.
    pub fn done(self) -> Instruction {
        self.0
    }
}

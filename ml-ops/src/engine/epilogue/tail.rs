//! `post` in two parts: a chain that ends in bounds, as an instruction that stores narrow numbers, and what is made of these.

use opml_vm::{
    DType, Instruction, Op, Opcode,
    isa::{SLOT_ACC, SLOT_CONST},
};

use crate::engine::{interval::Interval, load, slots::renumbered};

/// An instruction cut in two.
#[derive(Debug)]
pub(super) struct Cut {
    /// The first part of `post`, and the smallest type that holds its numbers.
    pub(super) head: Instruction,
    /// The rest, with these numbers as reduced values.
    pub(super) tail: Instruction,
    /// What they can be.
    pub(super) range: Interval,
}

/// All ways to cut `post` after a clamp to constant bounds of which alone the rest is made, the longest first part first.
pub(super) fn cuts(instruction: &Instruction) -> impl Iterator<Item = Cut> + '_ {
    (0..instruction.post.len().saturating_sub(1)).rev().filter_map(|last| cut(instruction, last))
}

fn cut(instruction: &Instruction, last: usize) -> Option<Cut> {
    let Op::Scalar { opcode: Opcode::Clamp, operands: [_, low, high] } = instruction.post.get(last)? else {
        return None;
    };
    let (low, high) = (load::constant(instruction, *low)?, load::constant(instruction, *high)?);
    let fits = |&dtype: &DType| low <= high && dtype.min() <= low && high <= dtype.max();
    let dtype = [DType::U8, DType::I8, DType::I16, DType::I32].into_iter().find(fits)?;
    let base = usize::from(SLOT_CONST) + instruction.constants.len();
    let moved = |slot: u8| {
        let number = usize::from(slot);
        match number.checked_sub(base) {
            // The sum itself is gone.
            None => (slot != SLOT_ACC).then_some(slot),
            Some(result) if result == last => Some(SLOT_ACC),
            Some(result) => result.checked_sub(last + 1).and_then(|result| u8::try_from(base + result).ok()),
        }
    };
    let rest = instruction.post.get(last + 1..)?;
    let post = rest.iter().map(|op| renumbered(op, &moved)).collect::<Option<_>>()?;
    let head = Instruction { dtype, post: instruction.post.get(..=last)?.to_vec(), ..instruction.clone() };
    Some(Cut { head, tail: Instruction { post, ..instruction.clone() }, range: Interval { low, high } })
}

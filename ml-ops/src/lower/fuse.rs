//! Sums and the short functions of their elements as one instruction: `post` goes on with what the next `map` computes.
//!
//! The element that was stored between the two is clamped to its type, as storing it did: the results are the same. A
//! value less has to be written, committed to and disputed.

use opml_vm::{
    Counts, Extent, Instruction, Op, Opcode, Reducer, Source, Term, codec,
    isa::{MAX_CONSTANTS, MAX_OPS, SLOT_CONST, SLOT_O},
};

use crate::num;

/// Operations of a function that is short: its clamp leaves the recognised chains of the engine short too.
const SHORT: usize = 8;

/// Fuses where it can; where each instruction is then, if its value still is.
pub(super) fn fuse(instructions: &mut Vec<Instruction>, counts: &Counts) -> Vec<Option<u32>> {
    let readers = readers(instructions);
    let mut gone = vec![false; instructions.len()];
    for second in 0..instructions.len() {
        let Some(first) = producer(&instructions[second]) else { continue };
        if readers.get(first) != Some(&1) || gone[first] || first >= second {
            continue;
        }
        let fused = joined(&instructions[first], &instructions[second]);
        if let Some(fused) = fused.filter(|fused| codec::encode(fused, counts).is_ok()) {
            instructions[second] = fused;
            gone[first] = true;
        }
    }
    let mut next = 0;
    let mut place = |&gone: &bool| {
        next += u32::from(!gone);
        (!gone).then(|| next - 1)
    };
    let places: Vec<Option<u32>> = gone.iter().map(&mut place).collect();
    let mut gone = gone.into_iter();
    instructions.retain(|_| gone.next() != Some(true));
    for instruction in instructions {
        for op in instruction.map.iter_mut().chain(&mut instruction.post) {
            let Op::Load(load) = op else { continue };
            if let Source::Value(number) | Source::History { instruction: number, .. } = &mut load.source {
                *number = places.get(num::size((*number).into())).copied().flatten().unwrap_or(*number);
            }
        }
    }
    places
}

/// How many loads read each instruction; the last one is read from outside too.
fn readers(instructions: &[Instruction]) -> Vec<usize> {
    let mut readers = vec![0; instructions.len()];
    for load in instructions.iter().flat_map(Instruction::loads) {
        // A value that other iterations read stays.
        let (number, count) = match load.source {
            Source::Value(number) => (number, 1),
            Source::History { instruction, .. } => (instruction, 2),
            Source::Constant(_) | Source::Input(_) => continue,
        };
        if let Some(readers) = readers.get_mut(num::size(number.into())) {
            *readers += count;
        }
    }
    readers.last_mut().into_iter().for_each(|last| *last += 2);
    readers
}

/// The instruction of which another one is a short function, element by element.
fn producer(second: &Instruction) -> Option<usize> {
    let plain = second.reducer == Reducer::Sum && second.reduction.is_empty() && second.post.is_empty();
    let [extent @ Extent::Fixed(_)] = second.output.as_slice() else { return None };
    let base = usize::from(SLOT_CONST);
    let mut source = None;
    for op in &second.map {
        match op {
            Op::Scalar { opcode, operands } => {
                let cheap = !matches!(opcode, Opcode::Div | Opcode::Rem | Opcode::Isqrt | Opcode::Log2);
                let own = operands[..opcode.arity()].iter().all(|&slot| usize::from(slot) >= base);
                if !cheap || !own {
                    return None;
                }
            }
            Op::Load(load) => match (&load.source, load.axes.as_slice()) {
                (Source::Value(number), [axis])
                    if source.is_none()
                        && axis.extent == *extent
                        && axis.base == 0
                        && axis.terms == [Term { slot: SLOT_O, coef: 1 }] =>
                {
                    source = Some(num::size((*number).into()));
                }
                _ => return None,
            },
        }
    }
    source.filter(|_| plain && second.map.len() <= SHORT && second.dynamics.is_empty())
}

/// Both as one, if an instruction holds it.
fn joined(first: &Instruction, second: &Instruction) -> Option<Instruction> {
    let sum = first.reducer == Reducer::Sum && !first.reduction.is_empty() && first.dynamics.is_empty();
    if !sum || first.elements(0) != second.elements(0) || first.map.len() < 3 {
        return None;
    }
    let base = usize::from(SLOT_CONST) + first.constants.len();
    let mut constants = first.constants.clone();
    constants.extend(&second.constants);
    constants.extend([first.dtype.min(), first.dtype.max()]);
    let added = constants.len() - first.constants.len();
    let ops = first.post.len() + second.map.len();
    if constants.len() > MAX_CONSTANTS || ops > MAX_OPS {
        return None;
    }
    let moved = |slot: u8| u8::try_from(usize::from(slot) + if usize::from(slot) >= base { added } else { 0 }).ok();
    let program = |ops: &[Op]| -> Option<Vec<Op>> { ops.iter().map(|op| renumbered(op, &moved)).collect() };
    let (map, mut post) = (program(&first.map)?, program(&first.post)?);
    let start = usize::from(SLOT_CONST) + constants.len();
    let stored = match post.len().checked_sub(1) {
        Some(last) => start + last,
        None => usize::from(opml_vm::isa::SLOT_ACC),
    };
    // The clamp takes the place of the load, so that results of `second` move on by all operations before it.
    let (own, offset) = (usize::from(SLOT_CONST) + second.constants.len(), post.len());
    let limits = start - 2;
    let moved = |slot: u8| {
        let slot = usize::from(slot);
        let to = if slot >= own { slot - own + start + offset } else { slot + first.constants.len() };
        u8::try_from(to).ok()
    };
    for op in &second.map {
        post.push(match op {
            Op::Load(_) => {
                let operands = [u8::try_from(stored).ok()?, u8::try_from(limits).ok()?, u8::try_from(limits + 1).ok()?];
                Op::Scalar { opcode: Opcode::Clamp, operands }
            }
            op => renumbered(op, &moved)?,
        });
    }
    Some(Instruction { dtype: second.dtype, constants, map, post, ..first.clone() })
}

/// An operation with other slots.
fn renumbered(op: &Op, moved: &dyn Fn(u8) -> Option<u8>) -> Option<Op> {
    Some(match op {
        Op::Scalar { opcode, operands } => {
            let mut operands = *operands;
            for slot in &mut operands[..opcode.arity()] {
                *slot = moved(*slot)?;
            }
            Op::Scalar { opcode: *opcode, operands }
        }
        Op::Load(load) => {
            let mut load = load.clone();
            let iteration = match &mut load.source {
                Source::History { terms, .. } => terms.as_mut_slice(),
                _ => &mut [],
            };
            let index = load.axes.iter_mut().flat_map(|axis| &mut axis.terms);
            for term in iteration.iter_mut().chain(index) {
                term.slot = moved(term.slot)?;
            }
            Op::Load(load)
        }
    })
}

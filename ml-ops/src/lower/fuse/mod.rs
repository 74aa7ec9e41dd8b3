//! Instructions that only write what one other instruction reads, element by element, as one with it.
//!
//! The element that was stored between the two is clamped to its type, as storing it did: the results are the same. A
//! value less has to be written, committed to and disputed.
//!
//! The second of the two always goes element by element. The first does so too, or it is a sum of products: then its `post`
//! goes on with what the second computes, or its groups go where the second copies them.

mod axes;
mod join;
mod moved;

use opml_vm::{Counts, Extent, Instruction, Op, Reducer, Source, codec};

use crate::num;

/// Fuses where it can.
pub(super) fn fuse(instructions: &mut Vec<Instruction>, counts: &Counts) {
    let readers = readers(instructions);
    let mut gone = vec![false; instructions.len()];
    for second in 0..instructions.len() {
        while let Some((first, fused)) = fusible(instructions, (&readers, &gone), second, counts) {
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
}

/// Who reads a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Readers {
    Nobody,
    /// One instruction, at the same iteration.
    One(usize),
    /// Several, other iterations, or somebody outside.
    Many,
}

/// The readers of all values; the last one is read from outside.
fn readers(instructions: &[Instruction]) -> Vec<Readers> {
    let mut readers = vec![Readers::Nobody; instructions.len()];
    for (reader, instruction) in instructions.iter().enumerate() {
        for load in instruction.loads() {
            let (number, now) = match load.source {
                Source::Value(number) => (number, true),
                Source::History { instruction, .. } => (instruction, false),
                Source::Constant(_) | Source::Input(_) => continue,
            };
            if let Some(known) = readers.get_mut(num::size(number.into())) {
                let alone = now && [Readers::Nobody, Readers::One(reader)].contains(known);
                *known = if alone { Readers::One(reader) } else { Readers::Many };
            }
        }
    }
    readers.last_mut().into_iter().for_each(|last| *last = Readers::Many);
    readers
}

/// An instruction that goes into another one, and both as one. Those that go element by element come first: after a sum of
/// products nothing else goes into it.
fn fusible(
    instructions: &[Instruction],
    (readers, gone): (&[Readers], &[bool]),
    second: usize,
    counts: &Counts,
) -> Option<(usize, Instruction)> {
    let reader = instructions.get(second).filter(|reader| is_elementwise(reader))?;
    let mut firsts: Vec<usize> = reader
        .loads()
        .filter_map(|load| match load.source {
            Source::Value(number) => Some(num::size(number.into())),
            _ => None,
        })
        .filter(|&first| first < second && readers.get(first) == Some(&Readers::One(second)) && !gone[first])
        .collect();
    firsts.sort_by_key(|&first| (!is_elementwise(&instructions[first]), std::cmp::Reverse(first)));
    firsts.into_iter().find_map(|first| {
        let dtype_of = |number: u32| instructions.get(num::size(number.into())).map(|value| value.dtype);
        let number = u32::try_from(first).ok()?;
        let first_with = (number, instructions.get(first)?);
        let fused = join::joined(first_with, reader, &dtype_of).or_else(|| moved::moved(first_with, reader))?;
        codec::encode(&fused, counts).is_ok().then_some((first, fused))
    })
}

/// Whether each element is a function of its coordinates, and no extent grows.
fn is_elementwise(instruction: &Instruction) -> bool {
    let plain = instruction.reducer == Reducer::Sum && instruction.reduction.is_empty() && instruction.post.is_empty();
    plain && is_fixed(instruction)
}

/// Whether it is a sum of products, and no extent grows.
fn is_product(instruction: &Instruction) -> bool {
    let sum = instruction.reducer == Reducer::Sum && !instruction.reduction.is_empty();
    sum && instruction.map.len() >= 3 && is_fixed(instruction)
}

fn is_fixed(instruction: &Instruction) -> bool {
    instruction.dynamics.is_empty() && instruction.output.iter().all(|extent| matches!(extent, Extent::Fixed(_)))
}

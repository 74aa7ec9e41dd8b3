//! Toy worlds of all shapes.

use opml_bisection::players::Dice;
use opml_bisection::toy::{Instruction, ToyWorld};

/// An instruction without growth and halting.
pub(crate) fn instruction(seed: u64, dtype: u8, reducer: u8, elements: u32, terms: u32) -> Instruction {
    Instruction { seed, dtype, reducer, elements, growth: 0, terms, until: 0 }
}

/// One instruction, one iteration: the trace root is its only leaf.
pub(crate) fn single() -> ToyWorld {
    ToyWorld::once(&[instruction(1, 1, 0, 5, 4)], 0)
}

/// Five values of all types and reductions, among them an empty one, one without terms and one of a single term.
pub(crate) fn mixed() -> ToyWorld {
    let instructions = [
        instruction(1, 4, 0, 40, 5),
        instruction(2, 1, 1, 3, 3),
        instruction(3, 0, 2, 0, 2),
        instruction(4, 3, 3, 70, 9),
        instruction(5, 2, 0, 128, 1),
        instruction(6, 4, 1, 2, 0),
        instruction(7, 4, 0, 33, 20),
    ];
    ToyWorld::once(&instructions, 6)
}

/// A growing recurrent program that halts after 3 of 6 iterations.
pub(crate) fn recurrent() -> ToyWorld {
    let growing = Instruction { growth: 13, ..instruction(9, 3, 0, 60, 7) };
    ToyWorld::halting(&[growing, instruction(10, 4, 3, 3, 70), instruction(11, 1, 0, 300, 2)], 1, 3, 6)
}

/// Deep trees on all three levels.
pub(crate) fn deep() -> ToyWorld {
    let mut all: Vec<Instruction> = (0..37).map(|i| instruction(i, 1, 0, 2, 2)).collect();
    all.push(instruction(100, 0, 0, 256 * 67 + 3, 2));
    all.push(instruction(101, 4, 0, 1, 5000));
    ToyWorld::once(&all, 38)
}

/// A random small world.
pub(crate) fn random(seed: u64) -> ToyWorld {
    let mut dice = Dice::new(seed);
    let mut small = |n: u64| u32::try_from(dice.below(n)).unwrap();
    let n = 1 + small(6);
    let instructions: Vec<Instruction> = (0..n)
        .map(|i| {
            let (dtype, reducer) = (small(5).to_le_bytes()[0], small(4).to_le_bytes()[0]);
            let elements = [0, 1, 3, 33, 260][usize::try_from(small(5)).unwrap()];
            let growth = [0, 0, 1, 40][usize::try_from(small(4)).unwrap()];
            let terms = [0, 1, 2, 3, 17, 70][usize::try_from(small(6)).unwrap()];
            Instruction { seed: seed ^ u64::from(i), dtype, reducer, elements, growth, terms, until: 0 }
        })
        .collect();
    let output = small(u64::from(n));
    if small(2) == 0 {
        ToyWorld::once(&instructions, output)
    } else {
        let length = 1 + small(4);
        ToyWorld::halting(&instructions, output, length, u64::from(length + small(3)))
    }
}

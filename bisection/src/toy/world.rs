//! Toy programs as a world for the suite.

use super::program::{Instruction, Program};
use super::run::Run;
use crate::arena::PureArena;
use crate::claim::Claim;
use crate::clock::{Moment, Timing};
use crate::suite::{Lie, World};
use crate::trace::{Answer, Unavailable};

/// A toy program and its right length, played by the pure game.
#[derive(Clone, Debug)]
pub struct ToyWorld {
    /// The program; it is also the rules.
    pub program: Program,
    /// Right length of its run.
    pub length: u64,
    /// Bound on the length.
    pub max_length: u64,
    /// Clocks.
    pub timing: Timing,
}

/// Minutes for a whole dispute; every edge is hit by tests in a few calls.
pub const TIMING: Timing = Timing { budget: 600, delay: 30, trace: 200, min_blocks: 3 };

impl ToyWorld {
    /// A feed-forward program: one iteration.
    #[must_use]
    pub fn once(instructions: &[Instruction], output_at: u32) -> Self {
        let program = Program::new(instructions, output_at, None);
        Self { program, length: 1, max_length: 1, timing: TIMING }
    }

    /// A program that halts after `length` of at most `max_length` iterations; its last instruction is the halt.
    #[must_use]
    pub fn halting(instructions: &[Instruction], output_at: u32, length: u32, max_length: u64) -> Self {
        let halt = Instruction { seed: 0, dtype: 0, reducer: 0, elements: 1, growth: 0, terms: 1, until: length };
        let halt_at = u32::try_from(instructions.len()).unwrap_or(u32::MAX);
        let mut all = instructions.to_vec();
        all.push(halt);
        let program = Program::new(&all, output_at, Some(halt_at));
        Self { program, length: u64::from(length), max_length, timing: TIMING }
    }
}

impl World for ToyWorld {
    type Run = Run;
    type Rules = Program;
    type Arena = PureArena<Program>;

    fn rules(&self) -> &Program {
        &self.program
    }

    fn claim(&self) -> Claim {
        Claim {
            instructions: u32::try_from(self.program.count()).unwrap_or(u32::MAX),
            output_at: self.program.output_at,
            halt_at: self.program.halt_at,
            max_length: self.max_length,
            length: self.length,
            output: [0; 32],
            arity_log2: 1,
        }
    }

    fn timing(&self) -> Timing {
        self.timing
    }

    fn run(&self, length: u64) -> Answer<Run> {
        Ok(Run::new(&self.program, length, None))
    }

    fn tampered(&self, length: u64, lie: &Lie) -> Answer<Option<Run>> {
        Ok(Some(Run::new(&self.program, length, Some(lie))))
    }

    fn arena(&self, claim: &Claim) -> Answer<PureArena<Program>> {
        let now = Moment { time: 1_000_000, block: 500 };
        let arena = PureArena::new(*claim, self.timing, now, self.program.clone());
        arena.map_err(|bad| Unavailable(bad.to_string()))
    }
}

//! The suite: every member of the cast against the honest player of the other side, at every arity, on any arena.
//!
//! It runs against the pure game and, with another [`World`], against a contract.

mod clocks;
mod duel;
mod scenarios;
mod twin;

pub use duel::{Duel, Played, duel};
pub use scenarios::{Broke, Scenario, Tally, run, run_one};
pub use twin::Twin;

use crate::arena::Arena;
use crate::claim::Claim;
use crate::clock::Timing;
use crate::rules::Rules;
use crate::trace::{Answer, Trace};

/// One element to be overwritten in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lie {
    /// Trace leaf.
    pub leaf: u64,
    /// Element number.
    pub e: u64,
    /// The value put there.
    pub value: i64,
}

/// A task that can be run honestly and dishonestly, and disputed.
pub trait World {
    /// The trace of a run.
    type Run: Trace;
    /// The machine's rules.
    type Rules: Rules;
    /// What plays its disputes.
    type Arena: Arena;

    /// The machine's rules, as players compute them.
    fn rules(&self) -> &Self::Rules;

    /// The right claim. Its output hash and arity are filled in by the suite.
    fn claim(&self) -> Claim;

    /// The arena's clocks.
    fn timing(&self) -> Timing;

    /// The honest run of `length` iterations, going on after a halt.
    ///
    /// # Errors
    /// If it cannot be computed.
    fn run(&self, length: u64) -> Answer<Self::Run>;

    /// The run in which one element is overwritten as soon as it is computed and everything later is computed from it. None
    /// if this world cannot tamper.
    ///
    /// # Errors
    /// If it cannot be computed.
    fn tampered(&self, _length: u64, _lie: &Lie) -> Answer<Option<Self::Run>> {
        Ok(None)
    }

    /// A new dispute on a claim whose trace is not open.
    ///
    /// # Errors
    /// If such a claim cannot be made.
    fn arena(&self, claim: &Claim) -> Answer<Self::Arena>;
}

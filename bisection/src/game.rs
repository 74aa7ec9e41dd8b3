//! One dispute with its clocks.

use crate::claim::{BadClaim, Claim};
use crate::clock::{Clock, Moment, Timing, TraceStage};
use crate::hash::Hash;
use crate::moves::{Move, MoveKind, OpenTrace};
use crate::play::{self, Next};
use crate::position::{Party, Position};
use crate::refused::Refused;
use crate::rules::Rules;

/// What ended a dispute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// A proof, by this move.
    Proof(MoveKind),
    /// The other side's clock.
    Timeout,
    /// The submitter did not open the trace in time.
    NoTrace,
}

/// How a dispute ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Who won: if the challenger, the claim is false; if the submitter, this dispute alone is lost.
    pub winner: Party,
    /// Why.
    pub end: End,
}

/// A dispute: a claim, its trace once open, the position and the clocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Game {
    claim: Claim,
    timing: Timing,
    stage: TraceStage,
    open: Option<Open>,
    outcome: Option<Outcome>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Open {
    root: Hash,
    position: Position,
    clock: Clock,
    version: u64,
}

impl Game {
    /// A dispute opened as `stage` says, on a claim whose trace is not open.
    ///
    /// # Errors
    /// If no contract would hold such a claim.
    pub fn new(claim: Claim, timing: Timing, stage: TraceStage) -> Result<Self, BadClaim> {
        claim.check()?;
        Ok(Self { claim, timing, stage, open: None, outcome: None })
    }

    /// The claim.
    #[must_use]
    pub fn claim(&self) -> &Claim {
        &self.claim
    }

    /// The tier's constants.
    #[must_use]
    pub fn timing(&self) -> &Timing {
        &self.timing
    }

    /// The position; none before the trace is open.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        self.open.map(|open| open.position)
    }

    /// The trace root, once open.
    #[must_use]
    pub fn root(&self) -> Option<Hash> {
        self.open.map(|open| open.root)
    }

    /// The clock, once the trace is open.
    #[must_use]
    pub fn clock(&self) -> Option<Clock> {
        self.open.map(|open| open.clock)
    }

    /// Number of moves since the trace was opened.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.open.map_or(0, |open| open.version)
    }

    /// How it ended, if it has.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        self.outcome
    }

    /// Whose turn it is: the submitter's until the trace is open.
    #[must_use]
    pub fn turn(&self) -> Party {
        self.open.map_or(Party::Submitter, |open| open.position.turn())
    }

    /// Whether the party on turn is late. Then it can no longer move and anybody can claim the timeout.
    #[must_use]
    pub fn late(&self, now: Moment) -> bool {
        match &self.open {
            None => self.stage.late(&self.timing, now),
            Some(open) => open.clock.late(&self.timing, open.position.turn(), now),
        }
    }

    /// Plays a move.
    ///
    /// # Errors
    /// The rule that it violates; the game is then unchanged.
    pub fn apply<R: Rules + ?Sized>(&mut self, who: Party, mv: &Move, now: Moment, rules: &R) -> Result<(), Refused> {
        if self.outcome.is_some() {
            return Err(Refused::Over);
        }
        // What is not the position's is refused below, whoever sends it.
        if who != self.turn() && !mv.kind().by_anybody() {
            return Err(Refused::NotYours(who));
        }
        if mv.kind().is_proof() && now.block <= self.stage.challenged.block {
            return Err(Refused::TooEarly);
        }
        if self.late(now) {
            return Err(Refused::Late);
        }
        match (&mut self.open, mv) {
            (None, Move::OpenTrace(open)) => self.open(open, now, rules),
            (None, _) => Err(Refused::NotHere(mv.kind())),
            (Some(open), _) => {
                match play::transition(&self.claim, open.root, &open.position, mv, rules)? {
                    Next::Fault => {
                        let end = End::Proof(mv.kind());
                        self.outcome = Some(Outcome { winner: Party::Challenger, end });
                    }
                    Next::At(position) => {
                        open.clock.press(&self.timing, open.position.turn(), now);
                        open.version += 1;
                        open.position = position;
                    }
                }
                Ok(())
            }
        }
    }

    fn open<R: Rules + ?Sized>(&mut self, open: &OpenTrace, now: Moment, rules: &R) -> Result<(), Refused> {
        let position = play::open_trace(&self.claim, open, rules)?;
        let clock = Clock::new(&self.timing, self.stage.first_turn(&self.timing, now));
        self.open = Some(Open { root: open.root, position, clock, version: 0 });
        Ok(())
    }

    /// Ends the dispute against the party on turn if it is late; anybody may call it.
    ///
    /// # Errors
    /// If the dispute is over or nobody is late.
    pub fn claim_timeout(&mut self, now: Moment) -> Result<Outcome, Refused> {
        if self.outcome.is_some() {
            return Err(Refused::Over);
        }
        if !self.late(now) {
            return Err(Refused::NotLate);
        }
        let end = if self.open.is_none() { End::NoTrace } else { End::Timeout };
        let outcome = Outcome { winner: self.turn().opponent(), end };
        self.outcome = Some(outcome);
        Ok(outcome)
    }
}

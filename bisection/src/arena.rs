//! Something that plays a dispute by the rules: the pure game here, a contract elsewhere.

use crate::claim::Claim;
use crate::clock::{Moment, Timing, TraceStage};
use crate::game::{Game, Outcome};
use crate::moves::Move;
use crate::position::{Party, Position};
use crate::refused::Refused;
use crate::rules::Rules;
use core::fmt::Debug;

/// A dispute that can be played. It starts when the claim has been challenged and its trace is not open.
pub trait Arena {
    /// Why a call is refused.
    type Error: Debug;

    /// The position; none before the trace is open.
    fn position(&self) -> Option<Position>;

    /// Plays a move as `who`, at the present moment; it takes no time.
    ///
    /// # Errors
    /// If the rules refuse it; nothing has then changed.
    fn play(&mut self, who: Party, mv: &Move) -> Result<(), Self::Error>;

    /// Lets time pass. Nothing else does.
    fn advance(&mut self, seconds: u64, blocks: u64);

    /// Claims that the party on turn is late.
    ///
    /// # Errors
    /// If it is not.
    fn timeout(&mut self) -> Result<(), Self::Error>;

    /// How the dispute ended, if it has.
    fn outcome(&self) -> Option<Outcome>;

    /// What is wrong with the arena itself, if anything was noticed.
    fn broken(&self) -> Option<String> {
        None
    }
}

/// The pure game with a clock that stands still until told.
#[derive(Clone, Debug)]
pub struct PureArena<R> {
    game: Game,
    now: Moment,
    rules: R,
}

impl<R: Rules> PureArena<R> {
    /// A dispute opened at `now`, the first on its claim.
    ///
    /// # Errors
    /// If no contract would hold such a claim.
    pub fn new(claim: Claim, timing: Timing, now: Moment, rules: R) -> Result<Self, crate::BadClaim> {
        let game = Game::new(claim, timing, TraceStage { first: now, challenged: now })?;
        Ok(Self { game, now, rules })
    }

    /// The game.
    #[must_use]
    pub fn game(&self) -> &Game {
        &self.game
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Moment {
        self.now
    }
}

impl<R: Rules> Arena for PureArena<R> {
    type Error = Refused;

    fn position(&self) -> Option<Position> {
        self.game.position()
    }

    fn play(&mut self, who: Party, mv: &Move) -> Result<(), Refused> {
        self.game.apply(who, mv, self.now, &self.rules)
    }

    fn advance(&mut self, seconds: u64, blocks: u64) {
        self.now.time = self.now.time.saturating_add(seconds);
        self.now.block = self.now.block.saturating_add(blocks);
    }

    fn timeout(&mut self) -> Result<(), Refused> {
        self.game.claim_timeout(self.now).map(|_| ())
    }

    fn outcome(&self) -> Option<Outcome> {
        self.game.outcome()
    }
}

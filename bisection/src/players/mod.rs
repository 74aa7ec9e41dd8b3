//! The cast: honest players, and dishonest ones of both sides.

mod challengers;
mod corrupt;
mod corrupted;
mod dice;
mod honest;
mod ideas;
mod lies;
mod mangle;
mod partials;
mod submitters;

pub use challengers::{Cheat, Troll};
pub use corrupted::Corrupted;
pub use dice::Dice;
pub use honest::{HonestChallenger, HonestSubmitter};
pub use ideas::{Idea, ideas, realise};
pub use lies::Lies;
pub use mangle::mangle;
pub use partials::{Slant, slanted};
pub use submitters::{Liar, cast};

use crate::claim::Claim;
use crate::moves::Move;
use crate::position::Position;
use crate::revealed::Revealed;
use crate::rules::Rules;
use crate::trace::Answer;

/// What a player on turn sees.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// The claim.
    pub claim: &'a Claim,
    /// The position; none before the trace is open.
    pub position: Option<&'a Position>,
    /// What the submitter has revealed.
    pub revealed: &'a Revealed,
    /// How many of the player's moves were refused in this turn.
    pub refused: u32,
    /// The rules, for hashing and arithmetic.
    pub rules: &'a dyn Rules,
}

/// A player of either side.
pub trait Player {
    /// Its move; none: it lets its time run out.
    ///
    /// # Errors
    /// If its trace cannot be read.
    fn next(&mut self, view: &View<'_>) -> Answer<Option<Move>>;
}

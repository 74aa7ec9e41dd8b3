//! One dispute, played to its end and watched.

use crate::arena::Arena;
use crate::claim::Claim;
use crate::clock::Timing;
use crate::duties::{Broken, Duty, Witnessed};
use crate::game::Outcome;
use crate::moves::{Move, MoveKind};
use crate::players::{Player, View};
use crate::position::{Party, Position};
use crate::revealed::Revealed;
use crate::rules::Rules;
use crate::trace::{Trace, Unavailable};

/// A dispute between an honest player and another.
pub struct Duel<'a> {
    /// The claim.
    pub claim: &'a Claim,
    /// The rules.
    pub rules: &'a dyn Rules,
    /// The clocks.
    pub timing: Timing,
    /// Which side is honest.
    pub honest: Party,
    /// The honest player's trace.
    pub own: &'a dyn Trace,
    /// Most moves there may be.
    pub bound: u32,
}

/// How a dispute went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Played {
    /// How it ended.
    pub outcome: Outcome,
    /// The accepted moves.
    pub moves: Vec<MoveKind>,
    /// Number of refused moves.
    pub refused: u32,
}

/// A player whose moves are refused so often in one turn is taken to be stalling.
const PATIENCE: u32 = 8;

/// Plays a dispute to its end. Both players answer within their free delay or not at all.
///
/// # Errors
/// The duty of the honest player that was not met.
pub fn duel<A: Arena>(
    duel: &Duel<'_>,
    arena: &mut A,
    submitter: &mut dyn Player,
    challenger: &mut dyn Player,
) -> Result<Played, Broken> {
    let mut revealed = Revealed::default();
    let mut played = Vec::new();
    let (mut refused, mut refusals) = (0, 0);
    loop {
        fair(arena)?;
        if let Some(outcome) = arena.outcome() {
            return duel.verdict(Played { outcome, moves: played, refused: refusals });
        }
        let before = arena.position();
        let turn = before.map_or(Party::Submitter, |at| at.turn());
        let view =
            View { claim: duel.claim, position: before.as_ref(), revealed: &revealed, refused, rules: duel.rules };
        let next = match turn {
            Party::Submitter => submitter.next(&view),
            _ => challenger.next(&view),
        };
        let Some(mv) = next.map_err(lost)?.filter(|_| refused < PATIENCE) else {
            duel.stalls(turn, arena, before.as_ref())?;
            continue;
        };
        arena.advance(1, 1);
        match arena.play(turn, &mv) {
            Err(why) if turn == duel.honest => {
                return Err(Broken::new(Duty::Accepted, format_args!("{:?} at {before:?}: {why:?}", mv.kind())));
            }
            Err(_) => {
                refused += 1;
                refusals += 1;
            }
            Ok(()) => {
                refused = 0;
                played.push(mv.kind());
                revealed.observe(duel.claim, before.as_ref(), &mv, duel.rules);
                let after = arena.position();
                let over = arena.outcome().is_some();
                duel.watch(turn, (before.as_ref(), after.as_ref(), over), &revealed, &mv)?;
            }
        }
        if u32::try_from(played.len()).unwrap_or(u32::MAX) > duel.bound {
            return Err(Broken::new(Duty::Ends, format_args!("more than {} moves: {played:?}", duel.bound)));
        }
    }
}

/// The arena has noticed nothing wrong with itself.
pub(super) fn fair(arena: &impl Arena) -> Result<(), Broken> {
    arena.broken().map_or(Ok(()), |why| Err(Broken::new(Duty::FairArena, why)))
}

fn lost(why: Unavailable) -> Broken {
    Broken::new(Duty::Answers, why)
}

impl Duel<'_> {
    fn stalls<A: Arena>(&self, turn: Party, arena: &mut A, at: Option<&Position>) -> Result<(), Broken> {
        if turn == self.honest {
            return Err(Broken::new(Duty::Answers, format_args!("no move at {at:?}")));
        }
        let Timing { budget, delay, trace, min_blocks } = self.timing;
        arena.advance(budget.saturating_add(delay).saturating_add(trace).saturating_add(1), min_blocks);
        arena.timeout().map_err(|why| Broken::new(Duty::Ends, format_args!("no timeout at {at:?}: {why:?}")))
    }

    fn watch(
        &self,
        party: Party,
        (before, after, over): (Option<&Position>, Option<&Position>, bool),
        revealed: &Revealed,
        mv: &Move,
    ) -> Result<(), Broken> {
        if party != self.honest {
            return Ok(());
        }
        let Self { claim, own, rules, .. } = *self;
        let seen = Witnessed { claim, party, own, revealed, mv, before, after, over, rules };
        seen.check().map_err(lost)?
    }

    fn verdict(&self, played: Played) -> Result<Played, Broken> {
        if played.outcome.winner == self.honest {
            Ok(played)
        } else {
            Err(Broken::new(Duty::Wins, format_args!("{:?} after {:?}", played.outcome, played.moves)))
        }
    }
}

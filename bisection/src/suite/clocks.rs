//! The edges of the clocks: at every instant either a move of the party on turn is legal or its timeout, never both.

use super::World;
use super::duel::{Played, fair};
use super::scenarios::fault;
use crate::arena::Arena;
use crate::claim::Claim;
use crate::clock::Timing;
use crate::duties::{Broken, Duty};
use crate::game::{End, Outcome};
use crate::honest::honest_submitter;
use crate::moves::Move;
use crate::players::{Idea, View, realise};
use crate::position::Party;
use crate::revealed::Revealed;
use crate::trace::Trace;

/// Which turn is brought to its edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edge {
    /// The opening of the trace.
    Trace,
    /// The challenger's first turn.
    First,
    /// The submitter's first reveal.
    Reveal,
}

/// How far a turn is drawn out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Draw {
    /// To the last second that is in time.
    InTime,
    /// One second more.
    Late,
    /// One second more, but one block less than it takes.
    TooFewBlocks,
}

/// Plays a right claim to each edge.
pub(super) fn edges<W: World>(world: &W, claim: &Claim, honest: &dyn Trace) -> Result<Option<Played>, Broken> {
    let mut outcome = None;
    for edge in [Edge::Trace, Edge::First, Edge::Reveal] {
        for draw in [Draw::InTime, Draw::Late, Draw::TooFewBlocks] {
            if let Some(end) = (Course { world, claim, honest }).play(edge, draw)? {
                outcome = Some(end);
            }
        }
    }
    Ok(outcome.map(|outcome| Played { outcome, moves: Vec::new(), refused: 0 }))
}

struct Course<'a, W> {
    world: &'a W,
    claim: &'a Claim,
    honest: &'a dyn Trace,
}

impl<W: World> Course<'_, W> {
    fn play(&self, edge: Edge, draw: Draw) -> Result<Option<Outcome>, Broken> {
        let mut arena = self.world.arena(self.claim).map_err(fault)?;
        let Timing { budget, delay, trace, min_blocks } = self.world.timing();
        let mut revealed = Revealed::default();
        let turns =
            [(Edge::Trace, trace + delay), (Edge::First, trace + delay + budget), (Edge::Reveal, delay + budget)];
        for (at, seconds) in turns {
            let (party, mv) = self.next(&arena, &revealed)?;
            let before = arena.position();
            if at == edge {
                let late = draw == Draw::Late;
                let blocks = if draw == Draw::TooFewBlocks { min_blocks.saturating_sub(1) } else { min_blocks };
                arena.advance(seconds + u64::from(draw != Draw::InTime), blocks);
                let late = late || (min_blocks == 0 && draw != Draw::InTime);
                let end = self.probe(&mut arena, (party, &mv), late, edge)?;
                return fair(&arena).map(|()| end);
            }
            self.accept(&mut arena, (party, &mv))?;
            revealed.observe(self.claim, before.as_ref(), &mv, self.world.rules());
        }
        Ok(None)
    }

    /// The honest submitter's move, or the challenger's first child.
    fn next(&self, arena: &W::Arena, revealed: &Revealed) -> Result<(Party, Move), Broken> {
        let position = arena.position();
        let party = position.map_or(Party::Submitter, |at| at.turn());
        let rules = self.world.rules();
        let mv = if party == Party::Submitter {
            honest_submitter(self.claim, position.as_ref(), self.honest, rules)
        } else {
            let view = View { claim: self.claim, position: position.as_ref(), revealed, refused: 0, rules };
            realise(&view, Idea::Select(0), self.honest)
        };
        let mv = mv.map_err(fault)?.ok_or_else(|| fault(format_args!("no move at {position:?}")))?;
        Ok((party, mv))
    }

    fn accept(&self, arena: &mut W::Arena, (party, mv): (Party, &Move)) -> Result<(), Broken> {
        arena.play(party, mv).map_err(|why| Broken::new(Duty::Accepted, format_args!("{:?}: {why:?}", mv.kind())))
    }

    fn probe(
        &self,
        arena: &mut W::Arena,
        (party, mv): (Party, &Move),
        late: bool,
        edge: Edge,
    ) -> Result<Option<Outcome>, Broken> {
        let wrong = |what: &str| Err(Broken::new(Duty::Ends, format_args!("{edge:?}: {what}")));
        if !late {
            if arena.timeout().is_ok() {
                return wrong("a timeout in time");
            }
            self.accept(arena, (party, mv))?;
            return Ok(None);
        }
        if arena.play(party, mv).is_ok() {
            return wrong("a move too late");
        }
        arena.timeout().map_err(|why| Broken::new(Duty::Ends, format_args!("{edge:?}: {why:?}")))?;
        let end = if edge == Edge::Trace { End::NoTrace } else { End::Timeout };
        let expected = Outcome { winner: party.opponent(), end };
        if arena.outcome() != Some(expected) || arena.timeout().is_ok() || arena.play(party, mv).is_ok() {
            return wrong("the dispute did not end once and for all");
        }
        Ok(Some(expected))
    }
}

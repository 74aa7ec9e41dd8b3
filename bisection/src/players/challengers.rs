//! Dishonest challengers: they attack a claim that is right.

use super::ideas::{Idea, ideas, realise};
use super::{Dice, Player, View, mangle};
use crate::hash::ZERO;
use crate::moves::Move;
use crate::position::Position;
use crate::trace::{Answer, Trace};

/// What a false challenger is up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cheat {
    /// Never moves.
    Stalls,
    /// Selects a child that covers no real leaf.
    Padding,
    /// Names elements and terms past the end.
    PastEnd,
    /// Walks to an empty tensor and claims its header is wrong.
    Empty,
    /// Walks an agreed path and tries every proof on the way.
    Proofs,
    /// Walks as deep as the game goes, then tries every proof.
    Bottom,
    /// Sends moves with faults in their data.
    Forges,
    /// Anything.
    Random,
    /// Loses its dispute on purpose after a few moves, to be seen losing.
    SelfChallenge,
}

impl Cheat {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Stalls,
        Self::Padding,
        Self::PastEnd,
        Self::Empty,
        Self::Proofs,
        Self::Bottom,
        Self::Forges,
        Self::Random,
        Self::SelfChallenge,
    ];
}

/// A false challenger that knows the whole trace.
pub struct Troll<'a> {
    cheat: Cheat,
    theirs: &'a dyn Trace,
    dice: Dice,
    moves: u32,
}

impl<'a> Troll<'a> {
    /// One of this kind against a submitter whose trace is `theirs`.
    #[must_use]
    pub fn new(cheat: Cheat, theirs: &'a dyn Trace, dice: Dice) -> Self {
        Self { cheat, theirs, dice, moves: 0 }
    }

    /// One of the position's ideas of a kind, at random.
    fn pick(&mut self, view: &View<'_>, want: impl Fn(&Idea) -> bool) -> Answer<Option<Move>> {
        let Some(at) = view.position else { return Ok(None) };
        let mut all = ideas(view.claim, at, self.theirs, view.rules)?;
        all.retain(want);
        match all.get(self.dice.index(all.len())) {
            Some(idea) => realise(view, *idea, self.theirs),
            None => Ok(None),
        }
    }

    fn walk(&mut self, view: &View<'_>) -> Answer<Option<Move>> {
        self.pick(view, |idea| matches!(idea, Idea::Select(_) | Idea::Cut(_) | Idea::Part(_)))
    }

    /// The first child that covers no real leaf, with the proof of the last that does.
    fn beyond(&mut self, view: &View<'_>) -> Answer<Option<Move>> {
        let Some(at) = view.position else { return Ok(None) };
        let all = ideas(view.claim, at, self.theirs, view.rules)?;
        let last = all.iter().rfind(|idea| matches!(idea, Idea::Select(_)));
        match last.map(|idea| realise(view, *idea, self.theirs)).transpose()?.flatten() {
            Some(Move::Select { child, proof, .. }) => Ok(Some(Move::Select { child: child + 1, hash: ZERO, proof })),
            _ => self.walk(view),
        }
    }

    fn prove(&mut self, view: &View<'_>) -> Answer<Option<Move>> {
        self.pick(view, |idea| !matches!(idea, Idea::Select(_) | Idea::Cut(_) | Idea::Part(_)))
    }

    fn proof_or_walk(&mut self, view: &View<'_>) -> Answer<Option<Move>> {
        if view.refused < 2 { self.prove(view) } else { self.walk(view) }
    }

    /// The child that leads towards an empty tensor, if the trace has one.
    fn towards_empty(&mut self, view: &View<'_>) -> Answer<Option<Move>> {
        let mut goal = None;
        for leaf in 0..view.claim.leaves() {
            if goal.is_none() && self.theirs.header(leaf)?.elements == 0 {
                goal = Some(leaf);
            }
        }
        match (goal, view.position) {
            (Some(leaf), Some(Position::TraceOpen(node))) if leaf >> node.height == node.index => {
                let levels = view.claim.arity_log2.min(node.height);
                let child = (leaf >> (node.height - levels)) - (node.index << levels);
                realise(view, Idea::Select(child), self.theirs)
            }
            (_, Some(Position::Empty(_))) => self.prove(view),
            _ => self.proof_or_walk(view),
        }
    }
}

/// The move with its number moved past the last one that exists.
fn past_end(mv: Move, by: u64) -> Move {
    match mv {
        Move::Select { .. } => Move::Select { child: by.max(64), hash: ZERO, proof: Vec::new() },
        Move::SelectElement { bytes, e, step } => Move::SelectElement { bytes, e: e + by, step },
        Move::SelectPartial { part, partials } => Move::SelectPartial { part: part + by, partials },
        Move::ProveElement { mut opening, step } => {
            opening.e += by;
            Move::ProveElement { opening, step }
        }
        Move::ProveSlice { part, partials, step } => Move::ProveSlice { part: part + by, partials, step },
        other => other,
    }
}

impl Player for Troll<'_> {
    fn next(&mut self, view: &View<'_>) -> Answer<Option<Move>> {
        self.moves += 1;
        if view.refused >= 6 || view.position.is_none() {
            return Ok(None);
        }
        match self.cheat {
            Cheat::Stalls => Ok(None),
            Cheat::SelfChallenge if self.moves > 3 => Ok(None),
            Cheat::SelfChallenge => self.walk(view),
            Cheat::Padding if view.refused == 0 => self.beyond(view),
            Cheat::PastEnd if view.refused < 3 => {
                let by = 1 << self.dice.below(12);
                Ok(self.pick(view, |idea| !matches!(idea, Idea::Header(_) | Idea::Halt(_)))?.map(|mv| past_end(mv, by)))
            }
            Cheat::Padding | Cheat::PastEnd => self.walk(view),
            Cheat::Empty => self.towards_empty(view),
            Cheat::Proofs => self.proof_or_walk(view),
            Cheat::Bottom => match self.walk(view)? {
                Some(mv) if view.refused < 4 => Ok(Some(mv)),
                _ => self.prove(view),
            },
            Cheat::Forges => {
                let mv = self.pick(view, |_| true)?;
                Ok(mv.map(|mv| if view.refused < 4 { mangle(&mv, &mut self.dice) } else { mv }))
            }
            Cheat::Random => self.pick(view, |_| true),
        }
    }
}

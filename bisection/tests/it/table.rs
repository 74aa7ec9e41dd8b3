//! A game at a table: an honest submitter, and moves for both sides on demand.

use opml_bisection::players::{Idea, View, realise};
use opml_bisection::suite::World;
use opml_bisection::toy::{Run, ToyWorld};
use opml_bisection::{
    Claim, Game, Hashing, Moment, Move, Party, Position, Refused, Revealed, Trace, TraceStage, honest_submitter,
};

pub(crate) const START: Moment = Moment { time: 1_000_000, block: 500 };

/// A dispute on a submitter's trace, right or not.
#[derive(Clone)]
pub(crate) struct Table<'a> {
    pub(crate) world: &'a ToyWorld,
    pub(crate) claim: Claim,
    pub(crate) theirs: &'a dyn Trace,
    pub(crate) game: Game,
    pub(crate) revealed: Revealed,
    pub(crate) now: Moment,
}

/// The claim that a submitter with this trace makes.
pub(crate) fn claim_of(world: &ToyWorld, arity_log2: u32, length: u64, theirs: &dyn Trace) -> Claim {
    let claim = Claim { arity_log2, length, ..world.claim() };
    let output = world.program.hash(&theirs.bytes(claim.output_leaf()).unwrap());
    Claim { output, ..claim }
}

impl<'a> Table<'a> {
    pub(crate) fn new(world: &'a ToyWorld, arity_log2: u32, length: u64, theirs: &'a dyn Trace) -> Self {
        let claim = claim_of(world, arity_log2, length, theirs);
        // Proofs wait for a block after the challenge.
        let challenged = Moment { block: START.block - 1, ..START };
        let stage = TraceStage { first: challenged, challenged };
        let game = Game::new(claim, world.timing, stage).unwrap();
        Self { world, claim, theirs, game, revealed: Revealed::default(), now: START }
    }

    pub(crate) fn at(&self) -> Position {
        self.game.position().unwrap()
    }

    /// The submitter's move from its trace.
    pub(crate) fn answer(&self) -> Move {
        let at = self.game.position();
        honest_submitter(&self.claim, at.as_ref(), self.theirs, &self.world.program).unwrap().unwrap()
    }

    /// The challenger's move for an idea, built from the submitter's trace.
    pub(crate) fn idea(&self, idea: Idea) -> Option<Move> {
        let at = self.game.position();
        let rules = &self.world.program;
        let view = View { claim: &self.claim, position: at.as_ref(), revealed: &self.revealed, refused: 0, rules };
        realise(&view, idea, self.theirs).unwrap()
    }

    /// Plays a move for the party on turn; a refusal must leave the game as it was.
    pub(crate) fn play(&mut self, mv: &Move) -> Result<(), Refused> {
        let before = self.game.clone();
        let at = before.position();
        let result = self.game.apply(before.turn(), mv, self.now, &self.world.program);
        match result {
            Ok(()) => self.revealed.observe(&self.claim, at.as_ref(), mv, &self.world.program),
            Err(_) => assert_eq!(self.game, before, "a refused move changed the game"),
        }
        result
    }

    /// Why a move of the party on turn is refused.
    pub(crate) fn refusal(&mut self, mv: &Move) -> Refused {
        self.play(mv).expect_err("accepted")
    }

    /// Lets the submitter answer, then the challenger follow the ideas, the submitter answering each that asks for it.
    pub(crate) fn follow(mut self, ideas: &[Idea]) -> Self {
        self.settle();
        for idea in ideas {
            let mv = self.idea(*idea).unwrap();
            self.play(&mv).unwrap();
            self.settle();
        }
        self
    }

    fn settle(&mut self) {
        while self.game.outcome().is_none() && self.game.turn() == Party::Submitter {
            let mv = self.answer();
            self.play(&mv).unwrap();
        }
    }
}

/// The honest run of a world.
pub(crate) fn honest(world: &ToyWorld) -> Run {
    world.run(world.length).unwrap()
}

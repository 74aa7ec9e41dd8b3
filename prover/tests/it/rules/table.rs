//! A dispute played by hand in the pure game and in the contract.

use alloy_primitives::U256;
use alloy_sol_types::{SolCall, SolError};
use opml_bisection::{
    Arena, Claim, End, Hashing, Move, MoveKind, Outcome, Party, Position, PureArena, Refused, Revealed, Trace,
    honest_submitter,
    players::{Idea, View, realise},
    suite::World,
};
use opml_contracts::{HostError, Receipt};
use opml_prover::{chain::ContractArena, error::ProverError};

use crate::world::{Recorded, VmWorld};

/// A dispute on a submitter's trace, right or not.
pub(crate) struct Table<'a> {
    pub(crate) world: &'a VmWorld,
    pub(crate) claim: Claim,
    pub(crate) theirs: &'a dyn Trace,
    pub(crate) pure: PureArena<Recorded>,
    pub(crate) contract: ContractArena,
    pub(crate) revealed: Revealed,
}

/// The claim that a submitter with this trace makes.
pub(crate) fn claim_of(world: &VmWorld, arity_log2: u32, length: u64, theirs: &dyn Trace) -> Claim {
    let claim = Claim { arity_log2, length, ..world.claim() };
    claiming(world, claim, &theirs.bytes(claim.output_leaf()).unwrap())
}

/// A claim with another output.
pub(crate) fn claiming(world: &VmWorld, claim: Claim, output: &[u8]) -> Claim {
    Claim { output: world.rules().hash(output), ..claim }
}

impl<'a> Table<'a> {
    /// At the beginning; proofs are still too early.
    pub(crate) fn of(world: &'a VmWorld, claim: Claim, theirs: &'a dyn Trace) -> Self {
        let (pure, contract) = world.pair(&claim).unwrap();
        Self { world, claim, theirs, pure, contract, revealed: Revealed::default() }
    }

    /// A block later.
    pub(crate) fn of_next_block(world: &'a VmWorld, claim: Claim, theirs: &'a dyn Trace) -> Self {
        let mut table = Self::of(world, claim, theirs);
        table.advance(1, 1);
        table
    }

    /// With the trace open.
    pub(crate) fn opened(world: &'a VmWorld, arity_log2: u32, length: u64, theirs: &'a dyn Trace) -> Self {
        let mut table = Self::of_next_block(world, claim_of(world, arity_log2, length, theirs), theirs);
        table.answer();
        table
    }

    /// The right claim.
    pub(crate) fn honest(world: &'a VmWorld, arity_log2: u32, theirs: &'a dyn Trace) -> Self {
        Self::opened(world, arity_log2, world.claim().length, theirs)
    }

    #[track_caller]
    pub(crate) fn at(&self) -> Position {
        assert_eq!(self.pure.position(), self.contract.position());
        self.pure.position().unwrap()
    }

    /// The submitter's move from its trace.
    pub(crate) fn due(&self) -> Move {
        let at = self.pure.position();
        honest_submitter(&self.claim, at.as_ref(), self.theirs, self.world.rules()).unwrap().unwrap()
    }

    /// The submitter plays it.
    #[track_caller]
    pub(crate) fn answer(&mut self) {
        self.play(&self.due());
    }

    /// The challenger's move for an idea, built from the submitter's trace.
    #[track_caller]
    pub(crate) fn idea(&self, idea: Idea) -> Move {
        let at = self.pure.position();
        let rules = self.world.rules();
        let view = View { claim: &self.claim, position: at.as_ref(), revealed: &self.revealed, refused: 0, rules };
        realise(&view, idea, self.theirs).unwrap().unwrap_or_else(|| panic!("no {idea:?} at {at:?}"))
    }

    /// Whether nobody has won yet.
    pub(crate) fn contract_open(&self) -> bool {
        self.pure.outcome().is_none() && self.contract.outcome().is_none()
    }

    /// The party on turn.
    pub(crate) fn turn(&self) -> Party {
        self.pure.position().map_or(Party::Submitter, |at| at.turn())
    }

    /// Both accept a move of the party on turn, and stand where the other stands.
    #[track_caller]
    pub(crate) fn play(&mut self, mv: &Move) {
        self.play_as(self.turn(), mv);
    }

    #[track_caller]
    pub(crate) fn play_as(&mut self, who: Party, mv: &Move) {
        let before = self.pure.position();
        self.pure.play(who, mv).unwrap_or_else(|why| panic!("{:?} at {before:?}: {why}", mv.kind()));
        self.contract.play(who, mv).unwrap_or_else(|why| panic!("{:?} at {before:?}: {why}", mv.kind()));
        self.revealed.observe(&self.claim, before.as_ref(), mv, self.world.rules());
        assert_eq!(self.pure.outcome(), self.contract.outcome());
        if self.pure.outcome().is_none() {
            self.at();
        }
    }

    /// Both refuse a move of the party on turn, for the reasons given, and nothing has changed.
    #[track_caller]
    pub(crate) fn refuse<E: SolError>(&mut self, mv: &Move, why: &Refused) {
        self.refuse_as::<E>(self.turn(), mv, why);
    }

    #[track_caller]
    pub(crate) fn refuse_as<E: SolError>(&mut self, who: Party, mv: &Move, why: &Refused) {
        let before = (self.pure.position(), self.pure.outcome());
        assert_eq!(self.pure.play(who, mv).as_ref(), Err(why), "{:?}", mv.kind());
        reverts::<E, _>(self.contract.play(who, mv));
        assert_eq!((self.pure.position(), self.pure.outcome()), before);
        assert_eq!((self.contract.position(), self.contract.outcome()), before);
    }

    /// Follows ideas, the submitter answering each that asks for it.
    #[track_caller]
    pub(crate) fn follow(mut self, ideas: &[Idea]) -> Self {
        for idea in ideas {
            self.play(&self.idea(*idea));
            while self.pure.outcome().is_none() && self.turn() == Party::Submitter {
                self.answer();
            }
        }
        self
    }

    /// Walks down to the header of a trace leaf.
    #[track_caller]
    pub(crate) fn walk_to(mut self, leaf: u64) -> Self {
        while let Position::TraceOpen(node) = self.at() {
            let levels = self.claim.arity_log2.min(node.height);
            let child = (leaf >> (node.height - levels)) - (node.index << levels);
            self = self.follow(&[Idea::Select(child)]);
        }
        self
    }

    pub(crate) fn advance(&mut self, seconds: u64, blocks: u64) {
        self.pure.advance(seconds, blocks);
        self.contract.advance(seconds, blocks);
    }

    /// Nobody is late, by both.
    #[track_caller]
    pub(crate) fn in_time(&mut self) {
        use opml_contracts::abi::Dispute;
        assert_eq!(self.pure.timeout(), Err(Refused::NotLate));
        reverts::<Dispute::NotLate, _>(self.contract.timeout());
    }

    /// The party on turn is late and loses, by both.
    #[track_caller]
    pub(crate) fn late(&mut self) -> Outcome {
        let expected = Outcome {
            winner: self.turn().opponent(),
            end: if self.pure.position().is_none() { End::NoTrace } else { End::Timeout },
        };
        self.pure.timeout().unwrap();
        self.contract.timeout().unwrap();
        assert_eq!((self.pure.outcome(), self.contract.outcome()), (Some(expected), Some(expected)));
        expected
    }

    /// The party on turn says nothing and loses.
    #[track_caller]
    pub(crate) fn stalls(&mut self) {
        let timing = self.world.timing();
        self.advance(timing.trace + timing.budget + timing.delay + 1, timing.min_blocks);
        self.late();
    }

    /// The proof ends the dispute for the challenger, in both.
    #[track_caller]
    pub(crate) fn proves(&mut self, mv: &Move) {
        self.play(mv);
        self.won_by(mv.kind());
    }

    #[track_caller]
    pub(crate) fn won_by(&self, kind: MoveKind) {
        let won = Some(Outcome { winner: Party::Challenger, end: End::Proof(kind) });
        assert_eq!((self.pure.outcome(), self.contract.outcome()), (won, won));
    }

    /// Sends a call to the contract alone.
    pub(crate) fn send<C: SolCall>(
        &mut self,
        from: alloy_primitives::Address,
        value: U256,
        call: &C,
    ) -> Result<(C::Return, Receipt), ProverError> {
        self.contract.chain().send(C::SIGNATURE, from, value, call)
    }
}

/// Fails unless a call was refused with the custom error `E`.
#[track_caller]
pub(crate) fn reverts<E: SolError, T>(outcome: Result<T, ProverError>) {
    match outcome {
        Ok(_) => panic!("accepted, but {} was due", E::SIGNATURE),
        Err(ProverError::Chain { error, .. }) => is::<E>(&error),
        Err(error) => panic!("{error}, but {} was due", E::SIGNATURE),
    }
}

/// Fails unless it is the custom error `E`.
#[track_caller]
pub(crate) fn is<E: SolError>(error: &HostError) {
    assert!(error.is::<E>(), "{error}, but {} was due", E::SIGNATURE);
}

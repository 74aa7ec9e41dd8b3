//! All scenarios.

use super::World;
use super::clocks;
use super::duel::{Duel, Played, duel};
use crate::claim::Claim;
use crate::duties::{Broken, Duty, most_moves};
use crate::hash::Hashing;
use crate::honest::{Policy, direct_proof};
use crate::moves::Move;
use crate::players::{Cheat, Dice, HonestChallenger, HonestSubmitter, Lies, Player, Troll, View, cast};
use crate::position::Party;
use crate::revealed::leaves;
use crate::rules::Rules;
use crate::trace::{Answer, Trace, Unavailable};
use core::fmt;
use thiserror::Error;

/// One thing that the suite plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// A liar against an honest challenger.
    Liar(Lies),
    /// A troll against an honest submitter.
    Troll(Cheat),
    /// An honest submitter against a challenger whose own trace is wrong in this way, and who plays it well.
    Mistaken(Lies),
    /// A liar whose whole trace is public, against a proof in one transaction.
    Direct(Lies),
    /// All the edges of the clocks.
    Clocks,
}

impl Scenario {
    /// All of them.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let mut all: Vec<Self> = Lies::ALL.into_iter().flat_map(|l| [Self::Liar(l), Self::Direct(l)]).collect();
        all.extend(Cheat::ALL.map(Self::Troll));
        all.extend([Lies::OneByte, Lies::Consistent, Lies::Dtype, Lies::Elements].map(Self::Mistaken));
        all.push(Self::Clocks);
        all
    }
}

/// What broke a duty.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{scenario:?}, arity 2^{arity_log2}, seed {seed}: {broken}")]
pub struct Broke {
    /// The scenario.
    pub scenario: Scenario,
    /// The arity.
    pub arity_log2: u32,
    /// The seed.
    pub seed: u64,
    /// The duty.
    pub broken: Broken,
}

/// Counts over all disputes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Disputes played.
    pub disputes: u32,
    /// Scenarios that the world has no room for.
    pub skipped: u32,
    /// Accepted moves.
    pub moves: usize,
    /// Refused moves.
    pub refused: u32,
    /// Most moves in one dispute.
    pub longest: usize,
}

/// Plays every scenario once for each arity and seed.
///
/// # Errors
/// The first scenario in which the honest player did not meet a duty.
pub fn run<W: World>(world: &W, arities: &[u32], seeds: &[u64]) -> Result<Tally, Broke> {
    let mut tally = Tally::default();
    for &arity_log2 in arities {
        for &seed in seeds {
            for scenario in Scenario::all() {
                let played = run_one(world, scenario, arity_log2, seed);
                match played.map_err(|broken| Broke { scenario, arity_log2, seed, broken })? {
                    None => tally.skipped += 1,
                    Some(played) => {
                        tally.disputes += 1;
                        tally.moves += played.moves.len();
                        tally.refused += played.refused;
                        tally.longest = tally.longest.max(played.moves.len());
                    }
                }
            }
        }
    }
    Ok(tally)
}

/// Plays one scenario; none if the world has no room for it.
///
/// # Errors
/// The duty that the honest player did not meet.
pub fn run_one<W: World>(world: &W, scenario: Scenario, arity_log2: u32, seed: u64) -> Result<Option<Played>, Broken> {
    let mut dice = Dice::new(seed ^ u64::from(arity_log2) << 32);
    let right = Claim { arity_log2, ..world.claim() };
    let policy = Policy { max_terms: [0, 64, 3, u64::MAX][dice.index(4)] };
    let hall = Hall { world, right, policy };
    match scenario {
        Scenario::Liar(lies) => hall.liar(lies, dice),
        Scenario::Troll(cheat) => hall.troll(cheat, dice),
        Scenario::Mistaken(lies) => hall.mistaken(lies, dice),
        Scenario::Direct(lies) => hall.direct(lies, dice),
        Scenario::Clocks => {
            let honest = world.run(right.length).map_err(fault)?;
            let claim = hall.claimed(&honest).map_err(fault)?;
            clocks::edges(world, &claim, &honest)
        }
    }
}

pub(super) fn fault(why: impl fmt::Display) -> Broken {
    Broken::new(Duty::Answers, why)
}

struct Hall<'w, W> {
    world: &'w W,
    right: Claim,
    policy: Policy,
}

impl<W: World> Hall<'_, W> {
    fn claimed(&self, honest: &dyn Trace) -> Answer<Claim> {
        let output = self.world.rules().hash(&honest.bytes(self.right.output_leaf())?);
        Ok(Claim { output, ..self.right })
    }

    fn play(
        &self,
        claim: &Claim,
        (honest, own): (Party, &dyn Trace),
        submitter: &mut dyn Player,
        challenger: &mut dyn Player,
    ) -> Result<Option<Played>, Broken> {
        let mut arena = self.world.arena(claim).map_err(fault)?;
        let rules = self.world.rules();
        let bound = bound(claim, own, rules).map_err(fault)?;
        let setting = Duel { claim, rules, timing: self.world.timing(), honest, own, bound };
        duel(&setting, &mut arena, submitter, challenger).map(Some)
    }

    fn base(&self, lies: Lies, length: u64, own: &dyn Trace, dice: &mut Dice) -> Answer<Option<W::Run>> {
        let claim = Claim { length, ..self.right };
        match lies.lie(&claim, own, dice)? {
            Some(lie) => self.world.tampered(length, &lie),
            None if lies == Lies::Consistent => Ok(None),
            None => self.world.run(length).map(Some),
        }
    }

    fn liar(&self, lies: Lies, mut dice: Dice) -> Result<Option<Played>, Broken> {
        let rules = self.world.rules();
        let Some(length) = lies.length(&self.right, &mut dice) else { return Ok(None) };
        let own = self.world.run(length).map_err(fault)?;
        let Some(base) = self.base(lies, length, &own, &mut dice).map_err(fault)? else { return Ok(None) };
        let claim = Claim { length, ..self.right };
        let Some((claim, mut liar)) = cast(lies, claim, &base, rules, dice).map_err(fault)? else { return Ok(None) };
        let mut challenger = HonestChallenger(&own, self.policy);
        self.play(&claim, (Party::Challenger, &own), &mut liar, &mut challenger)
    }

    fn troll(&self, cheat: Cheat, dice: Dice) -> Result<Option<Played>, Broken> {
        let own = self.world.run(self.right.length).map_err(fault)?;
        let claim = self.claimed(&own).map_err(fault)?;
        let mut troll = Troll::new(cheat, &own, dice);
        self.play(&claim, (Party::Submitter, &own), &mut HonestSubmitter(&own), &mut troll)
    }

    fn mistaken(&self, lies: Lies, mut dice: Dice) -> Result<Option<Played>, Broken> {
        let rules = self.world.rules();
        let own = self.world.run(self.right.length).map_err(fault)?;
        let claim = self.claimed(&own).map_err(fault)?;
        let Some(base) = self.base(lies, claim.length, &own, &mut dice).map_err(fault)? else { return Ok(None) };
        let Some((_, liar)) = cast(lies, claim, &base, rules, dice).map_err(fault)? else { return Ok(None) };
        let mut mistaken = Mistaken(liar.trace(), self.policy);
        self.play(&claim, (Party::Submitter, &own), &mut HonestSubmitter(&own), &mut mistaken)
    }

    fn direct(&self, lies: Lies, mut dice: Dice) -> Result<Option<Played>, Broken> {
        let rules = self.world.rules();
        let Some(length) = lies.length(&self.right, &mut dice) else { return Ok(None) };
        let own = self.world.run(length).map_err(fault)?;
        let Some(base) = self.base(lies, length, &own, &mut dice).map_err(fault)? else { return Ok(None) };
        let claim = Claim { length, ..self.right };
        let Some((claim, mut liar)) = cast(lies, claim, &base, rules, dice).map_err(fault)? else { return Ok(None) };
        use Lies::{Consistent, DeadValue, Dtype, Elements, HiddenHalt, LateHalt, OneByte};
        if !matches!(lies, OneByte | Consistent | DeadValue | Dtype | Elements | LateHalt | HiddenHalt) {
            return Ok(None);
        }
        let policy = Policy { max_terms: u64::MAX };
        let proof = direct_proof(&policy, &claim, liar.trace(), &own, rules).map_err(fault)?;
        let proof = proof.ok_or_else(|| Broken::new(Duty::Answers, "no proof from a public trace"))?;
        let mut at_once = AtOnce(proof);
        self.play(&claim, (Party::Challenger, &own), &mut liar, &mut at_once)
    }
}

/// Bound on the moves of a dispute, from the largest value of the honest trace and of a lie that is a little larger.
fn bound(claim: &Claim, own: &dyn Trace, rules: &dyn Rules) -> Answer<u32> {
    let (mut tensor, mut terms) = (1, 1);
    for leaf in 0..claim.leaves() {
        let header = own.header(leaf)?;
        let wide = header.elements.saturating_add(1).saturating_mul(8).div_ceil(256);
        tensor = tensor.max(wide).max(leaves(rules, header));
        terms = terms.max(own.shape(leaf)?.terms);
    }
    Ok(most_moves(claim, tensor, terms))
}

/// Sends one move, whatever the position.
struct AtOnce(Move);

impl Player for AtOnce {
    fn next(&mut self, _view: &View<'_>) -> Answer<Option<Move>> {
        Ok(Some(self.0.clone()))
    }
}

/// Plays the honest strategy from a wrong trace; when its move is refused, or it has none, it stalls.
struct Mistaken<'a>(&'a dyn Trace, Policy);

impl Player for Mistaken<'_> {
    fn next(&mut self, view: &View<'_>) -> Answer<Option<Move>> {
        if view.refused > 0 {
            return Ok(None);
        }
        match HonestChallenger(self.0, self.1).next(view) {
            Err(Unavailable(_)) => Ok(None),
            answer => answer,
        }
    }
}

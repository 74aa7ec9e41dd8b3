//! The cast: who does what on seeing the chain. Every agent decides from the canonical events alone, so a crash costs it nothing but time.

use alloy_primitives::{Address, B256, U256};
use opml_contracts::{
    abi::Dispute,
    dispute::{ClaimSlot, Kind, Position, Stage, Status, dispute_id},
};
use opml_vm::{Reducer, eval::combine};

use super::sim::{Call, Sim, Weather};
use crate::dispute::{
    commit::Commit,
    world::{BOND_C, Game, SUBMITTER, WINDOW, encode},
};

/// How a dishonest submitter plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Manner {
    /// Opens the trace when it is asked for.
    pub(crate) opens: bool,
    /// Answers so many moves of each dispute, then no more.
    pub(crate) answers: u16,
    /// Moves in the last second of its time.
    pub(crate) stalls: bool,
    /// Posts wrong partials.
    pub(crate) forges: bool,
}

impl Manner {
    pub(crate) const PLAIN: Self = Self { opens: true, answers: u16::MAX, stalls: false, forges: false };
}

/// What an agent is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Honest: defends its claim.
    Submitter,
    /// Defends a claim that it knows to be wrong, or gives a right one up.
    Liar(Manner),
    /// Honest: challenges what is wrong, plays to the end.
    Challenger,
    /// Challenges and never moves; `late` in the last second of the window.
    Idle { late: bool },
    /// Challenges and names nodes at random down to the bottom; `stalls` in the last second of its time.
    Wanderer { stalls: bool },
    /// Joins when another dispute is far.
    Copycat,
    /// The submitter's own challenger: proves the lie at once, to take the pot.
    Sybil,
    /// Challenges and resigns.
    Quitter,
    /// So many disputes, never played.
    Flood(u16),
    /// Ends what can be ended.
    Keeper,
}

impl Role {
    pub(crate) const fn is_honest(self) -> bool {
        matches!(self, Self::Submitter | Self::Challenger)
    }

    pub(crate) const fn forges(self) -> bool {
        matches!(self, Self::Liar(Manner { forges: true, .. }))
    }
}

/// Somebody with an account.
#[derive(Debug, Clone)]
pub(crate) struct Agent {
    pub(crate) account: Address,
    pub(crate) role: Role,
    /// Crashed until then.
    pub(crate) down_until: u64,
    /// Crashes to come.
    pub(crate) crashes: u32,
}

impl Agent {
    pub(crate) const fn new(account: Address, role: Role) -> Self {
        Self { account, role, down_until: 0, crashes: 3 }
    }

    /// The calls that this agent wants to be in the next block.
    pub(crate) fn due(&self, sim: &mut Sim) -> Vec<Call> {
        let slot = sim.slot();
        let mut calls = match self.role {
            Role::Submitter => self.defend(sim, &slot, Manner::PLAIN),
            Role::Liar(manner) => self.defend(sim, &slot, manner),
            Role::Keeper => {
                if sim.rng.below(8) > 0 {
                    return vec![];
                }
                let mut calls = vec![];
                if slot.status == Status::Pending {
                    for id in sim.open_seats() {
                        calls.extend(self.timeout(sim, &slot, id));
                    }
                    calls.extend(finalize(sim, &slot, self.account));
                }
                calls
            }
            _ if slot.status == Status::Pending => self.challenge(sim, &slot),
            _ => vec![],
        };
        if slot.status == Status::False {
            for id in sim.open_seats() {
                if sim.seats[&id].challenger == self.account || self.role == Role::Keeper {
                    let state = sim.seats[&id].state.clone();
                    calls.push(Call::new(self.account, 0, &Dispute::settleCall { state }));
                }
            }
        }
        calls
    }

    fn defend(&self, sim: &mut Sim, slot: &ClaimSlot, manner: Manner) -> Vec<Call> {
        let mut calls = vec![];
        if slot.status != Status::Pending {
            return calls;
        }
        let shows = sim.lie == super::lies::Lie::Dead && slot.stage == Stage::Undisputed && sim.batched.is_none();
        if (slot.stage == Stage::Awaited || shows) && manner.opens && !sim.trace_late(slot) {
            let last = slot.stage_at + crate::dispute::world::TRACE_TIME + sim.delay();
            if !manner.stalls || sim.now() == last || sim.rng.below(16) == 0 {
                calls.push(Call::new(SUBMITTER, 0, &sim.game.open_trace_call()));
            }
        }
        for id in sim.open_seats() {
            let at = sim.position(id);
            if at.version == 0 && slot.stage != Stage::Opened {
                continue;
            }
            if !at.kind.submitter_turn() {
                calls.extend(self.timeout(sim, slot, id));
            } else if at.version / 2 < manner.answers && (!manner.stalls || in_last_second(sim, &at)) {
                calls.extend(sim.seated(id, |game, _, _| answer(game, manner.forges)));
            }
        }
        calls.extend(finalize(sim, slot, self.account));
        calls
    }

    fn challenge(&self, sim: &mut Sim, slot: &ClaimSlot) -> Vec<Call> {
        let count = if let Role::Flood(count) = self.role { count } else { 1 };
        (0..count).flat_map(|nonce| self.dispute(sim, slot, nonce)).collect()
    }

    fn dispute(&self, sim: &mut Sim, slot: &ClaimSlot, nonce: u16) -> Option<Call> {
        let id = dispute_id(sim.game.id, self.account, nonce);
        let Some(seat) = sim.seats.get(&id).cloned() else {
            return self.joins(sim, slot).then(|| self.opens(sim, nonce));
        };
        if !seat.open {
            return None;
        }
        if let Some(call) = self.timeout(sim, slot, id).filter(|_| self.plays()) {
            return Some(call);
        }
        let at = sim.position(id);
        let waiting = at.version == 0 && slot.stage != Stage::Opened;
        if self.role == Role::Quitter && !sim.trace_late(slot) {
            let call = Dispute::resignCall { state: seat.state, c: sim.game.claim.clone() };
            return Some(Call::new(self.account, 0, &call));
        }
        if waiting || at.kind.submitter_turn() || at.late(sim.now(), sim.game.world.host.block()) {
            return None;
        }
        let policy = sim.seed >> (at.version % 32);
        match self.role {
            Role::Challenger => sim.seated(id, |game, truth, partials| attack(game, truth, partials, policy)),
            Role::Sybil => sim.seated(id, |game, truth, _| prove_now(game, truth)),
            Role::Wanderer { stalls } if !stalls || in_last_second(sim, &at) => {
                let dice = sim.rng.bits();
                sim.seated(id, |game, _, partials| wander(game, partials, dice))
            }
            _ => None,
        }
    }

    const fn plays(&self) -> bool {
        matches!(self.role, Role::Challenger | Role::Sybil | Role::Wanderer { .. })
    }

    /// Whether it is time to open a dispute.
    fn joins(&self, sim: &mut Sim, slot: &ClaimSlot) -> bool {
        let now = sim.now();
        if now >= slot.claimed_at + WINDOW || sim.trace_late(slot) {
            return false;
        }
        let wrong_root = slot.stage == Stage::Opened && sim.game.commit.tree.root() != sim.truth.tree.root();
        match self.role {
            Role::Challenger => sim.lie.is_seen() || wrong_root,
            Role::Sybil => sim.lie.is_seen() || wrong_root,
            Role::Idle { late: true } => now == slot.claimed_at + WINDOW - 1,
            Role::Copycat => {
                sim.open_seats().into_iter().any(|id| sim.position(id).kind >= Kind::Leaf && sim.rng.below(2) == 0)
            }
            Role::Flood(_) => sim.rng.below(4) == 0,
            _ => sim.weather == Weather::Fair || sim.rng.below(3) == 0,
        }
    }

    fn opens(&self, sim: &Sim, nonce: u16) -> Call {
        match &sim.batched {
            Some(batched) => Call::new(self.account, BOND_C, &batched.challenge_call(batched.j, nonce)),
            None => Call::new(self.account, BOND_C, &Dispute::challengeCall { claimId: sim.game.id, nonce }),
        }
    }

    /// Ends a dispute whose player on turn is late.
    fn timeout(&self, sim: &mut Sim, slot: &ClaimSlot, id: B256) -> Option<Call> {
        let at = sim.position(id);
        let waiting = at.version == 0 && slot.stage != Stage::Opened;
        let late = if waiting { sim.trace_late(slot) } else { at.late(sim.now(), sim.game.world.host.block()) };
        let own = sim.seats[&id].challenger == self.account && !waiting && !at.kind.submitter_turn();
        (late && !own).then(|| {
            let state = sim.seats[&id].state.clone();
            Call::new(self.account, 0, &Dispute::claimTimeoutCall { state, c: sim.game.claim.clone() })
        })
    }
}

fn in_last_second(sim: &mut Sim, at: &Position) -> bool {
    sim.now() == at.turn_start + u64::from(at.delay) + at.budget() || sim.rng.below(16) == 0
}

fn finalize(sim: &Sim, slot: &ClaimSlot, from: Address) -> Option<Call> {
    let over = slot.status == Status::Pending && sim.now() >= slot.claimed_at + WINDOW && slot.open == 0;
    over.then(|| match &sim.batched {
        Some(batched) => Call::new(from, 0, &batched.finalize_call()),
        None => Call::new(from, 0, &Dispute::finalizeCall { c: sim.game.claim.clone() }),
    })
}

/// The submitter's move: what it committed to, and its partials, wrong ones if it `forges`.
pub(crate) fn answer(game: &mut Game, forges: bool) -> Option<Call> {
    let at = game.position();
    Some(match (at.kind, at.height) {
        (Kind::TraceHidden, 0) => Call::new(SUBMITTER, 0, &game.reveal_header_call()),
        (Kind::TensorHidden, 0) => Call::new(SUBMITTER, 0, &game.reveal_leaf_call()),
        (Kind::TraceHidden | Kind::TensorHidden, _) => Call::new(SUBMITTER, 0, &game.reveal_call()),
        (Kind::Element | Kind::Slice, _) => {
            let mut partials = game.partials();
            if forges && at.kind == Kind::Element {
                partials[0] += 1;
            }
            fit(&mut partials, &at);
            Call::new(SUBMITTER, 0, &game.reveal_partials_call(&partials))
        }
        _ => return None,
    })
}

/// Makes the partials of a slice combine to its value.
fn fit(partials: &mut [i128], at: &Position) {
    if at.kind != Kind::Slice {
        return;
    }
    if at.reducer == Reducer::Sum.code() {
        partials[0] += at.value - partials.iter().sum::<i128>();
    } else {
        partials.iter_mut().for_each(|partial| *partial = (*partial).min(at.value));
        partials[0] = at.value;
    }
}

/// The honest challenger's move: the first difference between what was revealed and what its own run says.
pub(crate) fn attack(game: &mut Game, truth: &Commit, posted: &[i128], policy: u64) -> Option<Call> {
    let at = game.position();
    let from = game.challenger;
    match at.kind {
        Kind::TraceOpen | Kind::TensorOpen => {
            if at.kind == Kind::TensorOpen && header_differs(game, truth, at.leaf) {
                return Some(Call::new(from, 0, &game.prove_header_call(at.leaf)));
            }
            let (ours, theirs) = match at.kind {
                Kind::TraceOpen => (truth.tree.clone(), game.commit.tree.clone()),
                _ => (truth.value(at.leaf).tree(), game.commit.value(at.leaf).tree()),
            };
            let levels = at.arity_log2.min(at.height);
            let (below, first) = (at.height - levels, at.index << levels);
            let real = at.leaves.div_ceil(1 << below) - first;
            let differs =
                |child: &u64| ours.node(below.into(), first + child) != theirs.node(below.into(), first + child);
            match (0..real.min(1 << levels)).find(differs) {
                Some(child) => Some(Call::new(from, 0, &game.select_call(child))),
                None if at.kind == Kind::TraceOpen && at.version == 0 => halted(game),
                None => None,
            }
        }
        Kind::Empty => {
            header_differs(game, truth, at.leaf).then(|| Call::new(from, 0, &game.prove_header_call(at.leaf)))
        }
        Kind::Leaf if header_differs(game, truth, at.leaf) => {
            Some(Call::new(from, 0, &game.prove_header_call(at.leaf)))
        }
        Kind::Leaf => {
            let e = first_element(game, truth, at.leaf)?;
            if game.commit.value(at.leaf).leaf_of(e) != at.index {
                return None;
            }
            Some(if terms(game, at.leaf) < 2 {
                Call::new(from, 0, &game.prove_element_call(at.leaf, e))
            } else {
                Call::new(from, 0, &game.select_element_call(e))
            })
        }
        Kind::ElementPartials | Kind::SlicePartials => attack_partials(game, truth, posted, policy),
        _ => None,
    }
}

fn attack_partials(game: &mut Game, truth: &Commit, posted: &[i128], policy: u64) -> Option<Call> {
    let at = game.position();
    let from = game.challenger;
    let right = game.partials();
    let (n, m) = (at.k1 - at.k0, posted.len() as u64);
    let Some(part) = (0..posted.len()).find(|&part| posted[part] != right[part]) else {
        let wrong = at.kind == Kind::ElementPartials && first_element(game, truth, at.leaf) == Some(at.e);
        return wrong.then(|| {
            let reducer = game.sample.program.instructions()[(at.leaf % game.sample.n()) as usize].reducer;
            let acc = posted.iter().copied().reduce(|a, b| combine(reducer, a, b)).unwrap();
            Call::new(from, 0, &game.prove_post_call(posted, acc))
        });
    };
    let part = part as u64;
    let size = (part + 1) * n / m - part * n / m;
    Some(if size >= 2 && policy & 1 == 1 {
        let (state, part) = (game.state.clone(), U256::from(part));
        Call::new(from, 0, &Dispute::selectPartialCall { state, part, partials: encode(posted) })
    } else {
        Call::new(from, 0, &game.prove_slice_call(part, posted))
    })
}

/// A proof of the lie from where the dispute begins.
pub(crate) fn prove_now(game: &mut Game, truth: &Commit) -> Option<Call> {
    let from = game.challenger;
    if game.position().kind != Kind::TraceOpen {
        return None;
    }
    let leaves = truth.values.len() as u64;
    let Some(leaf) = (0..leaves).find(|&leaf| truth.value(leaf) != game.commit.value(leaf)) else {
        return halted(game);
    };
    Some(if header_differs(game, truth, leaf) {
        Call::new(from, 0, &game.prove_header_call(leaf))
    } else {
        let e = first_element(game, truth, leaf)?;
        Call::new(from, 0, &game.prove_element_call(leaf, e))
    })
}

/// The proof that the run went on after its halt.
fn halted(game: &mut Game) -> Option<Call> {
    (game.claim.T > game.sample.length)
        .then(|| Call::new(game.challenger, 0, &game.prove_halt_call(game.sample.length - 1)))
}

/// A move of somebody who does not care.
fn wander(game: &mut Game, posted: &[i128], dice: u64) -> Option<Call> {
    let at = game.position();
    let from = game.challenger;
    match at.kind {
        Kind::TraceOpen | Kind::TensorOpen => {
            let levels = at.arity_log2.min(at.height);
            let (below, first) = (at.height - levels, at.index << levels);
            let real = at.leaves.div_ceil(1 << below) - first;
            Some(Call::new(from, 0, &game.select_call(dice % real.min(1 << levels))))
        }
        Kind::Leaf if terms(game, at.leaf) >= 2 => {
            let e = at.index * 256 / game.commit.value(at.leaf).size();
            Some(Call::new(from, 0, &game.select_element_call(e)))
        }
        Kind::ElementPartials | Kind::SlicePartials => {
            let (n, m) = (at.k1 - at.k0, posted.len() as u64);
            let part = dice % m;
            let size = (part + 1) * n / m - part * n / m;
            (size >= 2).then(|| {
                let (state, part) = (game.state.clone(), U256::from(part));
                Call::new(from, 0, &Dispute::selectPartialCall { state, part, partials: encode(posted) })
            })
        }
        _ => None,
    }
}

fn header_differs(game: &Game, truth: &Commit, leaf: u64) -> bool {
    let (ours, theirs) = (truth.value(leaf), game.commit.value(leaf));
    (ours.dtype, ours.elements) != (theirs.dtype, theirs.elements)
}

fn first_element(game: &Game, truth: &Commit, leaf: u64) -> Option<u64> {
    let (ours, theirs) = (truth.value(leaf), game.commit.value(leaf));
    let byte = ours.bytes.iter().zip(&theirs.bytes).position(|(a, b)| a != b)?;
    Some(byte as u64 / ours.size())
}

/// Number of terms of the elements of the value at a trace leaf.
fn terms(game: &Game, leaf: u64) -> u64 {
    let (t, i) = (leaf / game.sample.n(), leaf % game.sample.n());
    game.sample.program.instructions()[i as usize].terms(t)
}

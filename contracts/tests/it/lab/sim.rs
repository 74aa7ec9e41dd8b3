//! The chain of the lab: a mempool without order, blocks, reorganisations, time that leaps to the edges of clocks; and the invariants, checked
//! after every call.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, B256, Bytes, Log, U256, keccak256};
use alloy_sol_types::{SolCall, SolEvent};
use opml_contracts::{
    HostError,
    abi::{
        BatchDispute,
        Dispute::{self, State},
    },
    dispute::{BURN, ClaimSlot, Position, Stage, Status, state_after},
    host::Snapshot,
};
use opml_vm::testing::Rng;

use super::{
    agents::{Agent, Role},
    lies::Lie,
};
use crate::dispute::{
    batch::{Batched, bond},
    commit::Commit,
    world::{ARITIES, BOND_C, BOND_S, BUDGET, Game, MIN_BLOCKS, STRANGER, SUBMITTER, TRACE_TIME, WINDOW, tier},
};

/// The price of gas at which the bonds of the tests' tiers are sized, in wei.
pub(crate) const PRICE: u64 = 500_000_000;
/// Blocks that a reorganisation may take back.
const DEEPEST: usize = 3;
/// And how many seconds: a chain whose blocks of many minutes are taken back is not one on which clocks mean anything.
const LONGEST: u64 = 45;

/// A dispute as the chain's events tell it.
#[derive(Clone)]
pub(crate) struct Seat {
    pub(crate) state: State,
    pub(crate) challenger: Address,
    /// Neither lost nor settled.
    pub(crate) open: bool,
    /// Ended by its challenger's clock or resignation.
    pub(crate) lost: bool,
    /// The partials that were posted last.
    pub(crate) partials: Vec<i128>,
}

/// A call on its way into a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) from: Address,
    pub(crate) value: u64,
    pub(crate) data: Bytes,
}

impl Call {
    pub(crate) fn new<C: SolCall>(from: Address, value: u64, call: &C) -> Self {
        Self { from, value, data: call.abi_encode().into() }
    }
}

struct Mined {
    before: Snapshot,
    time: u64,
    logs: usize,
    calls: Vec<Call>,
    gas: BTreeMap<Address, u64>,
}

/// How bad the chain is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weather {
    /// Every call is in the next block.
    Fair,
    /// Calls are late, lost, doubled; blocks are taken back; agents crash.
    Foul,
    /// The same, and the chain stops once for longer than a player's whole budget.
    Halting,
}

/// A game in the lab.
pub(crate) struct Sim {
    pub(crate) seed: u64,
    pub(crate) game: Game,
    pub(crate) batched: Option<Batched>,
    pub(crate) truth: Commit,
    pub(crate) lie: Lie,
    pub(crate) agents: Vec<Agent>,
    pub(crate) rng: Rng,
    pub(crate) seats: BTreeMap<B256, Seat>,
    pub(crate) weather: Weather,
    /// Nothing bad happens any more: a budget was used up by a halt, and only the free delay is left.
    calm: bool,
    halted: u64,
    pool: Vec<Call>,
    logs: Vec<Log>,
    blocks: Vec<Mined>,
    pub(crate) started: u64,
    pub(crate) ended: u64,
    doomed: bool,
}

/// What became of a game.
pub(crate) struct Played {
    pub(crate) status: Status,
    /// From the claim to its end, in seconds, less the time that the chain stood still; and the bound.
    pub(crate) delay: u64,
    pub(crate) bound: u64,
    /// In wei: what each account got out less what it put in.
    pub(crate) money: BTreeMap<Address, i128>,
    /// Gas that each account used.
    pub(crate) gas: BTreeMap<Address, u64>,
    /// Weights of the disputes that were open when the claim fell, by challenger.
    pub(crate) weights: BTreeMap<Address, u64>,
    pub(crate) calls: usize,
    /// Disputes that their challengers lost.
    pub(crate) lost: usize,
}

impl Played {
    /// Wei that an account is better off, with the price of its gas.
    pub(crate) fn net(&self, account: Address) -> i128 {
        let gas = self.gas.get(&account).copied().unwrap_or(0);
        self.money.get(&account).copied().unwrap_or(0) - i128::from(gas) * i128::from(PRICE)
    }
}

impl Sim {
    pub(crate) fn new(seed: u64, lie: Lie, tier: u8, batch: bool, weather: Weather, agents: Vec<Agent>) -> Self {
        let (mut game, batched, truth) = if batch {
            let (game, batched, truth) = lie.batch(tier);
            (game, Some(batched), truth)
        } else {
            let (game, truth) = lie.claim(tier);
            (game, None, truth)
        };
        for agent in &agents {
            game.world.host.fund(agent.account, U256::from(10).pow(U256::from(24))).unwrap();
        }
        let started = game.world.host.now();
        Self {
            seed,
            game,
            batched,
            truth,
            lie,
            agents,
            rng: Rng::new(seed ^ 0x1ab),
            seats: BTreeMap::new(),
            weather,
            calm: false,
            halted: 0,
            pool: vec![],
            logs: vec![],
            blocks: vec![],
            started,
            ended: 0,
            doomed: false,
        }
    }

    pub(crate) fn now(&self) -> u64 {
        self.game.world.host.now()
    }

    pub(crate) fn bond_s(&self) -> u64 {
        self.batched.as_ref().map_or(BOND_S, |batched| bond(batched.entries.len()))
    }

    pub(crate) fn delay(&self) -> u64 {
        u64::from(tier(ARITIES[usize::from(self.game.task.tier)]).delay)
    }

    /// The claim's slot; of a leaf that nobody has challenged yet, its batch's.
    pub(crate) fn slot(&mut self) -> ClaimSlot {
        let slot = self.game.slot();
        match &self.batched {
            Some(batched) if slot.status == Status::None => {
                let word = self.game.world.view(&BatchDispute::batchOfCall { batchId: batched.id });
                ClaimSlot { stage: Stage::Undisputed, ..ClaimSlot::unpack(word) }
            }
            _ => slot,
        }
    }

    pub(crate) fn trace_late(&mut self, slot: &ClaimSlot) -> bool {
        slot.stage == Stage::Awaited
            && self.now() > slot.stage_at + TRACE_TIME + self.delay()
            && self.game.world.host.block() >= slot.stage_block + MIN_BLOCKS
    }

    /// Lets `act` look at a dispute through the game's helpers.
    pub(crate) fn seated<R>(&mut self, id: B256, act: impl FnOnce(&mut Game, &Commit, &[i128]) -> R) -> R {
        let Seat { mut state, mut challenger, partials, .. } = self.seats[&id].clone();
        self.game.swap(&mut state, &mut challenger);
        let result = act(&mut self.game, &self.truth, &partials);
        self.game.swap(&mut state, &mut challenger);
        result
    }

    pub(crate) fn position(&mut self, id: B256) -> Position {
        self.seated(id, |game, _, _| game.position())
    }

    /// Plays until the claim is over and everything is withdrawn.
    pub(crate) fn play(mut self) -> Played {
        self.tell(|sim| format!("{:?}, tier {}, {:?}", sim.lie, sim.game.task.tier, sim.weather));
        let mut calls = 0;
        for round in 0.. {
            assert!(round < 20_000, "seed {}: no end", self.seed);
            let busy = self.ask();
            let over = self.slot().status != Status::Pending && self.seats.values().all(|seat| !seat.open);
            if over && self.pool.is_empty() && self.settled_for_good() {
                break;
            }
            self.advance(busy);
            self.ask();
            calls += self.build();
            if self.slot().status != Status::Pending && self.ended == 0 {
                self.ended = self.now();
            }
            self.reorganise();
        }
        self.finish(calls)
    }

    /// No reorganisation can take the end back any more.
    fn settled_for_good(&mut self) -> bool {
        let deep = self.blocks.iter().rev().take(DEEPEST).all(|block| block.calls.is_empty());
        deep || self.weather == Weather::Fair || self.calm
    }

    /// Asks every agent what it wants to send; whether an honest one has something on its way.
    fn ask(&mut self) -> bool {
        for n in 0..self.agents.len() {
            let now = self.now();
            if self.agents[n].down_until > now {
                continue;
            }
            if self.weather != Weather::Fair && !self.calm && self.agents[n].crashes > 0 && self.rng.below(64) == 0 {
                self.agents[n].crashes -= 1;
                self.agents[n].down_until = now + self.rng.below(90);
                self.tell(|sim| format!("{:?} crashes", sim.agents[n].role));
                continue;
            }
            let agent = self.agents[n].clone();
            for call in agent.due(self) {
                if !self.pool.contains(&call) {
                    self.pool.push(call);
                }
            }
        }
        let now = self.now();
        let honest: Vec<Address> =
            self.agents.iter().filter(|agent| agent.role.is_honest()).map(|agent| agent.account).collect();
        let down = self.agents.iter().any(|agent| agent.role.is_honest() && agent.down_until > now);
        down || self.pool.iter().any(|call| honest.contains(&call.from))
    }

    /// Moments at which something becomes legal or illegal.
    fn edges(&mut self) -> BTreeSet<u64> {
        let slot = self.slot();
        let mut edges = BTreeSet::new();
        if slot.status != Status::Pending {
            return edges;
        }
        edges.extend([slot.claimed_at + WINDOW - 1, slot.claimed_at + WINDOW]);
        if slot.stage == Stage::Awaited {
            let edge = slot.stage_at + TRACE_TIME + self.delay();
            edges.extend([edge, edge + 1]);
        }
        for id in self.open_seats() {
            let at = self.position(id);
            let edge = at.turn_start + u64::from(at.delay) + at.budget();
            edges.extend([edge, edge + 1]);
        }
        edges.retain(|&edge| edge > self.now());
        edges
    }

    pub(crate) fn open_seats(&self) -> Vec<B256> {
        self.seats.iter().filter(|(_, seat)| seat.open).map(|(&id, _)| id).collect()
    }

    /// Lets time pass: a block's time while honest players have something to do, else to an edge or some time before it.
    fn advance(&mut self, busy: bool) {
        let now = self.now();
        let mut blocks = 0;
        let mut seconds = 1 + self.rng.below(if self.calm { self.delay() / 4 } else { 12 });
        if self.weather == Weather::Halting && !self.calm && self.rng.below(12) == 0 && self.may_halt() {
            // the chain stands still, and goes on as if the time had passed
            seconds = 2 * BUDGET + TRACE_TIME + self.rng.below(BUDGET);
            self.halted += seconds;
            self.calm = true;
            self.tell(|_| format!("a halt of {seconds} s"));
        } else if !busy {
            let next = self.edges().first().copied().unwrap_or(now + 60);
            seconds = if self.rng.below(4) == 0 { self.rng.below(next - now + 1) } else { next - now };
            blocks = match self.rng.below(8) {
                0 => MIN_BLOCKS - 2,
                _ => seconds / 12 + 1,
            };
        }
        // no edge is leapt over
        if let Some(edge) = self.edges().first().filter(|_| !self.calm || seconds < BUDGET) {
            seconds = seconds.min(edge - now);
        }
        self.game.world.host.warp(seconds);
        self.game.world.host.roll(blocks);
    }

    /// Whether the chain may stand still now: the trace is open, and honest players on turn have just come to it. A turn that began `minBlocks`
    /// or more blocks before a halt has had its chance; a halt longer than the budget loses it (docs/threat-model.md).
    fn may_halt(&mut self) -> bool {
        let (now, block) = (self.now(), self.game.world.host.block());
        let honest = |agents: &[Agent], who| agents.iter().any(|agent| agent.account == who && agent.role.is_honest());
        let down = self.agents.iter().any(|agent| agent.role.is_honest() && agent.down_until > now);
        let fresh = self.open_seats().into_iter().all(|id| {
            let at = self.position(id);
            let on_turn = if at.kind.submitter_turn() { SUBMITTER } else { at.challenger };
            !honest(&self.agents, on_turn) || at.turn_block + 1 >= block
        });
        !down && fresh && self.slot().stage == Stage::Opened
    }

    /// A block of what is in the mempool, in any order.
    fn build(&mut self) -> usize {
        let host = &mut self.game.world.host;
        let (before, time) = (host.snapshot(), host.now());
        let mut mined = Mined { before, time, logs: self.logs.len(), calls: vec![], gas: BTreeMap::new() };
        let mut pool = std::mem::take(&mut self.pool);
        host.hold_block(true);
        let foul = self.weather != Weather::Fair && !self.calm;
        while !pool.is_empty() {
            let call = pool.swap_remove(self.rng.index(pool.len()));
            if foul && self.rng.below(12) == 0 {
                if self.rng.below(2) == 0 {
                    self.pool.push(call);
                }
                continue;
            }
            // a doubled call finds its work done
            let times = if foul && self.rng.below(16) == 0 { 2 } else { 1 };
            for time in 0..times {
                self.include(&call, &mut mined, time == 0);
            }
        }
        self.game.world.host.hold_block(false);
        self.read();
        let count = mined.calls.len();
        self.blocks.push(mined);
        self.probe();
        count
    }

    /// One line of the game's story, with `LAB_TRACE` set.
    fn tell(&self, line: impl FnOnce(&Self) -> String) {
        if std::env::var_os("LAB_TRACE").is_some() {
            let host = &self.game.world.host;
            println!("{:>6} s block {:>4} {}", host.now() - self.started, host.block(), line(self));
        }
    }

    fn include(&mut self, call: &Call, mined: &mut Mined, counts: bool) {
        let dispute = self.game.world.dispute;
        let outcome = self.game.world.host.call(call.from, dispute, U256::from(call.value), call.data.clone());
        let gas = match outcome {
            Ok(receipt) => {
                self.logs.extend(receipt.logs);
                receipt.gas_used
            }
            Err(HostError::Revert { gas_used, .. }) => gas_used,
            Err(error) => panic!("seed {}: {error}", self.seed),
        };
        self.tell(|sim| {
            let name = sim.agents.iter().find(|agent| agent.account == call.from).map(|agent| agent.role);
            format!("{name:?} {} {} gas", alloy_primitives::hex::encode(&call.data[..4]), gas)
        });
        if counts {
            *mined.gas.entry(call.from).or_default() += gas;
            mined.calls.push(call.clone());
        }
        self.read();
        self.check();
    }

    /// Takes the last blocks back; what was in them comes again in another order, or not at all.
    fn reorganise(&mut self) {
        let foul = self.weather != Weather::Fair && !self.calm;
        if !foul || self.blocks.is_empty() || self.rng.below(24) > 0 {
            return;
        }
        let deep = 1 + self.rng.index(DEEPEST.min(self.blocks.len()));
        let (now, height) = (self.now(), self.game.world.host.block());
        for _ in 0..deep {
            let Some(block) = self.blocks.pop_if(|block| block.time + LONGEST >= now) else { break };
            self.game.world.host.restore(&block.before);
            self.logs.truncate(block.logs);
            for call in block.calls {
                if self.rng.below(4) > 0 && !self.pool.contains(&call) {
                    self.pool.push(call);
                }
            }
        }
        self.tell(|_| format!("reorganisation of up to {deep} blocks"));
        // the new blocks are not older than the old ones were
        let host = &mut self.game.world.host;
        host.warp(now.saturating_sub(host.now()));
        host.roll(height.saturating_sub(host.block()));
        self.doomed = false;
        self.read();
        self.check();
        if self.slot().status == Status::Pending {
            self.ended = 0;
        }
    }

    /// The disputes, from the canonical events alone.
    fn read(&mut self) {
        self.seats.clear();
        for log in &self.logs {
            if let Some((id, state)) = state_after(log) {
                let challenger = Position::unpack(&state).unwrap().challenger;
                let seat = self.seats.entry(id).or_insert(Seat {
                    state: state.clone(),
                    challenger,
                    open: true,
                    lost: false,
                    partials: vec![],
                });
                seat.state = state;
            }
            if let Ok(event) = Dispute::PartialsRevealed::decode_log(log) {
                let at = Position::unpack(&event.state).unwrap();
                let m = (at.k1 - at.k0).min(1 << at.arity_log2) as usize;
                let seat = self.seats.get_mut(&event.disputeId).unwrap();
                seat.partials = event.partials.chunks(event.partials.len() / m).map(signed).collect();
            }
            let lost = Dispute::Lost::decode_log(log).map(|event| event.disputeId);
            let settled = Dispute::Settled::decode_log(log).map(|event| event.disputeId);
            for (end, is_lost) in [(lost, true), (settled, false)] {
                if let Ok(id) = end {
                    let seat = self.seats.get_mut(&id).unwrap();
                    (seat.open, seat.lost) = (false, is_lost);
                }
            }
        }
    }

    pub(crate) fn accounts(&self) -> BTreeSet<Address> {
        self.agents.iter().map(|agent| agent.account).chain([SUBMITTER, STRANGER, BURN]).collect()
    }

    /// Invariants 1, 3, 4 and 10 of the protocol, and that a doomed claim falls.
    fn check(&mut self) {
        let seed = self.seed;
        let slot = self.slot();
        let credits: U256 = self.accounts().into_iter().map(|account| self.game.world.credit(account)).sum();
        let open: Vec<Position> =
            self.seats.values().filter(|seat| seat.open).map(|seat| Position::unpack(&seat.state).unwrap()).collect();
        let bond_s = match slot.status {
            Status::Pending => U256::from(self.bond_s()),
            Status::False if slot.open > 0 => U256::from(self.bond_s()) - U256::from(slot.paid),
            _ => U256::ZERO,
        };
        let bonds = U256::from(BOND_C) * U256::from(open.len());
        assert_eq!(self.game.held(), credits + bonds + bond_s, "seed {seed}: money");
        assert_eq!(slot.open, open.len() as u64, "seed {seed}: open disputes");
        if slot.status == Status::Pending {
            let weight: u64 = open.iter().map(|at| u64::from(at.weight)).sum();
            assert_eq!(slot.weight, weight, "seed {seed}: weights");
        }
        let late = slot.status == Status::Pending && self.trace_late(&slot);
        assert!(late || !self.doomed || slot.status == Status::False, "seed {seed}: a late trace came back");
        self.doomed |= late;
        assert!(
            slot.status != Status::False || self.lie != Lie::None || !self.is_defended(),
            "seed {seed}: a right claim fell"
        );
    }

    pub(crate) fn is_defended(&self) -> bool {
        self.agents.iter().any(|agent| agent.role == Role::Submitter)
    }

    /// Invariant 5: in every open dispute exactly one of a move and the timeout is legal.
    fn probe(&mut self) {
        let slot = self.slot();
        if slot.status != Status::Pending || self.rng.below(4) > 0 {
            return;
        }
        let late_trace = self.trace_late(&slot);
        let (now, block) = (self.now(), self.game.world.host.block());
        for id in self.open_seats() {
            let at = self.position(id);
            let waiting = at.version == 0 && slot.stage != Stage::Opened;
            let late = if waiting { late_trace } else { at.late(now, block) };
            let dispute = self.game.world.dispute;
            let timeout = self.seated(id, |game, _, _| {
                let call = Dispute::claimTimeoutCall { state: game.state.clone(), c: game.claim.clone() };
                game.world.host.static_call(STRANGER, dispute, call.abi_encode().into())
            });
            assert_eq!(timeout.is_ok(), late, "seed {}: {at:?} {timeout:?}", self.seed);
            if waiting {
                continue;
            }
            let forged =
                self.agents.iter().find(|agent| agent.account == SUBMITTER).is_some_and(|agent| agent.role.forges());
            let call = self.seated(id, |game, truth, partials| {
                let submitter = at.kind.submitter_turn();
                if submitter {
                    super::agents::answer(game, forged)
                } else {
                    super::agents::attack(game, truth, partials, 0)
                }
            });
            if let Some(call) = call {
                let outcome = self.game.world.host.static_call(call.from, dispute, call.data.clone());
                let refused_late = matches!(&outcome, Err(error) if error.is::<Dispute::Late>());
                assert_eq!(refused_late, late, "seed {}: {at:?} {outcome:?}", self.seed);
                assert!(outcome.is_err() || !late, "seed {}: {at:?}", self.seed);
            }
        }
    }

    /// Everybody withdraws; nothing is left, and every wei is accounted for.
    fn finish(mut self, calls: usize) -> Played {
        let status = self.slot().status;
        let mut money: BTreeMap<Address, i128> = BTreeMap::new();
        *money.entry(SUBMITTER).or_default() -= i128::from(self.bond_s());
        let mut weights: BTreeMap<Address, u64> = BTreeMap::new();
        for seat in self.seats.values() {
            *money.entry(seat.challenger).or_default() -= i128::from(BOND_C);
            let weight = if seat.lost { 0 } else { Position::unpack(&seat.state).unwrap().weight };
            *weights.entry(seat.challenger).or_default() += u64::from(weight);
        }
        for account in self.accounts() {
            let credit = self.game.world.credit(account);
            if credit > U256::ZERO {
                let sent = match account {
                    BURN => self.game.world.send(STRANGER, 0, &Dispute::burnCall {}),
                    _ => self.game.world.send(account, 0, &Dispute::withdrawCall {}),
                };
                sent.unwrap();
                *money.entry(account).or_default() += credit.to::<i128>();
            }
        }
        assert_eq!(self.game.held(), U256::ZERO, "seed {}: something is left", self.seed);
        assert_eq!(money.values().sum::<i128>(), 0, "seed {}: something is missing", self.seed);
        let mut gas: BTreeMap<Address, u64> = BTreeMap::new();
        for (&account, &used) in self.blocks.iter().flat_map(|block| &block.gas) {
            *gas.entry(account).or_default() += used;
        }
        let t = tier(ARITIES[usize::from(self.game.task.tier)]);
        let levels = [40_u32, 35, 40].map(|bits| bits.div_ceil(t.arityLog2.into())).iter().sum::<u32>();
        let turns = u64::from(2 * levels + 4);
        let bound = WINDOW + TRACE_TIME + self.delay() + 2 * BUDGET + turns * self.delay();
        let delay = self.ended - self.started - self.halted.min(self.ended - self.started);
        let lost = self.seats.values().filter(|seat| seat.lost).count();
        Played { status, delay, bound, money, gas, weights, calls, lost }
    }
}

/// A big-endian two's complement number of up to 16 bytes.
fn signed(bytes: &[u8]) -> i128 {
    let fill = if bytes[0] & 0x80 == 0 { 0 } else { 0xff };
    let mut whole = [fill; 16];
    whole[16 - bytes.len()..].copy_from_slice(bytes);
    i128::from_be_bytes(whole)
}

/// An account of the lab.
pub(crate) fn account(name: &str) -> Address {
    Address::from_word(keccak256(name))
}

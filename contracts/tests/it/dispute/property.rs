//! Random schedules of claims, challenges, moves and time, with probes at the edges; PROTOCOL's invariants after every call.

use alloy_primitives::{Address, Bytes, U256};
use alloy_sol_types::SolCall;
use opml_contracts::{
    abi::Dispute::{self, State},
    dispute::{BURN, Kind, Position, Stage, Status},
};
use opml_vm::testing::Rng;

use super::{
    programs::{SUMS, changed, looping},
    world::{BOND_C, BOND_S, CHALLENGER, DELAY, Game, MIN_BLOCKS, RIVAL, STRANGER, SUBMITTER, TRACE_TIME, WINDOW},
};

const ACCOUNTS: [Address; 5] = [SUBMITTER, CHALLENGER, RIVAL, STRANGER, BURN];

struct Seat {
    state: State,
    challenger: Address,
    /// Neither lost nor settled.
    open: bool,
}

struct Play {
    game: Game,
    seats: Vec<Seat>,
    rng: Rng,
    nonce: u16,
    withdrawn: U256,
    paid_in: U256,
    credits: [U256; 5],
    status: Status,
    /// Whether the trace was ever late: then nobody could challenge, so the claim must fall.
    doomed: bool,
}

impl Play {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let sample = looping();
        let lies = rng.below(2) == 0;
        let run = sample.run(3, &mut |t, i, value| {
            if lies && (t, i) == (1, SUMS) {
                *value = changed(value, 7, 1);
            }
        });
        Self {
            game: Game::claimed(&sample, [0, 2, 3][rng.below(3) as usize], run),
            seats: vec![],
            rng,
            nonce: 0,
            withdrawn: U256::ZERO,
            paid_in: U256::from(BOND_S),
            credits: [U256::ZERO; 5],
            status: Status::Pending,
            doomed: false,
        }
    }

    fn seated<R>(&mut self, seat: usize, act: impl FnOnce(&mut Game, &mut Rng) -> R) -> R {
        let Seat { state, challenger, .. } = &mut self.seats[seat];
        self.game.swap(state, challenger);
        let result = act(&mut self.game, &mut self.rng);
        let Seat { state, challenger, .. } = &mut self.seats[seat];
        self.game.swap(state, challenger);
        result
    }

    /// Whether a call would go through now.
    fn probe(&mut self, from: Address, data: Vec<u8>) -> Result<(), opml_contracts::HostError> {
        let dispute = self.game.world.dispute;
        self.game.world.host.static_call(from, dispute, data.into()).map(|_| ())
    }

    /// The move that is due in a dispute, and who sends it; none at a bottom where only proofs are left.
    fn due(game: &mut Game, rng: &mut Rng) -> Option<(Address, Vec<u8>)> {
        let at = game.position();
        let target = game.leaf_number(1, SUMS);
        match at.kind {
            Kind::TraceOpen | Kind::TensorOpen => {
                let levels = at.arity_log2.min(at.height);
                let below = at.height - levels;
                let real = at.leaves.div_ceil(1 << below) - (at.index << levels);
                let aimed = (target >> below).wrapping_sub(at.index << levels);
                let count = real.min(1 << levels);
                let aim = at.kind == Kind::TraceOpen && aimed < count && rng.below(4) > 0;
                let child = if aim { aimed } else { rng.below(count) };
                Some((game.challenger, game.select_call(child).abi_encode()))
            }
            Kind::TraceHidden if at.height == 0 => Some((SUBMITTER, game.reveal_header_call().abi_encode())),
            Kind::TensorHidden if at.height == 0 => Some((SUBMITTER, game.reveal_leaf_call().abi_encode())),
            Kind::TraceHidden | Kind::TensorHidden => Some((SUBMITTER, game.reveal_call().abi_encode())),
            Kind::Leaf if at.leaf % 6 == u64::from(SUMS) => {
                let e = at.index * 32 + 7;
                Some((game.challenger, game.select_element_call(e).abi_encode()))
            }
            Kind::Element | Kind::Slice => {
                let partials = game.partials();
                Some((SUBMITTER, game.reveal_partials_call(&partials).abi_encode()))
            }
            Kind::ElementPartials | Kind::SlicePartials => {
                let m = (at.k1 - at.k0).min(1 << at.arity_log2);
                let partials = game.partials();
                let part = rng.below(m);
                let size = (part + 1) * (at.k1 - at.k0) / m - part * (at.k1 - at.k0) / m;
                let call = Dispute::selectPartialCall {
                    state: game.state.clone(),
                    part: U256::from(part),
                    partials: super::world::encode(&partials),
                };
                (size > 1).then(|| (game.challenger, call.abi_encode()))
            }
            _ => None,
        }
    }

    fn now(&self) -> (u64, u64) {
        (self.game.world.host.now(), self.game.world.host.block())
    }

    fn trace_late(&mut self) -> bool {
        let slot = self.game.slot();
        let (now, block) = self.now();
        let delay = if self.game.task.tier == 1 { 20 } else { DELAY };
        slot.stage == Stage::Awaited
            && now > slot.stage_at + TRACE_TIME + delay
            && block >= slot.stage_block + MIN_BLOCKS
    }

    /// Invariants 5 and 6: in every open dispute exactly one of the due move and the timeout is legal.
    fn probe_all(&mut self) {
        if self.game.slot().status != Status::Pending {
            return;
        }
        let trace_late = self.trace_late();
        let opened = self.game.slot().stage == Stage::Opened;
        let (now, block) = self.now();
        for seat in 0..self.seats.len() {
            if !self.seats[seat].open {
                continue;
            }
            let (timeout, due, at) = self.seated(seat, |game, rng| {
                let timeout =
                    Dispute::claimTimeoutCall { state: game.state.clone(), c: game.claim.clone() }.abi_encode();
                let at = game.position();
                (timeout, if opened { Self::due(game, rng) } else { None }, at)
            });
            let timeout = self.probe(STRANGER, timeout);
            let late = if opened { at.late(now, block) } else { trace_late };
            assert_eq!(timeout.is_ok(), late, "{at:?} {timeout:?}");
            if let Some((sender, data)) = due {
                let outcome = self.probe(sender, data);
                assert_eq!(outcome.is_ok(), !late, "{at:?} {outcome:?}");
                if let Err(error) = outcome {
                    assert!(error.is::<Dispute::Late>());
                }
            }
        }
    }

    /// Invariants 1, 3, 4, 12.
    fn check(&mut self) {
        let slot = self.game.slot();
        let credits = ACCOUNTS.map(|account| self.game.world.credit(account));
        let open: Vec<Position> =
            self.seats.iter().filter(|seat| seat.open).map(|seat| Position::unpack(&seat.state).unwrap()).collect();
        let bonds = U256::from(BOND_C) * U256::from(open.len());
        let bond_s = match slot.status {
            Status::Pending => U256::from(BOND_S),
            Status::False if slot.open > 0 => U256::from(BOND_S) - U256::from(slot.paid),
            _ => U256::ZERO,
        };
        let held = self.game.held();
        assert_eq!(held, credits.iter().sum::<U256>() + bonds + bond_s);
        assert_eq!(self.paid_in, held + self.withdrawn);
        assert_eq!(slot.open, open.len() as u64);
        if slot.status == Status::Pending {
            assert_eq!(slot.weight, open.iter().map(|at| u64::from(at.weight)).sum::<u64>());
        }
        for (now, before) in credits.iter().zip(&self.credits) {
            assert!(now >= before);
        }
        self.credits = credits;
        if self.status != Status::Pending {
            assert_eq!(slot.status, self.status);
        }
        self.status = slot.status;
        let late = slot.status == Status::Pending && self.trace_late();
        assert!(late || !self.doomed || slot.status == Status::False);
        self.doomed |= late;
    }

    fn play_due(&mut self, seat: usize) {
        let before = Position::unpack(&self.seats[seat].state).unwrap();
        let dispute = self.game.world.dispute;
        let moved = self.seated(seat, |game, rng| {
            let (sender, data) = Self::due(game, rng)?;
            let receipt = game.world.host.call(sender, dispute, U256::ZERO, Bytes::from(data)).ok()?;
            game.state = super::world::last_state(&receipt)?;
            Some(())
        });
        if moved.is_some() {
            let after = Position::unpack(&self.seats[seat].state).unwrap();
            // invariant 7
            assert_eq!(after.version, before.version + 1);
            assert!(after.budget_s <= before.budget_s && after.budget_c <= before.budget_c);
            assert!(after.weight >= before.weight);
        }
    }

    /// Lets time pass, often exactly to an edge.
    fn pass(&mut self) {
        let (now, _) = self.now();
        let slot = self.game.slot();
        let mut times = vec![now + self.rng.below(2 * DELAY), now + self.rng.below(1_000)];
        if slot.status == Status::Pending {
            times.extend([slot.claimed_at + WINDOW - 1, slot.claimed_at + WINDOW]);
            if slot.stage == Stage::Awaited {
                times.extend([0, 1].map(|more| slot.stage_at + TRACE_TIME + DELAY + more));
            }
        }
        for seat in 0..self.seats.len() {
            if self.seats[seat].open {
                let at = self.seated(seat, |game, _| game.position());
                let edge = at.turn_start + u64::from(at.delay) + at.budget();
                times.extend([edge, edge + 1]);
            }
        }
        let to = times[self.rng.below(times.len() as u64) as usize];
        if to > now {
            let blocks = match self.rng.below(4) {
                0 => 0,
                1 => MIN_BLOCKS.saturating_sub(1),
                _ => (to - now) / 12 + 1,
            };
            self.game.world.host.warp(to - now);
            self.game.world.host.roll(blocks);
        }
    }

    fn step(&mut self) {
        let seats = self.seats.len() as u64;
        let seat = (seats > 0).then(|| self.rng.below(seats) as usize);
        match self.rng.below(16) {
            0 | 1 => {
                let from = [CHALLENGER, RIVAL, STRANGER, SUBMITTER][self.rng.below(4) as usize];
                if self.seats.len() < 5
                    && let Ok((state, _)) = self.game.world.challenge(from, self.game.id, self.nonce)
                {
                    self.seats.push(Seat { state, challenger: from, open: true });
                    self.paid_in += U256::from(BOND_C);
                    self.nonce += 1;
                }
            }
            2 | 3 => drop(self.game.open_trace()),
            4 | 5 => self.pass(),
            6 => drop(self.game.finalize()),
            7 => {
                let Some(seat) = seat else { return };
                if self.rng.below(4) == 0 {
                    let challenger = self.seats[seat].challenger;
                    if self.seated(seat, |game, _| game.resign(challenger).is_ok()) {
                        self.seats[seat].open = false;
                    }
                }
            }
            8 | 9 => {
                let Some(seat) = seat else { return };
                let turn = self.seated(seat, |game, _| game.position().kind.submitter_turn());
                let waiting = self.game.slot().stage != Stage::Opened;
                if self.seated(seat, |game, _| game.timeout(STRANGER).is_ok()) && !turn && !waiting {
                    self.seats[seat].open = false;
                }
            }
            10 => {
                let account = ACCOUNTS[self.rng.below(5) as usize];
                let amount = self.game.world.credit(account);
                let done = match account {
                    BURN => self.game.world.send(STRANGER, 0, &Dispute::burnCall {}).is_ok(),
                    _ => self.game.world.send(account, 0, &Dispute::withdrawCall {}).is_ok(),
                };
                assert_eq!(done, amount > U256::ZERO);
                self.withdrawn += amount;
                let number = ACCOUNTS.iter().position(|&other| other == account).unwrap();
                self.credits[number] = U256::ZERO;
            }
            11 => {
                let Some(seat) = seat else { return };
                let state = self.seats[seat].state.clone();
                if self.game.settle(&state).is_ok() {
                    assert!(self.seats[seat].open);
                    self.seats[seat].open = false;
                }
            }
            12 => {
                // a proof of the lie, right or wrong, from wherever the dispute is
                let Some(seat) = seat else { return };
                let leaf = self.game.leaf_number(1, SUMS);
                self.seated(seat, |game, _| {
                    let kind = game.position().kind;
                    if matches!(kind, Kind::TraceOpen | Kind::Leaf) {
                        let call = game.prove_element_call(leaf, 7);
                        drop(game.play(STRANGER, &call));
                    }
                });
            }
            _ => {
                let Some(seat) = seat else { return };
                if self.game.slot().stage == Stage::Opened && self.seats[seat].open {
                    self.play_due(seat);
                }
            }
        }
    }

    /// Ends everything, with a keeper.
    fn finish(&mut self) {
        for _ in 0..200 {
            if self.game.slot().status != Status::Pending {
                break;
            }
            self.game.world.host.warp(WINDOW);
            self.game.world.host.roll(100);
            for seat in 0..self.seats.len() {
                if self.seats[seat].open && self.game.slot().status == Status::Pending {
                    let open = self.game.slot().open;
                    drop(self.seated(seat, |game, _| game.timeout(STRANGER)));
                    self.seats[seat].open = self.game.slot().open == open;
                }
            }
            drop(self.game.finalize());
            self.check();
        }
        for seat in 0..self.seats.len() {
            if self.seats[seat].open {
                let state = self.seats[seat].state.clone();
                self.game.settle(&state).unwrap();
                self.seats[seat].open = false;
                self.check();
            }
        }
        for account in ACCOUNTS {
            if self.game.world.credit(account) > U256::ZERO {
                let sent = match account {
                    BURN => self.game.world.send(STRANGER, 0, &Dispute::burnCall {}),
                    _ => self.game.world.send(account, 0, &Dispute::withdrawCall {}),
                };
                sent.unwrap();
            }
        }
        assert_eq!(self.game.held(), U256::ZERO);
        assert_eq!(self.game.slot().open, 0);
    }
}

#[test]
fn money_and_clocks_hold_under_random_schedules() {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(96);
    let mut ends = [0; 2];
    for seed in 0..cases {
        let mut play = Play::new(seed);
        for _ in 0..60 {
            play.step();
            play.check();
            play.probe_all();
        }
        play.finish();
        ends[usize::from(play.game.slot().status == Status::False)] += 1;
    }
    assert!(cases < 50 || ends.iter().all(|&count| count > 5), "{ends:?}");
}

//! Batches of claims: one bond and one slot, any leaf disputable like a single claim.

use alloy_primitives::{Address, B256, Bytes, U256, aliases::U48};
use alloy_sol_types::{SolCall, SolConstructor};
use opml_contracts::{
    HostError,
    abi::{
        BatchDispute::{self, Batch, Entry},
        Dispute::{self, State, Tier},
    },
    batch::{Leaves, batch_id, claim_of},
    dispute::{BURN, ClaimSlot, Kind, Position, Stage, Status, claim_id},
    host::MAX_CODE,
};
use opml_vm::Tensor;

use super::{
    gas::Notes,
    programs::{SMALL, SUMS, Sample, changed, looping},
    world::{
        ARITIES, BOND_C, BOND_S, CHAIN_ID, CHALLENGER, DELAY, Game, Outcome, RIVAL, STRANGER, SUBMITTER, TRACE_TIME,
        WINDOW, World, code, last_state, refused, tier,
    },
};

/// The part of B_s that a leaf asks for, in 1/10,000.
pub(crate) const LEAF_SHARE: u64 = 2_500;
pub(crate) const MOST_LEAVES: u64 = 1_024;

/// What is needed of a batch besides the game about one of its leaves.
pub(crate) struct Batched {
    pub(crate) batch: Batch,
    pub(crate) id: B256,
    pub(crate) entries: Vec<Entry>,
    pub(crate) leaves: Leaves,
    /// The leaf that is the game's claim.
    pub(crate) j: u16,
}

pub(crate) fn bond(count: usize) -> u64 {
    BOND_S.max((u128::from(BOND_S) * u128::from(LEAF_SHARE) * count as u128 / 10_000) as u64)
}

pub(crate) fn deploy_batches(world: &mut World, tiers: Vec<Tier>, most: u64, share: u64) -> Result<Address, HostError> {
    let call = BatchDispute::constructorCall {
        registry: world.dispute,
        verifier: world.verifier,
        tiers: tiers.into_iter().map(|tier| BatchDispute::Tier::abi_decode_from(&tier)).collect(),
        maxLeaves: U256::from(most),
        leafShare: U256::from(share),
    };
    world.host.deploy(STRANGER, &code("BatchDispute", &BatchDispute::BYTECODE), &call.abi_encode())
}

/// The bindings of each contract have a type of their own for the same struct.
trait Same<T>: Sized {
    fn abi_decode_from(other: &T) -> Self;
}

impl Same<Tier> for BatchDispute::Tier {
    fn abi_decode_from(other: &Tier) -> Self {
        use alloy_sol_types::SolValue;
        Self::abi_decode(&other.abi_encode()).unwrap()
    }
}

impl Game {
    /// The same claim again as leaf `j` of a batch of `count` on a contract for batches; the other leaves are of other, honest tasks.
    pub(crate) fn in_batch(mut self, count: u16, j: u16) -> (Self, Batched) {
        let address = deploy_batches(&mut self.world, ARITIES.map(tier).to_vec(), MOST_LEAVES, LEAF_SHARE).unwrap();
        let ours = Entry { taskId: self.claim.taskId, T: self.claim.T, outputHash: self.claim.outputHash };
        let entries: Vec<Entry> = (0..count)
            .map(|n| if n == j { ours.clone() } else { Entry { taskId: self.other_task(n), T: 5, ..ours.clone() } })
            .collect();
        let leaves = Leaves::new(&entries);
        let batch = Batch { root: leaves.root(), submitter: SUBMITTER, nonce: U48::from(7) };
        self.world.dispute = address;
        let call = BatchDispute::claimBatchCall { tier_: self.task.tier, nonce: batch.nonce, entries: entries.clone() };
        self.world.send(SUBMITTER, bond(entries.len()), &call).unwrap();
        self.claim = claim_of(&batch, j, &ours);
        self.id = claim_id(CHAIN_ID, address, &self.claim);
        let id = batch_id(CHAIN_ID, address, &batch);
        (self, Batched { batch, id, entries, leaves, j })
    }

    /// Opens a task that only its number distinguishes.
    fn other_task(&mut self, n: u16) -> B256 {
        let call = Dispute::requestTaskCall {
            modelRoot: self.task.modelRoot,
            inputRoot: B256::with_last_byte(n as u8),
            maxT: 5 + u64::from(n >> 8),
            tier: self.task.tier,
        };
        let dispute = self.world.dispute;
        self.world.host.send(STRANGER, dispute, U256::ZERO, &call).unwrap().0
    }

    fn challenge_leaf(&mut self, b: &Batched, from: Address, j: u16, nonce: u16) -> Result<State, HostError> {
        let call = b.challenge_call(j, nonce);
        let receipt = self.world.send(from, BOND_C, &call)?;
        Ok(last_state(&receipt).unwrap())
    }

    fn batch_slot(&mut self, b: &Batched) -> ClaimSlot {
        ClaimSlot::unpack(self.world.view(&BatchDispute::batchOfCall { batchId: b.id }))
    }

    fn finalize_batch(&mut self, b: &Batched) -> Outcome {
        self.world.send(STRANGER, 0, &b.finalize_call())
    }
}

impl Batched {
    pub(crate) fn challenge_call(&self, j: u16, nonce: u16) -> BatchDispute::challengeCall {
        BatchDispute::challengeCall {
            b: self.batch.clone(),
            j: U256::from(j),
            e: self.entries[usize::from(j)].clone(),
            path: self.leaves.path(j),
            nonce,
        }
    }

    pub(crate) fn finalize_call(&self) -> BatchDispute::finalizeCall {
        BatchDispute::finalizeCall { b: self.batch.clone() }
    }

    fn consume_call(&self, j: u16) -> BatchDispute::consumeCall {
        let call = self.challenge_call(j, 0);
        BatchDispute::consumeCall { b: call.b, j: call.j, e: call.e, path: call.path }
    }
}

impl Batched {
    fn is_final_call(&self, j: u16) -> BatchDispute::isFinalLeafCall {
        let call = self.challenge_call(j, 0);
        BatchDispute::isFinalLeafCall { b: call.b, j: call.j, e: call.e, path: call.path }
    }
}

fn honest(count: u16, j: u16) -> (Game, Batched) {
    let sample = looping();
    Game::claimed(&sample, 0, sample.run(3, &mut |_, _, _| ())).in_batch(count, j)
}

fn lie(sample: &Sample) -> Game {
    let run = sample.run(3, &mut |t, i, value: &mut Tensor| match (t, i) {
        (1, SUMS) => *value = changed(value, 7, 1),
        (2, SMALL) => *value = changed(value, 0, 1),
        _ => (),
    });
    Game::claimed(sample, 0, run)
}

fn lying(count: u16, j: u16) -> (Game, Batched) {
    lie(&looping()).in_batch(count, j)
}

/// The leaf is challenged and its trace opened.
fn opened((mut game, b): (Game, Batched)) -> (Game, Batched) {
    game.state = game.challenge_leaf(&b, CHALLENGER, b.j, 0).unwrap();
    game.open_trace().unwrap();
    (game, b)
}

#[test]
fn the_code_fits_the_limit() {
    let (mut game, _) = honest(1, 0);
    let address = game.world.dispute;
    assert!(game.world.host.code_size(address) <= MAX_CODE);
}

#[test]
fn a_batch_becomes_final_and_each_leaf_is_consumed() {
    for count in [1, 2, 3, 5, 8, 13] {
        let (mut game, b) = honest(count, count / 2);
        assert_eq!(game.batch_slot(&b).status, Status::Pending);
        refused::<BatchDispute::ClaimNotFinal>(game.world.send(STRANGER, 0, &b.consume_call(0)));
        game.world.host.warp(WINDOW - 1);
        refused::<BatchDispute::WindowOpen>(game.finalize_batch(&b));
        game.world.host.warp(1);
        assert!(!game.world.view(&b.is_final_call(0)));
        game.finalize_batch(&b).unwrap();
        refused::<BatchDispute::ClaimNotPending>(game.finalize_batch(&b));
        assert_eq!(game.world.credit(SUBMITTER), U256::from(bond(count.into())));
        for j in 0..count {
            let claim = claim_of(&b.batch, j, &b.entries[usize::from(j)]);
            let id = claim_id(CHAIN_ID, game.world.dispute, &claim);
            assert!(!game.world.view(&BatchDispute::isFinalCall { claimId: id }));
            assert!(game.world.view(&b.is_final_call(j)));
            for _ in 0..2 {
                game.world.send(STRANGER, 0, &b.consume_call(j)).unwrap();
                assert!(game.world.view(&BatchDispute::isFinalCall { claimId: id }));
            }
        }
        refused::<BatchDispute::ClaimNotPending>(game.world.send(CHALLENGER, BOND_C, &b.challenge_call(0, 0)));
    }
}

#[test]
fn a_batch_is_claimed_only_with_open_tasks_right_lengths_and_its_whole_bond() {
    let (mut game, b) = honest(8, 3);
    let claim = |change: &dyn Fn(&mut Vec<Entry>)| {
        let mut entries = b.entries.clone();
        change(&mut entries);
        BatchDispute::claimBatchCall { tier_: 0, nonce: U48::from(9), entries }
    };
    let whole = bond(8);
    assert_eq!(whole, 2 * BOND_S);
    assert_eq!(
        game.world.view(&BatchDispute::bondOfCall { tier_: U256::ZERO, count: U256::from(8) }),
        U256::from(whole)
    );
    let mut send = |value: u64, call: &BatchDispute::claimBatchCall| game.world.send(SUBMITTER, value, call);
    let good = claim(&|_| ());
    refused::<BatchDispute::BadValue>(send(whole - 1, &good));
    refused::<BatchDispute::BadValue>(send(whole + 1, &good));
    refused::<BatchDispute::BadLength>(send(whole, &claim(&|e| e[7].T = 0)));
    refused::<BatchDispute::BadLength>(send(whole, &claim(&|e| e[7].T = 6)));
    refused::<BatchDispute::UnknownTask>(send(whole, &claim(&|e| e[0].taskId = B256::ZERO)));
    refused::<BatchDispute::BadLength>(send(BOND_S, &claim(&|e| e.clear())));
    let other_tier = BatchDispute::claimBatchCall { tier_: 1, nonce: U48::from(10), ..good.clone() };
    refused::<BatchDispute::UnknownTier>(send(whole, &other_tier));
    let no_tier = BatchDispute::claimBatchCall { tier_: 4, nonce: U48::from(10), ..good.clone() };
    refused::<BatchDispute::UnknownTier>(send(whole, &no_tier));
    send(whole, &claim(&|e| e[3].T = 5)).unwrap();
    // a nonce is used once, whatever the batch, and only by its own submitter
    refused::<BatchDispute::IdUsed>(send(whole, &good));
    refused::<BatchDispute::IdUsed>(send(whole, &BatchDispute::claimBatchCall { nonce: U48::from(7), ..good.clone() }));
    for nonce in [8, 7 + 256] {
        send(whole, &BatchDispute::claimBatchCall { nonce: U48::from(nonce), ..good.clone() }).unwrap();
    }
    game.world.send(RIVAL, whole, &good).unwrap();
}

#[test]
fn a_batch_of_a_model_without_a_halt_names_its_whole_length() {
    let sample = super::programs::mlp();
    let game = Game::claimed(&sample, 0, sample.run(1, &mut |_, _, _| ()));
    let mut entry = Entry { taskId: game.claim.taskId, T: 1, outputHash: B256::ZERO };
    let mut world = game.world;
    let address = deploy_batches(&mut world, ARITIES.map(tier).to_vec(), 4, 10_000).unwrap();
    world.dispute = address;
    let call = |entry: &Entry, count, nonce| BatchDispute::claimBatchCall {
        tier_: 0,
        nonce: U48::from(nonce),
        entries: vec![entry.clone(); count],
    };
    world.send(SUBMITTER, 4 * BOND_S, &call(&entry, 4, 0)).unwrap();
    refused::<BatchDispute::BadLength>(world.send(SUBMITTER, 5 * BOND_S, &call(&entry, 5, 1)));
    entry.T = 2;
    refused::<BatchDispute::BadLength>(world.send(SUBMITTER, BOND_S, &call(&entry, 1, 1)));
}

#[test]
fn a_contract_for_batches_has_the_tiers_of_its_registry() {
    let mut world = World::new();
    let mut other = ARITIES.map(tier).to_vec();
    assert!(deploy_batches(&mut world, other.clone(), 0, 1).is_err());
    assert!(deploy_batches(&mut world, other.clone(), 65_537, 1).is_err());
    assert!(deploy_batches(&mut world, other.clone(), 65_536, 0).is_err());
    assert!(deploy_batches(&mut world, other.clone(), 65_536, 10_001).is_err());
    deploy_batches(&mut world, other[..2].to_vec(), 65_536, 10_000).unwrap();
    other[1].window += 1;
    assert!(deploy_batches(&mut world, other.clone(), 1, 1).is_err());
    other[1] = tier(ARITIES[1]);
    other[1].bondC += alloy_primitives::aliases::U96::from(1);
    assert!(deploy_batches(&mut world, other, 1, 1).is_err());
}

#[test]
fn only_the_batches_own_leaves_are_challenged() {
    let (mut game, b) = honest(5, 2);
    let mut send = |call: &BatchDispute::challengeCall| game.world.send(CHALLENGER, BOND_C, call);
    let good = b.challenge_call(2, 0);
    let with = |change: &dyn Fn(&mut BatchDispute::challengeCall)| {
        let mut call = good.clone();
        change(&mut call);
        call
    };
    refused::<BatchDispute::WrongBatch>(send(&with(&|c| c.b.nonce = U48::from(8))));
    refused::<BatchDispute::WrongBatch>(send(&with(&|c| c.b.submitter = RIVAL)));
    refused::<BatchDispute::WrongBatch>(send(&with(&|c| c.b.root = B256::ZERO)));
    refused::<BatchDispute::BadChild>(send(&with(&|c| c.j = U256::from(5))));
    refused::<BatchDispute::BadHash>(send(&with(&|c| c.j = U256::from(3))));
    refused::<BatchDispute::BadHash>(send(&with(&|c| c.e.T = 4)));
    refused::<BatchDispute::BadHash>(send(&with(&|c| c.e.outputHash = B256::ZERO)));
    refused::<BatchDispute::BadHash>(send(&with(&|c| c.path.truncate(2))));
    refused::<BatchDispute::BadHash>(send(&with(&|c| c.path.push(B256::ZERO))));
    // a node is no leaf, and the padding behind the last leaf is none
    refused::<BatchDispute::BadHash>(send(&with(&|c| c.path = vec![b.leaves.root()])));
    send(&good).unwrap();
    send(&b.challenge_call(4, 0)).unwrap();
    refused::<BatchDispute::IdUsed>(send(&good));
    refused::<BatchDispute::BadValue>(game.world.send(CHALLENGER, BOND_C - 1, &b.challenge_call(2, 1)));
    game.world.host.warp(TRACE_TIME + DELAY);
    game.open_trace().unwrap();
    game.world.host.warp(WINDOW);
    refused::<BatchDispute::WindowClosed>(game.world.send(CHALLENGER, BOND_C, &b.challenge_call(0, 1)));
}

#[test]
fn one_false_leaf_fells_the_batch() {
    let (mut game, b) = opened(lying(8, 5));
    let other = game.challenge_leaf(&b, RIVAL, 2, 0).unwrap();
    let leaf = game.leaf_number(1, SUMS);
    game.walk_to_leaf(leaf, 7);
    game.select_element(7).unwrap();
    let mut partials = game.partials();
    partials[3] += 1;
    game.reveal_partials(&partials).unwrap();
    let call = game.prove_slice_call(3, &partials);
    game.play(CHALLENGER, &call).unwrap();
    let slot = game.batch_slot(&b);
    assert_eq!((slot.status, slot.stage, slot.open), (Status::False, Stage::Refuted, 2));
    assert_eq!(game.slot().status, Status::False);
    refused::<BatchDispute::ClaimNotPending>(game.finalize_batch(&b));
    refused::<BatchDispute::ClaimNotFinal>(game.world.send(STRANGER, 0, &b.consume_call(0)));
    // bonds by weight, of the whole batch's bond
    let pot = u128::from(bond(8) - bond(8) / 2);
    let weights = [&game.state, &other].map(|state| u128::from(Position::unpack(state).unwrap().weight));
    assert_eq!(weights.iter().sum::<u128>(), u128::from(slot.weight));
    let mine = game.state.clone();
    game.settle(&mine).unwrap();
    refused::<BatchDispute::WrongState>(game.settle(&mine));
    game.settle(&other).unwrap();
    for (account, weight) in [(CHALLENGER, weights[0]), (RIVAL, weights[1])] {
        let share = pot * weight / u128::from(slot.weight);
        assert_eq!(game.world.credit(account), U256::from(u128::from(BOND_C) + share));
    }
    let paid = game.world.credit(CHALLENGER) + game.world.credit(RIVAL);
    assert_eq!(game.world.credit(BURN) + paid, U256::from(bond(8) + 2 * BOND_C));
    assert_eq!(game.held(), game.world.credit(BURN) + paid);
}

#[test]
fn leaves_have_traces_and_clocks_of_their_own() {
    let (mut game, b) = honest(4, 1);
    game.state = game.challenge_leaf(&b, CHALLENGER, 1, 0).unwrap();
    game.world.pass(TRACE_TIME);
    let second = game.challenge_leaf(&b, RIVAL, 2, 0).unwrap();
    let id = Position::unpack(&second).unwrap().claim_id;
    assert_ne!(id, game.id);
    game.open_trace().unwrap();
    let slots = [game.slot(), game.world.slot(id)];
    assert_eq!(slots.map(|slot| slot.stage), [Stage::Opened, Stage::Awaited]);
    assert_eq!(slots.map(|slot| slot.open), [2, 2]);
    assert_eq!(slots.map(|slot| slot.leaves), [18, 30]);
    assert_ne!(game.world.view(&BatchDispute::traceRootOfCall { claimId: game.id }), B256::ZERO);
    assert_eq!(game.world.view(&BatchDispute::traceRootOfCall { claimId: id }), B256::ZERO);
    // the second trace is late by its own clock, which began later
    game.world.pass(DELAY + 1);
    let mine = std::mem::replace(&mut game.state, second);
    let claim = std::mem::replace(&mut game.claim, claim_of(&b.batch, 2, &b.entries[2]));
    refused::<BatchDispute::NotLate>(game.timeout(STRANGER));
    game.world.pass(TRACE_TIME - 1);
    refused::<BatchDispute::NotLate>(game.timeout(STRANGER));
    game.world.pass(1);
    refused::<BatchDispute::TraceIsLate>(game.world.send(STRANGER, BOND_C, &b.challenge_call(2, 0)));
    refused::<BatchDispute::TraceIsLate>(game.resign(RIVAL));
    game.timeout(STRANGER).unwrap();
    assert_eq!(game.batch_slot(&b).status, Status::False);
    let late = std::mem::replace(&mut game.state, mine);
    game.claim = claim;
    let state = game.state.clone();
    game.settle(&state).unwrap();
    game.settle(&late).unwrap();
    assert_eq!(game.batch_slot(&b).open, 0);
}

#[test]
fn fault_a_resigned_challenge_of_a_leaf_closes_its_window() {
    // While another leaf is disputed, a liar's own challenger resigns from this one: its trace clock must not run on with nobody waiting.
    let (mut game, b) = lying(4, 1);
    let other = game.challenge_leaf(&b, RIVAL, 3, 0).unwrap();
    game.state = game.challenge_leaf(&b, RIVAL, 1, 0).unwrap();
    let second = game.challenge_leaf(&b, RIVAL, 1, 1).unwrap();
    game.resign(RIVAL).unwrap();
    assert_eq!((game.slot().stage, game.slot().open), (Stage::Awaited, 2));
    game.state = second;
    game.resign(RIVAL).unwrap();
    assert_eq!((game.slot().stage, game.slot().open), (Stage::Undisputed, 1));
    game.world.pass(TRACE_TIME + DELAY + 1);
    game.state = game.challenge_leaf(&b, CHALLENGER, 1, 0).unwrap();
    assert_eq!(game.slot().stage, Stage::Awaited);
    game.world.pass(TRACE_TIME + DELAY + 1);
    game.timeout(CHALLENGER).unwrap();
    assert_eq!((game.batch_slot(&b).status, game.batch_slot(&b).stage), (Status::False, Stage::Awaited));
    let state = game.state.clone();
    game.settle(&state).unwrap();
    game.settle(&other).unwrap();
}

#[test]
fn a_false_challenge_of_a_leaf_is_lost_and_the_batch_goes_on() {
    let (mut game, b) = opened(honest(3, 1));
    game.select(0).unwrap();
    game.reveal().unwrap();
    game.world.pass(WINDOW);
    refused::<BatchDispute::DisputesOpen>(game.finalize_batch(&b));
    game.timeout(STRANGER).unwrap();
    let slot = game.batch_slot(&b);
    assert_eq!((slot.status, slot.open, slot.weight, slot.leaves), (Status::Pending, 0, 0, 3));
    game.finalize_batch(&b).unwrap();
    assert_eq!(game.world.credit(SUBMITTER), U256::from(bond(3) + BOND_C - BOND_C / 4));
    assert_eq!(game.world.credit(BURN), U256::from(BOND_C / 4));
    // the disputed leaf's trace was open long enough, the others' were never shown
    assert!(game.world.view(&BatchDispute::isRootAuthoritativeCall { claimId: game.id }));
    game.world.send(STRANGER, 0, &b.consume_call(0)).unwrap();
    let claim = claim_of(&b.batch, 0, &b.entries[0]);
    let id = claim_id(CHAIN_ID, game.world.dispute, &claim);
    assert!(!game.world.view(&BatchDispute::isRootAuthoritativeCall { claimId: id }));
}

#[test]
fn every_kind_of_position_is_reached_in_a_batch() {
    let (mut game, _) = opened(honest(2, 0));
    let leaf = game.leaf_number(1, SUMS);
    game.walk_to_leaf(leaf, 7);
    assert_eq!(game.position().kind, Kind::Leaf);
    game.select_element(7).unwrap();
    let partials = game.partials();
    game.reveal_partials(&partials).unwrap();
    game.select_partial(2, &partials).unwrap();
    let partials = game.partials();
    game.reveal_partials(&partials).unwrap();
    assert_eq!(game.position().kind, Kind::SlicePartials);
    let call = game.prove_slice_call(0, &partials);
    refused::<BatchDispute::NoContradiction>(game.play(CHALLENGER, &call));
}

/// Gas of whole transactions by leaves: of claiming the batch, of finalising it, and of consuming a leaf.
const GAS: [(&str, u64); 9] = [
    ("1 leaf: claim", 62_544),
    ("1 leaf: finalize", 53_484),
    ("1 leaf: consume", 54_423),
    ("16 leaves: claim", 147_676),
    ("16 leaves: finalize", 53_480),
    ("16 leaves: consume", 57_431),
    ("256 leaves: claim", 1_504_294),
    ("256 leaves: finalize", 53_480),
    ("256 leaves: consume", 60_415),
];

#[test]
fn a_batch_costs_what_it_did() {
    let mut notes = Notes::default();
    for (n, count) in [1_u16, 16, 256].into_iter().enumerate() {
        let (mut game, mut b) = honest(count, 0);
        // the submitter's second batch: its nonces are warm
        b.batch.nonce = U48::from(8);
        b.id = batch_id(CHAIN_ID, game.world.dispute, &b.batch);
        let call = BatchDispute::claimBatchCall { tier_: 0, nonce: b.batch.nonce, entries: b.entries.clone() };
        let mut note = |part: usize, receipt: &opml_contracts::Receipt| {
            let name = GAS[3 * n + part].0;
            println!("{name}: {} gas, {} a leaf", receipt.gas_used, receipt.gas_used / u64::from(count));
            notes.note(name, receipt);
        };
        note(0, &game.world.send(SUBMITTER, bond(count.into()), &call).unwrap());
        game.world.pass(WINDOW);
        note(1, &game.finalize_batch(&b).unwrap());
        note(2, &game.world.send(STRANGER, 0, &b.consume_call(count - 1)).unwrap());
    }
    notes.are(&GAS);
}

#[test]
fn a_dispute_over_a_leaf_costs_little_more_than_over_a_single_claim() {
    let play = |game: &mut Game| {
        let leaf = game.leaf_number(1, SUMS);
        game.walk_to_leaf(leaf, 7);
        let receipt = game.select_element(7).unwrap();
        let call = Bytes::from(game.prove_lie_slice().abi_encode());
        let dispute = game.world.dispute;
        (receipt.gas_used, game.world.host.call(CHALLENGER, dispute, U256::ZERO, call).unwrap().gas_used)
    };
    let mut single = lie(&looping()).opened();
    let (mut batched, _) = opened(lying(64, 9));
    let (single, batched) = (play(&mut single), play(&mut batched));
    assert!(batched.0 < single.0 + 12_000 && batched.1 < single.1 + 12_000, "{single:?} {batched:?}");
}

impl Game {
    /// Posts partials of which the third is wrong, and gives the proof of that.
    fn prove_lie_slice(&mut self) -> Dispute::proveSliceCall {
        let mut partials = self.partials();
        partials[3] += 1;
        self.reveal_partials(&partials).unwrap();
        self.prove_slice_call(3, &partials)
    }
}

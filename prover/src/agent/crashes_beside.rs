//! The agents of [`super::crashes`] on batches, and on claims that a committee attends to: killed at every call, they come to the same end.
#![allow(clippy::unwrap_used, reason = "tests")]

use alloy_primitives::{Address, U256, Uint, keccak256};
use alloy_sol_types::{SolConstructor as _, SolValue as _};
use opml_contracts::{
    abi::{
        Attention::{self, Terms},
        BatchDispute::{self, Entry},
        Dispute,
    },
    attention::commitment,
    batch::Leaves,
};

use super::{
    Role,
    attention::salt_purpose,
    crashes::{CHALLENGER, Plot, SUBMITTER, World, ether, kill_everywhere},
    local::wallet,
};
use crate::{
    chain::{ETHER, bond_of_challenger, tier},
    network::view,
};

const BOTH: [Role; 2] = [Role::Submitter, Role::Challenger];
/// Leaves of a batch; of a liar's, the one in the middle is wrong.
const LEAVES: u8 = 3;

fn submitter() -> Address {
    wallet(SUBMITTER).account()
}

fn challenger() -> Address {
    wallet(CHALLENGER).account()
}

/// A batch's bond: a quarter of a claim's for each leaf, and at least one claim's.
fn bond() -> U256 {
    ether(10)
}

/// A batch of three answers to one task.
fn batch(lies: bool) -> World {
    let plot = Plot::new(lies);
    let (mut world, task) = World::with_task(&plot);
    let place = world.chain.place;
    let constructor = BatchDispute::constructorCall {
        registry: place.dispute,
        verifier: view(&world.chain, place.dispute, &Dispute::verifierCall {}).unwrap(),
        tiers: vec![BatchDispute::Tier::abi_decode(&tier(1).abi_encode()).unwrap()],
        maxLeaves: U256::from(4),
        leafShare: U256::from(2_500),
    };
    let contract = world.chain.put(&BatchDispute::BYTECODE, &constructor.abi_encode());
    world.chain.place.batches = Some(contract);
    let entry = |leaf: u8| {
        let own = plot.told(leaf == 1);
        let output = own.output(plot.program.output()).unwrap();
        Entry { taskId: task, T: own.length(), outputHash: keccak256(output) }
    };
    let count = U256::from(LEAVES);
    assert_eq!(view(&world.chain, contract, &BatchDispute::bondOfCall { tier_: U256::ZERO, count }).unwrap(), bond());
    let entries = (0..LEAVES).map(entry).collect();
    let call = BatchDispute::claimBatchCall { tier_: 0, nonce: Uint::ZERO, entries };
    world.chain.sent_to(contract, submitter(), bond(), &call);
    world
}

/// An honest batch, one of whose leaves is challenged by somebody who is silent then.
fn challenged_batch() -> World {
    let world = batch(false);
    let book = world.book();
    let batched = book.batches.values().next().unwrap();
    let call = BatchDispute::challengeCall {
        b: batched.batch.clone(),
        j: U256::from(1),
        e: batched.entries[1].clone(),
        path: Leaves::new(&batched.entries).path(1),
        nonce: 7,
    };
    world.chain.sent_to(batched.home, challenger(), U256::from(bond_of_challenger()), &call);
    world
}

/// A right claim, about whose trace a committee of one, the challenger, is asked.
fn attended() -> World {
    let plot = Plot::new(false);
    let root = plot.told(false).root().into();
    let mut world = World::of(plot);
    let place = world.chain.place;
    let hour = 3_600;
    // Who dies loses some rounds, and must still show its trace in time.
    world.idle = 3_600;
    let terms = Terms {
        tier: 0,
        respond: 4 * hour,
        reveal: 6 * hour,
        deposit: Uint::from(ETHER / 5),
        fee: Uint::from(ETHER / 10),
        bond: Uint::from(ETHER / 2),
        checkCost: Uint::from(1_000),
        answerCost: Uint::from(1_000),
    };
    let value = U256::from(terms.fee) + U256::from(terms.bond);
    let constructor = Attention::constructorCall { claims_: place.dispute, t: terms, members: vec![challenger()] };
    let contract = world.chain.put(&Attention::BYTECODE, &constructor.abi_encode());
    world.chain.place.attention = Some(contract);
    world.chain.sent_to(contract, challenger(), ether(2), &Attention::joinCall {});
    let book = world.book();
    let (&id, claimed) = book.claims.iter().next().unwrap();
    let c = Attention::Claim::abi_decode(&claimed.claim.abi_encode()).unwrap();
    let salt = wallet(SUBMITTER).salt(&salt_purpose(id));
    let call = Attention::askCall { c, commitment: commitment(id, root, salt) };
    world.chain.sent_to(contract, submitter(), value, &call);
    world
}

#[test]
fn a_challenger_of_a_batch_may_die_at_every_call() {
    let ended = kill_everywhere(|| batch(true), &BOTH, Role::Challenger, true);
    assert_eq!(ended.balances, [ether(90), ether(105), ether(5)]);
    assert_eq!(ended.sent.map(|(_, failed)| failed), [0, 0], "{ended:?}");
}

#[test]
fn a_submitter_of_a_batch_may_die_at_every_call() {
    let ended = kill_everywhere(|| batch(true), &BOTH, Role::Submitter, true);
    assert_eq!(ended.balances, [ether(90), ether(105), ether(5)]);
}

#[test]
fn an_honest_submitter_of_a_batch_may_die_at_every_call() {
    let ended = kill_everywhere(challenged_batch, &[Role::Submitter], Role::Submitter, true);
    let quarter = U256::from(bond_of_challenger() / 4);
    assert_eq!(ended.balances, [ether(100) + quarter * U256::from(3), ether(99), quarter]);
    assert_eq!(ended.sent[0].1, 0, "{ended:?}");
}

#[test]
fn a_member_of_the_committee_may_die_at_every_call() {
    // Both end the check; whoever is later does so in vain.
    let ended = kill_everywhere(attended, &BOTH, Role::Challenger, false);
    assert_eq!(ended.balances, [ether(99), ether(99), ether(2)]);
}

#[test]
fn a_submitter_that_asks_for_attention_may_die_at_every_call() {
    let ended = kill_everywhere(attended, &BOTH, Role::Submitter, false);
    assert_eq!(ended.balances, [ether(99), ether(99), ether(2)]);
}

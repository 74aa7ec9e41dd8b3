//! Callbacks: what is brought when, that none is repeated, and that no callee stops or starves anything.

use alloy_primitives::{Address, Bytes, U256};
use alloy_sol_types::SolCall;
use opml_contracts::abi::{AIOracle, Dispute};

use crate::dispute::{
    money::{Puppet, puppet},
    world::{BOND_S, Outcome, STRANGER, refused},
};

use super::world::{
    ALICE, BOB, CAROL, FEE, GAS_PRICE, Hostile, OaoConsumer, Oracle, RIGHT, TTL, WRONG, events, parts, theirs,
};

const OPTIMISTIC: u8 = 0;
const FINAL: u8 = 1;
const CONFIRMED: u8 = 2;
const GAS: u64 = 200_000;

fn wei(amount: u64) -> U256 {
    U256::from(amount)
}

/// Output that a consumer has, number of calls, and whether the last one was final.
fn kept(oracle: &mut Oracle, consumer: Address, id: U256) -> (Bytes, u64, bool) {
    let host = &mut oracle.world.host;
    let answer = host.view(consumer, &OaoConsumer::answersCall { requestId: id }).unwrap();
    let calls = host.view(consumer, &OaoConsumer::callsCall {}).unwrap();
    (answer, calls.to(), host.view(consumer, &OaoConsumer::lastWasFinalCall {}).unwrap())
}

/// A consumer that has asked in a mode, through a puppet of the same callback: the consumer's own request is always optimistic.
fn asked(oracle: &mut Oracle, mode: u8, deed: u8) -> (Address, U256) {
    let hostile = oracle.hostile(deed, vec![]);
    let id = oracle.ask_in_mode(ALICE, hostile, GAS, mode);
    (hostile, id)
}

fn calls(oracle: &mut Oracle, hostile: Address) -> u64 {
    oracle.world.host.view(hostile, &Hostile::callsCall {}).unwrap().to()
}

fn asked_by_consumer(oracle: &mut Oracle) -> (Address, U256) {
    let consumer = oracle.consumer();
    let model = oracle.model;
    let call = OaoConsumer::askCall { modelId: model, prompt: super::world::INPUT.into() };
    let id = oracle.world.host.send(ALICE, consumer, wei(FEE + GAS_PRICE * GAS), &call).unwrap().0;
    (consumer, id)
}

fn delivered(outcome: &Outcome) -> Vec<(bool, bool)> {
    events::<AIOracle::Delivered>(outcome).iter().map(|event| (event.last, event.succeeded)).collect()
}

#[test]
fn an_optimistic_answer_that_falls_is_replaced_by_a_second_callback() {
    let mut oracle = Oracle::new();
    let (consumer, id) = asked_by_consumer(&mut oracle);
    let lie = oracle.answers(CAROL, id, WRONG);
    assert_eq!(kept(&mut oracle, consumer, id), (WRONG.into(), 1, false));
    assert_eq!(oracle.credit(CAROL), wei(GAS_PRICE * GAS), "the gas of the callback");
    let right = oracle.answers(BOB, id, RIGHT);
    assert_eq!(kept(&mut oracle, consumer, id).1, 1, "only the first one is brought at once");
    oracle.fell(&lie);
    oracle.stands(&right);
    let outcome = oracle.update(STRANGER, id, RIGHT);
    assert_eq!(delivered(&outcome), [(true, true)]);
    assert_eq!(events::<AIOracle::AICallbackResult>(&outcome).len(), 1);
    assert_eq!(kept(&mut oracle, consumer, id), (RIGHT.into(), 2, true));
    for again in [RIGHT, WRONG] {
        refused::<AIOracle::AlreadyDelivered>(oracle.update(STRANGER, id, again));
    }
    assert_eq!(kept(&mut oracle, consumer, id).1, 2);
}

#[test]
fn an_optimistic_answer_that_falls_and_has_no_successor_is_taken_back() {
    let mut oracle = Oracle::new();
    let (consumer, id) = asked_by_consumer(&mut oracle);
    let lie = oracle.answers(CAROL, id, WRONG);
    oracle.fell(&lie);
    oracle.world.pass(TTL);
    let outcome = oracle.refund(id);
    assert_eq!(delivered(&outcome), [(true, true)]);
    assert_eq!(kept(&mut oracle, consumer, id), (Bytes::new(), 2, false));
    assert_eq!(oracle.credit(consumer), wei(FEE), "the gas is spent");
}

#[test]
fn modes_differ_in_when_they_call() {
    for (mode, first, last) in [(OPTIMISTIC, 1, 1), (FINAL, 0, 1), (CONFIRMED, 1, 2)] {
        let mut oracle = Oracle::new();
        let (hostile, id) = asked(&mut oracle, mode, 0);
        let claim = oracle.answers(BOB, id, RIGHT);
        assert_eq!(calls(&mut oracle, hostile), first, "mode {mode}");
        oracle.stands(&claim);
        oracle.update(STRANGER, id, RIGHT).unwrap();
        assert_eq!(calls(&mut oracle, hostile), last, "mode {mode}");
        let payee = if mode == FINAL { STRANGER } else { BOB };
        let fee = if mode == FINAL { 0 } else { parts(FEE).1 };
        assert_eq!(oracle.credit(payee), wei(fee + GAS_PRICE * GAS), "mode {mode}");
    }
}

#[test]
fn a_node_of_oao_answers_by_request_and_output_alone() {
    let mut oracle = Oracle::new();
    let (hostile, id) = asked(&mut oracle, OPTIMISTIC, 0);
    let invoke = |id, output: &[u8]| AIOracle::invokeCallbackCall { requestId: id, output: output.to_vec().into() };
    refused::<AIOracle::UnknownRequest>(oracle.send(BOB, 0, &invoke(id + U256::from(1), RIGHT)));
    refused::<AIOracle::NoSuchClaim>(oracle.send(BOB, 0, &invoke(id, RIGHT)));
    // The node's claim has the request's number.
    let claim = Dispute::Claim { nonce: id.to(), ..oracle.prepared(BOB, id, RIGHT) };
    oracle.make(&claim, RIGHT);
    refused::<AIOracle::NoSuchClaim>(oracle.send(CAROL, 0, &invoke(id, RIGHT)));
    refused::<AIOracle::NoSuchClaim>(oracle.send(BOB, 0, &invoke(id, WRONG)));
    oracle.send(BOB, 0, &invoke(id, RIGHT)).unwrap();
    refused::<AIOracle::AlreadyRegistered>(oracle.send(BOB, 0, &invoke(id, RIGHT)));
    assert_eq!(calls(&mut oracle, hostile), 1);
    oracle.stands(&claim);
    oracle.update(STRANGER, id, RIGHT).unwrap();
    assert!(oracle.is_final(id));
}

#[test]
fn no_callee_stops_an_answer_or_the_fee() {
    for deed in 1..5 {
        let mut oracle = Oracle::new();
        let (hostile, id) = asked(&mut oracle, OPTIMISTIC, deed);
        let claim = oracle.claim(BOB, id, RIGHT);
        let outcome = oracle.answer(id, &claim, RIGHT);
        // A large answer is no failure; nobody reads it.
        let succeeded = deed == 3;
        assert_eq!(delivered(&outcome), [(false, succeeded)], "deed {deed}");
        assert!(outcome.unwrap().gas_used < 650_000, "deed {deed}");
        oracle.stands(&claim);
        let outcome = oracle.update(STRANGER, id, RIGHT);
        assert_eq!(delivered(&outcome), if succeeded { vec![] } else { vec![(true, false)] }, "deed {deed}");
        assert!(oracle.is_final(id));
        assert_eq!(oracle.credit(BOB), wei(parts(FEE).1 + GAS_PRICE * GAS));
        assert_eq!(calls(&mut oracle, hostile), 0);
    }
}

#[test]
fn a_failed_delivery_may_be_retried_once_by_who_asked() {
    let mut oracle = Oracle::new();
    let (hostile, id) = asked(&mut oracle, FINAL, 1);
    let claim = oracle.answers(BOB, id, RIGHT);
    let retry = AIOracle::retryCall { requestId: id, output: RIGHT.into() };
    refused::<AIOracle::NothingToRetry>(oracle.send(ALICE, 0, &retry));
    oracle.stands(&claim);
    oracle.update(STRANGER, id, RIGHT).unwrap();
    refused::<AIOracle::NotAllowed>(oracle.send(STRANGER, 0, &retry));
    let wrong = AIOracle::retryCall { requestId: id, output: WRONG.into() };
    refused::<AIOracle::WrongOutput>(oracle.send(ALICE, 0, &wrong));
    oracle.instruct(hostile, 0, vec![]);
    let outcome = oracle.send(ALICE, 0, &retry);
    assert_eq!(delivered(&outcome), [(true, true)]);
    assert_eq!(calls(&mut oracle, hostile), 1);
    refused::<AIOracle::NothingToRetry>(oracle.send(ALICE, 0, &retry));
}

#[test]
fn a_retry_that_fails_is_the_last() {
    let mut oracle = Oracle::new();
    let (_, id) = asked(&mut oracle, FINAL, 1);
    let claim = oracle.answers(BOB, id, RIGHT);
    oracle.stands(&claim);
    oracle.update(STRANGER, id, RIGHT).unwrap();
    let retry = AIOracle::retryCall { requestId: id, output: RIGHT.into() };
    assert_eq!(delivered(&oracle.send(ALICE, 0, &retry)), [(true, false)]);
    refused::<AIOracle::NothingToRetry>(oracle.send(ALICE, 0, &retry));
}

#[test]
fn nothing_is_retried_inside_a_delivery() {
    let mut oracle = Oracle::new();
    let (hostile, id) = asked(&mut oracle, OPTIMISTIC, 1);
    let claim = oracle.answers(BOB, id, RIGHT);
    let retry = AIOracle::retryCall { requestId: id, output: RIGHT.into() };
    oracle.instruct(hostile, 5, vec![retry.abi_encode().into()]);
    oracle.stands(&claim);
    // The first call has failed; inside the second the callee asks for a third.
    assert_eq!(delivered(&oracle.update(STRANGER, id, RIGHT)), [(true, true)]);
    assert_eq!(calls(&mut oracle, hostile), 1);
    assert!(!oracle.world.host.view(hostile, &Hostile::reenteredCall {}).unwrap());
}

#[test]
fn what_succeeded_is_never_retried() {
    let mut oracle = Oracle::new();
    let (hostile, id) = asked(&mut oracle, OPTIMISTIC, 0);
    let claim = oracle.answers(BOB, id, RIGHT);
    oracle.stands(&claim);
    oracle.update(STRANGER, id, RIGHT).unwrap();
    refused::<AIOracle::NothingToRetry>(oracle.send(
        ALICE,
        0,
        &AIOracle::retryCall { requestId: id, output: RIGHT.into() },
    ));
    assert_eq!(calls(&mut oracle, hostile), 1);
}

/// The puppet delivers with so much gas; what the callee saw, if it was called.
fn with_gas(limit: u64) -> (Option<u64>, bool) {
    let mut oracle = Oracle::new();
    let (hostile, id) = asked(&mut oracle, FINAL, 0);
    let claim = oracle.answers(BOB, id, RIGHT);
    oracle.stands(&claim);
    let puppet = puppet(&mut oracle.world);
    let data = AIOracle::updateResultCall { requestId: id, output: RIGHT.into() }.abi_encode();
    let to = oracle.at;
    let act = Puppet::actCall { to, value: U256::ZERO, limit: wei(limit), data: data.into() };
    let outcome = oracle.world.host.send(STRANGER, puppet, U256::ZERO, &act).map(|(_, receipt)| receipt);
    let Ok(receipt) = outcome else { return (None, false) };
    let succeeded = delivered(&Ok(receipt)) == [(true, true)];
    let seen = oracle.world.host.view(hostile, &Hostile::gasSeenCall {}).unwrap();
    (Some(seen.to()), succeeded)
}

#[test]
fn a_callee_gets_the_gas_it_asked_for_or_the_delivery_is_refused() {
    let (mut low, mut high) = (GAS, 1_000_000);
    while high - low > 1 {
        let middle = u64::midpoint(low, high);
        match with_gas(middle).0 {
            Some(_) => high = middle,
            None => low = middle,
        }
    }
    // At the very edge the callee still has everything, less the dispatch of its own.
    for limit in [high, high + 1, high + 63, high + 5_000, 1_000_000] {
        let (seen, succeeded) = with_gas(limit);
        assert!(succeeded && seen.unwrap() > GAS - 1_000 && seen.unwrap() <= GAS, "{limit}: {seen:?}");
    }
}

#[test]
fn a_callee_that_comes_back_finds_everything_decided() {
    let mut oracle = Oracle::new();
    let id = wei(1);
    let update = AIOracle::updateResultCall { requestId: id, output: RIGHT.into() }.abi_encode();
    let invoke = AIOracle::invokeCallbackCall { requestId: id, output: RIGHT.into() }.abi_encode();
    let retry = AIOracle::retryCall { requestId: id, output: RIGHT.into() }.abi_encode();
    let settle = AIOracle::settleFeeCall { requestId: id }.abi_encode();
    let refund = AIOracle::refundCall { requestId: id }.abi_encode();
    let withdraw = AIOracle::withdrawCall {}.abi_encode();
    let again = [update, invoke, retry, settle, refund, withdraw].map(Bytes::from).to_vec();
    let hostile = oracle.hostile(5, again);
    assert_eq!(oracle.ask_in_mode(ALICE, hostile, 2_000_000, CONFIRMED), id);
    let claim = oracle.answers(BOB, id, RIGHT);
    let reentered = |oracle: &mut Oracle| oracle.world.host.view(hostile, &Hostile::reenteredCall {}).unwrap();
    assert!(!reentered(&mut oracle));
    oracle.stands(&claim);
    oracle.update(STRANGER, id, RIGHT).unwrap();
    assert!(!reentered(&mut oracle));
    assert_eq!(calls(&mut oracle, hostile), 2);
    let (share, rest) = parts(FEE);
    assert_eq!((oracle.revenue(), oracle.credit(BOB)), (wei(share), wei(rest + GAS_PRICE * 2_000_000)));
}

#[test]
fn a_callee_may_ask_again_inside_its_callback() {
    let mut oracle = Oracle::new();
    let again = AIOracle::requestCallback_0Call { gasLimit: 0, ..oracle.request_call(Address::ZERO, 0) };
    // The callee has no money for it, so its request is refused, and the answer is brought all the same.
    let hostile = oracle.hostile(5, vec![again.abi_encode().into()]);
    let id = oracle.ask_in_mode(ALICE, hostile, 500_000, OPTIMISTIC);
    oracle.answers(BOB, id, RIGHT);
    assert_eq!(calls(&mut oracle, hostile), 1);
    assert_eq!(oracle.view(&AIOracle::requestCountCall {}), id);
}

#[test]
fn payees_that_refuse_or_come_back_hurt_only_themselves() {
    let mut oracle = Oracle::new();
    let payee = puppet(&mut oracle.world);
    let withdraw: Bytes = AIOracle::withdrawCall {}.abi_encode().into();
    let model = oracle.model;
    let id = oracle.ask(ALICE, Address::ZERO, 0);
    // The puppet is the submitter.
    let claim = oracle.prepared(payee, id, RIGHT);
    let make = Dispute::claimCall { taskId: claim.taskId, T: 1, nonce: claim.nonce, output: RIGHT.into() };
    let to = oracle.world.dispute;
    let act = Puppet::actCall { to, value: wei(BOND_S), limit: wei(1_000_000), data: make.abi_encode().into() };
    oracle.world.host.send(STRANGER, payee, wei(BOND_S), &act).unwrap();
    let call = AIOracle::answerCall { requestId: id, c: theirs(&claim), output: RIGHT.into() };
    oracle.send(STRANGER, 0, &call).unwrap();
    oracle.stands(&claim);
    oracle.update(STRANGER, id, RIGHT).unwrap();
    let due = oracle.credit(payee);
    assert_eq!(due, wei(parts(FEE).1));

    let pay = AIOracle::withdrawForCall { account: payee };
    let set = |refuses, target, answer: &Bytes| Puppet::setCall {
        refuses_: refuses,
        target_: target,
        answer_: answer.clone(),
    };
    let at = oracle.at;
    oracle.world.host.send(STRANGER, payee, U256::ZERO, &set(true, at, &withdraw)).unwrap();
    refused::<AIOracle::TransferFailed>(oracle.send(STRANGER, 0, &pay));
    assert_eq!(oracle.credit(payee), due);
    oracle.world.host.send(STRANGER, payee, U256::ZERO, &set(false, at, &withdraw)).unwrap();
    let before = oracle.held();
    oracle.send(STRANGER, 0, &pay).unwrap();
    assert_eq!(before - oracle.held(), due);
    assert!(!oracle.world.host.view(payee, &Puppet::succeededCall {}).unwrap());
    oracle.send(STRANGER, 0, &AIOracle::claimModelRevenueCall { modelId: model }).unwrap();
    assert_eq!(oracle.held(), U256::ZERO);
}

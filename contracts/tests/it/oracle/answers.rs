//! Claims that compete for a request: order, commitments, conflicts, the end of a request, and who is paid.

use alloy_primitives::{B256, Bytes, U256, keccak256};
use alloy_sol_types::SolValue;
use opml_contracts::{
    abi::{
        AIOracle::{self, Terms},
        Dispute::Claim,
    },
    dispute::BURN,
};

use crate::dispute::world::{Outcome, STRANGER, WINDOW, refused};

use super::world::{
    ALICE, BOB, CAROL, COMMIT_BOND, FEE, GAS_PRICE, INPUT, OWNER, Oracle, REVEAL_TIME, RIGHT, SHARE, TTL, WORSE, WRONG,
    events, parts, theirs,
};

use alloy_primitives::Address;

const NOBODY: Address = Address::ZERO;
const SALT: B256 = B256::repeat_byte(0x5a);

fn wei(amount: u64) -> U256 {
    U256::from(amount)
}

impl Oracle {
    fn commit(&mut self, id: U256, claim: &Claim) -> Outcome {
        let hash = keccak256((id, self.claim_id(claim), SALT).abi_encode());
        let call = AIOracle::commitCall { requestId: id, hash };
        self.send(claim.submitter, COMMIT_BOND, &call)
    }

    fn reveal(&mut self, id: U256, index: u64, claim: &Claim, output: &[u8]) -> Outcome {
        let output = Bytes::copy_from_slice(output);
        let call = AIOracle::revealCall { requestId: id, index: wei(index), c: theirs(claim), salt: SALT, output };
        self.send(claim.submitter, 0, &call)
    }

    fn expire(&mut self, id: U256, index: u64) -> Outcome {
        self.send(STRANGER, 0, &AIOracle::expireCall { requestId: id, index: wei(index) })
    }

    fn conflicted(&mut self, id: U256) -> bool {
        self.view(&AIOracle::conflictedCall { requestId: id })
    }
}

#[test]
fn a_right_claim_is_paid_and_the_model_earns_its_share() {
    let mut oracle = Oracle::new();
    let id = oracle.ask(ALICE, NOBODY, 0);
    assert_eq!(oracle.held(), wei(FEE));
    let claim = oracle.answers(BOB, id, RIGHT);
    assert!(!oracle.is_final(id));
    refused::<AIOracle::NotFinal>(oracle.update(STRANGER, id, RIGHT));
    refused::<AIOracle::NotFinal>(oracle.settle(id));
    oracle.stands(&claim);
    assert!(!oracle.is_final(id), "nobody told the oracle");
    refused::<AIOracle::WrongOutput>(oracle.update(STRANGER, id, WRONG));
    oracle.update(STRANGER, id, RIGHT).unwrap();
    assert!(oracle.is_final(id));
    assert_eq!(oracle.view(&AIOracle::answerOfCall { requestId: id }), keccak256(RIGHT));
    refused::<AIOracle::AlreadyDelivered>(oracle.update(STRANGER, id, RIGHT));
    refused::<AIOracle::AlreadySettled>(oracle.settle(id));

    let (share, rest) = parts(FEE);
    assert_eq!((oracle.revenue(), oracle.credit(BOB)), (wei(share), wei(rest)));
    let model = oracle.model;
    oracle.send(STRANGER, 0, &AIOracle::claimModelRevenueCall { modelId: model }).unwrap();
    assert_eq!(oracle.world.host.balance(OWNER), wei(share));
    refused::<AIOracle::NoRevenue>(oracle.send(STRANGER, 0, &AIOracle::claimModelRevenueCall { modelId: model }));
    oracle.send(STRANGER, 0, &AIOracle::withdrawForCall { account: BOB }).unwrap();
    assert_eq!(oracle.held(), U256::ZERO);
}

#[test]
fn a_fallen_claim_leaves_the_request_to_the_others_and_a_copy_earns_nothing() {
    let mut oracle = Oracle::new();
    let id = oracle.ask(ALICE, NOBODY, 0);
    let lie = oracle.answers(CAROL, id, WRONG);
    let first = oracle.claim(BOB, id, RIGHT);
    let outcome = oracle.answer(id, &first, RIGHT);
    assert_eq!(events::<AIOracle::Conflict>(&outcome).len(), 1, "the alarm");
    let copy = oracle.answers(CAROL, id, RIGHT);
    assert!(oracle.conflicted(id));
    oracle.fell(&lie);
    assert!(!oracle.conflicted(id));
    refused::<AIOracle::ClaimIsFalse>(oracle.answer(id, &lie, WRONG));
    // The copy is final first. It fixes the answer and is not paid: the first claim still stands.
    oracle.stands(&copy);
    oracle.update(STRANGER, id, RIGHT).unwrap();
    refused::<AIOracle::StillUndecided>(oracle.settle(id));
    oracle.stands_now(&first);
    oracle.settle(id).unwrap();
    assert_eq!((oracle.credit(BOB), oracle.credit(CAROL)), (wei(parts(FEE).1), U256::ZERO));
}

#[test]
fn if_the_first_right_claim_falls_the_next_is_paid() {
    let mut oracle = Oracle::new();
    let id = oracle.ask(ALICE, NOBODY, 0);
    let first = oracle.answers(BOB, id, RIGHT);
    let second = oracle.answers(CAROL, id, RIGHT);
    oracle.fell(&first); // its submitter was asleep
    oracle.stands(&second);
    oracle.update(STRANGER, id, RIGHT).unwrap();
    assert_eq!((oracle.credit(BOB), oracle.credit(CAROL)), (U256::ZERO, wei(parts(FEE).1)));
}

#[test]
fn a_liar_that_waits_does_not_delay_the_fee() {
    let mut oracle = Oracle::new();
    let id = oracle.ask(ALICE, NOBODY, 0);
    oracle.answers(CAROL, id, WRONG); // pending, at the lowest index, for a while
    let right = oracle.answers(BOB, id, RIGHT);
    oracle.stands(&right);
    oracle.send(STRANGER, 0, &AIOracle::concludeCall { requestId: id, index: wei(1) }).unwrap();
    oracle.settle(id).unwrap();
    assert_eq!(oracle.credit(BOB), wei(parts(FEE).1));
}

#[test]
fn an_answer_that_is_final_already_answers_at_once() {
    let mut oracle = Oracle::new();
    let first = oracle.ask(ALICE, NOBODY, 0);
    let claim = oracle.answers(BOB, first, RIGHT);
    oracle.stands(&claim);
    let second = oracle.ask(ALICE, NOBODY, 0);
    oracle.answer(second, &claim, RIGHT).unwrap();
    oracle.update(STRANGER, second, RIGHT).unwrap();
    assert!(oracle.is_final(second) && !oracle.is_final(first));
}

#[test]
fn claims_that_are_none_of_this_request_are_refused() {
    let mut oracle = Oracle::new();
    let id = oracle.ask(ALICE, NOBODY, 0);
    let claim = oracle.prepared(BOB, id, RIGHT);
    refused::<AIOracle::NoSuchClaim>(oracle.answer(id, &claim, RIGHT));
    oracle.make(&claim, RIGHT);
    refused::<AIOracle::WrongOutput>(oracle.answer(id, &claim, WRONG));
    oracle.answer(id, &claim, RIGHT).unwrap();
    refused::<AIOracle::AlreadyRegistered>(oracle.answer(id, &claim, RIGHT));
    let other = AIOracle::requestCallback_0Call { input: [7, 7, 7].into(), ..oracle.request_call(NOBODY, 0) };
    oracle.send(ALICE, FEE, &other).unwrap();
    refused::<AIOracle::OtherTask>(oracle.answer(wei(2), &claim, RIGHT));
    refused::<AIOracle::UnknownRequest>(oracle.answer(wei(3), &claim, RIGHT));
    refused::<AIOracle::UnknownRequest>(oracle.answer(wei(0), &claim, RIGHT));
    refused::<AIOracle::WrongEntry>(oracle.send(STRANGER, 0, &AIOracle::concludeCall { requestId: id, index: wei(1) }));
    refused::<AIOracle::NotFinal>(oracle.send(STRANGER, 0, &AIOracle::concludeCall { requestId: id, index: wei(0) }));
}

#[test]
fn a_commitment_keeps_its_place_against_a_copy() {
    let mut oracle = Oracle::new();
    let id = oracle.ask(ALICE, NOBODY, 0);
    let claim = oracle.prepared(BOB, id, RIGHT);
    let refused_bond = AIOracle::commitCall { requestId: id, hash: B256::ZERO };
    refused::<AIOracle::BadBond>(oracle.send(BOB, COMMIT_BOND - 1, &refused_bond));
    oracle.world.host.hold_block(true);
    oracle.commit(id, &claim).unwrap();
    oracle.make(&claim, RIGHT);
    refused::<AIOracle::TooSoon>(oracle.reveal(id, 0, &claim, RIGHT));
    oracle.world.host.hold_block(false);
    // The claim is public, and Carol copies it before it is revealed.
    let copy = oracle.answers(CAROL, id, RIGHT);
    let stolen = Claim { submitter: CAROL, ..claim.clone() };
    refused::<AIOracle::WrongReveal>(oracle.reveal(id, 0, &stolen, RIGHT));
    refused::<AIOracle::WrongEntry>(oracle.reveal(id, 1, &claim, RIGHT));
    oracle.reveal(id, 0, &claim, RIGHT).unwrap();
    assert_eq!(oracle.credit(BOB), wei(COMMIT_BOND));
    refused::<AIOracle::WrongEntry>(oracle.reveal(id, 0, &claim, RIGHT));
    // Nor does Carol take a place for a claim of Bob's.
    let other = oracle.prepared(BOB, id, RIGHT);
    let hash = keccak256((id, oracle.claim_id(&other), SALT).abi_encode());
    oracle.send(CAROL, COMMIT_BOND, &AIOracle::commitCall { requestId: id, hash }).unwrap();
    oracle.make(&other, RIGHT);
    refused::<AIOracle::WrongReveal>(oracle.reveal(id, 2, &other, RIGHT));
    oracle.stands(&copy);
    oracle.stands_now(&claim);
    oracle.update(STRANGER, id, RIGHT).unwrap();
    assert_eq!(oracle.credit(BOB), wei(COMMIT_BOND + parts(FEE).1));
}

#[test]
fn a_commitment_is_revealed_in_time_or_burnt_by_half() {
    let mut oracle = Oracle::new();
    let id = oracle.ask(ALICE, NOBODY, 0);
    let claim = oracle.prepared(BOB, id, RIGHT);
    oracle.commit(id, &claim).unwrap();
    oracle.make(&claim, RIGHT);
    oracle.world.pass(REVEAL_TIME);
    refused::<AIOracle::TooSoon>(oracle.expire(id, 0));
    oracle.world.pass(1);
    refused::<AIOracle::TooLate>(oracle.reveal(id, 0, &claim, RIGHT));
    oracle.expire(id, 0).unwrap();
    refused::<AIOracle::WrongEntry>(oracle.expire(id, 0));
    assert_eq!(oracle.credit(BOB), wei(COMMIT_BOND / 2));
    assert_eq!(oracle.credit(BURN), wei(COMMIT_BOND - COMMIT_BOND / 2));
    // The place is lost, not the claim.
    oracle.answer(id, &claim, RIGHT).unwrap();
    oracle.stands(&claim);
    oracle.update(STRANGER, id, RIGHT).unwrap();
    assert_eq!(oracle.credit(BOB), wei(COMMIT_BOND / 2 + parts(FEE).1));
}

#[test]
fn a_commitment_that_may_still_be_revealed_holds_the_fee_back() {
    let mut oracle = Oracle::new();
    let id = oracle.ask(ALICE, NOBODY, 0);
    let old = oracle.claim(CAROL, id, RIGHT);
    oracle.stands(&old);
    let fresh = oracle.ask(ALICE, NOBODY, 0);
    let claim = oracle.prepared(BOB, fresh, RIGHT);
    oracle.commit(fresh, &claim).unwrap();
    oracle.make(&claim, RIGHT);
    oracle.answer(fresh, &old, RIGHT).unwrap();
    oracle.update(STRANGER, fresh, RIGHT).unwrap();
    refused::<AIOracle::StillUndecided>(oracle.settle(fresh));
    oracle.reveal(fresh, 0, &claim, RIGHT).unwrap();
    refused::<AIOracle::StillUndecided>(oracle.settle(fresh));
    oracle.stands(&claim);
    oracle.settle(fresh).unwrap();
    assert_eq!(oracle.credit(BOB), wei(COMMIT_BOND + parts(FEE).1));
}

#[test]
fn an_unanswered_request_is_refunded_from_the_deadline_on() {
    let mut oracle = Oracle::new();
    let id = oracle.ask(ALICE, NOBODY, 0);
    let deadline: u64 = oracle.request(id).deadline.to();
    let now = oracle.world.host.now();
    oracle.world.host.warp(deadline - now - 1);
    refused::<AIOracle::DeadlineNotPassed>(oracle.refund(id));
    oracle.world.host.warp(1);
    let claim = oracle.claim(BOB, id, RIGHT);
    refused::<AIOracle::DeadlinePassed>(oracle.answer(id, &claim, RIGHT));
    oracle.refund(id).unwrap();
    refused::<AIOracle::RequestClosed>(oracle.refund(id));
    assert_eq!(oracle.credit(ALICE), wei(FEE));
    assert!(!oracle.is_final(id));
    oracle.stands(&claim);
    refused::<AIOracle::RequestClosed>(oracle.update(STRANGER, id, RIGHT));
    refused::<AIOracle::RequestClosed>(oracle.answer(id, &claim, RIGHT));
}

#[test]
fn a_claim_that_lives_at_the_deadline_may_still_win() {
    let mut oracle = Oracle::new();
    let id = oracle.ask(ALICE, NOBODY, 0);
    let claim = oracle.answers(BOB, id, RIGHT);
    const { assert!(TTL < WINDOW) }
    oracle.world.pass(TTL);
    refused::<AIOracle::LiveClaims>(oracle.refund(id));
    oracle.stands(&claim);
    refused::<AIOracle::LiveClaims>(oracle.refund(id));
    oracle.update(STRANGER, id, RIGHT).unwrap();
    assert_eq!(oracle.credit(BOB), wei(parts(FEE).1));

    let second = oracle.ask(ALICE, NOBODY, 0);
    let lie = oracle.answers(CAROL, second, WORSE);
    oracle.world.pass(TTL);
    oracle.fell(&lie);
    oracle.refund(second).unwrap();
    assert_eq!(oracle.credit(ALICE), wei(FEE));
}

#[test]
fn many_dead_entries_are_passed_over_in_several_calls() {
    let mut oracle = Oracle::new();
    let id = oracle.ask(ALICE, NOBODY, 0);
    for _ in 0..130 {
        let call = AIOracle::commitCall { requestId: id, hash: B256::ZERO };
        oracle.send(CAROL, COMMIT_BOND, &call).unwrap();
    }
    let claim = oracle.answers(BOB, id, RIGHT);
    oracle.stands(&claim);
    refused::<AIOracle::NotFinal>(oracle.update(STRANGER, id, RIGHT));
    oracle.send(STRANGER, 0, &AIOracle::concludeCall { requestId: id, index: wei(130) }).unwrap();
    oracle.update(STRANGER, id, RIGHT).unwrap();
    assert_eq!(oracle.credit(BOB), U256::ZERO);
    oracle.settle(id).unwrap();
    oracle.settle(id).unwrap();
    assert_eq!(oracle.credit(BOB), wei(parts(FEE).1));
    refused::<AIOracle::AlreadySettled>(oracle.settle(id));
}

#[test]
fn many_dead_entries_do_not_keep_a_refund() {
    let mut oracle = Oracle::new();
    let id = oracle.ask(ALICE, NOBODY, 0);
    for _ in 0..130 {
        let call = AIOracle::commitCall { requestId: id, hash: B256::ZERO };
        oracle.send(CAROL, COMMIT_BOND, &call).unwrap();
    }
    oracle.world.pass(TTL);
    refused::<AIOracle::LiveClaims>(oracle.refund(id));
    let advance = AIOracle::advanceCall { requestId: id };
    oracle.send(STRANGER, 0, &advance).unwrap();
    refused::<AIOracle::LiveClaims>(oracle.refund(id));
    oracle.send(STRANGER, 0, &advance).unwrap();
    oracle.refund(id).unwrap();
    assert_eq!(oracle.credit(ALICE), wei(FEE));
    refused::<AIOracle::UnknownRequest>(oracle.send(STRANGER, 0, &AIOracle::advanceCall { requestId: wei(2) }));
}

#[test]
fn requests_are_paid_in_full_and_what_is_more_is_credited() {
    let mut oracle = Oracle::new();
    let gas = 50_000;
    let price = FEE + GAS_PRICE * gas;
    let call = oracle.request_call(BOB, gas);
    let estimate = AIOracle::estimateFeeCall { modelId: oracle.model, gasLimit: wei(gas) };
    assert_eq!(oracle.view(&estimate), wei(price));
    refused::<AIOracle::TooLittleValue>(oracle.send(ALICE, price - 1, &call));
    oracle.send(ALICE, price + 11, &call).unwrap();
    assert_eq!(oracle.credit(ALICE), wei(11));
    for bad in [oracle.request_call(BOB, 0), oracle.request_call(NOBODY, 1), oracle.request_call(BOB, 10_000_001)] {
        refused::<AIOracle::BadGasLimit>(oracle.send(ALICE, u64::MAX / 4, &bad));
    }
    for bytes in [&INPUT[..2], &[1, 2, 3, 4]] {
        let bad = AIOracle::requestCallback_0Call { input: bytes.to_vec().into(), ..oracle.request_call(NOBODY, 0) };
        refused::<AIOracle::BadInput>(oracle.send(ALICE, FEE, &bad));
    }
    let unknown = AIOracle::requestCallback_0Call { modelId: wei(1), ..oracle.request_call(NOBODY, 0) };
    refused::<AIOracle::UnknownListing>(oracle.send(ALICE, FEE, &unknown));
}

#[test]
fn terms_that_cannot_be_met_are_not_listed() {
    let mut oracle = Oracle::new();
    let good = oracle.terms.clone();
    let headers: Bytes = [&[0u8][..], &3u64.to_be_bytes()].concat().into();
    let bad = [
        Terms { modelRoot: B256::repeat_byte(1), ..good.clone() },
        Terms { maxT: 0, ..good.clone() },
        Terms { tier: 4, ..good.clone() },
        Terms { ttl: 0, ..good.clone() },
        Terms { share: 10_001, ..good.clone() },
        Terms { receiver: NOBODY, ..good.clone() },
    ];
    for terms in bad {
        let call = AIOracle::listCall { terms, inputHeaders: headers.clone() };
        refused::<AIOracle::BadTerms>(oracle.send(STRANGER, 0, &call));
    }
    let call = AIOracle::listCall { terms: good.clone(), inputHeaders: headers.slice(..8) };
    refused::<AIOracle::BadTerms>(oracle.send(STRANGER, 0, &call));
    let model = oracle.model;
    assert_eq!(oracle.view(&AIOracle::getModelCall { modelId: model }), good);
    assert_eq!(SHARE, good.share);
}

//! ERC-7641: who earns what, and that nobody earns by what it did not hold.

use alloy_primitives::{Address, Bytes, U256};
use alloy_sol_types::{SolCall, SolConstructor};
use opml_contracts::abi::RevenueToken::{self, TokenTerms};

use crate::dispute::world::refused;

use super::shares::{ALICE, BOB, CAROL, Coin, ETHER, FaultyShare, INTERVAL, MINTER, PAYER, Shares, terms, wei};
use crate::dispute::money::Puppet;

fn two() -> Shares {
    Shares::new(&[(ALICE, 600), (BOB, 400)])
}

#[test]
fn revenue_is_shared_by_what_is_held_when_it_comes_in() {
    let mut shares = two();
    shares.pay(4_000).unwrap(); // 3,000 for holders
    shares.pay_coins(400);
    shares.transfer(ALICE, CAROL, 600).unwrap();
    shares.pay(8_000).unwrap();
    let id = shares.snapshot();
    let coin = shares.coin;
    for (account, ether, coins) in [(ALICE, 1_800, 180), (BOB, 1_200 + 2_400, 120), (CAROL, 3_600, 0)] {
        assert_eq!(shares.claimable(account, id, ETHER), wei(ether));
        assert_eq!(shares.claimable(account, id, coin), wei(coins));
    }
    shares.claim(ALICE, id, ETHER).unwrap();
    assert_eq!(shares.wealth(ALICE, ETHER), wei(1_800));
    refused::<RevenueToken::NothingToClaim>(shares.claim(ALICE, id, ETHER));
    shares.claim(BOB, id, coin).unwrap();
    assert_eq!(shares.wealth(BOB, coin), wei(120));
    refused::<RevenueToken::NothingToClaim>(shares.claim(CAROL, id, coin));
    for id in [U256::ZERO, id + U256::from(1), U256::MAX] {
        assert_eq!(shares.claimable(BOB, id, ETHER), U256::ZERO);
        refused::<RevenueToken::NothingToClaim>(shares.claim(BOB, id, ETHER));
    }
}

#[test]
fn each_snapshot_has_its_own_period_for_ever() {
    let mut shares = two();
    shares.pay(4_000).unwrap();
    let first = shares.snapshot();
    shares.pay(8_000).unwrap();
    shares.transfer(BOB, CAROL, 400).unwrap();
    let second = shares.snapshot();
    let third = shares.snapshot();
    shares.pay(40).unwrap();
    shares.transfer(ALICE, BOB, 100).unwrap();
    let fourth = shares.snapshot();
    let due =
        |shares: &mut Shares, account| [first, second, third, fourth].map(|id| shares.claimable(account, id, ETHER));
    assert_eq!(due(&mut shares, ALICE), [1_800, 3_600, 0, 18].map(wei));
    assert_eq!(due(&mut shares, BOB), [1_200, 2_400, 0, 0].map(wei));
    assert_eq!(due(&mut shares, CAROL), [0, 0, 0, 12].map(wei));
    // In any order.
    for id in [fourth, first, second] {
        shares.claim(ALICE, id, ETHER).unwrap();
    }
    assert_eq!(shares.wealth(ALICE, ETHER), wei(1_800 + 3_600 + 18));
}

#[test]
fn snapshots_keep_their_distance() {
    let mut shares = two();
    let take = RevenueToken::snapshotCall {};
    let start = shares.view(&RevenueToken::periodStartCall {});
    assert_eq!(start, wei(shares.host.now()));
    shares.host.warp(u64::from(INTERVAL) - 1);
    refused::<RevenueToken::SnapshotTooSoon>(shares.send(CAROL, &take));
    shares.host.warp(1);
    shares.send(CAROL, &take).unwrap();
    refused::<RevenueToken::SnapshotTooSoon>(shares.send(CAROL, &take));
}

#[test]
fn burning_redeems_its_share_of_the_pool_and_keeps_what_was_earned() {
    let mut shares = two();
    shares.pay(4_000).unwrap(); // 1,000 for burners
    shares.pay_coins(400);
    let coin = shares.coin;
    assert_eq!(shares.redeemable(wei(400), ETHER), wei(400));
    assert_eq!(shares.redeemable(wei(400), coin), wei(40));
    assert_eq!(shares.redeemable(wei(1_001), ETHER), U256::ZERO);
    shares.send(BOB, &RevenueToken::burnCall { amount: wei(400) }).unwrap();
    assert_eq!((shares.wealth(BOB, ETHER), shares.wealth(BOB, coin)), (wei(400), wei(40)));
    assert_eq!((shares.balance(BOB), shares.redeemable(wei(600), ETHER)), (U256::ZERO, wei(600)));
    shares.pay(400).unwrap();
    let id = shares.snapshot();
    assert_eq!(shares.claimable(BOB, id, ETHER), wei(1_200));
    assert_eq!(shares.claimable(ALICE, id, ETHER), wei(1_800 + 300));
    let too_much = RevenueToken::burnCall { amount: wei(601) };
    assert!(shares.send(ALICE, &too_much).is_err());
    shares.send(ALICE, &RevenueToken::burnCall { amount: wei(600) }).unwrap();
    // Nobody holds anything: what comes in waits.
    shares.pay(100).unwrap();
    shares.send(CAROL, &RevenueToken::syncCall {}).unwrap();
    for account in [ALICE, BOB] {
        shares.claim(account, id, ETHER).unwrap();
    }
    assert_eq!(shares.wealth(shares.at, ETHER), wei(100));
}

#[test]
fn burning_for_chosen_assets_leaves_the_others_to_the_others() {
    let mut shares = two();
    shares.pay(4_000).unwrap();
    shares.pay_coins(400);
    let coin = shares.coin;
    let burn = |chosen: &[Address]| RevenueToken::burnForCall { amount: wei(400), chosen: chosen.to_vec() };
    for bad in [vec![ETHER, ETHER], vec![coin, ETHER], vec![coin, coin], vec![CAROL]] {
        refused::<RevenueToken::UnknownAsset>(shares.send(BOB, &burn(&bad)));
    }
    // The coin refuses to be sent.
    shares.misbehave(4, vec![]);
    assert!(shares.send(BOB, &RevenueToken::burnCall { amount: wei(400) }).is_err());
    shares.send(BOB, &burn(&[ETHER])).unwrap();
    assert_eq!((shares.wealth(BOB, ETHER), shares.redeemable(wei(600), coin)), (wei(400), wei(100)));
}

/// A borrower takes tokens, does something, and gives them back, in one transaction.
fn borrowed(shares: &mut Shares, amount: u64, between: Vec<(Address, Vec<u8>)>) -> Address {
    let batch = shares.batch();
    shares.send(ALICE, &RevenueToken::approveCall { spender: batch, value: U256::MAX }).unwrap();
    let take = RevenueToken::transferFromCall { from: ALICE, to: batch, value: wei(amount) }.abi_encode();
    let back = RevenueToken::transferCall { to: ALICE, value: wei(amount) }.abi_encode();
    let at = shares.at;
    let calls = [vec![(at, take)], between, vec![(at, back)]].concat();
    shares.run(batch, calls).unwrap();
    batch
}

#[test]
fn a_borrowed_balance_earns_nothing_though_the_reference_is_drained() {
    // The stand-in: 6 ether of revenue; 90 of 100 tokens are borrowed, a snapshot is taken and claimed, and the tokens are given back.
    let mut shares = two();
    let faulty = shares.host.deploy(ALICE, &FaultyShare::BYTECODE, &[]).unwrap();
    let ether = U256::from(10).pow(U256::from(18));
    shares.host.call(PAYER, faulty, U256::from(6) * ether, Bytes::new()).unwrap();
    let batch = shares.batch();
    let lent = U256::from(90) * ether;
    let approve = FaultyShare::approveCall { spender: batch, value: U256::MAX };
    shares.host.send(ALICE, faulty, U256::ZERO, &approve).unwrap();
    let calls = [
        FaultyShare::transferFromCall { from: ALICE, to: batch, value: lent }.abi_encode(),
        FaultyShare::snapshotCall {}.abi_encode(),
        FaultyShare::claimCall(U256::from(1)).abi_encode(),
        FaultyShare::transferCall { to: ALICE, value: lent }.abi_encode(),
    ];
    shares.run(batch, calls.into_iter().map(|data| (faulty, data)).collect()).unwrap();
    assert_eq!(shares.host.balance(batch), U256::from(54) * ether / U256::from(10), "the fault: 5.4 of 6 ether");

    // Here: revenue of before the loan, and revenue that is made to arrive in the middle of it.
    let mut shares = two();
    shares.pay(4_000).unwrap();
    shares.pay_coins(4_000);
    shares.host.warp(INTERVAL.into());
    let (at, coin) = (shares.at, shares.coin);
    let claim = RevenueToken::claimCall { snapshotId: U256::from(1) }.abi_encode();
    let between = vec![
        (coin, Coin::mintCall { to: at, amount: wei(4_000) }.abi_encode()),
        (at, RevenueToken::syncCall {}.abi_encode()),
        (at, RevenueToken::snapshotCall {}.abi_encode()),
    ];
    let borrower = borrowed(&mut shares, 600, between);
    assert!(shares.run(borrower, vec![(at, claim)]).is_err());
    let second = shares.snapshot();
    for id in [U256::from(1), second] {
        for asset in [ETHER, coin] {
            assert_eq!(shares.claimable(borrower, id, asset), U256::ZERO);
        }
    }
    assert_eq!(shares.claimable(ALICE, U256::from(1), ETHER), wei(1_800));
    assert_eq!(shares.claimable(ALICE, U256::from(1), coin), wei(1_800));
    assert_eq!(shares.claimable(ALICE, second, coin), wei(1_800), "what came in the middle is the lender's");
}

#[test]
fn a_balance_that_is_moved_on_is_not_counted_twice() {
    let mut shares = Shares::new(&[(ALICE, 1_000)]);
    shares.pay(4_000).unwrap();
    let first = shares.snapshot();
    shares.transfer(ALICE, BOB, 1_000).unwrap();
    shares.transfer(BOB, CAROL, 1_000).unwrap();
    let due = [ALICE, BOB, CAROL].map(|account| shares.claimable(account, first, ETHER));
    assert_eq!(due, [3_000, 0, 0].map(wei));
    // To itself, and nothing at all.
    shares.transfer(CAROL, CAROL, 1_000).unwrap();
    shares.transfer(BOB, CAROL, 0).unwrap();
    shares.pay(4_000).unwrap();
    shares.transfer(CAROL, CAROL, 1).unwrap();
    let second = shares.snapshot();
    assert_eq!(shares.claimable(CAROL, second, ETHER), wei(3_000));
}

#[test]
fn what_comes_in_after_a_change_waits_for_the_end_of_the_block() {
    let mut shares = two();
    shares.host.hold_block(true);
    shares.pay(4_000).unwrap();
    shares.transfer(ALICE, CAROL, 600).unwrap();
    shares.pay(4_000).unwrap();
    shares.send(PAYER, &RevenueToken::syncCall {}).unwrap();
    shares.transfer(CAROL, ALICE, 600).unwrap();
    shares.host.hold_block(false);
    let id = shares.snapshot();
    let due = [ALICE, BOB, CAROL].map(|account| shares.claimable(account, id, ETHER));
    assert_eq!(due, [3_600, 2_400, 0].map(wei));
}

#[test]
fn a_revenue_token_that_misbehaves_stops_nothing() {
    // It has no balance, burns gas, or tells of more than there is.
    for deed in 1..4 {
        let mut shares = two();
        shares.misbehave(deed, vec![]);
        shares.pay(4_000).unwrap();
        shares.transfer(ALICE, CAROL, 600).unwrap();
        shares.transfer(CAROL, ALICE, 600).unwrap();
        let id = shares.snapshot();
        shares.claim(ALICE, id, ETHER).unwrap();
        assert_eq!(shares.wealth(ALICE, ETHER), wei(1_800));
        shares.send(ALICE, &RevenueToken::burnForCall { amount: wei(600), chosen: vec![ETHER] }).unwrap();
        assert_eq!(shares.wealth(ALICE, ETHER), wei(1_800 + 600));
    }
}

#[test]
fn a_coin_that_calls_back_before_it_moves_gains_nothing() {
    let mut shares = two();
    shares.pay_coins(4_000);
    let id = shares.snapshot();
    let coin = shares.coin;
    // While the coin is half sent, the contract has more than it answers for.
    shares.misbehave(5, RevenueToken::syncCall {}.abi_encode());
    shares.claim(ALICE, id, coin).unwrap();
    assert!(shares.host.view(coin, &Coin::reenteredCall {}).unwrap());
    shares.send(BOB, &RevenueToken::burnCall { amount: wei(400) }).unwrap();
    shares.misbehave(0, vec![]);
    shares.claim(BOB, id, coin).unwrap();
    let asset = shares.view(&RevenueToken::assetOfCall { asset: coin });
    assert_eq!(asset.received, wei(4_000));
    assert_eq!(shares.wealth(shares.at, coin), asset.held);
    assert_eq!(shares.wealth(BOB, coin), wei(1_200 + 400));
    // Nor does a claim inside a claim.
    let mut shares = two();
    shares.pay_coins(4_000);
    let id = shares.snapshot();
    let coin = shares.coin;
    shares.misbehave(5, RevenueToken::claimERC20Call { snapshotId: id, token: coin }.abi_encode());
    shares.claim(ALICE, id, coin).unwrap();
    assert!(!shares.host.view(coin, &Coin::reenteredCall {}).unwrap());
}

#[test]
fn a_holder_that_comes_back_is_paid_once() {
    for call in [
        RevenueToken::claimCall { snapshotId: U256::from(1) }.abi_encode(),
        RevenueToken::burnCall { amount: wei(1) }.abi_encode(),
    ] {
        let mut shares = Shares::before_launch();
        let puppet = shares.host.deploy(PAYER, &Puppet::BYTECODE, &[]).unwrap();
        for to in [puppet, BOB] {
            shares.send(MINTER, &RevenueToken::mintCall { to, amount: wei(500) }).unwrap();
        }
        shares.send(MINTER, &RevenueToken::launchCall { source_: Address::ZERO, modelId_: U256::ZERO }).unwrap();
        shares.pay(4_000).unwrap();
        shares.snapshot();
        let set = Puppet::setCall { refuses_: false, target_: shares.at, answer_: call.into() };
        shares.host.send(PAYER, puppet, U256::ZERO, &set).unwrap();
        let claim = RevenueToken::claimCall { snapshotId: U256::from(1) }.abi_encode();
        let act = Puppet::actCall { to: shares.at, value: U256::ZERO, limit: wei(2_000_000), data: claim.into() };
        shares.host.send(PAYER, puppet, U256::ZERO, &act).unwrap();
        assert!(!shares.host.view(puppet, &Puppet::succeededCall {}).unwrap());
        assert_eq!(shares.wealth(puppet, ETHER), wei(1_500));
    }
}

#[test]
fn until_the_launch_only_the_minter_moves_anything() {
    let mut shares = Shares::before_launch();
    let mint = RevenueToken::mintCall { to: ALICE, amount: wei(100) };
    let back = RevenueToken::takeBackCall { from: ALICE, amount: wei(40) };
    let launch = RevenueToken::launchCall { source_: Address::ZERO, modelId_: U256::ZERO };
    refused::<RevenueToken::NotMinter>(shares.send(ALICE, &mint));
    shares.send(MINTER, &mint).unwrap();
    refused::<RevenueToken::NotMinter>(shares.send(ALICE, &back));
    refused::<RevenueToken::NotMinter>(shares.send(ALICE, &launch));
    refused::<RevenueToken::NotLaunched>(shares.transfer(ALICE, BOB, 1));
    refused::<RevenueToken::NotLaunched>(shares.send(ALICE, &RevenueToken::burnCall { amount: wei(1) }));
    refused::<RevenueToken::NotLaunched>(shares.send(ALICE, &RevenueToken::snapshotCall {}));
    refused::<RevenueToken::NotLaunched>(shares.pay(1));
    shares.send(MINTER, &back).unwrap();
    let too_much = RevenueToken::mintCall { to: ALICE, amount: U256::from(1) << 112 };
    refused::<RevenueToken::BadTokenTerms>(shares.send(MINTER, &too_much));
    shares.send(MINTER, &launch).unwrap();
    refused::<RevenueToken::AlreadyLaunched>(shares.send(MINTER, &mint));
    refused::<RevenueToken::AlreadyLaunched>(shares.send(MINTER, &back));
    refused::<RevenueToken::AlreadyLaunched>(shares.send(MINTER, &launch));
    shares.transfer(ALICE, BOB, 60).unwrap();
    assert_eq!(shares.view(&RevenueToken::totalSupplyCall {}), wei(60));
}

#[test]
fn terms_that_make_no_sense_are_refused() {
    let mut shares = Shares::before_launch();
    let coin = shares.coin;
    let good = terms(vec![coin]);
    let bad = [
        TokenTerms { claimable: 10_001, ..good.clone() },
        TokenTerms { snapshotInterval: 0, ..good.clone() },
        TokenTerms { revenueTokens: vec![coin, coin], ..good.clone() },
        TokenTerms { revenueTokens: vec![ETHER], ..good.clone() },
        TokenTerms { revenueTokens: vec![coin, ALICE, BOB, CAROL, MINTER], ..good },
    ];
    for terms in bad {
        let args = RevenueToken::constructorCall { terms, minter: MINTER }.abi_encode();
        let outcome = shares.host.deploy(MINTER, &RevenueToken::BYTECODE, &args);
        assert!(outcome.unwrap_err().is::<RevenueToken::BadTokenTerms>());
    }
}

#[test]
fn the_smallest_gas_of_a_payment_is_enough() {
    let mut shares = two();
    let puppet = shares.host.deploy(PAYER, &Puppet::BYTECODE, &[]).unwrap();
    shares.host.fund(puppet, wei(100)).unwrap();
    // A call with value brings 2,300 gas of its own.
    let act = Puppet::actCall { to: shares.at, value: wei(100), limit: U256::ZERO, data: Bytes::new() };
    shares.host.send(PAYER, puppet, U256::ZERO, &act).unwrap();
    assert_eq!(shares.wealth(shares.at, ETHER), wei(100));
}

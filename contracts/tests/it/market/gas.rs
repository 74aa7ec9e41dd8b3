//! What each call costs, to the unit, and how large the contracts are.

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_sol_types::{SolCall, SolValue};
use opml_contracts::{
    Host, Receipt,
    abi::{
        AIOracle, AigcCollection, CollectionDeployer, CreatorVesting, Dispute, Offering, OfferingFactory, OpmlAdapter,
        RevenueToken, StepVerifier, TokenDeployer,
    },
    host::MAX_CODE,
};

use crate::{
    dispute::{gas::Notes, world::STRANGER},
    oracle::world::{ALICE, BOB, CAROL, COMMIT_BOND, FEE, GAS_PRICE, INPUT, OaoConsumer, Oracle, RIGHT, WRONG, theirs},
};

use super::{
    collection::{Collection, SALT, token_id},
    offering::{CREATOR, Market, PRICE, launch_call, terms, units},
    shares::{self, ETHER, Shares, wei},
};

/// The oracle; three bytes in, three bytes out.
const ORACLE: [(&str, u64); 14] = [
    ("list", 0),
    ("requestCallback, none", 0),
    ("requestCallback", 0),
    ("answer, none to call", 0),
    ("answer, with a callback", 0),
    ("commit", 0),
    ("reveal", 0),
    ("conclude", 0),
    ("updateResult, the same", 0),
    ("updateResult, another", 0),
    ("settleFee", 0),
    ("expire", 0),
    ("refund", 0),
    ("claimModelRevenue", 0),
];

/// The token, with ether and one coin.
const TOKEN: [(&str, u64); 9] = [
    ("payment", 0),
    ("sync", 0),
    ("transfer, first", 0),
    ("transfer, same period", 0),
    ("snapshot", 0),
    ("claim", 0),
    ("claimERC20", 0),
    ("burn", 0),
    ("burnFor", 0),
];

/// The collection; three bytes of prompt and of content.
const COLLECTION: [(&str, u64); 6] = [
    ("commitPrompt", 0),
    ("mint", 0),
    ("answer, mints", 0),
    ("updateResult, updates", 0),
    ("addAigcData", 0),
    ("transferFrom", 0),
];

/// The offering.
const OFFERING: [(&str, u64); 7] = [
    ("launch", 0),
    ("buy, first", 0),
    ("buy", 0),
    ("close, success", 0),
    ("withdraw", 0),
    ("close, failure", 0),
    ("refund", 0),
];

#[test]
fn the_oracle_costs_so_much() {
    let mut notes = Notes::default();
    let mut oracle = Oracle::new();
    let mut fresh = oracle.terms.clone();
    fresh.ttl += 1;
    let headers: Bytes = [&[0u8][..], &3u64.to_be_bytes()].concat().into();
    let call = AIOracle::listCall { terms: fresh, inputHeaders: headers };
    notes.note("list", &oracle.send(STRANGER, 0, &call).unwrap());
    let call = oracle.request_call(Address::ZERO, 0);
    let silent = U256::from(1);
    notes.note("requestCallback, none", &oracle.send(ALICE, FEE, &call).unwrap());
    let consumer = oracle.consumer();
    let call = OaoConsumer::askCall { modelId: oracle.model, prompt: INPUT.into() };
    let value = U256::from(FEE + GAS_PRICE * 200_000);
    let (loud, receipt) = oracle.world.host.send(ALICE, consumer, value, &call).unwrap();
    notes.note("requestCallback", &receipt);

    let claim = oracle.claim(BOB, silent, RIGHT);
    notes.note("answer, none to call", &oracle.answer(silent, &claim, RIGHT).unwrap());
    let lie = oracle.claim(CAROL, loud, WRONG);
    notes.note("answer, with a callback", &oracle.answer(loud, &lie, WRONG).unwrap());
    let hidden = oracle.prepared(BOB, loud, RIGHT);
    let hash = keccak256((loud, oracle.claim_id(&hidden), B256::ZERO).abi_encode());
    let commit = AIOracle::commitCall { requestId: loud, hash };
    notes.note("commit", &oracle.send(BOB, COMMIT_BOND, &commit).unwrap());
    oracle.make(&hidden, RIGHT);
    let reveal = AIOracle::revealCall {
        requestId: loud,
        index: U256::from(1),
        c: theirs(&hidden),
        salt: B256::ZERO,
        output: RIGHT.into(),
    };
    notes.note("reveal", &oracle.send(BOB, 0, &reveal).unwrap());
    let empty = oracle.ask(ALICE, Address::ZERO, 0);
    oracle.send(BOB, COMMIT_BOND, &AIOracle::commitCall { requestId: empty, hash }).unwrap();
    oracle.stands(&claim);
    let conclude = AIOracle::concludeCall { requestId: silent, index: U256::ZERO };
    notes.note("conclude", &oracle.send(STRANGER, 0, &conclude).unwrap());
    notes.note("updateResult, the same", &oracle.update(STRANGER, silent, RIGHT).unwrap());
    oracle.stands_now(&hidden);
    notes.note("updateResult, another", &oracle.update(STRANGER, loud, RIGHT).unwrap());
    let third = oracle.ask(ALICE, Address::ZERO, 0);
    oracle.answer(third, &claim, RIGHT).unwrap();
    oracle.send(STRANGER, 0, &AIOracle::concludeCall { requestId: third, index: U256::ZERO }).unwrap();
    notes.note("settleFee", &oracle.settle(third).unwrap());
    let expire = AIOracle::expireCall { requestId: empty, index: U256::ZERO };
    notes.note("expire", &oracle.send(STRANGER, 0, &expire).unwrap());
    notes.note("refund", &oracle.refund(empty).unwrap());
    let claim = AIOracle::claimModelRevenueCall { modelId: oracle.model };
    notes.note("claimModelRevenue", &oracle.send(STRANGER, 0, &claim).unwrap());
    notes.are(&ORACLE);
}

#[test]
fn the_token_costs_so_much() {
    let mut notes = Notes::default();
    let mut shares = Shares::new(&[(shares::ALICE, 600), (shares::BOB, 400)]);
    notes.note("payment", &shares.pay(4_000).unwrap());
    shares.pay_coins(4_000);
    notes.note("sync", &shares.send(shares::PAYER, &RevenueToken::syncCall {}).unwrap());
    let first = shares.snapshot();
    shares.pay(4_000).unwrap();
    shares.pay_coins(4_000);
    notes.note("transfer, first", &shares.transfer(shares::ALICE, shares::CAROL, 100).unwrap());
    notes.note("transfer, same period", &shares.transfer(shares::ALICE, shares::CAROL, 100).unwrap());
    shares.host.warp(1_000);
    notes.note("snapshot", &shares.send(shares::PAYER, &RevenueToken::snapshotCall {}).unwrap());
    let coin = shares.coin;
    notes.note("claim", &shares.claim(shares::ALICE, first, ETHER).unwrap());
    notes.note("claimERC20", &shares.claim(shares::ALICE, first, coin).unwrap());
    let burn = RevenueToken::burnCall { amount: wei(10) };
    notes.note("burn", &shares.send(shares::BOB, &burn).unwrap());
    let burn = RevenueToken::burnForCall { amount: wei(10), chosen: vec![ETHER] };
    notes.note("burnFor", &shares.send(shares::BOB, &burn).unwrap());
    notes.are(&TOKEN);
}

#[test]
fn the_collection_costs_so_much() {
    let mut notes = Notes::default();
    let mut collection = Collection::new(600_000);
    let sent = |collection: &mut Collection, from: Address, value: U256, data: Vec<u8>| -> Receipt {
        collection.oracle.world.host.call(from, collection.at, value, data.into()).unwrap()
    };
    let commitment = keccak256((ALICE, keccak256(INPUT), SALT).abi_encode());
    let commit = AigcCollection::commitPromptCall { commitment };
    notes.note("commitPrompt", &sent(&mut collection, ALICE, U256::ZERO, commit.abi_encode()));
    let fee = collection.view(&AigcCollection::mintFeeCall {});
    let mint = AigcCollection::mintCall { prompt_: INPUT.into(), salt: SALT };
    notes.note("mint", &sent(&mut collection, ALICE, fee, mint.abi_encode()));
    let id = U256::from(1);
    let lie = collection.oracle.claim(CAROL, id, WRONG);
    notes.note("answer, mints", &collection.oracle.answer(id, &lie, WRONG).unwrap());
    let right = collection.oracle.answers(BOB, id, RIGHT);
    collection.oracle.fell(&lie);
    collection.oracle.stands(&right);
    notes.note("updateResult, updates", &collection.oracle.update(STRANGER, id, RIGHT).unwrap());

    let mut poor = Collection::new(30_000);
    let id = poor.minted(ALICE);
    poor.oracle.answers(BOB, id, RIGHT);
    let add = AigcCollection::addAigcDataCall {
        tokenId_: token_id(&INPUT),
        prompt_: INPUT.into(),
        aigcData: RIGHT.into(),
        proof: Bytes::new(),
    };
    notes.note("addAigcData", &sent(&mut poor, STRANGER, U256::ZERO, add.abi_encode()));
    let transfer = AigcCollection::transferFromCall { from: ALICE, to: BOB, tokenId: token_id(&INPUT) };
    notes.note("transferFrom", &sent(&mut collection, ALICE, U256::ZERO, transfer.abi_encode()));
    notes.are(&COLLECTION);
}

#[test]
fn an_offering_costs_so_much() {
    let mut notes = Notes::default();
    let mut market = Market::new();
    let again = terms(&mut market.oracle);
    let (factory, offering) = (market.factory, market.offering);
    let mut sent = |market: &mut Market, name: &'static str, from: Address, to: Address, value: u64, data: Vec<u8>| {
        let receipt = market.oracle.world.host.call(from, to, U256::from(value), data.into()).unwrap();
        notes.note(name, &receipt);
        receipt
    };
    let launched = sent(&mut market, "launch", CREATOR, factory, 0, launch_call(&again).abi_encode());
    let second = OfferingFactory::launchCall::abi_decode_returns(&launched.output).unwrap();
    let buy = |tokens| Offering::buyCall { amount: units(tokens) }.abi_encode();
    sent(&mut market, "buy, first", ALICE, offering, 60 * PRICE, buy(60));
    sent(&mut market, "buy", BOB, offering, 40 * PRICE, buy(40));
    let close = Offering::closeCall {}.abi_encode();
    sent(&mut market, "close, success", STRANGER, offering, 0, close.clone());
    sent(&mut market, "withdraw", CREATOR, offering, 0, Offering::withdrawCall {}.abi_encode());
    market.oracle.world.host.call(ALICE, second, U256::from(PRICE), buy(1).into()).unwrap();
    market.oracle.world.host.warp(10_000);
    sent(&mut market, "close, failure", STRANGER, second, 0, close);
    sent(&mut market, "refund", ALICE, second, 0, Offering::refundCall {}.abi_encode());
    notes.are(&OFFERING);
}

#[test]
fn every_contract_fits_the_limit_of_code() {
    let codes = [
        AIOracle::DEPLOYED_BYTECODE.len(),
        AigcCollection::DEPLOYED_BYTECODE.len(),
        CollectionDeployer::DEPLOYED_BYTECODE.len(),
        CreatorVesting::DEPLOYED_BYTECODE.len(),
        Dispute::DEPLOYED_BYTECODE.len(),
        Offering::DEPLOYED_BYTECODE.len(),
        OfferingFactory::DEPLOYED_BYTECODE.len(),
        OpmlAdapter::DEPLOYED_BYTECODE.len(),
        RevenueToken::DEPLOYED_BYTECODE.len(),
        StepVerifier::DEPLOYED_BYTECODE.len(),
        TokenDeployer::DEPLOYED_BYTECODE.len(),
    ];
    assert!(codes.iter().all(|&size| 1_000 < size && size < MAX_CODE), "{codes:?}");
    // And is deployed as it is.
    let mut host = Host::new();
    let at = host.deploy(STRANGER, &TokenDeployer::BYTECODE, &[]).unwrap();
    assert_eq!(host.code_size(at), TokenDeployer::DEPLOYED_BYTECODE.len());
}

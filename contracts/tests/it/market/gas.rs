//! What each call costs, to the unit, and how large the contracts are.

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_sol_types::{SolCall, SolConstructor, SolValue};
use opml_contracts::{
    Host, Receipt,
    abi::{
        AIOracle, AigcCollection, CollectionDeployer, CreatorVesting, Dispute, Offering, OfferingFactory, OpmlAdapter,
        RevenueToken, StepVerifier, TokenDeployer,
    },
    dispute::NO_HALT,
    host::MAX_CODE,
};

use crate::{
    dispute::{
        gas::Notes,
        world::{CHALLENGER, STRANGER, input_headers},
    },
    oracle::world::{
        ALICE, BOB, CAROL, COMMIT_BOND, FEE, GAS_PRICE, INPUT, OaoConsumer, Oracle, RIGHT, WRONG, echo, theirs,
    },
};

use super::{
    collection::{Collection, SALT, token_id},
    offering::{CREATOR, Market, PRICE, launch_call, terms, units},
    shares::{self, ETHER, Shares, wei},
};

/// The oracle; three bytes in, three bytes out.
pub(super) const ORACLE: [(&str, u64); 21] = [
    ("list", 151_190),
    ("requestCallback, none", 220_692),
    ("requestCallback", 278_181),
    ("requestCallback, with a mode", 204_903),
    ("answer, none to call", 207_221),
    ("answer, with a callback", 294_657),
    ("invokeCallback", 159_514),
    ("commit", 82_061),
    ("reveal", 140_575),
    ("conclude", 88_323),
    ("updateResult, the same", 99_981),
    ("updateResult, another", 179_443),
    ("settleFee", 73_453),
    ("expire", 61_704),
    ("refund", 89_506),
    ("claimModelRevenue", 60_705),
    ("withdraw", 30_138),
    ("withdrawFor", 33_414),
    ("burn", 57_672),
    ("advance", 43_755),
    ("retry", 90_016),
];

/// ORA's interface.
pub(super) const ADAPTER: [(&str, u64); 6] = [
    ("describeModel", 81_259),
    ("uploadModel", 48_278),
    ("initOpmlRequest", 117_211),
    ("uploadResult", 79_015),
    ("startChallenge", 34_294),
    ("uploadClaim", 49_932),
];

/// The token, with ether and one coin.
pub(super) const TOKEN: [(&str, u64); 12] = [
    ("mint", 178_934),
    ("takeBack", 72_568),
    ("launch", 94_354),
    ("payment", 23_187),
    ("sync", 236_962),
    ("transfer, first", 384_900),
    ("transfer, same period", 119_282),
    ("snapshot", 111_794),
    ("claim", 76_420),
    ("claimERC20", 105_207),
    ("burn", 253_511),
    ("burnFor", 121_974),
];

/// The collection; three bytes of prompt and of content.
pub(super) const COLLECTION: [(&str, u64); 8] = [
    ("commitPrompt", 46_097),
    ("mint", 377_872),
    ("answer, mints", 379_760),
    ("updateResult, updates", 229_824),
    ("addAigcData", 191_412),
    ("transferFrom", 54_814),
    ("update", 85_890),
    ("takeBack", 74_628),
];

/// The offering.
pub(super) const OFFERING: [(&str, u64); 9] = [
    ("launch", 4_676_723),
    ("buy, first", 207_126),
    ("buy", 155_826),
    ("close, success", 3_781_630),
    ("withdraw", 29_939),
    ("close, failure", 55_583),
    ("refund", 81_736),
    ("collect", 78_220),
    ("release", 222_185),
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

    let AIOracle::requestCallback_0Call { modelId, input, callbackContract, gasLimit, callbackData } =
        oracle.request_call(consumer, 100_000);
    let patient = AIOracle::requestCallback_1Call {
        modelId,
        input,
        callbackContract,
        gasLimit,
        callbackData,
        mode: 1,
        refundTo: ALICE,
    };
    let value = FEE + GAS_PRICE * 100_000;
    notes.note("requestCallback, with a mode", &oracle.send(ALICE, value, &patient).unwrap());

    let claim = oracle.claim(BOB, silent, RIGHT);
    notes.note("answer, none to call", &oracle.answer(silent, &claim, RIGHT).unwrap());
    let lie = oracle.claim(CAROL, loud, WRONG);
    notes.note("answer, with a callback", &oracle.answer(loud, &lie, WRONG).unwrap());
    let node = Dispute::Claim { nonce: 3, ..oracle.prepared(CAROL, U256::from(3), RIGHT) };
    oracle.make(&node, RIGHT);
    let invoke = AIOracle::invokeCallbackCall { requestId: U256::from(3), output: RIGHT.into() };
    notes.note("invokeCallback", &oracle.send(CAROL, 0, &invoke).unwrap());
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
    notes.note("withdraw", &oracle.send(BOB, 0, &AIOracle::withdrawCall {}).unwrap());
    let pay = AIOracle::withdrawForCall { account: CAROL };
    notes.note("withdrawFor", &oracle.send(STRANGER, 0, &pay).unwrap());
    notes.note("burn", &oracle.send(STRANGER, 0, &AIOracle::burnCall {}).unwrap());
    let advance = AIOracle::advanceCall { requestId: loud };
    notes.note("advance", &oracle.send(STRANGER, 0, &advance).unwrap());
    let hostile = oracle.hostile(1, vec![]);
    let failed = oracle.ask_in_mode(ALICE, hostile, 100_000, 1);
    oracle.answer(failed, &hidden, RIGHT).unwrap();
    oracle.update(STRANGER, failed, RIGHT).unwrap();
    oracle.instruct(hostile, 0, vec![]);
    let retry = AIOracle::retryCall { requestId: failed, output: RIGHT.into() };
    notes.note("retry", &oracle.send(ALICE, 0, &retry).unwrap());
    notes.are(&ORACLE);
}

#[test]
fn the_adapter_costs_so_much() {
    let mut notes = Notes::default();
    let mut world = Oracle::new();
    let args = OpmlAdapter::constructorCall { dispute_: world.world.dispute, maxT: 1, tier: 0 }.abi_encode();
    let at = world.world.host.deploy(STRANGER, &OpmlAdapter::BYTECODE, &args).unwrap();
    let mut sent = |world: &mut Oracle, name: &'static str, from: Address, data: Vec<u8>| {
        let receipt = world.world.host.call(from, at, U256::ZERO, data.into()).unwrap();
        notes.note(name, &receipt);
    };
    let sample = echo();
    let roots = sample.program.roots();
    let describe = OpmlAdapter::describeModelCall {
        programRoot: roots.program.into(),
        constsRoot: roots.constants.into(),
        N: 1,
        nConsts: 0,
        out: 0,
        halt: NO_HALT,
        inputHeaders: input_headers(&sample),
    };
    sent(&mut world, "describeModel", STRANGER, describe.abi_encode());
    let (model, program) = (roots.model.into(), roots.program.into());
    let upload = OpmlAdapter::uploadModelCall { modelHash: model, programHash: program };
    sent(&mut world, "uploadModel", STRANGER, upload.abi_encode());
    let ask = OpmlAdapter::initOpmlRequestCall { modelHash: model, programHash: program, input: INPUT.into() };
    sent(&mut world, "initOpmlRequest", ALICE, ask.abi_encode());
    // The oracle's request is the same task.
    let request = world.ask(ALICE, Address::ZERO, 0);
    let claim = Dispute::Claim { nonce: 1, ..world.prepared(BOB, request, WRONG) };
    world.make(&claim, WRONG);
    let result = OpmlAdapter::uploadResultCall { requestId: U256::from(1), output: WRONG.into() };
    sent(&mut world, "uploadResult", BOB, result.abi_encode());
    let id = world.claim_id(&claim);
    world.world.challenge(CHALLENGER, id, 1).unwrap();
    let start =
        OpmlAdapter::startChallengeCall { requestId: U256::from(1), _1: RIGHT.into(), _2: B256::ZERO, _3: U256::ZERO };
    sent(&mut world, "startChallenge", CHALLENGER, start.abi_encode());
    let right = world.claim(CAROL, request, RIGHT);
    world.stands(&right);
    let Dispute::Claim { taskId, T, outputHash, submitter, nonce } = right;
    let c = OpmlAdapter::Claim { taskId, T, outputHash, submitter, nonce };
    let upload = OpmlAdapter::uploadClaimCall { requestId: U256::from(1), c, output: RIGHT.into() };
    sent(&mut world, "uploadClaim", STRANGER, upload.abi_encode());
    notes.are(&ADAPTER);
}

#[test]
fn the_token_costs_so_much() {
    let mut notes = Notes::default();
    let mut shares = Shares::before_launch();
    let mint = RevenueToken::mintCall { to: shares::ALICE, amount: wei(605) };
    notes.note("mint", &shares.send(shares::MINTER, &mint).unwrap());
    let mint = RevenueToken::mintCall { to: shares::BOB, amount: wei(400) };
    shares.send(shares::MINTER, &mint).unwrap();
    let back = RevenueToken::takeBackCall { from: shares::ALICE, amount: wei(5) };
    notes.note("takeBack", &shares.send(shares::MINTER, &back).unwrap());
    let launch = RevenueToken::launchCall { source_: Address::ZERO, modelId_: U256::ZERO };
    notes.note("launch", &shares.send(shares::MINTER, &launch).unwrap());
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

    // What anybody does if callbacks fail.
    let (id, mut poor) = (U256::from(1), Collection::new(30_000));
    poor.minted(ALICE);
    let lie = poor.oracle.answers(CAROL, id, WRONG);
    let add = AigcCollection::addAigcDataCall { aigcData: WRONG.into(), ..add };
    sent(&mut poor, STRANGER, U256::ZERO, add.abi_encode());
    let right = poor.oracle.answers(BOB, id, RIGHT);
    poor.oracle.fell(&lie);
    poor.oracle.stands(&right);
    poor.oracle.update(STRANGER, id, RIGHT).unwrap();
    let update = AigcCollection::updateCall { prompt_: INPUT.into(), aigcData: RIGHT.into() };
    notes.note("update", &sent(&mut poor, STRANGER, U256::ZERO, update.abi_encode()));
    let mut poor = Collection::new(30_000);
    poor.minted(ALICE);
    let lie = poor.oracle.answers(CAROL, id, WRONG);
    sent(&mut poor, STRANGER, U256::ZERO, add.abi_encode());
    poor.oracle.fell(&lie);
    poor.oracle.world.pass(2_000);
    poor.oracle.refund(id).unwrap();
    let back = AigcCollection::takeBackCall { tokenId_: token_id(&INPUT) };
    notes.note("takeBack", &sent(&mut poor, STRANGER, U256::ZERO, back.abi_encode()));
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
    let vesting = market.view(&Offering::vestingCall {});
    let token = market.token;
    market.oracle.world.host.call(ALICE, token, U256::from(1_000_000), Bytes::new()).unwrap();
    market.oracle.world.host.send(STRANGER, token, U256::ZERO, &RevenueToken::snapshotCall {}).unwrap();
    let collect = CreatorVesting::collectCall { token, snapshotId: U256::from(1), asset: Address::ZERO };
    sent(&mut market, "collect", STRANGER, vesting, 0, collect.abi_encode());
    sent(&mut market, "release", STRANGER, vesting, 0, CreatorVesting::release_0Call { token }.abi_encode());
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

/// The tables of the documents have these numbers.
#[test]
fn the_documents_tell_what_calls_cost() {
    let documents = [include_str!("../../../../docs/oracle.md"), include_str!("../../../../docs/tokens.md")];
    let tables: [&[(&str, u64)]; 5] = [&ORACLE, &ADAPTER, &TOKEN, &COLLECTION, &OFFERING];
    for (document, tables) in documents.into_iter().zip([&tables[..2], &tables[2..]]) {
        for (name, gas) in tables.iter().copied().flatten() {
            let thousands = format!("{},{:03}", gas / 1_000, gas % 1_000);
            let number = if *gas < 1_000_000 {
                thousands
            } else {
                format!("{},{:03},{:03}", gas / 1_000_000, gas / 1_000 % 1_000, gas % 1_000)
            };
            assert!(document.contains(&format!("| {name} | {number} |")), "| {name} | {number} |");
        }
    }
}

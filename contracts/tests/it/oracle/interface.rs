//! What the outside knows the oracle by: selectors, topics, and a consumer as dapps have it.

use alloy_primitives::{Address, Bytes, U256, b256, hex, keccak256};
use alloy_sol_types::{SolCall, SolConstructor, SolEvent, sol};
use opml_contracts::abi::{AIOracle, AigcCollection, OpmlAdapter, RevenueToken};

use crate::dispute::world::STRANGER;

use super::world::{ALICE, BOB, FEE, GAS_PRICE, OaoConsumer, Oracle, RIGHT};

/// The first four bytes of a signature's hash.
fn selector(signature: &str) -> [u8; 4] {
    keccak256(signature)[..4].try_into().unwrap()
}

/// The exclusive or of selectors: an ERC-165 id.
fn interface(signatures: &[&str]) -> [u8; 4] {
    signatures.iter().map(|signature| selector(signature)).fold([0; 4], |id, next| {
        let mut id = id;
        id.iter_mut().zip(next).for_each(|(a, b)| *a ^= b);
        id
    })
}

#[test]
fn selectors_are_those_of_the_published_interfaces() {
    assert_eq!(OaoConsumer::aiOracleCallbackCall::SELECTOR, hex!("b0347814"));
    assert_eq!(
        AIOracle::requestCallback_0Call::SELECTOR,
        selector("requestCallback(uint256,bytes,address,uint64,bytes)")
    );
    assert_eq!(AIOracle::estimateFeeCall::SELECTOR, selector("estimateFee(uint256,uint256)"));
    assert_eq!(AIOracle::isFinalizedCall::SELECTOR, selector("isFinalized(uint256)"));
    assert_eq!(AIOracle::invokeCallbackCall::SELECTOR, selector("invokeCallback(uint256,bytes)"));
    assert_eq!(AIOracle::updateResultCall::SELECTOR, selector("updateResult(uint256,bytes)"));
    assert_eq!(AIOracle::claimModelRevenueCall::SELECTOR, selector("claimModelRevenue(uint256)"));
    let request = keccak256("AICallbackRequest(address,uint256,uint256,bytes,address,uint64,bytes)");
    assert_eq!(AIOracle::AICallbackRequest::SIGNATURE_HASH, request);
    let result = keccak256("AICallbackResult(address,uint256,address,bytes)");
    assert_eq!(AIOracle::AICallbackResult::SIGNATURE_HASH, result);

    assert_eq!(OpmlAdapter::uploadModelCall::SELECTOR, selector("uploadModel(bytes32,bytes32)"));
    assert_eq!(OpmlAdapter::initOpmlRequestCall::SELECTOR, selector("initOpmlRequest(bytes32,bytes32,bytes)"));
    assert_eq!(OpmlAdapter::uploadResultCall::SELECTOR, selector("uploadResult(uint256,bytes)"));
    assert_eq!(OpmlAdapter::startChallengeCall::SELECTOR, selector("startChallenge(uint256,bytes,bytes32,uint256)"));
    assert_eq!(OpmlAdapter::getOutputCall::SELECTOR, selector("getOutput(uint256)"));
}

#[test]
fn interface_ids_are_those_of_the_standards() {
    let base = ["addAigcData(uint256,bytes,bytes,bytes)", "verify(bytes,bytes,bytes)"];
    assert_eq!(interface(&base), hex!("702c55a6"));
    assert_eq!(interface(&["tokenId(bytes)", "prompt(uint256)"]), hex!("fa1a557a"));
    assert_eq!(interface(&["update(bytes,bytes)"]), hex!("3f37dce2"));
    let ours = [AigcCollection::addAigcDataCall::SELECTOR, AigcCollection::verifyCall::SELECTOR];
    assert_eq!(ours, base.map(selector));
    assert_eq!(AigcCollection::tokenIdCall::SELECTOR, selector("tokenId(bytes)"));
    assert_eq!(AigcCollection::promptCall::SELECTOR, selector("prompt(uint256)"));
    assert_eq!(AigcCollection::updateCall::SELECTOR, hex!("3f37dce2"));
    let data = keccak256("AigcData(uint256,bytes,bytes,bytes)");
    assert_eq!(AigcCollection::AigcData::SIGNATURE_HASH, data);
    assert_eq!(AigcCollection::Update::SIGNATURE_HASH, keccak256("Update(uint256,bytes,bytes)"));

    assert_eq!(RevenueToken::claimableRevenueCall::SELECTOR, selector("claimableRevenue(address,uint256)"));
    assert_eq!(RevenueToken::claimCall::SELECTOR, selector("claim(uint256)"));
    assert_eq!(RevenueToken::snapshotCall::SELECTOR, selector("snapshot()"));
    assert_eq!(RevenueToken::redeemableOnBurnCall::SELECTOR, selector("redeemableOnBurn(uint256)"));
    assert_eq!(RevenueToken::burnCall::SELECTOR, selector("burn(uint256)"));
    assert_eq!(RevenueToken::claimableERC20Call::SELECTOR, selector("claimableERC20(address,uint256,address)"));
    assert_eq!(RevenueToken::redeemableERC20OnBurnCall::SELECTOR, selector("redeemableERC20OnBurn(uint256,address)"));
    let transfer = b256!("ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef");
    assert_eq!(RevenueToken::Transfer::SIGNATURE_HASH, transfer);
}

#[test]
fn a_consumer_written_for_oao_works_unchanged() {
    let mut oracle = Oracle::new();
    let consumer = oracle.consumer();
    let model = oracle.model;
    let fee = oracle.world.host.view(consumer, &OaoConsumer::estimateCall { modelId: model }).unwrap();
    assert_eq!(fee, U256::from(FEE + GAS_PRICE * 200_000));
    let ask = OaoConsumer::askCall { modelId: model, prompt: super::world::INPUT.into() };
    let id = oracle.world.host.send(ALICE, consumer, fee, &ask).unwrap().0;
    assert_eq!(id, U256::from(1));

    let claim = oracle.answers(BOB, id, RIGHT);
    let kept = |oracle: &mut Oracle| -> (Bytes, U256, bool) {
        let host = &mut oracle.world.host;
        let answer = host.view(consumer, &OaoConsumer::answersCall { requestId: id }).unwrap();
        let calls = host.view(consumer, &OaoConsumer::callsCall {}).unwrap();
        (answer, calls, host.view(consumer, &OaoConsumer::lastWasFinalCall {}).unwrap())
    };
    assert_eq!(kept(&mut oracle), (RIGHT.into(), U256::from(1), false));
    oracle.stands(&claim);
    oracle.update(STRANGER, id, RIGHT).unwrap();
    // The same answer is no news.
    assert_eq!(kept(&mut oracle), (RIGHT.into(), U256::from(1), false));
    assert!(oracle.is_final(id));

    // Nobody but the oracle brings answers.
    let call = OaoConsumer::aiOracleCallbackCall { requestId: id, output: Bytes::new(), callbackData: Bytes::new() };
    let refused = oracle.world.host.send(ALICE, consumer, U256::ZERO, &call).unwrap_err();
    assert!(refused.is::<OaoConsumer::UnauthorizedCallbackSource>(), "{refused}");
}

sol!(
    #[derive(Debug)]
    PatientConsumer,
    "artifacts/test/PatientConsumer.json"
);

#[test]
fn a_consumer_that_waits_sees_no_answer_but_the_final_one() {
    let mut oracle = Oracle::new();
    let args = PatientConsumer::constructorCall { oracle: oracle.at, modelId: oracle.model, wanted: RIGHT.into() };
    let host = &mut oracle.world.host;
    let consumer = host.deploy(STRANGER, &PatientConsumer::BYTECODE, &args.abi_encode()).unwrap();
    host.fund(consumer, U256::from(77)).unwrap();
    let enter = PatientConsumer::enterCall { prompt: super::world::INPUT.into() };
    let fee = U256::from(FEE + GAS_PRICE * 100_000);
    let id = host.send(ALICE, consumer, fee, &enter).unwrap().0;
    let claim = oracle.answers(BOB, id, RIGHT);
    let winner = |oracle: &mut Oracle| oracle.world.host.view(consumer, &PatientConsumer::winnerCall {}).unwrap();
    assert_eq!(winner(&mut oracle), Address::ZERO);
    oracle.stands(&claim);
    oracle.update(STRANGER, id, RIGHT).unwrap();
    assert_eq!(winner(&mut oracle), ALICE);
    let host = &mut oracle.world.host;
    let before = host.balance(ALICE);
    assert!(host.send(BOB, consumer, U256::ZERO, &PatientConsumer::takePrizeCall {}).is_err());
    host.send(ALICE, consumer, U256::ZERO, &PatientConsumer::takePrizeCall {}).unwrap();
    assert_eq!(host.balance(ALICE) - before, U256::from(77));
}

/// Code in the documents is code of the test contracts, which are compiled and run.
#[test]
fn code_in_the_documents_is_compiled() {
    let contracts = [
        include_str!("../../../solidity/test/OaoConsumer.sol"),
        include_str!("../../../solidity/test/PatientConsumer.sol"),
        include_str!("../../../solidity/test/Shop.sol"),
    ];
    let documents = [
        ("oracle.md", include_str!("../../../../docs/oracle.md"), 2),
        ("tokens.md", include_str!("../../../../docs/tokens.md"), 1),
    ];
    for (name, text, count) in documents {
        let blocks: Vec<&str> =
            text.split("```solidity\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
        assert!(blocks.len() >= count, "{name}");
        for block in blocks {
            assert!(contracts.iter().any(|contract| contract.contains(block.trim())), "{name}: {block}");
        }
    }
}

//! What questions cost, to the unit, what comes with OpenZeppelin's bases, and that no function of any contract is left out.

use alloy_primitives::{Address, B256, Bytes, FixedBytes, U256, keccak256};
use alloy_sol_types::{SolCall, SolConstructor, SolValue};
use opml_contracts::abi::{
    AIOracle, AigcCollection, CollectionDeployer, CreatorVesting, Offering, OfferingFactory, OpmlAdapter, RevenueToken,
    TokenDeployer,
};

use crate::{
    dispute::{gas::Notes, world::STRANGER},
    oracle::world::{ALICE, BOB, CAROL, INPUT, RIGHT, WRONG},
};

use super::{
    collection::{SALT, token_id},
    gas::{ADAPTER, COLLECTION, OFFERING, ORACLE, TOKEN},
    offering::{CREATOR, Market, terms},
};

/// As a transaction of its own: 21,000 of each are the base, which a call inside a contract does not pay.
const QUESTIONS: [(&str, u64); 96] = [
    ("COMMIT_BOND()", 21_854),
    ("REVEAL_TIME()", 21_344),
    ("MAX_CALLBACK_GAS()", 21_700),
    ("dispute()", 21_970),
    ("requestCount()", 23_715),
    ("estimateFee(uint256,uint256)", 31_213),
    ("isFinalized(uint256)", 23_794),
    ("answerOf(uint256)", 23_614),
    ("requestOf(uint256)", 45_439),
    ("entriesOf(uint256)", 38_106),
    ("conflicted(uint256)", 38_866),
    ("creditOf(address)", 24_348),
    ("revenueOf(uint256)", 24_604),
    ("getModel(uint256)", 31_490),
    ("modelIdOf((bytes32,uint64,uint8,uint32,uint16,address,uint96,uint64))", 25_550),
    ("requireListable((bytes32,uint64,uint8,uint32,uint16,address,uint96,uint64),bytes)", 34_081),
    ("MAX_T()", 21_443),
    ("TIER()", 21_399),
    ("dispute()", 21_487),
    ("requestCount()", 23_429),
    ("isFinalized(uint256)", 23_650),
    ("getOutput(uint256)", 26_337),
    ("taskOf(uint256)", 23_767),
    ("claimOf(uint256)", 23_523),
    ("CLAIMABLE()", 21_786),
    ("ETHER()", 21_569),
    ("MAX_REVENUE_TOKENS()", 21_918),
    ("MAX_SUPPLY()", 21_453),
    ("MINTER()", 21_990),
    ("SNAPSHOT_INTERVAL()", 21_632),
    ("name()", 23_809),
    ("symbol()", 24_333),
    ("decimals()", 21_431),
    ("totalSupply()", 23_424),
    ("balanceOf(address)", 24_274),
    ("allowance(address,address)", 24_993),
    ("launched()", 23_835),
    ("source()", 23_719),
    ("modelId()", 23_691),
    ("periodStart()", 24_043),
    ("lastMove()", 23_390),
    ("snapshotCount()", 23_380),
    ("revenueAssets()", 25_930),
    ("isAsset(address)", 24_244),
    ("assetOf(address)", 35_080),
    ("claimableRevenue(address,uint256)", 39_066),
    ("claimableERC20(address,uint256,address)", 39_566),
    ("redeemableOnBurn(uint256)", 35_318),
    ("redeemableERC20OnBurn(uint256,address)", 35_526),
    ("CALLBACK_GAS()", 21_619),
    ("MODEL_ID()", 21_767),
    ("aiOracle()", 21_377),
    ("name()", 23_837),
    ("symbol()", 24_173),
    ("mintFee()", 33_687),
    ("committedAt(bytes32)", 23_777),
    ("balanceOf(address)", 24_119),
    ("ownerOf(uint256)", 24_205),
    ("getApproved(uint256)", 26_173),
    ("isApprovedForAll(address,address)", 24_960),
    ("requestOf(uint256)", 24_073),
    ("tokenId(bytes)", 22_531),
    ("prompt(uint256)", 29_695),
    ("aigcDataOf(uint256)", 29_876),
    ("tokenURI(uint256)", 52_312),
    ("royaltyInfo(uint256,uint256)", 26_535),
    ("supportsInterface(bytes4)", 21_600),
    ("verify(bytes,bytes,bytes)", 37_045),
    ("oracle()", 21_451),
    ("token()", 21_583),
    ("state()", 23_628),
    ("sold()", 23_317),
    ("raised()", 23_636),
    ("modelId()", 23_413),
    ("vesting()", 23_466),
    ("collection()", 23_576),
    ("saleTerms()", 32_535),
    ("listingTerms()", 30_389),
    ("paidBy(address)", 24_126),
    ("creditOf(address)", 23_994),
    ("costOf(uint256)", 24_094),
    ("oracle()", 21_286),
    ("TOKENS()", 21_242),
    ("COLLECTIONS()", 21_215),
    ("isOffering(address)", 23_877),
    ("owner()", 23_499),
    ("start()", 21_484),
    ("duration()", 21_239),
    ("end()", 21_603),
    ("cliff()", 21_261),
    ("releasable(address)", 30_557),
    ("releasable()", 24_311),
    ("released()", 23_515),
    ("released(address)", 24_032),
    ("vestedAmount(uint64)", 23_858),
    ("vestedAmount(address,uint64)", 30_232),
];

/// Functions of bases, and of the contracts that deploy.
const BASES: [(&str, u64); 11] = [
    ("approve(address,uint256)", 45_901),
    ("transferFrom(address,address,uint256)", 167_897),
    ("approve(address,uint256)", 48_614),
    ("setApprovalForAll(address,bool)", 46_303),
    ("safeTransferFrom(address,address,uint256)", 57_952),
    ("safeTransferFrom(address,address,uint256,bytes)", 58_540),
    ("release()", 56_791),
    ("transferOwnership(address)", 28_641),
    ("renounceOwnership()", 23_186),
    ("deploy((string,string,uint16,uint32,address[]))", 2_300_845),
    ("deploy((string,string,uint96,uint64),address,uint256,address)", 2_599_631),
];

/// A sold-out market with a token of content that is final, two answers on its request, and a period of revenue.
struct Busy {
    market: Market,
    vesting: Address,
    collection: Address,
    adapter: Address,
}

impl Busy {
    fn new() -> Self {
        let mut market = Market::succeeded();
        let (vesting, collection) = (market.view(&Offering::vestingCall {}), market.view(&Offering::collectionCall {}));
        market.oracle.model = market.view(&Offering::modelIdCall {});
        let args = OpmlAdapter::constructorCall { dispute_: market.oracle.world.dispute, maxT: 1, tier: 0 };
        let host = &mut market.oracle.world.host;
        let adapter = host.deploy(STRANGER, &OpmlAdapter::BYTECODE, &args.abi_encode()).unwrap();
        let commitment = keccak256((ALICE, keccak256(INPUT), SALT).abi_encode());
        host.send(ALICE, collection, U256::ZERO, &AigcCollection::commitPromptCall { commitment }).unwrap();
        let fee = host.view(collection, &AigcCollection::mintFeeCall {}).unwrap();
        let mint = AigcCollection::mintCall { prompt_: INPUT.into(), salt: SALT };
        let id = host.send(ALICE, collection, fee, &mint).unwrap().0;
        market.oracle.answers(CAROL, id, WRONG);
        let right = market.oracle.answers(BOB, id, RIGHT);
        market.oracle.stands(&right);
        market.oracle.update(STRANGER, id, RIGHT).unwrap();
        let token = market.token;
        let host = &mut market.oracle.world.host;
        host.call(ALICE, token, U256::from(1_000_000), Bytes::new()).unwrap();
        host.send(STRANGER, token, U256::ZERO, &RevenueToken::snapshotCall {}).unwrap();
        Self { market, vesting, collection, adapter }
    }

    fn ask<C: SolCall>(&mut self, notes: &mut Notes, at: Address, call: &C) {
        let data = call.abi_encode().into();
        let receipt = self.market.oracle.world.host.static_call(Address::ZERO, at, data).unwrap();
        notes.note(C::SIGNATURE, &receipt);
    }

    fn send<C: SolCall>(&mut self, notes: &mut Notes, from: Address, at: Address, call: &C) {
        let receipt = self.market.oracle.world.host.send(from, at, U256::ZERO, call).unwrap().1;
        notes.note(C::SIGNATURE, &receipt);
    }
}

#[test]
fn questions_cost_so_much() {
    let mut busy = Busy::new();
    let mut notes = Notes::default();
    of_the_oracle(&mut busy, &mut notes);
    of_the_adapter(&mut busy, &mut notes);
    of_the_token(&mut busy, &mut notes);
    of_the_collection(&mut busy, &mut notes);
    of_the_offering(&mut busy, &mut notes);
    of_the_vesting(&mut busy, &mut notes);
    notes.are(&QUESTIONS);
}

fn of_the_oracle(busy: &mut Busy, notes: &mut Notes) {
    let (at, model, id) = (busy.market.oracle.at, busy.market.oracle.model, U256::from(1));
    busy.ask(notes, at, &AIOracle::COMMIT_BONDCall {});
    busy.ask(notes, at, &AIOracle::REVEAL_TIMECall {});
    busy.ask(notes, at, &AIOracle::MAX_CALLBACK_GASCall {});
    busy.ask(notes, at, &AIOracle::disputeCall {});
    busy.ask(notes, at, &AIOracle::requestCountCall {});
    busy.ask(notes, at, &AIOracle::estimateFeeCall { modelId: model, gasLimit: U256::from(200_000) });
    busy.ask(notes, at, &AIOracle::isFinalizedCall { requestId: id });
    busy.ask(notes, at, &AIOracle::answerOfCall { requestId: id });
    busy.ask(notes, at, &AIOracle::requestOfCall { requestId: id });
    busy.ask(notes, at, &AIOracle::entriesOfCall { requestId: id });
    busy.ask(notes, at, &AIOracle::conflictedCall { requestId: id });
    busy.ask(notes, at, &AIOracle::creditOfCall { account: BOB });
    busy.ask(notes, at, &AIOracle::revenueOfCall { modelId: model });
    busy.ask(notes, at, &AIOracle::getModelCall { modelId: model });
    let terms = busy.market.oracle.terms.clone();
    busy.ask(notes, at, &AIOracle::modelIdOfCall { terms: terms.clone() });
    let headers: Bytes = [&[0_u8][..], &3_u64.to_be_bytes()].concat().into();
    busy.ask(notes, at, &AIOracle::requireListableCall { terms, inputHeaders: headers });
}

fn of_the_adapter(busy: &mut Busy, notes: &mut Notes) {
    let (at, id) = (busy.adapter, U256::from(1));
    busy.ask(notes, at, &OpmlAdapter::MAX_TCall {});
    busy.ask(notes, at, &OpmlAdapter::TIERCall {});
    busy.ask(notes, at, &OpmlAdapter::disputeCall {});
    busy.ask(notes, at, &OpmlAdapter::requestCountCall {});
    busy.ask(notes, at, &OpmlAdapter::isFinalizedCall { requestId: id });
    busy.ask(notes, at, &OpmlAdapter::getOutputCall { requestId: id });
    busy.ask(notes, at, &OpmlAdapter::taskOfCall { requestId: id });
    busy.ask(notes, at, &OpmlAdapter::claimOfCall { requestId: id });
}

fn of_the_token(busy: &mut Busy, notes: &mut Notes) {
    let (at, id, ether) = (busy.market.token, U256::from(1), Address::ZERO);
    let amount = U256::from(1_000);
    busy.ask(notes, at, &RevenueToken::CLAIMABLECall {});
    busy.ask(notes, at, &RevenueToken::ETHERCall {});
    busy.ask(notes, at, &RevenueToken::MAX_REVENUE_TOKENSCall {});
    busy.ask(notes, at, &RevenueToken::MAX_SUPPLYCall {});
    busy.ask(notes, at, &RevenueToken::MINTERCall {});
    busy.ask(notes, at, &RevenueToken::SNAPSHOT_INTERVALCall {});
    busy.ask(notes, at, &RevenueToken::nameCall {});
    busy.ask(notes, at, &RevenueToken::symbolCall {});
    busy.ask(notes, at, &RevenueToken::decimalsCall {});
    busy.ask(notes, at, &RevenueToken::totalSupplyCall {});
    busy.ask(notes, at, &RevenueToken::balanceOfCall { account: ALICE });
    busy.ask(notes, at, &RevenueToken::allowanceCall { owner: ALICE, spender: BOB });
    busy.ask(notes, at, &RevenueToken::launchedCall {});
    busy.ask(notes, at, &RevenueToken::sourceCall {});
    busy.ask(notes, at, &RevenueToken::modelIdCall {});
    busy.ask(notes, at, &RevenueToken::periodStartCall {});
    busy.ask(notes, at, &RevenueToken::lastMoveCall {});
    busy.ask(notes, at, &RevenueToken::snapshotCountCall {});
    busy.ask(notes, at, &RevenueToken::revenueAssetsCall {});
    busy.ask(notes, at, &RevenueToken::isAssetCall { asset: ether });
    busy.ask(notes, at, &RevenueToken::assetOfCall { asset: ether });
    busy.ask(notes, at, &RevenueToken::claimableRevenueCall { account: ALICE, snapshotId: id });
    busy.ask(notes, at, &RevenueToken::claimableERC20Call { account: ALICE, snapshotId: id, token: ether });
    busy.ask(notes, at, &RevenueToken::redeemableOnBurnCall { amount });
    busy.ask(notes, at, &RevenueToken::redeemableERC20OnBurnCall { amount, token: ether });
}

fn of_the_collection(busy: &mut Busy, notes: &mut Notes) {
    let (at, id) = (busy.collection, token_id(&INPUT));
    let verify = |data: &[u8]| AigcCollection::verifyCall {
        prompt_: INPUT.into(),
        aigcData: data.to_vec().into(),
        _2: Bytes::new(),
    };
    busy.ask(notes, at, &AigcCollection::CALLBACK_GASCall {});
    busy.ask(notes, at, &AigcCollection::MODEL_IDCall {});
    busy.ask(notes, at, &AigcCollection::aiOracleCall {});
    busy.ask(notes, at, &AigcCollection::nameCall {});
    busy.ask(notes, at, &AigcCollection::symbolCall {});
    busy.ask(notes, at, &AigcCollection::mintFeeCall {});
    busy.ask(notes, at, &AigcCollection::committedAtCall { commitment: B256::ZERO });
    busy.ask(notes, at, &AigcCollection::balanceOfCall { owner: ALICE });
    busy.ask(notes, at, &AigcCollection::ownerOfCall { tokenId: id });
    busy.ask(notes, at, &AigcCollection::getApprovedCall { tokenId: id });
    busy.ask(notes, at, &AigcCollection::isApprovedForAllCall { owner: ALICE, operator: BOB });
    busy.ask(notes, at, &AigcCollection::requestOfCall { tokenId_: id });
    busy.ask(notes, at, &AigcCollection::tokenIdCall { prompt_: INPUT.into() });
    busy.ask(notes, at, &AigcCollection::promptCall { tokenId_: id });
    busy.ask(notes, at, &AigcCollection::aigcDataOfCall { tokenId_: id });
    busy.ask(notes, at, &AigcCollection::tokenURICall { tokenId_: id });
    busy.ask(notes, at, &AigcCollection::royaltyInfoCall { tokenId: id, salePrice: U256::from(100) });
    busy.ask(notes, at, &AigcCollection::supportsInterfaceCall { id: FixedBytes([0x70, 0x2c, 0x55, 0xa6]) });
    busy.ask(notes, at, &verify(RIGHT));
}

fn of_the_offering(busy: &mut Busy, notes: &mut Notes) {
    let (at, factory) = (busy.market.offering, busy.market.factory);
    busy.ask(notes, at, &Offering::oracleCall {});
    busy.ask(notes, at, &Offering::tokenCall {});
    busy.ask(notes, at, &Offering::stateCall {});
    busy.ask(notes, at, &Offering::soldCall {});
    busy.ask(notes, at, &Offering::raisedCall {});
    busy.ask(notes, at, &Offering::modelIdCall {});
    busy.ask(notes, at, &Offering::vestingCall {});
    busy.ask(notes, at, &Offering::collectionCall {});
    busy.ask(notes, at, &Offering::saleTermsCall {});
    busy.ask(notes, at, &Offering::listingTermsCall {});
    busy.ask(notes, at, &Offering::paidByCall { buyer: ALICE });
    busy.ask(notes, at, &Offering::creditOfCall { account: CREATOR });
    busy.ask(notes, at, &Offering::costOfCall { amount: super::offering::units(3) });
    busy.ask(notes, factory, &OfferingFactory::oracleCall {});
    busy.ask(notes, factory, &OfferingFactory::TOKENSCall {});
    busy.ask(notes, factory, &OfferingFactory::COLLECTIONSCall {});
    busy.ask(notes, factory, &OfferingFactory::isOfferingCall { offering: at });
}

fn of_the_vesting(busy: &mut Busy, notes: &mut Notes) {
    let (at, token) = (busy.vesting, busy.market.token);
    busy.ask(notes, at, &CreatorVesting::ownerCall {});
    busy.ask(notes, at, &CreatorVesting::startCall {});
    busy.ask(notes, at, &CreatorVesting::durationCall {});
    busy.ask(notes, at, &CreatorVesting::endCall {});
    busy.ask(notes, at, &CreatorVesting::cliffCall {});
    busy.ask(notes, at, &CreatorVesting::releasable_0Call { token });
    busy.ask(notes, at, &CreatorVesting::releasable_1Call {});
    busy.ask(notes, at, &CreatorVesting::released_0Call {});
    busy.ask(notes, at, &CreatorVesting::released_1Call { token });
    busy.ask(notes, at, &CreatorVesting::vestedAmount_0Call { timestamp: 2_000_000_000 });
    busy.ask(notes, at, &CreatorVesting::vestedAmount_1Call { token, timestamp: 2_000_000_000 });
}

#[test]
fn what_comes_with_bases_costs_so_much() {
    let mut busy = Busy::new();
    let mut notes = Notes::default();
    let (token, collection, vesting) = (busy.market.token, busy.collection, busy.vesting);
    let (id, amount) = (token_id(&INPUT), U256::from(1_000));
    busy.send(&mut notes, ALICE, token, &RevenueToken::approveCall { spender: BOB, value: amount });
    busy.send(&mut notes, BOB, token, &RevenueToken::transferFromCall { from: ALICE, to: BOB, value: amount });
    busy.send(&mut notes, ALICE, collection, &AigcCollection::approveCall { to: BOB, tokenId: id });
    busy.send(
        &mut notes,
        ALICE,
        collection,
        &AigcCollection::setApprovalForAllCall { operator: CAROL, approved: true },
    );
    let safe = AigcCollection::safeTransferFrom_0Call { from: ALICE, to: BOB, tokenId: id };
    busy.send(&mut notes, CAROL, collection, &safe);
    let safe = AigcCollection::safeTransferFrom_1Call { from: BOB, to: CAROL, tokenId: id, data: Bytes::new() };
    busy.send(&mut notes, BOB, collection, &safe);
    let collect = CreatorVesting::collectCall { token, snapshotId: U256::from(1), asset: Address::ZERO };
    busy.market.oracle.world.host.send(STRANGER, vesting, U256::ZERO, &collect).unwrap();
    busy.market.oracle.world.host.warp(5_000);
    busy.send(&mut notes, STRANGER, vesting, &CreatorVesting::release_1Call {});
    busy.send(&mut notes, CREATOR, vesting, &CreatorVesting::transferOwnershipCall { newOwner: ALICE });
    busy.send(&mut notes, ALICE, vesting, &CreatorVesting::renounceOwnershipCall {});
    let host = &mut busy.market.oracle.world.host;
    let tokens = host.deploy(STRANGER, &TokenDeployer::BYTECODE, &[]).unwrap();
    let collections = host.deploy(STRANGER, &CollectionDeployer::BYTECODE, &[]).unwrap();
    let terms = terms(&mut busy.market.oracle);
    let token = TokenDeployer::TokenTerms::abi_decode(&terms.token.abi_encode()).unwrap();
    busy.send(&mut notes, STRANGER, tokens, &TokenDeployer::deployCall { terms: token });
    let opened = CollectionDeployer::CollectionTerms::abi_decode(&terms.collection.abi_encode()).unwrap();
    let (oracle, model) = (busy.market.oracle.at, busy.market.oracle.model);
    let deploy = CollectionDeployer::deployCall { terms: opened, oracle, modelId: model, royaltyReceiver: ALICE };
    busy.send(&mut notes, STRANGER, collections, &deploy);
    notes.are(&BASES);
}

/// Functions that only refuse: nothing is ever burnt in an offering, and answers come from the oracle alone.
#[test]
fn what_only_refuses_refuses() {
    let mut busy = Busy::new();
    let (offering, collection) = (busy.market.offering, busy.collection);
    let host = &mut busy.market.oracle.world.host;
    let burn = host.send(STRANGER, offering, U256::ZERO, &Offering::burnCall {}).unwrap_err();
    assert!(burn.is::<Offering::NothingToWithdraw>());
    let call =
        AigcCollection::aiOracleCallbackCall { requestId: U256::from(1), output: RIGHT.into(), _2: Bytes::new() };
    let call = host.send(STRANGER, collection, U256::ZERO, &call).unwrap_err();
    assert!(call.is::<AigcCollection::UnauthorizedCallbackSource>());
}

/// The functions of a contract, and the tables that have their gas.
type Asked<'a> = (&'a [&'a str], &'a [&'a [(&'a str, u64)]]);

#[test]
fn no_function_is_left_out() {
    let refusals = ["burn()", "aiOracleCallback(uint256,bytes,bytes)"];
    let written: Vec<&str> = [QUESTIONS.as_slice(), &BASES].concat().iter().map(|(name, _)| *name).collect();
    let measured = |tables: &[&[(&str, u64)]], signature: &str| {
        let name = signature.split('(').next().unwrap();
        let mut names = tables.iter().copied().flatten().map(|(name, _)| name.split(',').next().unwrap());
        written.contains(&signature) || names.any(|known| known == name)
    };
    let contracts: [Asked<'_>; 9] = [
        (AIOracle::AIOracleCalls::SIGNATURES, &[&ORACLE]),
        (OpmlAdapter::OpmlAdapterCalls::SIGNATURES, &[&ADAPTER]),
        (RevenueToken::RevenueTokenCalls::SIGNATURES, &[&TOKEN]),
        (AigcCollection::AigcCollectionCalls::SIGNATURES, &[&COLLECTION]),
        (Offering::OfferingCalls::SIGNATURES, &[&OFFERING]),
        (OfferingFactory::OfferingFactoryCalls::SIGNATURES, &[&OFFERING]),
        (CreatorVesting::CreatorVestingCalls::SIGNATURES, &[&OFFERING]),
        (TokenDeployer::TokenDeployerCalls::SIGNATURES, &[]),
        (CollectionDeployer::CollectionDeployerCalls::SIGNATURES, &[]),
    ];
    let mut left: Vec<&str> = Vec::new();
    for (signatures, tables) in contracts {
        assert!(!signatures.is_empty());
        left.extend(signatures.iter().filter(|name| !measured(tables, name) && !refusals.contains(name)));
    }
    assert_eq!(left, Vec::<&str>::new());
}

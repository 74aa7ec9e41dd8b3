//! Initial model offerings: the sale, its two ends, and where the money goes afterwards.

use alloy_primitives::{Address, U256};
use alloy_sol_types::{SolCall, SolConstructor};
use opml_contracts::{
    HostError,
    abi::{
        AIOracle, CollectionDeployer, CreatorVesting,
        Offering::{self, CollectionTerms, OfferingTerms, SaleTerms, Terms, TokenTerms},
        OfferingFactory, RevenueToken, TokenDeployer,
    },
};

use crate::{
    dispute::{
        money::Puppet,
        world::{STRANGER, input_headers},
    },
    oracle::world::{ALICE, BOB, CAROL, FEE, Oracle, RIGHT, SHARE, echo, parts},
};

pub(crate) const CREATOR: Address = Address::repeat_byte(0xcc);
/// Of 10^18 units.
pub(crate) const PRICE: u64 = 3_000;
pub(crate) const UNIT: u64 = 1_000_000_000_000_000_000;
const HOUR: u64 = 3_600;

pub(crate) struct Market {
    pub(crate) oracle: Oracle,
    pub(crate) factory: Address,
    pub(crate) offering: Address,
    pub(crate) token: Address,
}

pub(crate) fn units(tokens: u64) -> U256 {
    U256::from(tokens) * U256::from(UNIT)
}

pub(crate) fn terms(oracle: &mut Oracle) -> OfferingTerms {
    let listed = oracle.terms.clone();
    OfferingTerms {
        sale: SaleTerms {
            price: U256::from(PRICE),
            cap: units(100),
            softCap: units(40),
            deadline: alloy_primitives::aliases::U40::from(oracle.world.host.now() + HOUR),
            creator: CREATOR,
            creatorShare: 2_000,
            cliff: 1_000,
            vesting: 10_000,
        },
        token: TokenTerms {
            name: "Echo".to_owned(),
            symbol: "ECHO".to_owned(),
            claimable: 7_500,
            snapshotInterval: 100,
            revenueTokens: vec![],
        },
        listing: Terms {
            modelRoot: listed.modelRoot,
            maxT: listed.maxT,
            tier: listed.tier,
            ttl: listed.ttl,
            share: listed.share,
            receiver: Address::ZERO,
            fee: listed.fee,
            gasPrice: listed.gasPrice,
        },
        inputHeaders: input_headers(&echo()),
        collection: CollectionTerms {
            name: "Echoes".to_owned(),
            symbol: "E".to_owned(),
            royalty: alloy_primitives::aliases::U96::from(500),
            callbackGas: 600_000,
        },
    }
}

/// The same terms in the factory's bindings.
pub(crate) fn launch_call(terms: &OfferingTerms) -> OfferingFactory::launchCall {
    use alloy_sol_types::SolValue;
    let encoded = terms.abi_encode();
    OfferingFactory::launchCall { terms: OfferingFactory::OfferingTerms::abi_decode(&encoded).unwrap() }
}

pub(crate) fn deploy_factory(oracle: &mut Oracle) -> Address {
    let host = &mut oracle.world.host;
    let tokens = host.deploy(STRANGER, &TokenDeployer::BYTECODE, &[]).unwrap();
    let collections = host.deploy(STRANGER, &CollectionDeployer::BYTECODE, &[]).unwrap();
    let args = OfferingFactory::constructorCall { oracle_: oracle.at, tokens, collections }.abi_encode();
    host.deploy(STRANGER, &OfferingFactory::BYTECODE, &args).unwrap()
}

impl Market {
    pub(crate) fn new() -> Self {
        let mut oracle = Oracle::new();
        let factory = deploy_factory(&mut oracle);
        let terms = terms(&mut oracle);
        let host = &mut oracle.world.host;
        let offering = host.send(CREATOR, factory, U256::ZERO, &launch_call(&terms)).unwrap().0;
        assert!(host.view(factory, &OfferingFactory::isOfferingCall { offering }).unwrap());
        let token = host.view(offering, &Offering::tokenCall {}).unwrap();
        Self { oracle, factory, offering, token }
    }

    pub(crate) fn send<C: SolCall>(&mut self, from: Address, value: u64, call: &C) -> Result<C::Return, HostError> {
        self.oracle.world.host.send(from, self.offering, U256::from(value), call).map(|(value, _)| value)
    }

    pub(crate) fn view<C: SolCall>(&mut self, call: &C) -> C::Return {
        self.oracle.world.host.view(self.offering, call).unwrap()
    }

    pub(crate) fn buy(&mut self, from: Address, tokens: u64) -> Result<(), HostError> {
        self.send(from, tokens * PRICE, &Offering::buyCall { amount: units(tokens) }).map(|_| ())
    }

    pub(crate) fn close(&mut self) -> Result<(), HostError> {
        self.send(STRANGER, 0, &Offering::closeCall {}).map(|_| ())
    }

    fn tokens(&mut self, account: Address) -> U256 {
        self.oracle.world.host.view(self.token, &RevenueToken::balanceOfCall { account }).unwrap()
    }

    /// Sold out and closed.
    pub(crate) fn succeeded() -> Self {
        let mut market = Self::new();
        market.buy(ALICE, 60).unwrap();
        market.buy(BOB, 40).unwrap();
        market.close().unwrap();
        market
    }
}

#[test]
fn a_sale_that_is_sold_out_launches_everything() {
    let mut market = Market::new();
    market.buy(ALICE, 60).unwrap();
    assert!(market.close().unwrap_err().is::<Offering::SaleRuns>());
    assert!(market.buy(BOB, 41).unwrap_err().is::<Offering::AboveCap>());
    market.buy(BOB, 40).unwrap();
    market.close().unwrap();
    assert!(market.close().unwrap_err().is::<Offering::SaleOver>());
    assert!(market.buy(CAROL, 1).unwrap_err().is::<Offering::SaleOver>());
    assert!(market.send(ALICE, 0, &Offering::refundCall {}).unwrap_err().is::<Offering::NotRefundable>());

    let vesting = market.view(&Offering::vestingCall {});
    assert_eq!(market.tokens(ALICE), units(60));
    assert_eq!(market.tokens(vesting), units(25), "a fifth of all");
    assert_eq!(market.view(&Offering::raisedCall {}), U256::from(100 * PRICE));
    market.send(CREATOR, 0, &Offering::withdrawCall {}).unwrap();
    assert_eq!(market.oracle.world.host.balance(CREATOR), U256::from(100 * PRICE));

    // The creator's share vests linearly from the cliff on.
    let release = CreatorVesting::release_0Call { token: market.token };
    let host = &mut market.oracle.world.host;
    let start: u64 = host.view(vesting, &CreatorVesting::startCall {}).unwrap().to();
    host.warp(start + 999 - host.now());
    host.send(STRANGER, vesting, U256::ZERO, &release).unwrap();
    assert_eq!(market.tokens(CREATOR), U256::ZERO);
    market.oracle.world.host.warp(1);
    market.oracle.world.host.send(STRANGER, vesting, U256::ZERO, &release).unwrap();
    assert_eq!(market.tokens(CREATOR), units(25) / U256::from(10));
    market.oracle.world.host.warp(9_000);
    market.oracle.world.host.send(STRANGER, vesting, U256::ZERO, &release).unwrap();
    assert_eq!(market.tokens(CREATOR), units(25));
}

#[test]
fn a_sale_that_sold_enough_in_time_succeeds_at_its_deadline() {
    let mut market = Market::new();
    market.buy(ALICE, 40).unwrap();
    market.oracle.world.host.warp(HOUR);
    assert!(market.buy(BOB, 1).unwrap_err().is::<Offering::SaleOver>());
    market.close().unwrap();
    assert_eq!(market.view(&Offering::stateCall {}), 1);
    let vesting = market.view(&Offering::vestingCall {});
    assert_eq!(market.tokens(vesting), units(10));
}

#[test]
fn a_sale_that_sold_too_little_gives_everything_back() {
    let mut market = Market::new();
    let funds = market.oracle.world.host.balance(ALICE);
    market.buy(ALICE, 30).unwrap();
    market.buy(ALICE, 5).unwrap();
    market.buy(BOB, 4).unwrap();
    let transfer = RevenueToken::transferCall { to: CAROL, value: units(1) };
    let token = market.token;
    let moved = market.oracle.world.host.send(ALICE, token, U256::ZERO, &transfer);
    assert!(moved.unwrap_err().is::<RevenueToken::NotLaunched>());
    assert!(market.send(ALICE, 0, &Offering::refundCall {}).unwrap_err().is::<Offering::NotRefundable>());
    market.oracle.world.host.warp(HOUR);
    market.close().unwrap();
    for account in [ALICE, BOB] {
        market.send(account, 0, &Offering::refundCall {}).unwrap();
        assert!(market.send(account, 0, &Offering::refundCall {}).unwrap_err().is::<Offering::NothingPaid>());
        assert_eq!(market.tokens(account), U256::ZERO);
    }
    assert!(market.send(CREATOR, 0, &Offering::withdrawCall {}).unwrap_err().is::<Offering::NothingToWithdraw>());
    let offering = market.offering;
    assert_eq!(market.oracle.world.host.balance(ALICE), funds);
    assert_eq!(market.oracle.world.host.balance(offering), U256::ZERO);
}

#[test]
fn a_price_is_paid_to_the_wei() {
    let mut market = Market::new();
    for value in [10 * PRICE - 1, 10 * PRICE + 1] {
        let call = Offering::buyCall { amount: units(10) };
        assert!(market.send(ALICE, value, &call).unwrap_err().is::<Offering::BadPayment>());
    }
    for amount in [U256::ZERO, U256::from(1), units(1) + U256::from(1)] {
        assert!(market.send(ALICE, PRICE, &Offering::buyCall { amount }).unwrap_err().is::<Offering::BadAmount>());
    }
    // A part of a token whose price is whole.
    let third = units(1) / U256::from(1_000);
    market.send(ALICE, 3, &Offering::buyCall { amount: third }).unwrap();
    assert_eq!(market.tokens(ALICE), third);
}

#[test]
fn a_buyer_that_comes_back_is_refunded_once() {
    let mut market = Market::new();
    let host = &mut market.oracle.world.host;
    let puppet = host.deploy(STRANGER, &Puppet::BYTECODE, &[]).unwrap();
    host.fund(puppet, U256::from(PRICE)).unwrap();
    let offering = market.offering;
    let act = |value: u64, data: Vec<u8>| Puppet::actCall {
        to: offering,
        value: U256::from(value),
        limit: U256::from(2_000_000),
        data: data.into(),
    };
    let buy = Offering::buyCall { amount: units(1) }.abi_encode();
    host.send(STRANGER, puppet, U256::ZERO, &act(PRICE, buy)).unwrap();
    market.buy(BOB, 1).unwrap();
    market.oracle.world.host.warp(HOUR);
    market.close().unwrap();
    let refund = Offering::refundCall {}.abi_encode();
    let host = &mut market.oracle.world.host;
    let set = Puppet::setCall { refuses_: false, target_: offering, answer_: refund.clone().into() };
    host.send(STRANGER, puppet, U256::ZERO, &set).unwrap();
    host.send(STRANGER, puppet, U256::ZERO, &act(0, refund)).unwrap();
    assert!(!host.view(puppet, &Puppet::succeededCall {}).unwrap());
    assert_eq!(host.balance(puppet), U256::from(PRICE));
    assert_eq!(host.balance(offering), U256::from(PRICE));
}

#[test]
fn offerings_that_could_not_end_well_are_not_launched() {
    let mut market = Market::new();
    let good = terms(&mut market.oracle);
    let sale = |change: &dyn Fn(&mut SaleTerms)| {
        let mut terms = good.clone();
        change(&mut terms.sale);
        terms
    };
    let past = alloy_primitives::aliases::U40::from(market.oracle.world.host.now());
    let mut bad = vec![
        sale(&|sale| sale.price = U256::ZERO),
        sale(&|sale| sale.softCap = U256::ZERO),
        sale(&|sale| sale.cap = units(39)),
        sale(&|sale| sale.cap = (U256::from(1) << 96) + U256::from(1)),
        sale(&|sale| sale.deadline = past),
        sale(&|sale| sale.creator = Address::ZERO),
        sale(&|sale| sale.creatorShare = 9_001),
        sale(&|sale| sale.vesting = 0),
        sale(&|sale| sale.cliff = 10_001),
    ];
    let mut other = good.clone();
    other.listing.receiver = CREATOR;
    bad.push(other);
    let mut other = good.clone();
    other.collection.royalty = alloy_primitives::aliases::U96::from(10_001);
    bad.push(other);
    for gas in [0, 10_000_001] {
        let mut other = good.clone();
        other.collection.callbackGas = gas;
        bad.push(other);
    }
    let factory = market.factory;
    let mut launch = |terms: &OfferingTerms| {
        market.oracle.world.host.send(CREATOR, factory, U256::ZERO, &launch_call(terms)).unwrap_err()
    };
    for terms in bad {
        let error = launch(&terms);
        assert!(error.is::<Offering::BadOffering>(), "{error}");
    }
    // A listing that the oracle would refuse would stop the end of the sale.
    let mut unknown = good.clone();
    unknown.listing.modelRoot = [7; 32].into();
    assert!(launch(&unknown).is::<AIOracle::BadTerms>());
    let mut headers = good;
    headers.inputHeaders = vec![1].into();
    assert!(launch(&headers).is::<AIOracle::BadTerms>());
}

#[test]
fn fees_reach_the_holders_and_the_creator() {
    let mut market = Market::succeeded();
    let model = market.view(&Offering::modelIdCall {});
    market.oracle.model = model;
    let listed = market.oracle.view(&AIOracle::getModelCall { modelId: model });
    assert_eq!((listed.receiver, listed.share), (market.token, SHARE));
    let id = market.oracle.ask(CAROL, Address::ZERO, 0);
    let claim = market.oracle.answers(BOB, id, RIGHT);
    market.oracle.stands(&claim);
    market.oracle.update(STRANGER, id, RIGHT).unwrap();
    let share = parts(FEE).0;
    assert_eq!(market.oracle.revenue(), U256::from(share));

    // The snapshot fetches it.
    let token = market.token;
    let host = &mut market.oracle.world.host;
    host.send(STRANGER, token, U256::ZERO, &RevenueToken::snapshotCall {}).unwrap();
    assert_eq!(host.balance(token), U256::from(share));
    let claimable = share * 75 / 100;
    let one = U256::from(1);
    for (account, part) in [(ALICE, 60), (BOB, 40)] {
        let call = RevenueToken::claimableRevenueCall { account, snapshotId: one };
        assert_eq!(host.view(token, &call).unwrap(), U256::from(claimable * part / 125));
        host.send(account, token, U256::ZERO, &RevenueToken::claimCall { snapshotId: one }).unwrap();
    }
    let vesting = host.view(market.offering, &Offering::vestingCall {}).unwrap();
    let collect = CreatorVesting::collectCall { token, snapshotId: one, asset: Address::ZERO };
    host.send(STRANGER, vesting, U256::ZERO, &collect).unwrap();
    host.warp(20_000);
    host.send(STRANGER, vesting, U256::ZERO, &CreatorVesting::release_1Call {}).unwrap();
    assert_eq!(host.balance(CREATOR), U256::from(claimable * 25 / 125));
}

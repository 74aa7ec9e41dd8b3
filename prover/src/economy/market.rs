//! The contracts of a market, and an offering from its launch to its end.

use alloy_primitives::{Address, B256, U256};
use opml_contracts::abi::{CollectionDeployer, Offering, OfferingFactory, TokenDeployer};
use opml_vm::Program;

use super::{
    book::Book,
    calls::{self, DAY, Listing, Offer, WHOLE},
    cast::Actor,
};
use crate::{
    agent::root_of,
    chain::{ETHER, TIER, encode},
    error::ProverError,
    ledger::{Ledger, event},
    units,
};

/// What things cost, in wei.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prices {
    /// A token.
    pub token: u128,
    /// An answer.
    pub answer: u128,
    /// A unit of callback gas.
    pub gas: u64,
}

/// An offering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// What things cost.
    pub prices: Prices,
    /// Most tokens that are sold.
    pub cap: u64,
    /// Fewest, or all is given back.
    pub soft_cap: u64,
    /// Tokens that are bought.
    pub sold: u64,
    /// Of all tokens, to the creator, in 1/10,000.
    pub creator_share: u16,
    /// Of the fee of an answer, to the holders, in 1/10,000.
    pub fee_share: u16,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            prices: Prices { token: ETHER / 100, answer: ETHER / 20, gas: 1_000_000_000 },
            cap: 1_000,
            soft_cap: 500,
            sold: 1_000,
            creator_share: 2_000,
            fee_share: 4_000,
        }
    }
}

impl Plan {
    fn offer(&self, creator: Address, max_t: u64, deadline: u64) -> Offer {
        let named = |name: &str, symbol: &str| (name.to_owned(), symbol.to_owned());
        Offer {
            creator,
            price: self.prices.token,
            cap: self.cap,
            soft_cap: self.soft_cap,
            deadline,
            creator_share: self.creator_share,
            vesting: (30 * DAY, 365 * DAY),
            claimable: 7_500,
            interval: DAY,
            royalty: 500,
            token: named("Shares of a model", "MODEL"),
            collection: named("What a model sees", "SEEN"),
            listing: Listing {
                max_t,
                tier: TIER,
                ttl: 3 * DAY,
                share: self.fee_share,
                fee: self.prices.answer,
                gas_price: self.prices.gas,
            },
        }
    }
}

/// Where everything is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Venue {
    pub(super) claims: Address,
    pub(super) oracle: Address,
    pub(super) factory: Address,
}

/// An offering that was launched; all zero behind the token until it has succeeded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Launched {
    pub(super) offering: Address,
    pub(super) token: Address,
    pub(super) collection: Address,
    pub(super) vesting: Address,
    pub(super) model: U256,
}

impl Venue {
    /// Deploys the oracle and the factory beside a claims contract.
    pub(super) fn open<N: Ledger>(book: &mut Book<N>, claims: Address) -> Result<Self, ProverError> {
        let who = Actor::Creator;
        let oracle = book.create(who, "AIOracle", calls::oracle_code(claims))?;
        let tokens = book.create(who, "TokenDeployer", TokenDeployer::BYTECODE.clone())?;
        let collections = book.create(who, "CollectionDeployer", CollectionDeployer::BYTECODE.clone())?;
        let factory = book.create(who, "OfferingFactory", calls::factory_code(oracle, tokens, collections))?;
        book.row(claims, "(Dispute)");
        book.row(oracle, "(AIOracle)");
        Ok(Self { claims, oracle, factory })
    }

    /// Registers a model and launches its offering.
    pub(super) fn launch<N: Ledger>(
        &self,
        book: &mut Book<N>,
        program: &Program,
        max_t: u64,
        plan: &Plan,
    ) -> Result<Launched, ProverError> {
        self.register(book, program)?;
        let deadline = book.ledger.time()?.saturating_add(u64::from(7 * DAY));
        let offer = plan.offer(book.at(Actor::Creator), max_t, deadline);
        let cap = format!("{} tokens at {}", plan.cap, units::ether(U256::from(plan.prices.token)));
        let sent = book.send(Actor::Creator, self.factory, U256::ZERO, &offer.launch(program), cap)?;
        let launched: OfferingFactory::OfferingLaunched = event(&sent.logs)?;
        book.row(launched.offering, "(Offering)");
        book.row(launched.token, "(RevenueToken)");
        let Launched { collection, vesting, model, .. } = Launched::nothing();
        Ok(Launched { offering: launched.offering, token: launched.token, collection, vesting, model })
    }

    fn register<N: Ledger>(&self, book: &mut Book<N>, program: &Program) -> Result<B256, ProverError> {
        let root = root_of(program);
        let what = format!("model {}", crate::words::short(&root.0));
        let call = encode::register_call(program);
        book.send(Actor::Creator, self.claims, U256::ZERO, &call, what)?;
        Ok(root)
    }
}

impl Launched {
    const fn nothing() -> Self {
        let none = Address::ZERO;
        Self { offering: none, token: none, collection: none, vesting: none, model: U256::ZERO }
    }

    /// Alice and Bob buy, three to two.
    pub(super) fn sell<N: Ledger>(&self, book: &mut Book<N>, plan: &Plan) -> Result<(), ProverError> {
        let first = plan.sold.saturating_mul(3) / 5;
        for (buyer, tokens) in [(Actor::Alice, first), (Actor::Bob, plan.sold - first)] {
            if tokens == 0 {
                continue;
            }
            let amount = U256::from(tokens) * U256::from(WHOLE);
            let value = U256::from(tokens) * U256::from(plan.prices.token);
            let what = format!("{} for {}", units::count(tokens, "token"), units::ether(value));
            book.send(buyer, self.offering, value, &Offering::buyCall { amount }, what)?;
        }
        Ok(())
    }

    /// Ends the sale, at its deadline if it is not sold out; whether it has succeeded.
    pub(super) fn close<N: Ledger>(&mut self, book: &mut Book<N>, plan: &Plan) -> Result<bool, ProverError> {
        if plan.sold < plan.cap {
            super::wait(book, u64::from(7 * DAY))?;
        }
        let succeeds = plan.sold >= plan.soft_cap;
        let what = if succeeds { "listed at the oracle, fees go to the token" } else { "too little was sold" };
        let sent = book.send(Actor::Creator, self.offering, U256::ZERO, &Offering::closeCall {}, what)?;
        let Ok(event) = event::<Offering::Succeeded>(&sent.logs) else { return Ok(false) };
        (self.model, self.vesting, self.collection) = (event.modelId, event.vesting, event.collection);
        book.row(self.vesting, "(CreatorVesting)");
        book.send(Actor::Creator, self.offering, U256::ZERO, &Offering::withdrawCall {}, "what was raised")?;
        Ok(true)
    }

    /// Every buyer takes back what it paid.
    pub(super) fn refund<N: Ledger>(&self, book: &mut Book<N>) -> Result<(), ProverError> {
        for buyer in [Actor::Alice, Actor::Bob] {
            let paid = book.ask(self.offering, &Offering::paidByCall { buyer: book.at(buyer) })?;
            if !paid.is_zero() {
                book.send(buyer, self.offering, U256::ZERO, &Offering::refundCall {}, units::ether(paid))?;
            }
        }
        Ok(())
    }
}

//! The contracts of a market, and an offering from its launch to its end.

use alloy_primitives::{Address, B256, Bytes, U256, aliases::U40, aliases::U96};
use alloy_sol_types::SolConstructor;
use opml_contracts::abi::{
    AIOracle, CollectionDeployer, Offering,
    OfferingFactory::{self, CollectionTerms, OfferingTerms, SaleTerms, Terms, TokenTerms},
    TokenDeployer,
};
use opml_vm::Program;

use super::{
    book::Book,
    cast::{ALICE, BOB, CAST, CREATOR},
    ledger::{Ledger, event},
};
use crate::{
    agent::root_of,
    chain::{CHALLENGER, Chain, ETHER, SUBMITTER, TIER, encode, refused},
    error::ProverError,
    units,
};

/// Gas of a collection's callback: it stores the model's output and mints.
const CALLBACK_GAS: u64 = 600_000;
/// Seconds from the last second of a sale to nothing left to vest.
const VESTING: u32 = 365 * DAY;
/// A day, in seconds.
pub(super) const DAY: u32 = 24 * 3_600;
const WHOLE: u128 = ETHER;
/// What everybody has at the beginning, in wei.
const FUNDS: u128 = 20 * ETHER;

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

/// A chain of this process on which everybody has the same.
pub(super) fn chain(arity_log2: u8) -> Result<Chain, ProverError> {
    let mut chain = Chain::new(arity_log2)?;
    for (account, _) in CAST {
        let has = if [SUBMITTER, CHALLENGER].contains(&account) { crate::chain::FUNDS } else { 0 };
        chain.host().fund(account, U256::from(FUNDS - has)).map_err(refused("funding"))?;
    }
    Ok(chain)
}

impl Venue {
    /// Deploys the oracle and the factory beside a claims contract.
    pub(super) fn open<N: Ledger>(book: &mut Book<N>, claims: Address) -> Result<Self, ProverError> {
        let code = |code: &[u8], arguments: Vec<u8>| Bytes::from([code, &arguments].concat());
        let arguments = AIOracle::constructorCall {
            dispute: claims,
            commitBond: U256::from(ETHER / 100),
            revealTime: U256::from(3_600),
        };
        let oracle = book.create(CREATOR, "AIOracle", code(&AIOracle::BYTECODE, arguments.abi_encode()))?;
        let tokens = book.create(CREATOR, "TokenDeployer", code(&TokenDeployer::BYTECODE, vec![]))?;
        let collections = book.create(CREATOR, "CollectionDeployer", code(&CollectionDeployer::BYTECODE, vec![]))?;
        let arguments = OfferingFactory::constructorCall { oracle_: oracle, tokens, collections };
        let factory =
            book.create(CREATOR, "OfferingFactory", code(&OfferingFactory::BYTECODE, arguments.abi_encode()))?;
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
        let root = self.register(book, program)?;
        let deadline = book.ledger.time().saturating_add(u64::from(7 * DAY));
        let terms = terms(program, root, max_t, plan, deadline);
        let cap = format!("{} tokens at {}", plan.cap, units::ether(U256::from(plan.prices.token)));
        let receipt = book.send(CREATOR, self.factory, U256::ZERO, &OfferingFactory::launchCall { terms }, cap)?;
        let launched: OfferingFactory::OfferingLaunched = event(&receipt)?;
        book.row(launched.offering, "(Offering)");
        book.row(launched.token, "(RevenueToken)");
        let Launched { collection, vesting, model, .. } = Launched::nothing();
        Ok(Launched { offering: launched.offering, token: launched.token, collection, vesting, model })
    }

    fn register<N: Ledger>(&self, book: &mut Book<N>, program: &Program) -> Result<B256, ProverError> {
        let root = root_of(program);
        let what = format!("model {}", crate::words::short(&root.0));
        let call = encode::register_call(program);
        book.send(CREATOR, self.claims, U256::ZERO, &call, what)?;
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
        for (buyer, tokens) in [(ALICE, first), (BOB, plan.sold - first)] {
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
            book.ledger.wait(u64::from(7 * DAY));
        }
        let succeeds = plan.sold >= plan.soft_cap;
        let what = if succeeds { "listed at the oracle, fees go to the token" } else { "too little was sold" };
        let receipt = book.send(CREATOR, self.offering, U256::ZERO, &Offering::closeCall {}, what)?;
        let Ok(event) = event::<Offering::Succeeded>(&receipt) else { return Ok(false) };
        (self.model, self.vesting, self.collection) = (event.modelId, event.vesting, event.collection);
        book.row(self.vesting, "(CreatorVesting)");
        book.send(CREATOR, self.offering, U256::ZERO, &Offering::withdrawCall {}, "what was raised")?;
        Ok(true)
    }

    /// Every buyer takes back what it paid.
    pub(super) fn refund<N: Ledger>(&self, book: &mut Book<N>) -> Result<(), ProverError> {
        for buyer in [ALICE, BOB] {
            let paid = book.ask(self.offering, &Offering::paidByCall { buyer })?;
            if !paid.is_zero() {
                book.send(buyer, self.offering, U256::ZERO, &Offering::refundCall {}, units::ether(paid))?;
            }
        }
        Ok(())
    }
}

fn terms(program: &Program, root: B256, max_t: u64, plan: &Plan, deadline: u64) -> OfferingTerms {
    let whole = U256::from(WHOLE);
    OfferingTerms {
        sale: SaleTerms {
            price: U256::from(plan.prices.token),
            cap: U256::from(plan.cap) * whole,
            softCap: U256::from(plan.soft_cap) * whole,
            deadline: U40::saturating_from(deadline),
            creator: CREATOR,
            creatorShare: plan.creator_share,
            cliff: 30 * DAY,
            vesting: VESTING,
        },
        token: TokenTerms {
            name: "Shares of a model".to_owned(),
            symbol: "MODEL".to_owned(),
            claimable: 7_500,
            snapshotInterval: DAY,
            revenueTokens: vec![],
        },
        listing: Terms {
            modelRoot: root,
            maxT: max_t,
            tier: TIER,
            ttl: 3 * DAY,
            share: plan.fee_share,
            receiver: Address::ZERO,
            fee: U96::saturating_from(plan.prices.answer),
            gasPrice: plan.prices.gas,
        },
        inputHeaders: encode::input_headers(program),
        collection: CollectionTerms {
            name: "What a model sees".to_owned(),
            symbol: "SEEN".to_owned(),
            royalty: U96::from(500),
            callbackGas: CALLBACK_GAS,
        },
    }
}

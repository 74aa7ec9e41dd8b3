//! What is sent, for whoever sends it: scenes on any ledger, and the commands on a chain.

use alloy_primitives::{Address, B256, Bytes, U256, aliases::U40, aliases::U96, keccak256};
use alloy_sol_types::{SolConstructor, SolValue};
use opml_contracts::abi::{
    AIOracle, Dispute,
    OfferingFactory::{self, CollectionTerms, OfferingTerms, SaleTerms, TokenTerms},
    OpmlAdapter,
};
use opml_ops::commit::Hasher;
use opml_vm::{Program, Tensor};

use crate::{
    agent::root_of,
    chain::{ETHER, TaskOnChain, encode},
};

/// A whole token, in its units.
pub const WHOLE: u128 = ETHER;
/// A day, in seconds.
pub const DAY: u32 = 24 * 3_600;
/// Gas of a collection's callback: it stores the model's output and mints.
pub const CALLBACK_GAS: u64 = 600_000;
/// Bond of a commitment at the oracle, in wei, and the seconds within which it is revealed.
pub const COMMIT_BOND: u128 = ETHER / 100;
/// See [`COMMIT_BOND`].
pub const REVEAL_TIME: u64 = 3_600;

/// What a model's shares are sold for, and what it earns; amounts in wei, shares in 1/10,000, times in seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Who offers it.
    pub creator: Address,
    /// Price of a token.
    pub price: u128,
    /// Most tokens that are sold.
    pub cap: u64,
    /// Fewest, or all is given back.
    pub soft_cap: u64,
    /// When the sale ends.
    pub deadline: u64,
    /// Of all tokens, to the creator.
    pub creator_share: u16,
    /// From the sale's end, until when nothing of it vests, and until all has.
    pub vesting: (u32, u32),
    /// Of all revenue, what holders may claim; the rest is for those who burn.
    pub claimable: u16,
    /// Between two snapshots.
    pub interval: u32,
    /// Of a resale, to the holders.
    pub royalty: u16,
    /// Name and symbol of the shares.
    pub token: (String, String),
    /// Name and symbol of the collection.
    pub collection: (String, String),
    /// How the model answers.
    pub listing: Listing,
}

/// How a model answers at the oracle; amounts in wei.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listing {
    /// Longest run.
    pub max_t: u64,
    /// Tier of the claims.
    pub tier: u8,
    /// Seconds until an unanswered request may be refunded.
    pub ttl: u32,
    /// Of the fee, to the receiver, in 1/10,000.
    pub share: u16,
    /// Fee of an answer.
    pub fee: u128,
    /// Price of a unit of callback gas.
    pub gas_price: u64,
}

impl Listing {
    /// The terms of a model's listing whose receiver is still to be said.
    #[must_use]
    pub fn terms(&self, program: &Program) -> OfferingFactory::Terms {
        OfferingFactory::Terms {
            modelRoot: root_of(program),
            maxT: self.max_t,
            tier: self.tier,
            ttl: self.ttl,
            share: self.share,
            receiver: Address::ZERO,
            fee: U96::saturating_from(self.fee),
            gasPrice: self.gas_price,
        }
    }

    /// The call that lists a model with a receiver of its share.
    #[must_use]
    pub fn call(&self, program: &Program, receiver: Address) -> AIOracle::listCall {
        let OfferingFactory::Terms { modelRoot, maxT, tier, ttl, share, fee, gasPrice, .. } = self.terms(program);
        let terms = AIOracle::Terms { modelRoot, maxT, tier, ttl, share, receiver, fee, gasPrice };
        AIOracle::listCall { terms, inputHeaders: encode::input_headers(program) }
    }
}

impl Offer {
    /// The call that launches the offering.
    #[must_use]
    pub fn launch(&self, program: &Program) -> OfferingFactory::launchCall {
        let whole = U256::from(WHOLE);
        let sale = SaleTerms {
            price: U256::from(self.price),
            cap: U256::from(self.cap) * whole,
            softCap: U256::from(self.soft_cap) * whole,
            deadline: U40::saturating_from(self.deadline),
            creator: self.creator,
            creatorShare: self.creator_share,
            cliff: self.vesting.0,
            vesting: self.vesting.1,
        };
        let token = TokenTerms {
            name: self.token.0.clone(),
            symbol: self.token.1.clone(),
            claimable: self.claimable,
            snapshotInterval: self.interval,
            revenueTokens: vec![],
        };
        let collection = CollectionTerms {
            name: self.collection.0.clone(),
            symbol: self.collection.1.clone(),
            royalty: U96::from(self.royalty),
            callbackGas: CALLBACK_GAS,
        };
        let listing = self.listing.terms(program);
        let headers = encode::input_headers(program);
        let terms = OfferingTerms { sale, token, listing, inputHeaders: headers, collection };
        OfferingFactory::launchCall { terms }
    }
}

/// The bytes of all inputs, one after another: what a request carries.
#[must_use]
pub fn prompt(inputs: &[Tensor]) -> Bytes {
    inputs.iter().flat_map(|input| input.bytes().iter().copied()).collect()
}

/// The task that a request opens.
#[must_use]
pub fn task(program: &Program, inputs: &[Tensor], max_t: u64, tier: u8) -> TaskOnChain {
    let task = Dispute::Task {
        modelRoot: root_of(program),
        inputRoot: Hasher::current().input_root(inputs).into(),
        maxT: max_t,
        tier,
        requester: Address::ZERO,
    };
    let parts = encode::parts(program, &task);
    TaskOnChain { task, parts }
}

/// A claim as the oracle has it.
#[must_use]
pub const fn theirs(claim: &Dispute::Claim) -> AIOracle::Claim {
    let Dispute::Claim { taskId, T, outputHash, submitter, nonce } = *claim;
    AIOracle::Claim { taskId, T, outputHash, submitter, nonce }
}

/// What hides a claim at the oracle until it is revealed.
#[must_use]
pub fn hidden_claim(request: U256, claim: B256, salt: B256) -> B256 {
    keccak256((request, claim, salt).abi_encode())
}

/// What hides a prompt at a collection until its token is asked for.
#[must_use]
pub fn hidden_prompt(who: Address, prompt: &[u8], salt: B256) -> B256 {
    keccak256((who, keccak256(prompt), salt).abi_encode())
}

/// The number of a prompt's token.
#[must_use]
pub fn token_id(prompt: &[u8]) -> U256 {
    keccak256(prompt).into()
}

/// Creation code of the oracle beside a claims contract.
#[must_use]
pub fn oracle_code(dispute: Address) -> Bytes {
    let (bond, time) = (U256::from(COMMIT_BOND), U256::from(REVEAL_TIME));
    let arguments = AIOracle::constructorCall { dispute, commitBond: bond, revealTime: time };
    code(&AIOracle::BYTECODE, &arguments)
}

/// Creation code of the factory of offerings.
#[must_use]
pub fn factory_code(oracle_: Address, tokens: Address, collections: Address) -> Bytes {
    code(&OfferingFactory::BYTECODE, &OfferingFactory::constructorCall { oracle_, tokens, collections })
}

/// Creation code of ORA's interface to claims of tier 0 and runs of one iteration.
#[must_use]
pub fn adapter_code(dispute_: Address) -> Bytes {
    code(&OpmlAdapter::BYTECODE, &OpmlAdapter::constructorCall { dispute_, maxT: 1, tier: 0 })
}

fn code<C: SolConstructor>(code: &[u8], arguments: &C) -> Bytes {
    [code, &arguments.abi_encode()].concat().into()
}

//! Where a scene is played: a claims contract, and a cast with money, on the chain of this process or on one behind an endpoint.

use alloy_primitives::{Address, Bytes, U256};
use alloy_sol_types::SolValue as _;
use opml_contracts::abi::{Dispute, StepVerifier};

use super::{
    answers::SETUP,
    cast::{Actor, Cast},
};
use crate::{
    chain::{self, CHALLENGER, Chain, ETHER, SUBMITTER, refused},
    error::ProverError,
    ledger::Ledger,
    network::{Remote, Wallet},
};

/// What everybody has at the beginning, in wei.
const FUNDS: u128 = 20 * ETHER;

/// A stage that is set.
pub struct Stage<N> {
    /// The chain.
    pub ledger: N,
    /// Who plays.
    pub cast: Cast,
    /// The claims contract.
    pub claims: Address,
}

impl<N: Ledger + 'static> Stage<N> {
    /// The stage for one scene, after which it is still there.
    pub const fn lend(&mut self) -> Stage<&mut dyn Ledger> {
        Stage { ledger: &mut self.ledger, cast: self.cast, claims: self.claims }
    }
}

impl Stage<Chain> {
    /// A chain of this process on which everybody has the same.
    ///
    /// # Errors
    /// The chain refuses a transaction.
    pub fn in_process() -> Result<Self, ProverError> {
        let mut ledger = Chain::new(arity_log2())?;
        let cast = Cast::in_process();
        for actor in Actor::ALL {
            let account = cast.of(actor);
            let has = if [SUBMITTER, CHALLENGER].contains(&account) { chain::FUNDS } else { 0 };
            ledger.host().fund(account, U256::from(FUNDS - has)).map_err(refused("funding"))?;
        }
        let claims = ledger.claims();
        Ok(Self { ledger, cast, claims })
    }
}

impl Stage<Remote> {
    /// A chain behind an endpoint: the cast are accounts whose keys follow from the purse's, which fills them up to 20 ether each; the
    /// contracts are new.
    ///
    /// # Errors
    /// The chain refuses a transaction, or the purse holds too little.
    pub fn on(mut ledger: Remote, purse: &Wallet) -> Result<Self, ProverError> {
        let keys = keys(purse)?;
        let cast = Cast::new(|actor| {
            let key = Actor::ALL.iter().zip(&keys).find(|(known, _)| **known == actor);
            key.map_or(Address::ZERO, |(_, key)| key.account())
        });
        let from = purse.account();
        ledger.trust(purse.clone());
        let missing = missing(&mut ledger, &cast)?;
        let needs = missing.iter().map(|(_, wei)| *wei).sum::<U256>();
        let has = ledger.wealth(from)?;
        if has < needs {
            let (has, needs) = (crate::units::ether(has), crate::units::ether(needs));
            return Err(ProverError::Stage(format!("the actors need {needs}, the account {from} has {has}")));
        }
        for (account, wei) in missing {
            ledger.transact("funding", from, Some(account), wei, Bytes::new())?;
        }
        let verifier = create(&mut ledger, from, "StepVerifier", StepVerifier::BYTECODE.clone())?;
        let arguments = (verifier, vec![chain::tier(arity_log2())]).abi_encode_params();
        let code = [Dispute::BYTECODE.as_ref(), &arguments].concat();
        let claims = create(&mut ledger, from, "Dispute", code.into())?;
        for key in keys {
            ledger.trust(key);
        }
        Ok(Self { ledger, cast, claims })
    }

    /// Sends what the cast holds back to the purse.
    ///
    /// # Errors
    /// The chain refuses a payment.
    pub fn strike(mut self, purse: &Wallet) -> Result<(), ProverError> {
        Actor::ALL.iter().try_for_each(|&actor| self.ledger.sweep(self.cast.of(actor), purse.account()))
    }
}

/// The keys of the cast, in its order.
fn keys(purse: &Wallet) -> Result<Vec<Wallet>, ProverError> {
    Actor::ALL.iter().map(|actor| Ok(purse.derived(actor.name())?)).collect()
}

/// What each account lacks.
fn missing(ledger: &mut Remote, cast: &Cast) -> Result<Vec<(Address, U256)>, ProverError> {
    let mut missing = Vec::new();
    for (account, _) in cast.rows() {
        let lacks = U256::from(FUNDS).saturating_sub(ledger.wealth(account)?);
        if !lacks.is_zero() {
            missing.push((account, lacks));
        }
    }
    Ok(missing)
}

fn create(ledger: &mut Remote, from: Address, name: &'static str, code: Bytes) -> Result<Address, ProverError> {
    let sent = ledger.transact(name, from, None, U256::ZERO, code)?;
    sent.created.ok_or_else(|| ProverError::Stage(format!("{name} was not created")))
}

fn arity_log2() -> u8 {
    u8::try_from(SETUP.arity.ilog2()).unwrap_or_default()
}

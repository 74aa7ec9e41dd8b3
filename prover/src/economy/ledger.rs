//! The one place where the economy meets a chain: the one in this process, or any other that has these few functions.

use alloy_primitives::{Address, Bytes, U256};
use alloy_sol_types::{SolCall, SolEvent};
use opml_contracts::Receipt;

use crate::{
    chain::{Chain, refused},
    error::ProverError,
};

/// A chain. What a transaction returns is not known on every one of them: callers read events, and ask.
pub trait Ledger {
    /// Sends a transaction; without `to`, one that creates a contract.
    ///
    /// # Errors
    /// The chain refuses it; `what` names it then.
    fn transact(
        &mut self,
        what: &'static str,
        from: Address,
        to: Option<Address>,
        value: U256,
        data: Bytes,
    ) -> Result<Receipt, ProverError>;

    /// Asks without sending.
    ///
    /// # Errors
    /// The chain refuses the question.
    fn question(&mut self, what: &'static str, to: Address, data: Bytes) -> Result<Bytes, ProverError>;

    /// What an account holds, in wei.
    ///
    /// # Errors
    /// The chain does not tell.
    fn wealth(&mut self, account: Address) -> Result<U256, ProverError>;

    /// Time of the next block, in seconds.
    fn time(&self) -> u64;

    /// Lets time pass.
    fn wait(&mut self, seconds: u64);
}

/// Asks a view function.
///
/// # Errors
/// The chain refuses the question, or answers something else.
pub fn ask<C: SolCall>(ledger: &mut impl Ledger, to: Address, call: &C) -> Result<C::Return, ProverError> {
    let answer = ledger.question(C::SIGNATURE, to, call.abi_encode().into())?;
    C::abi_decode_returns(&answer).map_err(|error| ProverError::Stuck(format!("{}: {error}", C::SIGNATURE)))
}

/// The first event of a kind that a transaction left.
///
/// # Errors
/// There is none.
pub fn event<E: SolEvent>(receipt: &Receipt) -> Result<E, ProverError> {
    let found = receipt.logs.iter().find_map(|log| E::decode_log(log).ok());
    found.map(|log| log.data).ok_or_else(|| ProverError::Stuck(format!("no event {}", E::SIGNATURE)))
}

impl Ledger for Chain {
    fn transact(
        &mut self,
        what: &'static str,
        from: Address,
        to: Option<Address>,
        value: U256,
        data: Bytes,
    ) -> Result<Receipt, ProverError> {
        match to {
            Some(to) => self.host().call(from, to, value, data).map_err(refused(what)),
            None => self.host().create(from, data).map_err(refused(what)),
        }
    }

    fn question(&mut self, what: &'static str, to: Address, data: Bytes) -> Result<Bytes, ProverError> {
        let receipt = self.host().static_call(Address::ZERO, to, data).map_err(refused(what))?;
        Ok(receipt.output)
    }

    fn wealth(&mut self, account: Address) -> Result<U256, ProverError> {
        Ok(self.balance(account))
    }

    fn time(&self) -> u64 {
        self.now().0
    }

    fn wait(&mut self, seconds: u64) {
        self.advance(seconds, seconds / 12 + 1);
    }
}

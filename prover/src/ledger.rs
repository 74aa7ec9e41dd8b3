//! A chain as those see it who only send and ask: the one in this process, or one behind an endpoint.

use alloy_primitives::{Address, Bytes, Log, U256};
use alloy_sol_types::{SolCall, SolEvent};

use crate::{
    chain::{Chain, refused},
    error::ProverError,
};

/// A transaction that went through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Gas of the whole transaction.
    pub gas: u64,
    /// Bytes of its calldata.
    pub calldata_bytes: usize,
    /// Its events, in order.
    pub logs: Vec<Log>,
    /// The contract that it made.
    pub created: Option<Address>,
}

/// A chain. What a transaction returns is not known on every one of them: callers read events, and ask.
pub trait Ledger {
    /// Sends a transaction and waits for it; without `to`, one that creates a contract.
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
    ) -> Result<Sent, ProverError>;

    /// Asks without sending.
    ///
    /// # Errors
    /// The chain refuses the question.
    fn question(&mut self, what: &'static str, to: Address, data: Bytes) -> Result<Bytes, ProverError>;

    /// Gas that a transaction would take; none if the chain would refuse it, or does not say.
    fn estimate(&mut self, from: Address, to: Address, data: Bytes) -> Option<u64>;

    /// What an account holds, in wei.
    ///
    /// # Errors
    /// The chain does not tell.
    fn wealth(&mut self, account: Address) -> Result<U256, ProverError>;

    /// What an account has paid for gas since this ledger was opened, in wei.
    fn gas_paid(&self, account: Address) -> U256;

    /// About the time of the next block, in seconds.
    ///
    /// # Errors
    /// The chain does not tell.
    fn time(&mut self) -> Result<u64, ProverError>;

    /// Lets so much time and so many blocks pass.
    ///
    /// # Errors
    /// The chain's time cannot be waited for.
    fn pass(&mut self, seconds: u64, blocks: u64) -> Result<(), ProverError>;
}

/// Asks a view function.
///
/// # Errors
/// The chain refuses the question, or answers something else.
pub fn ask<C: SolCall>(ledger: &mut impl Ledger, to: Address, call: &C) -> Result<C::Return, ProverError> {
    let answer = ledger.question(C::SIGNATURE, to, call.abi_encode().into())?;
    C::abi_decode_returns(&answer).map_err(|error| ProverError::Stuck(format!("{}: {error}", C::SIGNATURE)))
}

/// The first event of a kind among those of a transaction.
///
/// # Errors
/// There is none.
pub fn event<E: SolEvent>(logs: &[Log]) -> Result<E, ProverError> {
    let found = logs.iter().find_map(|log| E::decode_log(log).ok());
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
    ) -> Result<Sent, ProverError> {
        let receipt = match to {
            Some(to) => self.host().call(from, to, value, data).map_err(refused(what))?,
            None => self.host().create(from, data).map_err(refused(what))?,
        };
        let (gas, calldata_bytes) = (receipt.gas_used, receipt.calldata_bytes);
        Ok(Sent { gas, calldata_bytes, logs: receipt.logs, created: receipt.created })
    }

    fn question(&mut self, what: &'static str, to: Address, data: Bytes) -> Result<Bytes, ProverError> {
        let receipt = self.host().static_call(Address::ZERO, to, data).map_err(refused(what))?;
        Ok(receipt.output)
    }

    fn estimate(&mut self, from: Address, to: Address, data: Bytes) -> Option<u64> {
        self.host().static_call(from, to, data).ok().map(|receipt| receipt.gas_used)
    }

    fn wealth(&mut self, account: Address) -> Result<U256, ProverError> {
        Ok(self.balance(account))
    }

    /// Gas costs nothing in this process.
    fn gas_paid(&self, _: Address) -> U256 {
        U256::ZERO
    }

    fn time(&mut self) -> Result<u64, ProverError> {
        Ok(self.now().0)
    }

    fn pass(&mut self, seconds: u64, blocks: u64) -> Result<(), ProverError> {
        self.advance(seconds, blocks);
        Ok(())
    }
}

impl<L: Ledger + ?Sized> Ledger for &mut L {
    fn transact(
        &mut self,
        what: &'static str,
        from: Address,
        to: Option<Address>,
        value: U256,
        data: Bytes,
    ) -> Result<Sent, ProverError> {
        L::transact(self, what, from, to, value, data)
    }

    fn question(&mut self, what: &'static str, to: Address, data: Bytes) -> Result<Bytes, ProverError> {
        L::question(self, what, to, data)
    }

    fn estimate(&mut self, from: Address, to: Address, data: Bytes) -> Option<u64> {
        L::estimate(self, from, to, data)
    }

    fn wealth(&mut self, account: Address) -> Result<U256, ProverError> {
        L::wealth(self, account)
    }

    fn gas_paid(&self, account: Address) -> U256 {
        L::gas_paid(self, account)
    }

    fn time(&mut self) -> Result<u64, ProverError> {
        L::time(self)
    }

    fn pass(&mut self, seconds: u64, blocks: u64) -> Result<(), ProverError> {
        L::pass(self, seconds, blocks)
    }
}

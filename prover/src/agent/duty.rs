//! What an agent wants to send, and why it wants it only once.

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_sol_types::SolCall;

/// A transaction to the contract that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duty {
    /// Names what it answers: a duty of the same name is the same, before and after a crash.
    pub key: B256,
    /// The contract; none: the one that single claims are on.
    pub to: Option<Address>,
    /// What it is, for people.
    pub what: String,
    /// Wei that go with it.
    pub value: U256,
    /// The call.
    pub data: Bytes,
}

impl Duty {
    /// A call that answers a state of a thing.
    #[must_use]
    pub fn new(function: &str, subject: B256, state: B256, what: String, value: U256, data: Bytes) -> Self {
        let key = keccak256([function.as_bytes(), subject.as_slice(), state.as_slice()].concat());
        Self { key, to: None, what, value, data }
    }

    /// The same to another contract.
    #[must_use]
    pub fn at(self, contract: Address) -> Self {
        Self { to: Some(contract), ..self }
    }

    /// A call that is due once for a thing.
    #[must_use]
    pub fn once<C: SolCall>(subject: B256, what: String, value: U256, call: &C) -> Self {
        Self::new(C::SIGNATURE, subject, B256::ZERO, what, value, call.abi_encode().into())
    }
}

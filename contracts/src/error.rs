//! What can go wrong with a transaction on the in-process chain.

use alloy_primitives::{Bytes, U256, hex};
use alloy_sol_types::SolError;

/// Why a transaction or call brought no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// The contract refused it.
    #[error("reverted after {gas_used} gas: 0x{}", hex::encode(data))]
    Revert {
        /// Gas of the whole transaction, which is paid all the same.
        gas_used: u64,
        /// The encoded custom error.
        data: Bytes,
    },
    /// The EVM stopped: out of gas, stack overflow, invalid opcode and the like.
    #[error("halted after {gas_used} gas: {reason}")]
    Halt {
        /// Gas of the whole transaction.
        gas_used: u64,
        /// The EVM's name for it.
        reason: String,
    },
    /// It is no valid transaction: too little balance, over the gas cap and the like.
    #[error("invalid transaction: {0}")]
    Invalid(String),
    /// The contract answered with bytes that are not of the expected type.
    #[error("undecodable answer: {0}")]
    Decode(String),
    /// An account would hold more than 2^256 − 1.
    #[error("balance overflow on adding {0}")]
    BalanceOverflow(U256),
}

impl HostError {
    /// Whether this is a revert with the custom error `E` (whatever its arguments).
    #[must_use]
    pub fn is<E: SolError>(&self) -> bool {
        matches!(self, Self::Revert { data, .. } if data.starts_with(&E::SELECTOR))
    }

    /// The data of a revert.
    #[must_use]
    pub fn revert_data(&self) -> Option<&Bytes> {
        match self {
            Self::Revert { data, .. } => Some(data),
            _ => None,
        }
    }
}

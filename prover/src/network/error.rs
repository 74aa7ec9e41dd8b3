//! What can go wrong between an agent and its chain.

use alloy_primitives::{Address, Bytes};
use opml_contracts::HostError;
use thiserror::Error;

use crate::words;

/// Why a question or a transaction brought no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NetworkError {
    /// The endpoint cannot be reached, or did not answer in time. Asking again may help.
    #[error("{url}: no answer: {why}; is the endpoint up?")]
    Unreachable {
        /// The endpoint, without what may be secret in it.
        url: String,
        /// Why.
        why: String,
    },
    /// The endpoint's address is none.
    #[error("`{url}` is not an endpoint: {why}; an endpoint is like http://127.0.0.1:8545")]
    Url {
        /// What was given.
        url: String,
        /// Why.
        why: String,
    },
    /// The endpoint answered that it will not.
    #[error("the endpoint refused {what}: {why}")]
    Refused {
        /// The question.
        what: &'static str,
        /// Its words.
        why: String,
    },
    /// A transaction would revert.
    #[error("the contract refuses it: {}", words::of_refusal(&HostError::Revert { gas_used: 0, data: data.clone() }))]
    Reverted {
        /// The encoded custom error.
        data: Bytes,
    },
    /// A contract answered with bytes that are not of the expected type.
    #[error("what is at {contract} does not answer {what} as it should; is it the right address and chain?")]
    Answer {
        /// The function.
        what: &'static str,
        /// The contract.
        contract: Address,
    },
    /// The runtime of the client could not be made.
    #[error("the network client cannot start: {0}")]
    Start(String),
    /// A key cannot be used.
    #[error("{0}")]
    Key(String),
}

impl NetworkError {
    /// Whether asking again, unchanged, may bring an answer.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }
}

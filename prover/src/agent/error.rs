//! What stops an agent.

use std::path::PathBuf;

use alloy_primitives::B256;
use thiserror::Error;

use crate::{error::ProverError, network::NetworkError};

/// Why an agent stopped, or could not begin.
#[derive(Debug, Error)]
pub enum AgentError {
    /// The chain.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// A file, a run, a move.
    #[error(transparent)]
    Prover(#[from] ProverError),
    /// The file of what was seen and sent.
    #[error("{path}: the agent's state: {why}")]
    Store {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The database that a fleet shares.
    #[error("{database}: {why}")]
    Fleet {
        /// Which, without what is secret in its address.
        database: String,
        /// Why.
        why: String,
        /// Whether the same may be answered later.
        passing: bool,
    },
    /// The storage of models, inputs and traces.
    #[error("{object}: {why}")]
    Vault {
        /// The object.
        object: String,
        /// Why.
        why: String,
        /// Whether the same may be answered later.
        passing: bool,
    },
    /// The chain behind the endpoint is not the one that the agent followed so far, though it has the same number.
    #[error(
        "the endpoint's chain begins with block {found}, the one that was followed so far with {expected}: another chain of \
         the same number; name another folder with --state, or the right endpoint"
    )]
    OtherGenesis {
        /// So far.
        expected: B256,
        /// Now.
        found: B256,
    },
    /// The endpoint's chain ends before a block that it had.
    #[error(
        "the endpoint's chain ends before block {block}, which it had before: it lags behind, or was reorganised; waiting"
    )]
    Behind {
        /// The last block that was taken for settled.
        block: u64,
    },
    /// The deployment is of another chain.
    #[error("the deployment is on chain {expected}, the endpoint on chain {found}")]
    OtherChain {
        /// By the file.
        expected: u64,
        /// By the endpoint.
        found: u64,
    },
}

impl AgentError {
    /// Whether it is about one claim alone: a model that is missing or damaged, a run that is refused.
    #[must_use]
    pub const fn is_local(&self) -> bool {
        matches!(self, Self::Prover(_) | Self::Vault { passing: false, .. })
    }

    /// Whether the same, tried later, may go well.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        match self {
            Self::Network(_) | Self::Behind { .. } => true,
            Self::Fleet { passing, .. } | Self::Vault { passing, .. } => *passing,
            _ => false,
        }
    }
}

impl From<opml_bisection::Unavailable> for AgentError {
    fn from(error: opml_bisection::Unavailable) -> Self {
        Self::Prover(error.into())
    }
}

impl From<opml_vm::ModelError> for AgentError {
    fn from(error: opml_vm::ModelError) -> Self {
        Self::Prover(error.into())
    }
}

//! What stops an agent.

use std::path::PathBuf;

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
    /// The deployment is of another chain.
    #[error("the deployment is on chain {expected}, the endpoint on chain {found}")]
    OtherChain {
        /// By the file.
        expected: u64,
        /// By the endpoint.
        found: u64,
    },
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

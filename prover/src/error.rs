//! What can go wrong around the machine: files, formats, the chain.

use std::{io, path::PathBuf};

use opml_contracts::HostError;
use thiserror::Error;

/// An error with its place and, where there is one, the way out.
#[derive(Debug, Error)]
pub enum ProverError {
    /// A file could not be read.
    #[error("{path}: cannot be read: {error}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A file could not be written.
    #[error("{path}: cannot be written: {error}; nothing was changed")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A model file is refused.
    #[error("{path}: {error}")]
    Model {
        /// The file.
        path: PathBuf,
        /// Why.
        error: opml_vm::ModelError,
    },
    /// An input file is refused.
    #[error("{path}: {why}")]
    Input {
        /// The file.
        path: PathBuf,
        /// Why, and what is expected.
        why: String,
    },
    /// A run is refused.
    #[error(transparent)]
    Run(#[from] opml_vm::ModelError),
    /// A lie could not be planted.
    #[error(transparent)]
    Lie(#[from] crate::lie::LieError),
    /// The chain refused a transaction.
    #[error("the chain refused {what}: {error}")]
    Chain {
        /// The transaction.
        what: &'static str,
        /// Why.
        error: HostError,
    },
    /// A player could not make its move.
    #[error("{0}")]
    Player(#[from] opml_bisection::Unavailable),
    /// A dispute did not come to an end.
    #[error("the dispute stopped: {0}")]
    Stuck(String),
    /// A proof file is refused.
    #[error("{path}: not a proof file: {why}")]
    Proof {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

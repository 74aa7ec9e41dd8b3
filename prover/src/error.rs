//! What can go wrong around the machine: files, formats, the chain.

use std::{io, path::PathBuf};

use opml_contracts::HostError;
use thiserror::Error;

use crate::words;

/// An error with its place and, where there is one, the way out.
#[derive(Debug, Error)]
pub enum ProverError {
    /// A path names a folder where a file is needed.
    #[error("{path}: is a folder; name a file")]
    Folder {
        /// The folder.
        path: PathBuf,
    },
    /// The folder that a file shall go to does not exist.
    #[error("{path}: cannot be written: there is no folder {folder}; make it first")]
    NoFolder {
        /// The file.
        path: PathBuf,
        /// Its folder.
        folder: PathBuf,
    },
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
    /// A file that is open changed.
    #[error(
        "{path}: the file has changed since it was opened, so nothing that was computed with it is used; start again"
    )]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// A model's constants have other hashes than were kept of them.
    #[error(
        "the weights of model {root} are not those of its kept hashes: the cache was forged, or memory is broken; remove the cache (see \
         OPML_CACHE) and start again; nothing was sent"
    )]
    Forged {
        /// The root by the kept hashes.
        root: String,
    },
    /// A model file is refused.
    #[error("{path}: {error}; {hint}")]
    Model {
        /// The file.
        path: PathBuf,
        /// Why.
        error: opml_vm::ModelError,
        /// What to do.
        hint: &'static str,
    },
    /// A model has another number of inputs than were given.
    #[error("{path}: the model has {expected} input(s), {given} were given; name each with -i, in order")]
    InputCount {
        /// The model.
        path: PathBuf,
        /// Inputs of the model.
        expected: usize,
        /// Inputs given.
        given: usize,
    },
    /// An input file is refused.
    #[error("{path}: {why}")]
    Input {
        /// The file.
        path: PathBuf,
        /// Why, and what is expected.
        why: String,
    },
    /// A run is larger than its budget.
    #[error("{0}; --budget raises the limit")]
    Budget(opml_vm::ModelError),
    /// A model may need more operations than allowed.
    #[error("{path}: {error}; --max-operations raises the limit")]
    Operations {
        /// The model.
        path: PathBuf,
        /// The bound that is past the limit.
        error: opml_vm::ModelError,
    },
    /// A run is refused.
    #[error(transparent)]
    Run(#[from] opml_vm::ModelError),
    /// A lie could not be planted.
    #[error(transparent)]
    Lie(#[from] crate::lie::LieError),
    /// A charge cannot be brought.
    #[error(transparent)]
    Charge(#[from] crate::trial::NoCharge),
    /// The chain refused a transaction.
    #[error("the chain refused {what}: {}", words::of_refusal(error))]
    Chain {
        /// The transaction.
        what: &'static str,
        /// Why.
        error: HostError,
    },
    /// The chain behind an endpoint does not answer, or refuses.
    #[error(transparent)]
    Network(#[from] crate::network::NetworkError),
    /// A scene cannot be played on a chain.
    #[error("{0}")]
    Stage(String),
    /// A player could not make its move.
    #[error(transparent)]
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

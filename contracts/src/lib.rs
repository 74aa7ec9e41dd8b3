//! The opML contracts for Rust: their bindings with the compiled code ([`abi`]) and an in-process chain to run them on ([`host`]).
//!
//! The code is embedded from the committed artifacts, so that building this crate needs no Solidity compiler.

pub mod abi;
pub mod attention;
pub mod batch;
pub mod costs;
pub mod dispute;
pub mod error;
pub mod host;

pub use error::HostError;
pub use host::{Host, Receipt};

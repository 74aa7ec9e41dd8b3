//! Bindings made from the committed artifacts, one file for each contract.

#[expect(missing_docs, reason = "generated; the Solidity sources document it")]
mod dispute;
mod step_verifier;

pub use dispute::Dispute;
pub use step_verifier::StepVerifier;

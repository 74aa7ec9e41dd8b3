//! Bindings made from the committed artifacts, one file for each contract.

mod step_verifier;

pub use step_verifier::StepVerifier;

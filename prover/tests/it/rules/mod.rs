//! The soundness rules, a test each: the same situation is put to the Rust implementation and to the contract in the EVM, and both must
//! give the stated verdict.
//!
//! Rules of a single step go through the interpreter, the Rust verifier and `StepVerifier` ([`steps`]); rules of the game through the pure
//! game and `Dispute` ([`table`]).

pub(crate) mod steps;
pub(crate) mod table;
pub(crate) mod worlds;

mod bond;
mod claims;
mod codes;
mod limits;
mod loads;
mod numbers;
mod partials;
mod play;
mod restart;
mod walk;

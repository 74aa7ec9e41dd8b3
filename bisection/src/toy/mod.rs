//! A tiny made-up machine, to play the game without a real one.
//!
//! Each instruction reduces over terms that read pseudo-random earlier cells; all commitments, witnesses and verifications
//! are real, only the hash is a cheap one without cryptographic strength.

mod eval;
mod hash;
mod program;
mod run;
mod step;
mod witness;
mod world;

pub use hash::{ToyHash, mix};
pub use program::{Instruction, Program};
pub use run::Run;
pub use world::{TIMING, ToyWorld};

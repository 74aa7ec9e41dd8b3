//! The whole system: players, pure game, contract and command.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail loudly")]

mod checkpoints;
mod cli;
mod dearest;
mod faults;
mod outlook;
mod rules;
mod strangers;
mod suite;
mod world;

//! The `Dispute` contract: every move, clock and coin of SPEC §7 and §8, in the EVM.
#![allow(clippy::as_conversions, reason = "tests fail loudly")]

mod commit;
mod clocks;
mod gas;
mod moves;
mod programs;
mod registry;
mod world;

//! The `Dispute` contract: every move, clock and coin of SPEC §7 and §8, in the EVM.
#![allow(clippy::as_conversions, reason = "tests fail loudly")]

mod commit;
mod gas;
mod programs;
mod world;

//! The `Dispute` contract: every move, clock and coin of SPEC §7 and §8, in the EVM.
#![allow(clippy::as_conversions, reason = "tests fail loudly")]

pub(crate) mod batch;
mod clocks;
pub(crate) mod commit;
mod faults;
pub(crate) mod gas;
pub(crate) mod money;
mod moves;
pub(crate) mod programs;
mod property;
mod registry;
mod rules;
pub(crate) mod world;

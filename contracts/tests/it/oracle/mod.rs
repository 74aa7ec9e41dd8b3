//! The AI oracle: requests, answers that are claims, deliveries, money.
#![allow(clippy::as_conversions, reason = "tests fail loudly")]

mod adapter;
mod answers;
mod delivery;
pub(crate) mod faults;
mod interface;
mod property;
pub(crate) mod world;

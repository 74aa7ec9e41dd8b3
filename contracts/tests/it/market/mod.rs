//! Revenue tokens, collections and offerings.
#![allow(clippy::as_conversions, reason = "tests fail loudly")]

mod collection;
mod gas;
mod offering;
mod property;
mod questions;
mod sequences;
pub(crate) mod shares;
mod token;

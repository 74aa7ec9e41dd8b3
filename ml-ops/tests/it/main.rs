//! Tests of the crate as its users see it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::as_conversions, reason = "tests fail loudly")]

mod engine;
mod fixtures;
mod hostile;
mod model;
mod npy;
mod operators;
mod patterns;
mod quantised;
mod reading;
mod recurrent;

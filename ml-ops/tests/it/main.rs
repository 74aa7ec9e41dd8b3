//! Tests of the crate as its users see it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::as_conversions, reason = "tests fail loudly")]

mod commit;
mod batch;
mod convolutions;
mod engine;
mod fixtures;
mod hostile;
mod model;
mod npy;
mod operators;
mod products;
mod quantised;

//! Tests of the crate as its users see it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::as_conversions, reason = "tests fail loudly")]

mod batch;
mod checkpoint;
mod commit;
mod convolutions;
mod engine;
mod fixtures;
mod fusing;
mod growing;
mod hostile;
mod lanes;
mod language;
mod model;
mod npy;
mod operators;
mod patterns;
mod products;
mod quantised;
mod reading;
mod recurrent;
mod scaled;
mod stream;

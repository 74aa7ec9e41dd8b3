//! Strangers on a real chain: separate processes against anvil, killed at random moments, through reorganisations and failing
//! endpoints.
//!
//! They need anvil and an S3-compatible server: `npm ci` in `prover/tests/anvil` and `prover/tests/s3`, and PostgreSQL; then `cargo test -p opml-prover --test it strangers -- --ignored`.

mod anvil;
mod attention;
mod batches;
mod examples;
mod fleet;
mod language;
mod many;
mod market;
mod player;
mod postgres;
mod proxy;
mod storage;
mod story;
mod throughput;
mod trial;

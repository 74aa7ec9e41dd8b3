//! Strangers on a real chain: separate processes against anvil, killed at random moments, through reorganisations and failing
//! endpoints.
//!
//! They need anvil: `npm ci` in `prover/tests/anvil`, then `cargo test -p opml-prover --test it strangers -- --ignored`.

mod anvil;
mod examples;
mod market;
mod player;
mod proxy;
mod story;
mod trial;

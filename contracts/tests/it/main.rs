//! The step verifier in the EVM against the reference interpreter and the Rust step verifier.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail loudly")]

mod attention;
mod conformance;
mod dispute;
mod dots;
mod gas;
mod lab;
mod market;
mod oracle;
mod programs;
mod random;
mod refusals;
mod support;
mod worst;

//! Tests of the tensor machine against `docs/SPEC.md`; `rule_NN_…` are the soundness rules.
//!
//! Random cases have a fixed seed; `PROPTEST_CASES` makes the runs longer.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail as loudly as tests")]

mod bounds;
mod codec;
mod conformance;
mod disasm;
mod generator;
mod lies;
mod limits;
mod merkle;
mod model_file;
mod ops;
mod program;
mod semantics;
mod setup;
mod step;
mod witness;

//! Programs for tests: random ones, byte strings near encodings, and named conformance cases.
//!
//! Everything follows from a `u64` seed or is fixed; every engine (interpreter, fast engine, step verifier, contract)
//! runs the same material.

mod build;
mod cases;
mod encoding;
mod instruction;
pub mod model;
mod program;
mod rng;

pub use build::{Build, axis, fixed, moving};
pub use cases::{Case, build_cases, conformance_cases};
pub use encoding::random_encoding;
pub use program::{Limits, random_program};
pub use rng::Rng;

/// Operands at which arithmetic goes wrong: extremes, powers of two and their neighbours, shift amounts.
pub const EDGES: [i64; 21] = [
    0,
    1,
    -1,
    2,
    -2,
    3,
    7,
    -8,
    63,
    64,
    126,
    127,
    -128,
    255,
    1 << 31,
    -(1 << 31),
    (1 << 32) + 1,
    i64::MAX,
    i64::MAX - 1,
    i64::MIN + 1,
    i64::MIN,
];

/// The [`EDGES`].
pub const fn edge_values() -> &'static [i64] {
    &EDGES
}

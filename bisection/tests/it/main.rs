//! The game, the strategies and the cast, on toy machines.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests may fail loudly")]

mod bounds;
mod challengers_enumerated;
mod clocks;
mod ends;
mod halts;
mod positions;
mod refusals;
mod shapes;
mod submitters_enumerated;
mod suite;
mod table;
mod worlds;

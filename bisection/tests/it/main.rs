//! The game, the strategies and the cast, on toy machines.

mod suite;
mod worlds;

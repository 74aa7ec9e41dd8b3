//! The whole system: players, pure game, contract and command.

mod suite;
mod world;

//! The known faults of dispute games, each shown absent from the pure game and from the contract. Those that only a contract can have
//! (payees, gas of the resolution, rivals) have their tests beside the contract.

mod client;
mod clock;
mod evm;
mod parity;
mod path;
mod resolution;

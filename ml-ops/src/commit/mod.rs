//! Commitments at the speed of the vectors: the hashes of `opml_vm`, many at once.
//!
//! | module | what it does |
//! |---|---|
//! | `keccak` | Keccak-256 of messages of one length, a kernel for each [`Tier`](crate::tier::Tier) |
//! | `hasher` | batches of leaves, nodes and headers, on all threads when they are many |
//! | `forest` | many trees at once, level by level |
//! | `tree` | tensor roots and trees |
//! | `run` | traces, models and inputs |
//! | `watch` | runs that are hashed while they run |
//!
//! `opml_vm` hashes the same trees one node after another and is the reference; a verifier needs nothing of this.

mod forest;
mod hasher;
mod keccak;
mod run;
mod tree;
mod watch;

pub use hasher::Hasher;

//! The `opml` command as a library: inputs, lies, players, the chain, and the reports of its commands.

pub mod chain;
pub mod dispute;
pub mod error;
pub mod files;
pub mod hex;
pub mod lie;
pub mod machine;
pub mod proof;
pub mod random;
pub mod task;
pub mod units;
pub mod words;

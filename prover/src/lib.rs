//! The `opml` command as a library: inputs, lies, players, the chain, and the reports of its commands.

pub mod agent;
pub mod arguments;
pub mod calibration;
pub mod chain;
pub mod commands;
pub mod dispute;
pub mod economy;
pub mod error;
pub mod examples;
pub mod files;
pub mod fixtures;
pub mod hex;
pub mod import;
pub mod input;
pub mod ledger;
pub mod lie;
pub mod machine;
pub mod network;
pub mod output;
pub mod progress;
pub mod proof;
pub mod random;
pub mod report;
pub mod task;
pub mod units;
pub mod words;

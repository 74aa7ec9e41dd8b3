//! Command lines of the economy: scenes that a cast plays, and with a command one step on a chain that strangers share.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{Task, at_least_one, market, network::Stage};

/// The model of a story.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Model {
    /// Pictures of clothes.
    Fashion,
    /// Handwritten digits.
    Digits,
}

/// See [`super::Command::Story`].
#[derive(Debug, Args)]
pub struct Story {
    /// What the model sees.
    #[arg(long, value_enum, default_value_t = Model::Fashion)]
    pub model: Model,
    /// Seed of the lie.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// The chain.
    #[command(flatten)]
    pub stage: Stage,
}

/// See [`super::Command::Imo`].
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Imo {
    /// One step on a chain that strangers share.
    #[command(subcommand)]
    pub step: Option<market::ImoStep>,
    /// The model, as written by `opml import`.
    #[arg(required = true)]
    pub model: Option<PathBuf>,
    /// Most iterations of a run.
    #[arg(long, default_value_t = 1, value_name = "T", value_parser = at_least_one)]
    pub max_t: u64,
    /// Price of a token, in wei.
    #[arg(long, default_value_t = 10_000_000_000_000_000, value_name = "WEI", value_parser = price)]
    pub price: u128,
    /// Most tokens that are sold.
    #[arg(long, default_value_t = 1_000, value_parser = tokens)]
    pub cap: u64,
    /// Fewest tokens, or everything is given back.
    #[arg(long, default_value_t = 500, value_name = "TOKENS", value_parser = tokens)]
    pub soft_cap: u64,
    /// Tokens that the buyers here take, three fifths of them Alice.
    #[arg(long, default_value_t = 1_000, value_name = "TOKENS")]
    pub sold: u64,
    /// The creator's share of all tokens, in 1/10,000.
    #[arg(long, default_value_t = 2_000, value_name = "SHARE", value_parser = clap::value_parser!(u16).range(..=9_000))]
    pub creator_share: u16,
    /// The chain.
    #[command(flatten)]
    pub stage: Stage,
}

/// See [`super::Command::Ask`].
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Ask {
    /// One step on a chain that strangers share.
    #[command(subcommand)]
    pub step: Option<market::AskStep>,
    /// The question, played by a cast.
    #[command(flatten)]
    pub scene: Scene,
}

/// See [`super::Command::Mint`].
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Mint {
    /// One step on a chain that strangers share.
    #[command(subcommand)]
    pub step: Option<market::MintStep>,
    /// The token, played by a cast.
    #[command(flatten)]
    pub scene: Scene,
}

/// A question and its answers, played by a cast.
#[derive(Debug, Args)]
pub struct Scene {
    /// Model and input.
    #[command(flatten)]
    pub task: Option<Task>,
    /// Somebody answers with a lie first; the seed of the lie.
    #[arg(long, value_name = "SEED")]
    pub lie: Option<u64>,
    /// The chain.
    #[command(flatten)]
    pub stage: Stage,
}

/// See [`super::Command::Revenue`].
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Revenue {
    /// One step on a chain that strangers share.
    #[command(subcommand)]
    pub step: Option<market::RevenueStep>,
    /// Model and input.
    #[command(flatten)]
    pub task: Option<Task>,
    /// Requests that are answered.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=100))]
    pub requests: u64,
    /// The chain.
    #[command(flatten)]
    pub stage: Stage,
}

/// What buyers with 20 ether can pay for.
fn price(text: &str) -> Result<u128, String> {
    let wei = text.parse::<u128>().map_err(|_| "not a number of wei".to_owned())?;
    if (1..=10_000_000_000_000_000).contains(&wei) { Ok(wei) } else { Err("from 1 to 10^16 wei".to_owned()) }
}

/// What buyers with 20 ether can pay for.
fn tokens(text: &str) -> Result<u64, String> {
    let tokens = text.parse::<u64>().map_err(|_| "not a number of tokens".to_owned())?;
    if (1..=2_000).contains(&tokens) { Ok(tokens) } else { Err("from 1 to 2,000 tokens".to_owned()) }
}

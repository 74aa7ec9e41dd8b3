//! Command lines for a chain that strangers share.

use std::{path::PathBuf, str::FromStr as _};

use alloy_primitives::B256;
use clap::Args;

use super::{BUDGET, TRACE_MEMORY, Task, at_least_one};
use crate::{
    lie::Fault,
    network::{TIERS, ether},
    policy::STEP_GAS,
};

/// Which chain, and whose key.
#[derive(Debug, Args)]
pub struct Link {
    /// The chain's JSON-RPC endpoint.
    #[arg(
        long,
        env = "OPML_ENDPOINT",
        default_value = "http://127.0.0.1:8545",
        value_name = "URL",
        hide_env_values = true
    )]
    pub endpoint: String,
    /// Where the contracts are, as `opml deploy` writes it.
    #[arg(long, env = "OPML_DEPLOYMENT", default_value = "deployment.json", value_name = "FILE")]
    pub deployment: PathBuf,
}

/// How transactions are signed and paid.
#[derive(Debug, Args)]
pub struct Signing {
    /// A keystore file (Web3 Secret Storage), its password in OPML_KEYSTORE_PASSWORD; without it the key is in OPML_PRIVATE_KEY.
    #[arg(long, value_name = "FILE")]
    pub keystore: Option<PathBuf>,
    /// Most gwei for a unit of gas; a dearer block is waited out.
    #[arg(long, default_value_t = 200, value_name = "GWEI")]
    pub max_fee: u64,
    /// Send nothing: show what would be sent and what it may cost.
    #[arg(long)]
    pub dry_run: bool,
}

/// A lie to claim, to see whether others find it.
#[derive(Debug, Args)]
pub struct Rehearsal {
    /// For rehearsals: a lie instead of the truth, see `opml help dispute`; who claims it must defend it with the same.
    #[arg(long)]
    pub fault: Option<Fault>,
    /// Seed of the lie.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

impl Rehearsal {
    /// The lie and its seed.
    #[must_use]
    pub fn lie(&self) -> Option<(Fault, u64)> {
        self.fault.map(|fault| (fault, self.seed))
    }
}

/// Where a scene of several actors is played.
#[derive(Debug, Args)]
#[command(next_help_heading = "On a chain instead of in this process")]
pub struct Stage {
    /// JSON-RPC endpoint. Contracts are new; the actors' accounts follow from your key, are filled up to 20 ether each, and give back
    /// what is left.
    #[arg(long, value_name = "URL")]
    pub rpc: Option<String>,
    /// A keystore file (Web3 Secret Storage), its password in OPML_KEYSTORE_PASSWORD; without it the key is in OPML_PRIVATE_KEY.
    #[arg(long, value_name = "FILE", requires = "rpc")]
    pub keystore: Option<PathBuf>,
    /// Most gwei for a unit of gas.
    #[arg(long, default_value_t = 200, value_name = "GWEI", requires = "rpc")]
    pub max_fee: u64,
    /// Wait for a chain whose time cannot be moved: for days.
    #[arg(long, requires = "rpc")]
    pub wait: bool,
    /// Send nothing.
    #[arg(long, requires = "rpc")]
    pub dry_run: bool,
}

impl Stage {
    /// Most wei for a unit of gas.
    #[must_use]
    pub fn most(&self) -> u128 {
        u128::from(self.max_fee).saturating_mul(1_000_000_000)
    }
}

/// See [`super::Command::Deploy`].
#[derive(Debug, Args)]
pub struct Deploy {
    /// The chain; the deployment file is written.
    #[command(flatten)]
    pub link: Link,
    /// The key.
    #[command(flatten)]
    pub signing: Signing,
    /// Times of the claims; repeated for a table of up to four tiers, numbered from 0.
    #[arg(long, default_value = "day", value_name = "TIER", value_parser = tier)]
    pub tier: Vec<&'static str>,
    /// Children of a move: 2, 4, 8, 16, 32 or 64.
    #[arg(long, default_value_t = 16, value_parser = super::arity)]
    pub arity: u64,
    /// Bond of a claim, in ether.
    #[arg(long, default_value = "1", value_name = "ETHER", value_parser = ether)]
    pub claim_bond: u128,
    /// Bond of a challenge, in ether.
    #[arg(long, default_value = "0.1", value_name = "ETHER", value_parser = ether)]
    pub challenge_bond: u128,
}

/// See [`super::Command::Register`].
#[derive(Debug, Args)]
pub struct Register {
    /// The model, as written by `opml import`.
    pub model: PathBuf,
    /// Storage that gets the model too, for watchers: a folder, or s3://BUCKET/PREFIX.
    #[arg(long, env = "OPML_STORE", value_name = "FOLDER|URL")]
    pub store: Option<String>,
    /// The chain.
    #[command(flatten)]
    pub link: Link,
    /// The key.
    #[command(flatten)]
    pub signing: Signing,
}

/// See [`super::Command::Request`].
#[derive(Debug, Args)]
pub struct RequestTask {
    /// The model and its inputs, which are posted.
    #[command(flatten)]
    pub task: Task,
    /// Number of the tier.
    #[arg(long, default_value_t = 0)]
    pub tier: u8,
    /// Storage that gets the model and the inputs too, for watchers: a folder, or s3://BUCKET/PREFIX.
    #[arg(long, env = "OPML_STORE", value_name = "FOLDER|URL")]
    pub store: Option<String>,
    /// The chain.
    #[command(flatten)]
    pub link: Link,
    /// The key.
    #[command(flatten)]
    pub signing: Signing,
}

/// See [`super::Command::Submit`].
#[derive(Debug, Args)]
pub struct Submit {
    /// The task, as `opml request` prints it.
    #[arg(value_parser = name)]
    pub task: B256,
    /// Model files, or folders of them.
    #[arg(required = true)]
    pub models: Vec<PathBuf>,
    /// The submitter's number for the claim: one task can be claimed again under another.
    #[arg(long, default_value_t = 0)]
    pub nonce: u64,
    /// A lie instead.
    #[command(flatten)]
    pub rehearsal: Rehearsal,
    /// Refuse runs of more elements.
    #[arg(long, default_value_t = BUDGET, value_name = "ELEMENTS")]
    pub budget: u64,
    /// The chain.
    #[command(flatten)]
    pub link: Link,
    /// The key.
    #[command(flatten)]
    pub signing: Signing,
}

/// See [`super::Command::Watch`] and [`super::Command::Defend`].
#[derive(Debug, Args)]
pub struct Play {
    /// Model files, or folders of them.
    #[arg(required_unless_present = "store")]
    pub models: Vec<PathBuf>,
    /// Storage of models, inputs and traces by their hash: a folder, or s3://BUCKET/PREFIX with AWS_ENDPOINT_URL, AWS_REGION and keys in the environment.
    #[arg(long, env = "OPML_STORE", value_name = "FOLDER|URL")]
    pub store: Option<String>,
    /// Share checks, moves and the account with other workers: postgres://USER@HOST/DATABASE, its password in PGPASSWORD.
    #[arg(long, env = "OPML_FLEET", value_name = "URL", hide_env_values = true)]
    pub fleet: Option<String>,
    /// Of a fleet: seconds of silence after which a worker's work is others'.
    #[arg(long, default_value_t = 30, value_name = "SECONDS", value_parser = at_least_one)]
    pub lease: u64,
    /// Folder of what was seen and sent: one for each account. The same folder after a crash goes on where it stopped.
    #[arg(long, default_value = "opml-state", value_name = "FOLDER")]
    pub state: PathBuf,
    /// Blocks on top of one whose events are taken for settled. Moves do not wait for them.
    #[arg(long, default_value_t = 16, value_name = "BLOCKS")]
    pub confirmations: u64,
    /// Seconds between two looks at the chain.
    #[arg(long, default_value_t = 4, value_name = "SECONDS", value_parser = at_least_one)]
    pub poll: u64,
    /// Look once and end.
    #[arg(long)]
    pub once: bool,
    /// A proof that costs more gas is cut further, where it can be.
    #[arg(long, default_value_t = STEP_GAS, value_name = "GAS")]
    pub step_gas: u64,
    /// Most MiB of values that are kept of a run; a larger one of several iterations is kept as checkpoints.
    #[arg(long, default_value_t = TRACE_MEMORY, value_name = "MIB")]
    pub trace_memory: u64,
    /// Refuse runs of more elements.
    #[arg(long, default_value_t = BUDGET, value_name = "ELEMENTS")]
    pub budget: u64,
    /// The chain.
    #[command(flatten)]
    pub link: Link,
    /// The key.
    #[command(flatten)]
    pub signing: Signing,
}

/// See [`super::Command::Defend`].
#[derive(Debug, Args)]
pub struct Defend {
    /// As of `opml watch`.
    #[command(flatten)]
    pub play: Play,
    /// The lie that was claimed.
    #[command(flatten)]
    pub rehearsal: Rehearsal,
}

/// See [`super::Command::Status`].
#[derive(Debug, Args)]
pub struct Status {
    /// Show outputs as text: the GGUF file or folder that their model was made of.
    #[arg(long, value_name = "MODEL")]
    pub tokenizer: Option<PathBuf>,
    /// Only claims and disputes of this account.
    #[arg(long, value_name = "ADDRESS")]
    pub account: Option<alloy_primitives::Address>,
    /// The chain.
    #[command(flatten)]
    pub link: Link,
}

/// See [`super::Command::Withdraw`].
#[derive(Debug, Args)]
pub struct Withdraw {
    /// The chain.
    #[command(flatten)]
    pub link: Link,
    /// The key.
    #[command(flatten)]
    pub signing: Signing,
}

fn tier(text: &str) -> Result<&'static str, String> {
    let names = TIERS.map(|times| times.name);
    names.into_iter().find(|name| *name == text).ok_or_else(|| format!("tiers are {}", names.join(", ")))
}

pub(super) fn name(text: &str) -> Result<B256, String> {
    B256::from_str(text).map_err(|_| "a name has 64 hexadecimal digits after 0x".to_owned())
}

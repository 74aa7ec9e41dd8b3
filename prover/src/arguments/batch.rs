//! Command lines for claims that come many at once, and for the committee that attends to claims.

use std::path::PathBuf;

use alloy_primitives::{Address, B256};
use clap::{Args, Subcommand};

use super::{
    BUDGET,
    market::Access,
    network::{Link, Rehearsal, name},
};
use crate::network::ether;

/// See [`super::Command::Batch`].
#[derive(Debug, Args)]
pub struct Batch {
    /// What to do.
    #[command(subcommand)]
    pub step: BatchStep,
}

/// One step of a batch.
#[derive(Debug, Subcommand)]
pub enum BatchStep {
    /// Put the contract for batches beside the claims contract of the deployment file.
    Deploy(DeployBatches),
    /// Run the models of tasks and claim all results at once, under one bond. Prints the batch's name.
    ///
    /// `opml defend` must run until the batch is final; it ends the batch, too.
    Submit(SubmitBatch),
    /// End a batch whose window is over and of which nobody disputes anything. `opml defend` does so by itself.
    Finalise(OfBatch),
    /// Of a final batch, record one leaf as a final claim, for contracts that ask for it. Anybody may.
    Prove(OfLeaf),
    /// Challenge one leaf, whatever it says. `opml watch` challenges by itself what is wrong, and plays on.
    Challenge(OfLeaf),
}

/// See [`BatchStep::Deploy`].
#[derive(Debug, Args)]
pub struct DeployBatches {
    /// Most leaves of a batch.
    #[arg(long, default_value_t = 256, value_name = "LEAVES", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub max_leaves: u32,
    /// The part of a claim's bond that each leaf asks for, in 1/10,000; a batch has at least one claim's bond.
    #[arg(long, default_value_t = 2_500, value_name = "SHARE", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub leaf_share: u16,
    /// The chain and the key.
    #[command(flatten)]
    pub access: Access,
}

/// See [`BatchStep::Submit`].
#[derive(Debug, Args)]
pub struct SubmitBatch {
    /// Model files, or folders of them.
    #[arg(required = true)]
    pub models: Vec<PathBuf>,
    /// A task, as `opml request` prints it; repeated, in the order of the leaves.
    #[arg(long, required = true, value_parser = name)]
    pub task: Vec<B256>,
    /// The submitter's number for the batch: each is used once.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(..1 << 48))]
    pub nonce: u64,
    /// A lie instead, in the leaf --leaf.
    #[command(flatten)]
    pub rehearsal: Rehearsal,
    /// For rehearsals: the leaf that lies.
    #[arg(long, default_value_t = 0, requires = "fault")]
    pub leaf: u16,
    /// Refuse runs of more elements.
    #[arg(long, default_value_t = BUDGET, value_name = "ELEMENTS")]
    pub budget: u64,
    /// The chain and the key.
    #[command(flatten)]
    pub access: Access,
}

/// A batch.
#[derive(Debug, Args)]
pub struct OfBatch {
    /// Its name, as `opml batch submit` prints it.
    #[arg(value_parser = name)]
    pub batch: B256,
    /// The chain and the key.
    #[command(flatten)]
    pub access: Access,
}

/// A leaf of a batch.
#[derive(Debug, Args)]
pub struct OfLeaf {
    /// The batch's name, as `opml batch submit` prints it.
    #[arg(value_parser = name)]
    pub batch: B256,
    /// Number of the leaf, from 0.
    pub leaf: u16,
    /// The chain and the key.
    #[command(flatten)]
    pub access: Access,
}

/// See [`super::Command::Attention`].
#[derive(Debug, Args)]
pub struct Attention {
    /// What to do.
    #[command(subcommand)]
    pub step: AttentionStep,
}

/// One step of the committee, or of a submitter that asks it.
#[derive(Debug, Subcommand)]
pub enum AttentionStep {
    /// Put a committee beside the claims contract of the deployment file.
    Deploy(DeployAttention),
    /// As a member: lock the deposit and check from the next second on. `opml watch` answers.
    Join(Access),
    /// As a member: take no more claims; those that were asked about still must be checked.
    Retire(Access),
    /// As a member that retired long enough ago: fetch the deposit.
    Reclaim(Access),
    /// As the submitter of a pending claim: ask for attention, with a fee and a bond. `opml defend` shows the trace.
    Ask(AskAttention),
    /// Show the committee and its checks.
    Show(Link),
}

/// See [`AttentionStep::Deploy`].
#[derive(Debug, Args)]
pub struct DeployAttention {
    /// A member; repeated, up to 16.
    #[arg(long, required = true, value_name = "ADDRESS")]
    pub member: Vec<Address>,
    /// Number of the tier whose claims it checks.
    #[arg(long, default_value_t = 0)]
    pub tier: u8,
    /// Seconds to answer; the time for a trace, if left out.
    #[arg(long, value_name = "SECONDS")]
    pub respond: Option<u32>,
    /// Seconds to show the trace after that; twice the free delay of a turn, if left out.
    #[arg(long, value_name = "SECONDS")]
    pub reveal: Option<u32>,
    /// A member's deposit, in ether.
    #[arg(long, default_value = "0.1", value_name = "ETHER", value_parser = ether)]
    pub deposit: u128,
    /// What a check pays to all members, in ether.
    #[arg(long, default_value = "0.01", value_name = "ETHER", value_parser = ether)]
    pub fee: u128,
    /// The submitter's bond for showing its trace, in ether.
    #[arg(long, default_value = "0.05", value_name = "ETHER", value_parser = ether)]
    pub bond: u128,
    /// What a check costs a member to compute, in ether.
    #[arg(long, default_value = "0.0002", value_name = "ETHER", value_parser = ether)]
    pub check_cost: u128,
    /// What an answer costs in gas, in ether.
    #[arg(long, default_value = "0.0002", value_name = "ETHER", value_parser = ether)]
    pub answer_cost: u128,
    /// The chain and the key.
    #[command(flatten)]
    pub access: Access,
}

/// See [`AttentionStep::Ask`].
#[derive(Debug, Args)]
pub struct AskAttention {
    /// The claim, as `opml submit` prints it.
    #[arg(value_parser = name)]
    pub claim: B256,
    /// Model files, or folders of them.
    #[arg(required = true)]
    pub models: Vec<PathBuf>,
    /// The lie that was claimed.
    #[command(flatten)]
    pub rehearsal: Rehearsal,
    /// Refuse runs of more elements.
    #[arg(long, default_value_t = BUDGET, value_name = "ELEMENTS")]
    pub budget: u64,
    /// The chain and the key.
    #[command(flatten)]
    pub access: Access,
}

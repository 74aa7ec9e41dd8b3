//! Command lines of the economy on a chain that strangers share: one step at a time.

use std::{path::PathBuf, str::FromStr};

use alloy_primitives::{Address, B256, Bytes, U256};
use clap::{Args, Subcommand, ValueEnum};

use super::{
    BUDGET, Task, at_least_one,
    network::{Link, Rehearsal, Signing},
};
use crate::network::ether;

/// The chain and the key.
#[derive(Debug, Args)]
pub struct Access {
    /// The chain.
    #[command(flatten)]
    pub link: Link,
    /// The key.
    #[command(flatten)]
    pub signing: Signing,
}

/// One step of an offering on a chain.
#[derive(Debug, Subcommand)]
pub enum ImoStep {
    /// Put oracle, factory and ORA's interface beside the claims contract of the deployment file.
    ///
    /// The file is written after each contract: after a failure the same command goes on.
    Deploy(Access),
    /// Offer shares of a model; registers it if it is new. Prints the offering's address.
    Launch(Launch),
    /// Buy shares.
    Buy(Buy),
    /// End the sale, when it is sold out or over.
    Close(Offered),
    /// After a sale that failed: take back what the account paid.
    Refund(Offered),
    /// As the creator: take what was raised.
    Proceeds(Offered),
    /// Collect what the creator's vesting has earned, and release what has vested.
    Vest(Offered),
    /// Show an offering.
    Show(Shown),
}

/// An offering, for a command that sends.
#[derive(Debug, Args)]
pub struct Offered {
    /// Its address, as `opml imo launch` prints it.
    pub offering: Address,
    /// The chain and the key.
    #[command(flatten)]
    pub access: Access,
}

/// An offering, for a command that only looks.
#[derive(Debug, Args)]
pub struct Shown {
    /// Its address, as `opml imo launch` prints it.
    pub offering: Address,
    /// The chain.
    #[command(flatten)]
    pub link: Link,
}

/// See [`ImoStep::Launch`].
#[derive(Debug, Args)]
pub struct Launch {
    /// The model, as written by `opml import`.
    pub model: PathBuf,
    /// Price of a token, in ether.
    #[arg(long, default_value = "0.01", value_name = "ETHER", value_parser = ether)]
    pub price: u128,
    /// Most tokens that are sold.
    #[arg(long, default_value_t = 1_000, value_name = "TOKENS", value_parser = at_least_one)]
    pub cap: u64,
    /// Fewest tokens, or everything is given back.
    #[arg(long, default_value_t = 500, value_name = "TOKENS", value_parser = at_least_one)]
    pub soft_cap: u64,
    /// Days of the sale.
    #[arg(long, default_value_t = 7, value_name = "DAYS", value_parser = at_least_one)]
    pub days: u64,
    /// The creator's share of all tokens, in 1/10,000.
    #[arg(long, default_value_t = 2_000, value_name = "SHARE", value_parser = clap::value_parser!(u16).range(..=9_000))]
    pub creator_share: u16,
    /// Days from the sale's end before which nothing of that vests.
    #[arg(long, default_value_t = 30, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(..=3_650))]
    pub cliff: u32,
    /// Days from the sale's end until all of it has vested.
    #[arg(long, default_value_t = 365, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=3_650))]
    pub vesting: u32,
    /// Of all revenue, what holders claim, in 1/10,000; the rest is for those who burn.
    #[arg(long, default_value_t = 7_500, value_name = "SHARE", value_parser = clap::value_parser!(u16).range(..=10_000))]
    pub claimable: u16,
    /// Hours between two snapshots.
    #[arg(long, default_value_t = 24, value_name = "HOURS", value_parser = clap::value_parser!(u32).range(1..=8_760))]
    pub snapshots: u32,
    /// Of a resale, to the holders, in 1/10,000.
    #[arg(long, default_value_t = 500, value_name = "SHARE", value_parser = clap::value_parser!(u16).range(..=10_000))]
    pub royalty: u16,
    /// Name of the token.
    #[arg(long, default_value = "Shares of a model")]
    pub name: String,
    /// Symbol of the token.
    #[arg(long, default_value = "MODEL")]
    pub symbol: String,
    /// How the model answers.
    #[command(flatten)]
    pub terms: Terms,
    /// The chain and the key.
    #[command(flatten)]
    pub access: Access,
}

/// How a model answers at the oracle.
#[derive(Debug, Args)]
pub struct Terms {
    /// Fee of an answer, in ether.
    #[arg(long, default_value = "0.05", value_name = "ETHER", value_parser = ether)]
    pub fee: u128,
    /// Of the fee, to the receiver, in 1/10,000; the rest is the submitter's.
    #[arg(long, default_value_t = 4_000, value_name = "SHARE", value_parser = clap::value_parser!(u16).range(..=10_000))]
    pub fee_share: u16,
    /// Price of a unit of callback gas, in wei.
    #[arg(long, default_value_t = 1_000_000_000, value_name = "WEI")]
    pub gas_price: u64,
    /// Days until an unanswered request is refunded.
    #[arg(long, default_value_t = 3, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=3_650))]
    pub ttl: u32,
    /// Number of the claims' tier.
    #[arg(long, default_value_t = 0)]
    pub tier: u8,
    /// Most iterations of a run.
    #[arg(long, default_value_t = 1, value_name = "T", value_parser = at_least_one)]
    pub max_t: u64,
}

/// See [`ImoStep::Buy`].
#[derive(Debug, Args)]
pub struct Buy {
    /// The offering.
    pub offering: Address,
    /// How many tokens; fractions are allowed.
    #[arg(long, value_name = "TOKENS", value_parser = tokens)]
    pub tokens: U256,
    /// The chain and the key.
    #[command(flatten)]
    pub access: Access,
}

/// One step of a question on a chain.
#[derive(Debug, Subcommand)]
pub enum AskStep {
    /// List a model at the oracle without an offering; registers it if it is new. Prints the listing's number.
    List(List),
    /// Ask a listed model. Prints the request's number.
    Request(Question),
    /// Run a request's model, claim the result with a bond, and answer with the claim.
    ///
    /// `opml defend` must run until the claim is final. After a failure the same command goes on.
    Answer(Answer),
    /// When a claim of a request is final, or its time for objections is over: make it final, bring the answer, pay the fee.
    Deliver(Numbered),
    /// After the deadline of a request that nobody answered: give the money back.
    Refund(Numbered),
    /// Fetch what the oracle owes the account.
    Withdraw(Access),
    /// Show a request and its answers.
    Show(Looked),
}

/// A request, for a command that sends.
#[derive(Debug, Args)]
pub struct Numbered {
    /// Its number, as `opml ask request` prints it.
    pub request: U256,
    /// The chain and the key.
    #[command(flatten)]
    pub access: Access,
}

/// A request, for a command that only looks.
#[derive(Debug, Args)]
pub struct Looked {
    /// Its number, as `opml ask request` prints it.
    pub request: U256,
    /// The chain.
    #[command(flatten)]
    pub link: Link,
}

/// See [`AskStep::List`].
#[derive(Debug, Args)]
pub struct List {
    /// The model, as written by `opml import`.
    pub model: PathBuf,
    /// Who gets the share of the fee; the account itself if nobody is named.
    #[arg(long, value_name = "ADDRESS")]
    pub receiver: Option<Address>,
    /// How the model answers.
    #[command(flatten)]
    pub terms: Terms,
    /// The chain and the key.
    #[command(flatten)]
    pub access: Access,
}

/// When a contract is called back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// With the first answer, and again if the final one differs.
    Optimistic,
    /// With the final answer only.
    Final,
    /// With both.
    Confirmed,
}

/// See [`AskStep::Request`].
#[derive(Debug, Args)]
pub struct Question {
    /// The listing's number, or the offering that listed the model.
    pub listing: Listing,
    /// The model and its inputs, which are posted.
    #[command(flatten)]
    pub task: Task,
    /// A contract that is called back.
    #[arg(long, value_name = "ADDRESS", requires = "callback_gas")]
    pub callback: Option<Address>,
    /// Gas of the callback.
    #[arg(long, value_name = "GAS", requires = "callback", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub callback_gas: Option<u64>,
    /// What the contract is handed with the answer, as hexadecimal digits.
    #[arg(long, value_name = "HEX", default_value = "0x", requires = "callback")]
    pub callback_data: Bytes,
    /// When the contract is called.
    #[arg(long, value_enum, default_value_t = Mode::Optimistic)]
    pub mode: Mode,
    /// The chain and the key.
    #[command(flatten)]
    pub access: Access,
}

/// See [`AskStep::Answer`].
#[derive(Debug, Args)]
pub struct Answer {
    /// The request's number.
    pub request: U256,
    /// Model files, or folders of them.
    #[arg(required = true)]
    pub models: Vec<PathBuf>,
    /// Take the place first, so that nobody can copy the claim to a better one: a small bond more, and a block later the answer.
    #[arg(long)]
    pub hidden: bool,
    /// A lie instead.
    #[command(flatten)]
    pub rehearsal: Rehearsal,
    /// Refuse runs of more elements.
    #[arg(long, default_value_t = BUDGET, value_name = "ELEMENTS")]
    pub budget: u64,
    /// The chain and the key.
    #[command(flatten)]
    pub access: Access,
}

/// One step of a token of content on a chain.
#[derive(Debug, Subcommand)]
pub enum MintStep {
    /// Announce an input, and a block later ask for its token. Prints the token's and the request's number.
    ///
    /// `opml ask answer` answers; the token is minted with the first answer. After a failure the same command goes on.
    Request(Mint),
    /// Run the model, and ask the collection whether it vouches for the result. Exit code 1 if not (yet).
    Verify(Content),
    /// Show a token.
    Show(Content),
}

/// See [`MintStep::Request`].
#[derive(Debug, Args)]
pub struct Mint {
    /// The collection, or the offering that opened it.
    pub collection: Address,
    /// The model and its inputs, which are posted.
    #[command(flatten)]
    pub task: Task,
    /// The chain and the key.
    #[command(flatten)]
    pub access: Access,
}

/// See [`MintStep::Verify`] and [`MintStep::Show`].
#[derive(Debug, Args)]
pub struct Content {
    /// The collection, or the offering that opened it.
    pub collection: Address,
    /// The model and its inputs.
    #[command(flatten)]
    pub task: Task,
    /// The chain.
    #[command(flatten)]
    pub link: Link,
}

/// One step of sharing revenue on a chain.
#[derive(Debug, Subcommand)]
pub enum RevenueStep {
    /// Pay ether to the holders.
    Deposit(Deposit),
    /// End a period: what came in during it is the holders' of that time.
    Snapshot(Token),
    /// Claim what the account has earned in all periods that have ended.
    Claim(Token),
    /// Burn tokens for their share of what is kept for burners.
    Redeem(Redeem),
    /// Show a token, and what an account may claim.
    Show(Holder),
}

/// A token of shares, for a command that sends.
#[derive(Debug, Args)]
pub struct Token {
    /// The token, or its offering.
    pub token: Address,
    /// The chain and the key.
    #[command(flatten)]
    pub access: Access,
}

/// See [`RevenueStep::Deposit`].
#[derive(Debug, Args)]
pub struct Deposit {
    /// The token, or its offering.
    pub token: Address,
    /// How much, in ether.
    #[arg(long, value_name = "ETHER", value_parser = ether)]
    pub amount: u128,
    /// The chain and the key.
    #[command(flatten)]
    pub access: Access,
}

/// See [`RevenueStep::Redeem`].
#[derive(Debug, Args)]
pub struct Redeem {
    /// The token, or its offering.
    pub token: Address,
    /// How many tokens; fractions are allowed.
    #[arg(long, value_name = "TOKENS", value_parser = tokens)]
    pub tokens: U256,
    /// The chain and the key.
    #[command(flatten)]
    pub access: Access,
}

/// See [`RevenueStep::Show`].
#[derive(Debug, Args)]
pub struct Holder {
    /// The token, or its offering.
    pub token: Address,
    /// Whose.
    #[arg(long, value_name = "ADDRESS")]
    pub account: Option<Address>,
    /// The chain.
    #[command(flatten)]
    pub link: Link,
}

/// What names a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listing {
    /// Its number.
    Number(U256),
    /// The offering that made it.
    Offering(Address),
}

impl FromStr for Listing {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(offering) = text.parse() {
            return Ok(Self::Offering(offering));
        }
        // A number has 64 digits: fewer are a slip, and would be another number.
        let number: Result<B256, _> = text.parse();
        number.map(|number| Self::Number(number.into())).map_err(|_| {
            "a listing is named by its number (64 hexadecimal digits after 0x) or by its offering's address".to_owned()
        })
    }
}

/// An amount of tokens, in their units.
fn tokens(text: &str) -> Result<U256, String> {
    let units = alloy_primitives::utils::parse_ether(text.trim());
    let units = units.map_err(|error| format!("`{text}` is no number of tokens: {error}"))?;
    if units.is_zero() { Err("must be above 0".to_owned()) } else { Ok(units) }
}

//! From a claim to an economy, in one go: an offering, its buyers, users who ask, a lie that is caught, a token of content, revenue.

use alloy_primitives::U256;
use serde::Serialize;

use super::{
    answers,
    book::Book,
    calls::WHOLE,
    cast::Actor,
    content,
    market::{Launched, Plan, Venue},
    revenue::{self, Holding},
    scenes::{self, Account},
    stage::Stage,
};
use crate::{chain::ETHER, error::ProverError, ledger::Ledger, lie::Lie, task::Task};

/// What a picture is asked for, and how the lie goes.
pub struct Script<'a> {
    /// The picture whose token is minted.
    pub task: &'a Task,
    /// Another one, that is asked about besides.
    pub other: &'a Task,
    /// The lie about the first.
    pub lie: &'a Lie,
}

/// What came of it.
#[derive(Debug, Clone, Serialize)]
pub struct Story {
    /// The first answer, which was a lie, stood in the token, as hexadecimal digits.
    pub first_content: String,
    /// Whether the collection vouched for the lie.
    pub lie_verified: bool,
    /// Whether the claim fell in the dispute.
    pub lie_caught: bool,
    /// The content in the end.
    pub content: String,
    /// Whether the collection vouches for it.
    pub verified: bool,
    /// Whether both requests have final answers.
    pub all_final: bool,
    /// What the token earned by answers and by the royalty, in wei.
    pub earned: [String; 2],
    /// What each holder has and got.
    pub holdings: Vec<Holding>,
    /// What a holder got who burnt a quarter of its tokens, in wei.
    pub redeemed: String,
    /// What happened.
    #[serde(flatten)]
    pub account: Account,
}

impl Story {
    /// Whether everything went as it must.
    #[must_use]
    pub fn right(&self) -> bool {
        self.lie_caught && !self.lie_verified && self.verified && self.all_final && self.account.conserved
    }
}

/// Plays the story on any ledger.
///
/// # Errors
/// The chain refuses a transaction.
pub fn play<N: Ledger>(stage: Stage<N>, script: &Script<'_>) -> Result<Story, ProverError> {
    let (mut book, venue, launched) = scenes::market(stage, script.task, &Plan::default())?;
    let first = content::mint(&mut book, &launched, Actor::Carol, script.task)?;
    let second = answers::request(&mut book, &venue, &launched, Actor::Dave, script.other)?;
    book.chapter("asked")?;

    let run = script.task.run()?;
    let false_claim = answers::answer(&mut book, &venue, Actor::Liar, first, script.task, &script.lie.run)?;
    let claim = answers::answer_hidden(&mut book, &venue, Actor::Honest, first, script.task, &run)?;
    let lied = content::shown(&mut book, &launched, script.task).map(|(content, _)| content).unwrap_or_default();
    let honest = scenes::honest(script.task, &run);
    let lie_caught = answers::caught(&mut book, &venue, script.task, &honest, script.lie, false_claim)?;

    let other_run = script.other.run()?;
    let other_claim = answers::answer(&mut book, &venue, Actor::Honest, second, script.other, &other_run)?;
    answers::wait(&mut book)?;
    let lie_verified = content::verified(&mut book, &launched, script.task, &lied)?;
    let all_final = answers::conclude(&mut book, &venue, (Actor::Honest, first), &claim)?
        & answers::conclude(&mut book, &venue, (Actor::Honest, second), &other_claim)?;
    book.chapter("answered")?;
    let lie_verified = lie_verified || content::verified(&mut book, &launched, script.task, &lied)?;
    let content = content::shown(&mut book, &launched, script.task).map(|(content, _)| content).unwrap_or_default();
    let verified = content::verified(&mut book, &launched, script.task, &content)?
        && content == answers::output(script.task, &run)?;
    let money = earn(&mut book, &venue, &launched, script.task)?;
    Ok(Story {
        first_content: crate::hex::of(&lied),
        lie_verified,
        lie_caught,
        content: crate::hex::of(&content),
        verified,
        all_final,
        earned: money.earned,
        holdings: money.holdings,
        redeemed: money.redeemed,
        account: Account::from(&book.record),
    })
}

struct Money {
    earned: [String; 2],
    holdings: Vec<Holding>,
    redeemed: String,
}

/// The token is sold, its royalty and the fees are shared, a holder redeems, and everybody takes what is its.
fn earn<N: Ledger>(book: &mut Book<N>, venue: &Venue, launched: &Launched, task: &Task) -> Result<Money, ProverError> {
    let royalty = content::sell(book, launched, task, (Actor::Carol, Actor::Dave), U256::from(2 * ETHER))?;
    let fees = answers::revenue_of(book, venue, launched)?;
    book.chapter("resold")?;
    let holdings = revenue::share(book, launched)?;
    let redeemed = revenue::redeem(book, launched, Actor::Bob, U256::from(100 * WHOLE))?;
    answers::withdraw(book, venue)?;
    book.chapter("paid out")?;
    Ok(Money { earned: [fees.to_string(), royalty.to_string()], holdings, redeemed: redeemed.to_string() })
}

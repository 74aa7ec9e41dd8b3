//! One scene for each command, on a stage of any kind.

use alloy_primitives::U256;
use opml_ops::commit::Hasher;
use opml_vm::{Program, Trace, interpreter::Run};
use serde::Serialize;

use super::{
    answers,
    book::{Balance, Book, Record, Step},
    calls,
    cast::Actor,
    content,
    market::{Launched, Plan, Venue},
    revenue::{self, Holding},
    stage::Stage,
};
use crate::{error::ProverError, hex, ledger::Ledger, task::Task};

/// What was sent, and what everybody held.
#[derive(Debug, Clone, Serialize)]
pub struct Account {
    /// Transactions, in order.
    pub transactions: Vec<Step>,
    /// Names of the chapters, at whose ends the balances are taken.
    pub chapters: Vec<&'static str>,
    /// Balances, and their sum.
    pub balances: Vec<Balance>,
    /// Whether the sum is always the same.
    pub conserved: bool,
}

impl From<&Record> for Account {
    fn from(record: &Record) -> Self {
        Self {
            transactions: record.steps().to_vec(),
            chapters: record.chapters(),
            balances: record.balances(),
            conserved: record.conserved(),
        }
    }
}

/// An offering.
#[derive(Debug, Clone, Serialize)]
pub struct Offered {
    /// The model.
    pub model_root: String,
    /// Whether enough was sold.
    pub succeeded: bool,
    /// What happened.
    #[serde(flatten)]
    pub account: Account,
}

/// A request.
#[derive(Debug, Clone, Serialize)]
pub struct Asked {
    /// Its number.
    pub request: String,
    /// The final output, as hexadecimal digits.
    pub output: String,
    /// Whether a lie was told first, and caught.
    pub lie_caught: Option<bool>,
    /// Whether the answer is final.
    pub is_final: bool,
    /// What happened.
    #[serde(flatten)]
    pub account: Account,
}

/// A token of content.
#[derive(Debug, Clone, Serialize)]
pub struct Minted {
    /// Its number.
    pub token: String,
    /// Its content, as hexadecimal digits.
    pub content: String,
    /// Whether the collection vouched for it before it was final. It never does.
    pub verified_early: bool,
    /// Whether the collection vouches for it.
    pub verified: bool,
    /// What happened.
    #[serde(flatten)]
    pub account: Account,
}

/// Revenue that was shared.
#[derive(Debug, Clone, Serialize)]
pub struct Shared {
    /// Answers that were paid for.
    pub requests: u64,
    /// What they brought the token, in wei.
    pub revenue: String,
    /// Who got what.
    pub holdings: Vec<Holding>,
    /// What happened.
    #[serde(flatten)]
    pub account: Account,
}

/// The offering of a model.
///
/// # Errors
/// The chain refuses a transaction.
pub fn imo<N: Ledger>(stage: Stage<N>, program: &Program, max_t: u64, plan: &Plan) -> Result<Offered, ProverError> {
    let (mut book, _, mut launched) = opened(stage, program, max_t, plan)?;
    let succeeded = launched.close(&mut book, plan)?;
    if !succeeded {
        launched.refund(&mut book)?;
    }
    book.chapter("closed")?;
    let model_root = hex::of(&Hasher::current().model_roots(program).model);
    Ok(Offered { model_root, succeeded, account: Account::from(&book.record) })
}

/// A request for an answer; with a seed of a lie, somebody lies first.
///
/// # Errors
/// The run is refused, or the chain refuses a transaction.
pub fn ask<N: Ledger>(stage: Stage<N>, task: &Task, lie: Option<u64>) -> Result<Asked, ProverError> {
    let plan = Plan::default();
    let (mut book, venue, launched) = market(stage, task, &plan)?;
    let id = answers::request(&mut book, &venue, &launched, Actor::Carol, task)?;
    book.chapter("asked")?;
    let run = task.run()?;
    let (caught, is_final) = answered(&mut book, &venue, id, task, &run, lie)?;
    answers::withdraw(&mut book, &venue)?;
    book.chapter("paid")?;
    let output = hex::of(&answers::output(task, &run)?);
    Ok(Asked { request: id.to_string(), output, lie_caught: caught, is_final, account: Account::from(&book.record) })
}

/// A token of what a model makes of an input.
///
/// # Errors
/// As [`ask`].
pub fn mint<N: Ledger>(stage: Stage<N>, task: &Task, lie: Option<u64>) -> Result<Minted, ProverError> {
    let plan = Plan::default();
    let (mut book, venue, launched) = market(stage, task, &plan)?;
    let id = content::mint(&mut book, &launched, Actor::Carol, task)?;
    book.chapter("asked")?;
    let run = task.run()?;
    let output = answers::output(task, &run)?;
    let verified_early = content::verified(&mut book, &launched, task, &output)?;
    answered(&mut book, &venue, id, task, &run, lie)?;
    let (content, _) = content::shown(&mut book, &launched, task)
        .ok_or_else(|| ProverError::Stuck("the token was not minted".to_owned()))?;
    let verified = content == output && content::verified(&mut book, &launched, task, &content)?;
    answers::withdraw(&mut book, &venue)?;
    book.chapter("paid")?;
    let token = hex::of(&calls::token_id(&calls::prompt(&task.inputs)).to_be_bytes::<32>());
    let content = hex::of(&content);
    Ok(Minted { token, content, verified_early, verified, account: Account::from(&book.record) })
}

/// The revenue of so many answers.
///
/// # Errors
/// As [`ask`].
pub fn revenue<N: Ledger>(stage: Stage<N>, task: &Task, requests: u64) -> Result<Shared, ProverError> {
    let plan = Plan::default();
    let (mut book, venue, launched) = market(stage, task, &plan)?;
    let run = task.run()?;
    let first = answers::request(&mut book, &venue, &launched, Actor::Carol, task)?;
    // One claim answers all requests of the same input.
    let claim = answers::answer(&mut book, &venue, Actor::Honest, first, task, &run)?;
    answers::wait(&mut book)?;
    answers::conclude(&mut book, &venue, (Actor::Honest, first), &claim)?;
    for _ in 1..requests {
        let id = answers::request(&mut book, &venue, &launched, Actor::Dave, task)?;
        answers::answer_again(&mut book, &venue, (Actor::Honest, id), &claim)?;
    }
    book.chapter("answered")?;
    let revenue = answers::revenue_of(&mut book, &venue, &launched)?;
    let holdings = revenue::share(&mut book, &launched)?;
    answers::withdraw(&mut book, &venue)?;
    book.chapter("shared")?;
    Ok(Shared { requests, revenue: revenue.to_string(), holdings, account: Account::from(&book.record) })
}

/// Everything deployed, an offering launched and sold.
fn opened<N: Ledger>(
    stage: Stage<N>,
    program: &Program,
    max_t: u64,
    plan: &Plan,
) -> Result<(Book<N>, Venue, Launched), ProverError> {
    let mut book = Book::new(stage.ledger, stage.cast);
    book.chapter("funded")?;
    let venue = Venue::open(&mut book, stage.claims)?;
    let launched = venue.launch(&mut book, program, max_t, plan)?;
    launched.sell(&mut book, plan)?;
    book.chapter("sold")?;
    Ok((book, venue, launched))
}

/// The same, closed with success.
pub(super) fn market<N: Ledger>(
    stage: Stage<N>,
    task: &Task,
    plan: &Plan,
) -> Result<(Book<N>, Venue, Launched), ProverError> {
    let (mut book, venue, mut launched) = opened(stage, &task.program, task.max_t, plan)?;
    if !launched.close(&mut book, plan)? {
        return Err(ProverError::Stuck("the offering failed".to_owned()));
    }
    Ok((book, venue, launched))
}

/// The honest answer, after a lie if there is a seed for one, to its end: whether the lie was caught, and the answer is final.
fn answered<N: Ledger>(
    book: &mut Book<N>,
    venue: &Venue,
    id: U256,
    task: &Task,
    run: &Run,
    lie: Option<u64>,
) -> Result<(Option<bool>, bool), ProverError> {
    let lie = lie.map(|seed| answers::visible_lie(task, run, seed)).transpose()?;
    let false_claim = match &lie {
        Some(lie) => Some((lie, answers::answer(book, venue, Actor::Liar, id, task, &lie.run)?)),
        None => None,
    };
    let claim = answers::answer_hidden(book, venue, Actor::Honest, id, task, run)?;
    let mut caught = None;
    if let Some((lie, false_claim)) = false_claim {
        caught = Some(answers::caught(book, venue, task, &honest(task, run), lie, false_claim)?);
    }
    answers::wait(book)?;
    let is_final = answers::conclude(book, venue, (Actor::Honest, id), &claim)?;
    Ok((caught, is_final))
}

/// The honest trace.
pub(super) fn honest(task: &Task, run: &Run) -> Trace {
    Hasher::current().trace(&task.program, run.clone())
}

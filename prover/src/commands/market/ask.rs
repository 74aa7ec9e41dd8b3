//! `opml ask …`: a question to the oracle on a chain, from the request to the money.

use alloy_primitives::{Address, B256, Bytes, U256};
use anyhow::{Context as _, Result, bail};
use opml_contracts::{
    abi::{AIOracle, Dispute, Offering},
    dispute::{ClaimSlot, Status},
};
use serde::Serialize;

use super::{Asks, Desk, Window, answer::answer, finish, imo::number, tried};
use crate::{
    agent::{Book, tiers},
    arguments::market::{self, AskStep, List, Looked, Mode, Numbered, Question},
    commands::{AGREE, network::read},
    economy::calls::{self, Listing},
    files,
    ledger::event,
    network::Network as _,
    output::Output,
    task::Task,
    units,
};

/// Codes of the oracle's enumerations.
const CLAIMED: u8 = 1;
const NONE: u8 = 0;
const OPEN: u8 = 1;
const ANSWERED: u8 = 2;

pub(in crate::commands) fn ask(step: &AskStep, output: Output) -> Result<u8> {
    match step {
        AskStep::List(list) => self::list(list, output),
        AskStep::Request(question) => request(question, output),
        AskStep::Answer(arguments) => answer(arguments, output),
        AskStep::Deliver(numbered) => deliver(numbered, output),
        AskStep::Refund(numbered) => refund(numbered, output),
        AskStep::Withdraw(access) => {
            let mut desk = Desk::open(access)?;
            withdraw(&mut desk, output)
        }
        AskStep::Show(looked) => show(looked, output),
    }
}

#[derive(Serialize)]
struct Listed {
    model_id: String,
}

fn list(arguments: &List, output: Output) -> Result<u8> {
    let program = files::read_model(&arguments.model)?;
    let mut desk = Desk::open(&arguments.access)?;
    let oracle = desk.oracle()?;
    if !desk.register(&program)? {
        return tried(&desk, output);
    }
    let receiver = arguments.receiver.unwrap_or_else(|| desk.account());
    let call = Listing::from(&arguments.terms).call(&program, receiver);
    let id = desk.ask(oracle, &AIOracle::modelIdOfCall { terms: call.terms.clone() })?;
    desk.send(oracle, U256::ZERO, &call)?;
    let listed = Listed { model_id: number(id) };
    finish(&desk, output, &listed, &listed.model_id)
}

/// The number of a listing.
fn listing(desk: &Desk, name: market::Listing) -> Result<U256> {
    let offering = match name {
        market::Listing::Number(number) => return Ok(number),
        market::Listing::Offering(offering) => desk.offering(offering)?,
    };
    let id = desk.ask(offering, &Offering::modelIdCall {})?;
    if id.is_zero() {
        bail!("the offering {offering} has listed nothing: it has not succeeded; `opml imo show` tells how it stands");
    }
    Ok(id)
}

#[derive(Serialize)]
struct Requested {
    request: Option<String>,
    task: Option<String>,
    fee: String,
}

fn request(arguments: &Question, output: Output) -> Result<u8> {
    let task = Task::read(&arguments.task)?;
    let mut desk = Desk::open(&arguments.access)?;
    let oracle = desk.oracle()?;
    let id = listing(&desk, arguments.listing)?;
    let terms = desk.ask(oracle, &AIOracle::getModelCall { modelId: id })?;
    if terms.maxT == 0 {
        bail!(
            "there is no listing {} at the oracle {oracle}; `opml imo close` or `opml ask list` makes one",
            number(id)
        );
    }
    let root = crate::agent::root_of(&task.program);
    if terms.modelRoot != root {
        bail!("the listing is of another model: its root is {}, the file's {root}", terms.modelRoot);
    }
    let gas = arguments.callback_gas.unwrap_or_default();
    let fee = desk.ask(oracle, &AIOracle::estimateFeeCall { modelId: id, gasLimit: U256::from(gas) })?;
    let call = AIOracle::requestCallback_1Call {
        modelId: id,
        input: calls::prompt(&task.inputs),
        callbackContract: arguments.callback.unwrap_or_default(),
        gasLimit: gas,
        callbackData: arguments.callback_data.clone(),
        mode: match arguments.mode {
            Mode::Optimistic => 0,
            Mode::Final => 1,
            Mode::Confirmed => 2,
        },
        refundTo: Address::ZERO,
    };
    let logs = desk.send(oracle, fee, &call)?;
    let asked = logs.map(|logs| event::<AIOracle::RequestTask>(&logs)).transpose()?;
    let requested = Requested {
        request: asked.as_ref().map(|asked| asked.requestId.to_string()),
        task: asked.map(|asked| asked.taskId.to_string()),
        fee: fee.to_string(),
    };
    let words = requested.request.clone().map_or_else(String::new, |id| format!("{id}\nFee {}.", units::ether(fee)));
    finish(&desk, output, &requested, &words)
}

/// A request, which must exist.
pub(super) fn known(desk: &impl Asks, oracle: Address, id: U256) -> Result<AIOracle::Request> {
    let request = desk.ask(oracle, &AIOracle::requestOfCall { requestId: id })?;
    if request.status == NONE {
        bail!("there is no request {id} at the oracle {oracle}; `opml ask request` makes one");
    }
    Ok(request)
}

/// An answer to a request, with what the claims contract says of its claim.
struct Candidate {
    index: usize,
    id: B256,
    output_hash: B256,
    slot: ClaimSlot,
}

fn candidates(desk: &impl Asks, oracle: Address, id: U256) -> Result<Vec<Candidate>> {
    let entries = desk.ask(oracle, &AIOracle::entriesOfCall { requestId: id })?;
    let claims = entries.iter().enumerate().filter(|(_, entry)| entry.kind == CLAIMED);
    claims
        .map(|(index, entry)| {
            let slot = desk.ask(desk.place().dispute, &Dispute::claimOfCall { claimId: entry.id })?;
            Ok(Candidate { index, id: entry.id, output_hash: entry.outputHash, slot: ClaimSlot::unpack(slot) })
        })
        .collect()
}

#[derive(Serialize)]
struct Delivered {
    output: Option<String>,
    fee_paid: bool,
}

fn deliver(arguments: &Numbered, output: Output) -> Result<u8> {
    let mut desk = Desk::open(&arguments.access)?;
    let (oracle, id) = (desk.oracle()?, arguments.request);
    let request = known(&desk, oracle, id)?;
    let book = read(&desk.session.rpc, &desk.place.singles())?;
    let mut bytes = None;
    if !request.delivery.last {
        let chosen = chosen(&mut desk, &request, &book, oracle, id)?;
        let Some(chosen) = chosen else { return tried(&desk, output) };
        let claimed = book.claims.get(&chosen).context("the claim's event is missing")?;
        let call = AIOracle::updateResultCall { requestId: id, output: claimed.output.clone() };
        if desk.send(oracle, U256::ZERO, &call)?.is_none() {
            return finish(&desk, output, &Delivered { output: None, fee_paid: false }, "");
        }
        bytes = Some(crate::hex::of(&claimed.output));
    }
    let mut fee_paid = known(&desk, oracle, id)?.settled;
    if request.delivery.last && !fee_paid {
        fee_paid = desk.send(oracle, U256::ZERO, &AIOracle::settleFeeCall { requestId: id })?.is_some();
    }
    let fee = if fee_paid { "the fee is paid" } else { "the fee waits for answers before it; deliver again later" };
    let words = bytes
        .as_ref()
        .map_or_else(|| format!("Delivered before; {fee}."), |bytes| format!("{bytes}\nDelivered; {fee}."));
    finish(&desk, output, &Delivered { output: bytes, fee_paid }, &words)
}

/// A claim whose output is the answer, made final if that is due; none if that could only be tried.
fn chosen(
    desk: &mut Desk,
    request: &AIOracle::Request,
    book: &Book,
    oracle: Address,
    id: U256,
) -> Result<Option<B256>> {
    let all = candidates(desk, oracle, id)?;
    if request.status == ANSWERED {
        let found = all.iter().find(|candidate| candidate.output_hash == request.answer);
        return Ok(Some(found.context("the answer's claim is missing")?.id));
    }
    if request.status != OPEN {
        bail!("request {id} was refunded");
    }
    if let Some(found) = all.iter().find(|candidate| candidate.slot.status == Status::Final) {
        return Ok(Some(found.id));
    }
    let tiers = tiers(&desk.session.rpc, desk.place.dispute)?;
    let now = desk.session.rpc.head()?.time;
    let left = |candidate: &Candidate| {
        let window = tiers.get(usize::from(candidate.slot.tier)).map_or(0, |tier| tier.window);
        candidate.slot.claimed_at.saturating_add(window.into()).saturating_sub(now)
    };
    let pending: Vec<&Candidate> = all.iter().filter(|candidate| candidate.slot.status == Status::Pending).collect();
    let due = pending.iter().find(|candidate| left(candidate) == 0 && candidate.slot.open == 0);
    let Some(due) = due else {
        let soonest = pending.iter().map(|candidate| left(candidate)).min();
        match soonest {
            None => bail!("request {id} has no answer that stands; `opml ask answer` gives one"),
            Some(0) => bail!("no answer of request {id} is final: the claims are disputed"),
            Some(left) => bail!("no answer of request {id} is final yet: claims can be challenged for {left} s more"),
        }
    };
    let claimed = book.claims.get(&due.id).context("the claim's event is missing")?;
    let call = Dispute::finalizeCall { c: claimed.claim.clone() };
    Ok(desk.send(desk.place.dispute, U256::ZERO, &call)?.map(|_| due.id))
}

#[derive(Serialize)]
struct Money {
    wei: String,
}

fn refund(arguments: &Numbered, output: Output) -> Result<u8> {
    let mut desk = Desk::open(&arguments.access)?;
    let oracle = desk.oracle()?;
    let request = known(&desk, oracle, arguments.request)?;
    desk.send(oracle, U256::ZERO, &AIOracle::refundCall { requestId: arguments.request })?;
    let gas = if request.gasPaid { U256::ZERO } else { U256::from(request.gasFee) };
    let wei = U256::from(request.fee).saturating_add(gas);
    let words = format!("{} for {}; `opml ask withdraw` fetches it.", units::ether(wei), request.refundTo);
    finish(&desk, output, &Money { wei: wei.to_string() }, &words)
}

fn withdraw(desk: &mut Desk, output: Output) -> Result<u8> {
    let oracle = desk.oracle()?;
    let wei = desk.ask(oracle, &AIOracle::creditOfCall { account: desk.account() })?;
    if wei.is_zero() {
        return finish(desk, output, &Money { wei: "0".to_owned() }, "The oracle owes this account nothing.");
    }
    desk.send(oracle, U256::ZERO, &AIOracle::withdrawCall {})?;
    finish(desk, output, &Money { wei: wei.to_string() }, &format!("{}.", units::ether(wei)))
}

#[derive(Serialize)]
struct Report {
    request: String,
    status: &'static str,
    account: String,
    model_id: String,
    task: String,
    fee: String,
    fee_paid: bool,
    /// Seconds until new answers are refused.
    time_left: u64,
    /// Whether answers that may both still stand contradict each other.
    conflict: bool,
    delivered: bool,
    answers: Vec<AnswerReport>,
}

#[derive(Serialize)]
struct AnswerReport {
    index: usize,
    claim: String,
    standing: &'static str,
    submitter: String,
    output: String,
}

fn show(arguments: &Looked, output: Output) -> Result<u8> {
    let window = Window::open(&arguments.link)?;
    let (oracle, id) = (window.oracle()?, arguments.request);
    let request = known(&window, oracle, id)?;
    let book = read(&window.rpc, &window.place.singles())?;
    let answers = candidates(&window, oracle, id)?.iter().map(|candidate| answer_report(candidate, &book)).collect();
    let report = Report {
        request: id.to_string(),
        status: match request.status {
            OPEN => "open",
            ANSWERED => "answered",
            _ => "refunded",
        },
        account: request.account.to_string(),
        model_id: number(request.modelId),
        task: request.taskId.to_string(),
        fee: request.fee.to_string(),
        fee_paid: request.settled,
        time_left: request.deadline.to::<u64>().saturating_sub(window.rpc.head()?.time),
        conflict: window.ask(oracle, &AIOracle::conflictedCall { requestId: id })?,
        delivered: request.delivery.last,
        answers,
    };
    output.result(&report, text)?;
    Ok(AGREE)
}

fn answer_report(candidate: &Candidate, book: &Book) -> AnswerReport {
    let claimed = book.claims.get(&candidate.id);
    AnswerReport {
        index: candidate.index,
        claim: candidate.id.to_string(),
        standing: match candidate.slot.status {
            Status::Final => "final",
            Status::False => "false",
            Status::Pending => "pending",
            Status::None => "unknown",
        },
        submitter: claimed.map_or_else(String::new, |claimed| claimed.claim.submitter.to_string()),
        output: crate::hex::of(&claimed.map_or_else(Bytes::new, |claimed| claimed.output.clone())),
    }
}

fn text(report: &Report) -> String {
    let fee = report.fee.parse().map_or_else(|_| report.fee.clone(), units::ether);
    let paid = if report.fee_paid { "paid" } else { "not paid yet" };
    let mut lines = vec![
        format!("request {}: {}, by {}", report.request, report.status, report.account),
        format!("  task {}, fee {fee}, {paid}", report.task),
    ];
    if report.status == "open" {
        lines.push(format!("  answers are taken for {} s more", report.time_left));
    }
    if report.conflict {
        lines.push("  CONFLICT: answers that may both still stand contradict each other".to_owned());
    }
    for answer in &report.answers {
        lines
            .push(format!("  answer {} by {}, {}: {}", answer.index, answer.submitter, answer.standing, answer.output));
    }
    lines.join("\n")
}

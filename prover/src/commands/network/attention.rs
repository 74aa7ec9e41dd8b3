//! `opml attention`: the committee that attends to claims.

use alloy_primitives::{Address, B256, U256, Uint};
use alloy_sol_types::{SolCall, SolConstructor as _};
use anyhow::{Context as _, Result, bail};
use opml_contracts::{
    abi::Attention::{self, Terms},
    attention::commitment,
};
use serde::Serialize;

use super::{Paid, Session, Work, beside, deployment, read};
use crate::{
    agent::{Attended, Library, salt_purpose, tiers},
    arguments::{
        batch::{AskAttention, AttentionStep, DeployAttention},
        market::Access,
        network::Link,
    },
    commands::AGREE,
    network::{Deployment, Rpc, view},
    output::Output,
    units,
};

pub(in crate::commands) fn attention(step: &AttentionStep, output: Output) -> Result<u8> {
    match step {
        AttentionStep::Deploy(arguments) => deploy(arguments, output),
        AttentionStep::Join(access) => join(access, output),
        AttentionStep::Retire(access) => send(access, U256::ZERO, &Attention::retireCall {}, "Retired", output),
        AttentionStep::Reclaim(access) => reclaim(access, output),
        AttentionStep::Ask(arguments) => ask(arguments, output),
        AttentionStep::Show(link) => show(link, output),
    }
}

fn deploy(arguments: &DeployAttention, output: Output) -> Result<u8> {
    beside(
        &arguments.access,
        output,
        "Attention",
        |session, place| {
            let tiers = tiers(&session.rpc, place.dispute)?;
            let Some(tier) = tiers.get(usize::from(arguments.tier)) else {
                bail!("there is no tier {} on this contract", arguments.tier);
            };
            let t = Terms {
                tier: arguments.tier,
                respond: arguments.respond.unwrap_or(tier.traceTime),
                reveal: arguments.reveal.unwrap_or(tier.delay.saturating_mul(2)),
                deposit: Uint::from(arguments.deposit),
                fee: Uint::from(arguments.fee),
                bond: Uint::from(arguments.bond),
                checkCost: Uint::from(arguments.check_cost),
                answerCost: Uint::from(arguments.answer_cost),
            };
            let call = Attention::constructorCall { claims_: place.dispute, t, members: arguments.member.clone() };
            Ok([Attention::BYTECODE.as_ref(), &call.abi_encode()].concat().into())
        },
        |place, contract| place.attention = Some(contract),
    )
}

fn committee(place: &Deployment) -> Result<Address> {
    place.attention.context("the deployment file names no committee; `opml attention deploy` puts one there")
}

#[derive(Serialize)]
struct Step {
    paid: Vec<Paid>,
}

fn send<C: SolCall>(access: &Access, value: U256, call: &C, words: &str, output: Output) -> Result<u8> {
    let session = Session::open(&access.link, &access.signing)?;
    let contract = committee(&deployment(&access.link, &session.rpc)?)?;
    let paid = vec![sent(&session, contract, value, call)?];
    output.result(&Step { paid }, |step| {
        let paid: Vec<String> = step.paid.iter().map(Paid::words).collect();
        format!("{words}: {}.", paid.join("; "))
    })?;
    Ok(AGREE)
}

fn sent<C: SolCall>(session: &Session, contract: Address, value: U256, call: &C) -> Result<Paid> {
    let name = C::SIGNATURE.split('(').next().unwrap_or(C::SIGNATURE);
    let done = session.sender().send(name, Some(contract), value, call.abi_encode().into()).context(name)?;
    Ok(Paid::of(&done))
}

fn terms(rpc: &Rpc, contract: Address) -> Result<Terms> {
    Ok(view(rpc, contract, &Attention::termsOfCall {})?)
}

fn join(access: &Access, output: Output) -> Result<u8> {
    let rpc = Rpc::connect(&access.link.endpoint)?;
    let deposit = U256::from(terms(&rpc, committee(&deployment(&access.link, &rpc)?)?)?.deposit);
    let words = format!("Joined with a deposit of {}", units::ether(deposit));
    send(access, deposit, &Attention::joinCall {}, &words, output)
}

fn reclaim(access: &Access, output: Output) -> Result<u8> {
    let session = Session::open(&access.link, &access.signing)?;
    let contract = committee(&deployment(&access.link, &session.rpc)?)?;
    let mut paid = vec![sent(&session, contract, U256::ZERO, &Attention::reclaimCall {})?];
    if paid.iter().all(Paid::is_sent) {
        paid.push(sent(&session, contract, U256::ZERO, &Attention::withdrawCall {})?);
    }
    output.result(&Step { paid }, |step| {
        format!("The deposit is back: {}.", step.paid.iter().map(Paid::words).collect::<Vec<_>>().join("; "))
    })?;
    Ok(AGREE)
}

#[derive(Serialize)]
struct Asked {
    claim: String,
    /// Wei that go with it: the fee and the bond.
    wei: String,
    /// Seconds for the members' answers.
    respond: u32,
    paid: Paid,
}

fn ask(arguments: &AskAttention, output: Output) -> Result<u8> {
    let mut library = Library::new(&arguments.models)?;
    let session = Session::open(&arguments.access.link, &arguments.access.signing)?;
    let place = deployment(&arguments.access.link, &session.rpc)?;
    let contract = committee(&place)?;
    let book = read(&session.rpc, &place)?;
    let claimed = book.claims.get(&arguments.claim).filter(|claimed| claimed.leaf.is_none());
    let claim = &claimed.with_context(|| format!("there is no single claim {}", arguments.claim))?.claim;
    let work = Work::of(&book, &mut library, claim.taskId, arguments.rehearsal.lie(), arguments.budget)?;
    if alloy_primitives::keccak256(&work.output) != claim.outputHash {
        bail!("the run gives another output than the claim: its trace is not the claim's");
    }
    let root = work.root()?;
    let terms = terms(&session.rpc, contract)?;
    let value = U256::from(terms.fee).saturating_add(U256::from(terms.bond));
    let salt = session.wallet.salt(&salt_purpose(arguments.claim));
    let c = Attention::Claim {
        taskId: claim.taskId,
        T: claim.T,
        outputHash: claim.outputHash,
        submitter: claim.submitter,
        nonce: claim.nonce,
    };
    let call = Attention::askCall { c, commitment: commitment(arguments.claim, root, salt) };
    let paid = sent(&session, contract, value, &call)?;
    let asked = Asked { claim: arguments.claim.to_string(), wei: value.to_string(), respond: terms.respond, paid };
    output.result(&asked, |asked| {
        format!(
            "Asked, with {}; members answer within {} s, then `opml defend` shows the trace. {}.",
            units::ether(value),
            asked.respond,
            asked.paid.words()
        )
    })?;
    Ok(AGREE)
}

#[derive(Serialize)]
struct Shown {
    contract: String,
    deposit: String,
    fee: String,
    pool: String,
    members: Vec<MemberShown>,
    checks: Vec<CheckShown>,
}

#[derive(Serialize)]
struct MemberShown {
    member: String,
    standing: &'static str,
    /// Until then a deposit that leaves stays.
    free_at: Option<u64>,
    credit: String,
}

#[derive(Serialize)]
struct CheckShown {
    claim: String,
    stage: &'static str,
    asked: u32,
    answered: usize,
    /// Members who computed the trace of a final claim.
    attention: Option<u8>,
}

fn show(link: &Link, output: Output) -> Result<u8> {
    let rpc = Rpc::connect(&link.endpoint)?;
    let place = deployment(link, &rpc)?;
    let contract = committee(&place)?;
    let book = read(&rpc, &place)?;
    let terms = terms(&rpc, contract)?;
    let lock: u64 = view(&rpc, contract, &Attention::lockCall {})?.saturating_to();
    let mut members = Vec::new();
    for seat in view(&rpc, contract, &Attention::seatsOfCall {})? {
        let (since, left) = (seat.since.to::<u64>(), seat.leftAt.to::<u64>());
        let standing = match (since, left) {
            (0, _) => "no deposit",
            (_, 0) => "active",
            _ => "retired",
        };
        let credit = view(&rpc, contract, &Attention::creditOfCall { account: seat.member })?;
        members.push(MemberShown {
            member: seat.member.to_string(),
            standing,
            free_at: (left > 0).then(|| left.saturating_add(lock)),
            credit: credit.to_string(),
        });
    }
    let check = |(id, asked): (&B256, &crate::agent::Asked)| CheckShown {
        claim: id.to_string(),
        stage: match asked.stage {
            Attended::Asked => "asked",
            Attended::Revealed => "shown",
            Attended::Closed(_) => "over",
        },
        asked: asked.seats.count_ones(),
        answered: asked.answered.len(),
        attention: match asked.stage {
            Attended::Closed(right) => Some(right),
            _ => None,
        },
    };
    let shown = Shown {
        contract: contract.to_string(),
        deposit: terms.deposit.to_string(),
        fee: terms.fee.to_string(),
        pool: view(&rpc, contract, &Attention::poolCall {})?.to_string(),
        members,
        checks: book.asked.iter().map(check).collect(),
    };
    output.result(&shown, text)?;
    Ok(AGREE)
}

fn text(shown: &Shown) -> String {
    let amount = |text: &str| units::ether(text.parse::<U256>().unwrap_or_default());
    let mut lines = vec![format!(
        "Committee {}, deposit {}, fee of a check {}, left over from others {}.",
        shown.contract,
        amount(&shown.deposit),
        amount(&shown.fee),
        amount(&shown.pool)
    )];
    for member in &shown.members {
        let free = member.free_at.map_or_else(String::new, |time| format!(", its deposit is free at {time}"));
        lines.push(format!("  {} {}{free}, {} to withdraw", member.member, member.standing, amount(&member.credit)));
    }
    for check in &shown.checks {
        let came = check.attention.map_or_else(String::new, |right| format!(", {right} computed the trace"));
        lines.push(format!(
            "  claim {} {}: {} of {} answered{came}",
            check.claim, check.stage, check.answered, check.asked
        ));
    }
    lines.join("\n")
}

//! `opml status`.

use std::path::Path;

use alloy_primitives::{Address, B256, U256};
use anyhow::Result;
use opml_contracts::{
    abi::{BatchDispute, Dispute},
    dispute::{self, ClaimSlot, Position, Stage},
};
use opml_vm::{DType, Tensor};
use serde::Serialize;

use super::{deployment, read};
use crate::{
    agent::{Book, Claimed, Disputed, Standing, slot, tiers},
    arguments::network::Status,
    commands::AGREE,
    network::{Block, Deployment, Network, NetworkError, Rpc, view},
    output::Output,
    text, units,
};

#[derive(Serialize)]
struct Report {
    contract: String,
    block: u64,
    time: u64,
    claims: Vec<ClaimReport>,
    accounts: Vec<AccountReport>,
}

#[derive(Serialize)]
struct ClaimReport {
    claim: String,
    /// The batch that it is a leaf of.
    #[serde(skip_serializing_if = "Option::is_none")]
    batch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    leaf: Option<u16>,
    task: String,
    submitter: String,
    standing: &'static str,
    bond: String,
    /// Seconds until the window of challenges closes.
    window_left: u64,
    trace: &'static str,
    /// What its output says, if a tokenizer was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    disputes: Vec<DisputeReport>,
    forecast: String,
    /// Who gets what if it stands.
    if_it_stands: String,
    /// Who gets what if it falls.
    if_it_falls: String,
}

#[derive(Serialize)]
struct DisputeReport {
    dispute: String,
    challenger: String,
    bond: String,
    moves: u16,
    turn: Option<&'static str>,
    /// Seconds that the player on turn has left, its free delay included.
    time_left: Option<u64>,
    over: bool,
    forecast: String,
    /// What the challenger gets if the claim falls, as the weights stand now.
    if_won: Option<String>,
    /// Who gets what of the challenger's bond if it loses.
    if_lost: Option<String>,
}

#[derive(Serialize)]
struct AccountReport {
    account: String,
    balance: String,
    credit: String,
}

pub(in crate::commands) fn status(arguments: &Status, output: Output) -> Result<u8> {
    let rpc = Rpc::connect(&arguments.link.endpoint)?;
    let place = deployment(&arguments.link, &rpc)?;
    let tiers = tiers(&rpc, place.dispute)?;
    let head = rpc.head()?;
    let book = read(&rpc, &place)?;
    let mut claims = Vec::new();
    for (&id, claimed) in &book.claims {
        if arguments.account.is_none_or(|account| concerns(&book, claimed, account)) {
            let slot = slot(&rpc, id, claimed)?;
            if let Some(tier) = tiers.get(usize::from(slot.tier)) {
                let says = arguments.tokenizer.as_deref().map(|from| said(from, claimed)).transpose()?;
                let tier = backed(&rpc, &book, claimed, &slot, tier)?;
                claims.push(ClaimReport { text: says, ..claim(&book, (id, claimed), &slot, &tier, head) });
            }
        }
    }
    let accounts = arguments.account.map(|account| balances(&rpc, &place, account)).transpose()?;
    let report = Report {
        contract: place.dispute.to_string(),
        block: head.number,
        time: head.time,
        claims,
        accounts: accounts.into_iter().collect(),
    };
    output.result(&report, words)?;
    Ok(AGREE)
}

/// The text that a claim's output is, if its model writes tokens.
fn said(from: &Path, claimed: &Claimed) -> Result<String> {
    let elements = u64::try_from(claimed.output.len() / 4)?;
    text::said(from, &Tensor::new(DType::I32, elements, claimed.output.to_vec()).unwrap_or_else(|_| Tensor::empty()))
}

fn concerns(book: &Book, claimed: &Claimed, account: Address) -> bool {
    let own = |id: &B256| book.disputes.get(id).is_some_and(|disputed| disputed.challenger == account);
    claimed.claim.submitter == account || claimed.disputes.iter().any(own)
}

/// A claim's tier; of a leaf with the bond of its batch, which stands behind every leaf.
fn backed(
    rpc: &Rpc,
    book: &Book,
    claimed: &Claimed,
    slot: &ClaimSlot,
    tier: &Dispute::Tier,
) -> Result<Dispute::Tier, NetworkError> {
    let mut tier = tier.clone();
    if let Some(batched) = claimed.leaf.and_then(|(batch, _)| book.batches.get(&batch)) {
        let (tier_, count) = (U256::from(slot.tier), U256::from(batched.leaves.len()));
        tier.bondS = view(rpc, batched.home, &BatchDispute::bondOfCall { tier_, count })?.saturating_to();
    }
    Ok(tier)
}

fn balances(rpc: &Rpc, place: &Deployment, account: Address) -> Result<AccountReport, NetworkError> {
    let mut credit = U256::ZERO;
    for contract in place.followed() {
        credit = credit.saturating_add(view(rpc, contract, &Dispute::creditOfCall { account })?);
    }
    let balance = rpc.balance(account)?;
    Ok(AccountReport { account: account.to_string(), balance: units::ether(balance), credit: units::ether(credit) })
}

fn claim(
    book: &Book,
    (id, claimed): (B256, &Claimed),
    slot: &ClaimSlot,
    tier: &Dispute::Tier,
    head: Block,
) -> ClaimReport {
    let disputed = claimed.disputes.iter().filter_map(|id| Some((*id, book.disputes.get(id)?)));
    let disputes: Vec<DisputeReport> =
        disputed.map(|(id, one)| dispute_report((id, one), claimed, slot, tier, head)).collect();
    let window_left = slot.claimed_at.saturating_add(tier.window.into()).saturating_sub(head.time);
    let open = disputes.iter().filter(|dispute| !dispute.over).count();
    let forecast = match claimed.standing {
        Standing::Final => "final for ever".to_owned(),
        Standing::False => "fallen for ever".to_owned(),
        Standing::Pending if open > 0 => {
            format!("undecided: falls with one lost dispute, {open} open; else final {}", after(window_left))
        }
        Standing::Pending if window_left == 0 => "can be made final now".to_owned(),
        Standing::Pending => format!("final in {} if nobody challenges it", duration(window_left)),
    };
    let standing = match claimed.standing {
        Standing::Pending => "pending",
        Standing::Final => "final",
        Standing::False => "false",
    };
    let trace = match slot.stage {
        Stage::Undisputed => "not asked for",
        Stage::Awaited => "awaited",
        Stage::Opened => "open",
        Stage::Refuted => "refuted",
    };
    ClaimReport {
        claim: id.to_string(),
        batch: claimed.leaf.map(|(batch, _)| batch.to_string()),
        leaf: claimed.leaf.map(|(_, j)| j),
        task: claimed.claim.taskId.to_string(),
        submitter: claimed.claim.submitter.to_string(),
        standing,
        bond: units::ether(tier.bondS.to()),
        window_left: if claimed.standing == Standing::Pending { window_left } else { 0 },
        trace,
        text: None,
        disputes,
        forecast,
        if_it_stands: stands(tier, open),
        if_it_falls: falls(tier),
    }
}

fn after(seconds: u64) -> String {
    if seconds == 0 { "after the last one".to_owned() } else { format!("in {} at the earliest", duration(seconds)) }
}

/// The burnt part of a bond, and the rest.
fn split(bond: U256, burnt: u16) -> (U256, U256) {
    let burnt = bond.saturating_mul(U256::from(burnt)) / U256::from(10_000);
    (burnt, bond.saturating_sub(burnt))
}

fn stands(tier: &Dispute::Tier, open: usize) -> String {
    let bond = U256::from(tier.bondS);
    let (_, kept) = split(U256::from(tier.bondC), tier.burnC);
    let more = kept.saturating_mul(U256::from(open));
    match open {
        0 => format!("the submitter gets its {} back", units::ether(bond)),
        _ => format!(
            "the submitter gets its {} back, and {} of the open disputes",
            units::ether(bond),
            units::ether(more)
        ),
    }
}

fn falls(tier: &Dispute::Tier) -> String {
    let (burnt, pot) = split(U256::from(tier.bondS), tier.burnS);
    format!("{} of the submitter's bond are burnt, its challengers share {}", units::ether(burnt), units::ether(pot))
}

/// What a dispute brings if its claim falls with the weights that the disputes have: the bond and a share of the pot by weight.
fn won(place: &Position, slot: &ClaimSlot, tier: &Dispute::Tier) -> String {
    let (_, pot) = split(U256::from(tier.bondS), tier.burnS);
    let share = pot.saturating_mul(U256::from(place.weight)) / U256::from(slot.weight.max(place.weight.into()).max(1));
    let bond = U256::from(tier.bondC);
    let rest = if slot.status == dispute::Status::False { "" } else { ", as the weights stand now" };
    format!("the challenger gets its {} back and {}{rest}", units::ether(bond), units::ether(share))
}

fn lost(tier: &Dispute::Tier) -> String {
    let (burnt, rest) = split(U256::from(tier.bondC), tier.burnC);
    format!("{} of the challenger's bond are burnt, the submitter gets {}", units::ether(burnt), units::ether(rest))
}

fn dispute_report(
    (id, disputed): (B256, &Disputed),
    claimed: &Claimed,
    slot: &ClaimSlot,
    tier: &Dispute::Tier,
    head: Block,
) -> DisputeReport {
    let state = disputed.logs.iter().filter_map(dispute::state_after).filter(|(of, _)| *of == id).last();
    let place = state.and_then(|(_, state)| Position::unpack(&state));
    let place = place.map(|place| place.resolved(slot, claimed.trace_root.unwrap_or_default()));
    let runs = claimed.standing == Standing::Pending && !disputed.over;
    let clock = place.filter(|_| runs).map(|place| clock(&place, slot, tier, head));
    let forecast = match (clock, disputed.over, claimed.standing) {
        (_, true, _) => "over".to_owned(),
        (_, _, Standing::False) => "won: settle pays".to_owned(),
        (Some(("submitter", 0)), ..) => "the submitter is late: anybody can end the claim".to_owned(),
        (Some(("submitter", left)), ..) => {
            format!("the claim falls in {} if the submitter does not move", duration(left))
        }
        (Some((_, 0)), ..) => "the challenger is late: anybody can end the dispute".to_owned(),
        (Some((_, left)), ..) => format!("lost in {} if the challenger does not move", duration(left)),
        (None, ..) => "unknown".to_owned(),
    };
    DisputeReport {
        dispute: id.to_string(),
        challenger: disputed.challenger.to_string(),
        bond: units::ether(tier.bondC.to()),
        moves: place.map_or(0, |place| place.version),
        turn: clock.map(|(turn, _)| turn),
        time_left: clock.map(|(_, left)| left),
        over: disputed.over,
        forecast,
        if_won: place
            .filter(|_| !disputed.over && claimed.standing != Standing::Final)
            .map(|place| won(&place, slot, tier)),
        if_lost: runs.then(|| lost(tier)),
    }
}

/// Who is on turn, and the seconds until it is late.
fn clock(place: &Position, slot: &ClaimSlot, tier: &Dispute::Tier, head: Block) -> (&'static str, u64) {
    if place.version == 0 && slot.stage != Stage::Opened {
        let limit = slot.stage_at.saturating_add(tier.traceTime.into()).saturating_add(tier.delay.into());
        return ("submitter", limit.saturating_sub(head.time));
    }
    let turn = if place.kind.submitter_turn() { "submitter" } else { "challenger" };
    let limit = place.turn_start.saturating_add(place.delay.into()).saturating_add(place.budget());
    (turn, limit.saturating_sub(head.time))
}

/// Seconds as people say them.
fn duration(seconds: u64) -> String {
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds} s"),
        (0, _) => format!("{minutes} min"),
        (0..48, _) => format!("{hours} h {minutes} min"),
        _ => format!("{} d {} h", hours / 24, hours % 24),
    }
}

fn words(report: &Report) -> String {
    let mut lines = vec![format!("Contract {}, block {}.", report.contract, units::grouped(report.block))];
    if report.claims.is_empty() {
        lines.push("No claims.".to_owned());
    }
    for claim in &report.claims {
        lines.push(format!("\nclaim {}  {}, bond {}", claim.claim, claim.standing, claim.bond));
        if let Some((batch, leaf)) = claim.batch.as_ref().zip(claim.leaf) {
            lines.push(format!("  leaf {leaf} of batch {batch}, whose bond it is"));
        }
        lines.push(format!("  submitter {}, trace {}", claim.submitter, claim.trace));
        lines.extend(claim.text.iter().map(|text| format!("  says {text:?}")));
        lines.push(format!("  {}", claim.forecast));
        if claim.standing == "pending" {
            lines.push(format!("  if it stands: {}", claim.if_it_stands));
            lines.push(format!("  if it falls: {}", claim.if_it_falls));
        }
        for dispute in &claim.disputes {
            lines.push(format!("  dispute {} by {}, {} moves", dispute.dispute, dispute.challenger, dispute.moves));
            lines.push(format!("    {}", dispute.forecast));
            let outcomes = [("won", &dispute.if_won), ("lost", &dispute.if_lost)];
            let told = outcomes.iter().filter_map(|(how, what)| Some(format!("    if {how}: {}", what.as_ref()?)));
            lines.extend(told);
        }
    }
    for account in &report.accounts {
        lines.push(format!("\naccount {}: {}, and {} to withdraw", account.account, account.balance, account.credit));
    }
    lines.join("\n")
}

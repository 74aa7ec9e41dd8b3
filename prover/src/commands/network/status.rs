//! `opml status`.

use alloy_primitives::{Address, B256};
use anyhow::Result;
use opml_contracts::{
    abi::Dispute,
    dispute::{self, ClaimSlot, Position, Stage},
};
use serde::Serialize;

use super::deployment;
use crate::{
    agent::{Book, Claimed, Disputed, Standing, tiers},
    arguments::network::Status,
    commands::AGREE,
    network::{Block, Network, NetworkError, Rpc, view},
    output::Output,
    units,
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
    task: String,
    submitter: String,
    standing: &'static str,
    bond: String,
    /// Seconds until the window of challenges closes.
    window_left: u64,
    trace: &'static str,
    disputes: Vec<DisputeReport>,
    forecast: String,
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
    let mut book = Book::default();
    for event in rpc.events(place.dispute, place.block, head.number)? {
        book.add(&event.log);
    }
    let mut claims = Vec::new();
    for (&id, claimed) in &book.claims {
        if arguments.account.is_none_or(|account| concerns(&book, claimed, account)) {
            let slot = ClaimSlot::unpack(view(&rpc, place.dispute, &Dispute::claimOfCall { claimId: id })?);
            if let Some(tier) = tiers.get(usize::from(slot.tier)) {
                claims.push(claim(&book, (id, claimed), &slot, tier, head));
            }
        }
    }
    let accounts = arguments.account.map(|account| balances(&rpc, place.dispute, account)).transpose()?;
    let report = Report {
        contract: place.dispute.to_string(),
        block: head.number,
        time: head.time,
        claims,
        accounts: accounts.into_iter().collect(),
    };
    output.result(&report, text)?;
    Ok(AGREE)
}

fn concerns(book: &Book, claimed: &Claimed, account: Address) -> bool {
    let own = |id: &B256| book.disputes.get(id).is_some_and(|disputed| disputed.challenger == account);
    claimed.claim.submitter == account || claimed.disputes.iter().any(own)
}

fn balances(rpc: &Rpc, contract: Address, account: Address) -> Result<AccountReport, NetworkError> {
    let credit = view(rpc, contract, &Dispute::creditOfCall { account })?;
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
        Standing::False => "fallen; its challengers share half of the bond".to_owned(),
        Standing::Pending if open > 0 => format!("undecided: {open} open"),
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
        task: claimed.claim.taskId.to_string(),
        submitter: claimed.claim.submitter.to_string(),
        standing,
        bond: units::ether(tier.bondS.to()),
        window_left: if claimed.standing == Standing::Pending { window_left } else { 0 },
        trace,
        disputes,
        forecast,
    }
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

fn text(report: &Report) -> String {
    let mut lines = vec![format!("Contract {}, block {}.", report.contract, units::grouped(report.block))];
    if report.claims.is_empty() {
        lines.push("No claims.".to_owned());
    }
    for claim in &report.claims {
        lines.push(format!("\nclaim {}  {}, bond {}", claim.claim, claim.standing, claim.bond));
        lines.push(format!("  submitter {}, trace {}", claim.submitter, claim.trace));
        lines.push(format!("  {}", claim.forecast));
        for dispute in &claim.disputes {
            lines.push(format!("  dispute {} by {}, {} moves", dispute.dispute, dispute.challenger, dispute.moves));
            lines.push(format!("    {}", dispute.forecast));
        }
    }
    for account in &report.accounts {
        lines.push(format!("\naccount {}: {}, and {} to withdraw", account.account, account.balance, account.credit));
    }
    lines.join("\n")
}

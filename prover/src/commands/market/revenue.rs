//! `opml revenue …`: what holders of a model's token get, on a chain.

use alloy_primitives::{Address, Bytes, U256};
use anyhow::{Context as _, Result, ensure};
use opml_contracts::abi::{AIOracle, RevenueToken};
use serde::Serialize;

use super::{
    Asks, Desk, Window, finish,
    imo::{launched, tokens},
};
use crate::{
    arguments::market::{Deposit, Holder, Redeem, RevenueStep, Token},
    commands::AGREE,
    ledger::event,
    output::Output,
    units,
};

pub(in crate::commands) fn revenue(step: &RevenueStep, output: Output) -> Result<u8> {
    match step {
        RevenueStep::Deposit(deposit) => self::deposit(deposit, output),
        RevenueStep::Snapshot(token) => snapshot(token, output),
        RevenueStep::Claim(token) => claim(token, output),
        RevenueStep::Redeem(redeem) => self::redeem(redeem, output),
        RevenueStep::Show(holder) => show(holder, output),
    }
}

#[derive(Serialize)]
struct Money {
    wei: String,
}

fn deposit(arguments: &Deposit, output: Output) -> Result<u8> {
    let mut desk = Desk::open(&arguments.access)?;
    let token = desk.token(arguments.token)?;
    // Nobody gets back what went to an address without a token.
    ensure!(launched(&desk, token)?, "the token {token} takes no revenue yet: its sale is not over");
    let wei = U256::from(arguments.amount);
    let done = desk.session.sender().send("deposit", Some(token), wei, Bytes::new()).context("deposit")?;
    desk.done(&done)?;
    finish(&desk, output, &Money { wei: wei.to_string() }, &format!("{} for the holders.", units::ether(wei)))
}

#[derive(Serialize)]
struct Snapshot {
    snapshot: Option<String>,
}

fn snapshot(arguments: &Token, output: Output) -> Result<u8> {
    let mut desk = Desk::open(&arguments.access)?;
    let token = desk.token(arguments.token)?;
    launched(&desk, token)?;
    let logs = desk.send(token, U256::ZERO, &RevenueToken::snapshotCall {})?;
    let id = logs.map(|logs| event::<RevenueToken::SnapshotTaken>(&logs)).transpose()?;
    let snapshot = id.map(|event| event.snapshotId.to_string());
    let words = snapshot.as_ref().map_or_else(String::new, |id| format!("Snapshot {id}."));
    finish(&desk, output, &Snapshot { snapshot }, &words)
}

/// The periods of which an account may claim something, and what.
pub(super) fn claimable(desk: &impl Asks, token: Address, account: Address) -> Result<Vec<(U256, U256)>> {
    launched(desk, token)?;
    let count: u64 = desk.ask(token, &RevenueToken::snapshotCountCall {})?.saturating_to();
    let mut all = Vec::new();
    for id in (1..=count).map(U256::from) {
        let wei = desk.ask(token, &RevenueToken::claimableRevenueCall { account, snapshotId: id })?;
        if !wei.is_zero() {
            all.push((id, wei));
        }
    }
    Ok(all)
}

fn claim(arguments: &Token, output: Output) -> Result<u8> {
    let mut desk = Desk::open(&arguments.access)?;
    let token = desk.token(arguments.token)?;
    let mut sum = U256::ZERO;
    for (id, wei) in claimable(&desk, token, desk.account())? {
        desk.send(token, U256::ZERO, &RevenueToken::claimCall { snapshotId: id })?;
        sum += wei;
    }
    let words = if sum.is_zero() { "There is nothing to claim.".to_owned() } else { format!("{}.", units::ether(sum)) };
    finish(&desk, output, &Money { wei: sum.to_string() }, &words)
}

fn redeem(arguments: &Redeem, output: Output) -> Result<u8> {
    let mut desk = Desk::open(&arguments.access)?;
    let token = desk.token(arguments.token)?;
    launched(&desk, token)?;
    let amount = arguments.tokens;
    let due = desk.ask(token, &RevenueToken::redeemableOnBurnCall { amount })?;
    desk.send(token, U256::ZERO, &RevenueToken::burnCall { amount })?;
    finish(&desk, output, &Money { wei: due.to_string() }, &format!("{} for {}.", tokens(amount), units::ether(due)))
}

#[derive(Serialize)]
struct Report {
    token: String,
    name: String,
    symbol: String,
    supply: String,
    launched: bool,
    snapshots: String,
    /// Seconds until the next snapshot may be taken.
    next_snapshot: u64,
    /// What the oracle holds for the token.
    waiting: String,
    account: Option<AccountReport>,
}

#[derive(Serialize)]
struct AccountReport {
    account: String,
    tokens: String,
    claimable: String,
    redeemable: String,
}

fn show(arguments: &Holder, output: Output) -> Result<u8> {
    let window = Window::open(&arguments.link)?;
    let token = window.token(arguments.token)?;
    let launched = launched(&window, token)?;
    let source = window.ask(token, &RevenueToken::sourceCall {})?;
    let model = window.ask(token, &RevenueToken::modelIdCall {})?;
    let waiting =
        if source.is_zero() { U256::ZERO } else { window.ask(source, &AIOracle::revenueOfCall { modelId: model })? };
    let start = window.ask(token, &RevenueToken::periodStartCall {})?;
    let next = start.saturating_add(window.ask(token, &RevenueToken::SNAPSHOT_INTERVALCall {})?);
    let now = U256::from(crate::network::Network::head(&window.rpc)?.time);
    let report = Report {
        token: token.to_string(),
        name: window.ask(token, &RevenueToken::nameCall {})?,
        symbol: window.ask(token, &RevenueToken::symbolCall {})?,
        supply: window.ask(token, &RevenueToken::totalSupplyCall {})?.to_string(),
        launched,
        snapshots: window.ask(token, &RevenueToken::snapshotCountCall {})?.to_string(),
        next_snapshot: if launched { next.saturating_sub(now).saturating_to() } else { 0 },
        waiting: waiting.to_string(),
        account: arguments.account.map(|account| holder(&window, token, account)).transpose()?,
    };
    output.result(&report, text)?;
    Ok(AGREE)
}

fn holder(window: &Window, token: Address, account: Address) -> Result<AccountReport> {
    let amount = window.ask(token, &RevenueToken::balanceOfCall { account })?;
    let claimable: U256 = claimable(window, token, account)?.iter().map(|(_, wei)| *wei).sum();
    Ok(AccountReport {
        account: account.to_string(),
        tokens: amount.to_string(),
        claimable: claimable.to_string(),
        redeemable: window.ask(token, &RevenueToken::redeemableOnBurnCall { amount })?.to_string(),
    })
}

fn text(report: &Report) -> String {
    let ether = |wei: &String| wei.parse().map_or_else(|_| wei.clone(), units::ether);
    let amount = |units: &String| units.parse().map_or_else(|_| units.clone(), tokens);
    let (name, symbol) = (crate::words::plain(&report.name), crate::words::plain(&report.symbol));
    let state = if report.launched { "earns" } else { "its sale is not over" };
    let mut lines = vec![
        format!("{name} ({symbol}), {}: {}, {state}", report.token, amount(&report.supply)),
        format!("  {} snapshots; the next is possible in {} s", report.snapshots, report.next_snapshot),
        format!("  {} wait at the oracle", ether(&report.waiting)),
    ];
    if let Some(account) = &report.account {
        lines.push(format!("account {}: {}", account.account, amount(&account.tokens)));
        lines.push(format!(
            "  claimable {}; burning all brings {}",
            ether(&account.claimable),
            ether(&account.redeemable)
        ));
    }
    lines.join("\n")
}

//! What was sent, and what everybody held at the end of each chapter.

use alloy_primitives::{Address, Bytes, U256};
use alloy_sol_types::SolCall;
use opml_contracts::dispute::BURN;
use serde::Serialize;

use super::cast::{Actor, Cast};
use crate::{
    error::ProverError,
    ledger::{self, Ledger, Sent},
    report, units,
};

/// A transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Who sent it.
    pub who: &'static str,
    /// The function.
    pub call: &'static str,
    /// What it comes to, in words.
    pub what: String,
    /// Gas of the whole transaction.
    pub gas: u64,
}

/// What an account held at the end of each chapter, in wei.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Balance {
    /// Whose.
    pub account: &'static str,
    /// Its address; none of a sum.
    pub address: Option<String>,
    /// One for each chapter.
    pub wei: Vec<String>,
    /// What it has paid for gas from the first chapter to the last.
    pub gas_paid: String,
}

/// What one account had at the end of a chapter.
#[derive(Debug, Clone, Copy)]
struct Cell {
    account: Address,
    wei: U256,
    gas_paid: U256,
}

/// What happened on a ledger.
#[derive(Debug, Clone)]
pub struct Record {
    cast: Cast,
    contracts: Vec<(Address, &'static str)>,
    steps: Vec<Step>,
    chapters: Vec<(&'static str, Vec<Cell>)>,
    /// What was burnt on the chain before.
    burnt: Option<U256>,
}

/// A ledger with a record of what happens on it.
pub struct Book<N> {
    /// The ledger.
    pub ledger: N,
    /// The record.
    pub record: Record,
}

impl<N: Ledger> Book<N> {
    /// An empty record.
    pub const fn new(ledger: N, cast: Cast) -> Self {
        let record = Record { cast, contracts: Vec::new(), steps: Vec::new(), chapters: Vec::new(), burnt: None };
        Self { ledger, record }
    }

    /// An actor's account.
    #[must_use]
    pub fn at(&self, actor: Actor) -> Address {
        self.record.cast.of(actor)
    }

    /// Gives a contract a row of its own in the table of balances.
    pub fn row(&mut self, contract: Address, name: &'static str) {
        self.record.contracts.push((contract, name));
    }

    /// Sends a call and writes it down.
    ///
    /// # Errors
    /// The chain refuses it.
    pub fn send<C: SolCall>(
        &mut self,
        who: Actor,
        to: Address,
        value: U256,
        call: &C,
        what: impl Into<String>,
    ) -> Result<Sent, ProverError> {
        let name = C::SIGNATURE.split('(').next().unwrap_or(C::SIGNATURE);
        let sent = self.ledger.transact(name, self.at(who), Some(to), value, call.abi_encode().into())?;
        self.record.note(who.name(), name, what, sent.gas);
        Ok(sent)
    }

    /// Creates a contract and writes it down.
    ///
    /// # Errors
    /// The chain refuses it.
    pub fn create(&mut self, who: Actor, name: &'static str, code: Bytes) -> Result<Address, ProverError> {
        let sent = self.ledger.transact(name, self.at(who), None, U256::ZERO, code)?;
        self.record.note(who.name(), "deploy", name, sent.gas);
        sent.created.ok_or_else(|| ProverError::Stuck(format!("{name} was not created")))
    }

    /// Sends nothing but ether.
    ///
    /// # Errors
    /// The chain refuses it.
    pub fn pay(&mut self, who: Actor, to: Address, wei: U256, why: &str) -> Result<(), ProverError> {
        let sent = self.ledger.transact("payment", self.at(who), Some(to), wei, Bytes::new())?;
        self.record.note(who.name(), "pay", format!("{why}, {}", units::ether(wei)), sent.gas);
        Ok(())
    }

    /// Asks a view function.
    ///
    /// # Errors
    /// The chain refuses the question.
    pub fn ask<C: SolCall>(&mut self, to: Address, call: &C) -> Result<C::Return, ProverError> {
        ledger::ask(&mut self.ledger, to, call)
    }

    /// Ends a chapter: everybody's balances are written down.
    ///
    /// # Errors
    /// The chain does not tell.
    pub fn chapter(&mut self, name: &'static str) -> Result<(), ProverError> {
        let mut column = Vec::new();
        for (account, _) in self.record.rows() {
            let wei = self.ledger.wealth(account)?;
            let before = if account == BURN { *self.record.burnt.get_or_insert(wei) } else { U256::ZERO };
            column.push(Cell { account, wei: wei.saturating_sub(before), gas_paid: self.ledger.gas_paid(account) });
        }
        self.record.chapters.push((name, column));
        Ok(())
    }
}

impl Record {
    /// Writes down a transaction that was sent elsewhere.
    pub fn note(&mut self, who: &'static str, call: &'static str, what: impl Into<String>, gas: u64) {
        self.steps.push(Step { who, call, what: what.into(), gas });
    }

    /// What was sent.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The names of the chapters.
    #[must_use]
    pub fn chapters(&self) -> Vec<&'static str> {
        self.chapters.iter().map(|(name, _)| *name).collect()
    }

    /// Whether balances and paid gas have the same sum at the end of all chapters.
    #[must_use]
    pub fn conserved(&self) -> bool {
        let mut sums = self.sums().into_iter();
        sums.next().is_some_and(|first| sums.all(|sum| sum == first))
    }

    /// The balances, what was paid for gas, and the sum of all as the last row. A contract held nothing before it was there.
    #[must_use]
    pub fn balances(&self) -> Vec<Balance> {
        let text = |wei: Vec<U256>| wei.iter().map(U256::to_string).collect();
        let row = |(account, name): (Address, &'static str)| {
            let cells = || self.chapters.iter().map(|(_, column)| column.iter().find(|cell| cell.account == account));
            let wei = cells().map(|cell| cell.map_or(U256::ZERO, |cell| cell.wei)).collect();
            let gas = |cell: Option<&Cell>| cell.map_or(U256::ZERO, |cell| cell.gas_paid);
            let (first, last) = (cells().next().flatten(), cells().next_back().flatten());
            let gas_paid = (gas(last) - gas(first)).to_string();
            Balance { account: name, address: Some(account.to_string()), wei: text(wei), gas_paid }
        };
        let gas = self.gas();
        let spent = gas.last().copied().unwrap_or_default().to_string();
        let paid = Balance { account: GAS, address: None, wei: text(gas), gas_paid: spent.clone() };
        let sum = Balance { account: "sum", address: None, wei: text(self.sums()), gas_paid: spent };
        self.rows().into_iter().map(row).chain([paid, sum]).collect()
    }

    /// What everybody together has paid for gas since the first chapter, at the end of each.
    fn gas(&self) -> Vec<U256> {
        let paid = |column: &[Cell]| column.iter().map(|cell| cell.gas_paid).sum::<U256>();
        let first = self.chapters.first().map_or(U256::ZERO, |(_, column)| paid(column));
        self.chapters.iter().map(|(_, column)| paid(column) - first).collect()
    }

    fn sums(&self) -> Vec<U256> {
        let held = |column: &[Cell]| column.iter().map(|cell| cell.wei).sum::<U256>();
        self.chapters.iter().zip(self.gas()).map(|((_, column), gas)| held(column) + gas).collect()
    }

    fn rows(&self) -> Vec<(Address, &'static str)> {
        self.cast.rows().chain(self.contracts.iter().copied()).chain([(BURN, "burnt")]).collect()
    }
}

/// The row of what went to the chain itself.
const GAS: &str = "gas";

/// The transactions as a table.
#[must_use]
pub fn steps(steps: &[Step]) -> String {
    let mut table = report::table(&["#", "who", "call", "what", "gas"], &[0, 4]);
    for (number, step) in (1..).zip(steps) {
        table.add_row([&number.to_string(), step.who, step.call, &step.what, &units::grouped(step.gas)]);
    }
    report::lines(&table)
}

/// The balances as a table, in ether; what gas cost has a column if it cost anything.
#[must_use]
pub fn balances(chapters: &[&'static str], balances: &[Balance]) -> String {
    let costs = balances.iter().any(|balance| balance.gas_paid != "0");
    let gas = costs.then_some("paid for gas");
    let head: Vec<&str> = ["ETH"].into_iter().chain(chapters.iter().copied()).chain(gas).collect();
    let numeric: Vec<usize> = (1..head.len()).collect();
    let mut table = report::table(&head, &numeric);
    let ether = |wei: &String| {
        wei.parse().map_or_else(|_| wei.clone(), |wei| units::ether(wei).trim_end_matches(" ETH").to_owned())
    };
    for balance in balances.iter().filter(|balance| costs || balance.account != GAS) {
        let paid = gas.map(|_| ether(&balance.gas_paid));
        table.add_row([balance.account.to_owned()].into_iter().chain(balance.wei.iter().map(ether)).chain(paid));
    }
    report::lines(&table)
}

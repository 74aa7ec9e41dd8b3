//! What was sent, and what everybody held at the end of each chapter.

use alloy_primitives::{Address, Bytes, U256};
use alloy_sol_types::SolCall;
use opml_contracts::{Receipt, dispute::BURN};
use serde::Serialize;

use super::{cast, ledger::Ledger};
use crate::{error::ProverError, report, units};

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
    /// One for each chapter.
    pub wei: Vec<String>,
}

/// What happened on a ledger.
#[derive(Debug, Clone, Default)]
pub struct Record {
    contracts: Vec<(Address, &'static str)>,
    steps: Vec<Step>,
    chapters: Vec<(&'static str, Vec<(Address, U256)>)>,
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
    pub fn new(ledger: N) -> Self {
        Self { ledger, record: Record::default() }
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
        who: Address,
        to: Address,
        value: U256,
        call: &C,
        what: impl Into<String>,
    ) -> Result<Receipt, ProverError> {
        let name = C::SIGNATURE.split('(').next().unwrap_or(C::SIGNATURE);
        let receipt = self.ledger.transact(name, who, Some(to), value, call.abi_encode().into())?;
        self.note(cast::name(who), name, what, receipt.gas_used);
        Ok(receipt)
    }

    /// Creates a contract and writes it down.
    ///
    /// # Errors
    /// The chain refuses it.
    pub fn create(&mut self, who: Address, name: &'static str, code: Bytes) -> Result<Address, ProverError> {
        let receipt = self.ledger.transact(name, who, None, U256::ZERO, code)?;
        self.note(cast::name(who), "deploy", name, receipt.gas_used);
        receipt.created.ok_or_else(|| ProverError::Stuck(format!("{name} was not created")))
    }

    fn note(&mut self, who: &'static str, call: &'static str, what: impl Into<String>, gas: u64) {
        self.record.note(who, call, what, gas);
    }

    /// Asks a view function.
    ///
    /// # Errors
    /// The chain refuses the question.
    pub fn ask<C: SolCall>(&mut self, to: Address, call: &C) -> Result<C::Return, ProverError> {
        super::ledger::ask(&mut self.ledger, to, call)
    }

    /// Ends a chapter: everybody's balances are written down.
    ///
    /// # Errors
    /// The chain does not tell.
    pub fn chapter(&mut self, name: &'static str) -> Result<(), ProverError> {
        let mut column = Vec::new();
        for (account, _) in self.record.rows() {
            column.push((account, self.ledger.wealth(account)?));
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

    /// Whether all chapters have the same sum.
    #[must_use]
    pub fn conserved(&self) -> bool {
        let mut sums = self.chapters.iter().map(|(_, column)| sum(column));
        sums.next().is_some_and(|first| sums.all(|sum| sum == first))
    }

    /// The balances, and their sum as the last row. A contract held nothing before it was there.
    #[must_use]
    pub fn balances(&self) -> Vec<Balance> {
        let row = |(account, name): (Address, &'static str)| {
            let held = |column: &[(Address, U256)]| {
                column.iter().find(|(known, _)| *known == account).map_or(U256::ZERO, |(_, wei)| *wei)
            };
            Balance { account: name, wei: self.chapters.iter().map(|(_, column)| held(column).to_string()).collect() }
        };
        let sums = self.chapters.iter().map(|(_, column)| sum(column).to_string()).collect();
        self.rows().into_iter().map(row).chain([Balance { account: "sum", wei: sums }]).collect()
    }

    fn rows(&self) -> Vec<(Address, &'static str)> {
        cast::CAST.into_iter().chain(self.contracts.iter().copied()).chain([(BURN, "burnt")]).collect()
    }
}

fn sum(column: &[(Address, U256)]) -> U256 {
    column.iter().map(|(_, wei)| *wei).sum()
}

/// The transactions as a table.
#[must_use]
pub fn steps(steps: &[Step]) -> String {
    let mut table = report::table(&["#", "who", "call", "what", "gas"], &[0, 4]);
    for (number, step) in (1..).zip(steps) {
        table.add_row([&number.to_string(), step.who, step.call, &step.what, &units::grouped(step.gas)]);
    }
    report::lines(&table)
}

/// The balances as a table, in ether.
#[must_use]
pub fn balances(chapters: &[&'static str], balances: &[Balance]) -> String {
    let head: Vec<&str> = ["ETH"].into_iter().chain(chapters.iter().copied()).collect();
    let numeric: Vec<usize> = (1..head.len()).collect();
    let mut table = report::table(&head, &numeric);
    let ether = |wei: &String| {
        wei.parse().map_or_else(|_| wei.clone(), |wei| units::ether(wei).trim_end_matches(" ETH").to_owned())
    };
    for balance in balances {
        table.add_row([balance.account.to_owned()].into_iter().chain(balance.wei.iter().map(ether)));
    }
    report::lines(&table)
}

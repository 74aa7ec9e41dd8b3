//! A dispute played in transactions against the contract.

use alloy_primitives::{Address, Log, U256};
use alloy_sol_types::{SolCall, SolEvent as _};
use opml_bisection::{Arena, Claim, End, Move, Outcome, Party, Position};
use opml_contracts::abi::Dispute;
use serde::Serialize;

use super::{
    CHALLENGER, Chain, ClaimOnChain, OPERATOR, SUBMITTER,
    record::{Record, find, function},
};
use crate::{
    error::ProverError,
    ledger::{Ledger, Sent},
};

/// One transaction of a dispute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Transaction {
    /// Who sent it.
    pub who: &'static str,
    /// The contract's function.
    pub call: &'static str,
    /// What it says, in words.
    pub what: String,
    /// Gas of the whole transaction.
    pub gas: u64,
    /// Bytes of its calldata.
    pub calldata_bytes: usize,
}

/// Where a dispute is played, and the accounts that play it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seats {
    /// The claims contract.
    pub contract: Address,
    /// The submitter of the claim.
    pub submitter: Address,
    /// The challenger.
    pub challenger: Address,
    /// Who ends a clock that has run out.
    pub anybody: Address,
}

/// A dispute on a chain, opened by the challenger.
pub struct ContractArena<L = Chain> {
    ledger: L,
    seats: Seats,
    on_chain: ClaimOnChain,
    claim: Claim,
    record: Record,
    transactions: Vec<Transaction>,
    logs: Vec<Log>,
    /// Why time could not pass; [`Arena::timeout`] says so.
    still: Option<ProverError>,
}

impl ContractArena {
    /// Challenges a claim; `root` is the trace root if the claim posted it.
    ///
    /// # Errors
    /// The chain refuses the challenge.
    pub fn challenge(
        chain: Chain,
        on_chain: ClaimOnChain,
        claim: Claim,
        root: Option<[u8; 32]>,
    ) -> Result<Self, ProverError> {
        // The block number makes each of a challenger's disputes on a claim its own.
        let nonce = u16::try_from(chain.now().1 % 65_536).unwrap_or(0);
        let bond = U256::from(chain.tier().bondC);
        let seats = Seats { contract: chain.claims(), submitter: SUBMITTER, challenger: CHALLENGER, anybody: OPERATOR };
        Self::open(chain, seats, on_chain, claim, root, (nonce, bond))
    }

    /// The chain.
    pub const fn chain(&mut self) -> &mut Chain {
        &mut self.ledger
    }

    /// Ends the claim after the dispute: the winner is credited what is its due, and both withdraw.
    ///
    /// # Errors
    /// The dispute is not over, or the chain refuses a transaction.
    pub fn settle(&mut self) -> Result<(), ProverError> {
        match self.record.outcome().map(|outcome| outcome.winner) {
            Some(Party::Challenger) => {
                self.share_out()?;
            }
            Some(_) => {
                self.ledger.finalize(&self.on_chain)?;
            }
            None => return Err(ProverError::Stuck("the dispute is not over".to_owned())),
        }
        self.ledger.withdraw(SUBMITTER)?;
        self.ledger.withdraw(CHALLENGER)?;
        Ok(())
    }
}

impl<L: Ledger> ContractArena<L> {
    /// Challenges a claim with a number and a bond; `root` is the trace root if the claim posted it.
    ///
    /// # Errors
    /// The chain refuses the challenge.
    pub fn open(
        mut ledger: L,
        seats: Seats,
        on_chain: ClaimOnChain,
        claim: Claim,
        root: Option<[u8; 32]>,
        (nonce, bond): (u16, U256),
    ) -> Result<Self, ProverError> {
        let call = Dispute::challengeCall { claimId: on_chain.id, nonce }.abi_encode();
        let sent = ledger.transact("challenge", seats.challenger, Some(seats.contract), bond, call.into())?;
        let opened = find::<Dispute::Challenged>(&sent.logs);
        let opened = opened.ok_or_else(|| ProverError::Stuck("no Challenged event".to_owned()))?;
        let record = Record::new(opened.disputeId, opened.state, root);
        let (transactions, logs) = (Vec::new(), Vec::new());
        let mut arena = Self { ledger, seats, on_chain, claim, record, transactions, logs, still: None };
        let what = format!("bond {}", crate::units::ether(bond));
        arena.note(Party::Challenger, "challenge", what, &sent);
        Ok(arena)
    }

    /// What was sent so far.
    #[must_use]
    pub fn transactions(&self) -> &[Transaction] {
        &self.transactions
    }

    /// The events of its transactions: all that a client needs that starts anew.
    #[must_use]
    pub fn logs(&self) -> &[Log] {
        &self.logs
    }

    /// Takes in the events of a transaction that somebody else sent. It may have made moves in other disputes, too, and in contracts that
    /// have the same events.
    pub fn watch(&mut self, logs: &[Log], end: End) {
        let here = |log: &&Log| log.address == self.seats.contract;
        let names = [self.on_chain.id, self.record.id()];
        let own = |log: &&Log| log.topics().iter().skip(1).all(|name| names.contains(name));
        let fallen =
            |log: &Log| Dispute::Falsified::decode_log_data(&log.data).is_ok_and(|e| e.state.claimId == names[0]);
        let falls = logs.iter().filter(here).any(fallen);
        let logs: Vec<Log> = logs.iter().filter(here).filter(own).cloned().collect();
        self.record.observe(&logs, end);
        self.logs.extend(logs);
        if falls {
            self.record.end(Outcome { winner: Party::Challenger, end });
        }
    }

    /// The claim in dispute.
    #[must_use]
    pub const fn on_chain(&self) -> &ClaimOnChain {
        &self.on_chain
    }

    /// Credits the challenger what a claim that has fallen brings it.
    ///
    /// # Errors
    /// The claim has not fallen.
    pub fn share_out(&mut self) -> Result<(), ProverError> {
        let call = Dispute::settleCall { state: self.record.state().clone() };
        self.send("settle", self.seats.challenger, &call).map(drop)
    }

    fn send<C: SolCall>(&mut self, what: &'static str, from: Address, call: &C) -> Result<Sent, ProverError> {
        self.ledger.transact(what, from, Some(self.seats.contract), U256::ZERO, call.abi_encode().into())
    }

    const fn account(&self, who: Party) -> Address {
        match who {
            Party::Submitter => self.seats.submitter,
            Party::Challenger => self.seats.challenger,
            Party::Stranger => self.seats.anybody,
        }
    }

    /// What a move would cost; none if it would not be accepted.
    ///
    /// # Errors
    /// The move contradicts itself.
    pub fn gas_of(&mut self, who: Party, mv: &Move) -> Result<Option<u64>, ProverError> {
        let data = self.record.calldata(&self.on_chain, &self.claim, mv)?;
        Ok(self.ledger.estimate(self.account(who), self.seats.contract, data))
    }

    fn note(&mut self, who: Party, call: &'static str, what: String, sent: &Sent) {
        self.logs.extend_from_slice(&sent.logs);
        self.transactions.push(Transaction {
            who: name(who),
            call,
            what,
            gas: sent.gas,
            calldata_bytes: sent.calldata_bytes,
        });
    }
}

impl<L: Ledger> Arena for ContractArena<L> {
    type Error = ProverError;

    fn position(&self) -> Option<Position> {
        self.record.position(&self.claim)
    }

    fn play(&mut self, who: Party, mv: &Move) -> Result<(), ProverError> {
        let data = self.record.calldata(&self.on_chain, &self.claim, mv)?;
        let before = self.position();
        let (name, to) = (function(mv.kind()), Some(self.seats.contract));
        let sent = self.ledger.transact(name, self.account(who), to, U256::ZERO, data)?;
        self.record.observe(&sent.logs, End::Proof(mv.kind()));
        let what = crate::words::of_move(&self.claim, before.as_ref(), mv);
        self.note(who, name, what, &sent);
        Ok(())
    }

    fn advance(&mut self, seconds: u64, blocks: u64) {
        self.still = self.ledger.pass(seconds, blocks).err();
    }

    fn timeout(&mut self) -> Result<(), ProverError> {
        if let Some(error) = self.still.take() {
            return Err(error);
        }
        let call = Dispute::claimTimeoutCall { state: self.record.state().clone(), c: self.on_chain.claim.clone() };
        let sent = self.send("claimTimeout", self.seats.anybody, &call)?;
        let end = if self.record.root().is_none() { End::NoTrace } else { End::Timeout };
        self.record.observe(&sent.logs, end);
        self.note(Party::Stranger, "claimTimeout", "the player on turn is late".to_owned(), &sent);
        Ok(())
    }

    fn outcome(&self) -> Option<Outcome> {
        self.record.outcome()
    }
}

const fn name(who: Party) -> &'static str {
    match who {
        Party::Submitter => "submitter",
        Party::Challenger => "challenger",
        Party::Stranger => "anybody",
    }
}

//! A dispute played in transactions against the contract.

use alloy_primitives::{Address, Log, U256};
use alloy_sol_types::SolEvent as _;
use opml_bisection::{Arena, Claim, End, Move, Outcome, Party, Position};
use opml_contracts::{Receipt, abi::Dispute};
use serde::Serialize;

use super::{
    CHALLENGER, Chain, ClaimOnChain, OPERATOR, SUBMITTER,
    record::{Record, find, function},
};
use crate::error::ProverError;

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

/// A dispute on the chain, opened by the challenger.
pub struct ContractArena {
    chain: Chain,
    on_chain: ClaimOnChain,
    claim: Claim,
    record: Record,
    transactions: Vec<Transaction>,
    logs: Vec<Log>,
}

impl ContractArena {
    /// Challenges a claim; `root` is the trace root if the claim posted it.
    ///
    /// # Errors
    /// The chain refuses the challenge.
    pub fn challenge(
        mut chain: Chain,
        on_chain: ClaimOnChain,
        claim: Claim,
        root: Option<[u8; 32]>,
    ) -> Result<Self, ProverError> {
        // The block number makes each of a challenger's disputes on a claim its own.
        let nonce = u16::try_from(chain.now().1 % 65_536).unwrap_or(0);
        let bond = U256::from(chain.tier().bondC);
        let call = Dispute::challengeCall { claimId: on_chain.id, nonce };
        let (_, receipt) = chain.send("challenge", CHALLENGER, bond, &call)?;
        let opened = find::<Dispute::Challenged>(&receipt.logs);
        let opened = opened.ok_or_else(|| ProverError::Stuck("no Challenged event".to_owned()))?;
        let record = Record::new(opened.disputeId, opened.state, root);
        let mut arena = Self { chain, on_chain, claim, record, transactions: Vec::new(), logs: Vec::new() };
        let what = format!("bond {}", crate::units::ether(bond));
        arena.note(Party::Challenger, "challenge", what, &receipt);
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
        let here = |log: &&Log| log.address == self.chain.dispute;
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

    /// The chain.
    pub const fn chain(&mut self) -> &mut Chain {
        &mut self.chain
    }

    /// The chain, after the dispute.
    #[must_use]
    pub fn into_chain(self) -> Chain {
        self.chain
    }

    /// Credits the challenger what a claim that has fallen brings it.
    ///
    /// # Errors
    /// The claim has not fallen.
    pub fn share_out(&mut self) -> Result<(), ProverError> {
        let call = Dispute::settleCall { state: self.record.state().clone() };
        self.chain.send("settle", CHALLENGER, U256::ZERO, &call).map(drop)
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
                self.chain.finalize(&self.on_chain)?;
            }
            None => return Err(ProverError::Stuck("the dispute is not over".to_owned())),
        }
        self.chain.withdraw(SUBMITTER)?;
        self.chain.withdraw(CHALLENGER)?;
        Ok(())
    }

    /// What a move would cost; none if it would not be accepted.
    ///
    /// # Errors
    /// The move contradicts itself.
    pub fn gas_of(&mut self, who: Party, mv: &Move) -> Result<Option<u64>, ProverError> {
        let data = self.record.calldata(&self.on_chain, &self.claim, mv)?;
        let claims = self.chain.claims();
        let receipt = self.chain.host().static_call(account(who), claims, data);
        Ok(receipt.ok().map(|receipt| receipt.gas_used))
    }

    fn note(&mut self, who: Party, call: &'static str, what: String, receipt: &Receipt) {
        self.logs.extend_from_slice(&receipt.logs);
        self.transactions.push(Transaction {
            who: name(who),
            call,
            what,
            gas: receipt.gas_used,
            calldata_bytes: receipt.calldata_bytes,
        });
    }
}

impl Arena for ContractArena {
    type Error = ProverError;

    fn position(&self) -> Option<Position> {
        self.record.position(&self.claim)
    }

    fn play(&mut self, who: Party, mv: &Move) -> Result<(), ProverError> {
        let data = self.record.calldata(&self.on_chain, &self.claim, mv)?;
        let before = self.position();
        let receipt = self.chain.call(function(mv.kind()), account(who), U256::ZERO, data)?;
        self.record.observe(&receipt.logs, End::Proof(mv.kind()));
        let what = crate::words::of_move(&self.claim, before.as_ref(), mv);
        self.note(who, function(mv.kind()), what, &receipt);
        Ok(())
    }

    fn advance(&mut self, seconds: u64, blocks: u64) {
        self.chain.advance(seconds, blocks);
    }

    fn timeout(&mut self) -> Result<(), ProverError> {
        let call = Dispute::claimTimeoutCall { state: self.record.state().clone(), c: self.on_chain.claim.clone() };
        let (_, receipt) = self.chain.send("claimTimeout", OPERATOR, U256::ZERO, &call)?;
        let end = if self.record.root().is_none() { End::NoTrace } else { End::Timeout };
        self.record.observe(&receipt.logs, end);
        self.note(Party::Stranger, "claimTimeout", "the player on turn is late".to_owned(), &receipt);
        Ok(())
    }

    fn outcome(&self) -> Option<Outcome> {
        self.record.outcome()
    }
}

const fn account(who: Party) -> Address {
    match who {
        Party::Submitter => SUBMITTER,
        Party::Challenger => CHALLENGER,
        Party::Stranger => OPERATOR,
    }
}

const fn name(who: Party) -> &'static str {
    match who {
        Party::Submitter => "submitter",
        Party::Challenger => "challenger",
        Party::Stranger => "anybody",
    }
}

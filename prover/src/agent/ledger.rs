//! What an account's agents must agree on and not forget: the transactions that were signed, the verdicts on claims, and who works at what.
//!
//! One agent keeps it in its state file ([`super::Store`]); the workers of a fleet share it in a database ([`super::Fleet`]).

use std::collections::BTreeMap;

use alloy_primitives::B256;
use serde::{Deserialize, Serialize};

use super::{AgentError, Verdict};

/// A transaction that was signed; it stands here before it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// What it is, for people.
    pub what: String,
    /// The contract; none: the one that single claims are on.
    #[serde(default)]
    pub to: Option<[u8; 20]>,
    /// The sender's number for it.
    pub nonce: u64,
    /// Most gas.
    pub gas: u64,
    /// Most wei for a unit of gas.
    pub fee: u128,
    /// Of these, most for who builds the block.
    pub tip: u128,
    /// Wei that go with it, as a big-endian number.
    pub value: [u8; 32],
    /// The call. Signing it again gives the same bytes.
    pub data: Vec<u8>,
    /// Its hash.
    pub hash: [u8; 32],
    /// Block before which it was signed.
    pub block: u64,
    /// How often what it answers was sent.
    pub tries: u32,
}

/// A check that waits for somebody to make it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Open {
    /// Its name: of the claim, or of the claim with its trace root.
    pub check: B256,
    /// Root of the model to run.
    pub model: B256,
    /// Block of the claim: the oldest come first, their windows close first.
    pub block: u64,
}

/// Checks that a worker can make, the oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Able {
    order: BTreeMap<(u64, B256), B256>,
    blocks: BTreeMap<B256, u64>,
    together: BTreeMap<B256, usize>,
}

impl Able {
    /// Adds a check.
    pub fn add(&mut self, open: Open) {
        self.order.insert((open.block, open.check), open.model);
        self.blocks.insert(open.check, open.block);
    }

    /// Says how many checks of a model are some seconds' work.
    pub fn size(&mut self, model: B256, together: usize) {
        self.together.insert(model, together);
    }

    /// How many checks of a model are taken together.
    #[must_use]
    pub fn together(&self, model: B256) -> usize {
        self.together.get(&model).copied().unwrap_or(1)
    }

    /// Takes one away.
    pub fn remove(&mut self, check: B256) {
        if let Some(block) = self.blocks.remove(&check) {
            self.order.remove(&(block, check));
        }
    }

    /// Whether a check is among them.
    #[must_use]
    pub fn contains(&self, check: B256) -> bool {
        self.blocks.contains_key(&check)
    }

    /// The checks in order.
    pub fn iter(&self) -> impl Iterator<Item = Open> {
        self.order.iter().map(|(&(block, check), &model)| Open { check, model, block })
    }

    /// The first check.
    #[must_use]
    pub fn first(&self) -> Option<Open> {
        self.iter().next()
    }
}

/// The memory behind one account. Every call is atomic: all of it is durable when it returns, or nothing.
pub trait Ledger {
    /// Transactions that were signed, by what they answer.
    ///
    /// # Errors
    /// The memory cannot be read.
    fn sent(&self) -> Result<Vec<(B256, Sent)>, AgentError>;

    /// Notes a transaction before it is sent, in place of the one with the hash `over` or where none stands. `false`: something else stands
    /// there, or another transaction has its nonce; nothing has changed and it must not be sent.
    ///
    /// # Errors
    /// The memory cannot be written: the transaction must not be sent then.
    fn note(&self, key: B256, sent: &Sent, over: Option<B256>) -> Result<bool, AgentError>;

    /// Forgets a transaction that is settled, if it is the one with this hash.
    ///
    /// # Errors
    /// The memory cannot be written.
    fn settle(&self, key: B256, hash: B256) -> Result<(), AgentError>;

    /// What is known of these checks.
    ///
    /// # Errors
    /// The memory cannot be read.
    fn verdicts(&self, checks: &[B256]) -> Result<BTreeMap<B256, Verdict>, AgentError>;

    /// Notes what runs said.
    ///
    /// # Errors
    /// The memory cannot be written.
    fn judge(&self, verdicts: &[(B256, Verdict)]) -> Result<(), AgentError>;

    /// Makes known that these checks are to be made.
    ///
    /// # Errors
    /// The memory cannot be written.
    fn offer(&self, able: &Able) -> Result<(), AgentError>;

    /// Takes up to `count` of the checks that nobody else makes, the oldest first: they are this worker's until it judges them, gives them
    /// back or dies.
    ///
    /// # Errors
    /// The memory cannot be written.
    fn take(&self, able: &Able, count: usize) -> Result<Vec<B256>, AgentError>;

    /// Leaves checks that were taken to others.
    ///
    /// # Errors
    /// The memory cannot be written.
    fn give_back(&self, checks: &[B256]) -> Result<(), AgentError>;

    /// Whether this worker is the one that works at a thing; if nobody alive does, it is from now on.
    ///
    /// # Errors
    /// The memory cannot be written.
    fn hold(&self, thing: B256) -> Result<bool, AgentError>;
}

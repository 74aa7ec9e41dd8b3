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

impl Open {
    /// What the order of checks goes by.
    #[must_use]
    pub const fn order(&self) -> (u64, B256) {
        (self.block, self.check)
    }
}

/// Checks that a worker can make, the oldest first. Each has a place in this order, which stays its own when others are taken away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Able {
    /// In order; whether it was taken away.
    order: Vec<(Open, bool)>,
    places: BTreeMap<B256, usize>,
    /// The first that was not taken away.
    first: usize,
    /// How many are left of each model.
    models: BTreeMap<B256, usize>,
    together: BTreeMap<B256, usize>,
}

impl Able {
    /// Checks in the order of [`Open::order`].
    #[must_use]
    pub fn new(mut opens: Vec<Open>) -> Self {
        opens.sort_by_key(Open::order);
        let mut able = Self::default();
        for (place, open) in opens.iter().enumerate() {
            able.places.insert(open.check, place);
            *able.models.entry(open.model).or_default() += 1;
        }
        able.order = opens.into_iter().map(|open| (open, false)).collect();
        able
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
    pub fn remove(&mut self, place: usize) {
        let Some((open, gone)) = self.order.get_mut(place) else { return };
        if !std::mem::replace(gone, true)
            && let Some(left) = self.models.get_mut(&open.model)
        {
            *left -= 1;
        }
        self.first += self.order.iter().skip(self.first).take_while(|(_, gone)| *gone).count();
    }

    /// The place of a check that is left. Checks that were offered together mostly stand side by side: `guess` is looked at first.
    #[must_use]
    pub fn place(&self, check: B256, guess: usize) -> Option<usize> {
        let is_there = |place: &usize| self.order.get(*place).is_some_and(|(open, _)| open.check == check);
        let place = Some(guess).filter(is_there).or_else(|| self.places.get(&check).copied())?;
        self.order.get(place).filter(|(_, gone)| !gone).map(|_| place)
    }

    /// The checks that are left, in order, each with its place.
    pub fn iter(&self) -> impl Iterator<Item = (usize, Open)> {
        let left = self.order.iter().enumerate().skip(self.first).filter(|(_, (_, gone))| !gone);
        left.map(|(place, (open, _))| (place, *open))
    }

    /// The first check that is left, with its place.
    #[must_use]
    pub fn first(&self) -> Option<(usize, Open)> {
        self.order.get(self.first).map(|(open, _)| (self.first, *open))
    }

    /// The models of the checks that are left.
    pub fn models(&self) -> impl Iterator<Item = &B256> {
        self.models.iter().filter(|(_, left)| **left > 0).map(|(model, _)| model)
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

    /// Takes up to `count` of the checks that nobody else makes, the oldest first, and gives their places: they are this worker's until it
    /// judges them, gives them back or dies.
    ///
    /// # Errors
    /// The memory cannot be written.
    fn take(&self, able: &Able, count: usize) -> Result<Vec<usize>, AgentError>;

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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn open(check: u8, model: u8, block: u64) -> Open {
        Open { check: B256::repeat_byte(check), model: B256::repeat_byte(model), block }
    }

    #[test]
    fn places_stay_when_checks_are_taken_away() {
        let opens = vec![open(9, 1, 5), open(7, 2, 5), open(8, 1, 3), open(1, 1, 6)];
        let mut able = Able::new(opens);
        let names = |able: &Able| able.iter().map(|(place, open)| (place, open.check.0[0])).collect::<Vec<_>>();
        assert_eq!(names(&able), [(0, 8), (1, 7), (2, 9), (3, 1)]);
        assert_eq!(able.models().count(), 2);
        able.remove(1);
        able.remove(1);
        able.remove(77);
        assert_eq!(able.models().collect::<Vec<_>>(), [&B256::repeat_byte(1)]);
        assert_eq!((names(&able), able.first()), (vec![(0, 8), (2, 9), (3, 1)], Some((0, open(8, 1, 3)))));
        able.remove(0);
        assert_eq!((names(&able), able.first()), (vec![(2, 9), (3, 1)], Some((2, open(9, 1, 5)))));
        able.remove(2);
        able.remove(3);
        assert_eq!((names(&able), able.first(), able.models().count()), (vec![], None, 0));
    }

    #[test]
    fn a_check_is_found_whatever_is_guessed() {
        let mut able = Able::new((0..20).map(|n| open(n, n, 4)).collect());
        able.remove(11);
        for guess in [0, 3, 11, 19, 20, usize::MAX] {
            assert_eq!(able.place(B256::repeat_byte(3), guess), Some(3));
            assert_eq!(able.place(B256::repeat_byte(11), guess), None, "it was taken away");
            assert_eq!(able.place(B256::repeat_byte(99), guess), None);
        }
    }
}

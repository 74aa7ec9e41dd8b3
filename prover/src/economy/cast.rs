//! Who plays.

use alloy_primitives::Address;

use crate::chain::{CHALLENGER, SUBMITTER};

/// A part in a scene.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// Made the model and offers it.
    Creator,
    /// Buys shares of it.
    Alice,
    /// Buys shares, too.
    Bob,
    /// Asks it.
    Carol,
    /// Asks it, too.
    Dave,
    /// Answers, honestly.
    Honest,
    /// Answers, and lies.
    Liar,
    /// Proves the lie.
    Challenger,
}

impl Actor {
    /// Everybody, in the order of tables.
    pub const ALL: [Self; 8] =
        [Self::Creator, Self::Alice, Self::Bob, Self::Carol, Self::Dave, Self::Honest, Self::Liar, Self::Challenger];

    /// The name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Creator => "creator",
            Self::Alice => "alice",
            Self::Bob => "bob",
            Self::Carol => "carol",
            Self::Dave => "dave",
            Self::Honest => "honest submitter",
            Self::Liar => "lying submitter",
            Self::Challenger => "challenger",
        }
    }

    /// The account on the chain of this process.
    const fn in_process(self) -> Address {
        match self {
            Self::Creator => Address::repeat_byte(0xc7),
            Self::Alice => Address::repeat_byte(0xa1),
            Self::Bob => Address::repeat_byte(0xb0),
            Self::Carol => Address::repeat_byte(0xca),
            Self::Dave => Address::repeat_byte(0xda),
            Self::Honest => Address::repeat_byte(0x50),
            Self::Liar => SUBMITTER,
            Self::Challenger => CHALLENGER,
        }
    }
}

/// The accounts that play the parts on one chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cast([Address; Actor::ALL.len()]);

impl Cast {
    /// A cast by what account plays which part.
    pub fn new(account: impl Fn(Actor) -> Address) -> Self {
        Self(Actor::ALL.map(account))
    }

    /// The cast on the chain of this process.
    #[must_use]
    pub fn in_process() -> Self {
        Self::new(Actor::in_process)
    }

    /// An actor's account.
    #[must_use]
    pub fn of(&self, actor: Actor) -> Address {
        let found = Actor::ALL.iter().zip(self.0).find(|(known, _)| **known == actor);
        found.map_or(Address::ZERO, |(_, account)| account)
    }

    /// All accounts with their names.
    pub fn rows(&self) -> impl Iterator<Item = (Address, &'static str)> {
        Actor::ALL.iter().zip(self.0).map(|(actor, account)| (account, actor.name()))
    }
}

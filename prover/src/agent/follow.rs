//! Follows the chain: a book of what happened, that a reorganisation cannot make wrong.
//!
//! Events of blocks with enough others on top are kept in the state file; what is above is asked for anew each time, so that a
//! reorganisation there needs no care at all. A deeper one is noticed by the hash of the last kept block, and all is read again.

use crate::network::{Block, Deployment, Network};

use super::{AgentError, Book, Store};

/// A follower of one contract.
pub struct Follower {
    deployment: Deployment,
    /// Blocks on top of one whose events are kept for good.
    depth: u64,
    /// Up to the cursor.
    kept: Book,
    cursor: Option<Block>,
}

/// The chain as it is at a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// The newest block.
    pub head: Block,
    /// All that happened.
    pub book: Book,
}

impl Follower {
    /// Begins with what the state file has.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn new(deployment: Deployment, depth: u64, store: &Store) -> Result<Self, AgentError> {
        let mut kept = Book::default();
        for event in store.events()? {
            kept.add(&event.log);
        }
        Ok(Self { deployment, depth, kept, cursor: store.cursor()? })
    }

    /// The chain now.
    ///
    /// # Errors
    /// The endpoint does not answer, or the state file cannot be written.
    pub fn look(&mut self, network: &dyn Network, store: &Store) -> Result<Picture, AgentError> {
        if let Some(cursor) = self.cursor
            && network.block(cursor.number)?.is_none_or(|block| block.hash != cursor.hash)
        {
            store.forget()?;
            (self.kept, self.cursor) = (Book::default(), None);
        }
        let head = network.head()?;
        let from = self.cursor.map_or(self.deployment.block, |cursor| cursor.number.saturating_add(1));
        let events = network.events(self.deployment.dispute, from, head.number)?;
        let deep = head.number.saturating_sub(self.depth);
        if let Some(block) = network.block(deep)?.filter(|block| block.number >= from) {
            let settled: Vec<_> = events.iter().filter(|event| event.block <= deep).cloned().collect();
            store.keep(&settled, block)?;
            for event in &settled {
                self.kept.add(&event.log);
            }
            self.cursor = Some(block);
        }
        let mut book = self.kept.clone();
        let cursor = self.cursor.map_or(0, |cursor| cursor.number);
        for event in events.iter().filter(|event| event.block > cursor || self.cursor.is_none()) {
            book.add(&event.log);
        }
        Ok(Picture { head, book })
    }
}

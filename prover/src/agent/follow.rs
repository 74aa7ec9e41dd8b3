//! Follows the chain: a book of what happened, that a reorganisation cannot make wrong.
//!
//! Events of blocks with enough others on top are kept in the state file; what is above is asked for anew each time, so that a
//! reorganisation there needs no care at all. A deeper one is noticed by the hash of the last kept block, and all is read again.

use crate::network::{Block, Deployment, Event, Network, NetworkError};

use super::{AgentError, Book, Store};

/// A follower of the contracts of a deployment.
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
        let contracts: Vec<_> = deployment.followed().collect();
        store.follow(&contracts)?;
        let mut kept = Book::of(deployment.chain_id);
        for event in store.events()? {
            kept.at = event.block;
            kept.add(&event.log);
        }
        Ok(Self { deployment, depth, kept, cursor: store.cursor()? })
    }

    /// The chain now.
    ///
    /// # Errors
    /// The endpoint does not answer, or the state file cannot be written.
    pub fn look(&mut self, network: &dyn Network, store: &Store) -> Result<Picture, AgentError> {
        self.check(network, store)?;
        let head = network.head()?;
        let from = self.cursor.map_or(self.deployment.block, |cursor| cursor.number.saturating_add(1));
        let deep = head.number.saturating_sub(self.depth);
        let before = if deep >= from { network.block(deep)? } else { None };
        let events = events(network, &self.deployment, from, head.number)?;
        // The events are of this block's chain only if it is still there.
        if let Some(block) = before
            && network.block(deep)? == before
        {
            let settled: Vec<_> = events.iter().filter(|event| event.block <= deep).cloned().collect();
            store.keep(&settled, block)?;
            for event in &settled {
                self.kept.at = event.block;
                self.kept.add(&event.log);
            }
            self.cursor = Some(block);
        }
        let mut book = self.kept.clone();
        let cursor = self.cursor.map_or(0, |cursor| cursor.number);
        for event in events.iter().filter(|event| event.block > cursor || self.cursor.is_none()) {
            book.at = event.block;
            book.add(&event.log);
        }
        Ok(Picture { head, book })
    }

    /// Whether what is kept is still of this chain; after a reorganisation it is forgotten.
    fn check(&mut self, network: &dyn Network, store: &Store) -> Result<(), AgentError> {
        let Some(cursor) = self.cursor else { return same_chain(network, store) };
        match network.block(cursor.number)? {
            Some(block) if block.hash == cursor.hash => Ok(()),
            // A node that lags behind the others of its endpoint is no reorganisation.
            None => same_chain(network, store).and(Err(AgentError::Behind { block: cursor.number })),
            Some(_) => {
                same_chain(network, store)?;
                store.forget()?;
                (self.kept, self.cursor) = (Book::of(self.deployment.chain_id), None);
                Ok(())
            }
        }
    }
}

/// What happened on the contracts in blocks `from` to `to`, in its order.
///
/// # Errors
/// The endpoint does not answer.
pub fn events(network: &dyn Network, deployment: &Deployment, from: u64, to: u64) -> Result<Vec<Event>, NetworkError> {
    let mut all = Vec::new();
    for contract in deployment.followed() {
        all.extend(network.events(contract, from, to)?);
    }
    all.sort_by_key(|event| (event.block, event.index));
    Ok(all)
}

/// Whether the endpoint's chain begins as the one that was followed so far.
fn same_chain(network: &dyn Network, store: &Store) -> Result<(), AgentError> {
    let Some(first) = network.block(0)? else { return Err(AgentError::Behind { block: 0 }) };
    let expected = store.genesis(first.hash)?;
    if expected == first.hash { Ok(()) } else { Err(AgentError::OtherGenesis { expected, found: first.hash }) }
}

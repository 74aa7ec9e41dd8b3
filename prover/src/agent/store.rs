//! What an agent has seen and sent, in one file that survives a crash at any instant.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use alloy_primitives::{Address, B256, Bytes, Log, LogData};
use redb::{Database, ReadableDatabase as _, ReadableTable as _, TableDefinition};

use super::{
    AgentError, Verdict,
    ledger::{Able, Ledger, Sent},
};
use crate::network::{Block, Event};

/// Events of blocks that are deep enough to stay, by block and place in it.
const EVENTS: TableDefinition<'_, (u64, u64), &[u8]> = TableDefinition::new("events");
/// The last block whose events are in [`EVENTS`].
const CURSOR: TableDefinition<'_, (), &[u8]> = TableDefinition::new("cursor");
/// Transactions that were signed, by what they answer.
const OUTBOX: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("outbox");
/// What a run said of a claim, by the claim's name.
const VERDICTS: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("verdicts");
/// Hash of the chain's first block.
const GENESIS: TableDefinition<'_, (), &[u8; 32]> = TableDefinition::new("genesis");
/// The contracts whose events are kept.
const FOLLOWED: TableDefinition<'_, (), &[u8]> = TableDefinition::new("followed");
/// Whose file it is.
const OWNER: TableDefinition<'_, (), &[u8]> = TableDefinition::new("owner");

/// The file.
pub struct Store {
    path: PathBuf,
    database: Database,
}

impl Store {
    /// Opens the file, or makes it. It belongs to one account on one contract of one chain.
    ///
    /// # Errors
    /// It cannot be opened, another process has it open, or it is another's.
    pub fn open(path: &Path, chain: u64, contract: Address, account: Address) -> Result<Self, AgentError> {
        let failed = |error: redb::Error| AgentError::Store { path: path.to_path_buf(), why: error.to_string() };
        let database = Database::create(path).map_err(|error| failed(error.into()))?;
        let store = Self { path: path.to_path_buf(), database };
        let owner = [&chain.to_be_bytes()[..], contract.as_slice(), account.as_slice()].concat();
        let other = store.write(|transaction| {
            // All tables exist from now on.
            transaction.open_table(EVENTS)?;
            transaction.open_table(CURSOR)?;
            transaction.open_table(OUTBOX)?;
            transaction.open_table(VERDICTS)?;
            transaction.open_table(GENESIS)?;
            transaction.open_table(FOLLOWED)?;
            let mut owners = transaction.open_table(OWNER)?;
            let known = owners.get(())?.map(|known| known.value().to_vec());
            if known.is_none() {
                owners.insert((), owner.as_slice())?;
            }
            Ok(known.is_some_and(|known| known != owner))
        })?;
        if other {
            let why = "it belongs to another account, contract or chain; name another folder with --state".to_owned();
            return Err(AgentError::Store { path: path.to_path_buf(), why });
        }
        Ok(store)
    }

    /// The last block whose events are kept.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn cursor(&self) -> Result<Option<Block>, AgentError> {
        self.read(|transaction| {
            let table = transaction.open_table(CURSOR)?;
            Ok(table.get(())?.and_then(|value| block_of(value.value())))
        })
    }

    /// The events that are kept, in their order.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn events(&self) -> Result<Vec<Event>, AgentError> {
        self.read(|transaction| {
            let table = transaction.open_table(EVENTS)?;
            let mut events = Vec::new();
            for entry in table.iter()? {
                let (key, value) = entry?;
                let (block, index) = key.value();
                events.extend(log_of(value.value()).map(|log| Event { block, index, log }));
            }
            Ok(events)
        })
    }

    /// Keeps further events, up to a block.
    ///
    /// # Errors
    /// The file cannot be written; nothing has changed then.
    pub fn keep(&self, events: &[Event], cursor: Block) -> Result<(), AgentError> {
        self.write(|transaction| {
            let mut table = transaction.open_table(EVENTS)?;
            for event in events {
                table.insert((event.block, event.index), bytes_of(&event.log).as_slice())?;
            }
            transaction.open_table(CURSOR)?.insert((), bytes_of_block(cursor).as_slice())?;
            Ok(())
        })
    }

    /// Says whose events are kept; with other contracts than before all are read again.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn follow(&self, contracts: &[Address]) -> Result<(), AgentError> {
        let bytes = contracts.concat();
        let known = self
            .read(|transaction| Ok(transaction.open_table(FOLLOWED)?.get(())?.map(|known| known.value().to_vec())))?;
        // A file of before this was noted has the events of the first contract only.
        if known.unwrap_or_else(|| contracts.iter().take(1).flat_map(|first| first.to_vec()).collect()) != bytes {
            self.forget()?;
        }
        self.write(|transaction| {
            transaction.open_table(FOLLOWED)?.insert((), bytes.as_slice())?;
            Ok(())
        })
    }

    /// Forgets all events: the chain was reorganised deeper than was thought possible.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn forget(&self) -> Result<(), AgentError> {
        self.write(|transaction| {
            transaction.delete_table(EVENTS)?;
            transaction.open_table(EVENTS)?;
            transaction.open_table(CURSOR)?.remove(())?;
            Ok(())
        })
    }

    /// The hash of the chain's first block: the one that is known, or this one from now on.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn genesis(&self, hash: B256) -> Result<B256, AgentError> {
        let known = self
            .read(|transaction| Ok(transaction.open_table(GENESIS)?.get(())?.map(|known| B256::from(known.value()))))?;
        if let Some(known) = known {
            return Ok(known);
        }
        self.write(|transaction| {
            transaction.open_table(GENESIS)?.insert((), &hash.0)?;
            Ok(hash)
        })
    }

    fn read<T>(&self, f: impl FnOnce(&redb::ReadTransaction) -> Result<T, redb::Error>) -> Result<T, AgentError> {
        let read = || f(&self.database.begin_read()?);
        read().map_err(|error: redb::Error| self.failed(&error))
    }

    /// One transaction of the file: all of it is on the disk when this returns, or nothing.
    fn write<T>(&self, f: impl FnOnce(&redb::WriteTransaction) -> Result<T, redb::Error>) -> Result<T, AgentError> {
        let write = || {
            let transaction = self.database.begin_write()?;
            let result = f(&transaction)?;
            transaction.commit()?;
            Ok(result)
        };
        write().map_err(|error: redb::Error| self.failed(&error))
    }

    /// What the file has must be what was written: a damaged entry is no reason to do a thing twice.
    fn parsed<T: for<'de> serde::Deserialize<'de>>(&self, bytes: &[u8]) -> Result<T, AgentError> {
        serde_json::from_slice(bytes).map_err(|error| self.failed(&format!("an entry is damaged: {error}")))
    }

    fn failed(&self, error: &dyn std::fmt::Display) -> AgentError {
        AgentError::Store { path: self.path.clone(), why: error.to_string() }
    }
}

/// One agent's file: nobody else takes anything.
impl Ledger for Store {
    fn sent(&self) -> Result<Vec<(B256, Sent)>, AgentError> {
        self.read(|transaction| {
            let table = transaction.open_table(OUTBOX)?;
            let mut sent = Vec::new();
            for entry in table.iter()? {
                let (key, value) = entry?;
                sent.push((B256::from(key.value()), value.value().to_vec()));
            }
            Ok(sent)
        })?
        .into_iter()
        .map(|(key, value)| Ok((key, self.parsed(&value)?)))
        .collect()
    }

    fn note(&self, key: B256, sent: &Sent, over: Option<B256>) -> Result<bool, AgentError> {
        let standing = self.sent()?;
        let there = standing.iter().find(|(of, _)| *of == key).map(|(_, sent)| B256::from(sent.hash));
        if there != over || standing.iter().any(|(of, other)| *of != key && other.nonce == sent.nonce) {
            return Ok(false);
        }
        let value = serde_json::to_vec(sent).map_err(|error| self.failed(&error))?;
        self.write(|transaction| {
            transaction.open_table(OUTBOX)?.insert(&key.0, value.as_slice())?;
            Ok(true)
        })
    }

    fn settle(&self, key: B256, hash: B256) -> Result<(), AgentError> {
        if !self.sent()?.iter().any(|(of, sent)| *of == key && sent.hash == hash.0) {
            return Ok(());
        }
        self.write(|transaction| {
            transaction.open_table(OUTBOX)?.remove(&key.0)?;
            Ok(())
        })
    }

    fn verdicts(&self, checks: &[B256]) -> Result<BTreeMap<B256, Verdict>, AgentError> {
        let known = self.read(|transaction| {
            let table = transaction.open_table(VERDICTS)?;
            let mut known = Vec::new();
            for check in checks {
                known.extend(table.get(&check.0)?.map(|value| (*check, value.value().to_vec())));
            }
            Ok(known)
        })?;
        known.into_iter().map(|(check, value)| Ok((check, self.parsed(&value)?))).collect()
    }

    fn judge(&self, verdicts: &[(B256, Verdict)]) -> Result<(), AgentError> {
        if verdicts.is_empty() {
            return Ok(());
        }
        let values: Result<Vec<_>, _> =
            verdicts.iter().map(|(check, verdict)| Ok((check, serde_json::to_vec(verdict)?))).collect();
        let values = values.map_err(|error: serde_json::Error| self.failed(&error))?;
        self.write(|transaction| {
            let mut table = transaction.open_table(VERDICTS)?;
            for (check, value) in values {
                table.insert(&check.0, value.as_slice())?;
            }
            Ok(())
        })
    }

    fn offer(&self, _: &Able) -> Result<(), AgentError> {
        Ok(())
    }

    fn take(&self, able: &Able, count: usize) -> Result<Vec<usize>, AgentError> {
        Ok(able.iter().take(count).map(|(place, _)| place).collect())
    }

    fn give_back(&self, _: &[B256]) -> Result<(), AgentError> {
        Ok(())
    }

    fn hold(&self, _: B256) -> Result<bool, AgentError> {
        Ok(true)
    }
}

/// Address, number of topics, topics, data.
fn bytes_of(log: &Log) -> Vec<u8> {
    let topics = log.topics();
    let mut bytes = log.address.to_vec();
    bytes.push(u8::try_from(topics.len()).unwrap_or(u8::MAX));
    bytes.extend(topics.iter().flat_map(|topic| topic.0));
    bytes.extend_from_slice(&log.data.data);
    bytes
}

fn log_of(bytes: &[u8]) -> Option<Log> {
    let (address, rest) = bytes.split_first_chunk::<20>()?;
    let (&count, mut rest) = rest.split_first()?;
    let mut topics = Vec::new();
    for _ in 0..count {
        let (topic, after) = rest.split_first_chunk::<32>()?;
        topics.push(B256::from(topic));
        rest = after;
    }
    let data = LogData::new(topics, Bytes::copy_from_slice(rest))?;
    Some(Log { address: Address::from(address), data })
}

fn bytes_of_block(block: Block) -> Vec<u8> {
    [&block.number.to_be_bytes()[..], &block.hash.0, &block.time.to_be_bytes()].concat()
}

fn block_of(bytes: &[u8]) -> Option<Block> {
    let (number, rest) = bytes.split_first_chunk::<8>()?;
    let (hash, rest) = rest.split_first_chunk::<32>()?;
    let (time, _) = rest.split_first_chunk::<8>()?;
    Some(Block { number: u64::from_be_bytes(*number), hash: B256::from(hash), time: u64::from_be_bytes(*time) })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn events_and_blocks_are_what_was_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.redb");
        let (contract, account) = (Address::repeat_byte(1), Address::repeat_byte(2));
        let log = |topics: usize, data: usize| Log {
            address: contract,
            data: LogData::new(vec![B256::repeat_byte(7); topics], vec![9; data].into()).unwrap(),
        };
        let events: Vec<Event> = (0..5)
            .map(|i| Event { block: 10 - u64::from(i < 2), index: i, log: log(usize::try_from(i % 5).unwrap(), 33) })
            .collect();
        let cursor = Block { number: 12, hash: B256::repeat_byte(3), time: 99 };
        {
            let store = Store::open(&path, 1, contract, account).unwrap();
            assert_eq!((store.cursor().unwrap(), store.events().unwrap()), (None, vec![]));
            store.keep(&events, cursor).unwrap();
        }
        let store = Store::open(&path, 1, contract, account).unwrap();
        assert_eq!((store.cursor().unwrap(), store.events().unwrap()), (Some(cursor), events));
        store.forget().unwrap();
        assert_eq!((store.cursor().unwrap(), store.events().unwrap()), (None, vec![]));
        drop(store);
        let error = Store::open(&path, 2, contract, account).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("another account"), "{error}");
    }
}

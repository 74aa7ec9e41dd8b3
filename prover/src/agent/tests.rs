//! The follower and the outbox on a chain that does what it is told: reorganisations, silence, crashes.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::cell::RefCell;

use alloy_primitives::{Address, B256, Bytes, Log, LogData, U256};
use alloy_sol_types::SolEvent as _;
use opml_contracts::abi::Dispute;

use super::{Duty, Follower, Ledger as _, Outbox, Progress, Store};
use crate::network::{Block, Deployment, Event, Mined, Network, NetworkError, Request, Signed, Wallet};

const CONTRACT: Address = Address::repeat_byte(0xcc);
const PLACE: Deployment = Deployment::alone(5, CONTRACT, 1);

/// A chain that is changed by hand.
#[derive(Default)]
struct Fake {
    /// Hash of each block from 0 on, and its event.
    blocks: RefCell<Vec<(u8, Option<Log>)>>,
    /// What was handed in, in order.
    sent: RefCell<Vec<Signed>>,
    /// Hashes in a block.
    mined: RefCell<Vec<B256>>,
    silent: RefCell<bool>,
}

impl Fake {
    fn grow(&self, mark: u8, count: usize) {
        self.blocks.borrow_mut().extend(std::iter::repeat_n((mark, None), count));
    }

    fn with_model(&self, mark: u8, root: u8) {
        let model = Dispute::ModelRegistered {
            modelRoot: B256::repeat_byte(root),
            programRoot: B256::ZERO,
            constsRoot: B256::ZERO,
            header: U256::ZERO,
            inputHeaders: Bytes::new(),
        };
        let data: LogData = model.encode_log_data();
        self.blocks.borrow_mut().push((mark, Some(Log { address: CONTRACT, data })));
    }
}

impl Network for Fake {
    fn chain_id(&self) -> u64 {
        5
    }

    fn head(&self) -> Result<Block, NetworkError> {
        let last = self.blocks.borrow().len() - 1;
        Ok(self.block(u64::try_from(last).unwrap())?.unwrap())
    }

    fn block(&self, number: u64) -> Result<Option<Block>, NetworkError> {
        let place = usize::try_from(number).unwrap();
        let mark = self.blocks.borrow().get(place).map(|(mark, _)| *mark);
        Ok(mark.map(|mark| Block { number, hash: B256::repeat_byte(mark), time: number }))
    }

    fn events(&self, _: Address, from: u64, to: u64) -> Result<Vec<Event>, NetworkError> {
        let blocks = self.blocks.borrow();
        let all = (0_u64..).zip(blocks.iter()).filter(|(block, _)| (from..=to).contains(block));
        Ok(all.filter_map(|(block, (_, log))| Some(Event { block, index: 0, log: log.clone()? })).collect())
    }

    fn call(&self, _: &Request) -> Result<Bytes, NetworkError> {
        Ok(Bytes::new())
    }

    fn estimate(&self, _: &Request) -> Result<u64, NetworkError> {
        Ok(50_000)
    }

    fn balance(&self, _: Address) -> Result<U256, NetworkError> {
        Ok(U256::MAX)
    }

    fn nonce(&self, _: Address) -> Result<u64, NetworkError> {
        Ok(u64::try_from(self.mined.borrow().len()).unwrap())
    }

    fn fees(&self) -> Result<(u128, u128), NetworkError> {
        Ok((1_000, 10))
    }

    fn submit(&self, signed: &Signed) -> Result<(), NetworkError> {
        if *self.silent.borrow() {
            return Err(NetworkError::Unreachable { url: "fake".into(), why: "silent".into() });
        }
        self.sent.borrow_mut().push(signed.clone());
        Ok(())
    }

    fn mined(&self, hash: B256) -> Result<Option<Mined>, NetworkError> {
        let found = self.mined.borrow().contains(&hash);
        Ok(found.then_some(Mined { block: 3, success: true, gas: 1, cost: U256::ZERO, created: None, logs: vec![] }))
    }
}

fn wallet() -> Wallet {
    Wallet::from_key(Some("7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d".into())).unwrap()
}

fn models(picture: &super::Picture) -> Vec<u8> {
    picture.book.models.keys().map(|root| root.0[0]).collect()
}

#[test]
fn reorganisations_of_any_depth_are_followed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.redb");
    let fake = Fake::default();
    fake.grow(1, 2);
    fake.with_model(1, 0xa0);
    fake.grow(1, 5);
    fake.with_model(1, 0xa1);
    {
        let store = Store::open(&path, 5, CONTRACT, Address::ZERO).unwrap();
        let mut follower = Follower::new(PLACE, 3, &store).unwrap();
        assert_eq!(models(&follower.look(&fake, &store).unwrap()), [0xa0, 0xa1]);
        // The newest block never was.
        fake.blocks.borrow_mut().pop();
        fake.with_model(2, 0xb1);
        assert_eq!(models(&follower.look(&fake, &store).unwrap()), [0xa0, 0xb1]);
    }
    // Started anew: what is settled comes from the file.
    let store = Store::open(&path, 5, CONTRACT, Address::ZERO).unwrap();
    assert_eq!((store.events().unwrap().len(), store.cursor().unwrap().unwrap().number), (1, 5));
    let mut follower = Follower::new(PLACE, 3, &store).unwrap();
    assert_eq!(models(&follower.look(&fake, &store).unwrap()), [0xa0, 0xb1]);
    // Deeper than was thought possible: all is read again.
    fake.blocks.borrow_mut().truncate(1);
    fake.with_model(3, 0xc0);
    fake.grow(3, 9);
    assert_eq!(models(&follower.look(&fake, &store).unwrap()), [0xc0]);
    assert_eq!(store.events().unwrap().len(), 1);
}

#[test]
fn a_node_that_lags_or_shows_another_chain_is_believed_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::default();
    fake.grow(1, 2);
    fake.with_model(1, 0xa0);
    fake.grow(1, 9);
    let store = Store::open(&folder.path().join("state.redb"), 5, CONTRACT, Address::ZERO).unwrap();
    let mut follower = Follower::new(PLACE, 3, &store).unwrap();
    assert_eq!(models(&follower.look(&fake, &store).unwrap()), [0xa0]);
    // The next answer comes from a node that is eight blocks behind: it has not the block up to which events are kept.
    let all = fake.blocks.borrow().clone();
    fake.blocks.borrow_mut().truncate(4);
    let error = follower.look(&fake, &store).unwrap_err();
    assert!(error.is_passing() && error.to_string().contains("ends before block 8"), "{error}");
    assert_eq!(store.events().unwrap().len(), 1);
    // It has caught up.
    *fake.blocks.borrow_mut() = all;
    assert_eq!(models(&follower.look(&fake, &store).unwrap()), [0xa0]);
    // A chain of the same number with another first block.
    fake.blocks.borrow_mut().iter_mut().for_each(|block| block.0 = 7);
    let error = follower.look(&fake, &store).unwrap_err();
    assert!(!error.is_passing() && error.to_string().contains("another chain of the same number"), "{error}");
    assert_eq!(store.events().unwrap().len(), 1);
    // So it is after a start.
    drop(follower);
    let mut follower = Follower::new(PLACE, 3, &store).unwrap();
    assert!(follower.look(&fake, &store).is_err());
}

#[test]
fn a_number_that_nobody_sends_is_filled() {
    let folder = tempfile::tempdir().unwrap();
    let (fake, wallet) = (Fake::default(), wallet());
    let store = Store::open(&folder.path().join("state.redb"), 5, CONTRACT, wallet.account()).unwrap();
    let outbox =
        Outbox { network: &fake, wallet: &wallet, contract: CONTRACT, most: 2_000, dry: false, ledger: &store };
    let head = |number| Block { number, hash: B256::ZERO, time: number };
    let duties = [1, 2].map(|number| {
        Duty::new("select", B256::ZERO, B256::repeat_byte(number), number.to_string(), U256::ZERO, Bytes::new())
    });
    outbox.send(head(1), &duties).unwrap();
    let nonces = || {
        let sent = store.sent().unwrap();
        sent.into_iter().map(|(_, sent)| (sent.what, sent.nonce)).collect::<Vec<_>>()
    };
    let first = store.sent().unwrap().into_iter().find(|(_, sent)| sent.nonce == 0).unwrap();
    // The first one was refused by another worker of the fleet, and is not due any more.
    store.settle(first.0, B256::from(first.1.hash)).unwrap();
    outbox.send(head(2), &[]).unwrap();
    assert_eq!(nonces().iter().map(|(_, nonce)| *nonce).collect::<Vec<_>>(), [1]);
    outbox.send(head(7), &[]).unwrap();
    assert_eq!(nonces().iter().map(|(_, nonce)| *nonce).collect::<Vec<_>>(), [0]);
}

#[test]
fn a_duty_is_sent_once_and_dearer_if_it_waits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.redb");
    let (fake, wallet) = (Fake::default(), wallet());
    let duty = Duty::new("select", B256::ZERO, B256::ZERO, "a move".into(), U256::ZERO, Bytes::from_static(&[1]));
    let head = |number| Block { number, hash: B256::ZERO, time: number };
    let round = |number: u64, due: &[Duty]| {
        // Each round is a process of its own.
        let store = Store::open(&path, 5, CONTRACT, wallet.account()).unwrap();
        let outbox =
            Outbox { network: &fake, wallet: &wallet, contract: CONTRACT, most: 2_000, dry: false, ledger: &store };
        outbox.send(head(number), due).unwrap()
    };
    // The endpoint falls silent while the transaction is handed in: it is noted, and goes out in the next round.
    *fake.silent.borrow_mut() = true;
    assert_eq!(round(1, std::slice::from_ref(&duty)), [Progress::Sent("a move".into())]);
    assert!(fake.sent.borrow().is_empty());
    *fake.silent.borrow_mut() = false;
    assert_eq!(round(2, std::slice::from_ref(&duty)), []);
    assert_eq!(round(3, std::slice::from_ref(&duty)), []);
    assert_eq!(fake.sent.borrow().len(), 2);
    assert_eq!(fake.sent.borrow()[0], fake.sent.borrow()[1], "the same bytes");
    // After five blocks another one in its place.
    assert_eq!(round(6, std::slice::from_ref(&duty)), []);
    assert_ne!(fake.sent.borrow()[2].hash, fake.sent.borrow()[1].hash);
    let store = Store::open(&path, 5, CONTRACT, wallet.account()).unwrap();
    let noted = store.sent().unwrap();
    assert_eq!((noted.len(), noted[0].1.nonce, noted[0].1.fee), (1, 0, 1_250));
    drop(store);
    // In a block: nothing is sent any more, and a second duty has the next number.
    fake.mined.borrow_mut().push(B256::from(noted[0].1.hash));
    let other = Duty::new("select", B256::ZERO, B256::repeat_byte(1), "another".into(), U256::ZERO, Bytes::new());
    assert_eq!(round(3, &[duty, other]), [Progress::Sent("another".into())]);
    assert_eq!(fake.sent.borrow().len(), 4);
    let store = Store::open(&path, 5, CONTRACT, wallet.account()).unwrap();
    let nonces: Vec<u64> = store.sent().unwrap().iter().map(|(_, sent)| sent.nonce).collect();
    assert_eq!(nonces.iter().sum::<u64>(), 1, "{nonces:?}");
}

#[test]
fn a_state_file_has_one_owner_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.redb");
    let open = || Store::open(&path, 5, CONTRACT, Address::ZERO);
    let first = open().unwrap();
    assert!(open().map(drop).unwrap_err().to_string().contains("state.redb"));
    drop(first);
    assert!(open().is_ok());
}

//! The real contracts on an in-process chain behind the agents' interface: signed transactions, a pool, blocks, receipts.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

use alloy_network::{Ethereum, eip2718::Decodable2718 as _};
use alloy_primitives::{Address, B256, Bytes, Log, U256, keccak256};
use alloy_sol_types::{SolCall, SolValue as _};
use opml_contracts::{
    Host, HostError,
    abi::{Dispute, StepVerifier},
};

use super::{Able, AgentError, Ledger, Sent, Verdict};
use crate::{
    chain::{ETHER, OPERATOR, tier},
    network::{Block, Deployment, Event, Mined, Network, NetworkError, Request, Signed, Wallet, view},
};

type Envelope = <Ethereum as alloy_network::Network>::TxEnvelope;

/// Seconds of a block.
const SECONDS: u64 = 12;

struct Inner {
    host: Host,
    blocks: Vec<(Block, Vec<Log>)>,
    pool: BTreeMap<(Address, u64), (B256, Request)>,
    nonces: BTreeMap<Address, u64>,
    mined: BTreeMap<B256, (Address, Mined)>,
}

/// A chain; its clones are the same chain.
#[derive(Clone)]
pub(super) struct Local {
    inner: Rc<RefCell<Inner>>,
    pub(super) place: Deployment,
}

impl Local {
    /// A chain with the contracts, and funds for these accounts.
    pub(super) fn new(accounts: &[Address], arity_log2: u8) -> Self {
        let mut host = Host::new();
        for account in accounts {
            host.fund(*account, U256::from(10 * ETHER)).unwrap();
        }
        let verifier = host.deploy(OPERATOR, &StepVerifier::BYTECODE, &[]).unwrap();
        let arguments = (verifier, vec![tier(arity_log2)]).abi_encode_params();
        let dispute = host.deploy(OPERATOR, &Dispute::BYTECODE, &arguments).unwrap();
        let place = Deployment::alone(31_337, dispute, 1);
        let (blocks, pool, nonces, mined) = Default::default();
        let local = Self { inner: Rc::new(RefCell::new(Inner { host, blocks, pool, nonces, mined })), place };
        local.mine();
        local
    }

    /// Puts a contract beside the others.
    pub(super) fn put(&self, code: &[u8], arguments: &[u8]) -> Address {
        self.inner.borrow_mut().host.deploy(OPERATOR, code, arguments).unwrap()
    }

    /// A transaction to the claims' contract by hand, in a block of its own.
    pub(super) fn sent<C: SolCall>(&self, from: Address, value: u128, call: &C) -> C::Return {
        self.sent_to(self.place.dispute, from, U256::from(value), call)
    }

    /// The same to another contract.
    pub(super) fn sent_to<C: SolCall>(&self, to: Address, from: Address, value: U256, call: &C) -> C::Return {
        let mut inner = self.inner.borrow_mut();
        inner.host.hold_block(true);
        let (answer, receipt) = inner.host.send(from, to, value, call).unwrap();
        inner.end(receipt.logs);
        answer
    }

    /// The next block, with all of the pool that is in order; the number of its transactions.
    pub(super) fn mine(&self) -> usize {
        let inner = &mut *self.inner.borrow_mut();
        inner.host.hold_block(true);
        let (mut logs, mut count) = (Vec::new(), 0);
        let number = inner.host.block();
        for ((from, nonce), (hash, request)) in inner.pool.clone() {
            if inner.nonces.get(&from).copied().unwrap_or(0) != nonce {
                continue;
            }
            inner.pool.remove(&(from, nonce));
            inner.nonces.insert(from, nonce + 1);
            let receipt = inner.host.call(from, request.to.unwrap(), request.value, request.data);
            let (success, gas, own) = match receipt {
                Ok(receipt) => (true, receipt.gas_used, receipt.logs),
                Err(_) => (false, 0, Vec::new()),
            };
            logs.extend(own.clone());
            let mined = Mined { block: number, success, gas, cost: U256::ZERO, created: None, logs: own };
            inner.mined.insert(hash, (from, mined));
            count += 1;
        }
        inner.end(logs);
        count
    }

    /// Lets time pass.
    pub(super) fn warp(&self, seconds: u64) {
        self.inner.borrow_mut().host.warp(seconds);
    }

    /// Transactions of an account in the chain: those that went through, and those that did not.
    pub(super) fn transactions(&self, of: Address) -> (usize, usize) {
        let inner = self.inner.borrow();
        let own: Vec<bool> =
            inner.mined.values().filter(|(from, _)| *from == of).map(|(_, mined)| mined.success).collect();
        let good = own.iter().filter(|success| **success).count();
        (good, own.len() - good)
    }

    /// Gas of the dearest transaction of an account.
    pub(super) fn dearest(&self, of: Address) -> u64 {
        let inner = self.inner.borrow();
        inner.mined.values().filter(|(from, _)| *from == of).map(|(_, mined)| mined.gas).max().unwrap_or(0)
    }

    /// What the contracts owe an account.
    pub(super) fn credit(&self, account: Address) -> U256 {
        let owed = |contract| view(self, contract, &Dispute::creditOfCall { account }).unwrap();
        self.place.followed().map(owed).fold(U256::ZERO, |sum, credit| sum + credit)
    }
}

impl Inner {
    fn end(&mut self, logs: Vec<Log>) {
        // Blocks in which nothing happened through this interface are filled in.
        let number = self.host.block();
        let time = self.host.now();
        for number in u64::try_from(self.blocks.len()).unwrap()..=number {
            let hash = keccak256((number, "block").abi_encode());
            self.blocks.push((Block { number, hash, time }, Vec::new()));
        }
        self.blocks.last_mut().unwrap().1 = logs;
        self.host.hold_block(false);
        self.host.warp(SECONDS);
    }
}

fn refusal(error: HostError) -> NetworkError {
    match error {
        HostError::Revert { data, .. } => NetworkError::Reverted { data },
        error => NetworkError::Refused { what: "a call", why: error.to_string() },
    }
}

impl Network for Local {
    fn chain_id(&self) -> u64 {
        self.place.chain_id
    }

    fn head(&self) -> Result<Block, NetworkError> {
        Ok(self.inner.borrow().blocks.last().unwrap().0)
    }

    fn block(&self, number: u64) -> Result<Option<Block>, NetworkError> {
        Ok(self.inner.borrow().blocks.get(usize::try_from(number).unwrap()).map(|(block, _)| *block))
    }

    fn events(&self, contract: Address, from: u64, to: u64) -> Result<Vec<Event>, NetworkError> {
        let inner = self.inner.borrow();
        let blocks = inner.blocks.iter().filter(|(block, _)| (from..=to).contains(&block.number));
        let logs = blocks.flat_map(|(block, logs)| {
            let own = (0..).zip(logs).filter(|(_, log)| log.address == contract);
            own.map(|(index, log)| Event { block: block.number, index, log: log.clone() })
        });
        Ok(logs.collect())
    }

    fn call(&self, request: &Request) -> Result<Bytes, NetworkError> {
        let receipt =
            self.inner.borrow_mut().host.trial(request.from, request.to.unwrap(), request.value, request.data.clone());
        receipt.map(|receipt| receipt.output).map_err(refusal)
    }

    fn estimate(&self, request: &Request) -> Result<u64, NetworkError> {
        let receipt =
            self.inner.borrow_mut().host.trial(request.from, request.to.unwrap(), request.value, request.data.clone());
        receipt.map(|receipt| receipt.gas_used).map_err(refusal)
    }

    fn balance(&self, account: Address) -> Result<U256, NetworkError> {
        Ok(self.inner.borrow_mut().host.balance(account))
    }

    fn nonce(&self, account: Address) -> Result<u64, NetworkError> {
        Ok(self.inner.borrow().nonces.get(&account).copied().unwrap_or(0))
    }

    fn fees(&self) -> Result<(u128, u128), NetworkError> {
        // Gas of this chain costs nothing; the agents only must be able to pay what they think it may.
        Ok((1_000, 10))
    }

    fn submit(&self, signed: &Signed) -> Result<(), NetworkError> {
        let Envelope::Eip1559(transaction) = Envelope::decode_2718(&mut signed.raw.as_ref()).unwrap() else {
            panic!("agents sign EIP-1559");
        };
        let from = transaction.signature().recover_address_from_prehash(&transaction.signature_hash()).unwrap();
        let fields = transaction.tx();
        let request = Request { from, to: fields.to.to().copied(), value: fields.value, data: fields.input.clone() };
        let inner = &mut *self.inner.borrow_mut();
        if fields.nonce < inner.nonces.get(&from).copied().unwrap_or(0) {
            return Err(NetworkError::Refused { what: "a transaction", why: "nonce too low".to_owned() });
        }
        inner.pool.insert((from, fields.nonce), (signed.hash, request));
        Ok(())
    }

    fn mined(&self, hash: B256) -> Result<Option<Mined>, NetworkError> {
        Ok(self.inner.borrow().mined.get(&hash).map(|(_, mined)| mined.clone()))
    }
}

/// Burns down with every call of what it is built into; when it is down, nothing works any more, as after a kill.
#[derive(Default)]
pub(super) struct Fuse {
    pub(super) passed: Cell<u64>,
    pub(super) end: Cell<Option<u64>>,
}

impl Fuse {
    fn passes(&self) -> bool {
        let passed = self.passed.get();
        self.passed.set(passed + 1);
        self.end.get().is_none_or(|end| passed < end)
    }

    /// A call, before and after which the process may die.
    fn over<T, E>(&self, dead: impl Fn() -> E, call: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        if !self.passes() {
            return Err(dead());
        }
        let answer = call();
        if self.passes() { answer } else { Err(dead()) }
    }
}

fn killed() -> NetworkError {
    NetworkError::Start("killed".to_owned())
}

/// A chain as an agent with a fuse sees it.
pub(super) struct Fused {
    pub(super) chain: Local,
    pub(super) fuse: Rc<Fuse>,
}

impl Network for Fused {
    fn chain_id(&self) -> u64 {
        self.chain.chain_id()
    }

    fn head(&self) -> Result<Block, NetworkError> {
        self.fuse.over(killed, || self.chain.head())
    }

    fn block(&self, number: u64) -> Result<Option<Block>, NetworkError> {
        self.fuse.over(killed, || self.chain.block(number))
    }

    fn events(&self, contract: Address, from: u64, to: u64) -> Result<Vec<Event>, NetworkError> {
        self.fuse.over(killed, || self.chain.events(contract, from, to))
    }

    fn call(&self, request: &Request) -> Result<Bytes, NetworkError> {
        self.fuse.over(killed, || self.chain.call(request))
    }

    fn estimate(&self, request: &Request) -> Result<u64, NetworkError> {
        self.fuse.over(killed, || self.chain.estimate(request))
    }

    fn balance(&self, account: Address) -> Result<U256, NetworkError> {
        self.fuse.over(killed, || self.chain.balance(account))
    }

    fn nonce(&self, account: Address) -> Result<u64, NetworkError> {
        self.fuse.over(killed, || self.chain.nonce(account))
    }

    fn fees(&self) -> Result<(u128, u128), NetworkError> {
        self.fuse.over(killed, || self.chain.fees())
    }

    fn submit(&self, signed: &Signed) -> Result<(), NetworkError> {
        self.fuse.over(killed, || self.chain.submit(signed))
    }

    fn mined(&self, hash: B256) -> Result<Option<Mined>, NetworkError> {
        self.fuse.over(killed, || self.chain.mined(hash))
    }
}

/// A memory as an agent with a fuse sees it; with `full`, every write fails from then on, as on a full disk.
pub(super) struct FusedLedger {
    pub(super) ledger: Rc<dyn Ledger>,
    pub(super) fuse: Rc<Fuse>,
}

fn full() -> AgentError {
    AgentError::Store { path: "state.redb".into(), why: "no space left on device".to_owned() }
}

impl Ledger for FusedLedger {
    fn sent(&self) -> Result<Vec<(B256, Sent)>, AgentError> {
        self.ledger.sent()
    }

    fn note(&self, key: B256, sent: &Sent, over: Option<B256>) -> Result<bool, AgentError> {
        self.fuse.over(full, || self.ledger.note(key, sent, over))
    }

    fn settle(&self, key: B256, hash: B256) -> Result<(), AgentError> {
        self.fuse.over(full, || self.ledger.settle(key, hash))
    }

    fn verdicts(&self, checks: &[B256]) -> Result<BTreeMap<B256, Verdict>, AgentError> {
        self.ledger.verdicts(checks)
    }

    fn judge(&self, verdicts: &[(B256, Verdict)]) -> Result<(), AgentError> {
        self.fuse.over(full, || self.ledger.judge(verdicts))
    }

    fn offer(&self, able: &Able) -> Result<(), AgentError> {
        self.ledger.offer(able)
    }

    fn take(&self, able: &Able, count: usize) -> Result<Vec<usize>, AgentError> {
        self.ledger.take(able, count)
    }

    fn give_back(&self, checks: &[B256]) -> Result<(), AgentError> {
        self.ledger.give_back(checks)
    }

    fn hold(&self, thing: B256) -> Result<bool, AgentError> {
        self.ledger.hold(thing)
    }
}

/// The wallet of a key that everybody knows.
pub(super) fn wallet(number: u8) -> Wallet {
    Wallet::from_key(Some(format!("{:064x}", U256::from(number)))).unwrap()
}

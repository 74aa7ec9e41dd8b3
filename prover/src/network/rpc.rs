//! A chain behind a JSON-RPC endpoint.

use std::{future::Future, time::Duration};

use alloy_network::{Ethereum, TransactionBuilder as _};
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_provider::{Provider as _, RootProvider, transport::TransportError};
use alloy_rpc_types_eth::{BlockNumberOrTag, Filter, TransactionRequest};
use tokio::runtime::Runtime;

use super::{Block, Event, Mined, Network, NetworkError, Request, Signed};

/// Longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// Pauses before a question is asked again.
const PAUSES: [Duration; 4] =
    [Duration::from_millis(100), Duration::from_millis(400), Duration::from_secs(1), Duration::from_secs(3)];
/// Most blocks of one question for events: endpoints limit it.
const SPAN: u64 = 2_000;
/// Code of a refusal that is a revert, by EIP-1474.
const REVERT: i64 = 3;

/// The client of an endpoint. Questions that bring no answer are asked again a few times.
#[derive(Debug)]
pub struct Rpc {
    runtime: Runtime,
    provider: RootProvider<Ethereum>,
    /// The endpoint as people may read it: keys stand in user info, path and query.
    url: String,
    chain_id: u64,
}

impl Rpc {
    /// Connects to an endpoint.
    ///
    /// # Errors
    /// The address is none, or nobody answers there.
    pub fn connect(url: &str) -> Result<Self, NetworkError> {
        let parsed: url::Url = url
            .parse()
            .map_err(|error: url::ParseError| NetworkError::Url { url: url.to_owned(), why: error.to_string() })?;
        if !["http", "https"].contains(&parsed.scheme()) {
            let why = format!("scheme {}", parsed.scheme());
            return Err(NetworkError::Url { url: url.to_owned(), why });
        }
        let shown = format!("{}://{}", parsed.scheme(), parsed.authority().rsplit('@').next().unwrap_or_default());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| NetworkError::Start(error.to_string()))?;
        let provider = {
            let _entered = runtime.enter();
            RootProvider::new_http(parsed)
        };
        let mut client = Self { runtime, provider, url: shown, chain_id: 0 };
        client.chain_id = client.ask("the chain's id", || client.provider.get_chain_id())?;
        Ok(client)
    }

    /// Asks until there is an answer or the pauses are used up.
    fn ask<F, T>(&self, what: &'static str, question: impl Fn() -> F) -> Result<T, NetworkError>
    where
        F: IntoFuture<Output = Result<T, TransportError>>,
    {
        let mut pauses = PAUSES.iter();
        loop {
            let error = match self.once(what, question()) {
                Err(error) if error.is_passing() => error,
                settled => return settled,
            };
            let Some(&pause) = pauses.next() else { return Err(error) };
            std::thread::sleep(pause);
        }
    }

    /// Lets time pass on a chain for tests.
    ///
    /// # Errors
    /// The chain is no such one, or does not answer.
    pub fn move_time(&self, seconds: u64) -> Result<(), NetworkError> {
        self.command("evm_increaseTime", &serde_json::json!([seconds]))
    }

    /// Makes a block on a chain for tests.
    ///
    /// # Errors
    /// As [`Rpc::move_time`].
    pub fn mine(&self) -> Result<(), NetworkError> {
        self.command("evm_mine", &serde_json::json!([]))
    }

    /// Asks once: time that is moved twice is not the same.
    fn command(&self, method: &'static str, parameters: &serde_json::Value) -> Result<(), NetworkError> {
        let asked = self.provider.raw_request::<_, serde_json::Value>(method.into(), parameters);
        self.once(method, asked).map(drop)
    }

    fn once<T>(
        &self,
        what: &'static str,
        question: impl IntoFuture<Output = Result<T, TransportError>>,
    ) -> Result<T, NetworkError> {
        let answer = self.runtime.block_on(within(question.into_future()));
        match answer {
            None => Err(self.unreachable(format!("none within {} s", PATIENCE.as_secs()))),
            Some(Ok(answer)) => Ok(answer),
            Some(Err(error)) => Err(self.refusal(what, &error)),
        }
    }

    fn unreachable(&self, why: String) -> NetworkError {
        NetworkError::Unreachable { url: self.url.clone(), why }
    }

    fn refusal(&self, what: &'static str, error: &TransportError) -> NetworkError {
        let Some(answer) = error.as_error_resp() else {
            return self.unreachable(words(error));
        };
        match answer.as_revert_data() {
            Some(data) => NetworkError::Reverted { data },
            None if answer.code == REVERT => NetworkError::Reverted { data: Bytes::new() },
            None => NetworkError::Refused { what, why: answer.message.to_string() },
        }
    }
}

async fn within<T>(question: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(PATIENCE, question).await.ok()
}

/// An error with its causes, without the endpoint's address, which may hold a key.
fn words(error: &TransportError) -> String {
    let mut text = Vec::new();
    let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push(error.to_string());
        cause = error.source();
    }
    let last = text.pop().unwrap_or_else(|| error.to_string());
    last.split(" for url").next().unwrap_or_default().to_owned()
}

impl Network for Rpc {
    fn chain_id(&self) -> u64 {
        self.chain_id
    }

    fn head(&self) -> Result<Block, NetworkError> {
        let block = self.ask("the newest block", || self.provider.get_block_by_number(BlockNumberOrTag::Latest))?;
        block.map(place).ok_or_else(|| NetworkError::Refused { what: "the newest block", why: "there is none".into() })
    }

    fn block(&self, number: u64) -> Result<Option<Block>, NetworkError> {
        let block = self.ask("a block", || self.provider.get_block_by_number(BlockNumberOrTag::Number(number)))?;
        Ok(block.map(place))
    }

    fn events(&self, contract: Address, from: u64, to: u64) -> Result<Vec<Event>, NetworkError> {
        let mut events = Vec::new();
        let mut first = from;
        while first <= to {
            let last = to.min(first.saturating_add(SPAN - 1));
            let filter = Filter::new().address(contract).from_block(first).to_block(last);
            let logs = self.ask("events", || self.provider.get_logs(&filter))?;
            events.extend(
                logs.into_iter()
                    .filter(|log| !log.removed)
                    .filter_map(|log| Some(Event { block: log.block_number?, index: log.log_index?, log: log.inner })),
            );
            first = last.saturating_add(1);
        }
        events.sort_by_key(|event| (event.block, event.index));
        Ok(events)
    }

    fn call(&self, request: &Request) -> Result<Bytes, NetworkError> {
        let transaction = unsigned(request);
        self.ask("a call", || self.provider.call(transaction.clone()))
    }

    fn estimate(&self, request: &Request) -> Result<u64, NetworkError> {
        let transaction = unsigned(request);
        self.ask("an estimate", || self.provider.estimate_gas(transaction.clone()))
    }

    fn balance(&self, account: Address) -> Result<U256, NetworkError> {
        self.ask("a balance", || self.provider.get_balance(account))
    }

    fn nonce(&self, account: Address) -> Result<u64, NetworkError> {
        self.ask("a nonce", || self.provider.get_transaction_count(account))
    }

    fn fees(&self) -> Result<(u128, u128), NetworkError> {
        let fees = self.runtime.block_on(within(self.provider.estimate_eip1559_fees()));
        match fees {
            Some(Ok(fees)) => Ok((fees.max_fee_per_gas, fees.max_priority_fee_per_gas)),
            Some(Err(error)) => Err(self.refusal("the fees", &error)),
            None => Err(self.unreachable(format!("none within {} s", PATIENCE.as_secs()))),
        }
    }

    fn submit(&self, signed: &Signed) -> Result<(), NetworkError> {
        let sent =
            self.ask("a transaction", || async { self.provider.send_raw_transaction(&signed.raw).await.map(|_| ()) });
        match sent {
            Err(NetworkError::Refused { why, .. }) if is_known(&why) => Ok(()),
            sent => sent,
        }
    }

    fn mined(&self, hash: B256) -> Result<Option<Mined>, NetworkError> {
        let receipt = self.ask("a receipt", || self.provider.get_transaction_receipt(hash))?;
        Ok(receipt.and_then(|receipt| {
            Some(Mined {
                block: receipt.block_number?,
                success: receipt.inner.status(),
                gas: receipt.gas_used,
                cost: U256::from(receipt.gas_used).saturating_mul(U256::from(receipt.effective_gas_price)),
                created: receipt.contract_address,
                logs: receipt.inner.logs().iter().map(|log| log.inner.clone()).collect(),
            })
        }))
    }
}

/// Nodes have different words for a transaction that they have already.
fn is_known(why: &str) -> bool {
    let why = why.to_lowercase();
    ["already known", "already imported", "known transaction", "already in"].iter().any(|words| why.contains(words))
}

fn place(block: alloy_rpc_types_eth::Block) -> Block {
    Block { number: block.header.number, hash: block.header.hash, time: block.header.timestamp }
}

fn unsigned(request: &Request) -> TransactionRequest {
    let mut transaction = TransactionRequest::default()
        .with_from(request.from)
        .with_value(request.value)
        .with_input(request.data.clone());
    match request.to {
        Some(to) => transaction.set_to(to),
        None => transaction.set_create(),
    }
    transaction
}

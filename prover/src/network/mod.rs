//! A chain that strangers share: what the agents need of it, and the endpoint behind which it is.

mod deployment;
mod error;
mod ledger;
mod rpc;
mod send;
mod wallet;

use alloy_primitives::{Address, B256, Bytes, Log, U256};
use alloy_sol_types::SolCall;

pub use deployment::{Deployment, Market, TIERS, Times, ether};
pub use error::NetworkError;
pub use ledger::{Clock, Remote};
pub use rpc::Rpc;
pub use send::{Done, Sender};
pub use wallet::Wallet;

/// A block's place in the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// Its number.
    pub number: u64,
    /// Its hash: another one at the same number means that the chain was reorganised.
    pub hash: B256,
    /// Its time, in seconds.
    pub time: u64,
}

/// An event with its place in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Number of the block.
    pub block: u64,
    /// Number of the event in the block.
    pub index: u64,
    /// What it says.
    pub log: Log,
}

/// A transaction that is not signed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Who sends it.
    pub from: Address,
    /// The contract; none: a deployment.
    pub to: Option<Address>,
    /// Wei that go with it.
    pub value: U256,
    /// Calldata, or creation code with its arguments.
    pub data: Bytes,
}

/// What is paid for a transaction and where it stands among its sender's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// The sender's number for it.
    pub nonce: u64,
    /// Most gas.
    pub gas: u64,
    /// Most wei for a unit of gas.
    pub fee: u128,
    /// Of these, most for who builds the block.
    pub tip: u128,
}

/// A signed transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// Its hash, by which it is found.
    pub hash: B256,
    /// Its bytes.
    pub raw: Bytes,
}

/// What became of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mined {
    /// Number of its block.
    pub block: u64,
    /// Whether it went through; it is paid all the same.
    pub success: bool,
    /// Gas it used.
    pub gas: u64,
    /// Wei paid for that gas.
    pub cost: U256,
    /// The contract that it made.
    pub created: Option<Address>,
    /// Its events, in order.
    pub logs: Vec<Log>,
}

/// A chain of the Ethereum kind.
pub trait Network {
    /// The chain's id, which every signature names.
    fn chain_id(&self) -> u64;

    /// The newest block.
    ///
    /// # Errors
    /// The endpoint does not answer, or refuses.
    fn head(&self) -> Result<Block, NetworkError>;

    /// A block by its number; none if the chain is not that long.
    ///
    /// # Errors
    /// The endpoint does not answer, or refuses.
    fn block(&self, number: u64) -> Result<Option<Block>, NetworkError>;

    /// The events of a contract in blocks `from` to `to`, both included, in their order.
    ///
    /// # Errors
    /// The endpoint does not answer, or refuses.
    fn events(&self, contract: Address, from: u64, to: u64) -> Result<Vec<Event>, NetworkError>;

    /// What a transaction would return at the newest block, without sending it.
    ///
    /// # Errors
    /// It would revert; or the endpoint does not answer.
    fn call(&self, request: &Request) -> Result<Bytes, NetworkError>;

    /// The gas that a transaction would use at the newest block.
    ///
    /// # Errors
    /// As [`Network::call`].
    fn estimate(&self, request: &Request) -> Result<u64, NetworkError>;

    /// What an account holds, in wei.
    ///
    /// # Errors
    /// The endpoint does not answer, or refuses.
    fn balance(&self, account: Address) -> Result<U256, NetworkError>;

    /// Number of an account's transactions in the chain: the nonce of its next.
    ///
    /// # Errors
    /// The endpoint does not answer, or refuses.
    fn nonce(&self, account: Address) -> Result<u64, NetworkError>;

    /// A fee that gets a transaction into one of the next blocks, and the tip in it, in wei for a unit of gas.
    ///
    /// # Errors
    /// The endpoint does not answer, or refuses.
    fn fees(&self) -> Result<(u128, u128), NetworkError>;

    /// Hands a signed transaction in. That it is known already is no error.
    ///
    /// # Errors
    /// The endpoint does not answer, or refuses it.
    fn submit(&self, signed: &Signed) -> Result<(), NetworkError>;

    /// What became of a transaction; none while it is in no block.
    ///
    /// # Errors
    /// The endpoint does not answer, or refuses.
    fn mined(&self, hash: B256) -> Result<Option<Mined>, NetworkError>;
}

/// Asks a contract.
///
/// # Errors
/// As [`Network::call`]; and an answer that is not the function's.
pub fn view<C: SolCall>(network: &dyn Network, to: Address, call: &C) -> Result<C::Return, NetworkError> {
    let data = call.abi_encode().into();
    let answer = network.call(&Request { from: Address::ZERO, to: Some(to), value: U256::ZERO, data })?;
    C::abi_decode_returns(&answer).map_err(|_| NetworkError::Answer { what: C::SIGNATURE, contract: to })
}

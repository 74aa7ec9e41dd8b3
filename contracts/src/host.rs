//! An in-process chain: the EVM of the Osaka fork with injected time.
//!
//! Gas is real (intrinsic costs, the calldata floor of EIP-7623, the cap of 16,777,216 per transaction) but its price is 0, so balances
//! change by the value that moves and by nothing else. Every transaction stands in a block of its own; time passes only by
//! [`Host::warp`]. The same calls give the same results on every machine.

use alloy_primitives::{Address, Bytes, Log, TxKind, U256};
use alloy_sol_types::SolCall;
use revm::context::result::{EVMError, ExecutionResult};
use revm::context::{BlockEnv, CfgEnv, Context, Journal, TxEnv};
use revm::database::{CacheDB, EmptyDB};
use revm::handler::MainnetContext;
use revm::primitives::hardfork::SpecId;
use revm::{Database, ExecuteCommitEvm, ExecuteEvm, MainBuilder, MainnetEvm};

use crate::error::HostError;

/// Most gas a transaction may use (EIP-7825).
pub const TX_GAS_CAP: u64 = 16_777_216;
/// The largest code of a contract (EIP-170), in bytes.
pub const MAX_CODE: usize = 24_576;

const CHAIN_ID: u64 = 31_337;
/// 2026-01-01T00:00:00Z: far from 0, so that no time computed from it can underflow by accident.
const GENESIS_TIME: u64 = 1_767_225_600;
/// Gas of a transaction besides its data and execution.
const TX_BASE_GAS: u64 = 21_000;

type Db = CacheDB<EmptyDB>;

/// The chain.
#[derive(Debug)]
pub struct Host {
    evm: MainnetEvm<MainnetContext<Db>>,
    hold_block: bool,
}

/// A state of the chain to come back to.
#[derive(Debug, Clone)]
pub struct Snapshot {
    db: Db,
    number: U256,
    timestamp: U256,
}

/// The result of a transaction that went through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Gas of the whole transaction: base, data (with their floor) and execution, after refunds.
    pub gas_used: u64,
    /// Gas of the execution alone, before refunds; of a deployment, with the costs of creation.
    pub exec_gas: u64,
    /// Length of the calldata, or of the creation code with its arguments.
    pub calldata_bytes: usize,
    /// Events, in order.
    pub logs: Vec<Log>,
    /// Returned bytes; of a deployment, the code.
    pub output: Bytes,
    /// Address of the contract, if this was a deployment.
    pub created: Option<Address>,
}

impl Default for Host {
    fn default() -> Self {
        Self::new()
    }
}

impl Host {
    /// An empty chain.
    #[must_use]
    pub fn new() -> Self {
        let mut cfg = CfgEnv::new_with_spec(SpecId::OSAKA).with_chain_id(CHAIN_ID);
        cfg.disable_nonce_check = true; // the host keeps no account of its senders' nonces
        let mut context: MainnetContext<Db> =
            Context::<BlockEnv, TxEnv, CfgEnv, Db, Journal<Db>, ()>::new(CacheDB::default(), SpecId::OSAKA);
        context.cfg = cfg;
        context.block.number = U256::from(1);
        context.block.timestamp = U256::from(GENESIS_TIME);
        context.block.basefee = 0;
        context.block.beneficiary = Address::repeat_byte(0xfe);
        Self { evm: context.build_mainnet(), hold_block: false }
    }

    /// Adds `amount` to an account out of nothing.
    ///
    /// # Errors
    /// [`HostError::BalanceOverflow`]
    pub fn fund(&mut self, account: Address, amount: U256) -> Result<(), HostError> {
        let db = &mut self.evm.ctx.journaled_state.database;
        let mut info = db.basic(account).map_err(|never| HostError::Invalid(never.to_string()))?.unwrap_or_default();
        info.balance = info.balance.checked_add(amount).ok_or(HostError::BalanceOverflow(amount))?;
        db.insert_account_info(account, info);
        Ok(())
    }

    /// What an account holds, in wei.
    pub fn balance(&mut self, account: Address) -> U256 {
        self.account(account).map_or(U256::ZERO, |info| info.balance)
    }

    /// Length of an account's code, in bytes.
    pub fn code_size(&mut self, account: Address) -> usize {
        self.account(account).and_then(|info| info.code).map_or(0, |code| code.len())
    }

    /// Lets time pass.
    pub fn warp(&mut self, seconds: u64) {
        self.evm.ctx.block.timestamp += U256::from(seconds);
    }

    /// Lets blocks pass, in which nothing happens.
    pub fn roll(&mut self, blocks: u64) {
        self.evm.ctx.block.number += U256::from(blocks);
    }

    /// Time of the next transaction, in seconds.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.evm.ctx.block.timestamp.saturating_to()
    }

    /// Number of the block of the next transaction.
    #[must_use]
    pub fn block(&self) -> u64 {
        self.evm.ctx.block.number.saturating_to()
    }

    /// While held, further transactions go into the present block; releasing it ends the block.
    pub fn hold_block(&mut self, hold: bool) {
        if self.hold_block && !hold {
            self.roll(1);
        }
        self.hold_block = hold;
    }

    /// The present state, to come back to.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let Context { block, journaled_state, .. } = &self.evm.ctx;
        Snapshot { db: journaled_state.database.clone(), number: block.number, timestamp: block.timestamp }
    }

    /// Forgets all that happened since, as a reorganisation does: accounts, block number and time are those of then.
    pub fn restore(&mut self, snapshot: &Snapshot) {
        self.evm.ctx.journaled_state.database.clone_from(&snapshot.db);
        self.evm.ctx.block.number = snapshot.number;
        self.evm.ctx.block.timestamp = snapshot.timestamp;
    }

    /// Rewrites the storage of an account, word by word: what `change` gives takes a word's place. Gives the number of changes. For tests of
    /// states that no calls lead to.
    pub fn edit(&mut self, account: Address, change: impl Fn(U256) -> Option<U256>) -> usize {
        let db = &mut self.evm.ctx.journaled_state.database;
        let Some(account) = db.cache.accounts.get_mut(&account) else { return 0 };
        let changes = account.storage.values_mut().filter_map(|word| change(*word).map(|new| *word = new));
        changes.count()
    }

    /// Deploys creation code followed by encoded constructor arguments; gives the contract's address.
    ///
    /// # Errors
    /// The constructor's revert or halt, or an invalid transaction.
    pub fn deploy(&mut self, from: Address, code: &[u8], args: &[u8]) -> Result<Address, HostError> {
        let receipt = self.send_raw(from, TxKind::Create, U256::ZERO, [code, args].concat().into())?;
        receipt.created.ok_or_else(|| HostError::Invalid("no contract was created".to_owned()))
    }

    /// Sends a transaction that creates a contract from creation code with its encoded arguments.
    ///
    /// # Errors
    /// As [`Host::deploy`].
    pub fn create(&mut self, from: Address, code: Bytes) -> Result<Receipt, HostError> {
        self.send_raw(from, TxKind::Create, U256::ZERO, code)
    }

    /// Sends a transaction with raw calldata.
    ///
    /// # Errors
    /// A revert or halt, after which nothing but the block number has changed, or an invalid transaction.
    pub fn call(&mut self, from: Address, to: Address, value: U256, data: Bytes) -> Result<Receipt, HostError> {
        self.send_raw(from, TxKind::Call(to), value, data)
    }

    /// Sends a call of a contract's function as a transaction.
    ///
    /// # Errors
    /// As [`Host::call`]; and [`HostError::Decode`] if the answer is not the function's.
    pub fn send<C: SolCall>(
        &mut self,
        from: Address,
        to: Address,
        value: U256,
        call: &C,
    ) -> Result<(C::Return, Receipt), HostError> {
        let receipt = self.call(from, to, value, call.abi_encode().into())?;
        Ok((decode::<C>(&receipt.output)?, receipt))
    }

    /// What a transaction with this calldata would bring, without sending it.
    ///
    /// # Errors
    /// As [`Host::call`].
    pub fn static_call(&mut self, from: Address, to: Address, data: Bytes) -> Result<Receipt, HostError> {
        let calldata = data.clone();
        let result = self.evm.transact(transaction(from, TxKind::Call(to), U256::ZERO, data)).map_err(invalid)?;
        receipt(result.result, &calldata)
    }

    /// What a transaction that carries value would bring, without sending it.
    ///
    /// # Errors
    /// As [`Host::call`].
    pub fn trial(&mut self, from: Address, to: Address, value: U256, data: Bytes) -> Result<Receipt, HostError> {
        let calldata = data.clone();
        let result = self.evm.transact(transaction(from, TxKind::Call(to), value, data)).map_err(invalid)?;
        receipt(result.result, &calldata)
    }

    /// Asks a view function.
    ///
    /// # Errors
    /// As [`Host::send`].
    pub fn view<C: SolCall>(&mut self, to: Address, call: &C) -> Result<C::Return, HostError> {
        let receipt = self.static_call(Address::ZERO, to, call.abi_encode().into())?;
        decode::<C>(&receipt.output)
    }

    fn send_raw(&mut self, from: Address, kind: TxKind, value: U256, data: Bytes) -> Result<Receipt, HostError> {
        let calldata = data.clone();
        let result = self.evm.transact_commit(transaction(from, kind, value, data)).map_err(invalid)?;
        if !self.hold_block {
            self.roll(1);
        }
        receipt(result, &calldata)
    }

    fn account(&mut self, account: Address) -> Option<revm::state::AccountInfo> {
        self.evm.ctx.journaled_state.database.basic(account).ok().flatten()
    }
}

fn transaction(from: Address, kind: TxKind, value: U256, data: Bytes) -> TxEnv {
    TxEnv {
        caller: from,
        kind,
        value,
        data,
        gas_limit: TX_GAS_CAP,
        gas_price: 0,
        chain_id: Some(CHAIN_ID),
        ..TxEnv::default()
    }
}

fn receipt(result: ExecutionResult, calldata: &[u8]) -> Result<Receipt, HostError> {
    match result {
        ExecutionResult::Success { gas, logs, output, .. } => Ok(Receipt {
            gas_used: gas.tx_gas_used(),
            exec_gas: gas.total_gas_spent().saturating_sub(TX_BASE_GAS + data_gas(calldata)),
            calldata_bytes: calldata.len(),
            logs,
            created: output.address().copied(),
            output: output.into_data(),
        }),
        ExecutionResult::Revert { gas, output, .. } => {
            Err(HostError::Revert { gas_used: gas.tx_gas_used(), data: output })
        }
        ExecutionResult::Halt { gas, reason, .. } => {
            Err(HostError::Halt { gas_used: gas.tx_gas_used(), reason: format!("{reason:?}") })
        }
    }
}

/// Gas of calldata above the floor: 4 for a zero byte, 16 for another.
fn data_gas(calldata: &[u8]) -> u64 {
    calldata.iter().map(|&byte| if byte == 0 { 4 } else { 16 }).sum()
}

fn decode<C: SolCall>(output: &[u8]) -> Result<C::Return, HostError> {
    C::abi_decode_returns(output).map_err(|error| HostError::Decode(error.to_string()))
}

fn invalid<E: std::fmt::Display>(error: EVMError<E>) -> HostError {
    HostError::Invalid(error.to_string())
}

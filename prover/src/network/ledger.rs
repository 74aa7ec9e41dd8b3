//! A chain behind an endpoint as a ledger: several accounts send, and what each pays for gas is counted from the receipts.

use std::{collections::BTreeMap, thread, time::Duration};

use alloy_primitives::{Address, Bytes, U256};
use opml_contracts::HostError;

use super::{Done, Network as _, NetworkError, Request, Rpc, Sender, Wallet};
use crate::{
    error::ProverError,
    ledger::{Ledger, Sent},
};

/// Most blocks that are made or waited for: no rule of the contracts asks for more.
const BLOCKS: u64 = 16;
/// Between two looks at a clock that is waited for.
const PAUSE: Duration = Duration::from_secs(4);
/// Gas of a plain payment, with room for a replaced account's code.
const PAYMENT: u64 = 60_000;

/// How time passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// The chain is for tests: its time is moved.
    Moved,
    /// It is waited for.
    Waited,
}

/// The accounts of one person, or of a whole cast, on a chain.
#[derive(Debug)]
pub struct Remote {
    rpc: Rpc,
    wallets: BTreeMap<Address, Wallet>,
    paid: BTreeMap<Address, U256>,
    /// Most wei for a unit of gas.
    most: u128,
    clock: Clock,
}

impl Remote {
    /// A ledger without keys. The time of a chain for tests is moved; that of any other is waited for if `patient`.
    ///
    /// # Errors
    /// The endpoint does not answer; or the chain's time cannot be moved and is not to be waited for.
    pub fn new(rpc: Rpc, most: u128, patient: bool) -> Result<Self, ProverError> {
        let clock = match rpc.move_time(0) {
            Ok(()) => Clock::Moved,
            Err(NetworkError::Refused { .. }) if patient => Clock::Waited,
            Err(NetworkError::Refused { .. }) => {
                let why = "this goes on for more than a day of the chain's time, which cannot be moved on this chain; nothing was sent; \
                           --wait waits, a chain for tests such as anvil takes seconds";
                return Err(ProverError::Stage(why.to_owned()));
            }
            Err(error) => return Err(error.into()),
        };
        Ok(Self { rpc, wallets: BTreeMap::new(), paid: BTreeMap::new(), most, clock })
    }

    /// Takes in a key: its account may send.
    pub fn trust(&mut self, wallet: Wallet) {
        self.wallets.insert(wallet.account(), wallet);
    }

    /// Sends what an account holds to another, but for what the gas of that may cost.
    ///
    /// # Errors
    /// The endpoint does not answer, or refuses.
    pub fn sweep(&mut self, from: Address, to: Address) -> Result<(), ProverError> {
        let (fee, _) = self.rpc.fees()?;
        let gas = U256::from(PAYMENT).saturating_mul(U256::from(fee));
        let rest = self.rpc.balance(from)?.saturating_sub(gas);
        if rest.is_zero() { Ok(()) } else { self.transact("payment", from, Some(to), rest, Bytes::new()).map(drop) }
    }

    fn wait_until(&self, time: u64, number: u64) -> Result<(), ProverError> {
        loop {
            match self.rpc.head() {
                Ok(head) if head.time >= time && head.number >= number => return Ok(()),
                // An endpoint that fails for a while does not stop the clock.
                Ok(_) => {}
                Err(error) if error.is_passing() => {}
                Err(error) => return Err(error.into()),
            }
            thread::sleep(PAUSE);
        }
    }
}

impl Ledger for Remote {
    fn transact(
        &mut self,
        what: &'static str,
        from: Address,
        to: Option<Address>,
        value: U256,
        data: Bytes,
    ) -> Result<Sent, ProverError> {
        let wallet = self.wallets.get(&from);
        let wallet = wallet.ok_or_else(|| ProverError::Stage(format!("there is no key of the account {from}")))?;
        let calldata_bytes = data.len();
        let sender = Sender { network: &self.rpc, wallet, most: self.most, dry: false };
        let mined = match sender.send(what, to, value, data).map_err(|error| named(what, error))? {
            Done::Mined(mined) => mined,
            Done::Would(..) => return Err(ProverError::Stage(format!("{what} was not sent"))),
        };
        let paid = self.paid.entry(from).or_default();
        *paid = paid.saturating_add(mined.cost);
        Ok(Sent { gas: mined.gas, calldata_bytes, logs: mined.logs, created: mined.created })
    }

    fn question(&mut self, what: &'static str, to: Address, data: Bytes) -> Result<Bytes, ProverError> {
        let request = Request { from: Address::ZERO, to: Some(to), value: U256::ZERO, data };
        self.rpc.call(&request).map_err(|error| named(what, error))
    }

    fn estimate(&mut self, from: Address, to: Address, data: Bytes) -> Option<u64> {
        self.rpc.estimate(&Request { from, to: Some(to), value: U256::ZERO, data }).ok()
    }

    fn wealth(&mut self, account: Address) -> Result<U256, ProverError> {
        Ok(self.rpc.balance(account)?)
    }

    fn gas_paid(&self, account: Address) -> U256 {
        self.paid.get(&account).copied().unwrap_or_default()
    }

    fn time(&mut self) -> Result<u64, ProverError> {
        Ok(self.rpc.head()?.time)
    }

    fn pass(&mut self, seconds: u64, blocks: u64) -> Result<(), ProverError> {
        let blocks = blocks.min(BLOCKS);
        match self.clock {
            Clock::Moved => {
                self.rpc.move_time(seconds)?;
                for _ in 0..blocks {
                    self.rpc.mine()?;
                }
                Ok(())
            }
            Clock::Waited => {
                let head = self.rpc.head()?;
                self.wait_until(head.time.saturating_add(seconds), head.number.saturating_add(blocks))
            }
        }
    }
}

/// A refusal with the name of what was refused, as the chain of this process says it.
fn named(what: &'static str, error: NetworkError) -> ProverError {
    match error {
        NetworkError::Reverted { data } => ProverError::Chain { what, error: HostError::Revert { gas_used: 0, data } },
        error => error.into(),
    }
}

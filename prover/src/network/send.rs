//! One transaction after the other: signed, sent, and waited for.

use std::{thread, time::Duration};

use alloy_primitives::{Address, B256, Bytes, U256};

use super::{Mined, Network, NetworkError, Request, Terms, Wallet};
use crate::units;

/// Most gas that a transaction may use (EIP-7825).
const GAS_CAP: u64 = 16_777_216;
/// How often and how far apart the receipt is asked for.
const LOOKS: u32 = 1_200;
const PAUSE: Duration = Duration::from_millis(250);
/// How often in a row an endpoint may fail to tell of a receipt; each time it was asked again several times already.
const SILENCE: u32 = 8;

/// Sends an account's transactions and waits for each.
pub struct Sender<'a> {
    /// The chain.
    pub network: &'a dyn Network,
    /// The key.
    pub wallet: &'a Wallet,
    /// Most wei for a unit of gas.
    pub most: u128,
    /// Nothing is sent.
    pub dry: bool,
}

/// What became of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// It is in a block and went through.
    Mined(Mined),
    /// It would be sent, with this gas and at most this cost in wei.
    Would(u64, U256),
}

impl Sender<'_> {
    /// Sends a transaction to a contract (none: a deployment), and waits until it is in a block.
    ///
    /// # Errors
    /// The contract refuses it, it is too dear, the account cannot pay it, or the endpoint does not answer.
    pub fn send(
        &self,
        what: &'static str,
        to: Option<Address>,
        value: U256,
        data: Bytes,
    ) -> Result<Done, NetworkError> {
        let request = Request { from: self.wallet.account(), to, value, data };
        let refused = |why: String| NetworkError::Refused { what, why };
        let gas = self.network.estimate(&request)?;
        let gas = gas.saturating_add(gas / 5).min(GAS_CAP);
        let (fee, tip) = self.network.fees()?;
        if fee > self.most {
            return Err(refused(format!(
                "a unit of gas costs {fee} wei, more than --max-fee allows; wait, or raise it"
            )));
        }
        let cost = value.saturating_add(U256::from(gas).saturating_mul(U256::from(fee)));
        let balance = self.network.balance(request.from)?;
        if balance < cost {
            let (cost, has) = (units::ether(cost), units::ether(balance));
            return Err(refused(format!("it may cost {cost}, the account {} has {has}", request.from)));
        }
        if self.dry {
            return Ok(Done::Would(gas, cost));
        }
        let terms = Terms { nonce: self.network.nonce(request.from)?, gas, fee, tip };
        let signed = self.wallet.sign(self.network.chain_id(), &request, &terms)?;
        match self.network.submit(&signed) {
            // It may have arrived all the same: only its receipt tells.
            Err(error) if !error.is_passing() => Err(error),
            _ => self.receipt(what, signed.hash).map(Done::Mined),
        }
    }

    /// Waits until a transaction is in a block.
    fn receipt(&self, what: &'static str, hash: B256) -> Result<Mined, NetworkError> {
        let refused = |why: String| NetworkError::Refused { what, why };
        let mut silent = 0;
        for _ in 0..LOOKS {
            match self.network.mined(hash) {
                Ok(Some(mined)) if mined.success => return Ok(mined),
                Ok(Some(_)) => return Err(refused(format!("transaction {hash} reverted"))),
                Ok(None) => silent = 0,
                Err(error) if error.is_passing() && silent < SILENCE => silent += 1,
                Err(error) if error.is_passing() => {
                    return Err(refused(format!(
                        "{error}; transaction {hash} may have been sent: look for it before sending again"
                    )));
                }
                Err(error) => return Err(error),
            }
            thread::sleep(PAUSE);
        }
        Err(refused(format!("transaction {hash} is in no block after five minutes; look for it before sending again")))
    }
}

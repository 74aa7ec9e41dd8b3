//! Sends what is due: noted on the disk before it is sent, sent again until it stands in a block, dearer if it waits too long.
//!
//! After a crash the same bytes are sent again, so nothing is paid twice. After a reorganisation that drops a transaction the duty is due
//! again, and the transaction still noted.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};

use super::{AgentError, Duty, Ledger, Sent};
use crate::network::{Block, Network, NetworkError, Request, Signed, Terms, Wallet};

/// Most gas that a transaction may use (EIP-7825).
const GAS_CAP: u64 = 16_777_216;
/// Gas on top of an estimate: the state may be another when the transaction runs.
const RESERVE: u64 = 10_000;
/// Blocks after which a transaction that waits is replaced by a dearer one.
const WAIT: u64 = 5;
/// Blocks for which a settled transaction stays noted: as long as a reorganisation may drop it.
const KEPT: u64 = 64;
/// How often a duty whose transactions reverted is tried again at once; then after pauses that double.
const TRIES: u32 = 5;

/// What became of a duty in one round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Its transaction was handed in.
    Sent(String),
    /// The contract would refuse it now; it may be due again later.
    Refused(String, String),
    /// The account cannot pay for it.
    TooPoor(String, U256),
    /// Its fee is above the limit.
    TooDear(String, u128),
    /// It would be sent, with this gas and at most this cost in wei at the dearest gas that is paid, if this were not a dry run.
    Would(String, u64, U256),
    /// A claim cannot be judged.
    Unjudged(B256, String),
    /// A claim's disputes cannot be played at present: the clock runs.
    Unplayed(B256, String),
}

/// The transactions of one account.
pub struct Outbox<'a> {
    /// The chain.
    pub network: &'a dyn Network,
    /// The key.
    pub wallet: &'a Wallet,
    /// The contract that single claims are on.
    pub contract: Address,
    /// Most wei for a unit of gas.
    pub most: u128,
    /// Nothing is sent.
    pub dry: bool,
    /// What was signed so far.
    pub ledger: &'a dyn Ledger,
}

impl Outbox<'_> {
    /// Sends what is due at `head`; gives what became of each duty that is not under way already.
    ///
    /// # Errors
    /// The endpoint does not answer, or what was signed cannot be read or noted.
    pub fn send(&self, head: Block, duties: &[Duty]) -> Result<Vec<Progress>, AgentError> {
        let mut noted: BTreeMap<B256, Sent> = self.ledger.sent()?.into_iter().collect();
        let next = self.network.nonce(self.wallet.account())?;
        let mut progress = Vec::new();
        if !self.dry {
            self.keep_going(head, next, &mut noted, &mut progress)?;
        }
        for duty in duties {
            let earlier = noted.get(&duty.key);
            if !self.is_due(head, next, earlier)? {
                continue;
            }
            let taken: Vec<u64> = noted.values().map(|sent| sent.nonce).collect();
            let nonce = (next..).find(|nonce| !taken.contains(nonce)).unwrap_or(next);
            let tries = earlier.map_or(1, |sent| sent.tries.saturating_add(1));
            match self.offer(head, duty, (nonce, tries), earlier.map(|sent| B256::from(sent.hash)))? {
                Ok(Some(sent)) => {
                    noted.insert(duty.key, sent);
                    progress.push(Progress::Sent(duty.what.clone()));
                }
                // Another worker was first.
                Ok(None) => {}
                Err(why) => progress.push(why),
            }
        }
        Ok(progress)
    }

    /// Whether a new transaction is needed for a duty for which `earlier` was sent.
    fn is_due(&self, head: Block, next: u64, earlier: Option<&Sent>) -> Result<bool, AgentError> {
        let Some(sent) = earlier else { return Ok(true) };
        Ok(match self.network.mined(B256::from(sent.hash))? {
            // It is in a block that the book does not have yet.
            Some(mined) if mined.success && mined.block.saturating_add(1) >= head.number => false,
            // It reverted, or stands in a block without having been enough: a new one.
            Some(_) => sent.tries < TRIES || head.number >= sent.block.saturating_add(1 << sent.tries.min(20)),
            None => sent.nonce < next,
        })
    }

    /// Hands in again what is noted and in no block; forgets what is settled.
    fn keep_going(
        &self,
        head: Block,
        next: u64,
        noted: &mut BTreeMap<B256, Sent>,
        progress: &mut Vec<Progress>,
    ) -> Result<(), AgentError> {
        // Of a fleet one is enough.
        if noted.is_empty() || !self.ledger.hold(keccak256("outbox"))? {
            return Ok(());
        }
        let gap = !noted.values().any(|sent| sent.nonce == next);
        let first = noted.values().map(|sent| sent.nonce).filter(|nonce| *nonce > next).min();
        let mut gone = Vec::new();
        for (&key, sent) in noted.iter_mut() {
            let mined = self.network.mined(B256::from(sent.hash))?;
            let waits = head.number >= sent.block.saturating_add(WAIT);
            match mined {
                Some(mined) if mined.block.saturating_add(KEPT) < head.number => gone.push((key, sent.hash)),
                Some(_) => {}
                // Another transaction took its number; or the endpoint that has no receipt lags behind.
                None if sent.nonce < next => gone.extend(waits.then_some((key, sent.hash))),
                None => {
                    // Nothing will be sent with the number before it: what had that was refused, or its sender died.
                    if gap && waits && first == Some(sent.nonce) {
                        sent.nonce = next;
                    }
                    progress.extend(self.again(head, key, sent)?);
                }
            }
        }
        for (key, hash) in gone {
            self.ledger.settle(key, hash.into())?;
            noted.remove(&key);
        }
        Ok(())
    }

    /// Hands a transaction in again, or a dearer one in its place.
    fn again(&self, head: Block, key: B256, sent: &mut Sent) -> Result<Option<Progress>, AgentError> {
        let request =
            self.request(sent.to.map(Address::from), U256::from_be_bytes(sent.value), sent.data.clone().into());
        let earlier = sent.hash;
        let waits = head.number >= sent.block.saturating_add(WAIT);
        let mut word = None;
        if waits {
            // Nodes take a replacement only if it pays a tenth more.
            let dearer = sent.fee.saturating_add(sent.fee / 4).max(self.network.fees()?.0);
            if dearer > self.most {
                word = Some(Progress::TooDear(sent.what.clone(), dearer));
            } else {
                (sent.fee, sent.tip) = (dearer, sent.tip.saturating_add(sent.tip / 4).saturating_add(1));
                sent.block = head.number;
            }
        }
        let signed = self.sign(&request, sent)?;
        if signed.hash.0 != earlier {
            sent.hash = signed.hash.0;
            if !self.ledger.note(key, sent, Some(earlier.into()))? {
                return Ok(None);
            }
        }
        match self.network.submit(&signed) {
            // It may have been mined, or replaced, since; what goes on for long is worth a word.
            Err(error @ (NetworkError::Refused { .. } | NetworkError::Reverted { .. })) => {
                Ok(word.or_else(|| waits.then(|| Progress::Refused(sent.what.clone(), error.to_string()))))
            }
            Ok(()) => Ok(word),
            Err(error) => Err(error.into()),
        }
    }

    fn request(&self, to: Option<Address>, value: U256, data: Bytes) -> Request {
        Request { from: self.wallet.account(), to: Some(to.unwrap_or(self.contract)), value, data }
    }

    fn sign(&self, request: &Request, sent: &Sent) -> Result<Signed, AgentError> {
        let terms = Terms { nonce: sent.nonce, gas: sent.gas, fee: sent.fee, tip: sent.tip };
        Ok(self.wallet.sign(self.network.chain_id(), request, &terms)?)
    }

    /// Signs, notes and hands in a transaction for a duty, in place of the one with the hash `over`. None: another worker was first.
    fn offer(
        &self,
        head: Block,
        duty: &Duty,
        (nonce, tries): (u64, u32),
        over: Option<B256>,
    ) -> Result<Result<Option<Sent>, Progress>, AgentError> {
        let request = self.request(duty.to, duty.value, duty.data.clone());
        let what = duty.what.clone();
        let gas = match self.network.estimate(&request) {
            Ok(gas) => gas.saturating_add(gas / 5).saturating_add(RESERVE).min(GAS_CAP),
            Err(error @ (NetworkError::Reverted { .. } | NetworkError::Refused { .. })) => {
                return Ok(Err(Progress::Refused(what, error.to_string())));
            }
            Err(error) => return Err(error.into()),
        };
        let (fee, tip) = self.network.fees()?;
        if fee > self.most {
            return Ok(Err(Progress::TooDear(what, fee)));
        }
        let cost = duty.value.saturating_add(U256::from(gas).saturating_mul(U256::from(fee)));
        if self.network.balance(request.from)? < cost {
            return Ok(Err(Progress::TooPoor(what, cost)));
        }
        if self.dry {
            let most = duty.value.saturating_add(U256::from(gas).saturating_mul(U256::from(self.most)));
            return Ok(Err(Progress::Would(what, gas, most)));
        }
        let mut sent = Sent {
            what,
            to: duty.to.map(|to| to.into_array()),
            nonce,
            gas,
            fee,
            tip,
            value: duty.value.to_be_bytes(),
            data: duty.data.to_vec(),
            hash: [0; 32],
            block: head.number,
            tries,
        };
        let signed = self.sign(&request, &sent)?;
        sent.hash = signed.hash.0;
        // First the disk, then the chain: what was sent is known after a crash.
        if !self.ledger.note(duty.key, &sent, over)? {
            return Ok(Ok(None));
        }
        match self.network.submit(&signed) {
            Ok(()) | Err(NetworkError::Unreachable { .. }) => Ok(Ok(Some(sent))),
            Err(error @ (NetworkError::Refused { .. } | NetworkError::Reverted { .. })) => {
                // A worker that was quicker to hand it in is no refusal.
                if self.network.mined(signed.hash)?.is_some() {
                    return Ok(Ok(Some(sent)));
                }
                self.ledger.settle(duty.key, signed.hash)?;
                Ok(Err(Progress::Refused(sent.what, error.to_string())))
            }
            Err(error) => Err(error.into()),
        }
    }
}

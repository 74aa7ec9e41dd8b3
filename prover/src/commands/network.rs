//! The commands on a chain that strangers share.

mod play;
mod set_up;
mod status;
mod submit;

use alloy_primitives::U256;
use anyhow::Result;
use serde::Serialize;

use crate::{
    arguments::network::{Link, Signing},
    network::{Deployment, Done, NetworkError, Rpc, Sender, Wallet},
    units,
};

pub(super) use play::{defend, watch};
pub(super) use set_up::{deploy, register, request};
pub(super) use status::status;
pub(super) use submit::{submit, withdraw};

/// A connected command: the chain, the key, and where the contracts are.
struct Session {
    rpc: Rpc,
    wallet: Wallet,
    most: u128,
    dry: bool,
}

impl Session {
    fn open(link: &Link, signing: &Signing) -> Result<Self> {
        let wallet = Wallet::open(signing.keystore.as_deref())?;
        let rpc = Rpc::connect(&link.endpoint)?;
        Ok(Self { rpc, wallet, most: wei(signing), dry: signing.dry_run })
    }

    const fn sender(&self) -> Sender<'_> {
        Sender { network: &self.rpc, wallet: &self.wallet, most: self.most, dry: self.dry }
    }
}

fn wei(signing: &Signing) -> u128 {
    u128::from(signing.max_fee).saturating_mul(1_000_000_000)
}

fn deployment(link: &Link) -> Result<Deployment> {
    Ok(Deployment::read(&link.deployment)?)
}

/// What one transaction cost, or may cost.
#[derive(Debug, Serialize)]
struct Paid {
    /// Whether it was sent.
    sent: bool,
    /// Gas: used, or allowed for.
    gas: u64,
    /// Wei for it: paid, or at most with what goes with it.
    wei: String,
}

impl Paid {
    fn of(done: &Done) -> Self {
        match done {
            Done::Mined(mined) => Self { sent: true, gas: mined.gas, wei: mined.cost.to_string() },
            Done::Would(gas, cost) => Self { sent: false, gas: *gas, wei: cost.to_string() },
        }
    }

    fn words(&self) -> String {
        let wei = self.wei.parse::<U256>().unwrap_or_default();
        let gas = units::grouped(self.gas);
        match self.sent {
            true => format!("{gas} gas, {}", units::ether(wei)),
            false => format!("nothing was sent: up to {gas} gas and {} in all", units::ether(wei)),
        }
    }
}

/// A refusal that means that the work was done before.
fn is_done_already(error: &NetworkError, selector: [u8; 4]) -> bool {
    matches!(error, NetworkError::Reverted { data } if data.starts_with(&selector))
}

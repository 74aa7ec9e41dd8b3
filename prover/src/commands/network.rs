//! The commands on a chain that strangers share.

mod attention;
mod batch;
mod play;
mod set_up;
mod status;
mod submit;

use alloy_primitives::{Address, Bytes, U256};
use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::{
    agent::AgentError,
    arguments::{
        market::Access,
        network::{Link, Signing},
    },
    commands::AGREE,
    network::{Deployment, Done, Network as _, NetworkError, Rpc, Sender, Wallet},
    output::Output,
    units,
};

pub(super) use attention::attention;
pub(super) use batch::batch;
pub(super) use play::{defend, watch};
pub(super) use set_up::{deploy, register, request};
pub(super) use status::status;
pub(super) use submit::{Work, read, submit, withdraw};

/// A connected command: the chain, the key, and where the contracts are.
pub(super) struct Session {
    pub(super) rpc: Rpc,
    pub(super) wallet: Wallet,
    most: u128,
    dry: bool,
}

impl Session {
    pub(super) fn open(link: &Link, signing: &Signing) -> Result<Self> {
        let wallet = Wallet::open(signing.keystore.as_deref())?;
        let rpc = Rpc::connect(&link.endpoint)?;
        Ok(Self { rpc, wallet, most: wei(signing), dry: signing.dry_run })
    }

    pub(super) const fn sender(&self) -> Sender<'_> {
        Sender { network: &self.rpc, wallet: &self.wallet, most: self.most, dry: self.dry }
    }
}

fn wei(signing: &Signing) -> u128 {
    u128::from(signing.max_fee).saturating_mul(1_000_000_000)
}

/// Where the contracts are, which must be on the chain of the endpoint.
pub(super) fn deployment(link: &Link, rpc: &Rpc) -> Result<Deployment> {
    let place = Deployment::read(&link.deployment)?;
    let (expected, found) = (place.chain_id, rpc.chain_id());
    if expected == found { Ok(place) } else { Err(AgentError::OtherChain { expected, found }.into()) }
}

/// What one transaction cost, or may cost.
#[derive(Debug, Serialize)]
pub(super) struct Paid {
    /// Whether it was sent.
    sent: bool,
    /// Gas: used, or allowed for.
    gas: u64,
    /// Wei for it: paid, or at most with what goes with it.
    wei: String,
}

impl Paid {
    pub(super) fn of(done: &Done) -> Self {
        match done {
            Done::Mined(mined) => Self { sent: true, gas: mined.gas, wei: mined.cost.to_string() },
            Done::Would(gas, cost) => Self { sent: false, gas: *gas, wei: cost.to_string() },
        }
    }

    /// Whether it was sent.
    pub(super) const fn is_sent(&self) -> bool {
        self.sent
    }

    pub(super) fn words(&self) -> String {
        let wei = self.wei.parse::<U256>().unwrap_or_default();
        let gas = units::grouped(self.gas);
        match self.sent {
            true => format!("{gas} gas, {}", units::ether(wei)),
            false => format!("nothing was sent: up to {gas} gas and {} in all", units::ether(wei)),
        }
    }
}

#[derive(Serialize)]
struct Beside {
    contract: Option<String>,
    paid: Paid,
}

/// Deploys a contract and notes it in the deployment file.
fn beside(
    access: &Access,
    output: Output,
    what: &'static str,
    code: impl FnOnce(&Session, &Deployment) -> Result<Bytes>,
    note: impl FnOnce(&mut Deployment, Address),
) -> Result<u8> {
    let session = Session::open(&access.link, &access.signing)?;
    let mut place = deployment(&access.link, &session.rpc)?;
    let done = session.sender().send(what, None, U256::ZERO, code(&session, &place)?)?;
    let mut deployed = Beside { contract: None, paid: Paid::of(&done) };
    if let Done::Mined(mined) = done {
        let contract = mined.created.context("the deployment made no contract")?;
        note(&mut place, contract);
        place.write(&access.link.deployment)?;
        deployed.contract = Some(contract.to_string());
    }
    let file = access.link.deployment.display().to_string();
    output.result(&deployed, |deployed| match &deployed.contract {
        Some(contract) => format!("{what} contract {contract}; {file} tells where. {}.", deployed.paid.words()),
        None => format!("{what}: {}.", deployed.paid.words()),
    })?;
    Ok(AGREE)
}

/// A refusal that means that the work was done before.
fn is_done_already(error: &NetworkError, selector: [u8; 4]) -> bool {
    matches!(error, NetworkError::Reverted { data } if data.starts_with(&selector))
}

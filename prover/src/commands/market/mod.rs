//! The economy on a chain that strangers share, one step at a time.

mod answer;
mod ask;
mod imo;
mod mint;
mod revenue;

use alloy_primitives::{Address, Log, U256};
use alloy_sol_types::SolCall;
use anyhow::{Context as _, Result, bail};
use opml_contracts::abi::{Dispute, Offering, OfferingFactory};
use opml_vm::Program;
use serde::Serialize;

use super::network::{Paid, Session, deployment};
use crate::{
    agent::root_of,
    arguments::{market::Access, network::Link},
    chain::register_call,
    commands::AGREE,
    network::{Deployment, Done, Market, Network, NetworkError, Rpc, view},
    output::Output,
};

pub(super) use ask::ask;
pub(super) use imo::imo;
pub(super) use mint::mint;
pub(super) use revenue::revenue;

/// What a command sees of the chain: the contracts, and their answers.
struct Window {
    rpc: Rpc,
    place: Deployment,
}

impl Window {
    fn open(link: &Link) -> Result<Self> {
        let rpc = Rpc::connect(&link.endpoint)?;
        let place = deployment(link, &rpc)?;
        Ok(Self { rpc, place })
    }
}

/// What a command that sends has at hand, and what it has paid so far.
struct Desk {
    session: Session,
    place: Deployment,
    paid: Vec<Paid>,
}

impl Desk {
    fn open(access: &Access) -> Result<Self> {
        let session = Session::open(&access.link, &access.signing)?;
        let place = deployment(&access.link, &session.rpc)?;
        Ok(Self { session, place, paid: Vec::new() })
    }

    const fn account(&self) -> Address {
        self.session.wallet.account()
    }

    /// Sends a call; gives its events, or none in a dry run, after which nothing that builds on it can be tried.
    fn send<C: SolCall>(&mut self, to: Address, value: U256, call: &C) -> Result<Option<Vec<Log>>> {
        let name = C::SIGNATURE.split('(').next().unwrap_or(C::SIGNATURE);
        let done = self.session.sender().send(name, Some(to), value, call.abi_encode().into());
        self.done(&done.context(name)?)
    }

    /// Notes what a transaction cost; gives its events if it was sent.
    fn done(&mut self, done: &Done) -> Result<Option<Vec<Log>>> {
        self.paid.push(Paid::of(done));
        Ok(match done {
            Done::Mined(mined) => Some(mined.logs.clone()),
            Done::Would(..) => None,
        })
    }

    /// Registers a model that the claims contract does not know; false if it could only be tried.
    fn register(&mut self, program: &Program) -> Result<bool> {
        let known = self.ask(self.place.dispute, &Dispute::modelOfCall { modelRoot: root_of(program) })?;
        if !known.header.is_zero() {
            return Ok(true);
        }
        Ok(self.send(self.place.dispute, U256::ZERO, &register_call(program))?.is_some())
    }
}

/// Whoever can ask the contracts of a market.
trait Asks {
    fn network(&self) -> &dyn Network;

    fn place(&self) -> &Deployment;

    fn ask<C: SolCall>(&self, to: Address, call: &C) -> Result<C::Return, NetworkError> {
        view(self.network(), to, call)
    }

    fn oracle(&self) -> Result<Address> {
        self.contract("oracle", |market| market.oracle)
    }

    fn factory(&self) -> Result<Address> {
        self.contract("factory of offerings", |market| market.factory)
    }

    fn contract(&self, name: &str, which: impl FnOnce(&Market) -> Option<Address>) -> Result<Address> {
        let found = self.place().market.as_ref().and_then(which);
        found.with_context(|| format!("the deployment file names no {name}; `opml imo deploy` puts one there"))
    }

    /// An offering of this market's factory: money goes to no other.
    fn offering(&self, offering: Address) -> Result<Address> {
        if self.is_offering(offering)? {
            return Ok(offering);
        }
        bail!(
            "{offering} is no offering of the factory {}; `opml imo launch` prints an offering's address",
            self.factory()?
        )
    }

    fn is_offering(&self, address: Address) -> Result<bool> {
        Ok(self.ask(self.factory()?, &OfferingFactory::isOfferingCall { offering: address })?)
    }

    /// What an address stands for: the contract itself, or what an offering says, which is not there before its success.
    fn through<C>(&self, address: Address, what: &str, call: &C) -> Result<Address>
    where
        C: SolCall<Return = Address>,
    {
        if self.place().market.is_none() || !self.is_offering(address)? {
            return Ok(address);
        }
        let found = self.ask(address, call)?;
        if found.is_zero() {
            bail!("the offering {address} has no {what}: it has not succeeded; `opml imo show` tells how it stands");
        }
        Ok(found)
    }

    fn token(&self, address: Address) -> Result<Address> {
        self.through(address, "token", &Offering::tokenCall {})
    }
}

impl Asks for Window {
    fn network(&self) -> &dyn Network {
        &self.rpc
    }

    fn place(&self) -> &Deployment {
        &self.place
    }
}

impl Asks for Desk {
    fn network(&self) -> &dyn Network {
        &self.session.rpc
    }

    fn place(&self) -> &Deployment {
        &self.place
    }
}

/// What a step came to, and what it cost.
#[derive(Serialize)]
struct Step<'a, T: Serialize> {
    #[serde(flatten)]
    result: &'a T,
    paid: &'a [Paid],
}

/// Prints what a step came to: `words` and what was paid.
fn finish<T: Serialize>(desk: &Desk, output: Output, result: &T, words: &str) -> Result<u8> {
    output.result(&Step { result, paid: &desk.paid }, |step| {
        let paid = step.paid.iter().map(Paid::words);
        [words.to_owned()].into_iter().filter(|words| !words.is_empty()).chain(paid).collect::<Vec<_>>().join("\n")
    })?;
    Ok(AGREE)
}

/// The end of a dry run whose first step can be told alone.
fn tried(desk: &Desk, output: Output) -> Result<u8> {
    finish(desk, output, &serde_json::json!({}), "What follows builds on it.")
}

//! Players for strangers: agents that follow a chain, decide what is due, and send it, through crashes and reorganisations.
//!
//! An agent decides from the chain alone: each round it looks at all that happened ([`Follower`]), derives what is due ([`Duty`]) and sends what is
//! not under way ([`Outbox`]). Nothing that it must not forget is in its memory.

mod attention;
mod book;
mod case;
mod challenger;
mod checks;
#[cfg(test)]
mod crashes;
#[cfg(test)]
mod crashes_beside;
mod duty;
mod error;
mod fleet;
mod follow;
mod ledger;
mod library;
#[cfg(test)]
mod local;
#[cfg(test)]
mod long;
mod office;
mod outbox;
mod parts;
mod store;
mod submitter;
#[cfg(test)]
mod tests;
mod vault;

use std::{
    path::{Path, PathBuf},
    rc::Rc,
};

use alloy_primitives::{B256, U256};
use alloy_sol_types::SolCall as _;
use opml_contracts::abi::Dispute;

use crate::{
    error::ProverError,
    lie::Fault,
    network::{Deployment, Network, Wallet, view},
};

pub use attention::salt_purpose;
pub use book::{Asked, Attended, Batched, Book, Claimed, Disputed, Model, Standing, Task};
pub use case::{Case, Verdict};
pub use duty::Duty;
pub use error::AgentError;
pub use fleet::{ADDRESS as FLEET, Fleet};
pub use follow::{Follower, Picture, events};
pub use ledger::{Able, Ledger, Open, Sent};
pub use library::{Library, Plan, root_of};
use office::Office;
pub use office::{slot, tiers};
pub use outbox::{Outbox, Progress};
pub use store::Store;
pub use vault::{Kind, Vault};

/// What an agent does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Checks all claims and challenges the wrong ones.
    Challenger,
    /// Answers the disputes on its own claims.
    Submitter,
}

/// How an agent is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// What it does.
    pub role: Role,
    /// Folder of its state.
    pub state: PathBuf,
    /// Blocks on top of one that is taken for settled.
    pub depth: u64,
    /// Most wei for a unit of gas.
    pub most: u128,
    /// Nothing is sent.
    pub dry: bool,
    /// Most elements of a run.
    pub budget: u64,
    /// A proof that costs more gas is cut further, where it can be.
    pub step_gas: u64,
    /// Most bytes of values of a run that are kept; a larger one is kept as checkpoints.
    pub memory: u64,
    /// Of a submitter for rehearsals: the lie that it stands by, and its seed.
    pub fault: Option<(Fault, u64)>,
}

/// One agent.
pub struct Agent {
    network: Box<dyn Network>,
    wallet: Wallet,
    deployment: Deployment,
    settings: Settings,
    store: Rc<Store>,
    ledger: Rc<dyn Ledger>,
    follower: Follower,
    library: Library,
    tiers: Vec<Dispute::Tier>,
    traces: office::Traces,
    known: checks::Known,
}

impl Agent {
    /// Starts an agent, or starts it again after it stopped in whatever way.
    ///
    /// # Errors
    /// The endpoint is on another chain, there is no such contract, or the state cannot be opened.
    pub fn start(
        network: Box<dyn Network>,
        wallet: Wallet,
        deployment: Deployment,
        library: Library,
        settings: Settings,
    ) -> Result<Self, AgentError> {
        let found = network.chain_id();
        if found != deployment.chain_id {
            return Err(AgentError::OtherChain { expected: deployment.chain_id, found });
        }
        let tiers = tiers(network.as_ref(), deployment.dispute)?;
        make(&settings.state)?;
        let path = settings.state.join("state.redb");
        let store = Rc::new(Store::open(&path, found, deployment.dispute, wallet.account())?);
        let ledger = store.clone();
        let follower = Follower::new(deployment, settings.depth, &store)?;
        let (traces, known) = Default::default();
        Ok(Self { network, wallet, deployment, settings, store, ledger, follower, library, tiers, traces, known })
    }

    /// Its memory.
    #[must_use]
    pub fn ledger(&self) -> Rc<dyn Ledger> {
        self.ledger.clone()
    }

    /// With a memory that it shares with others in place of its own file.
    #[must_use]
    pub fn with(self, ledger: Rc<dyn Ledger>) -> Self {
        Self { ledger, ..self }
    }

    /// Checks of claims that this process made since it started.
    #[must_use]
    pub const fn checks(&self) -> u64 {
        self.known.made
    }

    /// Whether the last round left checks for the next one, which should begin at once.
    #[must_use]
    pub const fn is_busy(&self) -> bool {
        self.known.busy
    }

    /// Looks, decides and sends, once.
    ///
    /// # Errors
    /// The endpoint does not answer, a file cannot be read or written, or a run is refused.
    pub fn round(&mut self) -> Result<Vec<Progress>, AgentError> {
        let picture = self.follower.look(self.network.as_ref(), &self.store)?;
        let mut office = Office {
            network: self.network.as_ref(),
            wallet: &self.wallet,
            deployment: self.deployment,
            ledger: self.ledger.as_ref(),
            known: &mut self.known,
            library: &mut self.library,
            tiers: &self.tiers,
            traces: &mut self.traces,
            budget: self.settings.budget,
            step_gas: self.settings.step_gas,
            memory: self.settings.memory,
            fault: self.settings.fault,
        };
        let mut said = Vec::new();
        let mut due = match self.settings.role {
            Role::Challenger => {
                checks::make(&mut office, &picture, &mut said)?;
                let mut due = challenger::duties(&mut office, &picture, &mut said)?;
                due.extend(attention::of_member(&mut office, &picture, &mut said)?);
                due
            }
            Role::Submitter => {
                let mut due = submitter::duties(&mut office, &picture, &mut said)?;
                due.extend(attention::of_submitter(&mut office, &picture, &mut said)?);
                due
            }
        };
        due.extend(self.withdrawals()?);
        let outbox = Outbox {
            network: self.network.as_ref(),
            wallet: &self.wallet,
            contract: self.deployment.dispute,
            most: self.settings.most,
            dry: self.settings.dry,
            ledger: self.ledger.as_ref(),
        };
        said.extend(outbox.send(picture.head, &due)?);
        Ok(said)
    }

    /// Fetches what the contracts owe the account.
    fn withdrawals(&self) -> Result<Vec<Duty>, AgentError> {
        let account = self.wallet.account();
        let mut due = Vec::new();
        for contract in self.deployment.followed() {
            let credit = view(self.network.as_ref(), contract, &Dispute::creditOfCall { account })?;
            if credit.is_zero() {
                continue;
            }
            let what = format!("withdraw {}", crate::units::ether(credit));
            let (subject, state) = (B256::from(credit), contract.into_word());
            let data = Dispute::withdrawCall {}.abi_encode().into();
            due.push(Duty::new("withdraw", subject, state, what, U256::ZERO, data).at(contract));
        }
        Ok(due)
    }
}

fn make(folder: &Path) -> Result<(), ProverError> {
    std::fs::create_dir_all(folder).map_err(|error| ProverError::Write { path: folder.to_path_buf(), error })
}

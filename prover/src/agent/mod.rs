//! Players for strangers: agents that follow a chain, decide what is due, and send it, through crashes and reorganisations.
//!
//! An agent decides from the chain alone: each round it looks at all that happened ([`Follower`]), derives what is due ([`Duty`]) and sends what is
//! not under way ([`Outbox`]). Nothing that it must not forget is in its memory.

mod book;
mod case;
mod challenger;
mod duty;
mod error;
mod follow;
mod library;
mod office;
mod outbox;
mod store;
mod submitter;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use alloy_primitives::{B256, U256};
use opml_contracts::abi::Dispute;

use crate::{
    error::ProverError,
    lie::Fault,
    network::{Deployment, Network, Wallet, view},
};

pub use book::{Book, Claimed, Disputed, Model, Standing, Task};
pub use case::{Case, Verdict};
pub use duty::Duty;
pub use error::AgentError;
pub use follow::{Follower, Picture};
pub use library::{Library, root_of};
use office::Office;
pub use office::tiers;
pub use outbox::{Outbox, Progress};
pub use store::Store;

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
    /// Of a submitter for rehearsals: the lie that it stands by, and its seed.
    pub fault: Option<(Fault, u64)>,
}

/// One agent.
pub struct Agent {
    network: Box<dyn Network>,
    wallet: Wallet,
    deployment: Deployment,
    settings: Settings,
    store: Store,
    follower: Follower,
    library: Library,
    tiers: Vec<Dispute::Tier>,
    traces: office::Traces,
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
        let store = Store::open(&path, found, deployment.dispute, wallet.account())?;
        let follower = Follower::new(deployment, settings.depth, &store)?;
        let traces = office::Traces::default();
        Ok(Self { network, wallet, deployment, settings, store, follower, library, tiers, traces })
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
            store: &self.store,
            library: &mut self.library,
            tiers: &self.tiers,
            traces: &mut self.traces,
            budget: self.settings.budget,
            fault: self.settings.fault,
        };
        let mut due = match self.settings.role {
            Role::Challenger => challenger::duties(&mut office, &picture)?,
            Role::Submitter => submitter::duties(&mut office, &picture)?,
        };
        due.extend(self.withdrawal()?);
        let outbox = Outbox {
            network: self.network.as_ref(),
            wallet: &self.wallet,
            contract: self.deployment.dispute,
            most: self.settings.most,
            dry: self.settings.dry,
            store: &self.store,
        };
        outbox.send(picture.head, &due)
    }

    /// Fetches what the contract owes the account.
    fn withdrawal(&self) -> Result<Option<Duty>, AgentError> {
        let account = self.wallet.account();
        let credit = view(self.network.as_ref(), self.deployment.dispute, &Dispute::creditOfCall { account })?;
        let what = || format!("withdraw {}", crate::units::ether(credit));
        let call = Dispute::withdrawCall {};
        Ok((!credit.is_zero()).then(|| Duty::once(B256::from(credit), what(), U256::ZERO, &call)))
    }
}

fn make(folder: &Path) -> Result<(), ProverError> {
    std::fs::create_dir_all(folder).map_err(|error| ProverError::Write { path: folder.to_path_buf(), error })
}

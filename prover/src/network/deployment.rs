//! Where the contracts are, in a file that all agents of a chain share; and the usual parameters of claims.

use std::path::Path;

use alloy_primitives::{Address, U256};
use opml_contracts::abi::Dispute;
use serde::{Deserialize, Serialize};

use crate::{chain::ETHER, error::ProverError, files};

/// The contracts on a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// The chain's id.
    pub chain_id: u64,
    /// The `Dispute` contract.
    #[serde(with = "address")]
    pub dispute: Address,
    /// Block of its deployment: no event is older.
    pub block: u64,
    /// What stands beside it, as `opml imo deploy` puts it there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub market: Option<Market>,
    /// `BatchDispute`, as `opml batch deploy` puts it there.
    #[serde(default, with = "maybe", skip_serializing_if = "Option::is_none")]
    pub batches: Option<Address>,
    /// `Attention`, as `opml attention deploy` puts it there.
    #[serde(default, with = "maybe", skip_serializing_if = "Option::is_none")]
    pub attention: Option<Address>,
}

/// The contracts of a market, as far as they are deployed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Market {
    /// `AIOracle`.
    #[serde(with = "maybe", skip_serializing_if = "Option::is_none")]
    pub oracle: Option<Address>,
    /// `TokenDeployer`.
    #[serde(with = "maybe", skip_serializing_if = "Option::is_none")]
    pub tokens: Option<Address>,
    /// `CollectionDeployer`.
    #[serde(with = "maybe", skip_serializing_if = "Option::is_none")]
    pub collections: Option<Address>,
    /// `OfferingFactory`.
    #[serde(with = "maybe", skip_serializing_if = "Option::is_none")]
    pub factory: Option<Address>,
    /// `OpmlAdapter`.
    #[serde(with = "maybe", skip_serializing_if = "Option::is_none")]
    pub adapter: Option<Address>,
}

impl Deployment {
    /// A `Dispute` contract alone.
    #[must_use]
    pub const fn alone(chain_id: u64, dispute: Address, block: u64) -> Self {
        Self { chain_id, dispute, block, market: None, batches: None, attention: None }
    }

    /// The same without batches and attention.
    #[must_use]
    pub const fn singles(self) -> Self {
        Self { batches: None, attention: None, ..self }
    }

    /// The contracts whose events agents follow, and that may owe an account something.
    pub fn followed(&self) -> impl Iterator<Item = Address> {
        [Some(self.dispute), self.batches, self.attention].into_iter().flatten()
    }

    /// Reads a deployment file.
    ///
    /// # Errors
    /// There is none, or it is no deployment file.
    pub fn read(path: &Path) -> Result<Self, ProverError> {
        let bytes = files::read(path)?;
        serde_json::from_slice(&bytes).map_err(|error| ProverError::Input {
            path: path.to_path_buf(),
            why: format!("not a deployment file, as `opml deploy` writes it: {error}"),
        })
    }

    /// Writes a deployment file.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), ProverError> {
        let text = serde_json::to_string_pretty(self).map_err(|error| ProverError::Stuck(error.to_string()))?;
        files::write(path, text.as_bytes())
    }
}

mod address {
    use alloy_primitives::Address;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(address: &Address, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&address.to_string())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Address, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

mod maybe {
    use alloy_primitives::Address;
    use serde::{Deserializer, Serializer};

    #[expect(clippy::ref_option, reason = "serde calls it so")]
    pub(super) fn serialize<S: Serializer>(address: &Option<Address>, serializer: S) -> Result<S::Ok, S::Error> {
        super::address::serialize(&address.unwrap_or_default(), serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Address>, D::Error> {
        super::address::deserialize(deserializer).map(Some)
    }
}

/// Usual times: the window of challenges, each player's clock, the time for a trace, the free delay of a turn, and the time that a trace
/// root must be open to be authoritative; in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// Its name on the command line.
    pub name: &'static str,
    window: u32,
    budget: u32,
    trace: u32,
    delay: u32,
    root: u32,
}

/// The tiers that `opml deploy` knows.
pub const TIERS: [Times; 3] = [
    Times { name: "week", window: 604_800, budget: 172_800, trace: 43_200, delay: 1_800, root: 302_400 },
    Times { name: "day", window: 86_400, budget: 43_200, trace: 7_200, delay: 600, root: 43_200 },
    Times { name: "hour", window: 3_600, budget: 1_200, trace: 600, delay: 60, root: 1_800 },
];

impl Times {
    /// A tier of these times with its bonds in wei.
    #[must_use]
    pub fn tier(&self, arity_log2: u8, bonds: (u128, u128)) -> Dispute::Tier {
        Dispute::Tier {
            window: self.window,
            budget: self.budget,
            traceTime: self.trace,
            delay: self.delay,
            rootWindow: self.root,
            arityLog2: arity_log2,
            bondS: alloy_primitives::Uint::from(bonds.0),
            bondC: alloy_primitives::Uint::from(bonds.1),
            ..crate::chain::tier(arity_log2)
        }
    }
}

/// An amount in ether as people write it.
///
/// # Errors
/// It is none, or too large.
pub fn ether(text: &str) -> Result<u128, String> {
    let wei = alloy_primitives::utils::parse_ether(text.trim().trim_end_matches("ETH").trim());
    let wei = wei.map_err(|error| format!("`{text}` is no amount in ether: {error}"))?;
    if wei > U256::from(1_000_000_000 * ETHER) { Err(format!("{text} ether do not exist")) } else { Ok(wei.to()) }
}

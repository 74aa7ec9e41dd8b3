//! What a client of `BatchDispute` needs besides its bindings: names, leaves and their openings (SPEC §8.8). The moves of a dispute are those
//! of `Dispute`: a leaf is a claim with a name like any other.

use alloy_primitives::{Address, B256, U256, keccak256};
use alloy_sol_types::SolValue;

use crate::abi::{
    BatchDispute::{Batch, Entry},
    Dispute::Claim,
};

/// Hash of a leaf.
#[must_use]
pub fn leaf_hash(entry: &Entry) -> B256 {
    keccak256([&[0x0b][..], &entry.abi_encode()].concat())
}

/// Name of a batch on a contract of a chain.
#[must_use]
pub fn batch_id(chain: u64, contract: Address, batch: &Batch) -> B256 {
    keccak256((U256::from(chain), contract, batch.clone()).abi_encode())
}

/// The claim that is leaf `j` of a batch.
#[must_use]
pub fn claim_of(batch: &Batch, j: u16, entry: &Entry) -> Claim {
    Claim {
        taskId: entry.taskId,
        T: entry.T,
        outputHash: entry.outputHash,
        submitter: batch.submitter,
        nonce: batch.nonce.to::<u64>() << 16 | u64::from(j),
    }
}

/// The tree over a batch's leaves: the root and the openings that challenges and consumers bring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaves {
    /// From the leaves up to the root; a level of odd length is continued by 0.
    levels: Vec<Vec<B256>>,
}

impl Leaves {
    /// The tree over these leaves, of which there is at least one.
    #[must_use]
    pub fn new(entries: &[Entry]) -> Self {
        let mut levels = vec![entries.iter().map(leaf_hash).collect::<Vec<_>>()];
        while let Some(below) = levels.last().filter(|level| level.len() > 1) {
            let level = below.chunks(2).map(node).collect();
            levels.push(level);
        }
        Self { levels }
    }

    /// The root; 0 of no leaves.
    #[must_use]
    pub fn root(&self) -> B256 {
        self.levels.last().and_then(|level| level.first()).copied().unwrap_or_default()
    }

    /// The siblings of leaf `j` that cover a real leaf, from below.
    #[must_use]
    pub fn path(&self, j: u16) -> Vec<B256> {
        let j = usize::from(j);
        self.levels.iter().enumerate().filter_map(|(level, nodes)| nodes.get((j >> level) ^ 1).copied()).collect()
    }
}

fn node(pair: &[B256]) -> B256 {
    let right = pair.get(1).copied().unwrap_or_default();
    keccak256([pair.first().copied().unwrap_or_default().0, right.0].concat())
}

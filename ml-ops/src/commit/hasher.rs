//! Batches of the three kinds of hashes that trees are made of.

use std::borrow::Borrow;

use opml_vm::{
    Hash,
    merkle::{HEADER_BYTES, LEAF_BYTES, ZERO},
};
use rayon::prelude::*;

use super::keccak::{blocks, keccak_equal, keccak_many};
use crate::tier::Tier;

/// Hashes batches and trees on one tier; the hashes are those of [`opml_vm::merkle`] on every tier and any number of
/// threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hasher {
    tier: Tier,
}

/// Permutations of a task.
const GRAIN: usize = 256;

/// Permutations that are worth a fork.
const FORK: usize = 1024;

/// Messages of a task: as many as the widest vectors hash at once.
const DIGESTS: usize = 8;

impl Hasher {
    /// The hasher of a tier, or of the best one below it that this CPU has.
    pub fn new(tier: Tier) -> Self {
        Self { tier: tier.usable() }
    }

    /// The hasher of [`Tier::current`].
    pub fn current() -> Self {
        Self::new(Tier::current())
    }

    /// The tier.
    pub const fn tier(self) -> Tier {
        self.tier
    }

    /// Hashes of tensor leaves, wherever they are.
    pub fn leaves(self, leaves: &[&[u8; LEAF_BYTES]]) -> Vec<Hash> {
        self.hashes::<LEAF_BYTES, { blocks(LEAF_BYTES) }, _>(leaves)
    }

    /// Appends the hashes of leaves, on this thread.
    pub(super) fn leaves_onto(self, leaves: &[[u8; LEAF_BYTES]], out: &mut Vec<Hash>) {
        let start = out.len();
        out.resize(start + leaves.len(), ZERO);
        let out = out.get_mut(start..).unwrap_or(&mut []);
        keccak_many::<LEAF_BYTES, { blocks(LEAF_BYTES) }, _>(self.tier, leaves, out);
    }

    /// The level above nodes of one tree, on this thread; a last node without a partner has the node above no leaf beside it.
    pub(super) fn above(self, mut nodes: Vec<Hash>) -> Vec<Hash> {
        nodes.resize(nodes.len().next_multiple_of(2), ZERO);
        let pairs: &[[u8; 64]] = nodes.as_flattened().as_chunks().0;
        let mut out = vec![ZERO; pairs.len()];
        keccak_many::<64, { blocks(64) }, _>(self.tier, pairs, &mut out);
        out
    }

    /// Hashes of pairs of nodes; a last one without a partner counts for nothing.
    pub fn nodes(self, nodes: &[Hash]) -> Vec<Hash> {
        self.hashes::<64, { blocks(64) }, _>(nodes.as_flattened().as_chunks().0)
    }

    /// Hashes of tensor headers.
    pub fn headers(self, headers: &[[u8; HEADER_BYTES]]) -> Vec<Hash> {
        self.hashes::<HEADER_BYTES, { blocks(HEADER_BYTES) }, _>(headers)
    }

    /// Keccak-256 of messages of any length, as [`opml_vm::merkle::keccak`]; those of one length that follow each other are
    /// hashed side by side.
    pub fn digests(self, messages: &[&[u8]]) -> Vec<Hash> {
        let mut out = vec![ZERO; messages.len()];
        let mut left = out.as_mut_slice();
        for equal in messages.chunk_by(|a, b| a.len() == b.len()) {
            let (own, others) = left.split_at_mut(equal.len());
            let permutations = equal.len().saturating_mul(blocks(equal.first().map_or(0, |message| message.len())));
            if permutations < FORK || equal.len() < 2 * DIGESTS {
                keccak_equal(self.tier, equal, own);
            } else {
                let tasks = equal.par_chunks(DIGESTS).zip(own.par_chunks_mut(DIGESTS));
                tasks.for_each(|(messages, out)| keccak_equal(self.tier, messages, out));
            }
            left = others;
        }
        out
    }

    fn hashes<const N: usize, const B: usize, M: Borrow<[u8; N]> + Sync>(self, messages: &[M]) -> Vec<Hash> {
        let mut out = vec![ZERO; messages.len()];
        if messages.len().saturating_mul(B) < FORK {
            keccak_many::<N, B, M>(self.tier, messages, &mut out);
        } else {
            let tasks = messages.par_chunks(GRAIN / B).zip(out.par_chunks_mut(GRAIN / B));
            tasks.for_each(|(messages, out)| keccak_many::<N, B, M>(self.tier, messages, out));
        }
        out
    }
}

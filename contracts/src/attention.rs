//! What submitters and members of a committee compute for `Attention`.

use alloy_primitives::{Address, B256, keccak256};

/// What a submitter commits to when it asks for attention.
#[must_use]
pub fn commitment(claim: B256, trace_root: B256, salt: B256) -> B256 {
    keccak256([&[0x0c], &claim[..], &trace_root[..], &salt[..]].concat())
}

/// A member's answer, which only the trace root gives.
#[must_use]
pub fn mark(claim: B256, trace_root: B256, member: Address) -> B256 {
    keccak256([&[0x0d], &claim[..], &trace_root[..], &member[..]].concat())
}

//! The parameters that in-process disputes are played under.

use opml_contracts::abi::Dispute;

use super::ETHER;

/// Bond of a claim, in wei.
#[must_use]
pub const fn bond_of_submitter() -> u128 {
    ETHER
}

/// Bond of a dispute, in wei.
#[must_use]
pub const fn bond_of_challenger() -> u128 {
    ETHER / 10
}

/// A tier with a day's window; its clocks never press in one process.
#[must_use]
pub fn tier(arity_log2: u8) -> Dispute::Tier {
    let hour = 3_600;
    Dispute::Tier {
        window: 24 * hour,
        budget: 12 * hour,
        traceTime: 2 * hour,
        delay: 600,
        rootWindow: 12 * hour,
        minBlocks: 5,
        burnS: 5_000,
        burnC: 2_500,
        weightOpen: 30,
        weightSelect: 12,
        weightProve: 25,
        arityLog2: arity_log2,
        bondS: alloy_primitives::Uint::from(bond_of_submitter()),
        bondC: alloy_primitives::Uint::from(bond_of_challenger()),
    }
}

//! What a dispute can ask of the submitter of a claim, whatever the challenger does.

use alloy_primitives::U256;
use opml_bisection::{Claim, most_moves};
use opml_contracts::{abi::Dispute, costs};
use opml_vm::{
    Program,
    bounds::{Bounds, InstructionBounds},
};
use serde::Serialize;

use crate::units;

/// The dearest dispute of a claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outlook {
    /// Most moves of the submitter's own.
    pub moves: u32,
    /// Most gas for them, by the numbers that the contract sizes bonds with.
    pub gas: u64,
    /// Most wei for it, at the dearest gas that the submitter pays.
    pub wei: String,
    /// Of the challenger's bond, wei that a submitter gets who wins it.
    pub won: String,
}

impl Outlook {
    /// Of a claim with an output of so many bytes, whose submitter pays `most` wei for a unit of gas.
    #[must_use]
    pub fn of(program: &Program, claim: &Claim, tier: &Dispute::Tier, output_bytes: usize, most: u128) -> Self {
        let bounds = Bounds::new(program, claim.max_length);
        let largest = |size: fn(&InstructionBounds) -> u128| {
            u64::try_from(bounds.instructions.iter().map(size).max().unwrap_or(1)).unwrap_or(u64::MAX)
        };
        let all = most_moves(claim, largest(|of| of.tensor_leaves), largest(|of| of.terms));
        let moves = all.div_ceil(2);
        let gas = costs::of_submitter(moves, tier.arityLog2, u64::try_from(output_bytes).unwrap_or(u64::MAX));
        let wei = U256::from(gas).saturating_mul(U256::from(most)).to_string();
        let burnt = U256::from(tier.bondC).saturating_mul(U256::from(tier.burnC)) / U256::from(10_000);
        let won = U256::from(tier.bondC).saturating_sub(burnt).to_string();
        Self { moves, gas, wei, won }
    }

    /// In a sentence.
    #[must_use]
    pub fn words(&self) -> String {
        let amount = |text: &str| units::ether(text.parse::<U256>().unwrap_or_default());
        let (gas, wei, won) = (units::grouped(self.gas), amount(&self.wei), amount(&self.won));
        format!(
            "A dispute asks for at most {} moves of yours and {gas} gas, {wei} at --max-fee; one that you win brings {won}.",
            self.moves
        )
    }
}

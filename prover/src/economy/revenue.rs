//! What holders of a model's token get.

use alloy_primitives::{Address, U256};
use opml_contracts::abi::{CreatorVesting, RevenueToken};
use serde::Serialize;

use super::{book::Book, cast::Actor, market::Launched};
use crate::{
    error::ProverError,
    ledger::{Ledger, event},
    units,
};

/// What a holder has, and got.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Holding {
    /// Who.
    pub holder: &'static str,
    /// Tokens, in units of 10^-18.
    pub tokens: String,
    /// Claimed, in wei.
    pub claimed: String,
}

/// Ends the period, and everybody claims; the creator's part is claimed into its vesting.
pub(super) fn share<N: Ledger>(book: &mut Book<N>, launched: &Launched) -> Result<Vec<Holding>, ProverError> {
    let what = "fetches what the oracle holds for the token";
    let sent = book.send(Actor::Creator, launched.token, U256::ZERO, &RevenueToken::snapshotCall {}, what)?;
    let id = event::<RevenueToken::SnapshotTaken>(&sent.logs)?.snapshotId;
    let mut holdings = Vec::new();
    for holder in [Some(Actor::Alice), Some(Actor::Bob), None] {
        let account = holder.map_or(launched.vesting, |actor| book.at(actor));
        let claimable = RevenueToken::claimableRevenueCall { account, snapshotId: id };
        let claimable = book.ask(launched.token, &claimable)?;
        if !claimable.is_zero() {
            claim(book, launched, holder, id, units::ether(claimable))?;
        }
        let tokens = book.ask(launched.token, &RevenueToken::balanceOfCall { account })?;
        let holder = holder.map_or("creator, vesting", Actor::name);
        holdings.push(Holding { holder, tokens: tokens.to_string(), claimed: claimable.to_string() });
    }
    Ok(holdings)
}

/// A holder claims; nobody: the creator for its vesting.
fn claim<N: Ledger>(
    book: &mut Book<N>,
    launched: &Launched,
    holder: Option<Actor>,
    id: U256,
    what: String,
) -> Result<(), ProverError> {
    let Some(holder) = holder else {
        let call = CreatorVesting::collectCall { token: launched.token, snapshotId: id, asset: Address::ZERO };
        return book.send(Actor::Creator, launched.vesting, U256::ZERO, &call, what).map(drop);
    };
    book.send(holder, launched.token, U256::ZERO, &RevenueToken::claimCall { snapshotId: id }, what).map(drop)
}

/// A holder burns tokens for their share of what is kept for burners.
pub(super) fn redeem<N: Ledger>(
    book: &mut Book<N>,
    launched: &Launched,
    who: Actor,
    amount: U256,
) -> Result<U256, ProverError> {
    let due = book.ask(launched.token, &RevenueToken::redeemableOnBurnCall { amount })?;
    let what = format!("{} redeemed for {}", units::ether(amount).replace("ETH", "tokens"), units::ether(due));
    book.send(who, launched.token, U256::ZERO, &RevenueToken::burnCall { amount }, what)?;
    Ok(due)
}

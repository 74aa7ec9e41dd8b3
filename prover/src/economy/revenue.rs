//! What holders of a model's token get.

use alloy_primitives::{Address, U256};
use opml_contracts::abi::{CreatorVesting, RevenueToken};
use serde::Serialize;

use super::{
    book::Book,
    cast::{ALICE, BOB, CREATOR, name},
    ledger::{Ledger, event},
    market::Launched,
};
use crate::{error::ProverError, units};

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
    let receipt = book.send(CREATOR, launched.token, U256::ZERO, &RevenueToken::snapshotCall {}, what)?;
    let id = event::<RevenueToken::SnapshotTaken>(&receipt)?.snapshotId;
    let mut holdings = Vec::new();
    for account in [ALICE, BOB, launched.vesting] {
        let claimable = RevenueToken::claimableRevenueCall { account, snapshotId: id };
        let claimable = book.ask(launched.token, &claimable)?;
        if !claimable.is_zero() {
            claim(book, launched, account, id, units::ether(claimable))?;
        }
        let holder = if account == launched.vesting { "creator, vesting" } else { name(account) };
        let tokens = book.ask(launched.token, &RevenueToken::balanceOfCall { account })?;
        holdings.push(Holding { holder, tokens: tokens.to_string(), claimed: claimable.to_string() });
    }
    Ok(holdings)
}

fn claim<N: Ledger>(
    book: &mut Book<N>,
    launched: &Launched,
    account: Address,
    id: U256,
    what: String,
) -> Result<(), ProverError> {
    if account == launched.vesting {
        let call = CreatorVesting::collectCall { token: launched.token, snapshotId: id, asset: Address::ZERO };
        book.send(CREATOR, account, U256::ZERO, &call, what).map(drop)
    } else {
        book.send(account, launched.token, U256::ZERO, &RevenueToken::claimCall { snapshotId: id }, what).map(drop)
    }
}

/// A holder burns tokens for their share of what is kept for burners.
pub(super) fn redeem<N: Ledger>(
    book: &mut Book<N>,
    launched: &Launched,
    who: Address,
    amount: U256,
) -> Result<U256, ProverError> {
    let due = book.ask(launched.token, &RevenueToken::redeemableOnBurnCall { amount })?;
    let what = format!("{} redeemed for {}", units::ether(amount).replace("ETH", "tokens"), units::ether(due));
    book.send(who, launched.token, U256::ZERO, &RevenueToken::burnCall { amount }, what)?;
    Ok(due)
}

//! Who plays.

use alloy_primitives::Address;

use crate::chain::{CHALLENGER, SUBMITTER};

/// Made the model and offers it.
pub(super) const CREATOR: Address = Address::repeat_byte(0xc7);
/// Buy shares of it.
pub(super) const ALICE: Address = Address::repeat_byte(0xa1);
pub(super) const BOB: Address = Address::repeat_byte(0xb0);
/// Ask it.
pub(super) const CAROL: Address = Address::repeat_byte(0xca);
pub(super) const DAVE: Address = Address::repeat_byte(0xda);
/// Answers, honestly.
pub(super) const HONEST: Address = Address::repeat_byte(0x50);
/// Answers, and lies.
pub(super) const LIAR: Address = SUBMITTER;

/// Everybody, in the order of tables.
pub(super) const CAST: [(Address, &str); 8] = [
    (CREATOR, "creator"),
    (ALICE, "alice"),
    (BOB, "bob"),
    (CAROL, "carol"),
    (DAVE, "dave"),
    (HONEST, "honest submitter"),
    (LIAR, "lying submitter"),
    (CHALLENGER, "challenger"),
];

/// An account's name.
pub(super) fn name(account: Address) -> &'static str {
    CAST.iter().find(|(known, _)| *known == account).map_or("somebody", |(_, name)| name)
}

//! Hashes and bytes as text.

use alloy_primitives::hex;

/// `0x` and lower-case digits.
#[must_use]
pub fn of(bytes: &[u8]) -> String {
    hex::encode_prefixed(bytes)
}

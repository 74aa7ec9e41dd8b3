//! Amounts as people write them.

use alloy_primitives::{U256, utils::format_ether};

/// Wei as ether, without needless zeros.
#[must_use]
pub fn ether(wei: U256) -> String {
    let text = format_ether(wei);
    let trimmed = text.trim_end_matches('0').trim_end_matches('.');
    format!("{} ETH", if trimmed.is_empty() { "0" } else { trimmed })
}

/// Digits in groups of three.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// How an amount stands against what it was, in wei with a sign.
#[must_use]
pub fn change(now: U256, before: u128) -> String {
    let before = U256::from(before);
    if now >= before { format!("+{}", now - before) } else { format!("-{}", before - now) }
}

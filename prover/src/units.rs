//! Amounts as people write them.

use alloy_primitives::{U256, utils::format_ether};

/// Wei as ether, without needless zeros.
#[must_use]
pub fn ether(wei: U256) -> String {
    let text = format_ether(wei);
    let trimmed = text.trim_end_matches('0').trim_end_matches('.');
    format!("{} ETH", if trimmed.is_empty() { "0" } else { trimmed })
}

/// A change in wei as [`change`] writes it, in ether.
#[must_use]
pub fn change_in_ether(change: &str) -> String {
    let (sign, digits) = change.split_at_checked(1).unwrap_or(("", change));
    digits.parse().map_or_else(|_| format!("{change} wei"), |wei| format!("{sign}{}", ether(wei)))
}

/// A length in groups of three digits.
#[must_use]
pub fn grouped_length(length: usize) -> String {
    grouped(u64::try_from(length).unwrap_or(u64::MAX))
}

/// `1 thing`, `2 things`.
#[must_use]
pub fn count(number: u64, thing: &str) -> String {
    format!("{} {thing}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// A real number with four significant digits or more.
#[must_use]
pub fn real(number: f64) -> String {
    if number.abs() < 0.001 { format!("{number:.4e}") } else { format!("{number:.6}") }
}

/// A number in groups of three digits.
#[must_use]
pub fn grouped(number: u64) -> String {
    grouped_digits(&number.to_string())
}

/// Decimal digits in groups of three.
#[must_use]
pub fn grouped_digits(digits: &str) -> String {
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

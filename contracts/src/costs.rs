//! Gas of the calls of a dispute, as the bonds of a tier are sized by it (`Tiers`). The tests hold each against the EVM, at every arity.

/// A challenge.
pub const CHALLENGE: u64 = 60_000;
/// Opening a trace whose output is small.
pub const OPEN: u64 = 120_000;
/// Ending a late player's dispute or claim.
pub const TIMEOUT: u64 = 40_000;
/// A choice or a reveal, without its children.
pub const MOVE: u64 = 50_000;
/// Each child that a move names.
pub const CHILD: u64 = 1_400;
/// A proof.
pub const PROVE: u64 = 1_000_000;
/// A byte of calldata at most (EIP-7623).
pub const BYTE: u64 = 40;

/// A choice or a reveal at arity 2^`arity_log2`.
#[must_use]
pub const fn of_move(arity_log2: u8) -> u64 {
    MOVE + (CHILD << arity_log2)
}

/// Most gas of a submitter that makes `moves` moves in a dispute, the first of which opens a trace with an output of so many bytes, and that
/// ends the dispute of a challenger that is late.
#[must_use]
pub fn of_submitter(moves: u32, arity_log2: u8, output_bytes: u64) -> u64 {
    let later = u64::from(moves).saturating_sub(1);
    OPEN + BYTE.saturating_mul(output_bytes) + later.saturating_mul(of_move(arity_log2)) + TIMEOUT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_what_the_constructor_reckons_with() {
        let source = include_str!("../solidity/game/Tiers.sol");
        let all = [("CHALLENGE", CHALLENGE), ("OPEN", OPEN), ("TIMEOUT", TIMEOUT), ("MOVE", MOVE), ("CHILD", CHILD)];
        for (name, gas) in all.into_iter().chain([("PROVE", PROVE)]) {
            let after = source.split(&format!("constant GAS_{name} = ")).nth(1).and_then(|rest| rest.split(';').next());
            let digits: String = after.into_iter().flat_map(str::chars).filter(|&sign| sign != '_').collect();
            assert_eq!(digits, gas.to_string(), "{name}");
        }
    }
}

//! Moves and refusals in words.

use alloy_primitives::{Address, U256};
use alloy_sol_types::{Panic, Revert, SolError as _};
use opml_bisection::{Below, Claim, Move, Node, Position, Slice, split};
use opml_contracts::{
    HostError,
    abi::{AIOracle, AigcCollection, CreatorVesting, Dispute, Offering, OpmlAdapter, RevenueToken, StepVerifier},
};

/// Why a transaction was refused: the contract's error by name, with its arguments.
#[must_use]
pub fn of_refusal(error: &HostError) -> String {
    error.revert_data().and_then(|data| of_revert(data)).unwrap_or_else(|| error.to_string())
}

/// What a contract says that refuses: a custom error of these contracts, a sentence, or a panic of its compiler.
fn of_revert(data: &[u8]) -> Option<String> {
    if let Ok(reason) = Revert::abi_decode(data) {
        return Some(format!("\"{}\"", plain(&reason.reason)));
    }
    if let Ok(panic) = Panic::abi_decode(data) {
        return Some(format!("Panic({:#x})", panic.code));
    }
    let (selector, arguments) = data.split_first_chunk::<4>()?;
    let name = error_name(*selector)?;
    Some(format!("{name}({})", arguments.chunks(32).map(of_word).collect::<Vec<_>>().join(", ")))
}

fn error_name(selector: [u8; 4]) -> Option<&'static str> {
    Dispute::DisputeErrors::name_by_selector(selector)
        .or_else(|| StepVerifier::StepVerifierErrors::name_by_selector(selector))
        .or_else(|| AIOracle::AIOracleErrors::name_by_selector(selector))
        .or_else(|| Offering::OfferingErrors::name_by_selector(selector))
        .or_else(|| RevenueToken::RevenueTokenErrors::name_by_selector(selector))
        .or_else(|| AigcCollection::AigcCollectionErrors::name_by_selector(selector))
        .or_else(|| CreatorVesting::CreatorVestingErrors::name_by_selector(selector))
        .or_else(|| OpmlAdapter::OpmlAdapterErrors::name_by_selector(selector))
}

/// An argument: a number, or what is too long for one, an address or a hash, in hexadecimal digits.
fn of_word(word: &[u8]) -> String {
    let number = U256::from_be_slice(word);
    match number.bit_len() {
        0..=128 => number.to_string(),
        129..=160 => Address::from_word(number.into()).to_string(),
        _ => crate::hex::of(word),
    }
}

/// Text from a file with its control characters escaped: one line that cannot steer a terminal.
#[must_use]
pub fn plain(text: &str) -> String {
    let escape = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(escape).collect()
}

/// A complaint about the command line, in one sentence: what is wrong, tips, and where help is.
#[must_use]
pub fn of_usage(complaint: &str, command: Option<&str>) -> String {
    let complaint = complaint.strip_prefix("error: ").unwrap_or(complaint);
    let what = ["\n\nUsage:", "\n\nFor more information"]
        .iter()
        .fold(complaint, |text, &end| text.split_once(end).map_or(text, |(before, _)| before));
    let sentence = |paragraph: &str| paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
    let sentences: Vec<String> = what.split("\n\n").map(sentence).collect();
    let help = command.map_or_else(|| "opml --help".to_owned(), |command| format!("opml {command} --help"));
    format!("{}; see `{help}`", sentences.join("; "))
}

/// What a move says; `before` is the position it was made at.
#[must_use]
pub fn of_move(claim: &Claim, before: Option<&Position>, mv: &Move) -> String {
    match mv {
        Move::OpenTrace(open) => {
            format!("trace root {}, {} nodes below it", short(&open.root), open.children.len())
        }
        Move::Select { child, .. } => format!("child {child} differs{}", place_of_child(claim, before, *child)),
        Move::Reveal { children } => format!("{} nodes", children.len()),
        Move::RevealHeader { elements, below, .. } => match below {
            Below::Nothing => "an empty tensor".to_owned(),
            Below::Leaf(_) => format!("{elements} elements, all their bytes"),
            Below::Children(children) => format!("{elements} elements, {} nodes", children.len()),
        },
        Move::RevealLeaf { .. } => "256 bytes of elements".to_owned(),
        Move::SelectElement { e, .. } => format!("element {e} is wrong: show its partial sums"),
        Move::RevealPartials { partials } => format!("{} partials", partials.len()),
        Move::SelectPartial { part, .. } => {
            format!("partial {part} is wrong{}: split it", terms_of_part(claim, before, *part))
        }
        Move::ProveHeader { .. } => "PROOF: the header contradicts the instruction".to_owned(),
        Move::ProveHalt { t, .. } => format!("PROOF: the run halted at iteration {t}"),
        Move::ProveElement { opening, .. } => {
            format!("PROOF: element {} is not what its instruction computes", opening.e)
        }
        Move::ProveSlice { part, .. } => {
            format!("PROOF: partial {part}{} is not what its terms give", terms_of_part(claim, before, *part))
        }
        Move::ProvePost { .. } => "PROOF: the element does not follow from its partials".to_owned(),
    }
}

/// Iteration and instruction of a selected trace leaf.
fn place_of_child(claim: &Claim, before: Option<&Position>, child: u64) -> String {
    let Some(Position::TraceOpen(Node { height, index, .. })) = before else {
        return String::new();
    };
    if *height > claim.arity_log2 {
        return String::new();
    }
    let leaf = (index << height).saturating_add(child);
    let n = u64::from(claim.instructions).max(1);
    format!(": iteration {}, instruction {}", leaf / n, leaf % n)
}

fn terms_of_part(claim: &Claim, before: Option<&Position>, part: u64) -> String {
    let Some(
        Position::ElementPartials(_, Slice { k0, k1, .. }, _) | Position::SlicePartials(_, Slice { k0, k1, .. }, _),
    ) = before
    else {
        return String::new();
    };
    split::part(claim.arity(), *k0, *k1, part)
        .map_or_else(String::new, |(k0, k1)| format!(" (terms {k0} to {})", k1 - 1))
}

/// The first digits of a hash.
pub(crate) fn short(hash: &[u8; 32]) -> String {
    let hex = crate::hex::of(hash);
    format!("{}…", hex.get(..10).unwrap_or(&hex))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use alloy_primitives::Bytes;

    use super::*;

    fn refusal(data: Vec<u8>) -> String {
        of_refusal(&HostError::Revert { gas_used: 1, data: Bytes::from(data) })
    }

    #[test]
    fn refusals_of_every_contract_have_words() {
        assert_eq!(refusal(Offering::AboveCap {}.abi_encode()), "AboveCap()");
        let who = Address::repeat_byte(0xab);
        let error = RevenueToken::ERC20InsufficientBalance { sender: who, balance: U256::from(3), needed: U256::MAX };
        let words = refusal(error.abi_encode());
        assert_eq!(words, format!("ERC20InsufficientBalance({who}, 3, 0x{})", "f".repeat(64)));
        assert_eq!(refusal(CreatorVesting::FailedCall {}.abi_encode()), "FailedCall()");
        assert_eq!(refusal(Revert::from("not\nyet").abi_encode()), "\"not\\nyet\"");
        assert_eq!(refusal(Panic { code: U256::from(0x11) }.abi_encode()), "Panic(0x11)");
        assert_eq!(refusal(vec![1, 2, 3, 4]), "reverted after 1 gas: 0x01020304");
        assert_eq!(refusal(vec![]), "reverted after 1 gas: 0x");
    }
}

//! Moves in words, for the walk that a dispute prints.

use opml_bisection::{Below, Claim, Move, Node, Position, Slice, split};

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

fn short(hash: &[u8; 32]) -> String {
    let hex = crate::hex::of(hash);
    format!("{}…", hex.get(..10).unwrap_or(&hex))
}

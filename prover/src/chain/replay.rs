//! A client that has nothing but the chain: what it must know of a dispute, from events alone.

use alloy_primitives::{B256, Log};
use alloy_sol_types::SolEventInterface as _;
use opml_bisection::{Below, Claim, End, Hash, Move, MoveKind, OpenTrace, Position, Revealed, Rules, TraceLeaf, split};
use opml_contracts::{
    abi::Dispute::{self, DisputeEvents},
    dispute::{self, Kind},
};

use super::Record;

/// A dispute and what its submitter has made public.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// Where it stands.
    pub record: Record,
    /// What was revealed.
    pub revealed: Revealed,
}

impl Replay {
    /// Reads the events of a dispute and of the opening of its claim's trace, in the order of the chain. None if they do not begin a
    /// dispute.
    #[must_use]
    pub fn of(claim: &Claim, rules: &dyn Rules, logs: &[Log]) -> Option<Self> {
        let mut root = None;
        let mut revealed = Revealed::default();
        let mut record: Option<Record> = None;
        for log in logs {
            let Ok(event) = DisputeEvents::decode_log(log) else { continue };
            let before = record.as_ref().and_then(|record| record.position(claim));
            if let DisputeEvents::TraceOpened(event) = &event.data {
                root = Some(event.traceRoot.0);
            }
            if let DisputeEvents::Challenged(event) = &event.data {
                record = Some(Record::new(event.disputeId, event.state.clone(), root));
                continue;
            }
            if let Some(mv) = revelation(claim, before.as_ref(), &event.data) {
                revealed.observe(claim, before.as_ref(), &mv, rules);
            }
            if let Some(record) = &mut record {
                record.observe(std::slice::from_ref(log), End::Proof(MoveKind::ProveElement));
            }
        }
        record.map(|record| Self { record, revealed })
    }
}

/// The submitter's move that an event tells of.
fn revelation(claim: &Claim, before: Option<&Position>, event: &DisputeEvents) -> Option<Move> {
    Some(match event {
        DisputeEvents::TraceOpened(event) => opening(event.traceRoot, &event.children),
        DisputeEvents::Revealed(event) => revealing(before, &event.state, &event.words)?,
        DisputeEvents::LeafRevealed(event) => Move::RevealLeaf { bytes: event.data.concat() },
        DisputeEvents::PartialsRevealed(event) => {
            let place = dispute::Position::unpack(&event.state)?;
            let parts = usize::try_from(split::parts(claim.arity(), place.k1.saturating_sub(place.k0))).ok()?;
            let width = event.partials.len().checked_div(parts).filter(|&width| width > 0)?;
            Move::RevealPartials { partials: event.partials.chunks(width).map(signed).collect() }
        }
        _ => return None,
    })
}

/// The opening of a trace, as far as its event tells it: the root and what is below.
fn opening(root: B256, children: &[B256]) -> Move {
    let output_leaf = TraceLeaf { leaf: 0, dtype: 0, elements: 0, proof: Vec::new() };
    let (output, halt) = (Vec::new(), None);
    Move::OpenTrace(Box::new(OpenTrace { root: root.0, children: hashes(children), output, output_leaf, halt }))
}

/// The reveal that led to a state.
fn revealing(before: Option<&Position>, state: &Dispute::State, words: &[B256]) -> Option<Move> {
    let Some(Position::TraceHidden(node)) = before else {
        return Some(Move::Reveal { children: hashes(words) });
    };
    if node.height > 0 {
        return Some(Move::Reveal { children: hashes(words) });
    }
    let place = dispute::Position::unpack(state)?;
    let below = match place.kind {
        Kind::Empty => Below::Nothing,
        Kind::Leaf => Below::Leaf(words.concat()),
        _ => Below::Children(hashes(words)),
    };
    Some(Move::RevealHeader { dtype: place.dtype, elements: place.elements, root: place.node.0, below })
}

fn hashes(words: &[B256]) -> Vec<Hash> {
    words.iter().map(|word| word.0).collect()
}

/// A signed big-endian number.
fn signed(bytes: &[u8]) -> i128 {
    let sign = if bytes.first().is_some_and(|&first| first >= 128) { -1 } else { 0 };
    bytes.iter().fold(sign, |number, &byte| (number << 8) | i128::from(byte))
}

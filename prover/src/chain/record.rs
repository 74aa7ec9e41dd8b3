//! A dispute as its events tell it: where it stands, and its next move as calldata.

use alloy_primitives::{B256, Bytes, Log, U256};
use alloy_sol_types::{SolCall as _, SolEvent};
use opml_bisection::{
    Cell, Claim, End, Hash, Header, Move, MoveKind, Node, Outcome, Party, Position, Slice, Step, Tensor, split, tree,
};
use opml_contracts::{
    abi::Dispute,
    dispute::{self, Kind},
};

use super::{ClaimOnChain, encode};
use crate::error::ProverError;

/// A dispute that was opened on the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    id: B256,
    state: Dispute::State,
    /// The submitter's trace root, once open.
    root: Option<Hash>,
    /// Header of the tensor in dispute: the contract forgets it below the element.
    header: Header,
    /// Length of the partials that lie open, as they were posted: they may have more bytes than they need.
    posted: usize,
    outcome: Option<Outcome>,
}

impl Record {
    /// A dispute that has just been opened; `root` is the trace root if the claim's trace is open.
    #[must_use]
    pub const fn new(id: B256, state: Dispute::State, root: Option<Hash>) -> Self {
        Self { id, state, root, header: Header { dtype: 0, elements: 0 }, posted: 0, outcome: None }
    }

    /// Its name.
    #[must_use]
    pub const fn id(&self) -> B256 {
        self.id
    }

    /// Its state, which every move brings.
    #[must_use]
    pub const fn state(&self) -> &Dispute::State {
        &self.state
    }

    /// The submitter's trace root, once open.
    #[must_use]
    pub const fn root(&self) -> Option<Hash> {
        self.root
    }

    /// How it ended, if it has.
    #[must_use]
    pub const fn outcome(&self) -> Option<Outcome> {
        self.outcome
    }

    /// Ends it.
    pub const fn end(&mut self, outcome: Outcome) {
        self.outcome = Some(outcome);
    }

    /// Takes in the events of one transaction, of this dispute and of its claim alone. `end` is what ends the dispute if they do.
    pub fn observe(&mut self, logs: &[Log], end: End) {
        if let Some(event) = find::<Dispute::TraceOpened>(logs) {
            self.root = Some(event.traceRoot.0);
        }
        let moved = [
            find::<Dispute::Selected>(logs).map(|event| event.state),
            find::<Dispute::Revealed>(logs).map(|event| event.state),
            find::<Dispute::LeafRevealed>(logs).map(|event| event.state),
            find::<Dispute::PartialsRevealed>(logs).map(|event| event.state),
        ];
        if let Some(state) = moved.into_iter().flatten().next() {
            self.state = state;
        }
        if let Some(event) = find::<Dispute::Falsified>(logs) {
            self.state = event.state;
            self.outcome = Some(Outcome { winner: Party::Challenger, end });
        }
        if find::<Dispute::Lost>(logs).is_some() {
            self.outcome = Some(Outcome { winner: Party::Submitter, end });
        }
        if let Some(event) = find::<Dispute::PartialsRevealed>(logs) {
            self.posted = event.partials.len();
        }
        let place = dispute::Position::unpack(&self.state);
        let place =
            place.filter(|p| matches!(p.kind, Kind::TensorOpen | Kind::TensorHidden | Kind::Leaf | Kind::Empty));
        if let Some(place) = place {
            self.header = Header { dtype: place.dtype, elements: place.elements };
        }
    }

    /// The position; none before the trace is open.
    #[must_use]
    pub fn position(&self, claim: &Claim) -> Option<Position> {
        let root = self.root?;
        let place = dispute::Position::unpack(&self.state)?;
        if place.version == 0 {
            let height = tree::depth(claim.leaves());
            return Some(Position::TraceOpen(Node { height, index: 0, hash: root }));
        }
        let node = Node { height: place.height.into(), index: place.index, hash: place.node.0 };
        let tensor = Tensor { leaf: place.leaf, header: self.header };
        let cell = Cell { tensor, e: place.e, reducer: place.reducer };
        let slice = Slice { k0: place.k0, k1: place.k1, value: place.value };
        Some(match place.kind {
            Kind::TraceOpen => Position::TraceOpen(node),
            Kind::TraceHidden => Position::TraceHidden(node),
            Kind::TensorOpen => Position::TensorOpen(tensor, node),
            Kind::TensorHidden => Position::TensorHidden(tensor, node),
            Kind::Leaf => Position::Leaf(tensor, node),
            Kind::Empty => Position::Empty(tensor),
            Kind::Element => Position::Element(cell, slice),
            Kind::Slice => Position::Slice(cell, slice),
            Kind::ElementPartials => Position::ElementPartials(cell, slice, node.hash),
            Kind::SlicePartials => Position::SlicePartials(cell, slice, node.hash),
        })
    }

    /// The trace leaf, type and size that a position stands for, where it has them.
    fn value(&self) -> (u64, u8, u64) {
        let leaf = dispute::Position::unpack(&self.state).map_or(0, |place| place.leaf);
        (leaf, self.header.dtype, self.header.elements)
    }

    /// Refuses partials that are not as many as the parts: the contract could read their bytes as other partials.
    fn counted(&self, claim: &Claim, partials: &[i128]) -> Result<(), ProverError> {
        let place = dispute::Position::unpack(&self.state);
        let range = place.filter(|place| matches!(place.kind, Kind::Element | Kind::Slice)).map(|p| (p.k0, p.k1));
        let parts = range.map(|(k0, k1)| split::parts(claim.arity(), k1.saturating_sub(k0)));
        if parts.is_none_or(|parts| u64::try_from(partials.len()) == Ok(parts)) {
            return Ok(());
        }
        Err(ProverError::Stuck("the partials are not as many as the parts".to_owned()))
    }

    /// A move of this dispute as calldata of the contract.
    ///
    /// # Errors
    /// The move contradicts itself, or what was revealed.
    pub fn calldata(&self, on_chain: &ClaimOnChain, claim: &Claim, mv: &Move) -> Result<Bytes, ProverError> {
        encode::check(claim, mv)?;
        let (state, c, task) = (self.state.clone(), on_chain.claim.clone(), on_chain.parts.clone());
        let data = match mv {
            Move::OpenTrace(open) => {
                let arity_log2 = u8::try_from(claim.arity_log2).unwrap_or(u8::MAX);
                let opening = encode::trace_opening(open, claim.leaves(), arity_log2)?;
                let output = Bytes::copy_from_slice(&open.output);
                Dispute::openTraceCall { c, output, opening }.abi_encode()
            }
            Move::Select { child, hash, proof } => {
                let (child, siblings) = (U256::from(*child), encode::words(proof));
                Dispute::selectCall { state, child, hash: hash.into(), siblings }.abi_encode()
            }
            Move::Reveal { children } => Dispute::revealCall { state, children: encode::words(children) }.abi_encode(),
            // The contract computes the tensor's root from what is revealed below it.
            Move::RevealHeader { dtype, elements, below, .. } => {
                let (dtype, elements, words) = (*dtype, *elements, encode::below(below));
                Dispute::revealHeaderCall { state, dtype, elements, words }.abi_encode()
            }
            Move::RevealLeaf { bytes } => Dispute::revealLeafCall { state, data: encode::leaf(bytes)? }.abi_encode(),
            Move::SelectElement { bytes, e, step } => {
                let (instruction, data) = (instruction(step), encode::leaf(bytes)?);
                let siblings = witness(step);
                Dispute::selectElementCall { state, c, task, e: *e, data, instruction, siblings }.abi_encode()
            }
            Move::RevealPartials { partials } => {
                self.counted(claim, partials)?;
                Dispute::revealPartialsCall { state, c, partials: encode::partials(partials) }.abi_encode()
            }
            Move::SelectPartial { part, partials } => {
                let (part, partials) = (U256::from(*part), encode::posted_partials(partials, self.posted));
                Dispute::selectPartialCall { state, part, partials }.abi_encode()
            }
            Move::ProveHeader { trace, root, step } => {
                let (leaf, dtype, elements) = match trace {
                    Some(trace) => (trace.leaf, trace.dtype, trace.elements),
                    None => self.value(),
                };
                let o = Dispute::HeaderOpening {
                    leaf,
                    dtype,
                    elements,
                    tensorRoot: root.into(),
                    tracePath: trace.as_ref().map_or_else(Vec::new, |trace| encode::words(&trace.proof)),
                };
                let (instruction, siblings) = (instruction(step), witness(step));
                Dispute::proveHeaderCall { state, c, task, o, instruction, siblings }.abi_encode()
            }
            Move::ProveHalt { opening, .. } => {
                let o = encode::opening(opening, self.value())?;
                Dispute::proveHaltCall { state, c, o }.abi_encode()
            }
            Move::ProveElement { opening, step } => {
                let o = encode::opening(opening, self.value())?;
                let (instruction, witness) = (instruction(step), witness(step));
                Dispute::proveElementCall { state, c, task, o, instruction, witness }.abi_encode()
            }
            Move::ProveSlice { part, partials, step } => {
                let (part, partials) = (U256::from(*part), encode::posted_partials(partials, self.posted));
                let (instruction, witness) = (instruction(step), witness(step));
                Dispute::proveSliceCall { state, c, task, part, partials, instruction, witness }.abi_encode()
            }
            Move::ProvePost { partials, step } => {
                let partials = encode::posted_partials(partials, self.posted);
                let (instruction, witness) = (instruction(step), witness(step));
                Dispute::provePostCall { state, c, task, partials, instruction, witness }.abi_encode()
            }
        };
        Ok(data.into())
    }
}

/// The contract's function of a move.
#[must_use]
pub const fn function(kind: MoveKind) -> &'static str {
    match kind {
        MoveKind::OpenTrace => "openTrace",
        MoveKind::Select => "select",
        MoveKind::Reveal => "reveal",
        MoveKind::RevealHeader => "revealHeader",
        MoveKind::RevealLeaf => "revealLeaf",
        MoveKind::SelectElement => "selectElement",
        MoveKind::RevealPartials => "revealPartials",
        MoveKind::SelectPartial => "selectPartial",
        MoveKind::ProveHeader => "proveHeader",
        MoveKind::ProveHalt => "proveHalt",
        MoveKind::ProveElement => "proveElement",
        MoveKind::ProveSlice => "proveSlice",
        MoveKind::ProvePost => "provePost",
    }
}

fn instruction(step: &Step) -> Bytes {
    Bytes::copy_from_slice(&step.instruction)
}

fn witness(step: &Step) -> Bytes {
    Bytes::copy_from_slice(&step.witness)
}

/// The first event of a kind.
pub(super) fn find<E: SolEvent>(logs: &[Log]) -> Option<E> {
    logs.iter().find_map(|log| E::decode_log_data(&log.data).ok())
}

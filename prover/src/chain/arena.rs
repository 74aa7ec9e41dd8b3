//! A dispute played in transactions against the contract.

use alloy_primitives::{Address, B256, Bytes, Log, U256};
use alloy_sol_types::{SolCall, SolEvent};
use opml_bisection::{
    Arena, Cell, Claim, End, Header, Move, MoveKind, Node, Outcome, Party, Position, Slice, Step, Tensor, split, tree,
};
use opml_contracts::{
    Receipt,
    abi::Dispute,
    dispute::{self, Kind},
};
use serde::Serialize;

use crate::error::ProverError;

use super::{CHALLENGER, Chain, ClaimOnChain, OPERATOR, SUBMITTER, encode};

/// One transaction of a dispute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Transaction {
    /// Who sent it.
    pub who: &'static str,
    /// The contract's function.
    pub call: &'static str,
    /// What it says, in words.
    pub what: String,
    /// Gas of the whole transaction.
    pub gas: u64,
    /// Bytes of its calldata.
    pub calldata_bytes: usize,
}

/// A dispute on the chain, opened by the challenger.
pub struct ContractArena {
    chain: Chain,
    on_chain: ClaimOnChain,
    claim: Claim,
    /// The dispute's name.
    id: B256,
    state: Dispute::State,
    /// The submitter's trace root, once open.
    root: Option<[u8; 32]>,
    /// Header of the tensor in dispute: the contract forgets it below the element.
    header: Header,
    /// Length of the partials that lie open, as they were posted: they may have more bytes than they need.
    posted: usize,
    outcome: Option<Outcome>,
    transactions: Vec<Transaction>,
    logs: Vec<Log>,
}

impl ContractArena {
    /// Challenges a claim; `root` is the trace root if the claim posted it.
    ///
    /// # Errors
    /// The chain refuses the challenge.
    pub fn challenge(
        mut chain: Chain,
        on_chain: ClaimOnChain,
        claim: Claim,
        root: Option<[u8; 32]>,
    ) -> Result<Self, ProverError> {
        // The block number makes each of a challenger's disputes on a claim its own.
        let nonce = u16::try_from(chain.now().1 % 65_536).unwrap_or(0);
        let bond = U256::from(chain.tier().bondC);
        let call = Dispute::challengeCall { claimId: on_chain.id, nonce };
        let (_, receipt) = chain.send("challenge", CHALLENGER, bond, &call)?;
        let opened = find::<Dispute::Challenged>(&receipt.logs);
        let opened = opened.ok_or_else(|| ProverError::Stuck("no Challenged event".to_owned()))?;
        let (id, state) = (opened.disputeId, opened.state);
        let header = Header { dtype: 0, elements: 0 };
        let (transactions, logs) = (Vec::new(), Vec::new());
        let (posted, outcome) = (0, None);
        let mut arena = Self { chain, on_chain, claim, id, state, root, header, posted, outcome, transactions, logs };
        let what = format!("bond {}", crate::units::ether(bond));
        arena.record(Party::Challenger, "challenge", what, &receipt);
        Ok(arena)
    }

    /// What was sent so far.
    #[must_use]
    pub fn transactions(&self) -> &[Transaction] {
        &self.transactions
    }

    /// The events of its transactions: all that a client needs that starts anew.
    #[must_use]
    pub fn logs(&self) -> &[Log] {
        &self.logs
    }

    /// Takes in the events of a transaction that somebody else sent. It may have made moves in other disputes, too, and in contracts that
    /// have the same events.
    pub fn watch(&mut self, logs: &[Log], end: End) {
        let here = |log: &&Log| log.address == self.chain.dispute;
        let names = [self.on_chain.id, self.id];
        let own = |log: &&Log| log.topics().iter().skip(1).all(|name| names.contains(name));
        let fallen =
            |log: &Log| Dispute::Falsified::decode_log_data(&log.data).is_ok_and(|e| e.state.claimId == names[0]);
        let falls = logs.iter().filter(here).any(fallen);
        let logs: Vec<Log> = logs.iter().filter(here).filter(own).cloned().collect();
        self.observe(&logs, end);
        self.logs.extend(logs);
        if falls {
            self.outcome = Some(Outcome { winner: Party::Challenger, end });
        }
    }

    /// The claim in dispute.
    #[must_use]
    pub const fn on_chain(&self) -> &ClaimOnChain {
        &self.on_chain
    }

    /// The chain.
    pub const fn chain(&mut self) -> &mut Chain {
        &mut self.chain
    }

    /// The chain, after the dispute.
    #[must_use]
    pub fn into_chain(self) -> Chain {
        self.chain
    }

    /// Credits the challenger what a claim that has fallen brings it.
    ///
    /// # Errors
    /// The claim has not fallen.
    pub fn share_out(&mut self) -> Result<(), ProverError> {
        let call = Dispute::settleCall { state: self.state.clone() };
        self.chain.send("settle", CHALLENGER, U256::ZERO, &call).map(drop)
    }

    /// Ends the claim after the dispute: the winner is credited what is its due, and both withdraw.
    ///
    /// # Errors
    /// The dispute is not over, or the chain refuses a transaction.
    pub fn settle(&mut self) -> Result<(), ProverError> {
        match self.outcome.map(|outcome| outcome.winner) {
            Some(Party::Challenger) => {
                self.share_out()?;
            }
            Some(_) => {
                self.chain.finalize(&self.on_chain)?;
            }
            None => return Err(ProverError::Stuck("the dispute is not over".to_owned())),
        }
        self.chain.withdraw(SUBMITTER)?;
        self.chain.withdraw(CHALLENGER)?;
        Ok(())
    }

    fn record(&mut self, who: Party, call: &'static str, what: String, receipt: &Receipt) {
        self.logs.extend_from_slice(&receipt.logs);
        self.transactions.push(Transaction {
            who: name(who),
            call,
            what,
            gas: receipt.gas_used,
            calldata_bytes: receipt.calldata_bytes,
        });
    }

    fn send<C: SolCall>(&mut self, who: Party, mv: &Move, call: &C) -> Result<(), ProverError> {
        let before = self.position();
        let (_, receipt) = self.chain.send(function(mv.kind()), account(who), U256::ZERO, call)?;
        self.observe(&receipt.logs, End::Proof(mv.kind()));
        let what = crate::words::of_move(&self.claim, before.as_ref(), mv);
        self.record(who, function(mv.kind()), what, &receipt);
        Ok(())
    }

    /// Takes the next state and the outcome from events.
    fn observe(&mut self, logs: &[Log], end: End) {
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

    /// The trace leaf, type and size that a position stands for, where it has them.
    fn value(&self) -> (u64, u8, u64) {
        let leaf = dispute::Position::unpack(&self.state).map_or(0, |place| place.leaf);
        (leaf, self.header.dtype, self.header.elements)
    }

    /// Refuses partials that are not as many as the parts: the contract could read their bytes as other partials.
    fn counted(&self, partials: &[i128]) -> Result<(), ProverError> {
        let place = dispute::Position::unpack(&self.state);
        let range = place.filter(|place| matches!(place.kind, Kind::Element | Kind::Slice)).map(|p| (p.k0, p.k1));
        let parts = range.map(|(k0, k1)| split::parts(self.claim.arity(), k1.saturating_sub(k0)));
        if parts.is_none_or(|parts| u64::try_from(partials.len()) == Ok(parts)) {
            return Ok(());
        }
        Err(ProverError::Stuck("the partials are not as many as the parts".to_owned()))
    }

    fn parts(&self) -> (Dispute::State, Dispute::Claim, Dispute::Parts) {
        (self.state.clone(), self.on_chain.claim.clone(), self.on_chain.parts.clone())
    }
}

impl Arena for ContractArena {
    type Error = ProverError;

    fn position(&self) -> Option<Position> {
        let root = self.root?;
        let place = dispute::Position::unpack(&self.state)?;
        if place.version == 0 {
            let height = tree::depth(self.claim.leaves());
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

    fn play(&mut self, who: Party, mv: &Move) -> Result<(), ProverError> {
        encode::check(&self.claim, mv)?;
        let (state, c, task) = self.parts();
        match mv {
            Move::OpenTrace(open) => {
                let arity_log2 = self.chain.tier().arityLog2;
                let opening = encode::trace_opening(open, self.claim.leaves(), arity_log2)?;
                let output = Bytes::copy_from_slice(&open.output);
                self.send(who, mv, &Dispute::openTraceCall { c, output, opening })
            }
            Move::Select { child, hash, proof } => {
                let (child, siblings) = (U256::from(*child), encode::words(proof));
                self.send(who, mv, &Dispute::selectCall { state, child, hash: hash.into(), siblings })
            }
            Move::Reveal { children } => {
                self.send(who, mv, &Dispute::revealCall { state, children: encode::words(children) })
            }
            // The contract computes the tensor's root from what is revealed below it.
            Move::RevealHeader { dtype, elements, below, .. } => {
                let (dtype, elements, words) = (*dtype, *elements, encode::below(below));
                self.send(who, mv, &Dispute::revealHeaderCall { state, dtype, elements, words })
            }
            Move::RevealLeaf { bytes } => {
                self.send(who, mv, &Dispute::revealLeafCall { state, data: encode::leaf(bytes)? })
            }
            Move::SelectElement { bytes, e, step } => {
                let (instruction, data) = (instruction(step), encode::leaf(bytes)?);
                let siblings = witness(step);
                self.send(who, mv, &Dispute::selectElementCall { state, c, task, e: *e, data, instruction, siblings })
            }
            Move::RevealPartials { partials } => {
                self.counted(partials)?;
                self.send(who, mv, &Dispute::revealPartialsCall { state, c, partials: encode::partials(partials) })
            }
            Move::SelectPartial { part, partials } => {
                let (part, partials) = (U256::from(*part), encode::posted_partials(partials, self.posted));
                self.send(who, mv, &Dispute::selectPartialCall { state, part, partials })
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
                self.send(who, mv, &Dispute::proveHeaderCall { state, c, task, o, instruction, siblings })
            }
            Move::ProveHalt { opening, .. } => {
                let o = encode::opening(opening, self.value())?;
                self.send(who, mv, &Dispute::proveHaltCall { state, c, o })
            }
            Move::ProveElement { opening, step } => {
                let o = encode::opening(opening, self.value())?;
                let (instruction, witness) = (instruction(step), witness(step));
                self.send(who, mv, &Dispute::proveElementCall { state, c, task, o, instruction, witness })
            }
            Move::ProveSlice { part, partials, step } => {
                let (part, partials) = (U256::from(*part), encode::posted_partials(partials, self.posted));
                let (instruction, witness) = (instruction(step), witness(step));
                self.send(who, mv, &Dispute::proveSliceCall { state, c, task, part, partials, instruction, witness })
            }
            Move::ProvePost { partials, step } => {
                let partials = encode::posted_partials(partials, self.posted);
                let (instruction, witness) = (instruction(step), witness(step));
                self.send(who, mv, &Dispute::provePostCall { state, c, task, partials, instruction, witness })
            }
        }
    }

    fn advance(&mut self, seconds: u64, blocks: u64) {
        self.chain.advance(seconds, blocks);
    }

    fn timeout(&mut self) -> Result<(), ProverError> {
        let (state, c, _) = self.parts();
        let call = Dispute::claimTimeoutCall { state, c };
        let (_, receipt) = self.chain.send("claimTimeout", OPERATOR, U256::ZERO, &call)?;
        let end = if self.root.is_none() { End::NoTrace } else { End::Timeout };
        self.observe(&receipt.logs, end);
        self.record(Party::Stranger, "claimTimeout", "the player on turn is late".to_owned(), &receipt);
        Ok(())
    }

    fn outcome(&self) -> Option<Outcome> {
        self.outcome
    }
}

fn instruction(step: &Step) -> Bytes {
    Bytes::copy_from_slice(&step.instruction)
}

fn witness(step: &Step) -> Bytes {
    Bytes::copy_from_slice(&step.witness)
}

/// The first event of a kind.
fn find<E: SolEvent>(logs: &[Log]) -> Option<E> {
    logs.iter().find_map(|log| E::decode_log_data(&log.data).ok())
}

const fn account(who: Party) -> Address {
    match who {
        Party::Submitter => SUBMITTER,
        Party::Challenger => CHALLENGER,
        Party::Stranger => OPERATOR,
    }
}

const fn name(who: Party) -> &'static str {
    match who {
        Party::Submitter => "submitter",
        Party::Challenger => "challenger",
        Party::Stranger => "anybody",
    }
}

/// The contract's function of a move.
const fn function(kind: MoveKind) -> &'static str {
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

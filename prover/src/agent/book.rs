//! What the events of the contracts say in all: models, tasks, claims and their disputes, batches, attention.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, B256, Bytes, Log, keccak256};
use alloy_sol_types::SolEventInterface as _;
use opml_contracts::{
    abi::{
        Attention::AttentionEvents,
        BatchDispute::{Batch, BatchDisputeEvents, Entry},
        Dispute::{self, DisputeEvents},
    },
    batch::claim_of,
    dispute::{self, Sizes},
};

/// A registered model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// Root over its instructions.
    pub program_root: B256,
    /// Root over its constants.
    pub consts_root: B256,
    /// Its sizes.
    pub sizes: Sizes,
    /// `dtype:u8 ‖ elements:u64` of every input.
    pub input_headers: Bytes,
}

/// An open task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// What is to be computed.
    pub task: Dispute::Task,
    /// The posted inputs; empty if the requester answers for the root alone.
    pub inputs: Vec<Bytes>,
}

/// How a claim stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It may be challenged, or is disputed.
    Pending,
    /// It stands for ever.
    Final,
    /// It has fallen.
    False,
}

/// A claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// What it says.
    pub claim: Dispute::Claim,
    /// The contract that it is on.
    pub home: Address,
    /// The batch that it is a leaf of, and which.
    pub leaf: Option<(B256, u16)>,
    /// The output; of a leaf only its hash is on the chain, and this is empty.
    pub output: Bytes,
    /// Block in which it was made, as far as the book was told.
    pub block: u64,
    /// How it stands.
    pub standing: Standing,
    /// The opening of its trace.
    opened: Option<Log>,
    /// Its trace root, once open.
    pub trace_root: Option<B256>,
    /// Its disputes, in the order in which they were opened.
    pub disputes: Vec<B256>,
}

impl Claimed {
    fn new(claim: Dispute::Claim, home: Address, output: Bytes, block: u64) -> Self {
        let (opened, trace_root, disputes) = Default::default();
        Self { claim, home, leaf: None, output, block, standing: Standing::Pending, opened, trace_root, disputes }
    }

    /// Whether it says that this is the output.
    #[must_use]
    pub fn says(&self, output: &[u8]) -> bool {
        match self.leaf {
            None => self.output.as_ref() == output,
            Some(_) => keccak256(output) == self.claim.outputHash,
        }
    }
}

/// Claims that were made at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batched {
    /// What names it.
    pub batch: Batch,
    /// What its leaves say.
    pub entries: Vec<Entry>,
    /// Their claims.
    pub leaves: Vec<B256>,
    /// The contract that it is on.
    pub home: Address,
}

/// How far a claim's check by the committee has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attended {
    /// Members answer, or the submitter is to show its trace.
    Asked,
    /// The submitter has shown it.
    Revealed,
    /// Over, with so many members who computed the trace.
    Closed(u8),
}

/// A claim's check by the committee.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Members who are to answer: a bit for each seat.
    pub seats: u16,
    /// Members who did.
    pub answered: BTreeSet<Address>,
    /// How far it is.
    pub stage: Attended,
}

/// A dispute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disputed {
    /// The claim.
    pub claim: B256,
    /// The challenger, and payee.
    pub challenger: Address,
    /// The challenger's number for it.
    pub nonce: u16,
    /// Its events and the opening of the trace.
    pub logs: Vec<Log>,
    /// Whether nothing is left to do in it: lost, or settled.
    pub over: bool,
}

/// Everything that happened, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Book {
    /// Models by root.
    pub models: BTreeMap<B256, Model>,
    /// Tasks by name.
    pub tasks: BTreeMap<B256, Task>,
    /// Claims by name.
    pub claims: BTreeMap<B256, Claimed>,
    /// Disputes by name.
    pub disputes: BTreeMap<B256, Disputed>,
    /// Batches by name.
    pub batches: BTreeMap<B256, Batched>,
    /// Checks by the committee, by their claim.
    pub asked: BTreeMap<B256, Asked>,
    /// The chain, which names hold.
    pub chain: u64,
    /// Block of the events that are added.
    pub at: u64,
}

impl Book {
    /// An empty book of a chain.
    #[must_use]
    pub fn of(chain: u64) -> Self {
        Self { chain, ..Self::default() }
    }

    /// Takes in the next event of the contracts. One that it does not know changes nothing.
    pub fn add(&mut self, log: &Log) {
        // A leaf's dispute has the events of any other.
        let Ok(event) = DisputeEvents::decode_log(log) else {
            self.add_batch(log);
            self.add_attention(log);
            return;
        };
        match event.data {
            DisputeEvents::ModelRegistered(event) => {
                let model = Model {
                    program_root: event.programRoot,
                    consts_root: event.constsRoot,
                    sizes: Sizes::unpack(event.header),
                    input_headers: event.inputHeaders,
                };
                self.models.insert(event.modelRoot, model);
            }
            DisputeEvents::TaskOpened(event) => {
                self.tasks.insert(event.taskId, Task { task: event.task, inputs: event.inputs });
            }
            DisputeEvents::Claimed(event) => {
                let claimed = Claimed::new(event.claim, log.address, event.output, self.at);
                self.claims.insert(event.claimId, claimed);
            }
            DisputeEvents::TraceOpened(event) => self.open(event.claimId, event.traceRoot, log),
            DisputeEvents::Finalized(event) => self.stand(event.claimId, Standing::Final),
            DisputeEvents::Challenged(event) => self.challenge(event.claimId, event.disputeId, &event.state, log),
            DisputeEvents::Falsified(event) => {
                self.stand(event.state.claimId, Standing::False);
                self.note(event.disputeId, log);
            }
            DisputeEvents::Lost(event) => self.close(event.disputeId, log),
            DisputeEvents::Settled(event) => self.close(event.disputeId, log),
            DisputeEvents::Selected(event) => self.note(event.disputeId, log),
            DisputeEvents::Revealed(event) => self.note(event.disputeId, log),
            DisputeEvents::LeafRevealed(event) => self.note(event.disputeId, log),
            DisputeEvents::PartialsRevealed(event) => self.note(event.disputeId, log),
            DisputeEvents::Credited(_) | DisputeEvents::Withdrawn(_) => {}
        }
    }

    fn add_batch(&mut self, log: &Log) {
        let Ok(event) = BatchDisputeEvents::decode_log(log) else { return };
        let BatchDisputeEvents::BatchClaimed(event) = event.data else { return };
        let (batch, entries, home) = (event.batch, event.entries, log.address);
        let mut leaves = Vec::new();
        for (j, entry) in (0..=u16::MAX).zip(&entries) {
            let claim = claim_of(&batch, j, entry);
            let id = dispute::claim_id(self.chain, home, &claim);
            let claimed = Claimed::new(claim, home, Bytes::new(), self.at);
            self.claims.insert(id, Claimed { leaf: Some((event.batchId, j)), ..claimed });
            leaves.push(id);
        }
        self.batches.insert(event.batchId, Batched { batch, entries, leaves, home });
    }

    fn add_attention(&mut self, log: &Log) {
        let Ok(event) = AttentionEvents::decode_log(log) else { return };
        match event.data {
            AttentionEvents::Asked(event) => {
                let asked =
                    Asked { seats: event.seats.saturating_to(), answered: BTreeSet::new(), stage: Attended::Asked };
                self.asked.insert(event.claimId, asked);
            }
            AttentionEvents::Responded(event) => {
                if let Some(asked) = self.asked.get_mut(&event.claimId) {
                    asked.answered.insert(event.member);
                }
            }
            AttentionEvents::Revealed(event) => self.attend(event.claimId, Attended::Revealed),
            AttentionEvents::Closed(event) => {
                self.attend(event.claimId, Attended::Closed(event.right.saturating_to()));
            }
            _ => {}
        }
    }

    fn attend(&mut self, claim: B256, stage: Attended) {
        if let Some(asked) = self.asked.get_mut(&claim) {
            asked.stage = stage;
        }
    }

    fn open(&mut self, claim: B256, root: B256, log: &Log) {
        let Some(claimed) = self.claims.get_mut(&claim) else { return };
        claimed.opened = Some(log.clone());
        claimed.trace_root = Some(root);
        for id in claimed.disputes.clone() {
            self.note(id, log);
        }
    }

    /// A claim, or a batch, is over. One leaf that falls fells all.
    fn stand(&mut self, name: B256, standing: Standing) {
        let batch = self.claims.get(&name).and_then(|claimed| claimed.leaf).map_or(name, |(batch, _)| batch);
        let leaves = self.batches.get(&batch).map_or_else(|| vec![name], |batched| batched.leaves.clone());
        for id in leaves {
            if let Some(claimed) = self.claims.get_mut(&id) {
                claimed.standing = standing;
            }
        }
    }

    fn challenge(&mut self, claim: B256, id: B256, state: &Dispute::State, log: &Log) {
        let Some(claimed) = self.claims.get_mut(&claim) else { return };
        let Some(place) = dispute::Position::unpack(state) else { return };
        claimed.disputes.push(id);
        let logs = claimed.opened.iter().chain([log]).cloned().collect();
        let (challenger, nonce) = (place.challenger, place.nonce);
        self.disputes.insert(id, Disputed { claim, challenger, nonce, logs, over: false });
    }

    fn note(&mut self, dispute: B256, log: &Log) {
        if let Some(disputed) = self.disputes.get_mut(&dispute) {
            disputed.logs.push(log.clone());
        }
    }

    fn close(&mut self, dispute: B256, log: &Log) {
        if let Some(disputed) = self.disputes.get_mut(&dispute) {
            disputed.logs.push(log.clone());
            disputed.over = true;
        }
    }

    /// A claim's task and model.
    #[must_use]
    pub fn subject(&self, claimed: &Claimed) -> Option<(&Task, &Model)> {
        let task = self.tasks.get(&claimed.claim.taskId)?;
        Some((task, self.models.get(&task.task.modelRoot)?))
    }
}

//! What the events of the contract say in all: models, tasks, claims and their disputes.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, Bytes, Log};
use alloy_sol_types::SolEventInterface as _;
use opml_contracts::{
    abi::Dispute::{self, DisputeEvents},
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
    /// The output.
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
    /// Block of the events that are added.
    pub at: u64,
}

impl Book {
    /// Takes in the next event of the contract. One that it does not know changes nothing.
    pub fn add(&mut self, log: &Log) {
        let Ok(event) = DisputeEvents::decode_log(log) else { return };
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
                let claimed = Claimed {
                    claim: event.claim,
                    output: event.output,
                    block: self.at,
                    standing: Standing::Pending,
                    opened: None,
                    trace_root: None,
                    disputes: Vec::new(),
                };
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

    fn open(&mut self, claim: B256, root: B256, log: &Log) {
        let Some(claimed) = self.claims.get_mut(&claim) else { return };
        claimed.opened = Some(log.clone());
        claimed.trace_root = Some(root);
        for id in claimed.disputes.clone() {
            self.note(id, log);
        }
    }

    fn stand(&mut self, claim: B256, standing: Standing) {
        if let Some(claimed) = self.claims.get_mut(&claim) {
            claimed.standing = standing;
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

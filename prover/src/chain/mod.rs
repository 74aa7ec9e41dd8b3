//! The contracts on an in-process chain: deployment, claims, and disputes played in transactions.

mod arena;
pub(crate) mod encode;
mod record;
mod replay;
mod step;
mod tier;

use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_sol_types::{SolCall, SolValue};
use opml_bisection::OpenTrace;
use opml_contracts::{
    Host, HostError, Receipt,
    abi::{Dispute, StepVerifier},
    dispute,
};
use opml_ops::commit::Hasher;
use opml_vm::{Program, Tensor};

use crate::error::ProverError;

pub use arena::{ContractArena, Seats, Transaction};
pub use encode::{input_headers, parts, parts_of, register_call};
pub use record::{Record, function};
pub use replay::Replay;
pub use step::StepChain;
pub use tier::{bond_of_challenger, bond_of_submitter, tier};

/// One ether, in wei.
pub const ETHER: u128 = 1_000_000_000_000_000_000;
/// Account that deploys and registers.
pub const OPERATOR: Address = Address::repeat_byte(0x0a);
/// Account of the submitter.
pub const SUBMITTER: Address = Address::repeat_byte(0x5b);
/// Account of the challenger.
pub const CHALLENGER: Address = Address::repeat_byte(0xc4);
/// What both players hold at the beginning, in wei.
pub const FUNDS: u128 = 10 * ETHER;

/// The number of the only tier that [`Chain::new`] deploys.
pub(crate) const TIER: u8 = 0;

/// A chain with both contracts, one tier, and two funded players.
pub struct Chain {
    host: Host,
    dispute: Address,
    tier: Dispute::Tier,
}

/// A task on the chain with all that its identity is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskOnChain {
    /// The task.
    pub task: Dispute::Task,
    /// What it is made of besides its header.
    pub parts: Dispute::Parts,
}

/// A claim on the chain with all that its identity is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimOnChain {
    /// Its name.
    pub id: B256,
    /// Its parts.
    pub claim: Dispute::Claim,
    /// What its task is made of.
    pub parts: Dispute::Parts,
    /// The claimed output.
    pub output: Vec<u8>,
}

impl Chain {
    /// Deploys the contracts with one tier of this arity, `2^arity_log2`.
    ///
    /// # Errors
    /// The chain refuses a transaction.
    pub fn new(arity_log2: u8) -> Result<Self, ProverError> {
        let mut host = Host::new();
        for account in [SUBMITTER, CHALLENGER] {
            host.fund(account, U256::from(FUNDS)).map_err(refused("funding"))?;
        }
        let verifier = host.deploy(OPERATOR, &StepVerifier::BYTECODE, &[]).map_err(refused("StepVerifier"))?;
        let tier = tier(arity_log2);
        let arguments = (verifier, vec![tier.clone()]).abi_encode_params();
        let dispute = host.deploy(OPERATOR, &Dispute::BYTECODE, &arguments).map_err(refused("Dispute"))?;
        Ok(Self { host, dispute, tier })
    }

    /// The parameters of its claims.
    #[must_use]
    pub const fn tier(&self) -> &Dispute::Tier {
        &self.tier
    }

    /// The claims contract.
    #[must_use]
    pub const fn claims(&self) -> Address {
        self.dispute
    }

    /// The chain itself, for contracts besides the claims.
    pub const fn host(&mut self) -> &mut Host {
        &mut self.host
    }

    /// Time and block of the next transaction.
    #[must_use]
    pub fn now(&self) -> (u64, u64) {
        (self.host.now(), self.host.block())
    }

    /// Lets time pass.
    pub fn advance(&mut self, seconds: u64, blocks: u64) {
        self.host.warp(seconds);
        self.host.roll(blocks);
    }

    /// While held, all transactions go into the present block.
    pub fn hold_block(&mut self, hold: bool) {
        self.host.hold_block(hold);
    }

    /// What an account holds outside the contract, in wei.
    pub fn balance(&mut self, account: Address) -> U256 {
        self.host.balance(account)
    }

    /// What an account may withdraw, in wei.
    ///
    /// # Errors
    /// The chain refuses the question.
    pub fn credit(&mut self, account: Address) -> Result<U256, ProverError> {
        let call = Dispute::creditOfCall { account };
        self.host.view(self.dispute, &call).map_err(refused("creditOf"))
    }

    /// Sends a call to the dispute contract.
    ///
    /// # Errors
    /// The chain refuses it.
    pub fn send<C: SolCall>(
        &mut self,
        what: &'static str,
        from: Address,
        value: U256,
        call: &C,
    ) -> Result<(C::Return, Receipt), ProverError> {
        self.host.send(from, self.dispute, value, call).map_err(refused(what))
    }

    /// Sends calldata to the dispute contract.
    ///
    /// # Errors
    /// The chain refuses it.
    pub fn call(
        &mut self,
        what: &'static str,
        from: Address,
        value: U256,
        data: Bytes,
    ) -> Result<Receipt, ProverError> {
        self.host.call(from, self.dispute, value, data).map_err(refused(what))
    }

    /// Registers a model; gives its root as the contract computes it.
    ///
    /// # Errors
    /// The chain refuses it.
    pub fn register(&mut self, program: &Program) -> Result<B256, ProverError> {
        Ok(self.send("registerModel", OPERATOR, U256::ZERO, &register_call(program))?.0)
    }

    /// Opens a task on posted inputs.
    ///
    /// # Errors
    /// The chain refuses it.
    pub fn open_task(&mut self, program: &Program, inputs: &[Tensor], max_t: u64) -> Result<TaskOnChain, ProverError> {
        let model_root = self.register(program)?;
        let call = Dispute::openTaskCall {
            modelRoot: model_root,
            maxT: max_t,
            tier: TIER,
            inputHeaders: input_headers(program),
            inputs: inputs.iter().map(|input| Bytes::copy_from_slice(input.bytes())).collect(),
        };
        self.send("openTask", OPERATOR, U256::ZERO, &call)?;
        let task = Dispute::Task {
            modelRoot: model_root,
            inputRoot: Hasher::current().input_root(inputs).into(),
            maxT: max_t,
            tier: TIER,
            requester: Address::ZERO,
        };
        let parts = parts(program, &task);
        Ok(TaskOnChain { task, parts })
    }

    /// Claims a result as the submitter; `opening`, with the number of
    /// instructions, posts the trace root with it.
    ///
    /// # Errors
    /// The chain refuses it.
    pub fn claim(
        &mut self,
        task: &TaskOnChain,
        length: u64,
        output: &[u8],
        opening: Option<(&OpenTrace, u32)>,
    ) -> Result<(ClaimOnChain, Receipt), ProverError> {
        let task_id = dispute::task_id(&task.task);
        // The block number makes each of a submitter's claims its own.
        let nonce = self.host.block();
        let output = output.to_vec();
        let bond = U256::from(self.tier.bondS);
        let data = Bytes::from(output.clone());
        let (id, receipt) = match opening {
            None => {
                let call = Dispute::claimCall { taskId: task_id, T: length, nonce, output: data };
                self.send("claim", SUBMITTER, bond, &call)?
            }
            Some((opening, instructions)) => {
                let leaves = length.saturating_mul(u64::from(instructions));
                let opening = encode::trace_opening(opening, leaves, self.tier.arityLog2)?;
                let call = Dispute::claimEagerCall { taskId: task_id, T: length, nonce, output: data, opening };
                self.send("claimEager", SUBMITTER, bond, &call)?
            }
        };
        let claim = Dispute::Claim {
            taskId: task_id,
            T: length,
            outputHash: alloy_primitives::keccak256(&output),
            submitter: SUBMITTER,
            nonce,
        };
        Ok((ClaimOnChain { id, claim, parts: task.parts.clone(), output }, receipt))
    }

    /// Waits until the challenge window is over, and finalises.
    ///
    /// # Errors
    /// The chain refuses it.
    pub fn finalize(&mut self, claim: &ClaimOnChain) -> Result<Receipt, ProverError> {
        self.advance(u64::from(self.tier.window), 1);
        let call = Dispute::finalizeCall { c: claim.claim.clone() };
        Ok(self.send("finalize", SUBMITTER, U256::ZERO, &call)?.1)
    }

    /// Whether a claim is final.
    ///
    /// # Errors
    /// The chain refuses the question.
    pub fn is_final(&mut self, claim: &ClaimOnChain) -> Result<bool, ProverError> {
        let call = Dispute::isFinalCall { claimId: claim.id };
        self.host.view(self.dispute, &call).map_err(refused("isFinal"))
    }

    /// Sends an account its credit, if it has any.
    ///
    /// # Errors
    /// The chain refuses it.
    pub fn withdraw(&mut self, account: Address) -> Result<Option<Receipt>, ProverError> {
        if self.credit(account)?.is_zero() {
            return Ok(None);
        }
        Ok(Some(self.send("withdraw", account, U256::ZERO, &Dispute::withdrawCall {})?.1))
    }
}

/// Names the transaction that was refused.
pub(crate) fn refused(what: &'static str) -> impl FnOnce(HostError) -> ProverError {
    move |error| ProverError::Chain { what, error }
}

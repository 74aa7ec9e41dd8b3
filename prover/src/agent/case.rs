//! A claim on the agent's table: the model and input it is about, and what running them says.

use std::sync::Arc;

use alloy_primitives::{B256, keccak256};
use opml_bisection::Claim;
use opml_vm::{Program, Tensor};
use serde::{Deserialize, Serialize};

use super::{AgentError, Book, Claimed, Library, Plan, Task};
use crate::{
    chain::{ClaimOnChain, parts_of},
    error::ProverError,
    machine::VmRules,
    runs::{Own, Runner},
};

/// What a run says of a claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// The claim says what the model computes.
    Right,
    /// It does not.
    Wrong,
    /// The root of the model's own trace.
    Traced([u8; 32]),
}

/// A claim with all that is needed to judge and to play it.
pub struct Case {
    /// The claim as the game knows it.
    pub claim: Claim,
    /// The claim as the contract knows it.
    pub on_chain: ClaimOnChain,
    /// The rules of its model and input.
    pub rules: VmRules,
    /// The model.
    pub program: Arc<Program>,
    /// The model, ready to run.
    pub plan: Arc<Plan>,
    /// The inputs.
    pub inputs: Vec<Tensor>,
}

impl Case {
    /// Puts a claim's case together; otherwise why it cannot be: the model is not in the library, or the inputs are not public.
    ///
    /// # Errors
    /// A model file cannot be read, or the storage does not answer.
    pub fn of(
        book: &Book,
        id: B256,
        claimed: &Claimed,
        arity_log2: u8,
        library: &mut Library,
    ) -> Result<Result<Self, String>, AgentError> {
        let Some((task, model)) = book.subject(claimed) else {
            return Ok(Err("its task is unknown".to_owned()));
        };
        let root = task.task.modelRoot;
        let Some(plan) = library.plan(root)? else {
            return Ok(Err(format!("no model file has the root {root}")));
        };
        let program = plan.program.clone();
        let inputs = match inputs(&program, task, library)? {
            Ok(inputs) => inputs,
            Err(why) => return Ok(Err(why)),
        };
        let claim = Claim {
            instructions: model.sizes.instructions,
            output_at: model.sizes.output,
            halt_at: program.halt(),
            max_length: task.task.maxT,
            length: claimed.claim.T,
            output: claimed.claim.outputHash.0,
            arity_log2: arity_log2.into(),
        };
        let parts = parts_of(&plan.roots, &task.task);
        let on_chain = ClaimOnChain { id, claim: claimed.claim.clone(), parts, output: claimed.output.to_vec() };
        let rules = VmRules::of(plan.roots, &program, &inputs);
        Ok(Ok(Self { claim, on_chain, rules, program, plan, inputs }))
    }

    /// What is run for the claim's task.
    #[must_use]
    pub fn runner(&self, budget: u64, memory: u64) -> Runner<'_> {
        Runner { engine: &self.plan.engine, inputs: &self.inputs, max_t: self.claim.max_length, budget, memory }
    }

    /// Whether the claim says that this is the output.
    #[must_use]
    pub fn is_output(&self, output: &[u8]) -> bool {
        keccak256(output) == self.on_chain.claim.outputHash
    }

    /// Whether a run says what the claim says.
    ///
    /// # Errors
    /// It has no output.
    pub fn agrees(&self, own: &Own) -> Result<bool, ProverError> {
        let output = own.output(self.program.output())?;
        Ok(self.is_output(&output) && own.length() == self.claim.length)
    }
}

/// A task's inputs: as they were posted, or else from the storage; otherwise why there are none.
///
/// # Errors
/// The storage does not answer, or what it has is damaged.
pub(super) fn inputs(
    program: &Program,
    task: &Task,
    library: &Library,
) -> Result<Result<Vec<Tensor>, String>, AgentError> {
    if task.inputs.len() == program.inputs().len() {
        let inputs = program.inputs().iter().zip(&task.inputs);
        let inputs: Result<Vec<Tensor>, _> =
            inputs.map(|(header, bytes)| Tensor::shared(header.dtype, header.elements, bytes.0.clone())).collect();
        return Ok(inputs.map_err(|error| format!("its inputs are none of the model: {error}")));
    }
    let stored = library.vault().map(|vault| vault.inputs(program, task.task.inputRoot)).transpose()?.flatten();
    Ok(stored.ok_or_else(|| format!("its inputs {} were not posted", task.task.inputRoot)))
}

/// What an agent cannot go on without.
pub(super) fn missing(why: &str) -> AgentError {
    AgentError::Prover(ProverError::Stuck(why.to_owned()))
}

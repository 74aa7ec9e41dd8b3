//! The step verifier alone: any question about a step, and proof files.

use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_sol_types::SolCall;
use opml_contracts::{Host, HostError, abi::StepVerifier};
use opml_vm::{Counts, step::Job, witness::Question};

use crate::{error::ProverError, proof::Proof};

use super::{OPERATOR, refused};

/// A chain with the step verifier.
pub struct StepChain {
    host: Host,
    verifier: Address,
}

impl StepChain {
    /// Deploys the verifier.
    ///
    /// # Errors
    /// The chain refuses the deployment.
    pub fn new() -> Result<Self, ProverError> {
        let mut host = Host::new();
        let verifier = host.deploy(OPERATOR, &StepVerifier::BYTECODE, &[]).map_err(refused("StepVerifier"))?;
        Ok(Self { host, verifier })
    }

    /// What the contract computes for a proof, and the gas of a transaction that asks it.
    ///
    /// # Errors
    /// The contract refuses the witness.
    pub fn ask(&mut self, proof: &Proof) -> Result<(i128, u64), ProverError> {
        let (what, question) = match proof.terms {
            None => ("element", Question::Element { e: proof.element }),
            Some((k0, k1)) => ("slice", Question::Slice { e: proof.element, k0, k1 }),
        };
        self.question(&proof.job(), question, &proof.encoding, &proof.witness).map_err(refused(what))
    }

    /// The contract's answer to a question about a step, and the gas of a transaction that asks it.
    ///
    /// # Errors
    /// The contract refuses the question or the witness.
    pub fn question(
        &mut self,
        job: &Job,
        question: Question,
        encoding: &[u8],
        witness: &[u8],
    ) -> Result<(i128, u64), HostError> {
        let job = on_chain(job);
        let (instruction, witness) = (Bytes::copy_from_slice(encoding), Bytes::copy_from_slice(witness));
        match question {
            Question::Element { e } => {
                let (value, gas) = self.call(&StepVerifier::elementCall { job, e, instruction, witness })?;
                Ok((value.into(), gas))
            }
            Question::Slice { e, k0, k1 } => {
                self.call(&StepVerifier::sliceCall { job, e, k0, k1, instruction, witness })
            }
            Question::Post { e, acc } => {
                let (value, gas) = self.call(&StepVerifier::postCall { job, e, acc, instruction, witness })?;
                Ok((value.into(), gas))
            }
        }
    }

    /// Type, elements and terms of a step's instruction by the contract.
    ///
    /// # Errors
    /// The contract refuses the siblings.
    pub fn shape(&mut self, job: &Job, encoding: &[u8], siblings: &[u8]) -> Result<(u8, u64, u64), HostError> {
        let call = StepVerifier::shapeCall {
            programRoot: B256::from(job.program_root),
            counts: packed(&job.counts),
            t: job.t,
            i: job.instruction,
            instruction: Bytes::copy_from_slice(encoding),
            witness: Bytes::copy_from_slice(siblings),
        };
        self.call(&call).map(|(shape, _)| (shape.dtype, shape.elements, shape.terms))
    }

    fn call<C: SolCall>(&mut self, call: &C) -> Result<(C::Return, u64), HostError> {
        let receipt = self.host.static_call(OPERATOR, self.verifier, call.abi_encode().into())?;
        let answer = C::abi_decode_returns(&receipt.output);
        Ok((answer.map_err(|error| HostError::Decode(error.to_string()))?, receipt.gas_used))
    }
}

fn on_chain(job: &Job) -> StepVerifier::Job {
    StepVerifier::Job {
        programRoot: job.program_root.into(),
        constsRoot: job.constants_root.into(),
        inputRoot: job.input_root.into(),
        traceRoot: job.trace_root.into(),
        counts: packed(&job.counts),
        T: job.length,
        t: job.t,
        i: job.instruction,
    }
}

/// `N:32 ‖ nConsts:32 ‖ nInputs:32` in one word.
fn packed(counts: &Counts) -> U256 {
    let [n, constants, inputs] = [counts.instructions, counts.constants, counts.inputs].map(U256::from);
    (n << 64) | (constants << 32) | inputs
}

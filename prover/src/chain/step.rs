//! The step verifier alone, asked about a proof file.

use alloy_primitives::{Address, U256};
use opml_contracts::{Host, abi::StepVerifier};

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
        let job = StepVerifier::Job {
            programRoot: proof.program_root,
            constsRoot: proof.constants_root,
            inputRoot: proof.input_root,
            traceRoot: proof.trace_root,
            counts: counts(proof),
            T: proof.length,
            t: proof.t,
            i: proof.instruction,
        };
        let (e, instruction, witness) = (proof.element, proof.encoding.clone(), proof.witness.clone());
        match proof.terms {
            None => {
                let call = StepVerifier::elementCall { job, e, instruction, witness };
                let (value, receipt) =
                    self.host.send(OPERATOR, self.verifier, U256::ZERO, &call).map_err(refused("element"))?;
                Ok((i128::from(value), receipt.gas_used))
            }
            Some((k0, k1)) => {
                let call = StepVerifier::sliceCall { job, e, k0, k1, instruction, witness };
                let (value, receipt) =
                    self.host.send(OPERATOR, self.verifier, U256::ZERO, &call).map_err(refused("slice"))?;
                Ok((value, receipt.gas_used))
            }
        }
    }
}

/// `N:32 ‖ nConsts:32 ‖ nInputs:32` in one word.
fn counts(proof: &Proof) -> U256 {
    let [n, constants, inputs] = [proof.instructions, proof.constants, proof.inputs].map(U256::from);
    (n << 64) | (constants << 32) | inputs
}

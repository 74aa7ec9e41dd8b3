//! The proof file of one step: everything a verifier needs, and what the trace says of the step.

use std::path::Path;

use alloy_primitives::{B256, Bytes};
use opml_vm::{Counts, StepError, step::Job};
use serde::{Deserialize, Serialize};

use crate::{error::ProverError, files};

/// A step with its openings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// Format of the file.
    pub version: u32,
    /// Root of the instructions.
    pub program_root: B256,
    /// Root of the constants.
    pub constants_root: B256,
    /// Root of the inputs.
    pub input_root: B256,
    /// Root of the trace.
    pub trace_root: B256,
    /// Instructions of the program.
    pub instructions: u32,
    /// Constants of the program.
    pub constants: u32,
    /// Inputs of the program.
    pub inputs: u32,
    /// Iterations of the run.
    pub length: u64,
    /// Iteration of the step.
    pub t: u64,
    /// Instruction of the step.
    pub instruction: u32,
    /// Element of the step.
    pub element: u64,
    /// Terms of the slice; none: the whole element.
    pub terms: Option<(u64, u64)>,
    /// What the trace says: the element, or the partial over the terms.
    #[serde(with = "decimal")]
    pub claimed: i128,
    /// The instruction's bytes.
    pub encoding: Bytes,
    /// The openings.
    pub witness: Bytes,
}

/// i128 as a decimal string: JSON numbers are not exact that far.
mod decimal {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(value: &i128, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i128, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// Format of the file.
pub const VERSION: u32 = 1;

impl Proof {
    /// Reads a proof file.
    ///
    /// # Errors
    /// The file is not a proof, or of another version.
    pub fn read(path: &Path) -> Result<Self, ProverError> {
        let bytes = files::read(path)?;
        let wrong = |why: String| ProverError::Proof { path: path.to_path_buf(), why };
        let proof: Self = serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
        if proof.version != VERSION {
            return Err(wrong(format!("version {} is not {VERSION}", proof.version)));
        }
        Ok(proof)
    }

    /// What the step is judged against.
    #[must_use]
    pub fn job(&self) -> Job {
        Job {
            program_root: self.program_root.0,
            constants_root: self.constants_root.0,
            input_root: self.input_root.0,
            trace_root: self.trace_root.0,
            counts: Counts { instructions: self.instructions, constants: self.constants, inputs: self.inputs },
            length: self.length,
            t: self.t,
            instruction: self.instruction,
        }
    }

    /// Recomputes the step with the Rust verifier.
    ///
    /// # Errors
    /// The openings do not verify.
    pub fn recompute(&self) -> Result<i128, StepError> {
        match self.terms {
            None => Ok(i128::from(self.job().element(self.element, &self.encoding, &self.witness)?)),
            Some((k0, k1)) => self.job().slice(self.element, k0, k1, &self.encoding, &self.witness),
        }
    }
}

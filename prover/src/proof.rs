//! The proof file of one step: everything a verifier needs, and what the trace says of the step.

use std::path::Path;

use alloy_primitives::{B256, Bytes};
use opml_ops::commit::Hasher;
use opml_vm::{Counts, DType, Program, StepError, Trace, merkle, step::Job, tensor, witness};
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
    /// What is claimed: the element in the trace, or the partial over the terms, which no root commits to.
    #[serde(with = "decimal")]
    pub claimed: i128,
    /// The claimed element in the trace; none for a slice.
    pub opening: Option<Opening>,
    /// The instruction's bytes.
    pub encoding: Bytes,
    /// What the instruction reads.
    pub witness: Bytes,
}

/// An element of the trace with its paths.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opening {
    /// Type code of its tensor.
    pub dtype: u8,
    /// Elements of its tensor.
    pub elements: u64,
    /// The 256 bytes around it.
    pub leaf: Bytes,
    /// Siblings up to the tensor's root.
    pub tensor_path: Vec<B256>,
    /// Siblings up to the trace's root.
    pub trace_path: Vec<B256>,
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

/// The one key that every version of the file has.
#[derive(Deserialize)]
struct Format {
    version: u32,
}

impl Proof {
    /// Reads a proof file.
    ///
    /// # Errors
    /// The file is not a proof, or of another version.
    pub fn read(path: &Path) -> Result<Self, ProverError> {
        let wrong = |why: String| ProverError::Proof { path: path.to_path_buf(), why };
        Self::parse(&files::read(path)?).map_err(wrong)
    }

    /// Reads the bytes of a proof file.
    ///
    /// # Errors
    /// Why they are not a proof.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let Format { version } = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if version != VERSION {
            return Err(format!("its version is {version}, this program reads {VERSION}"));
        }
        serde_json::from_slice(bytes).map_err(|error| error.to_string())
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

    /// Whether the roots and counts are those of a model.
    #[must_use]
    pub fn is_about(&self, program: &Program) -> bool {
        let (roots, job) = (Hasher::current().model_roots(program), self.job());
        (job.program_root, job.constants_root, job.counts) == (roots.program, roots.constants, program.counts())
    }

    /// Checks that the trace root commits to the claimed element. Nothing commits to a slice's partial.
    ///
    /// # Errors
    /// The opening does not fold to the trace root, or opens another number.
    pub fn check_claimed(&self) -> Result<(), String> {
        match (&self.opening, self.terms) {
            (None, Some(_)) => Ok(()),
            (Some(opening), None) => {
                let opened = self.opened(opening).ok_or("the claimed element does not open to the trace root")?;
                if i128::from(opened) == self.claimed {
                    return Ok(());
                }
                Err(format!("it claims {}, but the trace root commits to {opened}", self.claimed))
            }
            (None, None) => Err("the claimed element is not opened".to_owned()),
            (Some(_), Some(_)) => Err("a slice has no opening".to_owned()),
        }
    }

    fn opened(&self, opening: &Opening) -> Option<i64> {
        let leaf: &[u8; merkle::LEAF_BYTES] = opening.leaf.as_ref().try_into().ok()?;
        let dtype = DType::from_code(opening.dtype).filter(|dtype| dtype.is_writable())?;
        let (index, offset) = place(dtype, self.element).filter(|_| self.element < opening.elements)?;
        let leaves = merkle::tensor_leaves(dtype.bytes(opening.elements)?);
        let root = climb(leaves, index, merkle::leaf_hash(leaf), &opening.tensor_path)?;
        let header = merkle::header_hash(opening.dtype, opening.elements, &root);
        let (trace_leaves, number) = self.leaf()?;
        let folded = climb(trace_leaves, number, header, &opening.trace_path)?;
        (folded == self.trace_root.0).then(|| tensor::element_at(dtype, leaf, offset))?
    }

    /// Leaves of the trace, and the number of the step's.
    fn leaf(&self) -> Option<(u64, u64)> {
        let instructions = u64::from(self.instructions);
        let leaves = self.length.checked_mul(instructions)?;
        let number = self.t.checked_mul(instructions)?.checked_add(u64::from(self.instruction))?;
        (self.instruction < self.instructions && number < leaves).then_some((leaves, number))
    }
}

impl Opening {
    /// Opens an element of value `leaf`; none if there is none.
    #[must_use]
    pub fn of(trace: &Trace, leaf: u64, element: u64) -> Option<Self> {
        let value = trace.value(leaf).filter(|value| element < value.elements())?;
        let (index, _) = place(value.dtype(), element)?;
        let hashes = |path: Vec<merkle::Hash>| path.into_iter().map(B256::from).collect();
        Some(Self {
            dtype: value.dtype().code(),
            elements: value.elements(),
            leaf: Bytes::copy_from_slice(&witness::padded_leaf(value.bytes(), index)),
            tensor_path: hashes(Hasher::current().tensor_tree(value.bytes()).prove(&[index])),
            trace_path: hashes(trace.tree().prove(&[leaf])),
        })
    }
}

/// Tensor leaf of an element, and the element's number in it.
fn place(dtype: DType, element: u64) -> Option<(u64, u64)> {
    let in_leaf = u64::try_from(merkle::LEAF_BYTES).ok()?.checked_mul(8)?.checked_div(dtype.bits())?;
    Some((element.checked_div(in_leaf)?, element.checked_rem(in_leaf)?))
}

/// The root over `leaves` leaves that one leaf and its siblings give.
fn climb(leaves: u64, index: u64, hash: merkle::Hash, siblings: &[B256]) -> Option<merkle::Hash> {
    let siblings: Vec<merkle::Hash> = siblings.iter().map(|sibling| sibling.0).collect();
    merkle::fold_under(leaves, 0, index, hash, merkle::depth(leaves), &siblings)
}

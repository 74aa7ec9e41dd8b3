//! Typed errors: each names the place and the limit that was broken.

use alloc::string::String;
use thiserror::Error;

/// Why bytes are not a well-formed instruction (SPEC §3.3).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The bytes end inside a field, or are longer than the fields say.
    #[error("encoding has {actual} bytes where its fields need {needed}")]
    Length {
        /// Bytes given.
        actual: usize,
        /// Bytes that the fields up to the fault need.
        needed: usize,
    },
    /// A count or code is past its limit.
    #[error("{field} is {value}, the limit is {limit}")]
    Limit {
        /// The field.
        field: &'static str,
        /// Its value.
        value: u64,
        /// Largest legal value.
        limit: u64,
    },
    /// An operation reads a slot that is not defined before it.
    #[error("operation in slot {slot} reads slot {operand}, which is not before it")]
    Operand {
        /// Slot of the operation.
        slot: usize,
        /// Slot it names.
        operand: u8,
    },
    /// A field that must be zero is not.
    #[error("{0} must be zero")]
    NotZero(&'static str),
    /// A domain has too many points.
    #[error("{0} extents multiply to more than the limit")]
    Domain(&'static str),
}

/// Why tensor bytes do not fit their header.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TensorError {
    /// Wrong number of bytes.
    #[error("{elements} elements of {dtype} need {needed} bytes, not {actual}")]
    Length {
        /// Type name.
        dtype: &'static str,
        /// Element count.
        elements: u64,
        /// Bytes needed.
        needed: u64,
        /// Bytes given.
        actual: u64,
    },
    /// More than 2^40 elements.
    #[error("{0} elements are more than 2^40")]
    Elements(u64),
    /// The unused nibble of an odd i4 tensor is not zero.
    #[error("the unused nibble after the last i4 element is not zero")]
    Nibble,
    /// A value is outside its type's range.
    #[error("{value} at element {index} is outside {dtype}")]
    Range {
        /// Type name.
        dtype: &'static str,
        /// Element number.
        index: usize,
        /// The value.
        value: i64,
    },
}

/// Why a model or program is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ModelError {
    /// Not a model file, or another version.
    #[error("not an opML model file of version 1 (found {0:02x?})")]
    Magic([u8; 5]),
    /// The file ends early.
    #[error("model file ends at byte {at}, inside {place}")]
    Truncated {
        /// Offset at which bytes were missing.
        at: usize,
        /// What was being read.
        place: String,
    },
    /// Bytes follow the last constant.
    #[error("{0} bytes follow the end of the model")]
    Trailing(usize),
    /// A count is out of range.
    #[error("{field} is {value}, which is out of range ({why})")]
    Count {
        /// The field.
        field: &'static str,
        /// Its value.
        value: u64,
        /// The rule.
        why: &'static str,
    },
    /// A dtype code is unknown or not allowed there.
    #[error("{place} has dtype code {code}, which is not allowed there")]
    DType {
        /// Where.
        place: String,
        /// The code.
        code: u8,
    },
    /// A constant's bytes do not fit.
    #[error("constant {index}: {error}")]
    Constant {
        /// Its number.
        index: usize,
        /// What is wrong.
        error: TensorError,
    },
    /// An instruction is malformed.
    #[error("instruction {index}: {error}")]
    Instruction {
        /// Its number.
        index: usize,
        /// What is wrong.
        error: DecodeError,
    },
    /// A load names a view larger than its source, so it always reads past the end.
    #[error("instruction {index}, load {load}: the view has {view} elements, its source {source_elements}")]
    View {
        /// Instruction number.
        index: usize,
        /// Load number, `map` first.
        load: usize,
        /// Elements of the view.
        view: u64,
        /// Elements of the source.
        source_elements: u64,
    },
    /// A load at the same iteration names an instruction that is not earlier.
    #[error("instruction {index} loads instruction {source_index} of the same iteration, which is not earlier")]
    NotEarlier {
        /// Instruction number.
        index: usize,
        /// Number it names.
        source_index: u32,
    },
    /// The inputs of a run do not match the model.
    #[error("input {index}: expected {expected}, got {actual}")]
    Input {
        /// Input number.
        index: usize,
        /// Expected header in words.
        expected: String,
        /// Given header in words.
        actual: String,
    },
    /// The run is longer or larger than the machine or caller allows.
    #[error("{what} is {value}, more than the limit {limit}")]
    TooLarge {
        /// What.
        what: &'static str,
        /// Its size.
        value: u64,
        /// The limit.
        limit: u64,
    },
}

/// Why a step question is refused or a witness does not verify (SPEC §6).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StepError {
    /// `t ≥ T` or `i ≥ N`, or the trace has more than 2^40 leaves.
    #[error("the step (t, i) is outside the trace, or the trace has more than 2^40 values")]
    OutsideTrace,
    /// `e ≥ E(t)`.
    #[error("element {e} is not below {elements}")]
    Element {
        /// The element.
        e: u64,
        /// Elements of the value.
        elements: u64,
    },
    /// Not `k0 < k1 ≤ K(t)`.
    #[error("slice {k0}..{k1} is not inside 0..{terms}")]
    Slice {
        /// First term.
        k0: u64,
        /// End.
        k1: u64,
        /// Terms of the reduction.
        terms: u64,
    },
    /// `post` was asked of an empty reduction.
    #[error("an empty reduction has no partial")]
    EmptyReduction,
    /// The witness ends early, has bytes left, or is not ascending.
    #[error("witness is malformed: {0}")]
    Witness(&'static str),
    /// A root computed from the witness is not the job's.
    #[error("{0} does not open to its root")]
    Root(&'static str),
    /// A load needs a tensor or leaf that the witness does not hold.
    #[error("the witness lacks {tree} tensor {index}, element {element}")]
    Missing {
        /// Which tree.
        tree: &'static str,
        /// Tensor number in it.
        index: u64,
        /// Element wanted.
        element: u64,
    },
}

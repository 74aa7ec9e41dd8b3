//! Typed errors: each names the place in the source file and what would be accepted.

use opml_vm::ModelError;
use thiserror::Error;

use crate::lower::LowerError;

/// Why a model cannot be imported.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ImportError {
    /// The bytes are not a protocol-buffers message of the ONNX schema.
    #[error("not an ONNX file: {0}")]
    Decode(String),
    /// The file holds no graph.
    #[error("the file has no graph")]
    NoGraph,
    /// The operator set is not one of those read.
    #[error("opset {version} of domain \"{domain}\" is not supported: opsets 7 to 25 of the default domain are")]
    Opset {
        /// Operator domain.
        domain: String,
        /// Version in the file.
        version: i64,
    },
    /// An operator call that cannot be imported.
    #[error("node \"{node}\" ({operator}): {fault}")]
    Node {
        /// Name of the node, or of its first output.
        node: String,
        /// Operator type.
        operator: String,
        /// What is wrong.
        fault: NodeFault,
    },
    /// A constant that does not match its own shape or type.
    #[error("constant \"{name}\": {why}")]
    Constant {
        /// Name of the tensor.
        name: String,
        /// What is wrong.
        why: String,
    },
    /// An input of the graph whose type or shape cannot be used.
    #[error("input \"{name}\": {why}")]
    Input {
        /// Name of the input.
        name: String,
        /// What is wrong.
        why: String,
    },
    /// An output of the graph that no node computes from the inputs, or that does not depend on them.
    #[error("output \"{0}\" is not computed by any node from the inputs")]
    Output(String),
    /// The graph lists several outputs and none was chosen.
    #[error("the graph has several outputs, choose one: {0}")]
    ManyOutputs(String),
    /// The graph lists no output.
    #[error("the graph has no output")]
    NoOutput,
    /// Calibration samples are missing or have the wrong size.
    #[error("calibration: {0}")]
    Calibration(String),
    /// The model exceeds a limit of [`crate::import::Limits`].
    #[error("{what}: {value} is above the limit of {limit}")]
    Limit {
        /// The measured quantity.
        what: String,
        /// Its value.
        value: u64,
        /// The limit.
        limit: u64,
    },
    /// A lowering exceeds what one instruction can hold.
    #[error("node \"{node}\": {fault}")]
    Lower {
        /// Name of the value being computed.
        node: String,
        /// What does not fit.
        fault: LowerError,
    },
    /// The lowered program is refused by the machine.
    #[error("lowered program: {0}")]
    Program(#[from] ModelError),
}

/// What is wrong with one node.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NodeFault {
    /// The operator is unknown; these are known, separated by commas.
    #[error("operator is not supported; {} others are, which `opml import --check` lists", .0.split(", ").count())]
    Operator(String),
    /// An operand is absent.
    #[error("input {0} is missing")]
    MissingInput(usize),
    /// An operand or result name is defined nowhere before, or twice.
    #[error("\"{0}\" is not defined before this node")]
    Undefined(String),
    /// A result name is already taken.
    #[error("\"{0}\" is defined twice")]
    Redefined(String),
    /// The node has no result.
    #[error("node has no output")]
    NoOutput,
    /// A node of a branch that takes this node's place.
    #[error("in its branch, {0}")]
    Branch(String),
    /// An operand must be a constant.
    #[error("input {index} ({what}) must be a constant{}", inputs(depends))]
    NotConstant {
        /// Operand number.
        index: usize,
        /// Its role.
        what: &'static str,
        /// Inputs of the graph that it is computed from: with constants for them it is one.
        depends: Vec<String>,
    },
    /// An attribute or constant operand has a value that cannot be used.
    #[error("{name} is {value}, supported is {supported}")]
    Value {
        /// Attribute or operand.
        name: &'static str,
        /// Its value.
        value: String,
        /// What would be accepted.
        supported: &'static str,
    },
    /// Shapes that do not fit together.
    #[error("shapes do not fit: {0}")]
    Shape(String),
    /// Arithmetic on quantised integers without dequantising.
    #[error("input {0} is a quantised integer; it must pass a DequantizeLinear first")]
    Encoded(usize),
    /// The values up to this node have more elements than the limit.
    #[error("values up to here have {elements} elements, the limit is {limit}")]
    TotalTooLarge {
        /// Elements of all values.
        elements: u64,
        /// The limit.
        limit: u64,
    },
    /// Constants take too long to compute.
    #[error("constants take more than {limit} multiplications to compute")]
    Folding {
        /// The limit.
        limit: u64,
    },
    /// Unrolling makes more nodes than the limit.
    #[error("the graph grows to more than {limit} nodes here")]
    TooManyNodes {
        /// The limit.
        limit: u64,
    },
    /// The result has no elements, or more than the limit.
    #[error("result has {elements} elements, the limit is {limit}")]
    TooLarge {
        /// Elements of the result.
        elements: u64,
        /// The limit.
        limit: u64,
    },
}

/// Names of inputs, for messages.
fn inputs(names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!("; it depends on the input {}", names.join(", ")) }
}

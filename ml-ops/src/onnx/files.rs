//! Reading parts of ONNX files: what a model takes and gives, and single tensors.

use prost::Message;

use super::{Tensor, proto, tensor_type, tensors};
use crate::error::ImportError;

/// An input or output as a file declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// Its name.
    pub name: String,
    /// Code of `TensorProto.DataType`; `None` if it is not a tensor.
    pub kind: Option<i32>,
}

impl Declared {
    /// Whether it holds integers, which stand for themselves.
    pub fn is_integer(&self) -> bool {
        self.kind.is_some_and(|kind| !tensors::is_float(kind))
    }
}

/// What a model takes and gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ports {
    /// Inputs, constants among them left out.
    pub inputs: Vec<Declared>,
    /// Outputs.
    pub outputs: Vec<Declared>,
    /// Operators of the nodes, in their order.
    pub operators: Vec<String>,
}

/// Reads what a model takes and gives.
///
/// # Errors
/// The bytes are no ONNX model, or one without a graph.
pub fn ports(bytes: &[u8]) -> Result<Ports, ImportError> {
    let model = proto::ModelProto::decode(bytes).map_err(|error| ImportError::Decode(error.to_string()))?;
    let graph = model.graph.ok_or(ImportError::NoGraph)?;
    let declared = |info: &proto::ValueInfo| Declared {
        name: info.name.clone(),
        kind: tensor_type(info).map(|tensor| tensor.elem_type),
    };
    let is_constant = |info: &proto::ValueInfo| graph.initializer.iter().any(|tensor| tensor.name == info.name);
    Ok(Ports {
        inputs: graph.input.iter().filter(|info| !is_constant(info)).map(declared).collect(),
        outputs: graph.output.iter().map(declared).collect(),
        operators: graph.node.iter().map(|node| node.op_type.clone()).collect(),
    })
}

/// Reads a file that holds one `TensorProto`.
///
/// # Errors
/// The bytes are none, or one of a type or with numbers that are not supported.
pub fn tensor(bytes: &[u8]) -> Result<Tensor, ImportError> {
    let tensor = proto::TensorProto::decode(bytes).map_err(|error| ImportError::Decode(error.to_string()))?;
    let (shape, data) = tensors::read(&tensor)?;
    Ok(Tensor { shape, data })
}

//! The operators that are read, and how each becomes nodes of the graph.

mod elementwise;
mod linear;
mod moves;
mod quantised;

use super::{Reader, call::Call, is_default_domain, proto::NodeProto};
use crate::error::NodeFault;

type Handler = fn(&mut Call<'_, '_>) -> Result<(), NodeFault>;

/// Name and reader of every operator.
const TABLE: &[(&str, Handler)] = &[
    ("Add", elementwise::add),
    ("ArgMax", moves::arg_max),
    ("AveragePool", linear::average_pool),
    ("BatchNormalization", elementwise::batch_normalization),
    ("Cast", moves::cast),
    ("Clip", elementwise::clip),
    ("Concat", moves::concat),
    ("Constant", moves::constant),
    ("Conv", linear::conv),
    ("DequantizeLinear", quantised::dequantize),
    ("Dropout", elementwise::dropout),
    ("Flatten", moves::flatten),
    ("Gather", moves::gather),
    ("Gemm", linear::gemm),
    ("GlobalAveragePool", linear::global_average_pool),
    ("GlobalMaxPool", linear::global_max_pool),
    ("Identity", elementwise::identity),
    ("LeakyRelu", elementwise::leaky_relu),
    ("MatMul", linear::matmul),
    ("MaxPool", linear::max_pool),
    ("Mul", elementwise::mul),
    ("QuantizeLinear", quantised::quantize),
    ("Relu", elementwise::relu),
    ("Reshape", moves::reshape),
    ("Shape", moves::shape),
    ("Sigmoid", elementwise::sigmoid),
    ("Softmax", elementwise::softmax),
    ("Squeeze", moves::squeeze),
    ("Sub", elementwise::sub),
    ("Tanh", elementwise::tanh),
    ("Transpose", moves::transpose),
    ("Unsqueeze", moves::unsqueeze),
];

/// Names of all operators that are read, in alphabetical order.
pub(crate) fn supported() -> Vec<&'static str> {
    TABLE.iter().map(|(name, _)| *name).collect()
}

/// Reads one node.
pub(super) fn read(reader: &mut Reader<'_>, node: &NodeProto) -> Result<(), NodeFault> {
    let entry = TABLE.iter().find(|(name, _)| is_default_domain(&node.domain) && *name == node.op_type);
    let (_, handler) = entry.ok_or_else(|| NodeFault::Operator(supported().join(", ")))?;
    handler(&mut Call { reader, node })
}

//! The operators that are read, and how each becomes nodes of the graph.

mod activation;
mod arithmetic;
mod cast;
mod constants;
mod contrib;
mod control;
mod einsum;
mod gather;
mod integer;
mod linear;
mod logic;
mod masks;
mod moves;
mod norm;
mod pad;
mod pool;
mod quantised;
mod recurrent;
mod reduce;
mod resize;
mod take;

use std::collections::BTreeSet;

use super::{Reader, call::Call, is_default_domain, proto};
use crate::{error::NodeFault, graph::ValueId};

type Handler = fn(&mut Call<'_, '_>) -> Result<(), NodeFault>;

/// Names and readers of operators.
type Table = &'static [(&'static str, Handler)];

/// All operators of the default domain.
const TABLES: &[Table] = &[
    activation::TABLE,
    arithmetic::TABLE,
    cast::TABLE,
    constants::TABLE,
    control::TABLE,
    einsum::TABLE,
    gather::TABLE,
    integer::TABLE,
    linear::TABLE,
    logic::TABLE,
    masks::TABLE,
    moves::TABLE,
    norm::TABLE,
    pad::TABLE,
    pool::TABLE,
    quantised::TABLE,
    reduce::TABLE,
    recurrent::TABLE,
    resize::TABLE,
    take::TABLE,
];

/// Names of all operators that are read, in alphabetical order.
pub(crate) fn supported() -> Vec<&'static str> {
    let mut names: Vec<_> =
        TABLES.iter().chain([&contrib::TABLE]).flat_map(|table| table.iter()).map(|(name, _)| *name).collect();
    names.sort_unstable();
    names
}

/// The reader of a node's operator.
fn handler(node: &proto::NodeProto) -> Option<Handler> {
    let tables: &[Table] = match node.domain.as_str() {
        domain if is_default_domain(domain) => TABLES,
        contrib::DOMAIN => &[contrib::TABLE],
        _ => &[],
    };
    tables.iter().flat_map(|table| table.iter()).find(|(name, _)| *name == node.op_type).map(|(_, handler)| *handler)
}

/// That a node's operator is read, whatever its form.
pub(super) fn is_known(node: &proto::NodeProto) -> Result<(), NodeFault> {
    handler(node).map(|_| ()).ok_or_else(|| NodeFault::Operator(supported().join(", ")))
}

/// Reads one node.
pub(super) fn read(reader: &mut Reader<'_>, node: &proto::NodeProto) -> Result<(), NodeFault> {
    let handler = handler(node).ok_or_else(|| NodeFault::Operator(supported().join(", ")))?;
    handler(&mut Call::new(reader, node))
}

/// Operators that give stored integers of operand 0 on.
const KEEPS_INTEGERS: [&str; 10] = [
    "Flatten",
    "GlobalMaxPool",
    "Identity",
    "MaxPool",
    "Reshape",
    "Slice",
    "Split",
    "Squeeze",
    "Transpose",
    "Unsqueeze",
];

/// Whether an integer input comes to an operator that tells its scale: then its integers stand for real numbers.
pub(super) fn reaches_scale(source: &proto::GraphProto, input: &str) -> bool {
    let mut names = BTreeSet::from([input]);
    for node in &source.node {
        let takes = |i: usize| node.input.get(i).is_some_and(|name| names.contains(name.as_str()));
        let scaled = match node.op_type.as_str() {
            "QLinearConcat" => (2..node.input.len()).step_by(3).any(takes),
            "QLinearMatMul" | "QLinearAdd" | "QLinearMul" | "QGemm" => takes(0) || takes(3),
            name if name == "DequantizeLinear" || name.starts_with("QLinear") => takes(0),
            _ => false,
        };
        if scaled {
            return true;
        }
        if takes(0) && KEEPS_INTEGERS.contains(&node.op_type.as_str()) {
            names.extend(node.output.iter().map(String::as_str));
        }
    }
    false
}

/// Joins all operands by a function of two.
fn chain(
    call: &mut Call<'_, '_>,
    mut join: impl FnMut(&mut Call<'_, '_>, ValueId, ValueId) -> Result<ValueId, NodeFault>,
) -> Result<ValueId, NodeFault> {
    let mut sum = call.operand(0)?;
    for i in 1..call.operands() {
        let other = call.operand(i)?;
        sum = join(call, sum, other)?;
    }
    Ok(sum)
}

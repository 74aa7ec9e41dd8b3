//! `If` with a known condition.

use super::{Call, Table};
use crate::{error::NodeFault, onnx::proto};

pub(super) const TABLE: Table = &[("If", choose)];

/// The chosen branch takes the node's place.
fn choose(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let condition = call.integer(0, "condition")?;
    let name = if condition != 0 { "then_branch" } else { "else_branch" };
    let branch = call.graph(name).ok_or(NodeFault::Value {
        name: "branch",
        value: "absent".into(),
        supported: "then_branch and else_branch",
    })?;
    inline(call, branch)
}

fn inline(call: &mut Call<'_, '_>, branch: &proto::GraphProto) -> Result<(), NodeFault> {
    let fail = |error: crate::ImportError| NodeFault::Branch(error.to_string());
    for tensor in &branch.initializer {
        call.reader.initializer(tensor).map_err(fail)?;
    }
    for node in &branch.node {
        super::read(call.reader, node).map_err(|fault| {
            fail(crate::ImportError::Node { node: crate::onnx::label(node), operator: node.op_type.clone(), fault })
        })?;
    }
    let mut results = Vec::new();
    for output in &branch.output {
        let named = call.reader.names.get(&output.name).copied();
        results.push(named.ok_or_else(|| NodeFault::Undefined(output.name.clone()))?);
    }
    // The other branch, or another `If`, may use the same names.
    for name in branch.node.iter().flat_map(|node| &node.output).chain(branch.initializer.iter().map(|t| &t.name)) {
        call.reader.names.remove(name);
    }
    results.into_iter().enumerate().try_for_each(|(i, named)| call.name_result(i, named))
}

//! All that is not supported in a file, at once.

use std::collections::BTreeSet;

use super::{Named, Options, Reader, declared_shape, label, open, operators, proto, tensor_type, tensors};
use crate::error::{ImportError, NodeFault};

/// A node that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsupported {
    /// Its name, or that of its first result.
    pub node: String,
    /// Operator type.
    pub operator: String,
    /// What is wrong.
    pub fault: NodeFault,
}

/// Reads a file past the nodes that cannot be read, and gives all of them.
///
/// A result of such a node counts as computed, with the type and shape that the file states for it. Where it states none,
/// the nodes that use it are judged by their operator alone.
///
/// # Errors
/// The file is not ONNX, or its constants or inputs cannot be read.
pub fn check(bytes: &[u8], options: &Options) -> Result<Vec<Unsupported>, ImportError> {
    let (source, opset) = open(bytes, &options.limits)?;
    let mut reader = Reader::new(opset, &options.limits);
    reader.start(&source, options)?;
    let (mut unknown, mut found) = (BTreeSet::new(), Vec::new());
    for node in &source.node {
        let judged = if node.input.iter().any(|name| unknown.contains(name)) {
            operators::is_known(node).and(Ok(false))
        } else {
            operators::read(&mut reader, node).and(Ok(true))
        };
        match judged {
            Ok(true) => continue,
            Ok(false) => {}
            Err(fault) => found.push(Unsupported { node: label(node), operator: node.op_type.clone(), fault }),
        }
        for name in node.output.iter().filter(|name| !name.is_empty()) {
            if !reader.names.contains_key(name) && !stand_in(&mut reader, &source, name) {
                unknown.insert(name.clone());
            }
        }
    }
    Ok(found)
}

/// A value with what the file states of `name`, if that is enough.
fn stand_in(reader: &mut Reader<'_>, source: &proto::GraphProto, name: &str) -> bool {
    let stated = source.value_info.iter().chain(&source.output).find(|info| info.name == name).and_then(tensor_type);
    let Some((tensor, shape)) = stated.and_then(|tensor| Some((tensor, declared_shape(tensor).ok()?))) else {
        return false;
    };
    let kind = tensor.elem_type;
    if tensors::dtype(kind).is_none() && !tensors::is_float(kind) {
        return false;
    }
    let id = reader.graph.add_value(name, shape);
    reader.names.insert(name.to_owned(), Named { id, coded: None, kind });
    true
}

//! One node while it is read: its operands, attributes, and the nodes it becomes.

mod attributes;
mod emit;

use super::{Named, Reader, proto, tensors};
use crate::{
    error::NodeFault,
    graph::{Value, ValueId},
};

pub(super) struct Call<'r, 'a> {
    pub(super) reader: &'r mut Reader<'a>,
    pub(super) node: &'r proto::NodeProto,
    /// ONNX element type of the results that follow; at first that of operand 0. Integers are stored as they are.
    pub(super) kind: i32,
    /// Whether integers of that type only stand for real numbers, as operand 0 does.
    pub(super) coded: bool,
}

impl<'r, 'a> Call<'r, 'a> {
    pub(super) fn new(reader: &'r mut Reader<'a>, node: &'r proto::NodeProto) -> Self {
        let mut call = Self { reader, node, kind: tensors::FLOAT, coded: false };
        call.kind = call.kind_of(0);
        call.coded = call.named(0).ok().flatten().is_some_and(|named| named.coded.is_some());
        call
    }

    /// Tensor attribute.
    pub(super) fn tensor(&self, name: &str) -> Option<&'r proto::TensorProto> {
        let node: &'r proto::NodeProto = self.node;
        node.attribute.iter().find(|attribute| attribute.name == name)?.t.as_ref()
    }

    /// Graph attribute.
    pub(super) fn graph(&self, name: &str) -> Option<&'r proto::GraphProto> {
        let node: &'r proto::NodeProto = self.node;
        node.attribute.iter().find(|attribute| attribute.name == name)?.g.as_ref()
    }
}

/// Operands.
impl Call<'_, '_> {
    /// Number of operands listed.
    pub(super) const fn operands(&self) -> usize {
        self.node.input.len()
    }

    /// Version of the operator set.
    pub(super) const fn opset(&self) -> i64 {
        self.reader.opset
    }

    /// What operand `i` names; `None` if it is left out.
    pub(super) fn named(&self, i: usize) -> Result<Option<Named>, NodeFault> {
        match self.node.input.get(i).filter(|name| !name.is_empty()) {
            None => Ok(None),
            Some(name) => self.reader.names.get(name).copied().map(Some).ok_or(NodeFault::Undefined(name.clone())),
        }
    }

    /// Whether operand `i` is given.
    pub(super) fn has_operand(&self, i: usize) -> bool {
        self.node.input.get(i).is_some_and(|name| !name.is_empty())
    }

    /// Operand `i` as it is, real or coded.
    pub(super) fn any(&self, i: usize) -> Result<Named, NodeFault> {
        self.named(i)?.ok_or(NodeFault::MissingInput(i))
    }

    /// Operand `i`, which must mean its own numbers.
    pub(super) fn operand(&self, i: usize) -> Result<ValueId, NodeFault> {
        let named = self.any(i)?;
        if named.coded.is_some() { Err(NodeFault::Encoded(i)) } else { Ok(named.id) }
    }

    /// Operand `i` if it is given.
    pub(super) fn optional(&self, i: usize) -> Result<Option<ValueId>, NodeFault> {
        if self.named(i)?.is_some() { self.operand(i).map(Some) } else { Ok(None) }
    }

    /// ONNX element type of operand `i`; that of floats if there is none.
    pub(super) fn kind_of(&self, i: usize) -> i32 {
        self.named(i).ok().flatten().map_or(tensors::FLOAT, |named| named.kind)
    }

    /// Whether the results are integers or booleans.
    pub(super) const fn is_integer(&self) -> bool {
        tensors::dtype(self.kind).is_some()
    }

    /// A value.
    pub(super) fn value(&self, id: ValueId) -> &Value {
        self.reader.graph.value(id)
    }

    /// Extents of a value.
    pub(super) fn shape(&self, id: ValueId) -> Vec<usize> {
        self.reader.graph.shape(id).to_vec()
    }

    /// Extents of operand `i`.
    pub(super) fn shape_of(&self, i: usize) -> Result<Vec<usize>, NodeFault> {
        Ok(self.shape(self.any(i)?.id))
    }

    /// That operand `i` is computed where only a constant will do.
    pub(super) fn not_constant(&self, i: usize, what: &'static str) -> NodeFault {
        let depends = self.any(i).map(|named| self.reader.inputs_of(named.id)).unwrap_or_default();
        NodeFault::NotConstant { index: i, what, depends }
    }

    /// Real numbers of constant operand `i`.
    pub(super) fn floats(&self, i: usize, what: &'static str) -> Result<Vec<f32>, NodeFault> {
        let id = self.operand(i)?;
        self.value(id).floats().map(<[f32]>::to_vec).ok_or_else(|| self.not_constant(i, what))
    }

    /// Integers of constant operand `i`.
    pub(super) fn integers(&self, i: usize, what: &'static str) -> Result<Vec<i64>, NodeFault> {
        let id = self.operand(i)?;
        self.value(id).integers().map(<[i64]>::to_vec).ok_or_else(|| self.not_constant(i, what))
    }

    /// The integer of constant operand `i`.
    pub(super) fn integer(&self, i: usize, what: &'static str) -> Result<i64, NodeFault> {
        match self.integers(i, what)?.as_slice() {
            [value] => Ok(*value),
            other => Err(NodeFault::Shape(format!("{what} has {} elements", other.len()))),
        }
    }

    /// That operand `i` is a constant of real numbers.
    pub(super) fn constant_floats(&self, i: usize, what: &'static str) -> Result<ValueId, NodeFault> {
        let id = self.operand(i)?;
        if self.value(id).floats().is_some() { Ok(id) } else { Err(self.not_constant(i, what)) }
    }

    /// The number of a constant that is a single real one.
    pub(super) fn scalar(&self, id: ValueId) -> Option<f32> {
        match self.value(id).floats() {
            Some([value]) => Some(*value),
            _ => None,
        }
    }
}

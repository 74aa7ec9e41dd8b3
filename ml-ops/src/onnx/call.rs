//! One node while it is read: its operands, attributes, and the nodes it becomes.

use super::{Coded, Named, Reader, proto};
use crate::{
    error::NodeFault,
    float,
    graph::{Constant, Data, Node, Operator, Value, ValueId, elements, shape},
    num,
};

pub(super) struct Call<'r, 'a> {
    pub(super) reader: &'r mut Reader<'a>,
    pub(super) node: &'r proto::NodeProto,
}

impl<'r> Call<'r, '_> {
    /// Tensor attribute.
    pub(super) fn tensor(&self, name: &str) -> Option<&'r proto::TensorProto> {
        let node: &'r proto::NodeProto = self.node;
        node.attribute.iter().find(|attribute| attribute.name == name)?.t.as_ref()
    }
}

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

    /// Operand `i` as it is, real or coded.
    pub(super) fn any(&self, i: usize) -> Result<Named, NodeFault> {
        self.named(i)?.ok_or(NodeFault::MissingInput(i))
    }

    /// Operand `i`, which must be real numbers or a constant.
    pub(super) fn operand(&self, i: usize) -> Result<ValueId, NodeFault> {
        let named = self.any(i)?;
        if named.coded.is_some() { Err(NodeFault::Encoded(i)) } else { Ok(named.id) }
    }

    /// Operand `i` if it is given.
    pub(super) fn optional(&self, i: usize) -> Result<Option<ValueId>, NodeFault> {
        if self.named(i)?.is_some() { self.operand(i).map(Some) } else { Ok(None) }
    }

    /// A value.
    pub(super) fn value(&self, id: ValueId) -> &Value {
        self.reader.graph.value(id)
    }

    /// Extents of a value.
    pub(super) fn shape(&self, id: ValueId) -> Vec<usize> {
        self.reader.graph.shape(id).to_vec()
    }

    /// Real numbers of constant operand `i`.
    pub(super) fn floats(&self, i: usize, what: &'static str) -> Result<Vec<f32>, NodeFault> {
        let id = self.operand(i)?;
        self.value(id).floats().map(<[f32]>::to_vec).ok_or(NodeFault::NotConstant { index: i, what })
    }

    /// Integers of constant operand `i`.
    pub(super) fn integers(&self, i: usize, what: &'static str) -> Result<Vec<i64>, NodeFault> {
        let id = self.operand(i)?;
        self.value(id).integers().map(<[i64]>::to_vec).ok_or(NodeFault::NotConstant { index: i, what })
    }

    fn attribute(&self, name: &str) -> Option<&proto::AttributeProto> {
        self.node.attribute.iter().find(|attribute| attribute.name == name)
    }

    /// Integer attribute.
    pub(super) fn int(&self, name: &str, default: i64) -> i64 {
        self.attribute(name).map_or(default, |attribute| attribute.i)
    }

    /// Real attribute, which must be finite.
    pub(super) fn float(&self, name: &'static str, default: f32) -> Result<f32, NodeFault> {
        let value = self.attribute(name).map_or(default, |attribute| attribute.f);
        if value.is_nan() {
            return Err(NodeFault::Value { name, value: value.to_string(), supported: "a number" });
        }
        Ok(value)
    }

    /// List attribute.
    pub(super) fn ints(&self, name: &str) -> Option<Vec<i64>> {
        self.attribute(name).map(|attribute| attribute.ints.clone())
    }

    /// List attribute of real numbers.
    pub(super) fn floats_attribute(&self, name: &str) -> Option<Vec<f32>> {
        self.attribute(name).map(|attribute| attribute.floats.clone())
    }

    /// ONNX element type of constant operand `i`.
    pub(super) fn element_type(&self, i: usize) -> Option<i32> {
        self.reader.types.get(self.node.input.get(i)?).copied()
    }

    /// Text attribute.
    pub(super) fn text(&self, name: &str, default: &str) -> String {
        self.attribute(name).map_or_else(|| default.to_owned(), |a| String::from_utf8_lossy(&a.s).into_owned())
    }

    /// Whether an attribute is present.
    pub(super) fn has(&self, name: &str) -> bool {
        self.attribute(name).is_some()
    }

    /// An axis of a shape of rank `rank`, counted from the end if negative.
    pub(super) fn axis(&self, name: &'static str, value: i64, rank: usize) -> Result<usize, NodeFault> {
        let counted = if value < 0 { value.saturating_add(num::signed(rank)) } else { value };
        num::index(counted).filter(|&axis| axis < rank).ok_or_else(|| NodeFault::Value {
            name,
            value: value.to_string(),
            supported: "an axis of the operand",
        })
    }

    /// Adds a node with its inferred shape; computes it at once if all operands are constants.
    pub(super) fn emit(&mut self, operator: Operator, inputs: &[ValueId]) -> Result<ValueId, NodeFault> {
        let shapes: Vec<&[usize]> = inputs.iter().map(|&id| self.reader.graph.shape(id)).collect();
        let shape = shape::infer(&operator, &shapes).map_err(NodeFault::Shape)?;
        self.emit_shaped(operator, inputs, shape)
    }

    /// Adds a reshape.
    pub(super) fn reshape(&mut self, x: ValueId, shape: Vec<usize>) -> Result<ValueId, NodeFault> {
        let from = self.shape(x);
        if elements(&from) != elements(&shape) || elements(&shape) == usize::MAX {
            return Err(NodeFault::Shape(format!("{from:?} has not as many elements as {shape:?}")));
        }
        if from == shape {
            return Ok(x);
        }
        self.emit_shaped(Operator::Reshape, &[x], shape)
    }

    fn emit_shaped(&mut self, operator: Operator, inputs: &[ValueId], shape: Vec<usize>) -> Result<ValueId, NodeFault> {
        let count = elements(&shape);
        if count == 0 || count > self.reader.limits.elements {
            let limit = num::wide(self.reader.limits.elements);
            return Err(NodeFault::TooLarge { elements: num::wide(count), limit });
        }
        self.reader.total = self.reader.total.saturating_add(count);
        if self.reader.total > self.reader.limits.total {
            let (elements, limit) = (num::wide(self.reader.total), num::wide(self.reader.limits.total));
            return Err(NodeFault::TotalTooLarge { elements, limit });
        }
        let name = self.node.output.first().cloned().unwrap_or_default();
        let graph = &mut self.reader.graph;
        if inputs.iter().all(|&id| graph.value(id).constant.is_some()) {
            let operands: Vec<&Value> = inputs.iter().map(|&id| graph.value(id)).collect();
            let shapes: Vec<&[usize]> = operands.iter().map(|value| value.shape.as_slice()).collect();
            self.reader.folded = self.reader.folded.saturating_add(operator.work(&shapes, &shape));
            if self.reader.folded > super::FOLDING {
                return Err(NodeFault::Folding { limit: super::FOLDING });
            }
            let constant = float::fold::constant(&operator, &operands, &shape)?;
            return Ok(graph.add_constant(name, shape, constant));
        }
        if let Some(i) = inputs.iter().position(|&id| graph.value(id).integers().is_some()) {
            return Err(NodeFault::Value { name: "operand", value: format!("{i} (integers)"), supported: "floats" });
        }
        let output = graph.add_value(name, shape);
        graph.nodes.push(Node { operator, inputs: inputs.to_vec(), output, clamp: None });
        Ok(output)
    }

    /// Adds a constant of real numbers.
    pub(super) fn constant(&mut self, shape: Vec<usize>, floats: Vec<f32>) -> ValueId {
        let name = self.node.output.first().cloned().unwrap_or_default();
        self.reader.graph.add_floats(name, shape, floats)
    }

    /// Adds a constant of integers.
    pub(super) fn integer_constant(&mut self, shape: Vec<usize>, integers: Vec<i64>) -> ValueId {
        let name = self.node.output.first().cloned().unwrap_or_default();
        self.reader.graph.add_constant(name, shape, Constant { data: Data::Int(integers), quantised: None })
    }

    /// Gives the node's first result its name.
    pub(super) fn finish(&mut self, id: ValueId) -> Result<(), NodeFault> {
        self.finish_as(id, None)
    }

    /// Gives the node's first result its name, as real numbers or as stored integers.
    pub(super) fn finish_as(&mut self, id: ValueId, coded: Option<Coded>) -> Result<(), NodeFault> {
        let name = self.node.output.first().filter(|name| !name.is_empty()).ok_or(NodeFault::NoOutput)?;
        if self.reader.names.insert(name.clone(), Named { id, coded }).is_some() {
            return Err(NodeFault::Redefined(name.clone()));
        }
        Ok(())
    }
}

//! One node while it is read: its operands, attributes, and the nodes it becomes.

use super::{Coded, Named, Reader, proto, tensors};
use crate::{
    error::NodeFault,
    float,
    graph::{Constant, Data, Encoding, Node, Operator, Value, ValueId, elements, shape},
    num,
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

/// Attributes.
impl Call<'_, '_> {
    fn attribute(&self, name: &str) -> Option<&proto::AttributeProto> {
        self.node.attribute.iter().find(|attribute| attribute.name == name)
    }

    /// Integer attribute.
    pub(super) fn int(&self, name: &str, default: i64) -> i64 {
        self.attribute(name).map_or(default, |attribute| attribute.i)
    }

    /// Whether an integer attribute is not 0.
    pub(super) fn flag(&self, name: &str, default: bool) -> bool {
        self.int(name, i64::from(default)) != 0
    }

    /// An attribute of at least `least`.
    pub(super) fn size(&self, name: &'static str, default: i64, least: usize) -> Result<usize, NodeFault> {
        let value = self.int(name, default);
        num::index(value)
            .filter(|&value| (least..=super::window::LIMIT).contains(&value))
            .ok_or_else(|| NodeFault::Value { name, value: value.to_string(), supported: "a size up to 2^24" })
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

    /// Text attribute.
    pub(super) fn text(&self, name: &str, default: &str) -> String {
        self.attribute(name).map_or_else(|| default.to_owned(), |a| String::from_utf8_lossy(&a.s).into_owned())
    }

    /// List attribute of texts.
    pub(super) fn texts(&self, name: &str) -> Option<Vec<String>> {
        let list =
            |a: &proto::AttributeProto| a.strings.iter().map(|s| String::from_utf8_lossy(s).into_owned()).collect();
        self.attribute(name).map(list)
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
            supported: "an axis or index of the operand",
        })
    }
}

/// Results.
impl Call<'_, '_> {
    /// Adds a node with its inferred shape; computes it at once if all operands are constants.
    pub(super) fn emit(&mut self, operator: Operator, inputs: &[ValueId]) -> Result<ValueId, NodeFault> {
        let shapes: Vec<&[usize]> = inputs.iter().map(|&id| self.reader.graph.shape(id)).collect();
        let shape = shape::infer(&operator, &shapes).map_err(NodeFault::Shape)?;
        self.emit_shaped(operator, inputs, shape)
    }

    /// [`Call::emit`] of a result of another element type than the node's.
    pub(super) fn emit_kind(
        &mut self,
        kind: i32,
        operator: Operator,
        inputs: &[ValueId],
    ) -> Result<ValueId, NodeFault> {
        let own = std::mem::replace(&mut self.kind, kind);
        let result = self.emit(operator, inputs);
        self.kind = own;
        result
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

    /// Adds a permutation of axes, unless it changes nothing.
    pub(super) fn transpose(&mut self, x: ValueId, perm: Vec<usize>) -> Result<ValueId, NodeFault> {
        if perm.iter().enumerate().all(|(j, &axis)| j == axis) {
            return Ok(x);
        }
        self.emit(Operator::Transpose { perm }, &[x])
    }

    /// Adds `x · m + b`.
    pub(super) fn affine(&mut self, x: ValueId, m: f32, b: f32) -> Result<ValueId, NodeFault> {
        let (m, b) = (self.constant(vec![], vec![m]), self.constant(vec![], vec![b]));
        self.emit(Operator::Affine, &[x, m, b])
    }

    /// Refuses extents beyond the limit, before anything of their size is made.
    pub(super) fn room(&self, shape: &[usize]) -> Result<(), NodeFault> {
        let (count, limit) = (elements(shape), self.reader.limits.elements);
        match shape.iter().copied().chain([count]).find(|&n| n > limit) {
            Some(n) => Err(NodeFault::TooLarge { elements: num::wide(n), limit: num::wide(limit) }),
            None => Ok(()),
        }
    }

    /// Adds a choice of indices along axes, unless it changes nothing.
    pub(super) fn take(
        &mut self,
        x: ValueId,
        mut axes: Vec<Option<Vec<Option<usize>>>>,
        fill: f32,
    ) -> Result<ValueId, NodeFault> {
        let shape = self.shape(x);
        for (sources, &extent) in axes.iter_mut().zip(&shape) {
            let same = |list: &Vec<Option<usize>>| {
                list.len() == extent && list.iter().enumerate().all(|(j, &source)| source == Some(j))
            };
            *sources = sources.take().filter(|list| !same(list));
        }
        if axes.iter().all(Option::is_none) {
            return Ok(x);
        }
        self.emit(Operator::Take { axes, fill }, &[x])
    }

    /// Adds a choice of indices along one axis.
    pub(super) fn take_along(
        &mut self,
        x: ValueId,
        axis: usize,
        sources: impl IntoIterator<Item = usize>,
    ) -> Result<ValueId, NodeFault> {
        let mut axes = vec![None; self.shape(x).len()];
        axes[axis] = Some(sources.into_iter().map(Some).collect());
        self.take(x, axes, 0.0)
    }

    /// Refuses a result of this many elements if it is above a limit, and counts it.
    pub(super) fn charge(&mut self, count: usize) -> Result<(), NodeFault> {
        if count > self.reader.limits.elements {
            let limit = num::wide(self.reader.limits.elements);
            return Err(NodeFault::TooLarge { elements: num::wide(count), limit });
        }
        self.reader.total = self.reader.total.saturating_add(count);
        if self.reader.total > self.reader.limits.total {
            let (elements, limit) = (num::wide(self.reader.total), num::wide(self.reader.limits.total));
            return Err(NodeFault::TotalTooLarge { elements, limit });
        }
        Ok(())
    }

    /// How integers of the node's type are stored; `None` for real numbers, and for those that integers stand for.
    fn encoding(&self) -> Option<Encoding> {
        tensors::dtype(self.kind).filter(|_| !self.coded).map(Encoding::integer)
    }

    fn emit_shaped(&mut self, operator: Operator, inputs: &[ValueId], shape: Vec<usize>) -> Result<ValueId, NodeFault> {
        let count = elements(&shape);
        let folds = inputs.iter().all(|&id| self.value(id).constant.is_some());
        if count == 0 && !folds {
            return Err(NodeFault::TooLarge { elements: 0, limit: num::wide(self.reader.limits.elements) });
        }
        self.charge(count)?;
        let name = self.node.output.first().cloned().unwrap_or_default();
        let encoding = self.encoding();
        if folds {
            let constant = self.fold(&operator, inputs, &shape, encoding)?;
            return Ok(self.reader.graph.add_constant(name, shape, constant));
        }
        let graph = &mut self.reader.graph;
        if graph.nodes.len() >= self.reader.limits.nodes {
            return Err(NodeFault::TooManyNodes { limit: num::wide(self.reader.limits.nodes) });
        }
        let output = graph.add_value(name, shape);
        graph.value_mut(output).encoding = encoding;
        graph.nodes.push(Node { operator, inputs: inputs.to_vec(), output, clamp: None });
        Ok(output)
    }

    fn fold(
        &mut self,
        operator: &Operator,
        inputs: &[ValueId],
        shape: &[usize],
        encoding: Option<Encoding>,
    ) -> Result<Constant, NodeFault> {
        let operands: Vec<&Value> = inputs.iter().map(|&id| self.reader.graph.value(id)).collect();
        let shapes: Vec<&[usize]> = operands.iter().map(|value| value.shape.as_slice()).collect();
        self.reader.folded = self.reader.folded.saturating_add(operator.work(&shapes, shape));
        if self.reader.folded > super::FOLDING {
            return Err(NodeFault::Folding { limit: super::FOLDING });
        }
        if elements(shape) == 0 {
            let data = if encoding.is_some() { Data::Int(vec![]) } else { Data::Float(vec![]) };
            return Ok(Constant { data, quantised: None });
        }
        float::fold::constant(operator, &operands, encoding, shape)
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
        if !self.wants(0) {
            return Err(NodeFault::NoOutput);
        }
        self.name_result(0, Named { id, coded, kind: self.kind })
    }

    /// Whether the node names its result `i`.
    pub(super) fn wants(&self, i: usize) -> bool {
        self.node.output.get(i).is_some_and(|name| !name.is_empty())
    }

    /// Gives result `i` its name, if it has one.
    pub(super) fn finish_at(&mut self, i: usize, id: ValueId) -> Result<(), NodeFault> {
        self.name_result(i, Named { id, coded: None, kind: self.kind })
    }

    pub(super) fn name_result(&mut self, i: usize, named: Named) -> Result<(), NodeFault> {
        match self.node.output.get(i).filter(|name| !name.is_empty()) {
            None => Ok(()),
            Some(name) => match self.reader.names.insert(name.clone(), named) {
                None => Ok(()),
                Some(_) => Err(NodeFault::Redefined(name.clone())),
            },
        }
    }
}

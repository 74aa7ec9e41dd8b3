//! The nodes and constants that a call becomes.

use super::Call;
use crate::{
    error::NodeFault,
    float,
    graph::{Constant, Data, Encoding, Node, Operator, Value, ValueId, elements, shape},
    num,
    onnx::{Coded, FOLDING, Named, tensors},
};

impl Call<'_, '_> {
    /// Adds a node with its inferred shape; computes it at once if all operands are constants.
    pub(in crate::onnx) fn emit(&mut self, operator: Operator, inputs: &[ValueId]) -> Result<ValueId, NodeFault> {
        let shapes: Vec<&[usize]> = inputs.iter().map(|&id| self.reader.graph.shape(id)).collect();
        let shape = shape::infer(&operator, &shapes).map_err(NodeFault::Shape)?;
        self.emit_shaped(operator, inputs, shape)
    }

    /// [`Call::emit`] of a result of another element type than the node's.
    pub(in crate::onnx) fn emit_kind(
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
    pub(in crate::onnx) fn reshape(&mut self, x: ValueId, shape: Vec<usize>) -> Result<ValueId, NodeFault> {
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
    pub(in crate::onnx) fn transpose(&mut self, x: ValueId, perm: Vec<usize>) -> Result<ValueId, NodeFault> {
        if perm.iter().enumerate().all(|(j, &axis)| j == axis) {
            return Ok(x);
        }
        self.emit(Operator::Transpose { perm }, &[x])
    }

    /// Adds `x · m + b`.
    pub(in crate::onnx) fn affine(&mut self, x: ValueId, m: f32, b: f32) -> Result<ValueId, NodeFault> {
        let (m, b) = (self.constant(vec![], vec![m]), self.constant(vec![], vec![b]));
        self.emit(Operator::Affine, &[x, m, b])
    }

    /// Refuses extents beyond the limit, before anything of their size is made.
    pub(in crate::onnx) fn room(&self, shape: &[usize]) -> Result<(), NodeFault> {
        let (count, limit) = (elements(shape), self.reader.limits.elements);
        match shape.iter().copied().chain([count]).find(|&n| n > limit) {
            Some(n) => Err(NodeFault::TooLarge { elements: num::wide(n), limit: num::wide(limit) }),
            None => Ok(()),
        }
    }

    /// Adds a choice of indices along axes, unless it changes nothing.
    pub(in crate::onnx) fn take(
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
    pub(in crate::onnx) fn take_along(
        &mut self,
        x: ValueId,
        axis: usize,
        sources: impl IntoIterator<Item = usize>,
    ) -> Result<ValueId, NodeFault> {
        let mut axes = vec![None; self.shape(x).len()];
        let wrong = || NodeFault::Shape(format!("axis {axis} of {:?}", self.shape(x)));
        *axes.get_mut(axis).ok_or_else(wrong)? = Some(sources.into_iter().map(Some).collect());
        self.take(x, axes, 0.0)
    }

    /// Refuses a result of this many elements if it is above a limit, and counts it.
    pub(in crate::onnx) fn charge(&mut self, count: usize) -> Result<(), NodeFault> {
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
        if self.reader.folded > FOLDING {
            return Err(NodeFault::Folding { limit: FOLDING });
        }
        let whole = matches!(operator, Operator::Concat { .. } | Operator::Reduce { .. });
        let empty = operands.iter().any(|value| value.elements() == 0) && !whole;
        if empty && elements(shape) != 0 {
            return Err(NodeFault::Shape("a constant without elements".into()));
        }
        if elements(shape) == 0 {
            let data = if encoding.is_some() { Data::Int(vec![]) } else { Data::Float(vec![]) };
            return Ok(Constant { data, quantised: None });
        }
        float::fold::constant(operator, &operands, encoding, shape)
    }

    /// Adds a constant of real numbers.
    pub(in crate::onnx) fn constant(&mut self, shape: Vec<usize>, floats: Vec<f32>) -> ValueId {
        let name = self.node.output.first().cloned().unwrap_or_default();
        self.reader.graph.add_floats(name, shape, floats)
    }

    /// Adds a constant of integers.
    pub(in crate::onnx) fn integer_constant(&mut self, shape: Vec<usize>, integers: Vec<i64>) -> ValueId {
        let name = self.node.output.first().cloned().unwrap_or_default();
        self.reader.graph.add_constant(name, shape, Constant { data: Data::Int(integers), quantised: None })
    }

    /// Gives the node's first result its name.
    pub(in crate::onnx) fn finish(&mut self, id: ValueId) -> Result<(), NodeFault> {
        self.finish_as(id, None)
    }

    /// Gives the node's first result its name, as real numbers or as stored integers.
    pub(in crate::onnx) fn finish_as(&mut self, id: ValueId, coded: Option<Coded>) -> Result<(), NodeFault> {
        if !self.wants(0) {
            return Err(NodeFault::NoOutput);
        }
        self.name_result(0, Named { id, coded, kind: self.kind })
    }

    /// Whether the node names its result `i`.
    pub(in crate::onnx) fn wants(&self, i: usize) -> bool {
        self.node.output.get(i).is_some_and(|name| !name.is_empty())
    }

    /// Gives result `i` its name, if it has one.
    pub(in crate::onnx) fn finish_at(&mut self, i: usize, id: ValueId) -> Result<(), NodeFault> {
        self.name_result(i, Named { id, coded: None, kind: self.kind })
    }

    pub(in crate::onnx) fn name_result(&mut self, i: usize, named: Named) -> Result<(), NodeFault> {
        match self.node.output.get(i).filter(|name| !name.is_empty()) {
            None => Ok(()),
            Some(name) => match self.reader.names.insert(name.clone(), named) {
                None => Ok(()),
                Some(_) => Err(NodeFault::Redefined(name.clone())),
            },
        }
    }
}

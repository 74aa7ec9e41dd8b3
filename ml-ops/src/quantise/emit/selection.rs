//! Products of weights with one-hot rows: the weights' own columns.

use super::{Emit, number, signed};
use crate::{
    graph::{Node, Operator, Pairwise, ValueId},
    lower::{self, LowerError, View},
    num,
};

impl Emit<'_> {
    /// The integers whose comparison with 0, 1, 2 … along a last axis a node computes, if only products with weights read it.
    pub(super) fn selected(&self, node: &Node) -> Option<View> {
        let (id, shape) = (node.output, self.graph.shape(node.output));
        let stated = self.graph.value(id).encoding.is_some_and(|encoding| !encoding.is_integer());
        if node.operator != Operator::Zip(Pairwise::Equal) || node.clamp.is_some() || stated {
            return None;
        }
        let products =
            |user: &Node| user.operator == Operator::Dense && user.inputs[0] == id && !user.inputs[1..].contains(&id);
        let mut users = self.graph.nodes.iter().filter(|user| user.inputs.contains(&id));
        let read = !self.graph.outputs.contains(&id) && users.all(products);
        if !read {
            return None;
        }
        let &[a, b] = node.inputs.as_slice() else { return None };
        let (numbers, x) = if self.counts_last_axis(b, shape) { (b, a) } else { (a, b) };
        let (mut view, encoding) = self.places[x.0].clone().filter(|_| self.counts_last_axis(numbers, shape))?;
        if !encoding.is_integer() || view.axes.len() != shape.len() {
            return None;
        }
        let last = view.axes.last_mut()?;
        let alike = last.iter().all(|digit| digit.stride == 0);
        last.clear();
        let lead = shape.split_last().map(|(_, lead)| signed(lead)).unwrap_or_default();
        (alike && view.shape().starts_with(&lead)).then_some(view)
    }

    /// Whether a constant has the numbers 0, 1, 2 … along the last axis of a shape, and no other axis.
    fn counts_last_axis(&self, id: ValueId, shape: &[usize]) -> bool {
        let value = self.graph.value(id);
        let counts = |integers: Vec<i64>| integers.into_iter().eq(0..num::signed(value.elements()));
        let along = value.shape.last() == shape.last() && value.shape.last() == Some(&value.elements());
        along && number::integers(value).is_some_and(counts)
    }

    /// Products of weights with rows that are 1 where a number stands and 0 elsewhere: one row of a table for each number, with the
    /// bias alone before and after all of them.
    pub(super) fn columns_of(&mut self, node: &Node, index: &View) -> Result<View, LowerError> {
        let (to, requant) = (self.encoding(node)?, self.bounds(node)?);
        let weights = self.graph.value(node.inputs[1]);
        let floats = weights.floats().ok_or(LowerError::Layout("weights must be real numbers"))?;
        let &[columns, terms] = weights.shape.as_slice() else {
            return Err(LowerError::Layout("weights of a product are a matrix"));
        };
        let bias = self.bias(node, columns);
        let stored = |real: f64| to.stored(real).clamp(requant.low, requant.high);
        let row = |term: Option<usize>| {
            let weight = move |column: usize| term.map_or(0.0, |term| f64::from(floats[column * terms + term]));
            bias.iter().enumerate().map(move |(column, bias)| stored(weight(column) + bias))
        };
        let rows = std::iter::once(None).chain((0..terms).map(Some)).chain([None]);
        let table: Vec<i64> = rows.flat_map(row).collect();
        let table = self.builder.constant(to.dtype, &[num::signed(terms + 2), num::signed(columns)], &table);
        lower::rows(&mut self.builder, &table, index)
    }
}

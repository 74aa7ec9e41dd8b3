//! Logarithms of sums of exponentials, taken relative to the largest exponent: no sum leaves the range of a fixed-point type.

use super::{Outcome, Sweep};
use crate::graph::{Function, Node, Operator, Reduction, ValueId};

/// `log Σ exp(x)` becomes `max x + log Σ exp(x − max x)`, the same number. The nodes before stay for their other users.
pub(super) fn from_largest(sweep: &mut Sweep<'_>, mut node: Node) -> Outcome {
    let Some((x, axes)) = sum_of_exponentials(sweep, &node) else {
        return Outcome::Keep(node);
    };
    let narrow = sweep.graph.shape(node.inputs[0]).to_vec();
    let largest = emit(sweep, reduction(Reduction::Max, &axes), vec![x]);
    let below = emit(sweep, Operator::Sub, vec![x, largest]);
    let exponentials = emit(sweep, Operator::Map(Function::Exp), vec![below]);
    let sum = emit(sweep, reduction(Reduction::Sum, &axes), vec![exponentials]);
    let [sum, largest] = [sum, largest].map(|id| reshape(sweep, id, &narrow));
    let logarithm = emit(sweep, Operator::Map(Function::Log), vec![sum]);
    (node.operator, node.inputs) = (Operator::Add, vec![logarithm, largest]);
    Outcome::Keep(node)
}

/// `x` and the axes of `log Σ exp(x)`, unless `x` is taken relative to its largest already.
fn sum_of_exponentials(sweep: &Sweep<'_>, node: &Node) -> Option<(ValueId, Vec<usize>)> {
    if node.operator != Operator::Map(Function::Log) || sweep.graph.value(node.output).encoding.is_some() {
        return None;
    }
    let mut sum = producer(sweep, node.inputs[0])?;
    while sum.operator == Operator::Reshape {
        sum = producer(sweep, sum.inputs[0])?;
    }
    let Operator::Reduce { kind: Reduction::Sum, axes } = &sum.operator else { return None };
    let exponentials = producer(sweep, sum.inputs[0]).filter(|node| node.operator == Operator::Map(Function::Exp))?;
    let &x = exponentials.inputs.first()?;
    let relative = producer(sweep, x).is_some_and(|node| {
        let largest = node.inputs.get(1).and_then(|&id| producer(sweep, id));
        let is_largest = |node: &Node| matches!(node.operator, Operator::Reduce { kind: Reduction::Max, .. });
        node.operator == Operator::Sub && largest.is_some_and(is_largest)
    });
    (!relative).then(|| (x, axes.clone()))
}

/// The node that computes a value, if it does nothing else to it.
fn producer<'s>(sweep: &'s Sweep<'_>, id: ValueId) -> Option<&'s Node> {
    let free = sweep.graph.value(id).encoding.is_none();
    sweep.nodes.get(sweep.producer[id.0]?)?.as_ref().filter(|node| free && node.clamp.is_none())
}

fn reduction(kind: Reduction, axes: &[usize]) -> Operator {
    Operator::Reduce { kind, axes: axes.to_vec() }
}

fn reshape(sweep: &mut Sweep<'_>, id: ValueId, shape: &[usize]) -> ValueId {
    if sweep.graph.shape(id) == shape {
        return id;
    }
    sweep.push(Operator::Reshape, vec![id], shape.to_vec())
}

/// A new node whose result has the extents that follow from its operands.
fn emit(sweep: &mut Sweep<'_>, operator: Operator, inputs: Vec<ValueId>) -> ValueId {
    let mut shape = sweep.graph.shape(inputs[0]).to_vec();
    if let Operator::Reduce { axes, .. } = &operator {
        for &axis in axes {
            shape[axis] = 1;
        }
    }
    sweep.push(operator, inputs, shape)
}

//! Products of integers that a file quantises while it runs, as products of the numbers that they stand for.

use super::uses::Uses;
use crate::graph::{Function, Graph, Node, Operator, Pairwise, ValueId};

/// `MatMul(round(x / s) + z − z, w) · (s · c)` becomes `MatMul(x, w) · c`: what `DynamicQuantizeLinear` and `MatMulInteger` compute, up to
/// rounding. Whoever quantises the graph chooses scales of his own.
pub fn real_products(graph: &mut Graph) {
    let uses = Uses::new(graph);
    for number in 0..graph.nodes.len() {
        let Some(found) = product(graph, &uses, number) else { continue };
        let id = graph.nodes[number].output;
        graph.value_mut(id).encoding = None;
        graph.nodes[number].inputs[0] = found.x;
        for (user, factor) in found.users {
            let factor = factor.unwrap_or_else(|| graph.add_floats("one".to_owned(), vec![], vec![1.0]));
            graph.nodes[user].inputs = vec![id, factor];
        }
    }
    graph.remove_dead();
}

/// A product of quantised numbers.
struct Found {
    /// The numbers before they were quantised.
    x: ValueId,
    /// The nodes that scale the product, and what is left of their factors.
    users: Vec<(usize, Option<ValueId>)>,
}

fn product(graph: &Graph, uses: &Uses, number: usize) -> Option<Found> {
    let node = graph.nodes.get(number).filter(|node| node.operator == Operator::MatMul)?;
    graph.value(node.inputs[1]).constant.as_ref()?;
    let centred = producer(graph, uses, node.inputs[0], &Operator::Sub)?;
    let sum = producer(graph, uses, centred.inputs[0], &Operator::Add)?;
    let zero = uses.behind_views(graph, sum.inputs[1]);
    if uses.behind_views(graph, centred.inputs[1]) != zero {
        return None;
    }
    let rounded = producer(graph, uses, sum.inputs[0], &Operator::Map(Function::Round))?;
    let quotient = producer(graph, uses, rounded.inputs[0], &Operator::Zip(Pairwise::Div { integer: false }))?;
    let (x, scale) = (quotient.inputs[0], uses.behind_views(graph, quotient.inputs[1]));
    // The zero point is `round(−least / s)`.
    let point = producer(graph, uses, zero, &Operator::Map(Function::Round))?;
    let least = producer(graph, uses, point.inputs[0], &Operator::Zip(Pairwise::Div { integer: false }))?;
    if uses.behind_views(graph, least.inputs[1]) != scale || graph.outputs.contains(&node.output) {
        return None;
    }
    let left = |user: usize| {
        let node = graph.nodes.get(user).filter(|node| node.operator == Operator::Mul)?;
        let other = node.inputs.iter().copied().find(|&id| id != graph.nodes[number].output)?;
        Some((user, factor(graph, uses, other, scale)?))
    };
    let users: Option<Vec<_>> = uses.users(node.output).iter().map(|&user| left(user)).collect();
    users.filter(|users| !users.is_empty()).map(|users| Found { x, users })
}

/// What is left of a factor without the scale: a constant, or nothing. The outer `None` if it is not such a factor.
fn factor(graph: &Graph, uses: &Uses, id: ValueId, scale: ValueId) -> Option<Option<ValueId>> {
    if uses.behind_views(graph, id) == scale {
        return Some(None);
    }
    let node = producer(graph, uses, uses.behind_views(graph, id), &Operator::Mul)?;
    let constant = node.inputs.iter().copied().find(|&id| graph.value(id).floats().is_some())?;
    let other = node.inputs.iter().copied().find(|&id| id != constant)?;
    let whole = graph.shape(constant) == graph.shape(id) || graph.shape(constant).is_empty();
    (uses.behind_views(graph, other) == scale && whole).then_some(Some(constant))
}

/// The node that computes a value with an operator.
fn producer<'g>(graph: &'g Graph, uses: &Uses, id: ValueId, operator: &Operator) -> Option<&'g Node> {
    uses.producer(graph, id).filter(|node| node.operator == *operator)
}

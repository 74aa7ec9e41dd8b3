//! Multiplications and additions of constants: as [`Operator::Affine`], and into the weights before them.

use super::{Outcome, Sweep};
use crate::{
    float::{self, Operand},
    graph::{Constant, Data, Graph, Node, Operator, Quantised, ValueId, elements, shape},
    moves,
};

/// Products with a constant matrix become [`Operator::Dense`], with `w` transposed.
pub(super) fn products_to_dense(graph: &mut Graph) {
    for number in 0..graph.nodes.len() {
        let node = &graph.nodes[number];
        if node.operator != Operator::MatMul {
            continue;
        }
        let b = graph.value(node.inputs[1]);
        let (Some(floats), [k, n]) = (b.floats(), b.shape.as_slice()) else {
            continue;
        };
        let (k, n) = (*k, *n);
        let transposed = moves::transpose(&[k, n], floats, &[1, 0]);
        let quantised = b.constant.as_ref().and_then(|constant| constant.quantised.as_ref());
        let quantised = quantised.map(|q| Quantised {
            integers: moves::transpose(&[k, n], &q.integers, &[1, 0]),
            axis: 1 - q.axis.min(1),
            ..q.clone()
        });
        let name = b.name.clone();
        let w = graph.add_constant(name, vec![n, k], Constant { data: Data::Float(transposed), quantised });
        let node = &mut graph.nodes[number];
        node.operator = Operator::Dense;
        node.inputs[1] = w;
    }
}

/// `x ± c`, `c − x` and `x · c` become `x · m + b` if the constant does not widen `x`.
pub(super) fn to_affine(sweep: &mut Sweep<'_>, node: Node) -> Outcome {
    let (left, right) = match (&node.operator, node.inputs.as_slice()) {
        (Operator::Add | Operator::Sub | Operator::Mul, &[left, right]) => (left, right),
        _ => return Outcome::Keep(node),
    };
    let constant_left = sweep.graph.value(left).floats().is_some();
    let (x, c) = if constant_left { (right, left) } else { (left, right) };
    let value = sweep.graph.value(c);
    let Some(floats) = value.floats() else {
        return Outcome::Keep(node);
    };
    if sweep.graph.shape(x) != sweep.graph.shape(node.output) {
        return Outcome::Keep(node);
    }
    let (name, c_shape, floats) = (value.name.clone(), value.shape.clone(), floats.to_vec());
    let negated = |floats: &[f32]| floats.iter().map(|v| -v).collect::<Vec<f32>>();
    let (m, b) = match (&node.operator, constant_left) {
        (Operator::Mul, _) => ((c_shape, floats), (vec![], vec![0.0])),
        (Operator::Sub, true) => ((vec![], vec![-1.0]), (c_shape, floats)),
        (Operator::Sub, false) => ((vec![], vec![1.0]), (c_shape, negated(&floats))),
        _ => ((vec![], vec![1.0]), (c_shape, floats)),
    };
    let m = sweep.graph.add_floats(name.clone(), m.0, m.1);
    let b = sweep.graph.add_floats(name, b.0, b.1);
    Outcome::Keep(Node { operator: Operator::Affine, inputs: vec![x, m, b], ..node })
}

/// An [`Operator::Affine`] joins the affine, dense or convolution node before it.
pub(super) fn join(sweep: &mut Sweep<'_>, node: Node) -> Outcome {
    if node.operator != Operator::Affine {
        return Outcome::Keep(node);
    }
    let [x, m, b] = [node.inputs[0], node.inputs[1], node.inputs[2]];
    if let Some(outcome) = through_views(sweep, &node) {
        return outcome;
    }
    let Some(producer) = sweep.sole_producer(x).filter(|producer| producer.clamp.is_none()) else {
        return Outcome::Keep(node);
    };
    let (operator, inputs) = (producer.operator.clone(), producer.inputs.clone());
    let joined = match operator {
        Operator::Affine => compose(sweep.graph, &inputs, m, b),
        Operator::Dense => into_weights(sweep.graph, &inputs, m, b, sweep.graph.shape(x).len().saturating_sub(1), x),
        Operator::Conv { .. } => into_weights(sweep.graph, &inputs, m, b, 1, x),
        _ => None,
    };
    let Some(inputs) = joined else {
        return Outcome::Keep(node);
    };
    match sweep.sole_producer(x) {
        Some(producer) => {
            producer.inputs = inputs;
            producer.output = node.output;
            Outcome::Absorbed
        }
        None => Outcome::Keep(node),
    }
}

/// One number for all elements goes through other shapes into the weights before them.
fn through_views(sweep: &mut Sweep<'_>, node: &Node) -> Option<Outcome> {
    let [x, m, b] = [node.inputs[0], node.inputs[1], node.inputs[2]];
    let single = |id: ValueId| elements(sweep.graph.shape(id)) == 1;
    if node.clamp.is_some() || !single(m) || !single(b) {
        return None;
    }
    let mut id = x;
    while let Some(view) = sweep.sole_producer(id).filter(|node| node.operator.is_view()) {
        id = view.inputs[0];
    }
    let producer = sweep.sole_producer(id).filter(|_| id != x)?;
    if producer.operator != Operator::Dense || producer.clamp.is_some() {
        return None;
    }
    let inputs = producer.inputs.clone();
    let axis = sweep.graph.shape(id).len().saturating_sub(1);
    let joined = into_weights(sweep.graph, &inputs, m, b, axis, id)?;
    sweep.sole_producer(id)?.inputs = joined;
    Some(Outcome::Alias(x))
}

/// `(x·m1 + b1)·m2 + b2 = x·(m1·m2) + (b1·m2 + b2)`.
fn compose(graph: &mut Graph, inputs: &[ValueId], m2: ValueId, b2: ValueId) -> Option<Vec<ValueId>> {
    let (x, m1, b1) = (inputs[0], inputs[1], inputs[2]);
    let m = combined(graph, &Operator::Mul, m1, m2)?;
    let b = combined(graph, &Operator::Mul, b1, m2)?;
    let b = combined(graph, &Operator::Add, b, b2)?;
    Some(vec![x, m, b])
}

fn combined(graph: &mut Graph, operator: &Operator, a: ValueId, b: ValueId) -> Option<ValueId> {
    let shape = shape::infer(operator, &[graph.shape(a), graph.shape(b)]).ok()?;
    let data = {
        let operand = |id| Some(Operand { shape: graph.shape(id), data: graph.value(id).floats()? });
        float::evaluate(operator, &[operand(a)?, operand(b)?], &shape)?
    };
    if data.iter().any(|v| !v.is_finite()) {
        return None;
    }
    let name = graph.value(a).name.clone();
    Some(graph.add_floats(name, shape, data))
}

/// Scales the rows of the weights and the bias, if the constants follow the output channels alone.
fn into_weights(
    graph: &mut Graph,
    inputs: &[ValueId],
    m: ValueId,
    b: ValueId,
    channel_axis: usize,
    result: ValueId,
) -> Option<Vec<ValueId>> {
    let (x, w) = (inputs[0], inputs[1]);
    let shape = graph.shape(result).to_vec();
    let channels = *shape.get(channel_axis)?;
    let factors = per_channel(graph, m, &shape, channel_axis)?;
    let offsets = per_channel(graph, b, &shape, channel_axis)?;
    let unit = factors.iter().all(|f| f.to_bits() == 1.0f32.to_bits());
    let w = if unit { w } else { scaled_weights(graph, w, &factors)? };
    let old = match inputs.get(2) {
        Some(&id) => graph.value(id).floats()?.to_vec(),
        None => vec![0.0; channels],
    };
    let bias: Vec<f32> = old.iter().zip(factors.iter().zip(&offsets)).map(|(b, (m, c))| b * m + c).collect();
    if bias.iter().any(|v| !v.is_finite()) {
        return None;
    }
    let name = graph.value(result).name.clone();
    let bias = graph.add_floats(name, vec![channels], bias);
    Some(vec![x, w, bias])
}

fn scaled_weights(graph: &mut Graph, w: ValueId, factors: &[f32]) -> Option<ValueId> {
    let value = graph.value(w);
    let row = elements(value.shape.get(1..)?).max(1);
    let scaled: Vec<f32> =
        value.floats()?.chunks(row).zip(factors).flat_map(|(row, f)| row.iter().map(move |v| v * f)).collect();
    if scaled.iter().any(|v| !v.is_finite()) {
        return None;
    }
    let (name, shape) = (value.name.clone(), value.shape.clone());
    Some(graph.add_floats(name, shape, scaled))
}

/// The numbers of a constant along one axis of the shape that it broadcasts to, if it is constant along the others.
fn per_channel(graph: &Graph, id: ValueId, shape: &[usize], axis: usize) -> Option<Vec<f32>> {
    let value = graph.value(id);
    let data = value.floats()?;
    let channels = *shape.get(axis)?;
    if data.len() == 1 {
        return Some(vec![data[0]; channels]);
    }
    let lead = shape.len().checked_sub(value.shape.len())?;
    let along = value.shape.get(axis.checked_sub(lead)?)?;
    (*along == channels && data.len() == channels).then(|| data.to_vec())
}

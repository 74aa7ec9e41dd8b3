//! Evaluation of a graph in f32, for calibration and comparison.
//!
//! The same bits on every machine: every operation is a correctly rounded IEEE one in a fixed order, or comes from
//! `libm`. Layouts are ONNX's.

mod elementwise;
pub(crate) mod fold;
mod linear;

mod pool;
mod taps;

use crate::{
    graph::{Graph, Node, Operator, ValueId},
    moves,
};

/// A tensor operand.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operand<'a> {
    /// Extents.
    pub(crate) shape: &'a [usize],
    /// Elements, row-major.
    pub(crate) data: &'a [f32],
}

/// The values of one evaluation.
#[derive(Debug, Clone)]
pub struct Values<'g> {
    graph: &'g Graph,
    computed: Vec<Option<Vec<f32>>>,
}

impl Values<'_> {
    /// Elements of a value, constant or computed; empty if the graph does not compute it.
    pub fn get(&self, id: ValueId) -> &[f32] {
        match &self.computed[id.0] {
            Some(data) => data,
            None => self.graph.value(id).floats().unwrap_or(&[]),
        }
    }
}

/// Evaluates a graph on inputs, whose lengths are the inputs' element counts; missing ones count as zeros.
pub fn run<'g>(graph: &'g Graph, inputs: &[&[f32]]) -> Values<'g> {
    let mut values = Values { graph, computed: vec![None; graph.values.len()] };
    for (number, &id) in graph.inputs.iter().enumerate() {
        let mut data = inputs.get(number).map(|data| data.to_vec()).unwrap_or_default();
        data.resize(graph.value(id).elements(), 0.0);
        values.computed[id.0] = Some(data);
    }
    for node in &graph.nodes {
        let result = node_result(graph, node, &values);
        values.computed[node.output.0] = Some(result);
    }
    values
}

fn node_result(graph: &Graph, node: &Node, values: &Values<'_>) -> Vec<f32> {
    let operands: Vec<Operand<'_>> =
        node.inputs.iter().map(|&id| Operand { shape: graph.shape(id), data: values.get(id) }).collect();
    let mut result = evaluate(&node.operator, &operands, graph.shape(node.output));
    if let Some((low, high)) = node.clamp {
        for value in &mut result {
            *value = value.max(low).min(high);
        }
    }
    // An encoding that the source file states is part of the network.
    if let Some(encoding) = graph.value(node.output).encoding {
        for value in &mut result {
            *value = elementwise::quantise(*value, &encoding);
        }
    }
    result
}

/// One operator. Operands and `shape` fit each other by shape inference.
pub(crate) fn evaluate(operator: &Operator, operands: &[Operand<'_>], shape: &[usize]) -> Vec<f32> {
    let x = operands[0];
    match operator {
        Operator::MatMul => linear::matmul(x, operands[1], shape),
        Operator::Dense => linear::dense(x, operands[1], operands.get(2).copied()),
        Operator::Conv { window, groups } => {
            linear::conv(x, operands[1], operands.get(2).copied(), window, *groups, shape)
        }
        Operator::MaxPool(window) => pool::max(x, window, shape),
        Operator::AveragePool { window, count_pad } => pool::average(x, window, *count_pad, shape),
        Operator::Clip { low, high } => elementwise::unary(x, |v| v.max(*low).min(*high)),
        Operator::LeakyRelu { alpha } => elementwise::unary(x, |v| if v < 0.0 { v * alpha } else { v }),
        Operator::Sigmoid => elementwise::unary(x, elementwise::sigmoid),
        Operator::Tanh => elementwise::unary(x, elementwise::tanh),
        Operator::Quantise(encoding) => elementwise::unary(x, |v| elementwise::quantise(v, encoding)),
        Operator::Add => elementwise::binary(x, operands[1], shape, |a, b| a + b),
        Operator::Sub => elementwise::binary(x, operands[1], shape, |a, b| a - b),
        Operator::Mul => elementwise::binary(x, operands[1], shape, |a, b| a * b),
        Operator::Affine => {
            let scaled = elementwise::binary(x, operands[1], shape, |a, b| a * b);
            elementwise::binary(Operand { shape, data: &scaled }, operands[2], shape, |a, b| a + b)
        }
        Operator::Reshape => x.data.to_vec(),
        Operator::Transpose { perm } => moves::transpose(x.shape, x.data, perm),
        Operator::Concat { axis } => {
            let parts: Vec<(&[usize], &[f32])> = operands.iter().map(|o| (o.shape, o.data)).collect();
            moves::concat(&parts, *axis)
        }
        Operator::Softmax { axis } => elementwise::softmax(x, *axis),
        Operator::ArgMax { axis, last } => elementwise::arg_max(x, *axis, *last),
        _ => vec![0.0; crate::graph::elements(shape)],
    }
}

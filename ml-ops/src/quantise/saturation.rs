//! Magnitudes beyond which a curve is flat: arguments need not be told apart there, so that a scale can hold the rest finely.

use crate::graph::{Graph, Operator, ValueId};

/// From here on `1 − σ(x)` is below 2^−17.
const SIGMOID: f64 = 12.0;
/// From here on `1 − tanh(x)` is below 2^−17.
const TANH: f64 = 6.5;

/// For each value the magnitude beyond which none of its users tells numbers apart, if there is one.
pub(super) fn limits(graph: &Graph) -> Vec<Option<f64>> {
    let mut limits: Vec<Option<f64>> = vec![None; graph.values.len()];
    let mut free = vec![true; graph.values.len()];
    let ask = |limits: &mut Vec<Option<f64>>, free: &mut Vec<bool>, id: ValueId, limit: Option<f64>| {
        free[id.0] &= limit.is_some();
        limits[id.0] = limit.filter(|_| free[id.0]).map(|limit| limits[id.0].map_or(limit, |known| known.max(limit)));
    };
    for &id in &graph.outputs {
        ask(&mut limits, &mut free, id, None);
    }
    for node in graph.nodes.iter().rev() {
        let limit = match node.operator {
            Operator::Sigmoid => Some(SIGMOID),
            Operator::Tanh => Some(TANH),
            ref operator if super::plan::inherits(operator) => limits[node.output.0],
            _ => None,
        };
        for (number, &id) in node.inputs.iter().enumerate() {
            ask(&mut limits, &mut free, id, limit.filter(|_| number == 0));
        }
    }
    limits
}

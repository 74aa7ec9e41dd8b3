//! Numbers so small that a softmax makes them 0: masks write them, and a scale that held them would hold nothing else.

use crate::{
    float::Values,
    graph::{Graph, Operator, ValueId},
};

/// Distance below the largest of a group at which `exp` is below 2^−34.
const REACH: f64 = 24.0;

/// For values that only softmax reads: how far down numbers count.
pub(super) struct Floors {
    /// Whether only softmax reads a value, maybe through other shapes of it.
    only: Vec<bool>,
    /// Least of the largest numbers of all groups seen, for operands of softmax.
    tops: Vec<f64>,
    floors: Vec<Option<f64>>,
}

impl Floors {
    pub(super) fn new(graph: &Graph) -> Self {
        let count = graph.values.len();
        let mut only = vec![true; count];
        let mut used = vec![false; count];
        for &id in &graph.outputs {
            (only[id.0], used[id.0]) = (false, true);
        }
        for node in graph.nodes.iter().rev() {
            let passes = match node.operator {
                Operator::Softmax { .. } => true,
                ref operator if operator.is_view() => only[node.output.0] && used[node.output.0],
                _ => false,
            };
            for &id in &node.inputs {
                only[id.0] &= passes;
                used[id.0] = true;
            }
        }
        Self { only, tops: vec![f64::INFINITY; count], floors: vec![None; count] }
    }

    /// Takes in the values of one sample.
    pub(super) fn see(&mut self, graph: &Graph, values: &Values<'_>) {
        for node in &graph.nodes {
            if let (Operator::Softmax { axis }, Some(&x)) = (&node.operator, node.inputs.first())
                && self.only[x.0]
            {
                let top = least_top(graph.shape(x), values.get(x), *axis);
                self.tops[x.0] = self.tops[x.0].min(top);
            }
        }
        self.floors = vec![None; self.floors.len()];
        for node in graph.nodes.iter().rev() {
            let floor = match node.operator {
                Operator::Softmax { .. } => node.inputs.first().map(|x| self.tops[x.0] - REACH),
                _ => self.floors[node.output.0],
            };
            for &id in node.inputs.iter().filter(|id| self.only[id.0]) {
                self.floors[id.0] = match (self.floors[id.0], floor) {
                    (Some(known), Some(floor)) => Some(known.min(floor)),
                    (known, floor) => known.or(floor),
                };
            }
        }
    }

    /// The number below which a value need not be told apart.
    pub(super) fn of(&self, id: ValueId) -> Option<f64> {
        self.floors[id.0].filter(|floor| self.only[id.0] && floor.is_finite())
    }
}

/// The least of the largest numbers of the lines along an axis.
fn least_top(shape: &[usize], data: &[f32], axis: usize) -> f64 {
    let inner: usize = shape[axis + 1..].iter().product();
    let extent = shape[axis];
    let mut least = f64::INFINITY;
    for block in data.chunks(extent * inner) {
        for column in 0..inner {
            let line = block.iter().skip(column).step_by(inner.max(1));
            let top = line.fold(f32::NEG_INFINITY, |m: f32, &v| m.max(v));
            least = least.min(f64::from(top));
        }
    }
    least
}

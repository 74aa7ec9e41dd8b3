//! Who computes and who uses each value, for rewrites of several nodes at once.

use std::collections::BTreeSet;

use crate::graph::{Function, Graph, Node, Operator, ValueId};

/// Longest path that a rewrite follows.
const DEPTH: usize = 12;

/// Producers and users of the values of a graph, as they were when this was made.
///
/// A rewrite leaves the nodes that it replaces in place, so a value that only they use counts as used: later rewrites miss
/// some chances, but never see a value as free that is not.
pub(super) struct Uses {
    producer: Vec<Option<usize>>,
    users: Vec<Vec<usize>>,
    outputs: BTreeSet<ValueId>,
}

impl Uses {
    pub(super) fn new(graph: &Graph) -> Self {
        let mut producer = vec![None; graph.values.len()];
        let mut users = vec![Vec::new(); graph.values.len()];
        for (number, node) in graph.nodes.iter().enumerate() {
            producer[node.output.0] = Some(number);
            for &id in &node.inputs {
                users[id.0].push(number);
            }
        }
        Self { producer, users, outputs: graph.outputs.iter().copied().collect() }
    }

    /// The node that computes a value.
    pub(super) fn producer<'g>(&self, graph: &'g Graph, id: ValueId) -> Option<&'g Node> {
        let node = graph.nodes.get((*self.producer.get(id.0)?)?)?;
        (node.output == id && node.clamp.is_none()).then_some(node)
    }

    /// The nodes that use a value.
    pub(super) fn users(&self, id: ValueId) -> &[usize] {
        self.users.get(id.0).map_or(&[], Vec::as_slice)
    }

    /// The value whose other shape this is.
    pub(super) fn behind_views(&self, graph: &Graph, mut id: ValueId) -> ValueId {
        while let Some(node) = self.producer(graph, id).filter(|node| node.operator == Operator::Reshape) {
            id = node.inputs[0];
        }
        id
    }

    /// The number of the node that computes a value.
    pub(super) fn number(&self, id: ValueId) -> Option<usize> {
        *self.producer.get(id.0)?
    }

    /// The one node that uses a value, if no output does.
    pub(super) fn only_user(&self, graph: &Graph, id: ValueId) -> Option<usize> {
        let free = !self.outputs.contains(&id) && graph.value(id).encoding.is_none();
        match self.users.get(id.0)?.as_slice() {
            [first, rest @ ..] if free && rest.iter().all(|other| other == first) => Some(*first),
            _ => None,
        }
    }

    /// Whether only nodes that compute one of `inner`, and node `root`, use these values.
    pub(super) fn closed(&self, graph: &Graph, inner: &BTreeSet<ValueId>, root: usize) -> bool {
        inner.iter().all(|id| {
            let users = self.users.get(id.0).map_or(&[][..], Vec::as_slice);
            let inside = |&user: &usize| user == root || inner.contains(&graph.nodes[user].output);
            !self.outputs.contains(id) && graph.value(*id).encoding.is_none() && users.iter().all(inside)
        })
    }
}

/// The number of a constant of one element.
pub(super) fn scalar(graph: &Graph, id: ValueId) -> Option<f64> {
    match graph.value(id).floats() {
        Some([value]) => Some(f64::from(*value)),
        _ => None,
    }
}

/// Whether two numbers are the same up to the rounding of constants in f32.
pub(super) fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-5 * b.abs().max(1e-12)
}

/// Follows a pattern from its root and notes the values between.
pub(super) struct Walk<'g> {
    pub(super) graph: &'g Graph,
    pub(super) uses: &'g Uses,
    pub(super) inner: BTreeSet<ValueId>,
}

impl<'g> Walk<'g> {
    pub(super) const fn new(graph: &'g Graph, uses: &'g Uses) -> Self {
        Self { graph, uses, inner: BTreeSet::new() }
    }

    /// The node that computes `id`, which becomes part of the pattern.
    pub(super) fn enter(&mut self, id: ValueId) -> Option<&'g Node> {
        let node = self.uses.producer(self.graph, id)?;
        self.inner.insert(id);
        Some(node)
    }

    /// [`Walk::enter`] if the node is `operator`.
    pub(super) fn operand(&mut self, id: ValueId, operator: &Operator) -> Option<ValueId> {
        let node = self.uses.producer(self.graph, id).filter(|node| node.operator == *operator)?;
        self.inner.insert(id);
        node.inputs.first().copied()
    }

    /// `m` and `x` of a value `m · x + b` with numbers `m` and `b`, through all scalings and additions of constants.
    pub(super) fn line(&mut self, mut id: ValueId) -> (f64, ValueId, f64) {
        let (mut m, mut b) = (1.0, 0.0);
        for _ in 0..DEPTH {
            let Some((factor, x, summand)) = self.uses.producer(self.graph, id).and_then(|node| line(self.graph, node))
            else {
                break;
            };
            self.inner.insert(id);
            b += m * summand;
            m *= factor;
            id = x;
        }
        (m, id, b)
    }

    /// What is squared to give a value.
    pub(super) fn square(&mut self, id: ValueId) -> Option<ValueId> {
        let node = self.enter(id)?;
        match (&node.operator, node.inputs.as_slice()) {
            (Operator::Map(Function::Power(2.0)), &[x]) => Some(x),
            (Operator::Mul, &[a, b]) if a == b => Some(a),
            _ => None,
        }
    }

    /// The operand of reshapes.
    pub(super) fn unshaped(&mut self, mut id: ValueId) -> ValueId {
        for _ in 0..DEPTH {
            match self.operand(id, &Operator::Reshape) {
                Some(x) => id = x,
                None => break,
            }
        }
        id
    }
}

/// A node as `m · x + b` with numbers `m` and `b`.
pub(super) fn line(graph: &Graph, node: &Node) -> Option<(f64, ValueId, f64)> {
    let number = |i: usize| scalar(graph, *node.inputs.get(i)?);
    let &x = node.inputs.first()?;
    let wide = |x: ValueId| graph.shape(x) == graph.shape(node.output);
    let (m, x, b) = match node.operator {
        Operator::Affine => (number(1)?, x, number(2)?),
        Operator::Mul => number(1).map(|m| (m, x, 0.0)).or_else(|| Some((number(0)?, *node.inputs.get(1)?, 0.0)))?,
        Operator::Add => number(1).map(|b| (1.0, x, b)).or_else(|| Some((1.0, *node.inputs.get(1)?, number(0)?)))?,
        Operator::Sub => number(1).map(|b| (1.0, x, -b)).or_else(|| Some((-1.0, *node.inputs.get(1)?, number(0)?)))?,
        Operator::Map(Function::Neg) => (-1.0, x, 0.0),
        _ => return None,
    };
    wide(x).then_some((m, x, b))
}

//! Rewrites that leave fewer, larger nodes: weights take in scalings, bounds join the node before.

mod activations;
mod affine;
mod branches;
mod exponents;
mod norms;
mod scales;
mod uses;

pub use scales::real_products;

use super::{Encoding, Graph, Node, Operator, Pairwise, ValueId};

/// All rewrites. The real function stays the same up to rounding of folded constants.
pub fn simplify(graph: &mut Graph) {
    activations::recognise(graph);
    graph.remove_dead();
    norms::recognise(graph);
    graph.remove_dead();
    sweep(graph, exponents::from_largest);
    graph.remove_dead();
    affine::products_to_dense(graph);
    sweep(graph, affine::to_affine);
    sweep(graph, affine::join);
    sweep(graph, fuse_clip);
    sweep(graph, branches::join);
    graph.remove_dead();
    sweep(graph, place_encoding);
    graph.remove_dead();
}

/// The graph while a pass goes over its nodes in order.
pub(super) struct Sweep<'g> {
    graph: &'g mut Graph,
    nodes: Vec<Option<Node>>,
    producer: Vec<Option<usize>>,
    uses: Vec<usize>,
    alias: Vec<ValueId>,
}

impl Sweep<'_> {
    /// The node that computes `id` for this one use alone, if nothing else depends on the value.
    fn sole_producer(&mut self, id: ValueId) -> Option<&mut Node> {
        if self.uses[id.0] != 1 || self.graph.value(id).encoding.is_some() {
            return None;
        }
        self.nodes.get_mut(self.producer[id.0]?)?.as_mut()
    }

    /// Adds a node before the one that the pass looks at.
    fn push(&mut self, operator: Operator, inputs: Vec<ValueId>, shape: Vec<usize>) -> ValueId {
        let output = self.graph.add_value(operator.name(), shape);
        for &id in &inputs {
            self.uses[id.0] += 1;
        }
        self.alias.push(output);
        self.producer.push(Some(self.nodes.len()));
        self.uses.push(1);
        self.nodes.push(Some(Node { operator, inputs, output, clamp: None }));
        output
    }

    /// The encoding that a value has by the source file, through operators that only move or select elements.
    fn encoding(&self, mut id: ValueId) -> Option<Encoding> {
        loop {
            if let Some(encoding) = self.graph.value(id).encoding {
                return Some(encoding);
            }
            let node = self.nodes[self.producer[id.0]?].as_ref()?;
            if !(node.operator.is_view() || matches!(node.operator, Operator::MaxPool(_))) {
                return None;
            }
            id = node.inputs[0];
        }
    }
}

/// What a pass makes of a node.
pub(super) enum Outcome {
    /// The node, maybe changed.
    Keep(Node),
    /// The node is gone: its result is another value.
    Alias(ValueId),
    /// The node is gone: an earlier node computes its result now.
    Absorbed,
}

/// Goes over the nodes once; operands are already renamed when `pass` sees a node.
fn sweep(graph: &mut Graph, pass: impl Fn(&mut Sweep<'_>, Node) -> Outcome) {
    let count = graph.values.len();
    let nodes = std::mem::take(&mut graph.nodes);
    let uses = {
        let mut uses = vec![0; count];
        for id in nodes.iter().flat_map(|node| &node.inputs).chain(&graph.outputs) {
            uses[id.0] += 1;
        }
        uses
    };
    let alias = (0..count).map(ValueId).collect();
    let mut sweep = Sweep { graph, nodes: Vec::new(), producer: vec![None; count], uses, alias };
    for mut node in nodes {
        for id in &mut node.inputs {
            *id = sweep.alias[id.0];
        }
        let (number, output) = (sweep.nodes.len(), node.output);
        match pass(&mut sweep, node) {
            Outcome::Keep(node) => {
                sweep.producer[output.0] = Some(number);
                sweep.nodes.push(Some(node));
            }
            Outcome::Alias(id) => {
                sweep.uses[id.0] = (sweep.uses[id.0] + sweep.uses[output.0]).saturating_sub(1);
                sweep.alias[output.0] = id;
            }
            Outcome::Absorbed => sweep.producer[output.0] = sweep.nodes.iter().rposition(|n| produces(n, output)),
        }
    }
    let Sweep { nodes, alias, graph, .. } = sweep;
    graph.nodes = nodes.into_iter().flatten().collect();
    for id in &mut graph.outputs {
        *id = alias[id.0];
    }
}

fn produces(node: &Option<Node>, output: ValueId) -> bool {
    node.as_ref().is_some_and(|node| node.output == output)
}

/// Bounds move into the node before.
fn fuse_clip(sweep: &mut Sweep<'_>, node: Node) -> Outcome {
    let Operator::Clip { low, high } = node.operator else {
        return Outcome::Keep(node);
    };
    let Some(producer) = sweep.sole_producer(node.inputs[0]) else {
        return Outcome::Keep(node);
    };
    let takes = matches!(
        producer.operator,
        Operator::Dense
            | Operator::Conv { .. }
            | Operator::MatMul
            | Operator::Add
            | Operator::Sub
            | Operator::Mul
            | Operator::Affine
            | Operator::AveragePool { .. }
            | Operator::Zip(Pairwise::Div { integer: false })
            | Operator::Clip { .. }
    );
    if !takes {
        return Outcome::Keep(node);
    }
    let (old_low, old_high) = producer.clamp.unwrap_or((f32::NEG_INFINITY, f32::INFINITY));
    producer.clamp = Some((old_low.max(low).min(high), old_high.max(low).min(high)));
    producer.output = node.output;
    Outcome::Absorbed
}

/// A [`Operator::Quantise`] becomes the encoding of the value before, where that value is used for nothing else.
fn place_encoding(sweep: &mut Sweep<'_>, node: Node) -> Outcome {
    let Operator::Quantise(encoding) = node.operator else {
        return Outcome::Keep(node);
    };
    let x = node.inputs[0];
    if sweep.encoding(x) == Some(encoding) {
        return Outcome::Alias(x);
    }
    match sweep.sole_producer(x) {
        Some(producer) if stores(&producer.operator) => {
            producer.output = node.output;
            sweep.graph.value_mut(node.output).encoding = Some(encoding);
            Outcome::Absorbed
        }
        _ => {
            sweep.graph.value_mut(node.output).encoding = Some(encoding);
            Outcome::Keep(node)
        }
    }
}

/// Whether an operator computes new numbers, which any encoding can take.
const fn stores(operator: &Operator) -> bool {
    let chooses = matches!(
        operator,
        Operator::MaxPool(_)
            | Operator::ArgMax { .. }
            | Operator::Take { .. }
            | Operator::Gather { .. }
            | Operator::GatherElements { .. }
            | Operator::GatherNd { .. }
            | Operator::TopK { .. }
    );
    !operator.is_view() && !chooses && !matches!(operator, Operator::Quantise(_))
}

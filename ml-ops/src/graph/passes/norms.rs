//! Normalisations, softmax and masks that exporters write as several nodes.

use super::uses::{Uses, Walk, near, scalar};
use crate::{
    graph::{Function, Graph, Node, Operator, Pairwise, Reduction, ValueId, elements},
    num,
};

/// Below this, what is added to a score before a softmax hides it.
const HIDDEN: f64 = -1e9;

/// Replaces the last nodes of each pattern.
pub(super) fn recognise(graph: &mut Graph) {
    let uses = Uses::new(graph);
    for number in 0..graph.nodes.len() {
        if let Some(found) = normalisation(graph, &uses, number) {
            found.write(graph, number);
        } else if let Some((x, axis)) = softmax(graph, &uses, number) {
            replace(graph, number, Operator::Softmax { axis }, vec![x]);
        } else if let Some(operands) = mask(graph, &uses, number) {
            replace(graph, number, Operator::Select, operands);
        }
    }
}

fn replace(graph: &mut Graph, number: usize, operator: Operator, inputs: Vec<ValueId>) {
    let node = &mut graph.nodes[number];
    node.operator = operator;
    node.inputs = inputs;
}

/// A normalisation that was found.
struct Found {
    x: ValueId,
    axes: Vec<usize>,
    epsilon: f32,
    centre: bool,
    /// A constant factor, and the number of the node that applies it to the inverse deviation.
    gain: Option<(ValueId, usize)>,
}

impl Found {
    /// Root `x̂ = (x − μ) · (1/σ)` becomes the normalisation. If a gain comes first, the node that applies it becomes the
    /// normalisation, and the root the gain.
    fn write(self, graph: &mut Graph, root: usize) {
        let operator = Operator::Normalise { axes: self.axes, epsilon: self.epsilon, centre: self.centre };
        let Some((gain, place)) = self.gain else {
            return replace(graph, root, operator, vec![self.x]);
        };
        let shape = graph.shape(self.x).to_vec();
        let name = graph.value(graph.nodes[root].output).name.clone();
        let output = graph.add_value(name, shape);
        graph.nodes[place] = Node { operator, inputs: vec![self.x], output, clamp: None };
        replace(graph, root, Operator::Mul, vec![output, gain]);
    }
}

/// `d / √(v + ε)`, or `d · 1/√(v + ε)`, or `d · (1/√(v + ε) · gain)`.
fn normalisation(graph: &Graph, uses: &Uses, number: usize) -> Option<Found> {
    let root = &graph.nodes[number];
    let &[a, b] = root.inputs.as_slice() else { return None };
    if root.clamp.is_some() {
        return None;
    }
    match root.operator {
        Operator::Zip(Pairwise::Div { integer: false }) => divided(graph, uses, number, a, b, true),
        Operator::Mul => {
            divided(graph, uses, number, a, b, false).or_else(|| divided(graph, uses, number, b, a, false))
        }
        _ => None,
    }
}

fn divided(
    graph: &Graph,
    uses: &Uses,
    number: usize,
    top: ValueId,
    mut bottom: ValueId,
    deviation: bool,
) -> Option<Found> {
    let mut walk = Walk::new(graph, uses);
    let mut gain = None;
    if !deviation && let Some(node) = uses.producer(graph, bottom).filter(|node| node.operator == Operator::Mul) {
        let &[a, b] = node.inputs.as_slice() else { return None };
        let (factor, rest) = if graph.value(b).floats().is_some() { (b, a) } else { (a, b) };
        graph.value(factor).floats()?;
        walk.enter(bottom)?;
        gain = Some((factor, uses.number(bottom)?));
        bottom = rest;
    }
    let variance = if deviation {
        walk.operand(bottom, &Operator::Map(Function::Sqrt))?
    } else {
        let root = walk.operand(bottom, &Operator::Map(Function::Reciprocal));
        match root {
            Some(root) => walk.operand(root, &Operator::Map(Function::Sqrt))?,
            None => walk.operand(bottom, &Operator::Map(Function::Power(-0.5)))?,
        }
    };
    let (m, spread, epsilon) = walk.line(variance);
    if !near(m, 1.0) || !(0.0..=1.0).contains(&epsilon) {
        return None;
    }
    let (x, axes, centre) = spread_of(&mut walk, spread, top)?;
    let fits = graph.shape(x) == graph.shape(top) && aligned(graph, bottom, x, &axes);
    let whole = graph.shape(graph.nodes[number].output) == graph.shape(x);
    let closed = walk.uses.closed(graph, &walk.inner, number);
    (fits && whole && closed).then(|| Found { x, axes, epsilon: num::single(epsilon), centre, gain })
}

/// What is normalised, over which axes, and whether it is centred, from the variance and what is divided.
fn spread_of(walk: &mut Walk<'_>, variance: ValueId, top: ValueId) -> Option<(ValueId, Vec<usize>, bool)> {
    let variance = walk.unshaped(variance);
    // max(v, 0) guards against rounding.
    let floor = Operator::Clip { low: 0.0, high: f32::INFINITY };
    let variance = walk.operand(variance, &floor).unwrap_or(variance);
    let variance = walk.unshaped(variance);
    let subtraction = walk.uses.producer(walk.graph, variance).filter(|node| node.operator == Operator::Sub);
    if let Some(node) = subtraction {
        // The mean of squares less the square of the mean.
        let &[squares, square] = node.inputs.as_slice() else { return None };
        walk.enter(variance)?;
        let (squared, axes) = mean(walk, squares)?;
        let x = walk.square(squared)?;
        let middle = walk.square(square)?;
        let (other, same) = mean(walk, middle)?;
        let (centred, third) = centred(walk, top)?;
        return (x == other && x == centred && axes == same && axes == third).then_some((x, axes, true));
    }
    let (squares, axes) = mean(walk, variance)?;
    let difference = walk.square(squares)?;
    if difference == top && !is_difference(walk, top) {
        return Some((top, axes, false));
    }
    let (x, own) = centred(walk, difference)?;
    let (same, other) = centred(walk, top)?;
    (x == same && own == axes && other == axes).then_some((x, axes, true))
}

fn is_difference(walk: &Walk<'_>, id: ValueId) -> bool {
    let mut other = Walk::new(walk.graph, walk.uses);
    centred(&mut other, id).is_some()
}

/// The operand and axes of a mean: a reduction by mean, or a sum divided by the count.
fn mean(walk: &mut Walk<'_>, id: ValueId) -> Option<(ValueId, Vec<usize>)> {
    let id = walk.unshaped(id);
    let (m, sum, b) = walk.line(id);
    let sum = walk.unshaped(sum);
    let node = walk.enter(sum)?;
    let Operator::Reduce { kind, axes } = &node.operator else { return None };
    let &x = node.inputs.first()?;
    let extents: Vec<usize> = axes.iter().map(|&axis| walk.graph.shape(x)[axis]).collect();
    let count = num::real(num::signed(elements(&extents)));
    let factor = match kind {
        Reduction::Mean => 1.0,
        Reduction::Sum => 1.0 / count,
        _ => return None,
    };
    (near(m, factor) && b == 0.0).then(|| (x, axes.clone()))
}

/// `x` and the axes of `x − mean(x)`.
fn centred(walk: &mut Walk<'_>, id: ValueId) -> Option<(ValueId, Vec<usize>)> {
    let node = walk.uses.producer(walk.graph, id).filter(|node| node.operator == Operator::Sub)?;
    let &[x, middle] = node.inputs.as_slice() else { return None };
    let (own, axes) = mean(walk, middle)?;
    if own != x || !aligned(walk.graph, middle, x, &axes) {
        return None;
    }
    walk.enter(id)?;
    Some((x, axes))
}

/// Whether a value has the extents of `x` with 1 at the axes, so that it stands for one number for each group.
fn aligned(graph: &Graph, value: ValueId, x: ValueId, axes: &[usize]) -> bool {
    let (shape, wide) = (graph.shape(value), graph.shape(x));
    let wanted = wide.iter().enumerate().map(|(axis, &n)| if axes.contains(&axis) { 1 } else { n });
    let lead = wide.len().saturating_sub(shape.len());
    shape.len() <= wide.len() && wanted.eq(std::iter::repeat_n(1, lead).chain(shape.iter().copied()))
}

/// `e / Σ e` with `e = exp(x − max x)` along one axis.
fn softmax(graph: &Graph, uses: &Uses, number: usize) -> Option<(ValueId, usize)> {
    let root = &graph.nodes[number];
    let (Operator::Zip(Pairwise::Div { integer: false }), &[top, bottom]) = (&root.operator, root.inputs.as_slice())
    else {
        return None;
    };
    let mut walk = Walk::new(graph, uses);
    let difference = walk.operand(top, &Operator::Map(Function::Exp))?;
    let node = walk.enter(difference).filter(|node| node.operator == Operator::Sub)?;
    let &[x, largest] = node.inputs.as_slice() else { return None };
    let (summed, axes) = reduction(&mut walk, bottom, Reduction::Sum)?;
    let (of, same) = reduction(&mut walk, largest, Reduction::Max)?;
    let &[axis] = axes.as_slice() else { return None };
    let fits = summed == top && of == x && axes == same && root.clamp.is_none();
    let placed = aligned(graph, bottom, x, &axes) && aligned(graph, largest, x, &axes);
    (fits && placed && uses.closed(graph, &walk.inner, number)).then_some((x, axis))
}

fn reduction(walk: &mut Walk<'_>, id: ValueId, wanted: Reduction) -> Option<(ValueId, Vec<usize>)> {
    let id = walk.unshaped(id);
    let node = walk.enter(id)?;
    match &node.operator {
        Operator::Reduce { kind, axes } if *kind == wanted => Some((*node.inputs.first()?, axes.clone())),
        _ => None,
    }
}

/// `x + (condition ? 0 : −∞)` is `condition ? x : −∞`: a choice needs no numbers as large as the mask.
fn mask(graph: &Graph, uses: &Uses, number: usize) -> Option<Vec<ValueId>> {
    let root = &graph.nodes[number];
    let (Operator::Add, &[a, b]) = (&root.operator, root.inputs.as_slice()) else { return None };
    [(a, b), (b, a)].into_iter().find_map(|(x, mask)| {
        let node = uses.producer(graph, mask).filter(|node| node.operator == Operator::Select)?;
        let &[condition, zero, hidden] = node.inputs.as_slice() else { return None };
        let hides = scalar(graph, zero)? == 0.0 && scalar(graph, hidden)? <= HIDDEN;
        let narrow = graph.shape(zero).len().max(graph.shape(hidden).len()) <= graph.shape(root.output).len();
        (hides && narrow && root.clamp.is_none()).then(|| vec![condition, x, hidden])
    })
}

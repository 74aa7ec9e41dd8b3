//! Activations that exporters write as several nodes: GELU, Swish, HardSwish, Mish.
//!
//! All of them are `A(x) + B(x) · t(P(x))` with polynomials `A`, `B`, `P` and a curve `t`. From each curve the nodes are followed back to
//! `x` and on to the result, while nobody else uses what is between; then the polynomials are compared with the known ones.

use super::uses::{Uses, line, near, scalar};
use crate::graph::{Function, Graph, Node, Operator, ValueId};

/// Coefficients of 1, x, x², x³.
type Polynomial = [f64; 4];

const X: Polynomial = [0.0, 1.0, 0.0, 0.0];

/// Most nodes between a curve and the result.
const DEPTH: usize = 6;

/// Replaces the last node of each activation.
pub(super) fn recognise(graph: &mut Graph) {
    let uses = Uses::new(graph);
    for number in 0..graph.nodes.len() {
        if let Some((root, function, x)) = activation(graph, &uses, &graph.nodes[number]) {
            let node = &mut graph.nodes[root];
            node.operator = Operator::Map(function);
            node.inputs = vec![x];
        }
    }
}

fn activation(graph: &Graph, uses: &Uses, curve: &Node) -> Option<(usize, Function, ValueId)> {
    let is_curve = match curve.operator {
        Operator::Tanh | Operator::Sigmoid | Operator::Map(Function::Erf) => true,
        Operator::Clip { low, high } => low == 0.0 && high.is_finite(),
        _ => false,
    };
    if !is_curve || curve.clamp.is_some() || graph.value(curve.inputs[0]).constant.is_some() {
        return None;
    }
    let softplus = uses.producer(graph, curve.inputs[0]).filter(|node| {
        curve.operator == Operator::Tanh
            && node.operator == Operator::Map(Function::Softplus)
            && uses.only_user(graph, node.output).is_some()
    });
    let start = softplus.map_or(curve.inputs[0], |node| node.inputs[0]);
    let x = origin(graph, uses, start, DEPTH)?;
    let inner = polynomial(graph, uses, start, x, DEPTH)?;
    let known = |sum: &Polynomial, factor: &Polynomial| {
        if softplus.is_some() { mish(&inner, sum, factor) } else { function(&curve.operator, &inner, sum, factor) }
    };
    // Up from the curve, as long as it has one user.
    let (mut value, mut sum, mut factor, mut found) = (curve.output, [0.0; 4], [1.0, 0.0, 0.0, 0.0], None);
    for _ in 0..DEPTH {
        let Some(user) = uses.only_user(graph, value) else { break };
        let Some((s, f)) = applied(graph, uses, &graph.nodes[user], value, x, (&sum, &factor)) else { break };
        (sum, factor, value) = (s, f, graph.nodes[user].output);
        let same = graph.shape(value) == graph.shape(x);
        found = known(&sum, &factor).filter(|_| same).map(|function| (user, function, x)).or(found);
    }
    found
}

/// The first value on the way back that has several users.
fn origin(graph: &Graph, uses: &Uses, id: ValueId, depth: usize) -> Option<ValueId> {
    if graph.value(id).constant.is_some() || depth == 0 {
        return None;
    }
    if uses.only_user(graph, id).is_none() {
        return Some(id);
    }
    // A product with itself has one user, but several operands.
    let node = uses.producer(graph, id)?;
    let arithmetic = line(graph, node).is_some()
        || matches!(node.operator, Operator::Add | Operator::Sub | Operator::Mul | Operator::Map(Function::Power(_)));
    if !arithmetic {
        return None;
    }
    node.inputs.iter().find_map(|&operand| origin(graph, uses, operand, depth - 1))
}

/// A value as a polynomial of `x`, through values that nobody else uses.
fn polynomial(graph: &Graph, uses: &Uses, id: ValueId, x: ValueId, depth: usize) -> Option<Polynomial> {
    if id == x {
        return Some(X);
    }
    if let Some(number) = scalar(graph, id) {
        return Some([number, 0.0, 0.0, 0.0]);
    }
    uses.only_user(graph, id).filter(|_| depth > 0)?;
    let node = uses.producer(graph, id)?;
    let of = |i: usize| polynomial(graph, uses, *node.inputs.get(i)?, x, depth - 1);
    match node.operator {
        Operator::Add => Some(added(&of(0)?, &of(1)?, 1.0)),
        Operator::Sub => Some(added(&of(0)?, &of(1)?, -1.0)),
        Operator::Mul => multiplied(&of(0)?, &of(1)?),
        Operator::Affine => Some(added(&multiplied(&of(0)?, &of(1)?)?, &of(2)?, 1.0)),
        Operator::Map(Function::Power(2.0)) => of(0).and_then(|p| multiplied(&p, &p)),
        Operator::Map(Function::Power(3.0)) => of(0).and_then(|p| multiplied(&multiplied(&p, &p)?, &p)),
        _ => None,
    }
}

fn added(a: &Polynomial, b: &Polynomial, sign: f64) -> Polynomial {
    std::array::from_fn(|i| a[i] + sign * b[i])
}

/// `None` above degree 3.
fn multiplied(a: &Polynomial, b: &Polynomial) -> Option<Polynomial> {
    let mut product = [0.0; 4];
    for (i, a) in a.iter().enumerate() {
        for (j, b) in b.iter().enumerate() {
            let term = a * b;
            match product.get_mut(i + j) {
                Some(place) => *place += term,
                None if term == 0.0 => {}
                None => return None,
            }
        }
    }
    Some(product)
}

/// `(sum + factor · t)` after a node that takes it as `value`.
fn applied(
    graph: &Graph,
    uses: &Uses,
    node: &Node,
    value: ValueId,
    x: ValueId,
    (sum, factor): (&Polynomial, &Polynomial),
) -> Option<(Polynomial, Polynomial)> {
    let number = |i: usize| Some([scalar(graph, *node.inputs.get(i)?)?, 0.0, 0.0, 0.0]);
    if node.clamp.is_some() {
        return None;
    }
    if node.operator == Operator::Affine {
        let (m, b) = (number(1)?, number(2)?);
        return Some((added(&multiplied(sum, &m)?, &b, 1.0), multiplied(factor, &m)?));
    }
    let &[left, right] = node.inputs.as_slice() else { return None };
    let other = match (left == value, right == value) {
        (true, false) => right,
        (false, true) => left,
        _ => return None,
    };
    let other = polynomial(graph, uses, other, x, DEPTH)?;
    match node.operator {
        Operator::Mul => Some((multiplied(sum, &other)?, multiplied(factor, &other)?)),
        Operator::Add => Some((added(sum, &other, 1.0), *factor)),
        Operator::Sub if left == value => Some((added(sum, &other, -1.0), *factor)),
        _ => None,
    }
}

fn is(a: &Polynomial, b: &Polynomial) -> bool {
    a.iter().zip(b).all(|(&a, &b)| if b == 0.0 { a.abs() < 1e-7 } else { near(a, b) })
}

/// The activation `sum + factor · t(inner)`, if it is a known one.
fn function(curve: &Operator, inner: &Polynomial, sum: &Polynomial, factor: &Polynomial) -> Option<Function> {
    /// √(2/π).
    const SCALE: f64 = 0.797_884_560_802_865_4;
    let half = [0.0, 0.5, 0.0, 0.0];
    match curve {
        Operator::Map(Function::Erf) => {
            let matches =
                is(inner, &[0.0, std::f64::consts::FRAC_1_SQRT_2, 0.0, 0.0]) && is(sum, &half) && is(factor, &half);
            matches.then_some(Function::Gelu)
        }
        Operator::Tanh => {
            let matches = is(inner, &[0.0, SCALE, 0.0, SCALE * 0.044715]) && is(sum, &half) && is(factor, &half);
            matches.then_some(Function::GeluTanh)
        }
        Operator::Sigmoid => {
            let matches = is(inner, &[0.0, inner[1], 0.0, 0.0]) && is(sum, &[0.0; 4]) && is(factor, &X);
            matches.then(|| Function::Swish(crate::num::single(inner[1])))
        }
        // x · clip(a x + b, 0, h) · f with a f = 1/6, b f = 1/2, h f = 1.
        Operator::Clip { high, .. } => {
            let scale = 1.0 / f64::from(*high);
            let matches = is(inner, &[0.5 / scale, 1.0 / 6.0 / scale, 0.0, 0.0])
                && is(sum, &[0.0; 4])
                && is(factor, &[0.0, scale, 0.0, 0.0]);
            matches.then_some(Function::HardSwish)
        }
        _ => None,
    }
}

fn mish(inner: &Polynomial, sum: &Polynomial, factor: &Polynomial) -> Option<Function> {
    (is(inner, &X) && is(sum, &[0.0; 4]) && is(factor, &X)).then_some(Function::Mish)
}

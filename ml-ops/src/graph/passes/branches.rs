//! Convolutions of one tensor whose results stand one after another, as one convolution: smaller kernels stand in larger ones among
//! zeros. Nothing has to be put together then.

use super::{Outcome, Sweep};
use crate::graph::{Graph, Node, Operator, ValueId, Window, elements};

/// How much larger than those of the parts the weights of the whole may be.
const MOST: usize = 2;
/// Most weights of a part.
const LARGEST: usize = 1 << 28;

/// A [`Operator::Concat`] of channels, all of which one convolution can compute.
pub(super) fn join(sweep: &mut Sweep<'_>, node: Node) -> Outcome {
    match joined(sweep, &node) {
        Some(joined) => Outcome::Keep(joined),
        None => Outcome::Keep(node),
    }
}

fn joined(sweep: &mut Sweep<'_>, node: &Node) -> Option<Node> {
    if node.operator != (Operator::Concat { axis: 1 }) || node.clamp.is_some() || node.inputs.len() < 2 {
        return None;
    }
    let parts: Vec<Node> = node.inputs.iter().map(|&id| sweep.sole_producer(id).cloned()).collect::<Option<_>>()?;
    let first = parts.first()?;
    let mut windows = Vec::with_capacity(parts.len());
    for part in &parts {
        let Operator::Conv { window, groups: 1 } = &part.operator else { return None };
        if part.inputs[0] != first.inputs[0] || part.clamp != first.clamp {
            return None;
        }
        windows.push(window);
    }
    let window = whole(&windows, sweep.graph.shape(first.inputs[0]), sweep.graph.shape(node.output))?;
    let (mut weights, mut bias, mut apart) = (Vec::new(), Vec::new(), 0);
    for (part, own) in parts.iter().zip(&windows) {
        let w = sweep.graph.value(part.inputs[1]);
        let quantised = w.constant.as_ref().is_some_and(|constant| constant.quantised.is_some());
        let kernels = w.floats().filter(|_| !quantised)?.chunks(elements(&own.kernel).max(1));
        apart += w.elements();
        if kernels.len().checked_mul(elements(&window.kernel))? > LARGEST {
            return None;
        }
        kernels.for_each(|kernel| embed(kernel, own, &window, &mut weights));
        match part.inputs.get(2) {
            Some(&b) => bias.extend_from_slice(sweep.graph.value(b).floats()?),
            None => bias.resize(bias.len() + *w.shape.first()?, 0.0),
        }
    }
    if weights.len() > apart.saturating_mul(MOST) {
        return None;
    }
    let inputs = constants(sweep.graph, first, (weights, bias), &window)?;
    sweep.uses[first.inputs[0].0] += 1;
    Some(Node { operator: Operator::Conv { window, groups: 1 }, inputs, output: node.output, clamp: first.clamp })
}

/// The operands of the whole.
fn constants(
    graph: &mut Graph,
    first: &Node,
    (weights, bias): (Vec<f32>, Vec<f32>),
    window: &Window,
) -> Option<Vec<ValueId>> {
    let w = graph.value(first.inputs[1]);
    let shape = [&[bias.len(), *w.shape.get(1)?], window.kernel.as_slice()].concat();
    let name = w.name.clone();
    let w = graph.add_floats(name.clone(), shape, weights);
    let b = graph.add_floats(name, vec![bias.len()], bias);
    Some(vec![first.inputs[0], w, b])
}

/// The smallest window that all of them are parts of, with the same positions.
fn whole(windows: &[&Window], x: &[usize], y: &[usize]) -> Option<Window> {
    let first = *windows.first()?;
    let mut all = first.clone();
    if windows.iter().any(|window| window.strides != first.strides || window.dilations != first.dilations) {
        return None;
    }
    for (axis, &dilation) in first.dilations.iter().enumerate() {
        let before = windows.iter().filter_map(|window| window.before.get(axis)).copied().max()?;
        let end = |window: &&Window| {
            let lead = before - window.before.get(axis)?;
            lead.is_multiple_of(dilation).then(|| Some(lead / dilation + window.kernel.get(axis)?))?
        };
        let ends: Vec<usize> = windows.iter().map(end).collect::<Option<_>>()?;
        let kernel = ends.into_iter().max()?;
        let (size, positions, stride) = (*x.get(axis + 2)?, *y.get(axis + 2)?, *first.strides.get(axis)?);
        let reach = positions.checked_sub(1)? * stride + (kernel - 1) * dilation + 1;
        let after = reach.saturating_sub(size + before);
        // With larger steps there may be room for one position more.
        if size + before + after >= reach + stride {
            return None;
        }
        (all.kernel[axis], all.before[axis], all.after[axis]) = (kernel, before, after);
    }
    Some(all)
}

/// Appends a kernel of a window as one of the whole window.
fn embed(kernel: &[f32], own: &Window, whole: &Window, out: &mut Vec<f32>) {
    let start = out.len();
    out.resize(start + elements(&whole.kernel), 0.0);
    for (number, &weight) in kernel.iter().enumerate() {
        let (mut rest, mut place, mut step) = (number, 0, 1);
        for axis in (0..own.kernel.len()).rev() {
            let lead = (whole.before[axis] - own.before[axis]) / whole.dilations[axis];
            place += (rest % own.kernel[axis] + lead) * step;
            rest /= own.kernel[axis];
            step *= whole.kernel[axis];
        }
        out[start + place] = weight;
    }
}

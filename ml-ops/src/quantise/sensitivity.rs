//! Which values need 16 bits: measured by what 8 bits do to the output of the float network.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::{Range, Settings, plan};
use crate::{
    float::{self, Values},
    graph::{Encoding, Graph, Node, Operator, ValueId},
    num,
};

/// Multiplications that all measurements may take.
const WORK: u64 = 1 << 36;
/// Most times that all points are measured together.
const ROUNDS: usize = 8;
/// The share of noise that scales of rows may bring, over the one that is asked for.
const DYNAMIC: f64 = 10.0;
/// Samples that are measured.
const SAMPLES: usize = 2;

/// How finely a value is stored, and read by products.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// 8 bits, unless a curve needs more.
    Low,
    /// 16 bits; products read a copy of 8.
    Mixed,
    /// 16 bits; matrix products read 8 bits with a scale of each row.
    Dynamic,
    /// 16 bits.
    High,
}

/// A value whose precision was chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Name in the source file.
    pub name: String,
    /// Noise of 8 bits in the output, as a share of its power.
    pub low: f64,
    /// The same if only products read 8 bits; `None` if nothing else reads the value.
    pub mixed: Option<f64>,
    /// Whether the noise was measured, not estimated from the value's own.
    pub measured: bool,
    /// What was chosen.
    pub level: Level,
}

/// A value that could have 8 bits.
struct Candidate {
    id: ValueId,
    byte: Encoding,
    /// Whether products and others read it.
    both: bool,
    /// Noise of 8 bits in the value itself.
    own: f64,
    /// Multiplications of one measurement.
    work: u64,
}

/// Levels of all values, and why: starting at 8 bits everywhere, the noisiest points are raised until the sum of the
/// noise is at most `share` of the output's power.
pub(super) fn levels(
    graph: &Graph,
    inputs: &[Encoding],
    samples: &[Vec<&[f32]>],
    ranges: &[Range],
    settings: &Settings,
    share: f64,
) -> (Vec<Level>, Vec<Point>) {
    let count = graph.values.len();
    let Some(&output) = graph.outputs.first().filter(|_| !samples.is_empty()) else {
        return (vec![Level::High; count], Vec::new());
    };
    let bases: Vec<Values<'_>> = samples.iter().take(SAMPLES).map(|sample| float::run(graph, sample)).collect();
    let leads = leads_to_products(graph);
    let candidates = candidates(graph, inputs, ranges, settings, &bases, &leads);
    let measured = within_budget(&candidates, num::wide(bases.len()));
    let noise = |candidate: &Candidate| {
        let all = share_of_noise(&bases, candidate, |_| true, output);
        let reads = |node: &Node| reads_factor(node, &leads);
        let mixed = candidate.both.then(|| share_of_noise(&bases, candidate, reads, output));
        (all, mixed)
    };
    let found: Vec<(f64, Option<f64>)> = measured.par_iter().map(|&number| noise(&candidates[number])).collect();
    // How much of a value's own noise reaches the output, as the middle of what was measured.
    let mut passes: Vec<f64> =
        measured.iter().zip(&found).map(|(&number, (all, _))| all / candidates[number].own.max(1e-30)).collect();
    passes.sort_by(f64::total_cmp);
    let passed = passes.get(passes.len() / 2).copied().unwrap_or(1.0);
    let mut points: Vec<Point> = candidates
        .iter()
        .map(|candidate| {
            let low = candidate.own * passed;
            let mixed = candidate.both.then_some(low);
            let name = graph.value(candidate.id).name.clone();
            Point { name, low, mixed, measured: false, level: Level::Low }
        })
        .collect();
    for (&number, &(low, mixed)) in measured.iter().zip(&found) {
        points[number] = Point { low, mixed, measured: true, ..points[number].clone() };
    }
    // Noise of many points need not add up: the rest is raised until all together are quiet enough.
    let mut allowed = share;
    for _ in 0..ROUNDS {
        raise(&mut points, allowed);
        let together = joint_noise(graph, samples, &bases, (&candidates, &points), &leads, output);
        if together <= share || points.iter().all(|point| point.level == Level::High) {
            break;
        }
        allowed *= (0.7 * share / together).max(0.05);
    }
    let mut levels = vec![Level::High; count];
    for (candidate, point) in candidates.iter().zip(&points) {
        levels[candidate.id.0] = point.level;
    }
    for node in &graph.nodes {
        if plan::inherits(&node.operator) && graph.value(node.inputs[0]).constant.is_none() {
            levels[node.output.0] = levels[node.inputs[0].0];
        }
    }
    let normalised = graph.nodes.iter().any(|node| matches!(node.operator, Operator::Normalise { .. }));
    if normalised && row_noise(graph, samples, &bases, &levels, output) <= DYNAMIC * share {
        levels.iter_mut().filter(|level| **level == Level::High).for_each(|level| *level = Level::Dynamic);
        points.iter_mut().filter(|point| point.level == Level::High).for_each(|point| point.level = Level::Dynamic);
    }
    (levels, points)
}

/// Noise in the output when matrix products read what is not stored in 8 bits in units of rows.
fn row_noise(graph: &Graph, samples: &[Vec<&[f32]>], bases: &[Values<'_>], levels: &[Level], output: ValueId) -> f64 {
    let read = |node: &Node, id: ValueId, data: &[f32]| {
        let product = matches!(node.operator, Operator::MatMul | Operator::Dense);
        let right = node.operator == Operator::MatMul && node.inputs.get(1) == Some(&id);
        let row = if right { data.len() } else { graph.shape(id).last().copied().unwrap_or(1) };
        (product && levels[id.0] == Level::High).then(|| data.chunks(row.max(1)).flat_map(rounded_row).collect())
    };
    let pairs = samples.iter().zip(bases);
    share(pairs.map(|(sample, base)| (float::run_altered(graph, sample, read, output), base.get(output).to_vec())))
}

/// Numbers in units of a 127th of the largest.
fn rounded_row(row: &[f32]) -> Vec<f32> {
    let largest = row.iter().fold(0.0, |most: f64, &v| most.max(f64::from(v).abs()));
    let scale = if largest > 0.0 { largest / 127.0 } else { 1.0 };
    row.iter().map(|&v| num::single(num::real(num::round(f64::from(v) / scale)) * scale)).collect()
}

/// Raises the noisiest points until the rest is quiet enough.
fn raise(points: &mut [Point], share: f64) {
    let noise = |point: &Point| match point.level {
        Level::Low => point.low,
        Level::Mixed => point.mixed.unwrap_or(0.0),
        Level::Dynamic | Level::High => 0.0,
    };
    let mut order: Vec<usize> = (0..points.len()).collect();
    while points.iter().map(noise).sum::<f64>() > share {
        order.sort_by(|&a, &b| noise(&points[b]).total_cmp(&noise(&points[a])).then(a.cmp(&b)));
        let Some(worst) = order.first().and_then(|&worst| points.get_mut(worst)) else {
            return;
        };
        worst.level = match (worst.level, worst.mixed) {
            (Level::Low, Some(mixed)) if mixed < worst.low / 2.0 => Level::Mixed,
            (Level::High, _) => return,
            _ => Level::High,
        };
    }
}

/// For each value whether it is read, and by products alone, maybe through other shapes of it.
fn leads_to_products(graph: &Graph) -> Vec<bool> {
    let mut leads: Vec<Option<bool>> = vec![None; graph.values.len()];
    for &id in &graph.outputs {
        leads[id.0] = Some(false);
    }
    for node in graph.nodes.iter().rev() {
        let own = leads[node.output.0] == Some(true);
        let product = plan::is_product(&node.operator) || (node.operator.is_view() && own);
        for &id in &node.inputs {
            leads[id.0] = Some(leads[id.0].unwrap_or(true) && product);
        }
    }
    leads.into_iter().map(|leads| leads == Some(true)).collect()
}

fn candidates(
    graph: &Graph,
    inputs: &[Encoding],
    ranges: &[Range],
    settings: &Settings,
    bases: &[Values<'_>],
    leads: &[bool],
) -> Vec<Candidate> {
    let count = graph.values.len();
    let low = plan::Plan::new(graph, inputs, ranges, settings, &vec![Level::Low; count]).encodings;
    let mut result = Vec::new();
    for (number, node) in graph.nodes.iter().enumerate() {
        let id = node.output;
        let fixed = graph.value(id).encoding.is_some()
            || (plan::inherits(&node.operator) && graph.value(node.inputs[0]).constant.is_none());
        let Some(byte) = low[id.0].filter(|byte| !fixed && byte.dtype.bits() <= 8 && !byte.is_integer()) else {
            continue;
        };
        let reads = |user: &&Node| user.inputs.contains(&id);
        let products = |user: &Node| reads_factor(user, leads);
        let users = || graph.nodes.iter().filter(reads);
        let both = users().any(products) && !users().all(products);
        let own = share(bases.iter().map(|base| {
            let exact = base.get(id).to_vec();
            (rounded(&exact, &byte), exact)
        }));
        let after = graph.nodes.iter().skip(number + 1);
        let work = after.fold(0u64, |sum, node| sum.saturating_add(work_of(graph, node)));
        result.push(Candidate { id, byte, both, own, work });
    }
    result
}

fn work_of(graph: &Graph, node: &Node) -> u64 {
    let operands: Vec<&[usize]> = node.inputs.iter().map(|&id| graph.shape(id)).collect();
    node.operator.work(&operands, graph.shape(node.output))
}

/// The candidates that are measured, those with the most noise of their own first.
fn within_budget(candidates: &[Candidate], samples: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    order.sort_by(|&a, &b| candidates[b].own.total_cmp(&candidates[a].own).then(a.cmp(&b)));
    let mut spent: u64 = 0;
    let fits = |number: &usize| {
        let candidate = &candidates[*number];
        let times = samples.saturating_mul(if candidate.both { 2 } else { 1 });
        spent = spent.saturating_add(candidate.work.saturating_mul(times));
        spent <= WORK
    };
    order.into_iter().take_while(fits).collect()
}

/// Noise in the output when some nodes read a value in 8 bits.
fn share_of_noise(bases: &[Values<'_>], candidate: &Candidate, reads: impl Fn(&Node) -> bool, output: ValueId) -> f64 {
    share(bases.iter().map(|base| {
        let data = rounded(base.get(candidate.id), &candidate.byte);
        (base.replaced((candidate.id, &data), &reads, output), base.get(output).to_vec())
    }))
}

/// Noise in the output with every point at its level.
fn joint_noise(
    graph: &Graph,
    samples: &[Vec<&[f32]>],
    bases: &[Values<'_>],
    (candidates, points): (&[Candidate], &[Point]),
    leads: &[bool],
    output: ValueId,
) -> f64 {
    let chosen: BTreeMap<ValueId, (Encoding, Level)> = candidates
        .iter()
        .zip(points)
        .filter(|(_, point)| point.level != Level::High)
        .map(|(candidate, point)| (candidate.id, (candidate.byte, point.level)))
        .collect();
    let read = |node: &Node, id: ValueId, data: &[f32]| {
        let (byte, level) = chosen.get(&id)?;
        (*level == Level::Low || reads_factor(node, leads)).then(|| rounded(data, byte))
    };
    let pairs = samples.iter().zip(bases);
    share(pairs.map(|(sample, base)| (float::run_altered(graph, sample, read, output), base.get(output).to_vec())))
}

/// Whether a node is a product, or another shape for products alone.
fn reads_factor(node: &Node, leads: &[bool]) -> bool {
    plan::is_product(&node.operator) || (node.operator.is_view() && leads[node.output.0])
}

/// Power of the differences over the power of the second numbers.
fn share(pairs: impl Iterator<Item = (Vec<f32>, Vec<f32>)>) -> f64 {
    let (mut noise, mut power) = (0.0, 0.0);
    for (changed, exact) in pairs {
        for (c, e) in changed.iter().zip(&exact) {
            let difference = f64::from(*c) - f64::from(*e);
            noise += difference * difference;
            power += f64::from(*e) * f64::from(*e);
        }
    }
    if power > 0.0 { noise / power } else { noise }
}

/// The numbers as an encoding stores them.
fn rounded(data: &[f32], encoding: &Encoding) -> Vec<f32> {
    data.iter().map(|&v| num::single(encoding.real(encoding.stored(f64::from(v))))).collect()
}

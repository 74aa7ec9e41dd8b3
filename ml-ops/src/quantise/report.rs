//! What quantisation did to each value.

use opml_vm::{DType, ModelError, Source, Tensor, interpreter::Stop};

use super::{Point, Quantised};
use crate::{
    accuracy::decision,
    engine::Engine,
    float::{self, Values},
    graph::{Encoding, Graph, Node},
    lower::View,
    num,
};

/// One value of the network.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorReport {
    /// Name in the source file.
    pub name: String,
    /// Operator that computes it.
    pub operator: &'static str,
    /// Extents.
    pub shape: Vec<usize>,
    /// Stored type.
    pub dtype: DType,
    /// Size of a unit.
    pub scale: f64,
    /// Stored number that means 0.
    pub zero_point: i64,
    /// Smallest number seen in calibration; +∞ without samples.
    pub low: f64,
    /// Largest number seen in calibration; −∞ without samples.
    pub high: f64,
    /// Root of the mean squared difference from the float network, over samples and elements.
    pub rms_error: f64,
    /// Largest difference.
    pub max_error: f64,
    /// Root of the mean square of the float network's numbers.
    pub rms: f64,
}

impl TensorReport {
    /// Power of the differences as a share of the power of the numbers; 0 where all numbers are 0.
    pub fn noise(&self) -> f64 {
        if self.rms > 0.0 { (self.rms_error / self.rms) * (self.rms_error / self.rms) } else { 0.0 }
    }
}

/// All values, and the output as a whole.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Report {
    /// Values in the order they are computed.
    pub tensors: Vec<TensorReport>,
    /// Samples that were compared.
    pub samples: usize,
    /// Samples whose largest output element (the first of equals) is the float network's.
    pub agreeing: usize,
    /// Multiplications of one inference.
    pub work: u64,
    /// The output.
    pub output: Option<TensorReport>,
    /// What precision was chosen by, if by sensitivity.
    pub points: Vec<Point>,
}

/// Runs the program on samples, as it was before instructions were fused, and compares every value with the float network.
///
/// # Errors
/// The program does not run.
pub(crate) fn compare(
    graph: &Graph,
    inputs: &[Encoding],
    quantised: &Quantised,
    samples: &[Vec<&[f32]>],
) -> Result<Report, ModelError> {
    let mut report =
        Report { samples: samples.len(), work: graph.work(), points: quantised.points.clone(), ..Report::default() };
    let mut errors = vec![Errors::default(); graph.nodes.len()];
    let engine = Engine::compile(&quantised.apart);
    for sample in samples {
        let stored = sample.iter().zip(inputs).map(|(real, encoding)| {
            let stored: Vec<i64> = real.iter().map(|&v| encoding.stored(f64::from(v))).collect();
            Tensor::saturating(encoding.dtype, &stored)
        });
        let run = engine.run(&stored.collect::<Vec<_>>(), Stop::Exactly(1), u64::MAX)?;
        let values = float::run(graph, sample);
        for (node, errors) in graph.nodes.iter().zip(&mut errors) {
            errors.add(node, quantised, &run.values, &values);
        }
        if let Some(&output) = graph.outputs.first() {
            let integers = run.output(&quantised.apart).map(Tensor::values).unwrap_or_default();
            report.agreeing += usize::from(decision(&integers) == decision(values.get(output)));
        }
    }
    for (node, errors) in graph.nodes.iter().zip(&errors) {
        let Some((_, encoding)) = &quantised.places[node.output.0] else {
            continue;
        };
        let value = graph.value(node.output);
        let range = &quantised.ranges[node.output.0];
        let tensor = TensorReport {
            name: value.name.clone(),
            operator: node.operator.name(),
            shape: value.shape.clone(),
            dtype: encoding.dtype,
            scale: encoding.scale,
            zero_point: encoding.zero_point,
            low: range.low,
            high: range.high,
            rms_error: errors.rms(errors.squares),
            max_error: errors.largest,
            rms: errors.rms(errors.power),
        };
        if graph.outputs.first() == Some(&node.output) {
            report.output = Some(tensor.clone());
        }
        report.tensors.push(tensor);
    }
    Ok(report)
}

/// Differences of one value over samples.
#[derive(Debug, Clone, Default)]
struct Errors {
    squares: f64,
    power: f64,
    largest: f64,
    count: usize,
}

impl Errors {
    fn add(&mut self, node: &Node, quantised: &Quantised, run: &[Tensor], values: &Values<'_>) {
        let Some((view, encoding)) = &quantised.places[node.output.0] else {
            return;
        };
        let Some(stored) = stored(view, run) else {
            return;
        };
        let pairs = view.offsets().into_iter().zip(values.get(node.output));
        for (offset, real) in pairs.filter(|(_, real)| real.is_finite()) {
            let integer = stored.get(num::wide(offset)).unwrap_or(0);
            let difference = (encoding.real(integer) - f64::from(*real)).abs();
            self.squares += difference * difference;
            self.power += f64::from(*real) * f64::from(*real);
            self.largest = self.largest.max(difference);
            self.count += 1;
        }
    }

    fn rms(&self, sum: f64) -> f64 {
        libm::sqrt(sum / num::real(num::signed(self.count.max(1))))
    }
}

/// The computed tensor under a view; inputs are not compared.
fn stored<'a>(view: &View, run: &'a [Tensor]) -> Option<&'a Tensor> {
    match view.stored.source {
        Source::Value(n) => run.get(usize::try_from(n).ok()?),
        _ => None,
    }
}

//! Post-training quantisation: integer encodings for all values, and the program over them.
//!
//! Weights: i8 in [−127, 127] with a scale for each output channel, or i16. Activations, by what reads them:
//!
//! | read by | stored as |
//! |---|---|
//! | products, sums | u8 with a zero point, i8 for products of two values; i16 where [`Precision`] says so, and then maybe a copy of 8 bits for products |
//! | matrix products, with [`Precision::Dynamic`] | i16, and a copy of i8 in units of the largest number of each row, which the program computes |
//! | curves, norms, softmax | i16, symmetric |
//! | logarithms, roots, divisors | i64 fixed point of 38 bits: small numbers count as much as large ones |
//! | people, comparisons alone | i32 fixed point |
//!
//! Encodings that a file states are taken as they are; integers (scale 1, zero point 0) are computed exactly, and
//! saturate. A zero point is folded into the bias, and padding reads the zero point, so borders are exact. Infinite
//! numbers saturate; what only a softmax reads is cut 24 below the largest of its group. A division by 0 gives 0.
//!
//! Rounding: factors become 31-bit integers over a power of two (round half even); the machine rounds
//! results half up. Against `QuantizeLinear`, which divides in f32 and rounds half to even, a result may differ by one
//! unit where the exact value is a tie or within 2^−24 of one.

mod constants;
mod emit;
mod floor;
mod multiplier;
mod plan;
mod range;
mod report;
mod saturation;
mod sensitivity;

use opml_vm::Program;

use emit::Emitted;

use crate::{
    error::ImportError,
    float,
    graph::{Encoding, Graph},
    lower::View,
};

pub use range::{Range, RangeRule};
pub(crate) use report::compare;
pub use report::{Report, TensorReport};
pub use sensitivity::{Level, Point};

/// A quantised program and where the values of the graph are in it.
#[derive(Debug, Clone)]
pub struct Quantised {
    /// The program.
    pub program: Program,
    /// The same before instructions were fused: it has all values of the graph, with the same numbers.
    pub apart: Program,
    /// Encoding of the output.
    pub output: Encoding,
    /// For each computed value of the graph: where it lies in `apart` and how it is encoded.
    pub places: Vec<Option<(View, Encoding)>>,
    /// What calibration saw of each value.
    pub ranges: Vec<Range>,
    /// What precision was chosen by, if it was chosen by sensitivity.
    pub points: Vec<Point>,
}

/// How finely activations are stored where nothing else demands it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Precision {
    /// 8 bits for operands of products and sums, 16 for arguments of curves.
    #[default]
    Bits8,
    /// 16 bits.
    Bits16,
    /// 16 bits; matrix products read 8, with scales that the program computes row by row.
    Dynamic,
    /// 8 bits where the output shows it least, as long as the noise that they bring to the output stays below this share
    /// of its power; else 16. In models with layer norms products read these values as with [`Precision::Dynamic`], if that noise
    /// stays below ten times the share.
    Auto(f64),
}

/// How finely weights are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WeightBits {
    /// 8 bits, [−127, 127].
    #[default]
    Bits8,
    /// 16 bits, [−32767, 32767].
    Bits16,
}

/// How encodings are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Settings {
    /// Ranges of 8-bit activations.
    pub range: RangeRule,
    /// Activations.
    pub precision: Precision,
    /// Weights.
    pub weights: WeightBits,
}

/// Quantises a simplified graph with one output.
///
/// `samples` are calibration inputs, one list of real numbers for each input of the graph.
///
/// # Errors
/// Calibration is needed but missing or not finite, or an operator does not fit the machine.
pub fn quantise(
    graph: &Graph,
    inputs: &[Encoding],
    samples: &[Vec<&[f32]>],
    settings: &Settings,
) -> Result<Quantised, ImportError> {
    let ranges = calibrate(graph, samples, settings.range)?;
    let (levels, points) = match settings.precision {
        Precision::Auto(share) => sensitivity::levels(graph, inputs, samples, &ranges, settings, share),
        precision => (plan::uniform(graph, precision), Vec::new()),
    };
    let quantised = with_ranges(graph, inputs, ranges, settings, &levels)?;
    Ok(Quantised { points, ..quantised })
}

/// Quantises with known ranges and precisions.
fn with_ranges(
    graph: &Graph,
    inputs: &[Encoding],
    ranges: Vec<Range>,
    settings: &Settings,
    levels: &[Level],
) -> Result<Quantised, ImportError> {
    let plan = plan::Plan::new(graph, inputs, &ranges, settings, levels);
    let emitted = emit::emit(graph, inputs, &plan, &ranges, settings)?;
    let Emitted { program, apart, output, places } = emitted;
    Ok(Quantised { program, apart, output, places, ranges, points: Vec::new() })
}

/// Ranges of all values; two evaluations of every sample.
fn calibrate(graph: &Graph, samples: &[Vec<&[f32]>], rule: RangeRule) -> Result<Vec<Range>, ImportError> {
    let mut ranges = vec![Range::default(); graph.values.len()];
    let computed = || graph.inputs.iter().copied().chain(graph.nodes.iter().map(|node| node.output));
    let mut floors = floor::Floors::new(graph);
    for sample in samples {
        let values = float::run(graph, sample);
        for id in computed() {
            ranges[id.0].widen(values.get(id));
        }
        floors.see(graph, &values);
    }
    let limits = saturation::limits(graph);
    for id in computed() {
        ranges[id.0].raise(floors.of(id));
        if ranges[id.0].is_finite() {
            ranges[id.0].narrow(limits[id.0]);
        }
    }
    let unknown =
        graph.nodes.iter().find(|node| plan::is_calibrated(graph, node) && !ranges[node.output.0].is_finite());
    if let Some(node) = unknown {
        let name = &graph.value(node.output).name;
        let why =
            if samples.is_empty() { "samples are needed, because the file states no scale" } else { "no finite range" };
        return Err(ImportError::Calibration(format!("value \"{name}\": {why}")));
    }
    if rule == RangeRule::LeastSquares {
        for sample in samples {
            let values = float::run(graph, sample);
            for id in computed().filter(|&id| graph.value(id).encoding.is_none()) {
                ranges[id.0].count(values.get(id));
            }
        }
    }
    Ok(ranges)
}

#[cfg(test)]
mod tests;

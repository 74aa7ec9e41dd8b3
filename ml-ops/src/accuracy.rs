//! How often a network decides as its labels say: in floats, and as integers on the engine.

use opml_vm::{DType, ModelError, Program, Tensor, interpreter::Stop};
use rayon::prelude::*;

use crate::{engine::Engine, float, graph::Graph};

/// Decisions over a labelled set. A decision is the first of the largest outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Accuracy {
    /// Samples decided as labelled.
    pub correct: usize,
    /// Samples.
    pub total: usize,
}

impl Accuracy {
    /// Share of correct samples in percent; 0 of none.
    pub fn percent(&self) -> f64 {
        let real = |n: usize| crate::num::real(i64::try_from(n).unwrap_or(i64::MAX));
        if self.total == 0 { 0.0 } else { 100.0 * real(self.correct) / real(self.total) }
    }
}

/// Number of the first largest element; 0 for none.
pub fn decision<T: PartialOrd>(values: &[T]) -> usize {
    let mut best = 0;
    for (number, value) in values.iter().enumerate() {
        if values.get(best).is_some_and(|leader| value > leader) {
            best = number;
        }
    }
    best
}

/// The decision in a tensor.
pub fn decision_of(tensor: &Tensor) -> usize {
    decision(&tensor.values())
}

/// Decisions of a program with one input on stored samples.
///
/// # Errors
/// A sample does not fit the input, or the run exceeds `budget`.
pub fn decisions(program: &Program, samples: &[&[i64]], max_t: u64, budget: u64) -> Result<Vec<usize>, ModelError> {
    let engine = Engine::compile(program);
    let dtype = program.inputs().first().map_or(DType::U8, |input| input.dtype);
    let decide = |sample: &&[i64]| {
        let inputs = [Tensor::saturating(dtype, sample)];
        let run = engine.run(&inputs, Stop::Halt { max: max_t }, budget)?;
        Ok(run.output(program).map_or(0, decision_of))
    };
    samples.par_iter().map(decide).collect()
}

/// Decisions of the float network with one input on real samples.
pub fn float_decisions(graph: &Graph, samples: &[Vec<f32>]) -> Vec<usize> {
    let decide = |sample: &Vec<f32>| {
        let values = float::run(graph, &[sample]);
        graph.outputs.first().map_or(0, |&output| decision(values.get(output)))
    };
    samples.par_iter().map(decide).collect()
}

/// Counts decisions that equal their labels.
pub fn score(decisions: &[usize], labels: &[usize]) -> Accuracy {
    let correct = decisions.iter().zip(labels).filter(|(decision, label)| decision == label).count();
    Accuracy { correct, total: decisions.len().min(labels.len()) }
}

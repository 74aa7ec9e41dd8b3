//! A model with the input it runs on.

use std::path::Path;

use opml_ops::{
    commit::Hasher,
    engine::{Engine, Output},
};
use opml_vm::{
    InputHeader, ModelError, Program, Tensor, Trace,
    bounds::{Bounds, Budget},
    interpreter::{self, Run, Stop},
};

use crate::{arguments, error::ProverError, files, input};

/// A model, its inputs, and how long it may run.
#[derive(Debug, Clone)]
pub struct Task {
    /// The model.
    pub program: Program,
    /// Its inputs.
    pub inputs: Vec<Tensor>,
    /// Most iterations.
    pub max_t: u64,
    /// Most elements of a run.
    pub budget: u64,
}

impl Task {
    /// Reads the model and the inputs.
    ///
    /// # Errors
    /// A file is refused, or their number is not that of the model's inputs.
    pub fn read(arguments: &arguments::Task) -> Result<Self, ProverError> {
        let read = |header, path: &Path| input::read(path, header, arguments.index);
        Self::with(arguments, |program| inputs(program, arguments, read))
    }

    /// Reads the model and all samples of the inputs; the task is that of the first.
    ///
    /// # Errors
    /// As [`Task::read`], or the inputs have different numbers of samples.
    pub fn read_all(arguments: &arguments::Task) -> Result<(Self, Vec<Vec<Tensor>>), ProverError> {
        let read = |header, path: &Path| input::read_all(path, header);
        let mut columns = Vec::new();
        let task = Self::with(arguments, |program| {
            columns = inputs(program, arguments, read)?;
            Ok(columns.iter().filter_map(|column| column.first().cloned()).collect())
        })?;
        let samples = columns.first().map_or(1, Vec::len);
        if let Some((column, path)) = columns.iter().zip(&arguments.inputs).find(|(column, _)| column.len() != samples)
        {
            let why = format!("{} samples, but the first input has {samples}", column.len());
            return Err(ProverError::Input { path: path.clone(), why });
        }
        let row = |number: usize| columns.iter().filter_map(|column| column.get(number).cloned()).collect();
        Ok((task, (0..samples).map(row).collect()))
    }

    fn with(
        arguments: &arguments::Task,
        inputs: impl FnOnce(&Program) -> Result<Vec<Tensor>, ProverError>,
    ) -> Result<Self, ProverError> {
        let program = files::read_model(&arguments.model)?;
        let refused = |error| ProverError::Model {
            path: arguments.model.clone(),
            error,
            hint: "--max-t sets the most iterations",
        };
        interpreter::check_length(&program, arguments.max_t).map_err(refused)?;
        let limits = Budget { elements: u64::MAX, operations: arguments.max_operations, trace_bytes: u64::MAX };
        let checked = Bounds::new(&program, arguments.max_t).check(&limits);
        checked.map_err(|error| ProverError::Operations { path: arguments.model.clone(), error })?;
        let (expected, given) = (program.inputs().len(), arguments.inputs.len());
        if given != expected {
            return Err(ProverError::InputCount { path: arguments.model.clone(), expected, given });
        }
        let inputs = inputs(&program)?;
        program.check_inputs(&inputs)?;
        Ok(Self { program, inputs, max_t: arguments.max_t, budget: arguments.budget })
    }

    /// Runs the model on the engine.
    ///
    /// # Errors
    /// The run is larger than the budget.
    pub fn run(&self) -> Result<Run, ProverError> {
        Engine::compile(&self.program).run(&self.inputs, Stop::Halt { max: self.max_t }, self.budget).map_err(too_large)
    }

    /// The outputs and iterations of runs on all samples, each within the budget.
    ///
    /// # Errors
    /// A run is larger than the budget, or has no output.
    pub fn run_all(&self, samples: &[Vec<Tensor>]) -> Result<Vec<Output>, ProverError> {
        let engine = Engine::compile(&self.program);
        let stop = Stop::Halt { max: self.max_t };
        let outputs = engine.run_outputs(samples, stop, self.budget).map_err(too_large)?;
        if outputs.len() < samples.len() {
            return Err(ProverError::Stuck("a run has no output".to_owned()));
        }
        Ok(outputs)
    }

    /// Runs the model on the reference interpreter.
    ///
    /// # Errors
    /// The run is larger than the budget.
    pub fn run_reference(&self) -> Result<Run, ProverError> {
        interpreter::run(&self.program, &self.inputs, Stop::Halt { max: self.max_t }, self.budget).map_err(too_large)
    }

    /// Runs the model and commits to the trace.
    ///
    /// # Errors
    /// The run is larger than the budget.
    pub fn trace(&self) -> Result<Trace, ProverError> {
        let (engine, stop) = (Engine::compile(&self.program), Stop::Halt { max: self.max_t });
        Hasher::current().run(&engine, &self.inputs, stop, self.budget).map_err(too_large)
    }
}

/// What `read` makes of each input's file.
fn inputs<T>(
    program: &Program,
    arguments: &arguments::Task,
    read: impl Fn(InputHeader, &Path) -> Result<T, ProverError>,
) -> Result<Vec<T>, ProverError> {
    program.inputs().iter().zip(&arguments.inputs).map(|(&header, path)| read(header, path)).collect()
}

fn too_large(error: ModelError) -> ProverError {
    match error {
        ModelError::TooLarge { .. } => ProverError::Budget(error),
        other => other.into(),
    }
}

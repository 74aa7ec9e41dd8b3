//! A model with the input it runs on.

use opml_ops::{commit::Hasher, engine::Engine};
use opml_vm::{
    ModelError, Program, Tensor, Trace,
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
        let inputs = program
            .inputs()
            .iter()
            .zip(&arguments.inputs)
            .map(|(&header, path)| input::read(path, header, arguments.index))
            .collect::<Result<Vec<_>, _>>()?;
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
        Ok(Hasher::current().trace(&self.program, self.run()?))
    }
}

fn too_large(error: ModelError) -> ProverError {
    match error {
        ModelError::TooLarge { .. } => ProverError::Budget(error),
        other => other.into(),
    }
}

//! A model with the input it runs on.

use opml_ops::engine::Engine;
use opml_vm::{
    ModelError, Program, Tensor, Trace,
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
        let refused = |error| ProverError::Model {
            path: arguments.model.clone(),
            error,
            hint: "--max-t sets the most iterations",
        };
        program.check_inputs(&inputs)?;
        interpreter::check_length(&program, arguments.max_t).map_err(refused)?;
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
        Ok(Trace::new(&self.program, self.run()?))
    }
}

fn too_large(error: ModelError) -> ProverError {
    match error {
        ModelError::TooLarge { .. } => ProverError::Budget(error),
        other => other.into(),
    }
}

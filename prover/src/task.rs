//! A model with the input it runs on.

use opml_vm::{
    Program, Tensor, Trace,
    interpreter::{self, Run, Stop},
};

use crate::error::ProverError;

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
    /// Runs the model on the engine.
    ///
    /// # Errors
    /// The run is larger than the budget.
    pub fn run(&self) -> Result<Run, ProverError> {
        self.run_reference()
    }

    /// Runs the model on the reference interpreter.
    ///
    /// # Errors
    /// The run is larger than the budget.
    pub fn run_reference(&self) -> Result<Run, ProverError> {
        Ok(interpreter::run(&self.program, &self.inputs, Stop::Halt { max: self.max_t }, self.budget)?)
    }

    /// Runs the model and commits to the trace.
    ///
    /// # Errors
    /// The run is larger than the budget.
    pub fn trace(&self) -> Result<Trace, ProverError> {
        Ok(Trace::new(&self.program, self.run()?))
    }
}

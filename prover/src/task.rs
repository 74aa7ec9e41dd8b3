//! A model with the input it runs on.

use opml_ops::engine::Engine;
use opml_vm::{
    Program, Tensor, Trace,
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
        let inputs = program
            .inputs()
            .iter()
            .zip(&arguments.inputs)
            .map(|(&header, path)| input::read(path, header, arguments.index))
            .collect::<Result<Vec<_>, _>>()?;
        if arguments.inputs.len() > inputs.len() {
            return Err(ProverError::Input {
                path: arguments.inputs.get(inputs.len()).cloned().unwrap_or_default(),
                why: format!("the model has only {} inputs", inputs.len()),
            });
        }
        program.check_inputs(&inputs)?;
        interpreter::check_length(&program, arguments.max_t)?;
        Ok(Self { program, inputs, max_t: arguments.max_t, budget: arguments.budget })
    }

    /// Runs the model on the engine.
    ///
    /// # Errors
    /// The run is larger than the budget.
    pub fn run(&self) -> Result<Run, ProverError> {
        Ok(Engine::compile(&self.program).run(&self.inputs, Stop::Halt { max: self.max_t }, self.budget)?)
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

//! A model with the input it runs on.

use std::path::Path;

use opml_ops::{
    commit::Hasher,
    engine::{Engine, Output},
    language::generate::{self, Layout},
};
use opml_vm::{
    InputHeader, ModelError, Program, Tensor, Trace,
    bounds::{Bounds, Budget},
    interpreter::{self, Run, Stop},
};

use crate::{
    arguments,
    error::ProverError,
    input,
    model::{Guard, Model},
    runs::Runner,
    text,
};

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
    /// Of the model's file, if it is open.
    pub guard: Guard,
}

impl Task {
    /// Reads the model and the inputs, to commit to what is run.
    ///
    /// # Errors
    /// A file is refused, or their number is not that of the model's inputs.
    pub fn read(arguments: &arguments::Task) -> Result<Self, ProverError> {
        Self::one(arguments, Model::open_hashed(&arguments.model)?)
    }

    /// The same to run the model only: its weights are not hashed.
    ///
    /// # Errors
    /// As [`Task::read`].
    pub fn read_to_run(arguments: &arguments::Task) -> Result<Self, ProverError> {
        Self::one(arguments, Model::open(&arguments.model)?)
    }

    fn one(arguments: &arguments::Task, model: Model) -> Result<Self, ProverError> {
        let read = |header, path: &Path| input::read(path, header, arguments.index);
        Self::with(arguments, model, |program| inputs(program, arguments, read))
    }

    /// Reads the model and all samples of the inputs; the task is that of the first.
    ///
    /// # Errors
    /// As [`Task::read`], or the inputs have different numbers of samples.
    pub fn read_all(arguments: &arguments::Task) -> Result<(Self, Vec<Vec<Tensor>>), ProverError> {
        if arguments.prompt.is_some() {
            let task = Self::read_to_run(arguments)?;
            let samples = vec![task.inputs.clone()];
            return Ok((task, samples));
        }
        let read = |header, path: &Path| input::read_all(path, header);
        let mut columns = Vec::new();
        let task = Self::with(arguments, Model::open(&arguments.model)?, |program| {
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
        model: Model,
        inputs: impl FnOnce(&Program) -> Result<Vec<Tensor>, ProverError>,
    ) -> Result<Self, ProverError> {
        let Model { program, guard, .. } = model;
        if let Some(text) = &arguments.prompt {
            return Self::of_text(arguments, program, guard, text);
        }
        let refused = |error| ProverError::Model {
            path: arguments.model.clone(),
            error,
            hint: "--max-t sets the most iterations",
        };
        interpreter::check_length(&program, arguments.max_t).map_err(refused)?;
        check_operations(arguments, &program, arguments.max_t)?;
        let (expected, given) = (program.inputs().len(), arguments.inputs.len());
        if given != expected {
            return Err(ProverError::InputCount { path: arguments.model.clone(), expected, given });
        }
        let inputs = inputs(&program)?;
        program.check_inputs(&inputs)?;
        guard.check()?;
        Ok(Self { program, inputs, max_t: arguments.max_t, budget: arguments.budget, guard })
    }

    /// The task to go on with a text.
    fn of_text(arguments: &arguments::Task, program: Program, guard: Guard, prompt: &str) -> Result<Self, ProverError> {
        let path = &arguments.model;
        let refused = |path: &Path, why: String| ProverError::Input { path: path.to_path_buf(), why };
        let layout = Layout::of(&program)
            .ok_or_else(|| refused(path, "not a program that generates text; name its inputs with -i".to_owned()))?;
        let sampling = arguments.sampling(&program, &layout).map_err(|why| refused(path, why))?;
        let Some(from) = &arguments.tokenizer else {
            return Err(refused(path, "--tokenizer names the file that reads the prompt".to_owned()));
        };
        let tokenizer = text::tokenizer(from).map_err(|error| refused(from, format!("{error:#}")))?;
        let tokens = tokenizer.encode(prompt, true);
        let inputs = generate::inputs(&layout, &tokens, sampling).map_err(|error| refused(path, error.to_string()))?;
        let max_t = layout.longest(tokens.len(), arguments.tokens);
        check_operations(arguments, &program, max_t)?;
        Ok(Self { program, inputs, max_t, budget: arguments.budget, guard })
    }

    /// What players run.
    #[must_use]
    pub fn runner<'r>(&'r self, engine: &'r Engine, memory: u64) -> Runner<'r> {
        Runner { engine, inputs: &self.inputs, max_t: self.max_t, budget: self.budget, memory }
    }

    /// Runs the model on the engine.
    ///
    /// # Errors
    /// The run is larger than the budget.
    pub fn run(&self) -> Result<Run, ProverError> {
        let run = Engine::compile(&self.program).run(&self.inputs, Stop::Halt { max: self.max_t }, self.budget);
        self.guard.check()?;
        run.map_err(too_large)
    }

    /// The outputs and iterations of runs on all samples, each within the budget.
    ///
    /// # Errors
    /// A run is larger than the budget, or has no output.
    pub fn run_all(&self, samples: &[Vec<Tensor>]) -> Result<Vec<Output>, ProverError> {
        let engine = Engine::compile(&self.program);
        let stop = Stop::Halt { max: self.max_t };
        let outputs = engine.run_outputs(samples, stop, self.budget).map_err(too_large)?;
        self.guard.check()?;
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
        let trace = Hasher::current().run(&engine, &self.inputs, stop, self.budget);
        self.guard.check()?;
        trace.map_err(too_large)
    }
}

/// Refuses a model that may need more operations than allowed.
fn check_operations(arguments: &arguments::Task, program: &Program, max_t: u64) -> Result<(), ProverError> {
    let limits = Budget { elements: u64::MAX, operations: arguments.max_operations, trace_bytes: u64::MAX };
    let checked = Bounds::new(program, max_t).check(&limits);
    checked.map_err(|error| ProverError::Operations { path: arguments.model.clone(), error })
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

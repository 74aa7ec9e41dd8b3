//! `opml commit`.

use anyhow::{Context as _, Result};
use opml_ops::commit::Hasher;
use serde::Serialize;

use crate::{arguments, hex, output::Output, task::Task, units};

use super::{AGREE, run::RunResult};

/// The roots of a run.
#[derive(Debug, Serialize)]
struct Commitment {
    model_root: String,
    input_root: String,
    trace_root: String,
    trace_leaves: u64,
    #[serde(flatten)]
    run: Option<RunResult>,
}

impl Commitment {
    fn text(&self) -> String {
        format!(
            "model root   {}\ninput root   {}\ntrace root   {} over {}\noutput root  {}",
            self.model_root,
            self.input_root,
            self.trace_root,
            units::count(self.trace_leaves, "value"),
            self.run.as_ref().map_or("none", |run| run.output_root())
        )
    }
}

pub(super) fn run(arguments: &arguments::Commit, output: Output) -> Result<u8> {
    let task = Task::read(&arguments.task)?;
    let hasher = Hasher::current();
    let trace = task.trace().with_context(|| arguments.task.place())?;
    let commitment = Commitment {
        model_root: hex::of(&hasher.model_roots(&task.program).model),
        input_root: hex::of(&hasher.input_root(&task.inputs)),
        trace_root: hex::of(&trace.root()),
        trace_leaves: trace.leaves(),
        run: trace.run().output(&task.program).map(|tensor| RunResult::new(trace.length(), tensor)),
    };
    output.result(&commitment, Commitment::text)?;
    Ok(AGREE)
}

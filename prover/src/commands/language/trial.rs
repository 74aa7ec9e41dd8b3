//! `opml trial`: a dispute over a generated text.

use std::{path::Path, sync::Arc};

use anyhow::{Context, Result};
use opml_ops::{engine::Engine, language::generate};

use super::speak;
use crate::{
    arguments,
    commands::{AGREE, FAULT},
    dispute::Setup,
    model::Model,
    output::Output,
    report,
    task::Task,
    text,
    trial::{self, Trial},
    units,
};

/// Elements of all values of a run: a trial computes what it must.
const BUDGET: u64 = u64::MAX;

pub(in crate::commands) fn trial(arguments: &arguments::Trial, output: Output) -> Result<u8> {
    let speaker = &arguments.speaker;
    let place = |path: &Path| path.display().to_string();
    let Model { program, guard, .. } = Model::open_hashed(&speaker.model)?;
    let (layout, sampling) = speak::layout(speaker, &program)?;
    let tokenizer = text::tokenizer(&speaker.tokenizer)?;
    let prompt = tokenizer.encode(&arguments.prompt, true);
    let inputs = generate::inputs(&layout, &prompt, sampling)?;
    let length = u64::try_from(prompt.len()).unwrap_or(u64::MAX);
    let max_t = layout.longest(prompt.len(), speaker.tokens);
    let engine = Engine::from_arc(Arc::new(program.clone()));
    let task = Task { program, inputs, max_t, budget: BUDGET, guard };
    let setup = Setup {
        arity: arguments.arity,
        seed: arguments.seed_of_fault,
        fault: None,
        max_terms: arguments.max_terms,
        step_gas: arguments.step_gas,
        posted: false,
    };
    let played =
        trial::play(&engine, &task, &setup, (arguments.fault.0, length)).with_context(|| place(&speaker.model))?;
    task.guard.check()?;
    let right = if played.dispute.fault.is_some() { "challenger" } else { "submitter" };
    let code = if played.dispute.winner == right { AGREE } else { FAULT };
    output.result(&played, words)?;
    Ok(code)
}

fn words(played: &Trial) -> String {
    format!(
        "{}\n\n{}\n\n{}\n\nA trace of {} values: {} iterations, {} new tokens.\n\
         {:.1} s for the honest run with its commitment, {:.1} s for the submitter's, {:.1} s for the game.\n\
         Each player holds {} beside the model.",
        report::fault(&played.dispute),
        report::walk(&played.dispute.transactions),
        report::verdict(&played.dispute),
        units::grouped(played.values),
        played.iterations,
        played.tokens,
        played.honest_seconds,
        played.submitted_seconds,
        played.game_seconds,
        played.memory
    )
}

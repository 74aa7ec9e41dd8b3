//! `opml trial`: a dispute over a generated text.

use std::{path::Path, sync::Arc};

use anyhow::{Context, Result};
use opml_ops::{
    engine::Engine,
    language::generate::{self, Layout},
};
use opml_vm::model_file;

use super::speak;
use crate::{
    arguments,
    commands::{AGREE, FAULT},
    dispute::Setup,
    files,
    output::Output,
    report,
    task::Task,
    trial::{self, Trial},
    units,
};

/// Elements of all values of a run: a trial computes what it must.
const BUDGET: u64 = u64::MAX;

pub(in crate::commands) fn trial(arguments: &arguments::Trial, output: Output) -> Result<u8> {
    let speaker = &arguments.speaker;
    let place = |path: &Path| path.display().to_string();
    let program = model_file::read(&files::read(&speaker.model)?).with_context(|| place(&speaker.model))?;
    let (layout, sampling) = speak::layout(speaker, &program)?;
    let tokenizer = super::tokenizer(&speaker.tokenizer)?;
    let prompt = tokenizer.encode(&arguments.prompt, true);
    let inputs = generate::inputs(&layout, &prompt, sampling)?;
    let length = u64::try_from(prompt.len()).unwrap_or(u64::MAX);
    let max_t = longest(&layout, length, speaker.tokens);
    let engine = Engine::from_arc(Arc::new(program.clone()));
    let task = Task { program, inputs, max_t, budget: BUDGET };
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
    let right = if played.dispute.fault.is_some() { "challenger" } else { "submitter" };
    let code = if played.dispute.winner == right { AGREE } else { FAULT };
    output.result(&played, text)?;
    Ok(code)
}

/// Iterations that find so many new tokens.
fn longest(layout: &Layout, prompt: u64, tokens: u64) -> u64 {
    let context = u64::try_from(layout.context).unwrap_or(u64::MAX);
    prompt.saturating_add(tokens).saturating_sub(1).clamp(1, context)
}

fn text(played: &Trial) -> String {
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

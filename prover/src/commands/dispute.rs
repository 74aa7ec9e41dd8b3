//! `opml dispute`.

use anyhow::{Context as _, Result};

use crate::{
    arguments,
    dispute::{self, Report, Setup},
    output::Output,
    report,
    task::Task,
};

use super::{AGREE, FAULT};

pub(super) fn run(arguments: &arguments::Dispute, output: Output) -> Result<u8> {
    let task = Task::read(&arguments.task)?;
    let setup = Setup {
        arity: arguments.arity,
        seed: arguments.seed,
        fault: arguments.fault.0,
        max_terms: arguments.max_terms,
        step_gas: arguments.step_gas,
        posted: arguments.posted,
    };
    let report = dispute::play_within(&task, &setup, arguments.trace_memory.saturating_mul(1 << 20))
        .with_context(|| arguments.task.place())?;
    // The honest side must have won: the challenger of a lie, the submitter of the truth.
    let right = if report.fault.is_some() { "challenger" } else { "submitter" };
    let code = if report.winner == right { AGREE } else { FAULT };
    output.result(&report, text)?;
    Ok(code)
}

fn text(report: &Report) -> String {
    format!(
        "{}\n\n{}\n\n{}\nPlayed in {:.2} s.",
        report::fault(report),
        report::walk(&report.transactions),
        report::verdict(report),
        report.seconds
    )
}

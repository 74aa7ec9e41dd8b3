//! `opml dispute`.

use anyhow::Result;

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
    let fault = match arguments.fault.as_str() {
        "none" => None,
        text => Some(text.parse()?),
    };
    let setup = Setup {
        arity: arguments.arity,
        seed: arguments.seed,
        fault,
        max_terms: arguments.max_terms,
        posted: arguments.posted,
    };
    let report = dispute::play(&task, &setup)?;
    // The honest side must have won: the challenger of a lie, the submitter of the truth.
    let right = if report.fault.is_some() { "challenger" } else { "submitter" };
    let code = if report.winner == right { AGREE } else { FAULT };
    output.result(&report, text)?;
    Ok(code)
}

fn text(report: &Report) -> String {
    format!("{}\n{}\n{}", report::fault(report), report::walk(&report.transactions), report::summary(report))
}

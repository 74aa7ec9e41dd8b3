//! `opml figures`: what disputes cost, as the README shows it.

use anyhow::Result;
use serde::Serialize;

use crate::{
    arguments,
    dispute::{self, Report, Setup},
    fixtures::{Fixture, LENET, MLP},
    output::Output,
    units,
};

use super::{AGREE, demo};

/// One row of the table.
#[derive(Debug, Serialize)]
struct Row {
    model: &'static str,
    case: &'static str,
    #[serde(flatten)]
    report: Report,
}

/// The disputes of the table: model, lie, arity, whether the root is posted.
const CASES: [(&str, Fixture, &str, u64, bool); 8] = [
    ("one term of 784 wrong", MLP, "from:0:7", 16, false),
    ("one term of 784 wrong", MLP, "from:0:7", 2, false),
    ("one term of 784 wrong", MLP, "from:0:7", 64, false),
    ("one term of 56 wrong", MLP, "at:1:3", 16, false),
    ("one term of 784 wrong, root posted", MLP, "from:0:7", 16, true),
    ("first convolution", LENET, "from:0:1000", 16, false),
    ("second convolution", LENET, "from:2:500", 16, false),
    ("second convolution, root posted", LENET, "from:2:500", 16, true),
];

pub(super) fn run(_: &arguments::Figures, output: Output) -> Result<u8> {
    let mut rows = Vec::new();
    for (case, fixture, fault, arity, posted) in CASES {
        let task = demo::task(&fixture, 0)?;
        let setup =
            Setup { arity, seed: 1, fault: Some(fault.parse()?), max_terms: 64, step_gas: dispute::STEP_GAS, posted };
        rows.push(Row { model: fixture.name, case, report: dispute::play(&task, &setup)? });
    }
    output.result(&Figures { rows }, |figures| markdown(&figures.rows))?;
    Ok(AGREE)
}

#[derive(Serialize)]
struct Figures {
    rows: Vec<Row>,
}

/// The table in Markdown; without times, so that it is the same on every machine.
fn markdown(rows: &[Row]) -> String {
    let mut out = String::from(
        "| model | lie | arity | moves | gas, both sides | gas, last step | calldata, bytes |\n\
         |---|---|--:|--:|--:|--:|--:|\n",
    );
    for Row { model, case, report } in rows {
        out.push_str(&format!(
            "| {model} | {case} | {} | {} | {} | {} | {} |\n",
            report.arity,
            report.moves,
            units::grouped(report.gas_total),
            units::grouped(report.gas_last_step),
            units::grouped_length(report.calldata_bytes)
        ));
    }
    out
}

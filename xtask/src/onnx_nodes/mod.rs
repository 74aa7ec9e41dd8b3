//! The ONNX node tests: every case of a folder, by the float evaluator or by the integer program.
//!
//! The folder is `onnx/backend/test/data/node` of the package `onnx` 1.19.1 from PyPI.

mod case;
mod compare;
mod program;
mod report;

use std::path::Path;

use anyhow::{Context, Result, bail};

use case::Case;
use report::Report;

/// What became of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    /// All outputs are as expected.
    Passed,
    /// An output is not.
    Wrong(String),
    /// It cannot be read, or its numbers have no place in an integer program.
    Unsupported(String),
}

/// How a case is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// The graph in floats.
    Float,
    /// The integer program.
    Program,
}

/// Runs all cases of a folder; any wrong one is an error.
pub(crate) fn run(folder: &Path, flags: &[&str]) -> Result<()> {
    if let Some(unknown) = flags.iter().find(|flag| !["--program", "--json"].contains(flag)) {
        bail!("unknown flag {unknown}: --program, --json are known");
    }
    let mode = if flags.contains(&"--program") { Mode::Program } else { Mode::Float };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.join("model.onnx").is_file() {
            names.push(path);
        }
    }
    names.sort();
    let mut report = Report::default();
    for path in &names {
        let case = Case::open(path)?;
        report.add(path, case.operators(), case.run(mode));
    }
    if flags.contains(&"--json") {
        println!("{}", report.json(mode))
    } else {
        println!("{}", report.text(mode))
    }
    if report.wrong() > 0 {
        bail!("{} cases are wrong", report.wrong());
    }
    Ok(())
}

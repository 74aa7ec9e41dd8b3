//! The `opml` command.

use std::{io::Write as _, process::ExitCode};

use clap::Parser as _;
use opml_prover::{
    arguments::Arguments,
    commands::{self, ERROR},
};

fn main() -> ExitCode {
    commands::run(&Arguments::parse()).unwrap_or_else(|error| {
        // Nothing is left to do if even standard error is closed.
        let _ = writeln!(std::io::stderr().lock(), "opml: {error:#}");
        ExitCode::from(ERROR)
    })
}

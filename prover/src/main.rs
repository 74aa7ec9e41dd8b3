//! The `opml` command.

use std::{io::Write as _, process::ExitCode};

use clap::{CommandFactory as _, Parser as _};
use opml_ops::tier::Tier;
use opml_prover::{
    arguments::Arguments,
    commands::{self, ERROR},
    memory, words,
};

fn main() -> ExitCode {
    memory::keep_freed();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        // Help and version, or the help that an empty command line brings.
        Err(error) if !error.use_stderr() || !error.to_string().starts_with("error:") => error.exit(),
        Err(error) => return fail(&words::of_usage(&error.to_string(), command().as_deref())),
    };
    // A tier that was asked for and is not there must not pass for one that was used.
    if let Err(error) = Tier::checked() {
        return fail(&error.to_string());
    }
    commands::run(&arguments).unwrap_or_else(|error| fail(&format!("{error:#}")))
}

/// Says on one line what is wrong.
fn fail(why: &str) -> ExitCode {
    // Nothing is left to do if even standard error is closed.
    let _ = writeln!(std::io::stderr().lock(), "opml: {}", words::plain(why));
    ExitCode::from(ERROR)
}

/// The command that the command line names.
fn command() -> Option<String> {
    let commands = Arguments::command();
    std::env::args().skip(1).find(|word| commands.find_subcommand(word).is_some())
}

//! How commands print: text for people or one JSON object, to standard output; prose to standard error.

use serde::Serialize;
use std::io::{self, Write as _};

/// Version of the JSON objects; it rises when a key changes its meaning or goes.
pub const JSON_VERSION: u32 = 1;

/// Where a command's words go.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    /// One JSON object instead of text.
    pub json: bool,
}

#[derive(Serialize)]
struct Versioned<'a, T> {
    version: u32,
    #[serde(flatten)]
    result: &'a T,
}

impl Output {
    /// Prints the result: `result` as JSON, or the text.
    ///
    /// # Errors
    /// Standard output is closed.
    pub fn result<T: Serialize>(self, result: &T, text: impl FnOnce(&T) -> String) -> io::Result<()> {
        let line = if self.json {
            serde_json::to_string(&Versioned { version: JSON_VERSION, result })?
        } else {
            text(result).trim_end().to_owned()
        };
        writeln!(io::stdout().lock(), "{line}")
    }

    /// Prints a line of text that is not part of the result; with JSON it goes to standard error.
    ///
    /// # Errors
    /// The stream is closed.
    pub fn say(self, line: &str) -> io::Result<()> {
        if self.json { writeln!(io::stderr().lock(), "{line}") } else { writeln!(io::stdout().lock(), "{line}") }
    }
}

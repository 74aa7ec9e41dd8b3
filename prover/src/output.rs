//! How commands print: text for people or one JSON object, to standard output; prose to standard error.

use serde::Serialize;
use std::io::{self, ErrorKind, Write as _};

use anyhow::{Context as _, Result};

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
    /// Prints the result: `result` as JSON, or the text. A reader that has read enough and closed the pipe is no error.
    ///
    /// # Errors
    /// Standard output cannot be written to.
    pub fn result<T: Serialize>(self, result: &T, text: impl FnOnce(&T) -> String) -> Result<()> {
        let line = if self.json {
            serde_json::to_string(&Versioned { version: JSON_VERSION, result })?
        } else {
            text(result).trim_end().to_owned()
        };
        let mut stream = io::stdout().lock();
        match writeln!(stream, "{line}").and_then(|()| stream.flush()) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error).context("standard output"),
            _ => Ok(()),
        }
    }

    /// Says something while a command goes on: to standard error, as JSON if that is asked for. That nobody listens is no error.
    pub fn note(self, words: &str) {
        let line = if self.json { serde_json::json!({ "note": words }).to_string() } else { words.to_owned() };
        let _ = writeln!(io::stderr().lock(), "{}", crate::words::plain(&line));
    }
}

//! `opml import` of a language model.

use std::fmt::Write as _;

use anyhow::{Context, Result, bail};
use opml_ops::commit::Hasher;
use opml_vm::model_file;
use serde::Serialize;

use super::{CALIBRATION, Options, make};
use crate::{arguments, commands::AGREE, files, hex, output::Output, progress, units};

/// What an import made.
#[derive(Debug, Serialize)]
struct Imported {
    model_root: String,
    architecture: &'static str,
    layers: usize,
    width: usize,
    vocabulary: usize,
    context: usize,
    instructions: usize,
    constants: usize,
    encoded_bytes: usize,
    file_bytes: usize,
    /// Tokens that end a text.
    ends: Vec<u32>,
    /// The file's chat template.
    chat_template: Option<String>,
}

impl Imported {
    fn text(&self) -> String {
        let mut out = String::new();
        let _ = writeln!(
            out,
            "model       {}: {} layers, width {}, {} tokens, texts of {} positions",
            self.architecture,
            self.layers,
            self.width,
            units::grouped_length(self.vocabulary),
            units::grouped_length(self.context)
        );
        let _ = writeln!(
            out,
            "sizes       {} instructions in {} bytes, {} constants; a file of {} bytes",
            units::grouped_length(self.instructions),
            units::grouped_length(self.encoded_bytes),
            units::grouped_length(self.constants),
            units::grouped_length(self.file_bytes)
        );
        if let Some(template) = &self.chat_template {
            let _ = writeln!(out, "chat        {}", template.escape_debug());
        }
        let _ = writeln!(out, "model root  {}", self.model_root);
        out
    }
}

/// Imports a language model.
pub(in crate::commands) fn import(arguments: &arguments::Import, output: Output) -> Result<u8> {
    let place = || arguments.onnx.display().to_string();
    let Some(path) = &arguments.output else { bail!("{}: --check is for ONNX files", place()) };
    let text = match &arguments.calibration_text {
        Some(path) => String::from_utf8(files::read(path)?).with_context(|| path.display().to_string())?,
        None => CALIBRATION.to_owned(),
    };
    let spinner = progress::spinner("importing");
    let options = Options { text: &text, context: arguments.context, sampling: !arguments.greedy };
    let made = make(&arguments.onnx, &options).with_context(place)?;
    let file = model_file::write(&made.decoder.program);
    files::write(path, &file)?;
    let program = &made.decoder.program;
    let result = Imported {
        model_root: hex::of(&Hasher::current().model_roots(program).model),
        architecture: made.config.family.name(),
        layers: made.config.layers,
        width: made.config.width,
        vocabulary: made.config.vocabulary,
        context: arguments.context.min(made.config.context),
        instructions: program.instructions().len(),
        constants: program.constants().len(),
        encoded_bytes: program.encodings().iter().map(Vec::len).sum(),
        file_bytes: file.len(),
        ends: made.tokenizer.ends().to_vec(),
        chat_template: made.tokenizer.template().map(str::to_owned),
    };
    spinner.finish_and_clear();
    output.result(&result, Imported::text)?;
    Ok(AGREE)
}

//! `opml import`.

mod check;
mod options;

use std::fmt::Write as _;

use anyhow::{Context, Result};
use opml_ops::{Imported, commit::Hasher, import_onnx};
use opml_vm::model_file;
use serde::Serialize;

use crate::{arguments, files, hex, output::Output, progress, report, units, words};

use super::AGREE;

/// What an import made.
#[derive(Debug, Serialize)]
struct ImportResult {
    model_root: String,
    instructions: usize,
    constants: usize,
    encoded_bytes: usize,
    file_bytes: usize,
    multiplications: u64,
    output: Port,
    inputs: Vec<Port>,
    /// Calibration samples that were compared, and those whose largest output is the float network's.
    samples_compared: usize,
    samples_agreeing: usize,
    tensors: Vec<TensorLine>,
}

/// An input or output: `real = scale · (stored − zero_point)`.
#[derive(Debug, Serialize)]
struct Port {
    name: String,
    shape: Vec<usize>,
    dtype: &'static str,
    scale: f64,
    zero_point: i64,
}

/// What quantisation did to a value; range and errors are known if there were samples.
#[derive(Debug, Serialize)]
struct TensorLine {
    name: String,
    operator: &'static str,
    dtype: &'static str,
    scale: f64,
    zero_point: i64,
    low: Option<f64>,
    high: Option<f64>,
    rms_error: Option<f64>,
    max_error: Option<f64>,
}

impl From<&opml_ops::import::Port> for Port {
    fn from(port: &opml_ops::import::Port) -> Self {
        Self {
            name: port.name.clone(),
            shape: port.shape.clone(),
            dtype: port.encoding.dtype.name(),
            scale: port.encoding.scale,
            zero_point: port.encoding.zero_point,
        }
    }
}

impl ImportResult {
    fn new(imported: &Imported, file: &[u8]) -> Self {
        let program = &imported.program;
        let compared = imported.report.samples > 0;
        let tensors = imported.report.tensors.iter().map(|tensor| {
            let seen = tensor.low <= tensor.high;
            TensorLine {
                name: tensor.name.clone(),
                operator: tensor.operator,
                dtype: tensor.dtype.name(),
                scale: tensor.scale,
                zero_point: tensor.zero_point,
                low: seen.then_some(tensor.low),
                high: seen.then_some(tensor.high),
                rms_error: compared.then_some(tensor.rms_error),
                max_error: compared.then_some(tensor.max_error),
            }
        });
        Self {
            model_root: hex::of(&Hasher::current().model_roots(program).model),
            instructions: program.instructions().len(),
            constants: program.constants().len(),
            encoded_bytes: program.encodings().iter().map(Vec::len).sum(),
            file_bytes: file.len(),
            multiplications: imported.report.work,
            output: Port::from(&imported.output),
            inputs: imported.inputs.iter().map(Port::from).collect(),
            samples_compared: imported.report.samples,
            samples_agreeing: imported.report.agreeing,
            tensors: tensors.collect(),
        }
    }

    fn text(&self) -> String {
        let mut out = String::new();
        for port in self.inputs.iter().chain([&self.output]) {
            let Port { name, shape, dtype, scale, zero_point } = port;
            let name = words::plain(name);
            let stored = if *zero_point == 0 { "n".to_owned() } else { format!("(n − {zero_point})") };
            let scale = units::real(*scale);
            let _ = writeln!(out, "{name} {shape:?}: {dtype}, the real number is {scale} · {stored}");
        }
        let mut table = report::table(
            &["value", "operator", "type", "scale", "zero", "low", "high", "rms error", "max error"],
            &[3, 4, 5, 6, 7, 8],
        );
        for t in &self.tensors {
            table.add_row([
                words::plain(&t.name),
                t.operator.to_owned(),
                t.dtype.to_owned(),
                units::real(t.scale),
                t.zero_point.to_string(),
                measured(t.low, 3),
                measured(t.high, 3),
                measured(t.rms_error, 5),
                measured(t.max_error, 5),
            ]);
        }
        let _ = writeln!(out, "\n{}\n", report::lines(&table));
        if self.samples_compared > 0 {
            let _ = writeln!(
                out,
                "decisions   {} of {} calibration samples are decided as in floats",
                self.samples_agreeing, self.samples_compared
            );
        }
        let _ = writeln!(
            out,
            "sizes       {} instructions in {} bytes, {} constants, {} multiplications; a file of {} bytes",
            units::grouped_length(self.instructions),
            units::grouped_length(self.encoded_bytes),
            units::grouped_length(self.constants),
            units::grouped(self.multiplications),
            units::grouped_length(self.file_bytes)
        );
        let _ = writeln!(out, "model root  {}", self.model_root);
        out
    }
}

pub(super) fn run(arguments: &arguments::Import, output: Output) -> Result<u8> {
    let is_gguf = arguments.onnx.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gguf"));
    if is_gguf || arguments.onnx.join("config.json").is_file() {
        return super::language::import(arguments, output);
    }
    let place = || arguments.onnx.display().to_string();
    let onnx = files::read(&arguments.onnx)?;
    let Some(path) = &arguments.output else {
        return check::run(&onnx, &options::reading(arguments)?, output).with_context(place);
    };
    let options = options::read(arguments, &onnx).with_context(place)?;
    let spinner = progress::spinner("importing");
    let imported = import_onnx(&onnx, &options).with_context(place)?;
    spinner.finish_and_clear();
    let file = model_file::write(&imported.program);
    files::write(path, &file)?;
    output.result(&ImportResult::new(&imported, &file), ImportResult::text)?;
    Ok(AGREE)
}

fn measured(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.digits$}"))
}

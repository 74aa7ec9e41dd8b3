//! `opml run`.

use anyhow::{Context, Result, ensure};
use opml_ops::commit::Hasher;
use opml_vm::{Tensor, merkle};
use serde::Serialize;

use crate::{arguments, files, hex, output::Output, report, task::Task, text, units};

use super::AGREE;

/// The output of a run.
#[derive(Debug, Serialize)]
pub(crate) struct RunResult {
    iterations: u64,
    dtype: &'static str,
    elements: u64,
    /// Tensor root of the output.
    output_root: String,
    /// Hash of the output's bytes, as a claim names it.
    output_hash: String,
    /// Number of the first largest value; none without values.
    largest: Option<usize>,
    /// The first values, 64 at most.
    values: Vec<i64>,
    /// What they say, if a text was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

/// Values printed at most.
const SHOWN: usize = 64;

impl RunResult {
    /// Tensor root of the output.
    pub(crate) fn output_root(&self) -> &str {
        &self.output_root
    }

    pub(crate) fn new(iterations: u64, tensor: &Tensor) -> Self {
        let values = tensor.values();
        let largest = (0..).zip(&values).reduce(|best, next| if next.1 > best.1 { next } else { best });
        Self {
            iterations,
            dtype: tensor.dtype().name(),
            elements: tensor.elements(),
            output_root: hex::of(&Hasher::current().tensor_root(tensor.bytes())),
            output_hash: hex::of(&merkle::keccak(&[tensor.bytes()])),
            largest: largest.map(|(number, _)| number),
            values: values.into_iter().take(SHOWN).collect(),
            text: None,
        }
    }

    /// With the text that the output is.
    fn saying(self, text: Option<String>) -> Self {
        Self { text, ..self }
    }

    fn text(&self) -> String {
        let more = if self.values.len() == SHOWN { " (first 64)" } else { "" };
        format!(
            "output       {} of {} after {}\nvalues       {:?}{more}\nlargest      {}\noutput root  {}\noutput hash  {}",
            units::count(self.elements, "element"),
            self.dtype,
            units::count(self.iterations, "iteration"),
            self.values,
            self.largest.map_or_else(|| "none".to_owned(), |number| format!("element {number}")),
            self.output_root,
            self.output_hash
        ) + &self.text.as_ref().map_or_else(String::new, |text| format!("\ntext         {text:?}"))
    }
}

/// The outputs of a batch.
#[derive(Debug, Serialize)]
struct BatchResult {
    samples: Vec<RunResult>,
}

impl BatchResult {
    fn text(&self) -> String {
        let mut table = report::table(&["sample", "iterations", "largest", "output root"], &[0, 1, 2]);
        for (number, sample) in self.samples.iter().enumerate() {
            let largest = sample.largest.map_or_else(|| "none".to_owned(), |largest| largest.to_string());
            table.add_row([number.to_string(), sample.iterations.to_string(), largest, sample.output_root.clone()]);
        }
        report::lines(&table)
    }
}

fn all(arguments: &arguments::Run, output: Output) -> Result<u8> {
    let (task, samples) = Task::read_all(&arguments.task)?;
    let outputs = task.run_all(&samples).with_context(|| arguments.task.place())?;
    if let Some(path) = &arguments.output {
        let tensors: Vec<Tensor> = outputs.iter().map(|output| output.tensor.clone()).collect();
        let alike = tensors.windows(2).all(|pair| pair[0].elements() == pair[1].elements());
        ensure!(alike, "the samples' outputs have different sizes: write them one by one, with --index");
        files::write(path, &opml_ops::npy::write_rows(&tensors))?;
    }
    let samples = outputs.iter().map(|output| RunResult::new(output.length, &output.tensor)).collect();
    output.result(&BatchResult { samples }, BatchResult::text)?;
    Ok(AGREE)
}

pub(super) fn run(arguments: &arguments::Run, output: Output) -> Result<u8> {
    if arguments.all {
        return all(arguments, output);
    }
    let task = Task::read_to_run(&arguments.task)?;
    let run = if arguments.reference { task.run_reference() } else { task.run() };
    let run = run.with_context(|| arguments.task.place())?;
    let tensor = run.output(&task.program).context("the run has no output")?;
    if let Some(path) = &arguments.output {
        files::write(path, &opml_ops::npy::write(tensor))?;
    }
    let said = arguments.task.tokenizer.as_deref().map(|from| text::said(from, tensor)).transpose()?;
    output.result(&RunResult::new(run.length, tensor).saying(said), RunResult::text)?;
    Ok(AGREE)
}

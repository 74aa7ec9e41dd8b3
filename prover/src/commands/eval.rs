//! `opml eval`: decisions of the integer model against its float original, on labelled samples.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use opml_ops::{
    ImportOptions, Imported,
    engine::Engine,
    float,
    import::PIXELS,
    import_onnx,
    npy::{self, Array},
};
use opml_vm::{Tensor, interpreter::Stop};
use rayon::prelude::*;
use serde::Serialize;

use crate::{arguments, files, import, output::Output, progress, report, units};

use super::{AGREE, FAULT};

/// Most points of accuracy that quantisation may cost.
const TOLERANCE: f64 = 0.3;

/// One model on one set of samples.
#[derive(Debug, Serialize)]
struct Evaluation {
    model: String,
    samples: usize,
    /// Right decisions of the float network and of the integer program, in percent.
    float_accuracy: f64,
    integer_accuracy: f64,
    /// Points lost; negative if the integers do better.
    loss: f64,
    /// Samples on which both decide alike, in percent.
    agreement: f64,
}

#[derive(Debug, Serialize)]
struct Evaluations {
    tolerance: f64,
    models: Vec<Evaluation>,
}

/// A model, what it is calibrated on, and what it is tried on.
struct Trial {
    onnx: PathBuf,
    calibration: Option<PathBuf>,
    images: PathBuf,
    labels: PathBuf,
}

pub(super) fn run(arguments: &arguments::Eval, output: Output) -> Result<u8> {
    let trials = match (&arguments.onnx, &arguments.images, &arguments.labels) {
        (Some(onnx), Some(images), Some(labels)) => vec![Trial {
            onnx: onnx.clone(),
            calibration: arguments.calibration.clone(),
            images: images.clone(),
            labels: labels.clone(),
        }],
        _ => fixtures(),
    };
    if arguments.fixtures {
        let missing = trials.iter().map(|trial| &trial.images).find(|path| !path.exists());
        ensure!(missing.is_none(), "the complete test sets are not there; `python3 fixtures/fetch.py` brings them");
    }
    let models = trials.iter().map(evaluate).collect::<Result<Vec<_>>>()?;
    let evaluations = Evaluations { tolerance: TOLERANCE, models };
    let lost = evaluations.models.iter().any(|evaluation| evaluation.loss > TOLERANCE);
    output.result(&evaluations, text)?;
    Ok(if lost { FAULT } else { AGREE })
}

/// The repository's models on their complete test sets.
fn fixtures() -> Vec<Trial> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures");
    let trial = |model: &str| {
        let data = if model.contains("digits") { "digits" } else { "fashion" };
        Trial {
            onnx: folder.join(format!("models/{model}.onnx")),
            calibration: Some(folder.join(format!("calibration/{data}.npy"))),
            images: folder.join(format!("data/{data}_test_images.npy")),
            labels: folder.join(format!("data/{data}_test_labels.npy")),
        }
    };
    ["mlp-fashion", "mlp-fashion-qdq", "mlp-digits", "lenet-fashion", "lenet-fashion-qdq", "lenet-digits"]
        .map(trial)
        .into()
}

fn read(path: &Path) -> Result<Array> {
    npy::read(&files::read(path)?).with_context(|| path.display().to_string())
}

fn integers<'a>(array: &'a Array, path: &Path) -> Result<&'a [i64]> {
    array.integers().with_context(|| format!("{}: its elements are floats, not integers", path.display()))
}

fn evaluate(trial: &Trial) -> Result<Evaluation> {
    let calibration = match &trial.calibration {
        Some(path) => import::samples(&read(path)?, &PIXELS).with_context(|| path.display().to_string())?,
        None => Vec::new(),
    };
    let options = ImportOptions { calibration, ..ImportOptions::default() };
    let place = || trial.onnx.display().to_string();
    let imported = import_onnx(&files::read(&trial.onnx)?, &options).with_context(place)?;
    let (images, labels) = (read(&trial.images)?, read(&trial.labels)?);
    let (pixels, labels) = (integers(&images, &trial.images)?, integers(&labels, &trial.labels)?);
    let &[header] = imported.program.inputs() else {
        bail!("{}: the model has {} inputs, eval needs one", place(), imported.program.inputs().len());
    };
    let width = usize::try_from(header.elements)?;
    ensure!(!labels.is_empty(), "{}: there are no labels", trial.labels.display());
    ensure!(
        width > 0 && pixels.len() == labels.len().saturating_mul(width),
        "{}: {} numbers, but {} samples of {width} are needed, one for each label",
        trial.images.display(),
        units::grouped_length(pixels.len()),
        units::grouped_length(labels.len())
    );
    let name = trial.onnx.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let bar = progress::bar(&name, labels.len());
    let engine = Engine::compile(&imported.program);
    let decisions = pixels
        .par_chunks(width)
        .map(|image| {
            bar.inc(1);
            Ok((float_decision(&imported, image)?, integer_decision(&engine, &imported, image)?))
        })
        .collect::<Result<Vec<(usize, usize)>>>()
        .with_context(|| trial.images.display().to_string())?;
    bar.finish_and_clear();
    let percent = |count: usize| 100.0 * ratio(count, labels.len());
    let right = |pick: fn(&(usize, usize)) -> usize| {
        let decided = decisions.iter().map(pick).zip(labels);
        decided.filter(|&(decision, &label)| usize::try_from(label).is_ok_and(|label| label == decision)).count()
    };
    let (float_accuracy, integer_accuracy) = (percent(right(|d| d.0)), percent(right(|d| d.1)));
    Ok(Evaluation {
        model: name,
        samples: labels.len(),
        float_accuracy,
        integer_accuracy,
        loss: float_accuracy - integer_accuracy,
        agreement: percent(decisions.iter().filter(|(float, integer)| float == integer).count()),
    })
}

fn float_decision(imported: &Imported, image: &[i64]) -> Result<usize> {
    let encoding = imported.inputs.first().map_or(PIXELS, |port| port.encoding);
    let input = import::reals(image, &encoding);
    let values = float::run(&imported.graph, &[&input]);
    let output = imported.graph.outputs.first().context("the graph has no output")?;
    largest(values.get(*output)).context("the output is empty")
}

fn integer_decision(engine: &Engine, imported: &Imported, image: &[i64]) -> Result<usize> {
    let header = imported.program.inputs().first().context("the model has no input")?;
    let input = Tensor::from_values(header.dtype, image)?;
    let run = engine.run(&[input], Stop::Exactly(1), u64::MAX)?;
    let output = run.output(&imported.program).context("the run has no output")?;
    largest(&output.values()).context("the output is empty")
}

/// Number of the first largest value.
fn largest<T: PartialOrd + Copy>(values: &[T]) -> Option<usize> {
    let best = values.iter().copied().enumerate().reduce(|best, next| if next.1 > best.1 { next } else { best });
    best.map(|(number, _)| number)
}

fn ratio(part: usize, whole: usize) -> f64 {
    let small = |n: usize| u32::try_from(n).map_or(f64::INFINITY, f64::from);
    small(part) / small(whole.max(1))
}

fn text(evaluations: &Evaluations) -> String {
    let mut table = report::table(&["model", "samples", "f32", "integer", "loss", "agree"], &[1, 2, 3, 4, 5]);
    for e in &evaluations.models {
        table.add_row([
            e.model.clone(),
            e.samples.to_string(),
            format!("{:.2} %", e.float_accuracy),
            format!("{:.2} %", e.integer_accuracy),
            format!("{:+.2}", e.loss),
            format!("{:.2} %", e.agreement),
        ]);
    }
    format!("{}\n\nAt most {} points may be lost.", report::lines(&table), evaluations.tolerance)
}

//! `opml eval`: decisions of the integer model against its float original, on labelled samples.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use opml_ops::{
    ImportOptions, accuracy,
    import::PIXELS,
    import_onnx,
    npy::{self, Array},
};
use serde::Serialize;

use crate::{arguments, files, import, output::Output, progress, report, units};

use super::{AGREE, FAULT};

/// Most points of accuracy that quantisation may cost.
const TOLERANCE: f64 = 0.3;
/// Samples decided between two steps of the progress bar.
const BATCH: usize = 250;

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
    if let (Some(text), Some(model)) = (&arguments.perplexity, &arguments.onnx) {
        return super::language::perplexity(model, text, (arguments.tokens, arguments.context), output);
    }
    if let Some(onnx) = &arguments.onnx {
        let both = arguments.images.is_some() && arguments.labels.is_some();
        ensure!(both, "{}: --images and --labels are needed, or --perplexity for a GGUF file", onnx.display());
    }
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
    let encoding = imported.inputs.first().map_or(PIXELS, |port| port.encoding);
    let (mut floats, mut integers) = (Vec::new(), Vec::new());
    for batch in pixels.chunks(width.saturating_mul(BATCH)) {
        let samples: Vec<&[i64]> = batch.chunks(width).collect();
        let place = || trial.images.display().to_string();
        integers.extend(accuracy::decisions(&imported.program, &samples, 1, u64::MAX).with_context(place)?);
        let reals: Vec<Vec<f32>> = samples.iter().map(|sample| import::reals(sample, &encoding)).collect();
        floats.extend(accuracy::float_decisions(&imported.graph, &reals));
        bar.inc(u64::try_from(samples.len())?);
    }
    bar.finish_and_clear();
    // A label that is no class is never met.
    let labels: Vec<usize> = labels.iter().map(|&label| usize::try_from(label).unwrap_or(usize::MAX)).collect();
    let percent = |decisions: &[usize], labels: &[usize]| accuracy::score(decisions, labels).percent();
    let (float_accuracy, integer_accuracy) = (percent(&floats, &labels), percent(&integers, &labels));
    Ok(Evaluation {
        model: name,
        samples: labels.len(),
        float_accuracy,
        integer_accuracy,
        loss: float_accuracy - integer_accuracy,
        agreement: percent(&integers, &floats),
    })
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

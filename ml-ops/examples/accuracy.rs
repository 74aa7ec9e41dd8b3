//! Accuracy of a fixture model in floats and as integers, and the time of an inference.
//!
//! `cargo run --release -p opml-ops --example accuracy -- [MODEL ...]` from the root of the repository; uses the complete
//! test sets of `fixtures/data` where they are fetched, else the committed samples.
#![allow(clippy::print_stdout, reason = "an example prints its result")]

use std::{error::Error, fs, path::Path, time::Instant};

use opml_ops::{ImportOptions, accuracy, engine::Engine, import::PIXELS, import_onnx, npy};
use opml_vm::{Tensor, interpreter::Stop};

const MODELS: [&str; 6] =
    ["mlp-fashion", "mlp-fashion-qdq", "mlp-digits", "lenet-fashion", "lenet-fashion-qdq", "lenet-digits"];

fn main() -> Result<(), Box<dyn Error>> {
    let named: Vec<String> = std::env::args().skip(1).collect();
    let named = if named.is_empty() { MODELS.map(str::to_owned).to_vec() } else { named };
    named.iter().try_for_each(|model| report(model))
}

fn report(model: &str) -> Result<(), Box<dyn Error>> {
    let root = Path::new("fixtures");
    let data = if model.contains("digits") { "digits" } else { "fashion" };
    let array = |path: &str| -> Result<npy::Array, Box<dyn Error>> { Ok(npy::read(&fs::read(root.join(path))?)?) };
    let complete = array(&format!("data/{data}_test_images.npy"));
    let (images, labels) = match complete {
        Ok(images) => (images, array(&format!("data/{data}_test_labels.npy"))?),
        Err(_) => (array(&format!("samples/{data}_images.npy"))?, array(&format!("samples/{data}_labels.npy"))?),
    };
    let calibration = array(&format!("calibration/{data}.npy"))?;
    let rows = |array: &npy::Array| -> Vec<Vec<i64>> {
        array.integers().unwrap_or(&[]).chunks(array.row().max(1)).map(<[i64]>::to_vec).collect()
    };
    let calibration = rows(&calibration).iter().map(|row| PIXELS.decode(row)).collect();
    let bytes = fs::read(root.join(format!("models/{model}.onnx")))?;
    let start = Instant::now();
    let imported = import_onnx(&bytes, &ImportOptions { calibration, ..ImportOptions::default() })?;
    let import_time = start.elapsed();

    let images = rows(&images);
    let labels: Vec<usize> = labels.integers().unwrap_or(&[]).iter().filter_map(|&l| usize::try_from(l).ok()).collect();
    let real: Vec<Vec<f32>> = images.iter().map(|row| PIXELS.decode(row)).collect();
    let float = accuracy::float_decisions(&imported.graph, &real);
    let stored: Vec<&[i64]> = images.iter().map(Vec::as_slice).collect();
    let integer = accuracy::decisions(&imported.program, &stored, 1, u64::MAX)?;
    let same = float.iter().zip(&integer).filter(|(a, b)| a == b).count();
    let (float, integer) = (accuracy::score(&float, &labels), accuracy::score(&integer, &labels));
    let sizes: Vec<usize> = imported.program.encodings().iter().map(Vec::len).collect();
    let engine = Engine::compile(&imported.program);
    println!(
        "{model}: float {} integer {} of {}; {same} decisions equal; {} instructions of {sizes:?} bytes {:?}; import {import_time:?}; {:?} an inference",
        float.correct,
        integer.correct,
        integer.total,
        sizes.len(),
        engine.forms(),
        time(&engine, &images)?,
    );
    Ok(())
}

/// Median time of an inference, one after another.
fn time(engine: &Engine, images: &[Vec<i64>]) -> Result<std::time::Duration, Box<dyn Error>> {
    let dtype = engine.program().inputs().first().map_or(opml_vm::DType::U8, |input| input.dtype);
    let mut times = Vec::new();
    for image in images.iter().take(500) {
        let inputs = [Tensor::from_values(dtype, image)?];
        let start = Instant::now();
        engine.run(&inputs, Stop::Exactly(1), u64::MAX)?;
        times.push(start.elapsed());
    }
    times.sort_unstable();
    Ok(times.get(times.len() / 2).copied().unwrap_or_default())
}

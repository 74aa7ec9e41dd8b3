//! Models from ONNX files.

use opml_ops::{
    ImportOptions, Imported,
    import::{InputEncoding, PIXELS},
    import_onnx,
    npy::{self, Array},
};

use crate::fixtures::Fixture;

/// Imports a fixture's model, calibrated on its pictures.
///
/// # Errors
/// An embedded file is damaged.
pub fn fixture(fixture: &Fixture) -> anyhow::Result<Imported> {
    let options =
        ImportOptions { calibration: samples(&npy::read(fixture.calibration)?, &PIXELS)?, ..Default::default() };
    Ok(import_onnx(fixture.onnx, &options)?)
}

/// The samples of an array as real numbers: its first axis counts them. Integers stand for `scale · (n − zero point)`.
///
/// # Errors
/// The array has no axis to count samples.
pub fn samples(array: &Array, encoding: &InputEncoding) -> anyhow::Result<Vec<Vec<f32>>> {
    let count = array.shape().first().copied().unwrap_or(0);
    anyhow::ensure!(count > 0, "the array has shape {:?}: its first axis must count the samples", array.shape());
    let reals: Vec<f32> = match (array.floats(), array.integers()) {
        (Some(floats), _) => floats.to_vec(),
        (None, Some(integers)) => reals(integers, encoding),
        (None, None) => Vec::new(),
    };
    let width = reals.len() / count;
    Ok(reals.chunks(width.max(1)).map(<[f32]>::to_vec).collect())
}

/// The real numbers that stored ones stand for.
#[must_use]
pub fn reals(stored: &[i64], encoding: &InputEncoding) -> Vec<f32> {
    stored.iter().map(|&n| single(encoding.real(n))).collect()
}

/// The nearest f32.
#[allow(clippy::as_conversions, reason = "no conversion trait exists; the cast rounds to nearest on every machine")]
const fn single(x: f64) -> f32 {
    x as f32
}

//! Models from ONNX files.

use opml_ops::{
    ImportOptions, Imported, import_onnx,
    import::{InputEncoding, PIXELS},
    npy::{self, Array},
};

use crate::fixtures::Fixture;

/// Imports a fixture's model, calibrated on its pictures.
///
/// # Errors
/// An embedded file is damaged.
pub fn fixture(fixture: &Fixture) -> anyhow::Result<Imported> {
    let options = ImportOptions { calibration: samples(&npy::read(fixture.calibration)?, &PIXELS)?, ..Default::default() };
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
        (None, Some(integers)) => integers.iter().map(|&n| encoding.real(n)).collect(),
        (None, None) => Vec::new(),
    };
    let width = reals.len() / count;
    Ok(reals.chunks(width.max(1)).map(<[f32]>::to_vec).collect())
}

//! Calibration samples from files: arrays, pictures, folders of them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use image::DynamicImage;
use opml_ops::{
    import::InputEncoding,
    npy::{self, Array},
};
use opml_vm::DType;

use crate::{files, import};

/// The samples of one input as real numbers: an `.npy` file whose first axis counts them, or a folder in which each `.npy`, `.png` or
/// `.jpg` file is one, in the order of their names. Integers and pixels stand for what `encoding` says.
///
/// # Errors
/// A file is not what its name says, or there is none.
pub fn read(path: &Path, encoding: &InputEncoding) -> Result<Vec<Vec<f32>>> {
    let place = || path.display().to_string();
    if !path.is_dir() {
        return import::samples(&array(path)?, encoding).with_context(place);
    }
    let entries = std::fs::read_dir(path).with_context(place)?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<PathBuf>>>().with_context(place)?;
    paths.retain(|path| kind(path).is_some());
    paths.sort();
    ensure!(!paths.is_empty(), "{}: the folder has no .npy, .png or .jpg files", place());
    paths.iter().map(|path| sample(path, encoding).with_context(|| path.display().to_string())).collect()
}

#[derive(Clone, Copy)]
enum Kind {
    Array,
    Picture,
}

fn kind(path: &Path) -> Option<Kind> {
    match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "npy" => Some(Kind::Array),
        "png" | "jpg" | "jpeg" => Some(Kind::Picture),
        _ => None,
    }
}

fn array(path: &Path) -> Result<Array> {
    npy::read(&files::read(path)?).with_context(|| path.display().to_string())
}

/// One file as one sample.
fn sample(path: &Path, encoding: &InputEncoding) -> Result<Vec<f32>> {
    if let Some(Kind::Picture) = kind(path) {
        let picture = image::load_from_memory(&files::read(path)?)?;
        return Ok(import::reals(&pixels(&picture), encoding));
    }
    let array = array(path)?;
    Ok(match (array.floats(), array.integers()) {
        (Some(floats), _) => floats.to_vec(),
        (None, Some(integers)) => import::reals(integers, encoding),
        (None, None) => Vec::new(),
    })
}

/// Channel after channel: one of a grey picture, three of others.
fn pixels(picture: &DynamicImage) -> Vec<i64> {
    if !picture.color().has_color() {
        return picture.to_luma8().into_raw().into_iter().map(i64::from).collect();
    }
    crate::input::planes(picture)
}

/// A symmetric encoding of `dtype` that just holds all samples.
///
/// # Errors
/// There are no samples, or nothing but zeros and numbers that are not finite.
pub fn encoding(dtype: DType, samples: &[Vec<f32>]) -> Result<InputEncoding> {
    let largest = samples.iter().flatten().fold(0.0f64, |largest, &v| largest.max(f64::from(v).abs()));
    ensure!(largest > 0.0 && largest.is_finite(), "a scale is needed: the calibration samples do not tell one");
    #[allow(clippy::as_conversions, reason = "no conversion trait exists; types of up to 32 bits are exact in f64")]
    let steps = dtype.max() as f64;
    Ok(InputEncoding { dtype, scale: largest / steps, zero_point: 0 })
}

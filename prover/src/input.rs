//! Inputs of a run from files: `.npy` arrays and images.

use std::{io::Cursor, path::Path};

use image::{DynamicImage, ImageReader};
use opml_ops::npy;
use opml_vm::{DType, InputHeader, Tensor};

use crate::{error::ProverError, files};

/// Reads one input of a model. An array with more elements than the input is a batch, of which `index` is taken.
///
/// Images become rows of pixels: grey for an input of width · height elements, else channel after channel. Samples of 16
/// bits are scaled to 8; transparency is left out.
///
/// # Errors
/// The file is not an array or image, or its type or size is not the input's.
pub fn read(path: &Path, header: InputHeader, index: usize) -> Result<Tensor, ProverError> {
    let bytes = files::read(path)?;
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or("").to_ascii_lowercase();
    let values = match extension.as_str() {
        "npy" => from_npy(&bytes, header, index),
        "png" | "jpg" | "jpeg" => from_image(&bytes, header, index),
        _ => Err("unknown kind of input: the name must end in .npy, .png, .jpg or .jpeg".to_owned()),
    };
    let wrong = |why: String| ProverError::Input { path: path.to_path_buf(), why };
    let values = values.map_err(wrong)?;
    Tensor::from_values(header.dtype, &values).map_err(|error| wrong(error.to_string()))
}

/// Reads all samples of one input: those of a batch, or the one of an image.
///
/// # Errors
/// As [`read`].
pub fn read_all(path: &Path, header: InputHeader) -> Result<Vec<Tensor>, ProverError> {
    let wrong = |why: String| ProverError::Input { path: path.to_path_buf(), why };
    if path.extension().is_none_or(|extension| !extension.eq_ignore_ascii_case("npy")) {
        return Ok(vec![read(path, header, 0)?]);
    }
    let values = npy_values(&files::read(path)?, header).map_err(wrong)?;
    let width = usize::try_from(header.elements).unwrap_or(usize::MAX);
    let tensor = |sample: &[i64]| Tensor::from_values(header.dtype, sample).map_err(|error| wrong(error.to_string()));
    values.chunks(width).map(tensor).collect()
}

fn expected(header: InputHeader) -> String {
    format!("the model's input has {} elements of {}", header.elements, header.dtype.name())
}

/// The elements of an array, a positive multiple of the input's.
fn npy_values(bytes: &[u8], header: InputHeader) -> Result<Vec<i64>, String> {
    let array = npy::read(bytes).map_err(|error| error.to_string())?;
    let Some(values) = array.integers().filter(|_| array.dtype() == Some(header.dtype)) else {
        let found = array.dtype().map_or("f32", DType::name);
        return Err(format!("the array has elements of {found}, but {}; convert it", expected(header)));
    };
    let width = usize::try_from(header.elements).map_err(|_| expected(header))?;
    if width == 0 || values.is_empty() || !values.len().is_multiple_of(width) {
        return Err(format!(
            "the array has shape {:?}, but {}, or a multiple for a batch",
            array.shape(),
            expected(header)
        ));
    }
    Ok(values.to_vec())
}

fn from_npy(bytes: &[u8], header: InputHeader, index: usize) -> Result<Vec<i64>, String> {
    let values = npy_values(bytes, header)?;
    let width = usize::try_from(header.elements).unwrap_or(usize::MAX);
    let samples = values.len() / width;
    let sample = values.chunks(width).nth(index);
    sample.map(<[i64]>::to_vec).ok_or_else(|| format!("there is no sample {index}: --index goes up to {}", samples - 1))
}

fn from_image(bytes: &[u8], header: InputHeader, index: usize) -> Result<Vec<i64>, String> {
    if header.dtype != DType::U8 {
        return Err(format!("an image has pixels of u8, but {}; give it as .npy", expected(header)));
    }
    if index > 0 {
        return Err(format!("there is no sample {index}: an image is one sample, leave --index out"));
    }
    let not_an_image = |error: image::ImageError| format!("not a readable image: {error}");
    let open = || ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|error| error.to_string());
    // The size is known before a pixel is decoded: a small file cannot ask for much memory.
    let (width, height) = open()?.into_dimensions().map_err(not_an_image)?;
    let pixels = u64::from(width).saturating_mul(u64::from(height));
    let channels = match header.elements {
        n if n == pixels => 1,
        n if n == pixels.saturating_mul(3) => 3,
        _ => return Err(format!("the image has {width} x {height} pixels, but {}; resize it", expected(header))),
    };
    let image = open()?.decode().map_err(not_an_image)?;
    Ok(if channels == 1 { grey(&image) } else { planes(&image) })
}

fn grey(image: &DynamicImage) -> Vec<i64> {
    image.to_luma8().into_raw().into_iter().map(i64::from).collect()
}

/// Red, then green, then blue.
pub(crate) fn planes(image: &DynamicImage) -> Vec<i64> {
    let rgb = image.to_rgb8().into_raw();
    (0..3).flat_map(|channel| rgb.iter().skip(channel).step_by(3).copied().map(i64::from)).collect()
}

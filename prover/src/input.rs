//! Inputs of a run from files: `.npy` arrays and images.

use std::path::Path;

use opml_ops::npy::{self, Array};
use opml_vm::{DType, InputHeader, Tensor};

use crate::{error::ProverError, files};

/// Reads one input of a model. An array with more elements than the input is a batch, of which `index` is taken.
///
/// Images become rows of pixels: grey for an input of width · height elements, else channel after channel.
///
/// # Errors
/// The file is not an array or image, or its type or size is not the input's.
pub fn read(path: &Path, header: InputHeader, index: usize) -> Result<Tensor, ProverError> {
    let bytes = files::read(path)?;
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or("").to_ascii_lowercase();
    let values = match extension.as_str() {
        "npy" => from_npy(&bytes, header, index),
        "png" | "jpg" | "jpeg" => from_image(&bytes, header),
        _ => Err("the name must end in .npy, .png, .jpg or .jpeg".to_owned()),
    };
    let wrong = |why: String| ProverError::Input { path: path.to_path_buf(), why };
    let values = values.map_err(wrong)?;
    Tensor::from_values(header.dtype, &values).map_err(|error| wrong(error.to_string()))
}

fn expected(header: InputHeader) -> String {
    format!("the model's input has {} elements of {}", header.elements, header.dtype.name())
}

fn from_npy(bytes: &[u8], header: InputHeader, index: usize) -> Result<Vec<i64>, String> {
    let array = npy::read(bytes).map_err(|error| error.to_string())?;
    let found = dtype_of(&array);
    if found != Some(header.dtype) {
        let found = found.map_or("floats", DType::name);
        return Err(format!("the array has {found}, but {}", expected(header)));
    }
    let values = array.integers().ok_or_else(|| format!("the array has floats, but {}", expected(header)))?;
    let width = usize::try_from(header.elements).map_err(|_| expected(header))?;
    if width == 0 || values.is_empty() || !values.len().is_multiple_of(width) {
        return Err(format!("the array has shape {:?}, but {}", array.shape(), expected(header)));
    }
    let samples = values.len() / width;
    let sample = values.chunks(width).nth(index);
    sample.map(<[i64]>::to_vec).ok_or_else(|| format!("there is no sample {index}: the array has {samples}"))
}

fn dtype_of(array: &Array) -> Option<DType> {
    array.dtype()
}

fn from_image(bytes: &[u8], header: InputHeader) -> Result<Vec<i64>, String> {
    if header.dtype != DType::U8 {
        return Err(format!("an image has u8 pixels, but {}", expected(header)));
    }
    let image = image::load_from_memory(bytes).map_err(|error| format!("not a readable image: {error}"))?;
    let (width, height) = (u64::from(image.width()), u64::from(image.height()));
    let pixels = width.saturating_mul(height);
    if pixels == header.elements {
        return Ok(image.to_luma8().into_raw().into_iter().map(i64::from).collect());
    }
    if pixels.saturating_mul(3) == header.elements {
        let rgb = image.to_rgb8().into_raw();
        return Ok((0..3).flat_map(|channel| rgb.iter().skip(channel).step_by(3).copied().map(i64::from)).collect());
    }
    Err(format!("the image has {width} x {height} pixels, but {}", expected(header)))
}

//! Options of an import from the command line and the files it names.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use opml_ops::{
    ImportOptions,
    graph::Data,
    import::{InputEncoding, Precision, WeightBits},
    npy,
    onnx::{self, Tensor},
};
use opml_vm::DType;

use crate::{
    arguments::{self, Stored},
    calibration, files,
};

/// Noise power at the output, relative to its power, that `--precision auto` allows.
const NOISE: f64 = 1e-3;

/// What the arguments say about the inputs.
pub(super) fn reading(arguments: &arguments::Import) -> Result<onnx::Options> {
    let mut constants = BTreeMap::new();
    for (name, path) in &arguments.constant {
        let array = npy::read(&files::read(path)?).with_context(|| path.display().to_string())?;
        let data = match (array.floats(), array.integers()) {
            (Some(floats), _) => Data::Float(floats.to_vec()),
            (None, integers) => Data::Int(integers.unwrap_or_default().to_vec()),
        };
        constants.insert(name.clone(), Tensor { shape: array.shape().to_vec(), data });
    }
    let shapes = arguments.shape.iter().cloned().collect();
    Ok(onnx::Options { shapes, constants, ..onnx::Options::default() })
}

/// What the arguments say about the import of a file.
pub(super) fn read(arguments: &arguments::Import, onnx: &[u8]) -> Result<ImportOptions> {
    let onnx::Options { shapes, constants, .. } = reading(arguments)?;
    let default_encoding =
        InputEncoding { dtype: DType::U8, scale: arguments.input_scale, zero_point: arguments.input_zero_point };
    let mut options = ImportOptions {
        default_encoding,
        shapes,
        constants,
        output: arguments.output_name.clone(),
        precision: match arguments.precision {
            arguments::Precision::Bits8 => Precision::Bits8,
            arguments::Precision::Bits16 => Precision::Bits16,
            arguments::Precision::Dynamic => Precision::Dynamic,
            arguments::Precision::Auto => Precision::Auto(NOISE),
        },
        weights: match arguments.weights {
            arguments::Bits::Bits8 => WeightBits::Bits8,
            arguments::Bits::Bits16 => WeightBits::Bits16,
        },
        ..ImportOptions::default()
    };
    let mut inputs = onnx::ports(onnx)?.inputs;
    inputs.retain(|input| !options.constants.contains_key(&input.name));
    let names: Vec<String> = inputs.iter().map(|input| input.name.clone()).collect();
    let unknown = arguments.calibration.iter().filter_map(|(name, _)| name.as_ref()).find(|name| !names.contains(name));
    if let Some(name) = unknown {
        bail!("--calibration names {name}, but the inputs are {}", names.join(", "));
    }
    let mut columns = Vec::new();
    for (name, integer) in inputs.iter().map(|input| (&input.name, input.is_integer())) {
        let told = arguments.encoding.iter().find(|(own, _)| own == name).map(|(_, stored)| *stored);
        let files = arguments.calibration.iter();
        let mut files = files.filter(|(own, _)| own.as_ref().is_none_or(|own| own == name)).map(|(_, path)| path);
        // Integers of a file stand for themselves where no scale is told.
        let whole = InputEncoding { dtype: DType::I32, scale: 1.0, zero_point: 0 };
        let reading = match told {
            Some(Stored { dtype, scale, zero_point }) => {
                scale.map_or(whole, |scale| InputEncoding { dtype, scale, zero_point })
            }
            None if integer => whole,
            None => default_encoding,
        };
        let column = files.next().map(|path| calibration::read(path, &reading)).transpose()?;
        if let Some(Stored { dtype, scale, .. }) = told {
            let samples = column.as_deref().unwrap_or(&[]);
            let encoding = if scale.is_some() { reading } else { calibration::encoding(dtype, samples)? };
            options.encodings.insert(name.clone(), encoding);
        }
        columns.extend(column.map(|column| (name, column)));
    }
    options.calibration = joined(&names, &columns)?;
    Ok(options)
}

/// The samples of all inputs side by side.
fn joined(names: &[String], columns: &[(&String, Vec<Vec<f32>>)]) -> Result<Vec<Vec<f32>>> {
    let Some((first, samples)) = columns.first() else { return Ok(Vec::new()) };
    if let Some(name) = names.iter().find(|name| !columns.iter().any(|(own, _)| own == name)) {
        bail!("there are calibration samples for {first}, but none for {name}: --calibration {name}=PATH");
    }
    if let Some((name, column)) = columns.iter().find(|(_, column)| column.len() != samples.len()) {
        bail!("{} calibration samples for {first}, but {} for {name}", samples.len(), column.len());
    }
    let row = |number: usize| columns.iter().filter_map(|(_, column)| column.get(number)).flatten().copied().collect();
    Ok((0..samples.len()).map(row).collect())
}

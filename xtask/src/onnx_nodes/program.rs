//! A case by its integer program: imported with the case's own inputs as calibration, run by the engine.

use opml_ops::{
    ImportOptions,
    engine::Engine,
    graph::Data,
    import::{InputEncoding, Precision, WeightBits},
    import_onnx,
    onnx::Tensor,
};
use opml_vm::{DType, interpreter::Stop};

use super::{Outcome, case::Case, compare};

/// Most elements of one run.
const ELEMENTS: u64 = 1 << 28;

pub(super) fn run(case: &Case, inputs: &[Tensor], outputs: &[Tensor]) -> Outcome {
    let (read, reading) = match case.read(inputs) {
        Ok(read) => read,
        Err(error) => return Outcome::Unsupported(error.to_string()),
    };
    for (number, expected) in outputs.iter().enumerate() {
        let id = read.graph.outputs[number];
        if read.graph.value(id).constant.is_some() {
            continue;
        }
        let given = case.given(&read, inputs);
        let sample = given.iter().zip(&read.encodings).flat_map(|(tensor, encoding)| match (&tensor.data, encoding) {
            (Data::Int(stored), Some(encoding)) => encoding.decode(stored),
            _ => floats(tensor),
        });
        let options = ImportOptions {
            calibration: vec![sample.collect()],
            encodings: read
                .graph
                .inputs
                .iter()
                .zip(&given)
                .filter(|(_, tensor)| matches!(tensor.data, Data::Float(_)))
                .map(|(&id, tensor)| (read.graph.value(id).name.clone(), encoding(tensor)))
                .collect(),
            shapes: reading.shapes.clone(),
            constants: reading.constants.clone(),
            output: Some(case.ports.outputs[number].name.clone()),
            precision: Precision::Bits16,
            weights: WeightBits::Bits16,
            ..ImportOptions::default()
        };
        match one(case, &given, &options) {
            Err(why) => return Outcome::Unsupported(why),
            Ok(found) => {
                let found = match read.coded[number] {
                    Some(encoding) => Tensor {
                        data: Data::Int(floats(&found).iter().map(|&v| encoding.stored(f64::from(v))).collect()),
                        ..found
                    },
                    None => found,
                };
                let port = &case.ports.outputs[number];
                if let Err(why) = compare::program(&found, expected, port.kind.unwrap_or(0)) {
                    return Outcome::Wrong(format!("output {}: {why}", port.name));
                }
            }
        }
    }
    Outcome::Passed
}

fn one(case: &Case, given: &[&Tensor], options: &ImportOptions) -> Result<Tensor, String> {
    let imported = import_onnx(&case.model, options).map_err(|error| error.to_string())?;
    let stored = imported.inputs.iter().zip(given).map(|(port, tensor)| match &tensor.data {
        Data::Int(values) => opml_vm::Tensor::saturating(port.encoding.dtype, values),
        Data::Float(values) => {
            let stored: Vec<i64> = values.iter().map(|&v| port.encoding.stored(f64::from(v))).collect();
            opml_vm::Tensor::saturating(port.encoding.dtype, &stored)
        }
    });
    let run = Engine::compile(&imported.program).run(&stored.collect::<Vec<_>>(), Stop::Exactly(1), ELEMENTS);
    let run = run.map_err(|error| error.to_string())?;
    let values = run.output(&imported.program).map(opml_vm::Tensor::values).unwrap_or_default();
    let encoding = imported.output.encoding;
    let data = if encoding.is_integer() { Data::Int(values) } else { Data::Float(encoding.decode(&values)) };
    Ok(Tensor { shape: imported.output.shape, data })
}

/// 32 bits fixed point, 24 of them for the numbers given: as fine as f32.
fn encoding(tensor: &Tensor) -> InputEncoding {
    let largest = floats(tensor).iter().fold(0.0f64, |largest, v| largest.max(f64::from(v.abs())));
    let mut scale = 1.0 / f64::from(1 << 23);
    while largest > scale * f64::from(1 << 24) {
        scale *= 2.0;
    }
    InputEncoding { dtype: DType::I32, scale, zero_point: 0 }
}

#[allow(clippy::as_conversions, reason = "calibration samples are f32")]
fn floats(tensor: &Tensor) -> Vec<f32> {
    match &tensor.data {
        Data::Float(values) => values.clone(),
        Data::Int(values) => values.iter().map(|&v| v as f32).collect(),
    }
}

//! From a file to a program in one call.

use std::collections::BTreeMap;

use opml_vm::{DType, Program};

pub use crate::{
    error::ImportError,
    graph::Encoding,
    onnx::Limits,
    quantise::{Level, Point, Precision, RangeRule, Report, Settings, WeightBits},
};
use crate::{graph, onnx, quantise};

/// How the numbers of an input are stored: `real = scale · (stored − zero_point)`.
pub type InputEncoding = Encoding;

/// Pixels: u8, real number = pixel / 255.
pub const PIXELS: InputEncoding = Encoding { dtype: DType::U8, scale: 1.0 / 255.0, zero_point: 0 };

/// What the importer is told.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportOptions {
    /// Samples of real inputs: for each sample the elements of all inputs in the file's order, one after another.
    pub calibration: Vec<Vec<f32>>,
    /// Encodings of float inputs by name.
    pub encodings: BTreeMap<String, InputEncoding>,
    /// Encoding of the other float inputs.
    pub default_encoding: InputEncoding,
    /// Shapes of inputs by name, where the file leaves extents open.
    pub shapes: BTreeMap<String, Vec<usize>>,
    /// Inputs that are known at import, by name: they become constants.
    pub constants: BTreeMap<String, onnx::Tensor>,
    /// The output to compute; needed if the file has several.
    pub output: Option<String>,
    /// How activation ranges are chosen.
    pub range: RangeRule,
    /// How finely activations are stored.
    pub precision: Precision,
    /// How finely weights are stored.
    pub weights: WeightBits,
    /// Samples that the report compares with the float network.
    pub compared: usize,
    /// What the import may take.
    pub limits: Limits,
}

impl Default for ImportOptions {
    fn default() -> Self {
        Self {
            calibration: Vec::new(),
            encodings: BTreeMap::new(),
            default_encoding: PIXELS,
            shapes: BTreeMap::new(),
            constants: BTreeMap::new(),
            output: None,
            range: RangeRule::default(),
            precision: Precision::default(),
            weights: WeightBits::default(),
            compared: 8,
            limits: Limits::default(),
        }
    }
}

/// An input or the output of the program, as a person knows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Port {
    /// Name in the file.
    pub name: String,
    /// Extents, row-major.
    pub shape: Vec<usize>,
    /// How the real numbers are stored.
    pub encoding: Encoding,
}

/// A finished import.
#[derive(Debug, Clone)]
pub struct Imported {
    /// The program.
    pub program: Program,
    /// Its inputs.
    pub inputs: Vec<Port>,
    /// Its output.
    pub output: Port,
    /// The float network, for comparisons.
    pub graph: graph::Graph,
    /// What quantisation did.
    pub report: Report,
}

/// Reads an ONNX file and quantises it.
///
/// The result depends on the bytes and the options alone, not on the machine.
///
/// ```no_run
/// use opml_ops::{ImportOptions, engine::Engine, import::PIXELS, import_onnx};
/// use opml_vm::{Tensor, interpreter::Stop};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (pictures, picture): (Vec<Vec<i64>>, Vec<i64>) = Default::default();
/// let calibration = pictures.iter().map(|pixels| PIXELS.decode(pixels)).collect();
/// let options = ImportOptions { calibration, ..ImportOptions::default() };
/// let imported = import_onnx(&std::fs::read("model.onnx")?, &options)?;
/// let input = Tensor::from_values(PIXELS.dtype, &picture)?;
/// let run = Engine::compile(&imported.program).run(&[input], Stop::Exactly(1), 1 << 30)?;
/// let logits = run.output(&imported.program).map(Tensor::values);
/// # Ok(()) }
/// ```
///
/// # Errors
/// See [`ImportError`].
pub fn import_onnx(bytes: &[u8], options: &ImportOptions) -> Result<Imported, ImportError> {
    let (shapes, constants) = (options.shapes.clone(), options.constants.clone());
    let reading = onnx::Options { shapes, constants, limits: options.limits.clone() };
    let onnx::Read { mut graph, encodings, .. } = onnx::read(bytes, &reading)?;
    choose_output(&mut graph, options.output.as_deref())?;
    if matches!(options.precision, Precision::Dynamic | Precision::Auto(_)) {
        graph::passes::real_products(&mut graph);
    }
    graph::passes::simplify(&mut graph);
    let work = graph.work();
    if work > options.limits.work {
        let what = "number of multiplications".into();
        return Err(ImportError::Limit { what, value: work, limit: options.limits.work });
    }
    check_options(&graph, options)?;
    let encodings: Vec<Encoding> = graph
        .inputs
        .iter()
        .zip(encodings)
        .map(|(&id, stated)| {
            let named = || options.encodings.get(&graph.value(id).name).copied();
            stated.or_else(named).unwrap_or(options.default_encoding)
        })
        .collect();
    let samples = samples(&graph, &options.calibration)?;
    check_ranges(&graph, &encodings, &samples)?;
    let settings = Settings { range: options.range, precision: options.precision, weights: options.weights };
    let quantised = quantise::quantise(&graph, &encodings, &samples, &settings)?;
    let inputs = graph.inputs.iter().zip(&encodings).map(|(&id, &encoding)| port(&graph, id, encoding)).collect();
    let output = graph.outputs.first().copied().ok_or(ImportError::NoOutput)?;
    let mut output = port(&graph, output, quantised.output);
    if let Some(name) = graph.output_names.first() {
        output.name.clone_from(name);
    }
    let compared = samples.get(..options.compared.min(samples.len())).unwrap_or(&[]);
    let report = quantise::compare(&graph, &encodings, &quantised, compared)?;
    Ok(Imported { program: quantised.program, inputs, output, graph, report })
}

/// Refuses names that the graph does not have, and encodings that store nothing.
fn check_options(graph: &graph::Graph, options: &ImportOptions) -> Result<(), ImportError> {
    let fail = |name: &String, why: String| Err(ImportError::Input { name: name.clone(), why });
    for name in options.encodings.keys().chain(options.shapes.keys()) {
        if !graph.inputs.iter().any(|&id| graph.value(id).name == *name) {
            return fail(name, "is named in the options, but the file has no such input".into());
        }
    }
    let default = String::from("(default encoding)");
    for (name, encoding) in options.encodings.iter().chain([(&default, &options.default_encoding)]) {
        let Encoding { dtype, scale, zero_point } = *encoding;
        if !(scale.is_normal() && scale > 0.0) {
            return fail(name, format!("scale {scale} is not a positive number"));
        }
        if !dtype.is_writable() || dtype.saturate(zero_point) != zero_point {
            return fail(name, format!("an input of {} with zero point {zero_point} cannot be", dtype.name()));
        }
    }
    Ok(())
}

fn port(graph: &graph::Graph, id: graph::ValueId, encoding: Encoding) -> Port {
    let value = graph.value(id);
    Port { name: value.name.clone(), shape: value.shape.clone(), encoding }
}

fn choose_output(graph: &mut graph::Graph, name: Option<&str>) -> Result<(), ImportError> {
    let chosen = match name {
        Some(name) => graph.output_names.iter().position(|known| known == name),
        None if graph.outputs.len() == 1 => Some(0),
        None => return Err(ImportError::ManyOutputs(graph.output_names.join(", "))),
    };
    let chosen = chosen.ok_or_else(|| ImportError::Output(name.unwrap_or_default().to_owned()))?;
    if graph.value(graph.outputs[chosen]).constant.is_some() {
        return Err(ImportError::Output(graph.output_names[chosen].clone()));
    }
    graph.outputs = vec![graph.outputs[chosen]];
    graph.output_names = vec![graph.output_names[chosen].clone()];
    graph.remove_dead();
    Ok(())
}

/// Refuses samples that an input cannot store: they show that its encoding is not the network's.
fn check_ranges(graph: &graph::Graph, encodings: &[Encoding], samples: &[Vec<&[f32]>]) -> Result<(), ImportError> {
    for (number, sample) in samples.iter().enumerate() {
        for ((data, encoding), &id) in sample.iter().zip(encodings).zip(&graph.inputs) {
            let slack = encoding.scale * 0.51;
            let low = encoding.real(encoding.dtype.min()) - slack;
            let high = encoding.real(encoding.dtype.max()) + slack;
            if let Some(value) = data.iter().find(|&&v| !(low..=high).contains(&f64::from(v))) {
                let name = &graph.value(id).name;
                return Err(ImportError::Calibration(format!(
                    "sample {number} has {value} for input \"{name}\", whose encoding holds {low} to {high}: give the input's encoding"
                )));
            }
        }
    }
    Ok(())
}

/// Cuts each sample into the inputs.
fn samples<'a>(graph: &graph::Graph, calibration: &'a [Vec<f32>]) -> Result<Vec<Vec<&'a [f32]>>, ImportError> {
    let sizes: Vec<usize> = graph.inputs.iter().map(|&id| graph.value(id).elements()).collect();
    let total = sizes.iter().fold(0, |n: usize, &size| n.saturating_add(size));
    let cut = |(number, sample): (usize, &'a Vec<f32>)| {
        if sample.len() != total {
            let found = sample.len();
            return Err(ImportError::Calibration(format!(
                "sample {number} has {found} numbers, the inputs have {total}"
            )));
        }
        if sample.iter().any(|v| !v.is_finite()) {
            return Err(ImportError::Calibration(format!("sample {number} has a number that is not finite")));
        }
        let mut rest = sample.as_slice();
        Ok(sizes
            .iter()
            .map(|&size| {
                let (head, tail) = rest.split_at(size);
                rest = tail;
                head
            })
            .collect())
    };
    calibration.iter().enumerate().map(cut).collect()
}

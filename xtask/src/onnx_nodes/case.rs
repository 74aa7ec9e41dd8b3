//! One case: a model with inputs and expected outputs.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, Result};
use opml_ops::{
    ImportError, NodeFault, float,
    graph::Data,
    onnx::{self, Options, Ports, Read, Tensor},
};

use super::{Mode, Outcome, compare, program};

/// A case that is complete.
pub(super) struct Case {
    pub(super) model: Vec<u8>,
    pub(super) ports: Ports,
    /// Whether the expected numbers are written in four digits only.
    digits: bool,
    /// Data sets: inputs and expected outputs in the model's order; or why their numbers cannot be used.
    sets: Result<Vec<Set>, String>,
}

/// Inputs and expected outputs.
struct Set {
    inputs: Vec<Tensor>,
    outputs: Vec<Tensor>,
}

/// Cases whose expected integers wrap around where the operator's definition says that they saturate.
const WRAPS: [&str; 4] = [
    "test_qlinearmatmul_2D_int8_float16",
    "test_qlinearmatmul_2D_int8_float32",
    "test_qlinearmatmul_3D_int8_float16",
    "test_qlinearmatmul_3D_int8_float32",
];

impl Case {
    /// Reads a case.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let model = std::fs::read(path.join("model.onnx"))?;
        let ports = onnx::ports(&model).with_context(|| path.display().to_string())?;
        let mut sets = sets(path, &ports);
        if WRAPS.iter().any(|name| path.ends_with(name)) {
            sets = Err("the expected output wraps around where the operator's definition saturates".into());
        }
        let digits = path.ends_with("test_averagepool_2d_ceil_last_window_starts_on_pad");
        Ok(Self { model, ports, digits, sets })
    }

    pub(super) fn operators(&self) -> &[String] {
        &self.ports.operators
    }

    pub(super) fn run(&self, mode: Mode) -> Outcome {
        let sets = match &self.sets {
            Ok(sets) => sets,
            Err(why) => return Outcome::Unsupported(why.clone()),
        };
        for Set { inputs, outputs } in sets {
            let result = match mode {
                Mode::Float => self.floats(inputs, outputs),
                Mode::Program => program::run(self, inputs, outputs),
            };
            if result != Outcome::Passed {
                return result;
            }
        }
        Outcome::Passed
    }

    fn floats(&self, inputs: &[Tensor], outputs: &[Tensor]) -> Outcome {
        let (read, _) = match self.read(inputs) {
            Ok(read) => read,
            Err(error) => return Outcome::Unsupported(error.to_string()),
        };
        let given = self.given(&read, inputs).into_iter().zip(&read.encodings).map(|(tensor, encoding)| {
            match (&tensor.data, encoding) {
                (Data::Int(stored), Some(encoding)) if !encoding.is_integer() => Data::Float(encoding.decode(stored)),
                (data, _) => data.clone(),
            }
        });
        let values = float::evaluate_graph(&read.graph, given.collect());
        for (number, expected) in outputs.iter().enumerate() {
            let id = read.graph.outputs[number];
            let found = match values.integers(id) {
                Some(integers) => Data::Int(integers.to_vec()),
                None => Data::Float(values.get(id).to_vec()),
            };
            let found = match (found, read.coded[number]) {
                (Data::Float(floats), Some(encoding)) => {
                    Data::Int(floats.iter().map(|&v| encoding.stored(f64::from(v))).collect())
                }
                (found, _) => found,
            };
            let port = &self.ports.outputs[number];
            let found = Tensor { shape: read.graph.shape(id).to_vec(), data: found };
            if let Err(why) = compare::floats(&found, expected, port.kind.unwrap_or(0), self.digits) {
                return Outcome::Wrong(format!("output {}: {why}", port.name));
            }
        }
        Outcome::Passed
    }

    /// The tensors of the inputs that are not constants.
    pub(super) fn given<'t>(&self, read: &Read, inputs: &'t [Tensor]) -> Vec<&'t Tensor> {
        let number = |name: &String| self.ports.inputs.iter().position(|port| port.name == *name);
        let names = read.graph.inputs.iter().map(|&id| &read.graph.value(id).name);
        names.filter_map(|name| inputs.get(number(name)?)).collect()
    }

    /// Reads the model. Inputs are constants only where a node needs one, and where they have no elements.
    pub(super) fn read(&self, inputs: &[Tensor]) -> Result<(Read, Options), ImportError> {
        let named: BTreeMap<&String, &Tensor> = self.ports.inputs.iter().map(|port| &port.name).zip(inputs).collect();
        let mut options = Options::default();
        for (&name, &tensor) in &named {
            if tensor.data.is_empty() {
                options.constants.insert(name.clone(), tensor.clone());
            } else {
                options.shapes.insert(name.clone(), tensor.shape.clone());
            }
        }
        loop {
            let error = match onnx::read(&self.model, &options) {
                Ok(read) => return Ok((read, options)),
                Err(error) => error,
            };
            let ImportError::Node { fault: NodeFault::NotConstant { depends, .. }, .. } = &error else {
                return Err(error);
            };
            let before = options.constants.len();
            for name in depends {
                if let Some(&tensor) = named.get(name) {
                    options.shapes.remove(name);
                    options.constants.insert(name.clone(), tensor.clone());
                }
            }
            if options.constants.len() == before {
                return Err(error);
            }
        }
    }
}

/// All data sets of a case.
fn sets(path: &Path, ports: &Ports) -> Result<Vec<Set>, String> {
    if ports.inputs.iter().chain(&ports.outputs).any(|port| port.kind.is_none()) {
        return Err("type: sequences, optional values and maps".into());
    }
    let folders = (0..).map(|number| path.join(format!("test_data_set_{number}"))).take_while(|set| set.is_dir());
    let casts = ports.operators.iter().all(|operator| operator == "Cast" || operator == "CastLike");
    let read = |set: std::path::PathBuf| {
        let inputs = tensors(&set, "input", ports.inputs.len())?;
        let set = Set { inputs, outputs: tensors(&set, "output", ports.outputs.len())? };
        if casts {
            Ok(finite(set))
        } else if is_finite(&set) {
            Ok(set)
        } else {
            Err("numbers that are not finite".into())
        }
    };
    folders.map(read).collect()
}

/// The tensors `KIND_0.pb`, `KIND_1.pb`, … of a data set.
fn tensors(set: &Path, kind: &str, count: usize) -> Result<Vec<Tensor>, String> {
    let one = |number: usize| {
        let file = set.join(format!("{kind}_{number}.pb"));
        let bytes = std::fs::read(&file).map_err(|_| format!("{kind} {number} is not given"))?;
        let tensor = onnx::tensor(&bytes).map_err(|error| format!("type: {error}"))?;
        Ok(tensor)
    };
    (0..count).map(one).collect()
}

fn is_finite(set: &Set) -> bool {
    let of = |tensor: &Tensor| match &tensor.data {
        Data::Float(values) => values.iter().all(|v| v.is_finite()),
        Data::Int(_) => true,
    };
    set.inputs.iter().chain(&set.outputs).all(of)
}

/// Integers have no NaN and no infinity: where a cast takes or gives one, both are 0 instead.
fn finite(mut set: Set) -> Set {
    let Set { inputs, outputs } = &mut set;
    let (Some(input), Some(output)) = (inputs.first_mut(), outputs.first_mut()) else { return set };
    let odd =
        |data: &Data, i: usize| matches!(data, Data::Float(values) if values.get(i).is_some_and(|v| !v.is_finite()));
    for i in 0..input.data.len().min(output.data.len()) {
        if odd(&input.data, i) || odd(&output.data, i) {
            zero(&mut input.data, i);
            zero(&mut output.data, i);
        }
    }
    set
}

fn zero(data: &mut Data, i: usize) {
    match data {
        Data::Float(values) => values[i] = 0.0,
        Data::Int(values) => values[i] = 0,
    }
}

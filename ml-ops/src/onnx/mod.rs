//! Reader of ONNX files into a [`Graph`].
//!
//! Hostile bytes give errors: every size is checked before memory is taken for it, and memory stays proportional to the
//! file plus [`Limits::total`].

mod call;
mod operators;
mod proto;
mod tensors;
mod window;

use std::collections::BTreeMap;

use prost::Message;

use crate::{
    error::ImportError,
    graph::{Encoding, Graph, ValueId},
    num,
};

/// Multiplications that folding constants may take.
const FOLDING: u64 = 1 << 30;

/// Opsets of the default domain that are read.
pub const OPSETS: std::ops::RangeInclusive<i64> = 7..=21;

/// What an import may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Nodes of the graph.
    pub nodes: usize,
    /// Elements of any one value.
    pub elements: usize,
    /// Elements of all computed values.
    pub total: usize,
    /// Multiplications of one inference.
    pub work: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { nodes: 1 << 16, elements: 1 << 28, total: 1 << 29, work: 1 << 42 }
    }
}

/// A graph as the file has it, and how its integer inputs are encoded.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    /// The graph.
    pub graph: Graph,
    /// For each input: the encoding that the file states, if it declares integers.
    pub encodings: Vec<Option<Encoding>>,
}

/// Reads a file. `shapes` replaces the shapes of inputs by name; other symbolic extents are 1 if first, else refused.
///
/// # Errors
/// The file is not ONNX, or holds something that is not supported; the error names node and operator.
pub fn read(bytes: &[u8], shapes: &BTreeMap<String, Vec<usize>>, limits: &Limits) -> Result<Read, ImportError> {
    let model = proto::ModelProto::decode(bytes).map_err(|error| ImportError::Decode(error.to_string()))?;
    let opset = opset_of(&model)?;
    let source = model.graph.ok_or(ImportError::NoGraph)?;
    if source.node.len() > limits.nodes {
        return Err(ImportError::Limit {
            what: "number of nodes".into(),
            value: num::wide(source.node.len()),
            limit: num::wide(limits.nodes),
        });
    }
    let mut reader = Reader {
        graph: Graph::default(),
        names: BTreeMap::new(),
        types: BTreeMap::new(),
        encodings: Vec::new(),
        opset,
        limits,
        total: 0,
        folded: 0,
    };
    for tensor in &source.initializer {
        let (shape, constant) = tensors::constant(tensor)?;
        let id = reader.graph.add_constant(&tensor.name, shape, constant);
        reader.names.insert(tensor.name.clone(), Named { id, coded: None });
        reader.types.insert(tensor.name.clone(), tensor.data_type);
    }
    for input in &source.input {
        reader.input(input, shapes)?;
    }
    for node in &source.node {
        operators::read(&mut reader, node).map_err(|fault| ImportError::Node {
            node: if node.name.is_empty() {
                node.output.first().cloned().unwrap_or_default()
            } else {
                node.name.clone()
            },
            operator: node.op_type.clone(),
            fault,
        })?;
    }
    for output in &source.output {
        let named = reader.names.get(&output.name).ok_or_else(|| ImportError::Output(output.name.clone()))?;
        if reader.graph.value(named.id).constant.is_some() {
            return Err(ImportError::Output(output.name.clone()));
        }
        reader.graph.outputs.push(named.id);
        reader.graph.output_names.push(output.name.clone());
    }
    if reader.graph.outputs.is_empty() {
        return Err(ImportError::NoOutput);
    }
    reader.graph.remove_dead();
    Ok(Read { graph: reader.graph, encodings: reader.encodings })
}

fn opset_of(model: &proto::ModelProto) -> Result<i64, ImportError> {
    let default = model.opset_import.iter().find(|set| is_default_domain(&set.domain));
    let version = default.map_or(0, |set| set.version);
    if OPSETS.contains(&version) {
        return Ok(version);
    }
    Err(ImportError::Opset { domain: default.map(|set| set.domain.clone()).unwrap_or_default(), version })
}

fn is_default_domain(domain: &str) -> bool {
    domain.is_empty() || domain == "ai.onnx"
}

/// What a name stands for.
#[derive(Debug, Clone, Copy)]
struct Named {
    id: ValueId,
    /// The name means the stored integers of the value, not the real numbers.
    coded: Option<Coded>,
}

/// Which integers a name means.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Coded {
    /// Those of a `QuantizeLinear`.
    With(Encoding),
    /// Those of the graph's input of this number, whose scale a `DequantizeLinear` will tell.
    Input(usize, opml_vm::DType),
}

struct Reader<'a> {
    graph: Graph,
    names: BTreeMap<String, Named>,
    /// ONNX element types of constants.
    types: BTreeMap<String, i32>,
    encodings: Vec<Option<Encoding>>,
    opset: i64,
    limits: &'a Limits,
    /// Elements computed so far.
    total: usize,
    /// Multiplications spent on folding constants.
    folded: u64,
}

impl Reader<'_> {
    fn input(&mut self, info: &proto::ValueInfo, shapes: &BTreeMap<String, Vec<usize>>) -> Result<(), ImportError> {
        if self.names.contains_key(&info.name) {
            // Older files list initializers among the inputs.
            return Ok(());
        }
        let fail = |why: String| ImportError::Input { name: info.name.clone(), why };
        let tensor = info.r#type.as_ref().and_then(|t| t.tensor_type.as_ref());
        let tensor = tensor.ok_or_else(|| fail("is not a tensor".into()))?;
        let shape = match shapes.get(&info.name) {
            Some(shape) => shape.clone(),
            None => declared_shape(tensor).map_err(&fail)?,
        };
        let elements = crate::graph::elements(&shape);
        if elements == 0 || elements > self.limits.elements {
            return Err(fail(format!("{shape:?} has {elements} elements, allowed are 1 to {}", self.limits.elements)));
        }
        let number = self.graph.inputs.len();
        let coded = match tensors::dtype(tensor.elem_type) {
            Some(dtype) => Some(Coded::Input(number, dtype)),
            None if tensors::is_float(tensor.elem_type) => None,
            None => {
                let kind = tensor.elem_type;
                return Err(fail(format!("element type {kind} is not supported: floats, u8, i8, i16, i32, i64 are")));
            }
        };
        let id = self.graph.add_value(&info.name, shape);
        self.graph.inputs.push(id);
        self.encodings.push(None);
        self.names.insert(info.name.clone(), Named { id, coded });
        Ok(())
    }
}

fn declared_shape(tensor: &proto::TensorType) -> Result<Vec<usize>, String> {
    let shape = tensor.shape.as_ref().ok_or("has no shape: give it in the options")?;
    let extents = shape.dim.iter().enumerate();
    extents
        .map(|(axis, dim)| match dim.dim_value.and_then(num::index) {
            Some(extent) if extent > 0 => Ok(extent),
            _ if axis == 0 => Ok(1),
            _ => Err(format!("extent of axis {axis} is not fixed: give the shape in the options")),
        })
        .collect()
}

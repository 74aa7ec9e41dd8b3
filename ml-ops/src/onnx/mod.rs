//! Reader of ONNX files into a [`Graph`].
//!
//! Hostile bytes give errors: every size is checked before memory is taken for it, and memory stays proportional to the
//! file plus [`Limits::total`].

mod call;
mod check;
mod files;
mod operators;
mod proto;
mod tensors;
mod window;

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;

use crate::{
    error::ImportError,
    graph::{Constant, Data, Encoding, Graph, ValueId},
    num,
};

pub use check::{Unsupported, check};
pub use files::{Declared, Ports, ports, tensor};

/// Names of all operators that are read, in alphabetical order.
pub fn supported() -> Vec<&'static str> {
    operators::supported()
}

/// Multiplications that folding constants may take.
const FOLDING: u64 = 1 << 30;

/// Opsets of the default domain that are read. Operators whose meaning changed in between are read as their version says.
pub const OPSETS: std::ops::RangeInclusive<i64> = 7..=25;

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

/// What a file leaves open.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Options {
    /// Shapes of inputs by name; other symbolic extents are 1 if first, else refused.
    pub shapes: BTreeMap<String, Vec<usize>>,
    /// Inputs that are known at import, by name.
    pub constants: BTreeMap<String, Tensor>,
    /// What the import may take.
    pub limits: Limits,
}

/// A tensor outside a graph.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Extents.
    pub shape: Vec<usize>,
    /// Elements, row-major.
    pub data: Data,
}

/// A graph as the file has it, and how its integer inputs are encoded.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    /// The graph.
    pub graph: Graph,
    /// For each input: the encoding that the file states, if it declares integers.
    pub encodings: Vec<Option<Encoding>>,
    /// For each output: the encoding whose stored integers the output is, where it is not real numbers.
    pub coded: Vec<Option<Encoding>>,
}

/// Reads a file.
///
/// # Errors
/// The file is not ONNX, or holds something that is not supported; the error names node and operator.
pub fn read(bytes: &[u8], options: &Options) -> Result<Read, ImportError> {
    let (source, opset) = open(bytes, &options.limits)?;
    let mut reader = Reader::new(opset, &options.limits);
    reader.start(&source, options)?;
    for node in &source.node {
        operators::read(&mut reader, node).map_err(|fault| ImportError::Node {
            node: label(node),
            operator: node.op_type.clone(),
            fault,
        })?;
    }
    reader.finish(&source)
}

/// The graph of a file and the version of its operators.
fn open(bytes: &[u8], limits: &Limits) -> Result<(proto::GraphProto, i64), ImportError> {
    let model = proto::ModelProto::decode(bytes).map_err(|error| ImportError::Decode(error.to_string()))?;
    let opset = opset_of(&model)?;
    let source = model.graph.ok_or(ImportError::NoGraph)?;
    if source.node.len() > limits.nodes {
        let (value, limit) = (num::wide(source.node.len()), num::wide(limits.nodes));
        return Err(ImportError::Limit { what: "number of nodes".into(), value, limit });
    }
    Ok((source, opset))
}

/// A node's name, or that of its first result.
fn label(node: &proto::NodeProto) -> String {
    if node.name.is_empty() { node.output.first().cloned().unwrap_or_default() } else { node.name.clone() }
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
    /// The name means the stored integers of the value, not its own numbers.
    coded: Option<Coded>,
    /// ONNX element type.
    kind: i32,
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
    encodings: Vec<Option<Encoding>>,
    opset: i64,
    limits: &'a Limits,
    /// Elements computed so far.
    total: usize,
    /// Multiplications spent on folding constants.
    folded: u64,
}

impl<'a> Reader<'a> {
    fn new(opset: i64, limits: &'a Limits) -> Self {
        Self {
            graph: Graph::default(),
            names: BTreeMap::new(),
            encodings: Vec::new(),
            opset,
            limits,
            total: 0,
            folded: 0,
        }
    }

    /// Names the constants and inputs of the graph.
    fn start(&mut self, source: &proto::GraphProto, options: &Options) -> Result<(), ImportError> {
        for tensor in &source.initializer {
            self.initializer(tensor)?;
        }
        if let Some(name) = options.constants.keys().find(|name| source.input.iter().all(|i| i.name != **name)) {
            let why = "is given as a constant, but the file has no such input".into();
            return Err(ImportError::Input { name: name.clone(), why });
        }
        for input in &source.input {
            match options.constants.get(&input.name) {
                Some(tensor) => self.given(input, tensor)?,
                None => self.input(input, source, &options.shapes)?,
            }
        }
        Ok(())
    }

    fn initializer(&mut self, tensor: &proto::TensorProto) -> Result<(), ImportError> {
        let (shape, constant) = tensors::constant(tensor)?;
        let id = self.graph.add_constant(&tensor.name, shape, constant);
        self.names.insert(tensor.name.clone(), Named { id, coded: None, kind: tensor.data_type });
        Ok(())
    }

    /// An input that is known.
    fn given(&mut self, info: &proto::ValueInfo, tensor: &Tensor) -> Result<(), ImportError> {
        let fail = |why: &str| ImportError::Input { name: info.name.clone(), why: why.into() };
        let kind = tensor_type(info).ok_or_else(|| fail("is not a tensor"))?.elem_type;
        if tensor.data.len() != crate::graph::elements(&tensor.shape) {
            return Err(fail("is given with another number of elements than its shape"));
        }
        let data = match (&tensor.data, tensors::dtype(kind)) {
            (Data::Float(values), None) if values.iter().any(|v| v.is_nan()) => None,
            (Data::Float(values), None) if tensors::is_float(kind) => Some(Data::Float(values.clone())),
            (Data::Int(values), None) if tensors::is_float(kind) => {
                Some(Data::Float(values.iter().map(|&v| num::single(num::real(v))).collect()))
            }
            (Data::Int(values), Some(_)) => Some(Data::Int(values.clone())),
            (Data::Float(values), Some(_)) => {
                values.iter().map(|&v| num::integral(v)).collect::<Option<_>>().map(Data::Int)
            }
            _ => None,
        };
        let data = data.ok_or_else(|| fail("is given with numbers that its element type does not hold"))?;
        let id = self.graph.add_constant(&info.name, tensor.shape.clone(), Constant { data, quantised: None });
        self.names.insert(info.name.clone(), Named { id, coded: None, kind });
        Ok(())
    }

    fn input(
        &mut self,
        info: &proto::ValueInfo,
        source: &proto::GraphProto,
        shapes: &BTreeMap<String, Vec<usize>>,
    ) -> Result<(), ImportError> {
        if self.names.contains_key(&info.name) {
            // Older files list initializers among the inputs.
            return Ok(());
        }
        let fail = |why: String| ImportError::Input { name: info.name.clone(), why };
        let tensor = tensor_type(info).ok_or_else(|| fail("is not a tensor".into()))?;
        let shape = match shapes.get(&info.name) {
            Some(shape) => shape.clone(),
            None => declared_shape(tensor).map_err(&fail)?,
        };
        let elements = crate::graph::elements(&shape);
        if elements == 0 || elements > self.limits.elements {
            return Err(fail(format!("{shape:?} has {elements} elements, allowed are 1 to {}", self.limits.elements)));
        }
        let (number, kind) = (self.graph.inputs.len(), tensor.elem_type);
        let dtype = tensors::dtype(kind);
        if dtype.is_none() && !tensors::is_float(kind) {
            let supported = "floats, bool and integers up to 64 bits are";
            return Err(fail(format!("element type {kind} is not supported: {supported}")));
        }
        let id = self.graph.add_value(&info.name, shape);
        self.graph.inputs.push(id);
        let coded = dtype.filter(|_| operators::reaches_scale(source, &info.name));
        let own = dtype.filter(|_| coded.is_none()).map(Encoding::integer);
        self.graph.value_mut(id).encoding = own;
        self.encodings.push(own);
        let coded = coded.map(|dtype| Coded::Input(number, dtype));
        self.names.insert(info.name.clone(), Named { id, coded, kind });
        Ok(())
    }

    /// Takes the outputs.
    fn finish(mut self, source: &proto::GraphProto) -> Result<Read, ImportError> {
        let mut coded = Vec::new();
        for output in &source.output {
            let named = self.names.get(&output.name).ok_or_else(|| ImportError::Output(output.name.clone()))?;
            self.graph.outputs.push(named.id);
            self.graph.output_names.push(output.name.clone());
            coded.push(match named.coded {
                Some(Coded::With(encoding)) => Some(encoding),
                Some(Coded::Input(number, _)) => self.encodings[number],
                None => None,
            });
        }
        if self.graph.outputs.is_empty() {
            return Err(ImportError::NoOutput);
        }
        self.graph.remove_dead();
        Ok(Read { graph: self.graph, encodings: self.encodings, coded })
    }

    /// Names of the inputs that a value is computed from.
    fn inputs_of(&self, id: ValueId) -> Vec<String> {
        let mut wanted = BTreeSet::from([id]);
        for node in self.graph.nodes.iter().rev().filter(|node| !node.inputs.is_empty()) {
            if wanted.contains(&node.output) {
                wanted.extend(&node.inputs);
            }
        }
        let inputs = self.graph.inputs.iter().filter(|id| wanted.contains(id));
        inputs.map(|&id| self.graph.value(id).name.clone()).collect()
    }
}

fn tensor_type(info: &proto::ValueInfo) -> Option<&proto::TensorType> {
    info.r#type.as_ref()?.tensor_type.as_ref()
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

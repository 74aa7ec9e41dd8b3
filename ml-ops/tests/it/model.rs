//! ONNX files written by hand, and the comparison of a model's program with its float network.

use opml_ops::{
    ImportError, ImportOptions, Imported, engine::Engine, float, import::InputEncoding, import_onnx, tier::Tier,
};
use opml_vm::{
    DType, Tensor,
    interpreter::{self, Stop},
};

/// Integers stored as they are, with a zero point.
pub(crate) const UNITS: InputEncoding = InputEncoding { dtype: DType::U8, scale: 1.0, zero_point: 7 };

fn varint(mut n: u64, out: &mut Vec<u8>) {
    while n >= 128 {
        out.push((n & 127) as u8 | 128);
        n >>= 7;
    }
    out.push(n as u8);
}

/// A protocol-buffers message being written.
#[derive(Default, Clone)]
pub(crate) struct Message(pub(crate) Vec<u8>);

impl Message {
    pub(crate) fn int(mut self, field: u64, value: i64) -> Self {
        varint(field << 3, &mut self.0);
        varint(value as u64, &mut self.0);
        self
    }
    pub(crate) fn float(mut self, field: u64, value: f32) -> Self {
        varint(field << 3 | 5, &mut self.0);
        self.0.extend(value.to_le_bytes());
        self
    }
    pub(crate) fn bytes(mut self, field: u64, value: &[u8]) -> Self {
        varint(field << 3 | 2, &mut self.0);
        varint(value.len() as u64, &mut self.0);
        self.0.extend(value);
        self
    }
    pub(crate) fn text(self, field: u64, value: &str) -> Self {
        self.bytes(field, value.as_bytes())
    }
    pub(crate) fn message(self, field: u64, value: &Self) -> Self {
        let bytes = value.0.clone();
        self.bytes(field, &bytes)
    }
}

/// An attribute of a node.
#[derive(Clone)]
pub(crate) enum Attribute {
    Int(&'static str, i64),
    Ints(&'static str, Vec<i64>),
    Float(&'static str, f32),
    Text(&'static str, &'static str),
    Graph(&'static str, Model),
}

/// A model being written.
#[derive(Clone)]
pub(crate) struct Model {
    opset: i64,
    graph: Message,
}

impl Model {
    pub(crate) fn new(opset: i64) -> Self {
        Self { opset, graph: Message::default() }
    }

    fn value(field: u64, graph: Message, name: &str, kind: i64, shape: &[i64]) -> Message {
        let dims = shape.iter().fold(Message::default(), |dims, &n| dims.message(1, &Message::default().int(1, n)));
        let tensor = Message::default().int(1, kind).message(2, &dims);
        let info = Message::default().text(1, name).message(2, &Message::default().message(1, &tensor));
        graph.message(field, &info)
    }

    /// A float input.
    pub(crate) fn input(self, name: &str, shape: &[i64]) -> Self {
        self.input_of(name, 1, shape)
    }

    /// An input of an ONNX element type.
    pub(crate) fn input_of(mut self, name: &str, kind: i64, shape: &[i64]) -> Self {
        self.graph = Self::value(11, self.graph, name, kind, shape);
        self
    }

    pub(crate) fn output(mut self, name: &str) -> Self {
        self.graph = Self::value(12, self.graph, name, 1, &[]);
        self
    }

    fn tensor(mut self, name: &str, kind: i64, shape: &[i64], raw: &[u8]) -> Self {
        let tensor = shape.iter().fold(Message::default(), |tensor, &n| tensor.int(1, n));
        self.graph = self.graph.message(5, &tensor.int(2, kind).text(8, name).bytes(9, raw));
        self
    }

    pub(crate) fn floats(self, name: &str, shape: &[i64], values: &[f32]) -> Self {
        let raw: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.tensor(name, 1, shape, &raw)
    }

    pub(crate) fn ints(self, name: &str, shape: &[i64], values: &[i64]) -> Self {
        let raw: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.tensor(name, 7, shape, &raw)
    }

    /// Numbers of kind u8 (2), i8 (3) or u16 (4).
    pub(crate) fn small(self, name: &str, kind: i64, shape: &[i64], values: &[i64]) -> Self {
        let size = if kind == 4 { 2 } else { 1 };
        let raw: Vec<u8> = values.iter().flat_map(|&v| v.to_le_bytes().into_iter().take(size)).collect();
        self.tensor(name, kind, shape, &raw)
    }

    /// Results are separated by commas.
    pub(crate) fn node(self, operator: &str, inputs: &[&str], output: &str, attributes: &[Attribute]) -> Self {
        self.node_of("", operator, inputs, output, attributes)
    }

    /// A node of an operator domain.
    pub(crate) fn node_of(
        mut self,
        domain: &str,
        operator: &str,
        inputs: &[&str],
        output: &str,
        attributes: &[Attribute],
    ) -> Self {
        let mut node = Message::default();
        for input in inputs {
            node = node.text(1, input);
        }
        node = output.split(',').fold(node, |node, name| node.text(2, name));
        node = node.text(3, &format!("node {output}")).text(4, operator).text(7, domain);
        for attribute in attributes {
            let attribute = match attribute {
                Attribute::Int(name, v) => Message::default().text(1, name).int(3, *v).int(20, 2),
                Attribute::Float(name, v) => Message::default().text(1, name).float(2, *v).int(20, 1),
                Attribute::Text(name, v) => Message::default().text(1, name).text(4, v).int(20, 3),
                Attribute::Graph(name, model) => Message::default().text(1, name).message(6, &model.graph).int(20, 5),
                Attribute::Ints(name, list) => {
                    list.iter().fold(Message::default().text(1, name), |m, &v| m.int(8, v)).int(20, 7)
                }
            };
            node = node.message(5, &attribute);
        }
        self.graph = self.graph.message(1, &node);
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let opset = Message::default().int(2, self.opset);
        Message::default().int(1, 8).message(8, &opset).message(7, &self.graph).0
    }
}

/// Numbers from a fixed sequence, `0 ≤ n < below`.
pub(crate) fn numbers(seed: u64, count: usize, below: u64) -> Vec<i64> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        ((state >> 20) % below) as i64
    };
    (0..count).map(|_| next()).collect()
}

/// Integer weights in [−127, 127] that reach 127 in every row, so that quantisation keeps them as they are.
pub(crate) fn weights(seed: u64, rows: usize, row: usize) -> Vec<f32> {
    let mut values: Vec<f32> = numbers(seed, rows * row, 255).iter().map(|&v| (v - 127) as f32).collect();
    values.chunks_mut(row).for_each(|row| row[0] = 127.0);
    values
}

/// Imports a model whose float inputs hold integers, with calibration on random samples.
pub(crate) fn import(model: &Model, encoding: InputEncoding, elements: usize) -> Result<Imported, ImportError> {
    let calibration = (0..4).map(|seed| encoding.decode(&numbers(seed, elements, 256))).collect();
    let options = ImportOptions { calibration, default_encoding: encoding, ..ImportOptions::default() };
    import_onnx(&model.bytes(), &options)
}

/// Largest difference between program and float network over samples, in real numbers.
pub(crate) fn difference(imported: &Imported, samples: u64) -> f64 {
    let mut largest: f64 = 0.0;
    for seed in 100..100 + samples {
        let (mut stored, mut real) = (Vec::new(), Vec::new());
        for (number, port) in imported.inputs.iter().enumerate() {
            let values: Vec<i64> = numbers(seed * 16 + number as u64, port.shape.iter().product(), 256)
                .into_iter()
                .map(|v| v + port.encoding.dtype.min().max(-128))
                .collect();
            stored.push(Tensor::from_values(port.encoding.dtype, &values).unwrap());
            real.push(port.encoding.decode(&values));
        }
        let run = interpreter::run(&imported.program, &stored, Stop::Exactly(1), 1 << 30).unwrap();
        for tier in Tier::supported() {
            let fast = Engine::compile_for(&imported.program, tier).run(&stored, Stop::Exactly(1), 1 << 30).unwrap();
            assert_eq!(fast, run, "the engine equals the interpreter, {tier:?}");
        }
        let real: Vec<&[f32]> = real.iter().map(Vec::as_slice).collect();
        let values = float::run(&imported.graph, &real);
        let expected = values.get(imported.graph.outputs[0]);
        let actual = run.output(&imported.program).unwrap().values();
        assert_eq!(actual.len(), expected.len());
        for (a, e) in actual.iter().zip(expected) {
            largest = largest.max((imported.output.encoding.real(*a) - f64::from(*e)).abs());
        }
    }
    largest
}

/// Asserts that program and float network agree to within `tolerance`.
pub(crate) fn check(model: &Model, elements: usize, tolerance: f64) -> Imported {
    let imported = import(model, UNITS, elements).unwrap();
    let found = difference(&imported, 6);
    assert!(found <= tolerance, "difference {found} is above {tolerance}: {:#?}", imported.report);
    imported
}

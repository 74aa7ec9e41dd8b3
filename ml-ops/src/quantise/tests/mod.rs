//! Lowerings against plain formulas, by the interpreter and by the engine.
#![allow(clippy::as_conversions, reason = "tests convert small numbers")]

mod dynamic;
mod lines;
mod maps;
mod moves;
mod normalisations;
mod precision;
mod products;
mod reductions;
mod selections;
mod zips;

use opml_vm::{
    DType, Tensor,
    interpreter::{self, Stop},
};

use super::{Precision, Range, RangeRule, Settings, WeightBits, plan, with_ranges};
use crate::{
    engine::Engine,
    graph::{Constant, Data, Encoding, Graph, Node, Operator, ValueId},
};

/// An operand of the node under test.
#[derive(Debug, Clone)]
pub(super) enum Given {
    /// A graph input: shape, encoding, stored numbers.
    Input(Vec<usize>, Encoding, Vec<i64>),
    /// A constant of real numbers.
    Floats(Vec<usize>, Vec<f32>),
    /// A constant of integers.
    Ints(Vec<usize>, Vec<i64>),
}

impl Given {
    pub(super) fn shape(&self) -> &[usize] {
        match self {
            Self::Input(shape, ..) | Self::Floats(shape, _) | Self::Ints(shape, _) => shape,
        }
    }

    /// Real numbers.
    pub(super) fn real(&self) -> Vec<f64> {
        match self {
            Self::Input(_, encoding, stored) => stored.iter().map(|&v| encoding.real(v)).collect(),
            Self::Floats(_, values) => values.iter().map(|&v| f64::from(v)).collect(),
            Self::Ints(_, values) => values.iter().map(|&v| v as f64).collect(),
        }
    }
}

/// What came out.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) encoding: Encoding,
    pub(super) stored: Vec<i64>,
    pub(super) instructions: usize,
}

impl Outcome {
    pub(super) fn real(&self) -> Vec<f64> {
        self.stored.iter().map(|&v| self.encoding.real(v)).collect()
    }

    /// Largest difference from expected real numbers.
    pub(super) fn error(&self, expected: &[f64]) -> f64 {
        assert_eq!(self.stored.len(), expected.len());
        self.real().iter().zip(expected).fold(0.0, |m: f64, (a, e)| m.max((a - e).abs()))
    }
}

/// One node under test.
pub(super) struct Case {
    pub(super) operator: Operator,
    pub(super) operands: Vec<Given>,
    pub(super) shape: Vec<usize>,
    pub(super) stated: Option<Encoding>,
    pub(super) clamp: Option<(f32, f32)>,
    pub(super) settings: Settings,
}

pub(super) fn case(operator: Operator, operands: &[Given], shape: &[usize]) -> Case {
    let settings = Settings { range: RangeRule::MinMax, precision: Precision::Bits16, weights: WeightBits::Bits8 };
    Case { operator, operands: operands.to_vec(), shape: shape.to_vec(), stated: None, clamp: None, settings }
}

impl Case {
    pub(super) fn stated(mut self, encoding: Encoding) -> Self {
        self.stated = Some(encoding);
        self
    }

    pub(super) fn clamp(mut self, low: f32, high: f32) -> Self {
        self.clamp = Some((low, high));
        self
    }

    /// Lowers and runs; `expected` gives the range of the result.
    pub(super) fn run(&self, expected: &[f64]) -> Outcome {
        self.try_run(expected).unwrap()
    }

    pub(super) fn try_run(&self, expected: &[f64]) -> Result<Outcome, crate::ImportError> {
        let mut graph = Graph::default();
        let (mut ids, mut encodings, mut tensors): (Vec<ValueId>, Vec<_>, Vec<_>) = Default::default();
        let mut ranges = Vec::new();
        for (number, given) in self.operands.iter().enumerate() {
            let name = format!("x{number}");
            let shape = given.shape().to_vec();
            let mut range = Range::default();
            range.widen(&given.real().iter().map(|&v| v as f32).collect::<Vec<_>>());
            ranges.push(range);
            ids.push(match given {
                Given::Input(_, encoding, stored) => {
                    let id = graph.add_value(name, shape);
                    graph.inputs.push(id);
                    encodings.push(*encoding);
                    tensors.push(Tensor::from_values(encoding.dtype, stored).unwrap());
                    id
                }
                Given::Floats(_, values) => graph.add_floats(name, shape, values.clone()),
                Given::Ints(_, values) => {
                    let data = Data::Int(values.clone());
                    graph.add_constant(name, shape, Constant { data, quantised: None })
                }
            });
        }
        let output = graph.add_value("y", self.shape.clone());
        graph.value_mut(output).encoding = self.stated;
        let mut range = Range::default();
        range.widen(&expected.iter().map(|&v| v as f32).collect::<Vec<_>>());
        ranges.push(range);
        graph.nodes.push(Node { operator: self.operator.clone(), inputs: ids, output, clamp: self.clamp });
        graph.outputs.push(output);
        let levels = plan::uniform(&graph, self.settings.precision);
        let quantised = with_ranges(&graph, &encodings, ranges, &self.settings, &levels)?;
        quantised.program.validate().unwrap();
        let run = interpreter::run(&quantised.program, &tensors, Stop::Exactly(1), 1 << 30).unwrap();
        let fast = Engine::compile(&quantised.program).run(&tensors, Stop::Exactly(1), 1 << 30).unwrap();
        assert_eq!(fast, run, "the engine equals the interpreter");
        Ok(Outcome {
            encoding: quantised.output,
            stored: run.output(&quantised.program).unwrap().values(),
            instructions: quantised.apart.instructions().len(),
        })
    }
}

/// Numbers from a fixed sequence in `[low, high]`.
pub(super) fn numbers(seed: u64, count: usize, low: i64, high: i64) -> Vec<i64> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let width = (i128::from(high) - i128::from(low) + 1) as u128;
    let mut next = || {
        for _ in 0..2 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
        }
        (i128::from(low) + (u128::from(state) % width) as i128) as i64
    };
    (0..count).map(|_| next()).collect()
}

pub(super) fn elements(shape: &[usize]) -> usize {
    shape.iter().product()
}

/// An input of random stored numbers in a range.
pub(super) fn input(seed: u64, shape: &[usize], encoding: Encoding, low: i64, high: i64) -> Given {
    Given::Input(shape.to_vec(), encoding, numbers(seed, elements(shape), low, high))
}

pub(super) const I64: Encoding = Encoding::integer(DType::I64);
pub(super) const I32: Encoding = Encoding::integer(DType::I32);
pub(super) const BOOL: Encoding = Encoding::integer(DType::U8);

/// 16 bits with a reach.
pub(super) fn half(reach: f64) -> Encoding {
    Encoding { dtype: DType::I16, scale: reach / 32767.0, zero_point: 0 }
}

/// 8 bits with a zero point.
pub(super) fn byte(low: f64, high: f64) -> Encoding {
    let scale = (high - low) / 255.0;
    Encoding { dtype: DType::U8, scale, zero_point: (-low / scale).round() as i64 }
}

/// 32 bits fixed point.
pub(super) const WIDE: Encoding = Encoding { dtype: DType::I32, scale: 1.0 / 65536.0, zero_point: 0 };

/// Row-major coordinates.
pub(super) fn coordinates(mut number: usize, shape: &[usize]) -> Vec<usize> {
    let mut result = vec![0; shape.len()];
    for axis in (0..shape.len()).rev() {
        result[axis] = number % shape[axis];
        number /= shape[axis];
    }
    result
}

/// Row-major number.
pub(super) fn place(coordinates: &[usize], shape: &[usize]) -> usize {
    coordinates.iter().zip(shape).fold(0, |n, (c, extent)| n * extent + c)
}

/// Elements of an operand broadcast to a shape.
pub(super) fn broadcast<T: Copy>(values: &[T], own: &[usize], shape: &[usize]) -> Vec<T> {
    (0..elements(shape))
        .map(|number| {
            let at = coordinates(number, shape);
            let at = &at[shape.len() - own.len()..];
            let at: Vec<usize> = at.iter().zip(own).map(|(&c, &extent)| if extent == 1 { 0 } else { c }).collect();
            values[place(&at, own)]
        })
        .collect()
}

/// Stored numbers of an operand.
pub(super) fn stored(given: &Given) -> Vec<i64> {
    match given {
        Given::Input(_, _, values) | Given::Ints(_, values) => values.clone(),
        Given::Floats(..) => Vec::new(),
    }
}

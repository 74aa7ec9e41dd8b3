//! Evaluation of a graph in f32, for calibration and comparison. Integers stay exact.
//!
//! The same bits on every machine: every operation is a correctly rounded IEEE one in a fixed order, or comes from
//! `libm`. Layouts are ONNX's.

mod elementwise;
pub(crate) mod fold;
pub(crate) mod functions;
mod index;
mod linear;
mod lines;
mod number;
mod pool;
mod real;
mod taps;

use std::{borrow::Cow, collections::BTreeMap};

use crate::{
    graph::{Constant, Data, Encoding, Graph, Node, Operator, ValueId},
    moves, num,
};
use number::Number;

/// A tensor operand.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operand<'a, T = f32> {
    /// Extents.
    pub(crate) shape: &'a [usize],
    /// Elements, row-major.
    pub(crate) data: &'a [T],
}

/// A value: real numbers always, integers where it has no others.
#[derive(Debug, Clone)]
struct Computed {
    floats: Vec<f32>,
    integers: Option<Vec<i64>>,
}

impl Computed {
    fn elements<'a>(&'a self, shape: &'a [usize]) -> Elements<'a> {
        let data = match &self.integers {
            Some(integers) => Slice::Int(integers),
            None => Slice::Float(&self.floats),
        };
        Elements { shape, data }
    }
}

impl From<Data> for Computed {
    fn from(data: Data) -> Self {
        match data {
            Data::Float(floats) => Self { floats, integers: None },
            Data::Int(integers) => Self { floats: to_floats(&integers), integers: Some(integers) },
        }
    }
}

/// The values of one evaluation.
#[derive(Debug, Clone)]
pub struct Values<'g> {
    graph: &'g Graph,
    computed: Vec<Option<Computed>>,
}

impl Values<'_> {
    /// Elements of a value, constant or computed, integers to the nearest f32; empty if the graph does not compute it.
    pub fn get(&self, id: ValueId) -> &[f32] {
        match &self.computed[id.0] {
            Some(computed) => &computed.floats,
            None => self.graph.value(id).floats().unwrap_or(&[]),
        }
    }

    /// Elements of a value that holds integers.
    pub fn integers(&self, id: ValueId) -> Option<&[i64]> {
        self.computed[id.0].as_ref().and_then(|computed| computed.integers.as_deref())
    }

    fn operand(&self, id: ValueId) -> Elements<'_> {
        let shape = self.graph.shape(id);
        match self.integers(id) {
            Some(integers) => Elements { shape, data: Slice::Int(integers) },
            None => Elements { shape, data: Slice::Float(self.get(id)) },
        }
    }
}

/// What `target` becomes when numbers are changed on their way: `read(node, id, numbers)` gives what a node reads of a
/// value, if not its numbers; what it changes of a value for all nodes it must change for each.
pub(crate) fn run_altered(
    graph: &Graph,
    inputs: &[&[f32]],
    read: impl Fn(&Node, ValueId, &[f32]) -> Option<Vec<f32>>,
    target: ValueId,
) -> Vec<f32> {
    let data = inputs.iter().map(|data| Data::Float(data.to_vec())).collect();
    let mut values = given(graph, data);
    for node in &graph.nodes {
        let changed: Vec<Option<Vec<f32>>> = node
            .inputs
            .iter()
            .map(|&id| {
                values[id.0].as_ref().filter(|value| value.integers.is_none()).and_then(|v| read(node, id, &v.floats))
            })
            .collect();
        let operands: Vec<Elements<'_>> = node
            .inputs
            .iter()
            .zip(&changed)
            .map(|(&id, changed)| {
                let shape = graph.shape(id);
                match (changed, &values[id.0]) {
                    (Some(data), _) => Elements { shape, data: Slice::Float(data) },
                    (None, Some(computed)) => computed.elements(shape),
                    (None, None) => Elements { shape, data: Slice::Float(graph.value(id).floats().unwrap_or(&[])) },
                }
            })
            .collect();
        let result = result_of(graph, node, &operands);
        values[node.output.0] = Some(result.into());
    }
    values[target.0].take().map(|value| value.floats).unwrap_or_default()
}

impl Values<'_> {
    /// What `target` becomes when some nodes read other real numbers in place of a value. Only what follows from it is
    /// computed.
    pub(crate) fn replaced(
        &self,
        (id, data): (ValueId, &[f32]),
        reads: impl Fn(&Node) -> bool,
        target: ValueId,
    ) -> Vec<f32> {
        let mut changed: BTreeMap<ValueId, Computed> = BTreeMap::new();
        for node in &self.graph.nodes {
            let direct = node.inputs.contains(&id) && reads(node);
            if !(direct || node.inputs.iter().any(|input| changed.contains_key(input))) {
                continue;
            }
            let operands: Vec<Elements<'_>> = node
                .inputs
                .iter()
                .map(|&input| match changed.get(&input) {
                    _ if direct && input == id => Elements { shape: self.graph.shape(input), data: Slice::Float(data) },
                    Some(computed) => computed.elements(self.graph.shape(input)),
                    None => self.operand(input),
                })
                .collect();
            let result = result_of(self.graph, node, &operands);
            changed.insert(node.output, result.into());
        }
        match changed.remove(&target) {
            Some(computed) => computed.floats,
            None => self.get(target).to_vec(),
        }
    }
}

/// Evaluates a graph on inputs, whose lengths are the inputs' element counts; missing ones count as zeros.
pub fn run<'g>(graph: &'g Graph, inputs: &[&[f32]]) -> Values<'g> {
    let data: Vec<Data> = inputs.iter().map(|data| Data::Float(data.to_vec())).collect();
    evaluate_graph(graph, data)
}

/// Inputs and constants of integers.
fn given(graph: &Graph, inputs: Vec<Data>) -> Vec<Option<Computed>> {
    let mut computed: Vec<Option<Computed>> = vec![None; graph.values.len()];
    for (number, value) in graph.values.iter().enumerate() {
        if let Some(Constant { data: data @ Data::Int(_), .. }) = &value.constant {
            computed[number] = Some(data.clone().into());
        }
    }
    let mut inputs = inputs.into_iter();
    for &id in &graph.inputs {
        let value = graph.value(id);
        let data = match inputs.next().unwrap_or(Data::Float(Vec::new())) {
            Data::Float(mut floats) => {
                floats.resize(value.elements(), 0.0);
                Data::Float(floats)
            }
            Data::Int(mut integers) => {
                integers.resize(value.elements(), 0);
                Data::Int(integers)
            }
        };
        computed[id.0] = Some(stored(data, value.encoding.filter(Encoding::is_integer)).into());
    }
    computed
}

/// [`run`] on inputs of either kind, so that large integers stay exact.
pub fn evaluate_graph(graph: &Graph, inputs: Vec<Data>) -> Values<'_> {
    let mut values = Values { graph, computed: given(graph, inputs) };
    for node in &graph.nodes {
        let result = node_result(graph, node, &values);
        values.computed[node.output.0] = Some(result.into());
    }
    values
}

fn node_result(graph: &Graph, node: &Node, values: &Values<'_>) -> Data {
    let operands: Vec<Elements<'_>> = node.inputs.iter().map(|&id| values.operand(id)).collect();
    result_of(graph, node, &operands)
}

/// A node on given operands, inside its bounds, as its result is stored.
fn result_of(graph: &Graph, node: &Node, operands: &[Elements<'_>]) -> Data {
    let encoding = graph.value(node.output).encoding;
    let mut result = compute(&node.operator, operands, encoding, graph.shape(node.output));
    if let Some((low, high)) = node.clamp {
        result = match result {
            Data::Float(floats) => Data::Float(floats.into_iter().map(|v| v.clip(low, high)).collect()),
            Data::Int(integers) => Data::Int(integers.into_iter().map(|v| v.clip(low, high)).collect()),
        };
    }
    stored(result, encoding)
}

/// An encoding that the source file states is part of the network.
fn stored(data: Data, encoding: Option<Encoding>) -> Data {
    match (data, encoding) {
        (Data::Float(floats), Some(encoding)) if encoding.is_integer() => {
            Data::Int(floats.iter().map(|&v| encoding.stored(f64::from(v))).collect())
        }
        (Data::Int(integers), Some(encoding)) if encoding.is_integer() => {
            Data::Int(integers.iter().map(|&v| encoding.dtype.saturate(v)).collect())
        }
        (Data::Float(floats), Some(encoding)) => {
            Data::Float(floats.iter().map(|&v| elementwise::quantise(v, &encoding)).collect())
        }
        (Data::Int(integers), Some(encoding)) => {
            Data::Float(to_floats(&integers).iter().map(|&v| elementwise::quantise(v, &encoding)).collect())
        }
        (Data::Int(integers), None) => Data::Float(to_floats(&integers)),
        (data, None) => data,
    }
}

fn to_floats(integers: &[i64]) -> Vec<f32> {
    integers.iter().map(|&v| num::single(num::real(v))).collect()
}

/// An operand of either kind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Elements<'a> {
    /// Extents.
    pub(crate) shape: &'a [usize],
    /// Elements, row-major.
    pub(crate) data: Slice<'a>,
}

/// Borrowed [`Data`].
#[derive(Debug, Clone, Copy)]
pub(crate) enum Slice<'a> {
    /// Real numbers.
    Float(&'a [f32]),
    /// Integers.
    Int(&'a [i64]),
}

/// One operator on operands of either kind: in integers if all are, or if the result is and the others hold integers.
pub(crate) fn compute(
    operator: &Operator,
    operands: &[Elements<'_>],
    encoding: Option<Encoding>,
    shape: &[usize],
) -> Data {
    let whole = encoding.is_some_and(|encoding| encoding.is_integer());
    let integers = |x: &Elements<'_>| -> Option<Cow<'_, [i64]>> {
        match x.data {
            Slice::Int(data) => Some(Cow::Owned(data.to_vec())),
            Slice::Float(data) if whole => {
                data.iter().map(|&v| num::integral(v)).collect::<Option<Vec<i64>>>().map(Cow::Owned)
            }
            Slice::Float(_) => None,
        }
    };
    let parts: Option<Vec<Cow<'_, [i64]>>> = operands.iter().map(integers).collect();
    if let Some(result) = parts.and_then(|parts| evaluate(operator, &joined(operands, &parts), shape)) {
        return Data::Int(result);
    }
    let parts: Vec<Cow<'_, [f32]>> = operands
        .iter()
        .map(|x| match x.data {
            Slice::Int(data) => Cow::Owned(to_floats(data)),
            Slice::Float(data) => Cow::Borrowed(data),
        })
        .collect();
    Data::Float(evaluate(operator, &joined(operands, &parts), shape).unwrap_or_default())
}

fn joined<'a, T: Clone>(operands: &[Elements<'a>], parts: &'a [Cow<'_, [T]>]) -> Vec<Operand<'a, T>> {
    operands.iter().zip(parts).map(|(x, data)| Operand { shape: x.shape, data }).collect()
}

/// One operator on numbers of one kind; always possible on real numbers. Operands and `shape` fit by shape inference.
pub(crate) fn evaluate<T: Number>(operator: &Operator, operands: &[Operand<'_, T>], shape: &[usize]) -> Option<Vec<T>> {
    let x = *operands.first()?;
    Some(match operator {
        Operator::MatMul => linear::matmul(x, operands[1], shape),
        Operator::Dense => linear::dense(x, operands[1], operands.get(2).copied()),
        Operator::Conv { window, groups } => linear::conv(operands, window, *groups, shape),
        Operator::MaxPool(window) => pool::max(x, window, shape),
        Operator::Clip { low, high } => elementwise::unary(x, |v| v.clip(*low, *high)),
        Operator::Add => elementwise::binary(x, operands[1], shape, T::plus),
        Operator::Sub => elementwise::binary(x, operands[1], shape, T::minus),
        Operator::Mul => elementwise::binary(x, operands[1], shape, T::times),
        Operator::Affine => {
            let scaled = elementwise::binary(x, operands[1], shape, T::times);
            elementwise::binary(Operand { shape, data: &scaled }, operands[2], shape, T::plus)
        }
        Operator::Map(function) => elementwise::unary(x, T::function(*function)?),
        Operator::Zip(function) => elementwise::binary(x, operands[1], shape, T::pairwise(*function)?),
        Operator::Select => elementwise::select(operands, shape),
        Operator::Reshape => x.data.to_vec(),
        Operator::Transpose { perm } => moves::transpose(x.shape, x.data, perm),
        Operator::Concat { axis } => {
            let parts: Vec<(&[usize], &[T])> = operands.iter().map(|o| (o.shape, o.data)).collect();
            moves::concat(&parts, *axis)
        }
        Operator::Reduce { kind, axes } => lines::reduce(x, *kind, axes)?,
        Operator::Take { axes, fill } => index::take(x, axes, T::of_real(*fill)?),
        Operator::Gather { axis } => index::gather(x, operands[1], *axis),
        Operator::GatherElements { axis } => index::gather_elements(x, operands[1], *axis),
        Operator::GatherNd { batch } => index::gather_nd(x, operands[1], *batch),
        Operator::ArgMax { axis, last } => lines::arg_max(x, *axis, *last),
        Operator::TopK { axis, k, largest, indices } => lines::top_k(x, *axis, *k, *largest, *indices),
        Operator::CumSum { axis, exclusive, reverse } => lines::running_sum(x, *axis, *exclusive, *reverse),
        _ => return T::own(operator, operands, shape),
    })
}

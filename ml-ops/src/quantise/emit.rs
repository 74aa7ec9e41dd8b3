//! The graph as a program: for each node the integers of its lowering.

mod curves;
mod dynamic;
mod elementwise;
mod linear;
mod lines;
mod map;
mod moves;
mod normalise;
mod number;
mod pool;
mod reduce;
mod selection;
mod tables;
mod zip;

use std::collections::BTreeMap;

use opml_vm::{Program, Source};

use super::{
    Range, Settings, multiplier,
    plan::{self, Plan},
};
use crate::{
    error::ImportError,
    graph::{Encoding, Graph, Node, Operator, ValueId},
    lower::{self, Builder, LowerError, Requant, Scale, View},
    num,
};

/// A finished program.
pub(super) struct Emitted {
    pub(super) program: Program,
    /// Before instructions were fused.
    pub(super) apart: Program,
    pub(super) output: Encoding,
    pub(super) places: Vec<Option<(View, Encoding)>>,
}

/// Where the values of the graph are while the program grows.
pub(super) struct Emit<'g> {
    graph: &'g Graph,
    encodings: &'g [Option<Encoding>],
    copies: &'g [Option<Encoding>],
    ranges: &'g [Range],
    settings: &'g Settings,
    builder: Builder,
    places: Vec<Option<(View, Encoding)>>,
    /// Sorted elements by operand, axis, count and direction: values and indices are two nodes.
    tops: BTreeMap<(ValueId, usize, usize, bool), lower::Top>,
    /// What products read in place of a value.
    copied: BTreeMap<ValueId, (View, Encoding)>,
    /// Which values products read with scales of their own.
    dynamic: &'g [bool],
    /// These, by value and operand.
    scaled: BTreeMap<(ValueId, dynamic::Side), dynamic::Factor>,
}

/// Emits all nodes.
pub(super) fn emit(
    graph: &Graph,
    inputs: &[Encoding],
    plan: &Plan,
    ranges: &[Range],
    settings: &Settings,
) -> Result<Emitted, ImportError> {
    let places = vec![None; graph.values.len()];
    let Plan { encodings, copies, dynamic } = plan;
    let mut emit = Emit {
        graph,
        encodings,
        copies,
        ranges,
        settings,
        builder: Builder::new(),
        places,
        tops: BTreeMap::new(),
        copied: BTreeMap::new(),
        dynamic,
        scaled: BTreeMap::new(),
    };
    for (&id, encoding) in graph.inputs.iter().zip(inputs) {
        let view = emit.builder.input(encoding.dtype, &signed(graph.shape(id)));
        emit.places[id.0] = Some((view, *encoding));
    }
    for node in &graph.nodes {
        let place = emit
            .stored(node)
            .map_err(|fault| ImportError::Lower { node: graph.value(node.output).name.clone(), fault })?;
        emit.places[node.output.0] = place;
    }
    let output = graph.outputs.first().copied().ok_or(ImportError::NoOutput)?;
    let encoding =
        emit.finish(output).map_err(|fault| ImportError::Lower { node: graph.value(output).name.clone(), fault })?;
    let mut builder = emit.builder;
    let apart = builder.clone().finish()?;
    builder.fuse();
    Ok(Emitted { program: builder.finish()?, apart, output: encoding, places: emit.places })
}

fn signed(shape: &[usize]) -> Vec<i64> {
    shape.iter().map(|&n| num::signed(n)).collect()
}

impl Emit<'_> {
    /// A computed value.
    fn place(&self, id: ValueId) -> Result<(View, Encoding), LowerError> {
        self.places[id.0].clone().ok_or(LowerError::Layout("a constant stands where a computed value is needed"))
    }

    /// Extents of a node's result.
    fn shape(&self, node: &Node) -> Vec<i64> {
        signed(self.graph.shape(node.output))
    }

    /// Encoding of a node's result.
    fn encoding(&self, node: &Node) -> Result<Encoding, LowerError> {
        self.encodings[node.output.0].ok_or(LowerError::Layout("a value has no encoding"))
    }

    /// Requantisation by real factors (of an accumulator's unit to one unit of the result).
    fn requant(&self, node: &Node, factors: &[f64]) -> Result<Requant, LowerError> {
        let equal = factors.windows(2).all(|pair| pair[0].to_bits() == pair[1].to_bits());
        let factors = if equal { factors.get(..1).unwrap_or(factors) } else { factors };
        self.requant_scaled(node, multiplier::scale(factors))
    }

    fn requant_scaled(&self, node: &Node, scale: Scale) -> Result<Requant, LowerError> {
        let Encoding { dtype, scale: unit, zero_point } = self.encoding(node)?;
        let (low, high) = node.clamp.unwrap_or((f32::NEG_INFINITY, f32::INFINITY));
        let stored = |bound: f32| dtype.saturate(num::round(f64::from(bound) / unit).saturating_add(zero_point));
        Ok(Requant { dtype, scale, zero_point, low: stored(low), high: stored(high) })
    }

    /// A node's result; none if only products read it, in a form of their own.
    fn stored(&mut self, node: &Node) -> Result<Option<(View, Encoding)>, LowerError> {
        if self.waits(node)
            || self.selected(node).is_some()
            || matches!(node.operator, Operator::Softmax { .. }) && self.powers(node)?.is_some()
        {
            return Ok(None);
        }
        let place = self.node(node)?;
        self.settled(node, place).map(Some)
    }

    fn node(&mut self, node: &Node) -> Result<(View, Encoding), LowerError> {
        let inherited = |emit: &Self| Ok::<_, LowerError>(emit.place(node.inputs[0])?.1);
        let view = match &node.operator {
            Operator::Reshape => return Ok((self.reshape(node)?, inherited(self)?)),
            Operator::Transpose { perm } => {
                let (x, encoding) = self.place(node.inputs[0])?;
                return Ok((x.transpose(perm), encoding));
            }
            Operator::MaxPool(window) => return Ok((self.max_pool(node, window)?, inherited(self)?)),
            Operator::Quantise(_) => return self.requantise(node),
            Operator::Clip { low, high } => {
                let (old_low, old_high) = node.clamp.unwrap_or((f32::NEG_INFINITY, f32::INFINITY));
                let clamp = Some((old_low.max(*low).min(*high), old_high.max(*low).min(*high)));
                return self.requantise(&Node { clamp, ..node.clone() });
            }
            Operator::Reduce { kind, axes } => return self.reduce(node, *kind, axes),
            Operator::Take { axes, fill } => return self.take(node, axes, *fill),
            Operator::Gather { axis } => return self.gather(node, *axis),
            Operator::GatherElements { axis } => return self.gather_elements(node, *axis),
            Operator::GatherNd { batch } => return self.gather_nd(node, *batch),
            Operator::TopK { axis, k, largest, indices } => {
                return self.top_k(node, *axis, *k, *largest, *indices);
            }
            Operator::CumSum { axis, exclusive, reverse } => self.cum_sum(node, *axis, *exclusive, *reverse)?,
            Operator::Resample { axis, taps } => self.resample(node, *axis, taps)?,
            Operator::Dense => self.dense(node)?,
            Operator::MatMul => self.matmul(node)?,
            Operator::Conv { window, groups } => self.conv(node, window, *groups)?,
            Operator::AveragePool { window, count_pad } => self.average_pool(node, window, *count_pad)?,
            Operator::Add => self.sum(node, 1)?,
            Operator::Sub => self.sum(node, -1)?,
            Operator::Mul => self.product(node)?,
            Operator::Affine => self.affine(node)?,
            Operator::LeakyRelu { .. } | Operator::Sigmoid | Operator::Tanh => self.curve(node)?,
            Operator::Map(function) => self.map(node, *function)?,
            Operator::Zip(function) => self.zip(node, *function)?,
            Operator::Select => self.select(node)?,
            Operator::Softmax { axis } => self.softmax(node, *axis)?,
            Operator::LogSoftmax { axis } => self.log_softmax(node, *axis)?,
            Operator::Normalise { .. } => self.normalise(node, None)?,
            Operator::ArgMax { axis, last } => self.arg_max(node, *axis, *last)?,
            Operator::Concat { axis } => self.concat(node, *axis)?,
        };
        Ok((view, self.encoding(node)?))
    }

    /// Bounds and a stated encoding of a result that has its operand's encoding.
    fn settled(&mut self, node: &Node, place: (View, Encoding)) -> Result<(View, Encoding), LowerError> {
        if !plan::inherits(&node.operator) {
            return Ok(place);
        }
        let stated = self.graph.value(node.output).encoding;
        let differs = stated.is_some_and(|to| to != place.1 && !(to.is_integer() && place.1.is_integer()));
        if node.clamp.is_none() && !differs {
            return Ok(place);
        }
        self.recode(node, place)
    }

    /// Another shape over the same elements, or over a row-major copy if they lie too crookedly.
    fn reshape(&mut self, node: &Node) -> Result<View, LowerError> {
        let (x, _) = self.place(node.inputs[0])?;
        let shape = self.shape(node);
        if let Some(view) = x.reshape(&shape) {
            return Ok(view);
        }
        let copied = lower::copy(&mut self.builder, &x)?;
        copied.reshape(&shape).ok_or(LowerError::Layout("shapes of different sizes"))
    }

    /// Makes the output the last instruction's value, row-major.
    fn finish(&mut self, id: ValueId) -> Result<Encoding, LowerError> {
        let (view, encoding) = self.place(id)?;
        let last = num::signed(self.builder.len()).checked_sub(1).and_then(|n| u32::try_from(n).ok());
        let is_last = last.is_some_and(|last| view.stored.source == Source::Value(last));
        if !(is_last && view.is_contiguous()) {
            let copied = lower::copy(&mut self.builder, &view)?;
            self.places[id.0] = Some((copied, encoding));
        }
        Ok(encoding)
    }
}

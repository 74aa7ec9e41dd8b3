//! Reductions over axes.

use super::{Call, Table};
use crate::{
    error::NodeFault,
    graph::{Function, Operator, Pairwise, Reduction, ValueId, elements},
    num,
    onnx::tensors,
};

pub(super) const TABLE: Table = &[
    ("ArgMax", |call| arg_max(call, false)),
    ("ArgMin", |call| arg_max(call, true)),
    ("CumSum", cum_sum),
    ("ReduceL1", |call| plain(call, Reduction::SumAbs)),
    ("ReduceL2", |call| {
        reduce(call, |call, x, axes| {
            let sum = reduced(call, Reduction::SumSquare, x, axes)?;
            function(call, Function::Sqrt, sum)
        })
    }),
    ("ReduceLogSum", |call| {
        reduce(call, |call, x, axes| {
            let sum = reduced(call, Reduction::Sum, x, axes)?;
            function(call, Function::Log, sum)
        })
    }),
    ("ReduceLogSumExp", |call| reduce(call, log_sum_exp)),
    ("ReduceMax", |call| plain(call, Reduction::Max)),
    ("ReduceMean", |call| reduce(call, mean)),
    ("ReduceMin", |call| plain(call, Reduction::Min)),
    ("ReduceProd", |call| plain(call, Reduction::Product)),
    ("ReduceSum", |call| plain(call, Reduction::Sum)),
    ("ReduceSumSquare", |call| plain(call, Reduction::SumSquare)),
    ("TopK", top_k),
];

/// Over no axis, the function of one element.
fn reduced(call: &mut Call<'_, '_>, kind: Reduction, x: ValueId, axes: &[usize]) -> Result<ValueId, NodeFault> {
    if axes.is_empty() {
        return match kind {
            Reduction::SumAbs => function(call, Function::Abs, x),
            Reduction::SumSquare => call.emit(Operator::Mul, &[x, x]),
            _ => Ok(x),
        };
    }
    call.emit(Operator::Reduce { kind, axes: axes.to_vec() }, &[x])
}

fn plain(call: &mut Call<'_, '_>, kind: Reduction) -> Result<(), NodeFault> {
    reduce(call, |call, x, axes| reduced(call, kind, x, axes))
}

fn function(call: &mut Call<'_, '_>, function: Function, x: ValueId) -> Result<ValueId, NodeFault> {
    call.emit(Operator::Map(function), &[x])
}

/// Of integers, rounded towards 0.
fn mean(call: &mut Call<'_, '_>, x: ValueId, axes: &[usize]) -> Result<ValueId, NodeFault> {
    if !call.is_integer() {
        return reduced(call, Reduction::Mean, x, axes);
    }
    let shape = call.shape(x);
    let count: Vec<usize> = axes.iter().map(|&axis| shape[axis]).collect();
    let sum = reduced(call, Reduction::Sum, x, axes)?;
    let count = call.integer_constant(vec![], vec![num::signed(elements(&count))]);
    call.emit(Operator::Zip(Pairwise::Div { integer: true }), &[sum, count])
}

/// `max + log Σ exp(x − max)`.
fn log_sum_exp(call: &mut Call<'_, '_>, x: ValueId, axes: &[usize]) -> Result<ValueId, NodeFault> {
    let largest = reduced(call, Reduction::Max, x, axes)?;
    let below = call.emit(Operator::Sub, &[x, largest])?;
    let exp = function(call, Function::Exp, below)?;
    let sum = reduced(call, Reduction::Sum, exp, axes)?;
    let log = function(call, Function::Log, sum)?;
    call.emit(Operator::Add, &[log, largest])
}

/// Axes are an attribute before opset 18 (for `ReduceSum` 13), an operand since. Without axes all are meant, or none.
fn reduce(
    call: &mut Call<'_, '_>,
    f: impl FnOnce(&mut Call<'_, '_>, ValueId, &[usize]) -> Result<ValueId, NodeFault>,
) -> Result<(), NodeFault> {
    let x = call.operand(0)?;
    let shape = call.shape(x);
    let since = if call.node.op_type == "ReduceSum" { 13 } else { 18 };
    let given = if call.opset() < since {
        call.ints("axes")
    } else if call.has_operand(1) {
        Some(call.integers(1, "axes")?)
    } else {
        None
    };
    let given = given.filter(|axes| !axes.is_empty());
    if given.is_none() && call.flag("noop_with_empty_axes", false) {
        let y = f(call, x, &[])?;
        return call.finish(y);
    }
    let axes = match given {
        Some(axes) => axes.iter().map(|&axis| call.axis("axes", axis, shape.len())).collect::<Result<_, _>>()?,
        None => (0..shape.len()).collect::<std::collections::BTreeSet<usize>>(),
    };
    let axes: Vec<usize> = axes.into_iter().collect();
    let y = f(call, x, &axes)?;
    let y = drop_axes(call, y, &axes)?;
    call.finish(y)
}

/// Without `keepdims`, reduced axes disappear.
fn drop_axes(call: &mut Call<'_, '_>, y: ValueId, axes: &[usize]) -> Result<ValueId, NodeFault> {
    if call.flag("keepdims", true) {
        return Ok(y);
    }
    let shape = call.shape(y);
    let kept = (0..shape.len()).filter(|axis| !axes.contains(axis)).map(|axis| shape[axis]).collect();
    call.reshape(y, kept)
}

/// The least is the largest of the negated.
fn arg_max(call: &mut Call<'_, '_>, least: bool) -> Result<(), NodeFault> {
    let named = call.any(0)?;
    let mut x = named.id;
    if least {
        // The negation of an integer may need a wider type.
        call.kind = if call.is_integer() { tensors::INT64 } else { tensors::FLOAT };
        x = call.emit(Operator::Map(Function::Neg), &[x])?;
    }
    let mut shape = call.shape(x);
    let axis = call.axis("axis", call.int("axis", 0), shape.len())?;
    let last = call.flag("select_last_index", false);
    (call.kind, call.coded) = (tensors::INT64, false);
    let mut y = call.emit(Operator::ArgMax { axis, last }, &[x])?;
    if call.flag("keepdims", true) {
        shape[axis] = 1;
        y = call.reshape(y, shape)?;
    }
    call.finish(y)
}

fn cum_sum(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let x = call.operand(0)?;
    let axis = call.axis("axis", call.integer(1, "axis")?, call.shape(x).len())?;
    let (exclusive, reverse) = (call.flag("exclusive", false), call.flag("reverse", false));
    let y = call.emit(Operator::CumSum { axis, exclusive, reverse }, &[x])?;
    call.finish(y)
}

/// `k` is an attribute before opset 10. Results are always sorted.
fn top_k(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let x = call.operand(0)?;
    let axis = call.axis("axis", call.int("axis", -1), call.shape(x).len())?;
    let k = if call.opset() < 10 { call.int("k", 0) } else { call.integer(1, "k")? };
    let k = num::index(k).ok_or_else(|| NodeFault::Value { name: "k", value: k.to_string(), supported: "a count" })?;
    let largest = call.flag("largest", true);
    if call.wants(0) {
        let values = call.emit(Operator::TopK { axis, k, largest, indices: false }, &[x])?;
        call.finish_at(0, values)?;
    }
    if call.wants(1) {
        call.kind = tensors::INT64;
        let indices = call.emit(Operator::TopK { axis, k, largest, indices: true }, &[x])?;
        call.finish_at(1, indices)?;
    }
    Ok(())
}

//! Pooling.

use super::{Call, Table};
use crate::{
    error::NodeFault,
    graph::{Function, Operator, Reduction, ValueId, Window, elements},
    num,
    onnx::window,
};

pub(super) const TABLE: Table = &[
    ("AveragePool", average_pool),
    ("GlobalAveragePool", global_average_pool),
    ("GlobalLpPool", global_lp_pool),
    ("GlobalMaxPool", global_max_pool),
    ("LRN", local_response),
    ("LpPool", lp_pool),
    ("MaxPool", max_pool),
];

fn max_pool(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let named = call.any(0)?;
    let window = window::read(call, &call.shape(named.id), None)?;
    if call.wants(1) {
        return Err(NodeFault::Value { name: "output 1", value: "Indices".into(), supported: "output 0 alone" });
    }
    let y = call.emit(Operator::MaxPool(window), &[named.id])?;
    call.finish_as(y, named.coded)
}

fn average_pool(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let x = call.operand(0)?;
    let window = window::read(call, &call.shape(x), None)?;
    let count_pad = call.int("count_include_pad", 0) != 0;
    let y = call.emit(Operator::AveragePool { window, count_pad }, &[x])?;
    call.finish(y)
}

fn global_average_pool(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let x = call.operand(0)?;
    let window = whole(&call.shape(x))?;
    let y = call.emit(Operator::AveragePool { window, count_pad: true }, &[x])?;
    call.finish(y)
}

fn global_max_pool(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let named = call.any(0)?;
    let window = whole(&call.shape(named.id))?;
    let y = call.emit(Operator::MaxPool(window), &[named.id])?;
    call.finish_as(y, named.coded)
}

/// A window over all spatial axes.
pub(super) fn whole(x: &[usize]) -> Result<Window, NodeFault> {
    let spatial = x.get(2..).filter(|spatial| !spatial.is_empty());
    let kernel = spatial.ok_or_else(|| NodeFault::Shape(format!("operand {x:?} has no spatial axis")))?.to_vec();
    let (ones, zeros) = (vec![1; kernel.len()], vec![0; kernel.len()]);
    Ok(Window { kernel, strides: ones.clone(), before: zeros.clone(), after: zeros, dilations: ones, ceil: false })
}

/// `(Σ |x|^p)^(1/p)` over windows: the mean times the number of elements, where padding counts.
fn lp_pool(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let x = call.operand(0)?;
    let window = window::read(call, &call.shape(x), None)?;
    if window.ceil {
        return Err(NodeFault::Value { name: "ceil_mode", value: "1".into(), supported: "0" });
    }
    let count = num::single(num::real(num::signed(elements(&window.kernel))));
    norm(call, x, |call, powers| {
        let mean = call.emit(Operator::AveragePool { window, count_pad: true }, &[powers])?;
        let count = call.constant(vec![], vec![count]);
        call.emit(Operator::Mul, &[mean, count])
    })
}

fn global_lp_pool(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let x = call.operand(0)?;
    let axes = (2..call.shape(x).len()).collect();
    norm(call, x, |call, powers| call.emit(Operator::Reduce { kind: Reduction::Sum, axes }, &[powers]))
}

/// The `p`-th root of sums of `p`-th powers.
fn norm(
    call: &mut Call<'_, '_>,
    x: ValueId,
    sum: impl FnOnce(&mut Call<'_, '_>, ValueId) -> Result<ValueId, NodeFault>,
) -> Result<(), NodeFault> {
    let p = num::single(num::real(num::signed(call.size("p", 2, 1)?)));
    let absolute = call.emit(Operator::Map(Function::Abs), &[x])?;
    let powers = call.emit(Operator::Map(Function::Power(p)), &[absolute])?;
    let sums = sum(call, powers)?;
    let y = call.emit(Operator::Map(Function::Power(1.0 / p)), &[sums])?;
    call.finish(y)
}

/// `x / (bias + alpha / size · Σ x²)^beta`, the sum over `size` channels around.
fn local_response(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let x = call.operand(0)?;
    let shape = call.shape(x);
    let &[n, c, ref spatial @ ..] = shape.as_slice() else {
        return Err(NodeFault::Shape(format!("operand {shape:?} has no channels")));
    };
    let size = call.size("size", 0, 1)?;
    let (alpha, beta, bias) = (call.float("alpha", 1e-4)?, call.float("beta", 0.75)?, call.float("bias", 1.0)?);
    let square = call.emit(Operator::Mul, &[x, x])?;
    let planes = call.reshape(square, vec![n, 1, c, elements(spatial)])?;
    let window = Window {
        kernel: vec![size, 1],
        strides: vec![1; 2],
        before: vec![(size - 1) / 2, 0],
        after: vec![size / 2, 0],
        dilations: vec![1; 2],
        ceil: false,
    };
    let mean = call.emit(Operator::AveragePool { window, count_pad: true }, &[planes])?;
    let mean = call.reshape(mean, shape)?;
    let base = call.affine(mean, alpha, bias)?;
    let factor = call.emit(Operator::Map(Function::Power(-beta)), &[base])?;
    let y = call.emit(Operator::Mul, &[x, factor])?;
    call.finish(y)
}

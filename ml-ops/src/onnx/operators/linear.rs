//! Matrix products and convolutions.

use super::{Call, Table};
use crate::{
    error::NodeFault,
    graph::{Operator, ValueId, Window},
    num,
    onnx::window::{self, Transposed},
};

pub(super) const TABLE: Table =
    &[("Conv", conv), ("ConvTranspose", conv_transpose), ("Gemm", gemm), ("MatMul", matmul)];

/// `alpha · A' · B' + beta · C`: as a product, a scaling and an addition, which folding joins again.
fn gemm(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let (mut a, mut b) = (call.operand(0)?, call.operand(1)?);
    for (id, name) in [(&mut a, "transA"), (&mut b, "transB")] {
        if call.shape(*id).len() != 2 {
            return Err(NodeFault::Shape(format!("operand {:?} is not a matrix", call.shape(*id))));
        }
        if call.int(name, 0) != 0 {
            *id = call.emit(Operator::Transpose { perm: vec![1, 0] }, &[*id])?;
        }
    }
    let mut y = call.emit(Operator::MatMul, &[a, b])?;
    let (alpha, beta) = (call.float("alpha", 1.0)?, call.float("beta", 1.0)?);
    y = scaled(call, y, alpha)?;
    if let Some(c) = call.optional(2)? {
        let c = scaled(call, c, beta)?;
        let shape = call.shape(y);
        y = call.emit(Operator::Add, &[y, c])?;
        if call.shape(y) != shape {
            return Err(NodeFault::Shape(format!("bias does not broadcast to {shape:?}")));
        }
    }
    call.finish(y)
}

fn scaled(call: &mut Call<'_, '_>, x: ValueId, factor: f32) -> Result<ValueId, NodeFault> {
    if factor.to_bits() == 1.0f32.to_bits() {
        return Ok(x);
    }
    let factor = call.constant(vec![], vec![factor]);
    call.emit(Operator::Mul, &[x, factor])
}

fn matmul(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let (a, b) = (call.operand(0)?, call.operand(1)?);
    let y = product(call, a, b)?;
    call.finish(y)
}

/// Operands of one axis get a second one for the product.
pub(super) fn product(call: &mut Call<'_, '_>, mut a: ValueId, mut b: ValueId) -> Result<ValueId, NodeFault> {
    let (row, column) = (call.shape(a).len() == 1, call.shape(b).len() == 1);
    if row {
        let n = call.shape(a)[0];
        a = call.reshape(a, vec![1, n])?;
    }
    if column {
        let n = call.shape(b)[0];
        b = call.reshape(b, vec![n, 1])?;
    }
    let y = call.emit(Operator::MatMul, &[a, b])?;
    let mut shape = call.shape(y);
    if row {
        shape.remove(shape.len() - 2);
    }
    if column {
        shape.pop();
    }
    call.reshape(y, shape)
}

fn conv(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let (x, w) = (call.operand(0)?, call.constant_floats(1, "weights")?);
    let bias = if call.has_operand(2) { Some(call.constant_floats(2, "bias")?) } else { None };
    let y = convolution(call, x, w, bias)?;
    call.finish(y)
}

/// With the window and groups of the node's attributes.
pub(super) fn convolution(
    call: &mut Call<'_, '_>,
    x: ValueId,
    w: ValueId,
    bias: Option<ValueId>,
) -> Result<ValueId, NodeFault> {
    let shape = call.shape(w);
    let kernel = shape.get(2..).ok_or_else(|| NodeFault::Shape(format!("weights {shape:?}")))?;
    let window = window::read(call, &call.shape(x), Some(kernel))?;
    let groups = call.size("group", 1, 1)?;
    let inputs: Vec<ValueId> = [x, w].into_iter().chain(bias).collect();
    call.emit(Operator::Conv { window, groups }, &inputs)
}

/// A convolution of `x` with zeros between its elements and around them, with the kernel reversed.
fn conv_transpose(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let (x, w) = (call.operand(0)?, call.constant_floats(1, "weights")?);
    let (shape, weights) = (call.shape(x), call.shape(w));
    let groups = call.size("group", 1, 1)?;
    let wrong = || NodeFault::Shape(format!("transposed convolution of {shape:?} with {weights:?}, groups {groups}"));
    let (&[channels, _, ref kernel @ ..], Some(spatial)) = (weights.as_slice(), shape.get(2..)) else {
        return Err(wrong());
    };
    if channels % groups != 0 || shape[1] != channels || kernel.len() != spatial.len() {
        return Err(wrong());
    }
    let window = window::transposed(call, &shape, kernel)?;
    let mut sources = vec![None; 2];
    for (axis, &extent) in spatial.iter().enumerate() {
        sources.push(Some(spread(call, extent, &window, axis)?));
    }
    let x = call.take(x, sources, 0.0)?;
    let w = reversed(call, w, groups)?;
    let (ones, zeros) = (vec![1; kernel.len()], vec![0; kernel.len()]);
    let Transposed { kernel, dilations, .. } = window;
    let window = Window { kernel, strides: ones, before: zeros.clone(), after: zeros, dilations, ceil: false };
    let bias = if call.has_operand(2) { Some(call.constant_floats(2, "bias")?) } else { None };
    let inputs: Vec<ValueId> = [x, w].into_iter().chain(bias).collect();
    let y = call.emit(Operator::Conv { window, groups }, &inputs)?;
    call.finish(y)
}

/// Elements `strides` apart, so much before and after them that the windows give the wanted extent.
fn spread(
    call: &Call<'_, '_>,
    extent: usize,
    window: &Transposed,
    axis: usize,
) -> Result<Vec<Option<usize>>, NodeFault> {
    let (stride, reach) = (window.strides[axis], (window.kernel[axis] - 1).saturating_mul(window.dilations[axis]));
    let count = window.extents[axis].saturating_add(reach);
    call.room(&[count, reach])?;
    let first = num::signed(window.crops[axis]) - num::signed(reach);
    let source = |place: i64| {
        let place = num::index(place).filter(|place| place % stride == 0)?;
        Some(place / stride).filter(|&source| source < extent)
    };
    Ok((0..num::signed(count)).map(|j| source(first + j)).collect())
}

/// `[C, M/g, ..]` to `[M, C/g, ..]` with the spatial axes reversed.
fn reversed(call: &mut Call<'_, '_>, w: ValueId, groups: usize) -> Result<ValueId, NodeFault> {
    let shape = call.shape(w);
    let (inputs, outputs, kernel) = (shape[0] / groups, shape[1], &shape[2..]);
    let w = call.reshape(w, [&[groups, inputs, outputs], kernel].concat())?;
    let perm = [0, 2, 1].into_iter().chain(3..kernel.len() + 3).collect();
    let w = call.transpose(w, perm)?;
    let w = call.reshape(w, [&[groups * outputs, inputs], kernel].concat())?;
    let flips = kernel.iter().map(|&n| Some((0..n).rev().map(Some).collect()));
    call.take(w, [None, None].into_iter().chain(flips).collect(), 0.0)
}

//! Matrix products, convolutions, pooling.

use super::Call;
use crate::{
    error::NodeFault,
    graph::{Operator, ValueId, Window},
    onnx::window,
};

/// `alpha · A' · B' + beta · C`: as a product, a scaling and an addition, which folding joins again.
pub(super) fn gemm(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
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

/// Operands of one axis get a second one for the product.
pub(super) fn matmul(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let (mut a, mut b) = (call.operand(0)?, call.operand(1)?);
    let (row, column) = (call.shape(a).len() == 1, call.shape(b).len() == 1);
    if row {
        let n = call.shape(a)[0];
        a = call.reshape(a, vec![1, n])?;
    }
    if column {
        let n = call.shape(b)[0];
        b = call.reshape(b, vec![n, 1])?;
    }
    let mut y = call.emit(Operator::MatMul, &[a, b])?;
    let mut shape = call.shape(y);
    if row {
        shape.remove(shape.len() - 2);
    }
    if column {
        shape.pop();
    }
    y = call.reshape(y, shape)?;
    call.finish(y)
}

pub(super) fn conv(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let (x, w) = (call.operand(0)?, call.operand(1)?);
    if call.value(w).floats().is_none() {
        return Err(NodeFault::NotConstant { index: 1, what: "weights" });
    }
    let shape = call.shape(w);
    let kernel = shape.get(2..).ok_or_else(|| NodeFault::Shape(format!("weights {shape:?}")))?;
    let window = window::read(call, &call.shape(x), Some(kernel))?;
    let groups = call.int("group", 1);
    let groups = usize::try_from(groups).ok().filter(|&groups| groups > 0).ok_or_else(|| NodeFault::Value {
        name: "group",
        value: groups.to_string(),
        supported: "1 or more",
    })?;
    let mut inputs = vec![x, w];
    if let Some(b) = call.optional(2)? {
        if call.value(b).floats().is_none() {
            return Err(NodeFault::NotConstant { index: 2, what: "bias" });
        }
        inputs.push(b);
    }
    let y = call.emit(Operator::Conv { window, groups }, &inputs)?;
    call.finish(y)
}

pub(super) fn max_pool(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let named = call.any(0)?;
    let window = window::read(call, &call.shape(named.id), None)?;
    refuse_order(call)?;
    let y = call.emit(Operator::MaxPool(window), &[named.id])?;
    call.finish_as(y, named.coded)
}

/// Column-major indices concern only the second output, which is not read.
fn refuse_order(call: &Call<'_, '_>) -> Result<(), NodeFault> {
    if call.node.output.get(1).is_some_and(|name| !name.is_empty()) {
        return Err(NodeFault::Value { name: "output 1", value: "Indices".into(), supported: "output 0 alone" });
    }
    Ok(())
}

pub(super) fn average_pool(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let x = call.operand(0)?;
    let window = window::read(call, &call.shape(x), None)?;
    let count_pad = call.int("count_include_pad", 0) != 0;
    let y = call.emit(Operator::AveragePool { window, count_pad }, &[x])?;
    call.finish(y)
}

pub(super) fn global_average_pool(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let x = call.operand(0)?;
    let window = whole(&call.shape(x))?;
    let y = call.emit(Operator::AveragePool { window, count_pad: true }, &[x])?;
    call.finish(y)
}

pub(super) fn global_max_pool(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let named = call.any(0)?;
    let window = whole(&call.shape(named.id))?;
    let y = call.emit(Operator::MaxPool(window), &[named.id])?;
    call.finish_as(y, named.coded)
}

/// A window over all spatial axes.
fn whole(x: &[usize]) -> Result<Window, NodeFault> {
    let spatial = x.get(2..).filter(|spatial| !spatial.is_empty());
    let kernel = spatial.ok_or_else(|| NodeFault::Shape(format!("operand {x:?} has no spatial axis")))?.to_vec();
    let (ones, zeros) = (vec![1; kernel.len()], vec![0; kernel.len()]);
    Ok(Window { kernel, strides: ones.clone(), before: zeros.clone(), after: zeros, dilations: ones, ceil: false })
}

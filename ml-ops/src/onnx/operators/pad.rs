//! Padding and cropping.

use super::{Call, Table, take::target};
use crate::{
    error::NodeFault,
    num,
    onnx::{Coded, tensors},
};

pub(super) const TABLE: Table = &[("CenterCropPad", center_crop_pad), ("Pad", pad)];

/// Attributes before opset 11, operands since; negative pads crop.
fn pad(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let x = call.any(0)?;
    let shape = call.shape(x.id);
    let (pads, fill) = if call.opset() < 11 {
        (call.ints("pads").unwrap_or_default(), call.float("value", 0.0)?)
    } else {
        (call.integers(1, "pads")?, fill(call, x.coded)?)
    };
    let axes = if call.opset() >= 18 && call.has_operand(3) {
        let axes = call.integers(3, "axes")?;
        axes.iter().map(|&axis| call.axis("axes", axis, shape.len())).collect::<Result<_, _>>()?
    } else {
        (0..shape.len()).collect::<Vec<_>>()
    };
    if pads.len() != 2 * axes.len() {
        return Err(NodeFault::Shape(format!("{} pads for {} axes", pads.len(), axes.len())));
    }
    let mode = call.text("mode", "constant");
    let (mut sources, mut wider) = (vec![None; shape.len()], shape.clone());
    for (i, &axis) in axes.iter().enumerate() {
        let (before, after) = (pads[i], pads[axes.len() + i]);
        let extent = i128::from(before) + i128::from(after) + i128::from(num::signed(shape[axis]));
        wider[axis] = usize::try_from(extent.max(0)).unwrap_or(usize::MAX);
        call.room(&wider)?;
        sources[axis] = Some(padded(shape[axis], before, wider[axis], &mode)?);
    }
    let y = call.take(x.id, sources, fill)?;
    call.finish_as(y, x.coded)
}

/// What padding reads, as the number that stored integers stand for.
fn fill(call: &Call<'_, '_>, coded: Option<Coded>) -> Result<f32, NodeFault> {
    let stored = if !call.has_operand(2) {
        0
    } else if tensors::is_float(call.kind) {
        return match call.floats(2, "constant value")?.as_slice() {
            [] => Ok(0.0),
            [value, ..] => Ok(*value),
        };
    } else {
        call.integers(2, "constant value")?.first().copied().unwrap_or(0)
    };
    let real = match coded {
        None => num::real(stored),
        Some(Coded::With(encoding)) => encoding.real(stored),
        Some(Coded::Input(..)) => return Err(NodeFault::Encoded(0)),
    };
    let fill = num::single(real);
    if coded.is_none() && f64::from(fill) != real {
        let value = stored.to_string();
        return Err(NodeFault::Value { name: "constant value", value, supported: "integers up to 2^24" });
    }
    Ok(fill)
}

/// Where each padded index reads.
fn padded(extent: usize, before: i64, wider: usize, mode: &str) -> Result<Vec<Option<usize>>, NodeFault> {
    let n = num::signed(extent);
    let inside = |index: i64| num::index(index).filter(|&index| index < extent);
    let place: Box<dyn Fn(i64) -> Option<usize>> = match mode {
        "constant" => Box::new(inside),
        "edge" if n > 0 => Box::new(|index| inside(index.clamp(0, n - 1))),
        "wrap" if n > 0 => Box::new(|index| inside(index.rem_euclid(n))),
        "reflect" if n > 0 => Box::new(|index| {
            let period = (2 * (n - 1)).max(1);
            let place = index.rem_euclid(period);
            inside(place.min(period - place).min(n - 1))
        }),
        other => {
            let supported = "constant, edge, reflect, wrap";
            return Err(NodeFault::Value { name: "mode", value: other.into(), supported });
        }
    };
    Ok((0..num::signed(wider)).map(|j| place(j.saturating_sub(before))).collect())
}

fn center_crop_pad(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let x = call.operand(0)?;
    let shape = call.shape(x);
    let wanted = target(call, 1, "shape")?;
    let axes = match call.ints("axes") {
        Some(axes) => axes.iter().map(|&axis| call.axis("axes", axis, shape.len())).collect::<Result<_, _>>()?,
        None => (0..shape.len()).collect::<Vec<_>>(),
    };
    if axes.len() != wanted.len() {
        return Err(NodeFault::Shape(format!("{wanted:?} for axes {axes:?}")));
    }
    let mut sources = vec![None; shape.len()];
    for (&axis, &wanted) in axes.iter().zip(&wanted) {
        call.room(&[wanted])?;
        let n = shape[axis];
        let before = num::signed(wanted.saturating_sub(n) / 2) - num::signed(n.saturating_sub(wanted) / 2);
        sources[axis] = Some(padded(n, before, wanted, "constant")?);
    }
    let y = call.take(x, sources, 0.0)?;
    call.finish(y)
}

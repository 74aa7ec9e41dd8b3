//! Normalisations.

use super::{Call, Table, activation::over};
use crate::{
    error::NodeFault,
    graph::{Function, Operator, Reduction, ValueId, elements},
    num,
};

pub(super) const TABLE: Table = &[
    ("BatchNormalization", batch_normalization),
    ("GroupNormalization", group_normalization),
    ("InstanceNormalization", instance_normalization),
    ("LayerNormalization", layer_normalization),
    ("LpNormalization", lp_normalization),
    ("MeanVarianceNormalization", mean_variance_normalization),
    ("RMSNormalization", rms_normalization),
];

/// `(x − mean) / √(var + ε) · scale + bias`, as a multiplication and an addition for each channel.
fn batch_normalization(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    if call.flag("training_mode", false) {
        return Err(NodeFault::Value { name: "training_mode", value: "1".into(), supported: "0" });
    }
    let x = call.operand(0)?;
    let epsilon = f64::from(call.float("epsilon", 1e-5)?);
    let [scale, bias, mean, variance] =
        [call.floats(1, "scale")?, call.floats(2, "bias")?, call.floats(3, "mean")?, call.floats(4, "variance")?];
    let shape = call.shape(x);
    let channels = *shape.get(1).ok_or_else(|| NodeFault::Shape(format!("operand {shape:?} has no channels")))?;
    if [&scale, &bias, &mean, &variance].iter().any(|list| list.len() != channels) {
        return Err(NodeFault::Shape(format!("statistics of another length than {channels} channels")));
    }
    let mut factors = Vec::with_capacity(channels);
    let mut offsets = Vec::with_capacity(channels);
    for c in 0..channels {
        let factor = f64::from(scale[c]) / libm::sqrt(f64::from(variance[c]) + epsilon);
        if !factor.is_finite() {
            let value = format!("{} for channel {c}", variance[c]);
            return Err(NodeFault::Value { name: "variance", value, supported: "positive numbers" });
        }
        factors.push(num::single(factor));
        offsets.push(num::single(f64::from(bias[c]) - f64::from(mean[c]) * factor));
    }
    let extents = channel_extents(&shape);
    let factors = call.constant(extents.clone(), factors);
    let offsets = call.constant(extents, offsets);
    let y = call.emit(Operator::Mul, &[x, factors])?;
    let y = call.emit(Operator::Add, &[y, offsets])?;
    call.finish(y)
}

/// `[C, 1, ..]` for `[N, C, ..]`.
fn channel_extents(shape: &[usize]) -> Vec<usize> {
    shape.iter().enumerate().skip(1).map(|(axis, &n)| if axis == 1 { n } else { 1 }).collect()
}

/// Operands 1 and 2 as factor and summand, with other extents if given.
fn scaled(call: &mut Call<'_, '_>, y: ValueId, extents: Option<Vec<usize>>) -> Result<ValueId, NodeFault> {
    let mut y = y;
    let shape = call.shape(y);
    for (i, operator) in [(1, Operator::Mul), (2, Operator::Add)] {
        if let Some(mut c) = call.optional(i)? {
            if let Some(extents) = &extents {
                c = call.reshape(c, extents.clone())?;
            }
            y = call.emit(operator, &[y, c])?;
        }
    }
    if call.shape(y) != shape {
        return Err(NodeFault::Shape(format!("scale or bias does not broadcast to {shape:?}")));
    }
    Ok(y)
}

/// The axes from `axis` on.
fn trailing(call: &Call<'_, '_>, x: ValueId) -> Result<Vec<usize>, NodeFault> {
    let rank = call.shape(x).len();
    Ok((call.axis("axis", call.int("axis", -1), rank)?..rank).collect())
}

fn layer_normalization(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let x = call.operand(0)?;
    let (axes, epsilon) = (trailing(call, x)?, call.float("epsilon", 1e-5)?);
    let y = call.emit(Operator::Normalise { axes: axes.clone(), epsilon, centre: true }, &[x])?;
    let y = scaled(call, y, None)?;
    call.finish(y)?;
    if !call.wants(1) && !call.wants(2) {
        return Ok(());
    }
    let mean = call.emit(Operator::Reduce { kind: Reduction::Mean, axes: axes.clone() }, &[x])?;
    call.finish_at(1, mean)?;
    if call.wants(2) {
        let centred = call.emit(Operator::Sub, &[x, mean])?;
        let square = call.emit(Operator::Mul, &[centred, centred])?;
        let variance = call.emit(Operator::Reduce { kind: Reduction::Mean, axes }, &[square])?;
        let variance = call.affine(variance, 1.0, epsilon)?;
        let deviation = call.emit(Operator::Map(Function::Sqrt), &[variance])?;
        let inverse = call.emit(Operator::Map(Function::Reciprocal), &[deviation])?;
        call.finish_at(2, inverse)?;
    }
    Ok(())
}

fn rms_normalization(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let x = call.operand(0)?;
    let (axes, epsilon) = (trailing(call, x)?, call.float("epsilon", 1e-5)?);
    let y = call.emit(Operator::Normalise { axes, epsilon, centre: false }, &[x])?;
    let y = scaled(call, y, None)?;
    call.finish(y)
}

fn instance_normalization(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let x = call.operand(0)?;
    let shape = call.shape(x);
    let epsilon = call.float("epsilon", 1e-5)?;
    let axes = (2..shape.len()).collect();
    let y = call.emit(Operator::Normalise { axes, epsilon, centre: true }, &[x])?;
    let y = scaled(call, y, Some(channel_extents(&shape)))?;
    call.finish(y)
}

/// Scales are one for each group before opset 21, one for each channel since.
fn group_normalization(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let x = call.operand(0)?;
    let shape = call.shape(x);
    let (epsilon, groups) = (call.float("epsilon", 1e-5)?, call.size("num_groups", 0, 1)?);
    let &[n, channels, ref spatial @ ..] = shape.as_slice() else {
        return Err(NodeFault::Shape(format!("operand {shape:?} has no channels")));
    };
    if channels % groups != 0 {
        return Err(NodeFault::Shape(format!("{channels} channels in {groups} groups")));
    }
    let grouped = call.reshape(x, vec![n, groups, channels / groups * elements(spatial)])?;
    let mut y = call.emit(Operator::Normalise { axes: vec![2], epsilon, centre: true }, &[grouped])?;
    if call.opset() < 21 {
        y = scaled(call, y, Some(vec![groups, 1]))?;
    }
    y = call.reshape(y, shape.clone())?;
    if call.opset() >= 21 {
        y = scaled(call, y, Some(channel_extents(&shape)))?;
    }
    call.finish(y)
}

/// `(x − mean) / (σ + 1e-9)`, which is ε = 1e-18 up to rounding where σ is small and far above it elsewhere.
fn mean_variance_normalization(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let x = call.operand(0)?;
    let rank = call.shape(x).len();
    let axes = call.ints("axes").unwrap_or_else(|| vec![0, 2, 3]);
    let axes: std::collections::BTreeSet<usize> =
        axes.iter().map(|&axis| call.axis("axes", axis, rank)).collect::<Result<_, _>>()?;
    let axes = axes.into_iter().collect();
    let y = call.emit(Operator::Normalise { axes, epsilon: 1e-18, centre: true }, &[x])?;
    call.finish(y)
}

fn lp_normalization(call: &mut Call<'_, '_>) -> Result<(), NodeFault> {
    let x = call.operand(0)?;
    let axis = call.axis("axis", call.int("axis", -1), call.shape(x).len())?;
    let kind = match call.int("p", 2) {
        1 => Reduction::SumAbs,
        2 => Reduction::SumSquare,
        other => return Err(NodeFault::Value { name: "p", value: other.to_string(), supported: "1, 2" }),
    };
    let y = over(call, x, kind, axis)?;
    call.finish(y)
}

//! Constant folding: nodes whose operands are all known when the file is read.

use crate::{
    error::NodeFault,
    float::{self, Elements, Slice},
    graph::{Constant, Data, Encoding, Operator, Quantised, Value},
    moves,
};

/// The constant that an operator gives on constants.
///
/// # Errors
/// A result that is not a number.
pub(crate) fn constant(
    operator: &Operator,
    operands: &[&Value],
    encoding: Option<Encoding>,
    shape: &[usize],
) -> Result<Constant, NodeFault> {
    let inputs: Vec<Elements<'_>> = operands.iter().map(|value| elements(value)).collect();
    let data = float::stored(float::compute(operator, &inputs, encoding, shape), encoding);
    if let Data::Float(floats) = &data
        && floats.iter().any(|value| value.is_nan())
    {
        return Err(NodeFault::Value {
            name: "result",
            value: "not a number".into(),
            supported: "constants that are numbers",
        });
    }
    let source = operands.first().and_then(|value| value.constant.as_ref()?.quantised.as_ref());
    let quantised = source.and_then(|source| moved(operator, source, operands));
    Ok(Constant { data, quantised })
}

fn elements(value: &Value) -> Elements<'_> {
    let data = match value.constant.as_ref().map(|constant| &constant.data) {
        Some(Data::Float(floats)) => Slice::Float(floats),
        Some(Data::Int(integers)) => Slice::Int(integers),
        None => Slice::Float(&[]),
    };
    Elements { shape: &value.shape, data }
}

/// Integers behind dequantised constants stay known when the elements only move or are scaled along one axis.
fn moved(operator: &Operator, source: &Quantised, operands: &[&Value]) -> Option<Quantised> {
    let shape = &operands[0].shape;
    match operator {
        Operator::Transpose { perm } => Some(Quantised {
            integers: moves::transpose(shape, &source.integers, perm),
            axis: perm.iter().position(|&axis| axis == source.axis)?,
            ..source.clone()
        }),
        Operator::Reshape if source.scales.len() == 1 => Some(source.clone()),
        Operator::Mul => scaled(source, shape, operands.get(1)?),
        _ => None,
    }
}

/// A scale for all elements becomes one for each index along the axis that the factor varies on.
fn scaled(source: &Quantised, shape: &[usize], factor: &Value) -> Option<Quantised> {
    let factors = factor.floats()?;
    let ([scale], [zero_point]) = (source.scales.as_slice(), source.zero_points.as_slice()) else {
        return None;
    };
    let lead = shape.len().checked_sub(factor.shape.len())?;
    let axis = lead + factor.shape.iter().position(|&extent| extent != 1).unwrap_or(0);
    let fits = factors.len() == 1 || shape.get(axis) == Some(&factors.len());
    let scales: Vec<f32> = factors.iter().map(|factor| scale * factor).collect();
    let usable = fits && scales.iter().all(|scale| scale.is_normal() && *scale > 0.0);
    usable.then(|| Quantised {
        zero_points: vec![*zero_point; scales.len()],
        scales,
        axis: if factors.len() == 1 { 0 } else { axis },
        ..source.clone()
    })
}

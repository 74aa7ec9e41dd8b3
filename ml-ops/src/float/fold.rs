//! Constant folding: nodes whose operands are all known when the file is read.

use crate::{
    error::NodeFault,
    float::{self, Operand},
    graph::{Constant, Data, Operator, Quantised, Value},
    moves,
};

/// The constant that an operator gives on constants.
///
/// # Errors
/// Arithmetic on integers, or a result that is not finite.
pub(crate) fn constant(operator: &Operator, operands: &[&Value], shape: &[usize]) -> Result<Constant, NodeFault> {
    let integers: Vec<Option<&[i64]>> = operands.iter().map(|value| value.integers()).collect();
    if integers.iter().any(Option::is_some) {
        let integers: Option<Vec<&[i64]>> = integers.into_iter().collect();
        let data = integers.and_then(|integers| moved(operator, operands, &integers));
        let data = data.ok_or_else(|| NodeFault::Value {
            name: "operand",
            value: "a constant of integers".into(),
            supported: "floats, or moving integers",
        })?;
        return Ok(Constant { data: Data::Int(data), quantised: None });
    }
    let inputs: Vec<Operand<'_>> =
        operands.iter().map(|value| Operand { shape: &value.shape, data: value.floats().unwrap_or(&[]) }).collect();
    let floats = float::evaluate(operator, &inputs, shape);
    if floats.iter().any(|value| !value.is_finite()) {
        return Err(NodeFault::Value {
            name: "result",
            value: "not finite".into(),
            supported: "constants that stay finite",
        });
    }
    let source = operands.first().and_then(|value| value.constant.as_ref()?.quantised.as_ref());
    let quantised = source.and_then(|source| moved_quantised(operator, source, &operands[0].shape));
    Ok(Constant { data: Data::Float(floats), quantised })
}

fn moved(operator: &Operator, operands: &[&Value], integers: &[&[i64]]) -> Option<Vec<i64>> {
    match operator {
        Operator::Reshape => integers.first().map(|data| data.to_vec()),
        Operator::Transpose { perm } => Some(moves::transpose(&operands[0].shape, integers[0], perm)),
        Operator::Concat { axis } => {
            let parts: Vec<(&[usize], &[i64])> =
                operands.iter().zip(integers).map(|(value, &data)| (value.shape.as_slice(), data)).collect();
            Some(moves::concat(&parts, *axis))
        }
        _ => None,
    }
}

/// Integers behind dequantised constants stay known when the elements only move.
fn moved_quantised(operator: &Operator, source: &Quantised, shape: &[usize]) -> Option<Quantised> {
    match operator {
        Operator::Transpose { perm } => Some(Quantised {
            integers: moves::transpose(shape, &source.integers, perm),
            axis: perm.iter().position(|&axis| axis == source.axis)?,
            ..source.clone()
        }),
        Operator::Reshape if source.scales.len() == 1 => Some(source.clone()),
        _ => None,
    }
}

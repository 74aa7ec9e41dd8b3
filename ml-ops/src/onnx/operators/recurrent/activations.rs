//! Activations of recurrent cells.

use super::cells::Cell;
use crate::{
    error::NodeFault,
    graph::{Function, Operator, ValueId},
    onnx::call::Call,
};

/// An activation with its two parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Activation {
    Sigmoid,
    Tanh,
    Relu,
    LeakyRelu(f32),
    ThresholdedRelu(f32),
    Affine(f32, f32),
    ScaledTanh(f32, f32),
    HardSigmoid(f32, f32),
    Elu(f32),
    Softsign,
    Softplus,
}

/// The activations of direction `number`: attributes list them for all directions, each with the parameters it has.
pub(super) fn of(call: &Call<'_, '_>, cell: Cell, number: usize) -> Result<Vec<Activation>, NodeFault> {
    let per_direction = cell.activations().len();
    let Some(names) = call.texts("activations") else {
        return Ok(cell.activations().to_vec());
    };
    let alphas = call.floats_attribute("activation_alpha").unwrap_or_default();
    let betas = call.floats_attribute("activation_beta").unwrap_or_default();
    let (mut alphas, mut betas) = (alphas.into_iter(), betas.into_iter());
    let mut all = Vec::new();
    for name in names {
        let mut alpha = |default: f32| alphas.next().unwrap_or(default);
        let mut beta = |default: f32| betas.next().unwrap_or(default);
        all.push(match name.to_lowercase().as_str() {
            "sigmoid" => Activation::Sigmoid,
            "tanh" => Activation::Tanh,
            "relu" => Activation::Relu,
            "leakyrelu" => Activation::LeakyRelu(alpha(0.01)),
            "thresholdedrelu" => Activation::ThresholdedRelu(alpha(1.0)),
            "affine" => Activation::Affine(alpha(1.0), beta(0.0)),
            "scaledtanh" => Activation::ScaledTanh(alpha(1.0), beta(1.0)),
            "hardsigmoid" => Activation::HardSigmoid(alpha(0.2), beta(0.5)),
            "elu" => Activation::Elu(alpha(1.0)),
            "softsign" => Activation::Softsign,
            "softplus" => Activation::Softplus,
            _ => return Err(wrong(name)),
        });
    }
    let own = all.get(number * per_direction..(number + 1) * per_direction).map(<[Activation]>::to_vec);
    own.ok_or_else(|| wrong(format!("a list of {}", all.len())))
}

fn wrong(value: String) -> NodeFault {
    NodeFault::Value { name: "activations", value, supported: "those of the operator's definition, for each direction" }
}

impl Activation {
    /// Adds the activation of `x`.
    pub(super) fn emit(self, call: &mut Call<'_, '_>, x: ValueId) -> Result<ValueId, NodeFault> {
        let operator = match self {
            Self::Sigmoid => Operator::Sigmoid,
            Self::Tanh => Operator::Tanh,
            Self::Relu => Operator::Clip { low: 0.0, high: f32::INFINITY },
            Self::LeakyRelu(alpha) => Operator::LeakyRelu { alpha },
            Self::ThresholdedRelu(alpha) => Operator::Map(Function::Threshold(alpha)),
            Self::Elu(alpha) => Operator::Map(Function::Elu { alpha, gamma: 1.0 }),
            Self::Softsign => Operator::Map(Function::Softsign),
            Self::Softplus => Operator::Map(Function::Softplus),
            Self::Affine(alpha, beta) => return call.affine(x, alpha, beta),
            Self::ScaledTanh(alpha, beta) => {
                let inner = call.affine(x, beta, 0.0)?;
                let tanh = call.emit(Operator::Tanh, &[inner])?;
                return call.affine(tanh, alpha, 0.0);
            }
            Self::HardSigmoid(alpha, beta) => {
                let line = call.affine(x, alpha, beta)?;
                return call.emit(Operator::Clip { low: 0.0, high: 1.0 }, &[line]);
            }
        };
        call.emit(operator, &[x])
    }
}

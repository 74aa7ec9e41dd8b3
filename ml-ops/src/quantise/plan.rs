//! The encoding of every value: from the file, from what its users need, from calibration.

use super::range::{Range, RangeRule};
use crate::graph::{Encoding, Graph, Operator, ValueId};
use opml_vm::DType;

/// How finely the users of a value need it; the least of all counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Need {
    /// 8 bits without a zero point: an operand of a product of two computed values.
    SignedByte,
    /// 8 bits.
    Byte,
    /// 16 bits: the argument of a curve.
    Half,
    /// 32 bits: read by people, or only compared.
    Wide,
}

/// What the users of each value need; `None` for values without users.
pub(super) fn needs(graph: &Graph) -> Vec<Option<Need>> {
    let mut needs: Vec<Option<Need>> = vec![None; graph.values.len()];
    let mut ask = |id: ValueId, need: Need| {
        let known = &mut needs[id.0];
        *known = Some(known.map_or(need, |known| known.min(need)));
        *known
    };
    for &id in &graph.outputs {
        ask(id, Need::Wide);
    }
    for node in graph.nodes.iter().rev() {
        let own = ask(node.output, Need::Wide).unwrap_or(Need::Wide);
        let need = match node.operator {
            Operator::MatMul => Need::SignedByte,
            Operator::Softmax { .. } | Operator::Sigmoid | Operator::Tanh => Need::Half,
            Operator::ArgMax { .. } => Need::Wide,
            Operator::MaxPool(_) | Operator::Reshape | Operator::Transpose { .. } => own,
            _ => Need::Byte,
        };
        for &id in &node.inputs {
            ask(id, need);
        }
    }
    needs
}

/// Encodings of all values that are not constants.
pub(super) fn encodings(
    graph: &Graph,
    inputs: &[Encoding],
    ranges: &[Range],
    rule: RangeRule,
) -> Vec<Option<Encoding>> {
    let needs = needs(graph);
    let mut encodings: Vec<Option<Encoding>> = vec![None; graph.values.len()];
    for (&id, &encoding) in graph.inputs.iter().zip(inputs) {
        encodings[id.0] = Some(encoding);
    }
    for node in &graph.nodes {
        let id = node.output;
        let inherited = encodings[node.inputs[0].0];
        encodings[id.0] = match &node.operator {
            operator if operator.is_view() => inherited,
            Operator::MaxPool(_) => inherited,
            Operator::Concat { .. }
                if graph.value(id).encoding.is_none()
                    && node
                        .inputs
                        .iter()
                        .all(|input| encodings[input.0].is_some() && encodings[input.0] == inherited) =>
            {
                inherited
            }
            Operator::ArgMax { .. } => Some(Encoding { dtype: DType::I32, scale: 1.0, zero_point: 0 }),
            operator => {
                let need = needs[id.0].unwrap_or(Need::Byte);
                graph.value(id).encoding.or_else(|| Some(chosen(operator, need, &ranges[id.0], rule)))
            }
        };
    }
    encodings
}

fn chosen(operator: &Operator, need: Need, range: &Range, rule: RangeRule) -> Encoding {
    // Curves have known ranges.
    let known = match operator {
        Operator::Softmax { .. } | Operator::Sigmoid => Some((0.0, DType::U8, 255.0)),
        Operator::Tanh => Some((-1.0, DType::I8, 127.0)),
        _ => None,
    };
    match (known, need) {
        (Some((_, dtype, steps)), Need::Byte) => Encoding { dtype, scale: 1.0 / steps, zero_point: 0 },
        (Some(_), Need::SignedByte) => Encoding { dtype: DType::I8, scale: 1.0 / 127.0, zero_point: 0 },
        (Some(_), Need::Half) => Encoding { dtype: DType::I16, scale: 1.0 / 32767.0, zero_point: 0 },
        (Some(_), Need::Wide) => Encoding { dtype: DType::I32, scale: 1.0 / 16_777_216.0, zero_point: 0 },
        (None, Need::Byte) => range.byte(rule),
        (None, Need::SignedByte) => range.signed_byte(rule),
        (None, Need::Half) => range.half(),
        (None, Need::Wide) => range.wide(),
    }
}

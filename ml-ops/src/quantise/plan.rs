//! The encoding of every value: from the file, from what its users need, from calibration.

use super::{Precision, Settings, range::Range};
use crate::graph::{Encoding, Function, Graph, Node, Operator, Pairwise, Reduction, ValueId};
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
        for (number, &id) in node.inputs.iter().enumerate() {
            ask(id, need(&node.operator, number, own));
        }
    }
    needs
}

/// How finely an operator needs one of its operands, if its result is needed as finely as `own`.
fn need(operator: &Operator, operand: usize, own: Need) -> Need {
    match operator {
        Operator::MatMul => Need::SignedByte,
        Operator::Softmax { .. }
        | Operator::LogSoftmax { .. }
        | Operator::Sigmoid
        | Operator::Tanh
        | Operator::Map(_)
        | Operator::Normalise { .. }
        | Operator::CumSum { .. } => Need::Half,
        Operator::ArgMax { .. } | Operator::TopK { indices: true, .. } => Need::Wide,
        Operator::Zip(Pairwise::Min | Pairwise::Max) => own,
        Operator::Zip(_) => Need::Half,
        Operator::Select if operand == 0 => Need::Wide,
        Operator::Select => own,
        Operator::Reduce { kind: Reduction::SumSquare | Reduction::SumAbs | Reduction::Product, .. } => Need::Half,
        Operator::Gather { .. } | Operator::GatherElements { .. } | Operator::GatherNd { .. } if operand > 0 => {
            Need::Wide
        }
        operator if inherits(operator) => own,
        _ => Need::Byte,
    }
}

/// Whether the result holds numbers of the first operand, so that it has its encoding.
pub(super) const fn inherits(operator: &Operator) -> bool {
    operator.is_view()
        || matches!(
            operator,
            Operator::MaxPool(_)
                | Operator::Reduce { kind: Reduction::Max | Reduction::Min, .. }
                | Operator::Take { .. }
                | Operator::Gather { .. }
                | Operator::GatherElements { .. }
                | Operator::GatherNd { .. }
                | Operator::TopK { indices: false, .. }
        )
}

/// The type of a result that is an integer whatever the operands are.
const fn counts(operator: &Operator) -> Option<DType> {
    match operator {
        Operator::ArgMax { .. } | Operator::TopK { indices: true, .. } => Some(DType::I32),
        Operator::Map(Function::Not)
        | Operator::Zip(
            Pairwise::Equal | Pairwise::Less | Pairwise::LessOrEqual | Pairwise::And | Pairwise::Or | Pairwise::Xor,
        ) => Some(DType::U8),
        Operator::Zip(
            Pairwise::BitAnd | Pairwise::BitOr | Pairwise::BitXor | Pairwise::ShiftLeft(_) | Pairwise::ShiftRight,
        ) => Some(DType::I64),
        _ => None,
    }
}

/// Encodings of all values that are not constants.
pub(super) fn encodings(
    graph: &Graph,
    inputs: &[Encoding],
    ranges: &[Range],
    settings: &Settings,
) -> Vec<Option<Encoding>> {
    let needs = needs(graph);
    let mut encodings: Vec<Option<Encoding>> = vec![None; graph.values.len()];
    for (&id, &encoding) in graph.inputs.iter().zip(inputs) {
        encodings[id.0] = Some(encoding);
    }
    for node in &graph.nodes {
        let id = node.output;
        let inherited = encodings[node.inputs[0].0];
        let stated = graph.value(id).encoding;
        let need = needs[id.0].unwrap_or(Need::Byte);
        let choose = || chosen(&node.operator, need, &ranges[id.0], settings);
        encodings[id.0] = Some(match &node.operator {
            operator if inherits(operator) && inherited.is_some() => stated.or(inherited).unwrap_or_else(choose),
            Operator::Concat { .. }
                if stated.is_none()
                    && inherited.is_some()
                    && node.inputs.iter().all(|input| encodings[input.0] == inherited) =>
            {
                inherited.unwrap_or_else(choose)
            }
            operator => stated.or_else(|| counts(operator).map(Encoding::integer)).unwrap_or_else(choose),
        });
    }
    encodings
}

/// Whether the encoding of a node's result follows from calibration.
pub(super) fn is_calibrated(graph: &Graph, node: &Node) -> bool {
    let known = inherits(&node.operator) && graph.value(node.inputs[0]).constant.is_none();
    let curve = matches!(node.operator, Operator::Softmax { .. } | Operator::Sigmoid | Operator::Tanh);
    !(known || curve || counts(&node.operator).is_some() || graph.value(node.output).encoding.is_some())
}

fn chosen(operator: &Operator, need: Need, range: &Range, settings: &Settings) -> Encoding {
    let rule = settings.range;
    let need = match (settings.precision, need) {
        (Precision::Bits16, Need::Byte | Need::SignedByte) => Need::Half,
        (_, need) => need,
    };
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
        (None, Need::Half) => range.half(if settings.precision == Precision::Bits16 { 1.25 } else { 2.0 }),
        (None, Need::Wide) => range.wide(),
    }
}

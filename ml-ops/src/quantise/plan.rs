//! The encoding of every value: from the file, from what its users need, from calibration.

use super::{Level, Precision, Settings, range::Range};
use crate::{
    graph::{Encoding, Function, Graph, Node, Operator, Pairwise, Reduction, ValueId},
    num,
};
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
    /// Small numbers as finely as large ones: what a logarithm, a root or a quotient reads.
    Relative,
}

/// What the users of each value need; `None` for values without users.
pub(super) fn needs(graph: &Graph) -> Vec<Option<Need>> {
    let mut needs: Vec<Option<Need>> = vec![None; graph.values.len()];
    let ask = |needs: &mut Vec<Option<Need>>, id: ValueId, need: Need| {
        let known = &mut needs[id.0];
        *known = Some(known.map_or(need, |known| known.min(need)));
    };
    for &id in &graph.outputs {
        ask(&mut needs, id, Need::Wide);
    }
    for node in graph.nodes.iter().rev() {
        let own = *needs[node.output.0].get_or_insert(Need::Wide);
        for (number, &id) in node.inputs.iter().enumerate() {
            ask(&mut needs, id, need(&node.operator, number, own));
        }
    }
    needs
}

/// How finely an operator needs one of its operands, if its result is needed as finely as `own`.
fn need(operator: &Operator, operand: usize, own: Need) -> Need {
    match operator {
        Operator::MatMul => Need::SignedByte,
        Operator::Map(Function::Log | Function::Sqrt | Function::Reciprocal) => Need::Relative,
        Operator::Map(Function::Power(p)) if *p < 1.0 => Need::Relative,
        Operator::Zip(Pairwise::Div { .. }) if operand == 1 => Need::Relative,
        // Sums pass it on, so that a sum of small numbers is one.
        Operator::Add | Operator::Affine | Operator::Reduce { .. } | Operator::AveragePool { .. }
            if own == Need::Relative =>
        {
            own
        }
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

/// The same precision for all values.
pub(super) fn uniform(graph: &Graph, precision: Precision) -> Vec<Level> {
    let level = match precision {
        Precision::Bits8 => Level::Low,
        Precision::Dynamic => Level::Dynamic,
        Precision::Bits16 | Precision::Auto(_) => Level::High,
    };
    vec![level; graph.values.len()]
}

/// Whether an operator multiplies its operands with each other or with weights.
pub(super) const fn is_product(operator: &Operator) -> bool {
    matches!(operator, Operator::MatMul | Operator::Dense | Operator::Conv { .. })
}

/// For each value the 8 bits that products want of it, if any reads it.
pub(super) fn factors(graph: &Graph) -> Vec<Option<Need>> {
    let mut factors: Vec<Option<Need>> = vec![None; graph.values.len()];
    for node in graph.nodes.iter().filter(|node| is_product(&node.operator)) {
        let computed = |id: &&ValueId| graph.value(**id).constant.is_none();
        for &id in node.inputs.iter().filter(computed) {
            let need = need(&node.operator, 0, Need::Wide);
            factors[id.0] = Some(factors[id.0].map_or(need, |known| known.min(need)));
        }
    }
    factors
}

/// How values are stored.
pub(super) struct Plan {
    /// Encodings of all values that are not constants.
    pub(super) encodings: Vec<Option<Encoding>>,
    /// The encodings that products read, where they are not the stored ones.
    pub(super) copies: Vec<Option<Encoding>>,
    /// Which values products read in 8 bits with scales that the program computes.
    pub(super) dynamic: Vec<bool>,
}

impl Plan {
    pub(super) fn new(
        graph: &Graph,
        inputs: &[Encoding],
        ranges: &[Range],
        settings: &Settings,
        levels: &[Level],
    ) -> Self {
        let encodings = encodings(graph, inputs, ranges, settings, levels);
        let copy = |(number, need): (usize, Option<Need>)| {
            let stored = encodings[number].filter(|stored| stored.dtype.bits() > 8 && !stored.is_integer())?;
            let byte = match need.filter(|_| levels[number] == Level::Mixed)? {
                Need::SignedByte => ranges[number].signed_byte(settings.range),
                _ => ranges[number].byte(settings.range),
            };
            (ranges[number].is_finite() && byte.scale > stored.scale).then_some(byte)
        };
        let factors = factors(graph);
        let scaled = |(number, need): (usize, &Option<Need>)| {
            let narrow = |stored: &Encoding| matches!(stored.dtype, DType::I16 | DType::I32) && !stored.is_integer();
            levels[number] == Level::Dynamic && need.is_some() && encodings[number].as_ref().is_some_and(narrow)
        };
        let dynamic = factors.iter().enumerate().map(scaled).collect();
        let copies = factors.into_iter().enumerate().map(copy).collect();
        Self { encodings, copies, dynamic }
    }
}

fn encodings(
    graph: &Graph,
    inputs: &[Encoding],
    ranges: &[Range],
    settings: &Settings,
    levels: &[Level],
) -> Vec<Option<Encoding>> {
    let needs = needs(graph);
    let steps = factor_steps(graph);
    let mut encodings: Vec<Option<Encoding>> = vec![None; graph.values.len()];
    for (&id, &encoding) in graph.inputs.iter().zip(inputs) {
        encodings[id.0] = Some(encoding);
    }
    for node in &graph.nodes {
        let id = node.output;
        let inherited = encodings[node.inputs[0].0];
        let stated = graph.value(id).encoding;
        let need = needs[id.0].unwrap_or(Need::Byte);
        let choose = || chosen(&node.operator, (need, steps), &ranges[id.0], settings, levels[id.0]);
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

/// The greatest magnitude of 16-bit factors for which sums of products of two computed values fit 31 bits, so that an engine may add
/// them up in i32: `√(2^31 / K)`. The rows of a softmax add up to 1 and need no such care.
fn factor_steps(graph: &Graph) -> f64 {
    let softmax = |id: &ValueId| {
        graph.nodes.iter().any(|node| node.output == *id && matches!(node.operator, Operator::Softmax { .. }))
    };
    let computed = |id: &ValueId| graph.value(*id).constant.is_none();
    let products = graph.nodes.iter().filter(|node| matches!(node.operator, Operator::MatMul));
    let products = products.filter(|node| node.inputs.iter().all(computed) && !node.inputs.iter().any(softmax));
    let terms = products.filter_map(|node| graph.shape(node.inputs[0]).last().copied()).max().unwrap_or(1);
    libm::floor(libm::sqrt(2_147_483_647.0 / num::real(num::signed(terms.max(1))))).min(32767.0)
}

fn chosen(
    operator: &Operator,
    (need, factor_steps): (Need, f64),
    range: &Range,
    settings: &Settings,
    level: Level,
) -> Encoding {
    let rule = settings.range;
    let factor = need == Need::SignedByte && level == Level::High;
    let need = if level == Level::Low { need } else { need.max(Need::Half) };
    let room = if settings.precision == Precision::Bits8 { 2.0 } else { 1.25 };
    if let Some(encoding) = range.with_infinity(room) {
        return encoding;
    }
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
        (Some(_), Need::Wide | Need::Relative) => {
            Encoding { dtype: DType::I32, scale: 1.0 / 16_777_216.0, zero_point: 0 }
        }
        (None, Need::Byte) => range.byte(rule),
        (None, Need::SignedByte) => range.signed_byte(rule),
        (None, Need::Half) if factor => range.half(room * 32767.0 / factor_steps),
        (None, Need::Half) => range.half(room),
        (None, Need::Wide) => range.wide(),
        (None, Need::Relative) => range.relative(),
    }
}

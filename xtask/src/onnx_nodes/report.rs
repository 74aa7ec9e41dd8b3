//! Counts by operator.

use std::{collections::BTreeMap, fmt::Write as _, path::Path};

use serde_json::json;

use super::{Mode, Outcome, compare};

/// The operators that the importer is meant for: those of vision, text and audio networks.
const WANTED: &[&str] = &[
    "Abs",
    "Add",
    "And",
    "ArgMax",
    "AveragePool",
    "BatchNormalization",
    "Cast",
    "Clip",
    "Concat",
    "Constant",
    "ConstantOfShape",
    "Conv",
    "ConvInteger",
    "ConvTranspose",
    "CumSum",
    "DequantizeLinear",
    "Div",
    "DynamicQuantizeLinear",
    "Equal",
    "Erf",
    "Exp",
    "Expand",
    "Flatten",
    "GRU",
    "Gather",
    "GatherElements",
    "GatherND",
    "Gelu",
    "Gemm",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "Greater",
    "GreaterOrEqual",
    "GroupNormalization",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "If",
    "InstanceNormalization",
    "LSTM",
    "LayerNormalization",
    "LeakyRelu",
    "Less",
    "LessOrEqual",
    "Log",
    "LogSoftmax",
    "LpPool",
    "MatMul",
    "MatMulInteger",
    "Max",
    "MaxPool",
    "Min",
    "Mul",
    "Neg",
    "Not",
    "Or",
    "PRelu",
    "Pad",
    "Pow",
    "QLinearConv",
    "QLinearMatMul",
    "QuantizeLinear",
    "Range",
    "Reciprocal",
    "ReduceL2",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceSum",
    "Relu",
    "Reshape",
    "Resize",
    "Shape",
    "Sigmoid",
    "Slice",
    "Softmax",
    "Split",
    "Sqrt",
    "Squeeze",
    "Sub",
    "Tanh",
    "Tile",
    "TopK",
    "Transpose",
    "Unsqueeze",
    "Where",
];

/// Passed, wrong, unsupported.
#[derive(Debug, Clone, Copy, Default)]
struct Counts([usize; 3]);

impl Counts {
    fn add(&mut self, outcome: &Outcome) {
        self.0[match outcome {
            Outcome::Passed => 0,
            Outcome::Wrong(_) => 1,
            Outcome::Unsupported(_) => 2,
        }] += 1;
    }
}

/// All cases.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// By the case's one operator; cases of several share a line.
    operators: BTreeMap<String, Counts>,
    /// Cases of wanted operators alone.
    wanted: Counts,
    all: Counts,
    /// Wrong and unsupported cases and why.
    failures: Vec<(String, Outcome)>,
}

impl Report {
    pub(super) fn add(&mut self, path: &Path, operators: &[String], outcome: Outcome) {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let label = match operators {
            [] => "(not read)".to_owned(),
            [first, rest @ ..] if rest.iter().all(|other| other == first) => first.clone(),
            _ => "(several)".to_owned(),
        };
        self.operators.entry(label).or_default().add(&outcome);
        if !operators.is_empty() && operators.iter().all(|operator| WANTED.contains(&operator.as_str())) {
            self.wanted.add(&outcome);
        }
        self.all.add(&outcome);
        if outcome != Outcome::Passed {
            self.failures.push((name, outcome));
        }
    }

    pub(super) fn wrong(&self) -> usize {
        self.all.0[1]
    }

    pub(super) fn text(&self, mode: Mode) -> String {
        let mut out = format!("{}: {}\n\n", title(mode), rule(mode));
        let _ = writeln!(out, "{:<28}{:>8}{:>8}{:>13}", "operator", "passed", "wrong", "unsupported");
        let own = self.operators.iter().map(|(name, counts)| (name.as_str(), counts));
        for (name, Counts([passed, wrong, unsupported])) in
            own.chain([("wanted operators alone", &self.wanted), ("all", &self.all)])
        {
            let _ = writeln!(out, "{name:<28}{passed:>8}{wrong:>8}{unsupported:>13}");
        }
        for (name, outcome) in &self.failures {
            if let Outcome::Wrong(why) = outcome {
                let _ = writeln!(out, "wrong: {name}: {why}");
            }
        }
        out
    }

    pub(super) fn json(&self, mode: Mode) -> serde_json::Value {
        let counts = |Counts([passed, wrong, unsupported]): &Counts| json!({ "passed": passed, "wrong": wrong, "unsupported": unsupported });
        let failures: Vec<_> = self
            .failures
            .iter()
            .map(|(name, outcome)| match outcome {
                Outcome::Wrong(why) => json!({ "case": name, "wrong": why }),
                Outcome::Unsupported(why) => json!({ "case": name, "unsupported": why }),
                Outcome::Passed => json!({ "case": name }),
            })
            .collect();
        json!({
            "mode": title(mode),
            "tolerance": rule(mode),
            "operators": self.operators.iter().map(|(name, c)| (name.clone(), counts(c))).collect::<serde_json::Map<_, _>>(),
            "wanted": counts(&self.wanted),
            "all": counts(&self.all),
            "failures": failures,
        })
    }
}

const fn title(mode: Mode) -> &'static str {
    match mode {
        Mode::Float => "float evaluation",
        Mode::Program => "integer program",
    }
}

const fn rule(mode: Mode) -> &'static str {
    match mode {
        Mode::Float => compare::FLOAT_RULE,
        Mode::Program => compare::PROGRAM_RULE,
    }
}

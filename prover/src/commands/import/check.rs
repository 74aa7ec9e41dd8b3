//! `opml import --check`: all that cannot be imported, at once.

use std::fmt::Write as _;

use anyhow::Result;
use opml_ops::{NodeFault, onnx};
use serde::Serialize;

use crate::{
    commands::{AGREE, FAULT},
    output::Output,
    words,
};

/// What a file has that cannot be imported.
#[derive(Debug, Serialize)]
struct CheckResult {
    supported: bool,
    nodes: Vec<Unsupported>,
    /// Operators that are read.
    operators: Vec<&'static str>,
}

/// A node that cannot be imported.
#[derive(Debug, Serialize)]
struct Unsupported {
    node: String,
    operator: String,
    fault: String,
}

impl CheckResult {
    fn text(&self) -> String {
        if self.supported {
            return "every node can be read".to_owned();
        }
        let mut out = String::new();
        for Unsupported { node, operator, fault } in &self.nodes {
            let _ = writeln!(out, "{} ({}): {}", words::plain(node), words::plain(operator), words::plain(fault));
        }
        let _ =
            writeln!(out, "\nnot supported: {}. Operators that are: {}", self.nodes.len(), self.operators.join(", "));
        out
    }
}

pub(super) fn run(file: &[u8], options: &onnx::Options, output: Output) -> Result<u8> {
    let found = onnx::check(file, options)?;
    let nodes = found.into_iter().map(|onnx::Unsupported { node, operator, fault }| Unsupported {
        node,
        operator,
        // The list of operators stands below.
        fault: match fault {
            NodeFault::Operator(_) => "operator is not supported".to_owned(),
            fault => fault.to_string(),
        },
    });
    let nodes: Vec<Unsupported> = nodes.collect();
    let result = CheckResult { supported: nodes.is_empty(), nodes, operators: onnx::supported() };
    output.result(&result, CheckResult::text)?;
    Ok(if result.supported { AGREE } else { FAULT })
}

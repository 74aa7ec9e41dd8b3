//! `opml inspect`.

use std::fmt::Write as _;

use anyhow::Result;
use opml_vm::{bounds::Bounds, disasm};
use serde::Serialize;

use crate::{arguments, files, hex, output::Output, units};

use super::AGREE;

/// A program and what its runs can cost.
#[derive(Debug, Serialize)]
struct Inspection {
    model_root: String,
    program_root: String,
    constants_root: String,
    instructions: usize,
    constants: usize,
    inputs: Vec<String>,
    encoded_bytes: usize,
    constant_bytes: u64,
    max_t: u64,
    bounds: BoundsReport,
    disassembly: String,
}

/// Upper bounds over `max_t` iterations; decimal strings where 64 bits may not do.
#[derive(Debug, Serialize)]
struct BoundsReport {
    elements: String,
    terms: String,
    trace_bytes: String,
    trace_leaves: String,
    trace_depth: u32,
    term_witness_bytes: String,
}

impl Inspection {
    fn text(&self) -> String {
        let mut out = self.disassembly.clone();
        let _ = writeln!(out, "\nmodel root      {}", self.model_root);
        let _ = writeln!(out, "program root    {}", self.program_root);
        let _ = writeln!(out, "constants root  {}", self.constants_root);
        let _ = writeln!(
            out,
            "sizes           {} instructions in {} bytes, {} constants in {} bytes",
            self.instructions,
            units::grouped(u64::try_from(self.encoded_bytes).unwrap_or(u64::MAX)),
            self.constants,
            units::grouped(self.constant_bytes)
        );
        let b = &self.bounds;
        let _ = writeln!(
            out,
            "at most         {} elements, {} terms, {} trace bytes in {} iteration(s)",
            b.elements, b.terms, b.trace_bytes, self.max_t
        );
        let _ = writeln!(
            out,
            "trace tree      {} leaves, depth {}; one term opens at most {} bytes",
            b.trace_leaves, b.trace_depth, b.term_witness_bytes
        );
        out
    }
}

pub(super) fn run(arguments: &arguments::Inspect, output: Output) -> Result<u8> {
    let program = files::read_model(&arguments.model)?;
    opml_vm::interpreter::check_length(&program, arguments.max_t)?;
    program.validate()?;
    let roots = program.roots();
    let bounds = Bounds::new(&program, arguments.max_t);
    let inspection = Inspection {
        model_root: hex::of(&roots.model),
        program_root: hex::of(&roots.program),
        constants_root: hex::of(&roots.constants),
        instructions: program.instructions().len(),
        constants: program.constants().len(),
        inputs: program.inputs().iter().map(|i| format!("{}[{}]", i.dtype.name(), i.elements)).collect(),
        encoded_bytes: program.encodings().iter().map(Vec::len).sum(),
        constant_bytes: program.constants().iter().filter_map(|c| u64::try_from(c.bytes().len()).ok()).sum(),
        max_t: arguments.max_t,
        bounds: BoundsReport {
            elements: bounds.run_elements.to_string(),
            terms: bounds.run_terms.to_string(),
            trace_bytes: bounds.trace_bytes.to_string(),
            trace_leaves: bounds.trace_leaves.to_string(),
            trace_depth: bounds.trace_depth,
            term_witness_bytes: bounds.witness_bytes.to_string(),
        },
        disassembly: disasm::program(&program),
    };
    output.result(&inspection, Inspection::text)?;
    Ok(AGREE)
}

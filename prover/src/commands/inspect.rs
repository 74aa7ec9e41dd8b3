//! `opml inspect`.

use std::fmt::Write as _;

use anyhow::Result;
use opml_ops::commit::Hasher;
use opml_vm::{Program, bounds::Bounds, disasm, interpreter};
use serde::Serialize;

use crate::{
    arguments,
    error::ProverError,
    hex,
    model::{Cache, Kept, Model},
    output::Output,
    report, units,
};

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
    by_instruction: Vec<InstructionReport>,
}

/// Upper bounds of one instruction over the same run.
#[derive(Debug, Serialize)]
struct InstructionReport {
    dtype: &'static str,
    reducer: &'static str,
    /// Elements of its largest value, and terms of its longest reduction.
    elements: String,
    terms: String,
    /// Terms and trace bytes of the whole run.
    run_terms: String,
    trace_bytes: String,
    encoding_bytes: String,
    /// The largest witness for one term.
    witness_bytes: String,
}

impl BoundsReport {
    fn new(program: &Program, max_t: u64) -> Self {
        let bounds = Bounds::new(program, max_t);
        let rows = program.instructions().iter().zip(&bounds.instructions).map(|(instruction, b)| InstructionReport {
            dtype: instruction.dtype.name(),
            reducer: instruction.reducer.name(),
            elements: b.elements.to_string(),
            terms: b.terms.to_string(),
            run_terms: b.run_terms.to_string(),
            trace_bytes: b.trace_bytes.to_string(),
            encoding_bytes: b.encoding_bytes.to_string(),
            witness_bytes: b.witness_bytes.to_string(),
        });
        Self {
            elements: bounds.run_elements.to_string(),
            terms: bounds.run_terms.to_string(),
            trace_bytes: bounds.trace_bytes.to_string(),
            trace_leaves: bounds.trace_leaves.to_string(),
            trace_depth: bounds.trace_depth,
            term_witness_bytes: bounds.witness_bytes.to_string(),
            by_instruction: rows.collect(),
        }
    }

    /// A line an instruction.
    fn table(&self) -> String {
        let head = ["", "type", "reducer", "elements", "terms of one", "terms of run", "trace", "code", "witness"];
        let mut table = report::table(&head, &[3, 4, 5, 6, 7, 8]);
        for (number, row) in self.by_instruction.iter().enumerate() {
            let words = [format!("%{number}"), row.dtype.to_owned(), row.reducer.to_owned()];
            let numbers =
                [&row.elements, &row.terms, &row.run_terms, &row.trace_bytes, &row.encoding_bytes, &row.witness_bytes];
            table.add_row(words.into_iter().chain(numbers.map(|digits| units::grouped_digits(digits))));
        }
        report::lines(&table)
    }
}

impl Inspection {
    fn text(&self) -> String {
        let b = &self.bounds;
        let iterations = units::count(self.max_t, "iteration");
        let mut out = self.disassembly.clone();
        let _ = writeln!(out, "\nAt most, in {iterations}; trace, code and witness of one term in bytes:\n");
        let _ = writeln!(out, "{}\n", b.table());
        let _ = writeln!(out, "model root      {}", self.model_root);
        let _ = writeln!(out, "program root    {}", self.program_root);
        let _ = writeln!(out, "constants root  {}", self.constants_root);
        let _ = writeln!(
            out,
            "sizes           {} instructions in {} bytes, {} constants in {} bytes",
            units::grouped_length(self.instructions),
            units::grouped_length(self.encoded_bytes),
            units::grouped_length(self.constants),
            units::grouped(self.constant_bytes)
        );
        let _ = writeln!(
            out,
            "a run           at most {} elements, {} terms, {} trace bytes",
            units::grouped_digits(&b.elements),
            units::grouped_digits(&b.terms),
            units::grouped_digits(&b.trace_bytes)
        );
        let _ = writeln!(
            out,
            "trace tree      {} leaves, depth {}; one term opens at most {} bytes",
            units::grouped_digits(&b.trace_leaves),
            b.trace_depth,
            units::grouped_digits(&b.term_witness_bytes)
        );
        out
    }
}

pub(super) fn run(arguments: &arguments::Inspect, output: Output) -> Result<u8> {
    let (Model { program, guard, .. }, kept) = Model::open(&arguments.model)?.hashed(&Cache::usual())?;
    if let Kept::Not(why) = kept {
        output.note(&format!("the hashes of the weights are not kept: {why}"));
    }
    let refused = |hint| move |error| ProverError::Model { path: arguments.model.clone(), error, hint };
    interpreter::check_length(&program, arguments.max_t).map_err(refused("--max-t sets the iterations"))?;
    program.validate().map_err(refused("`opml import` writes model files"))?;
    let roots = Hasher::current().model_roots(&program);
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
        bounds: BoundsReport::new(&program, arguments.max_t),
        disassembly: disasm::program(&program),
    };
    guard.check()?;
    output.result(&inspection, Inspection::text)?;
    Ok(AGREE)
}

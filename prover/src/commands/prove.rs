//! `opml prove`.

use anyhow::{Context, Result, ensure};
use opml_bisection::{Question, Trace as GameTrace, TraceNodes};
use opml_ops::commit::Hasher;
use opml_vm::Trace;
use serde::Serialize;

use crate::{
    arguments, files,
    lie::{Lie, LyingTrace},
    machine::VmTrace,
    output::Output,
    proof::{self, Opening, Proof},
    random::Random,
    task::Task,
    units,
};

use super::AGREE;

/// What was proven.
#[derive(Debug, Serialize)]
struct Proven {
    t: u64,
    instruction: u32,
    element: u64,
    claimed: String,
    encoding_bytes: usize,
    witness_bytes: usize,
}

impl Proven {
    fn text(&self) -> String {
        format!(
            "iteration {}, instruction {}, element {}: {}\nproof: {} bytes of instruction, {} bytes of witness",
            self.t,
            self.instruction,
            self.element,
            self.claimed,
            units::grouped_length(self.encoding_bytes),
            units::grouped_length(self.witness_bytes)
        )
    }
}

pub(super) fn run(arguments: &arguments::Prove, output: Output) -> Result<u8> {
    let place = || arguments.task.place();
    let task = Task::read(&arguments.task)?;
    let honest = task.trace().with_context(place)?;
    let lie = arguments
        .fault
        .map(|fault| Lie::plant(&task.program, &task.inputs, honest.run(), fault, &mut Random::new(arguments.seed)))
        .transpose()
        .with_context(place)?;
    let hasher = Hasher::current();
    let lying = lie.as_ref().map(|lie| hasher.trace(&task.program, lie.run.clone()));
    let trace = lying.as_ref().unwrap_or(&honest);
    let (leaf, value) = find(trace, arguments.step).with_context(place)?;
    let (t, instruction, element) = arguments.step;

    let player: Box<dyn GameTrace> = match &lie {
        Some(lie) => Box::new(LyingTrace::new(&task.program, &task.inputs, trace, &lie.told)),
        None => Box::new(VmTrace::new(&task.program, &task.inputs, trace)),
    };
    let (claimed, question) = match arguments.terms {
        None => (i128::from(value), Question::Element { e: element }),
        Some((k0, k1)) => {
            let terms = player.shape(leaf)?.terms;
            ensure!(
                k1 <= terms,
                "{}: instruction {instruction} reduces {}: --terms {k0}:{k1} is past them",
                place(),
                units::count(terms, "term")
            );
            (player.partial(leaf, element, k0, k1)?, Question::Slice { e: element, k0, k1 })
        }
    };
    let opening = if arguments.terms.is_none() { Opening::of(trace, leaf, element) } else { None };
    let step = player.step(leaf, &question, &TraceNodes(player.as_ref()))?;
    let roots = hasher.model_roots(&task.program);
    let counts = task.program.counts();
    let proof = Proof {
        version: proof::VERSION,
        program_root: roots.program.into(),
        constants_root: roots.constants.into(),
        input_root: hasher.input_root(&task.inputs).into(),
        trace_root: trace.root().into(),
        instructions: counts.instructions,
        constants: counts.constants,
        inputs: counts.inputs,
        length: trace.length(),
        t,
        instruction,
        element,
        terms: arguments.terms,
        claimed,
        opening,
        encoding: step.instruction.into(),
        witness: step.witness.into(),
    };
    let mut file = serde_json::to_vec_pretty(&proof)?;
    file.push(b'\n');
    files::write(&arguments.output, &file)?;
    let proven = Proven {
        t,
        instruction,
        element,
        claimed: claimed.to_string(),
        encoding_bytes: proof.encoding.len(),
        witness_bytes: proof.witness.len(),
    };
    output.result(&proven, Proven::text)?;
    Ok(AGREE)
}

/// Leaf and value of a step.
fn find(trace: &Trace, (t, instruction, element): (u64, u32, u64)) -> Result<(u64, i64)> {
    let leaf = trace.leaf(t, instruction).filter(|_| t < trace.length() && instruction < trace.instructions());
    let leaf = leaf.with_context(|| {
        let (iterations, instructions) = (trace.length(), u64::from(trace.instructions()));
        let (iterations, instructions) =
            (units::count(iterations, "iteration"), units::count(instructions, "instruction"));
        format!("there is no instruction {instruction} at iteration {t}: the run has {iterations} of {instructions}")
    })?;
    let value = trace.value(leaf).context("the run lacks a value")?;
    let element = value.get(element).with_context(|| {
        let elements = units::count(value.elements(), "element");
        format!("there is no element {element}: instruction {instruction} writes {elements} at iteration {t}")
    })?;
    Ok((leaf, element))
}

//! `opml prove`.

use anyhow::{Context, Result};
use opml_bisection::{Question, Trace as GameTrace, TraceNodes};
use opml_vm::{Trace, program};
use serde::Serialize;

use crate::{
    arguments, files,
    lie::{Lie, LyingTrace},
    output::Output,
    proof::{self, Proof},
    random::Random,
    task::Task,
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
            "iteration {}, instruction {}, element {}: the trace says {}; proof of {} + {} bytes",
            self.t, self.instruction, self.element, self.claimed, self.encoding_bytes, self.witness_bytes
        )
    }
}

pub(super) fn run(arguments: &arguments::Prove, output: Output) -> Result<u8> {
    let task = Task::read(&arguments.task)?;
    let honest = task.trace()?;
    let (t, instruction, element) = arguments.step;
    let lie = arguments
        .fault
        .map(|fault| Lie::plant(&task.program, &task.inputs, honest.run(), fault, &mut Random::new(arguments.seed)))
        .transpose()?;
    let lying = lie.as_ref().map(|lie| Trace::new(&task.program, lie.run.clone()));
    let trace = lying.as_ref().unwrap_or(&honest);
    let leaf = trace.leaf(t, instruction).filter(|&leaf| leaf < trace.leaves() && t < trace.length());
    let leaf = leaf.with_context(|| format!("the run has no instruction {instruction} at iteration {t}"))?;
    let value = trace.value(leaf).and_then(|value| value.get(element));
    let value = value.with_context(|| format!("instruction {instruction} writes no element {element}"))?;

    let player: Box<dyn GameTrace> = match &lie {
        Some(lie) => Box::new(LyingTrace::new(&task.program, &task.inputs, trace, lie)),
        None => Box::new(crate::machine::VmTrace::new(&task.program, &task.inputs, trace)),
    };
    let (claimed, question) = match arguments.terms {
        None => (i128::from(value), Question::Element { e: element }),
        Some((k0, k1)) => {
            let terms = player.shape(leaf)?.terms;
            anyhow::ensure!(k1 <= terms, "the reduction has only {terms} terms");
            (player.partial(leaf, element, k0, k1)?, Question::Slice { e: element, k0, k1 })
        }
    };
    let step = player.step(leaf, &question, &TraceNodes(player.as_ref()))?;
    let roots = task.program.roots();
    let counts = task.program.counts();
    let proof = Proof {
        version: proof::VERSION,
        program_root: roots.program.into(),
        constants_root: roots.constants.into(),
        input_root: program::input_root(&task.inputs).into(),
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
        encoding: step.instruction.into(),
        witness: step.witness.into(),
    };
    files::write(&arguments.output, &serde_json::to_vec_pretty(&proof)?)?;
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

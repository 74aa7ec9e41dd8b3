//! `opml demo`: an honest claim, a lie caught move by move, and the same lie caught by one proof.

use anyhow::{Context, Result};
use opml_vm::{Tensor, Trace, interpreter::Run};
use serde::Serialize;

use crate::{
    arguments,
    chain::{Chain, FUNDS, SUBMITTER},
    dispute::{self, Report},
    fixtures::{Fixture, MLP},
    hex, import,
    lie::{Cell, Lie},
    output::Output,
    random::Random,
    report,
    task::Task,
    units,
};

use super::{AGREE, FAULT};

/// What the demo showed.
#[derive(Debug, Serialize)]
struct Shown {
    model: &'static str,
    model_root: String,
    answer: &'static str,
    lie: &'static str,
    honest_claim_final: bool,
    dispute: Report,
    one_proof: Report,
}

pub(super) fn run(arguments: &arguments::Demo, output: Output) -> Result<u8> {
    let fixture = MLP;
    let task = task(&fixture, 0)?;
    let picture = task.inputs.first().context("the model has no input")?;
    let run = task.run()?;
    let answer = decision(&fixture, &task, &run)?;
    output.say(&format!("A Fashion-MNIST picture, and what the model {} says of it: {answer}\n", fixture.name))?;
    output.say(&drawing(picture))?;

    let honest_claim_final = honest_claim(&task, output)?;

    let honest = Trace::new(&task.program, run);
    let lie = flipping_lie(&task, &honest, &fixture, answer, &mut Random::new(arguments.seed))?;
    let said = decision(&fixture, &task, &lie.run)?;
    output.say(&format!(
        "2. A lying claim: \"{said}\". The submitter gets one multiplication wrong, and all that follows."
    ))?;
    let setup =
        dispute::Setup { arity: arguments.arity, seed: arguments.seed, fault: None, max_terms: 64, posted: false };
    let walked = dispute::play_lie(&task, &setup, &honest, Some(&lie))?;
    say_dispute(&walked, output)?;
    output.say("3. The same lie, with the trace root posted: after the bonded challenge one proof is enough.")?;
    let proved = dispute::play_lie(&task, &dispute::Setup { posted: true, ..setup }, &honest, Some(&lie))?;
    say_dispute(&proved, output)?;

    let right = honest_claim_final && walked.winner == "challenger" && proved.winner == "challenger";
    let shown = Shown {
        model: fixture.name,
        model_root: hex::of(&task.program.roots().model),
        answer,
        lie: said,
        honest_claim_final,
        dispute: walked,
        one_proof: proved,
    };
    output.result(&shown, |shown| {
        format!(
            "The lie \"{}\" fell twice; the truth \"{}\" is final.\nmodel root {}",
            shown.lie, shown.answer, shown.model_root
        )
    })?;
    Ok(if right { AGREE } else { FAULT })
}

/// A fixture's model on one of its pictures.
pub(super) fn task(fixture: &Fixture, picture: usize) -> Result<Task> {
    let imported = import::fixture(fixture)?;
    Ok(Task { program: imported.program, inputs: vec![fixture.picture(picture)?], max_t: 1, budget: 1 << 32 })
}

/// The class of the largest logit.
fn decision(fixture: &Fixture, task: &Task, run: &Run) -> Result<&'static str> {
    let logits = run.output(&task.program).context("the run has no output")?.values();
    let best = logits.iter().zip(fixture.classes).reduce(|best, next| if next.0 > best.0 { next } else { best });
    Ok(best.context("the output is empty")?.1)
}

/// A lie in the hidden layer that changes the answer.
fn flipping_lie(task: &Task, honest: &Trace, fixture: &Fixture, answer: &str, random: &mut Random) -> Result<Lie> {
    let elements = honest.value(0).map_or(0, Tensor::elements);
    let terms = task.inputs.first().map_or(0, Tensor::elements);
    for _ in 0..1_000 {
        let e = random.below(elements).context("the hidden layer is empty")?;
        let term = random.below(terms).context("the picture is empty")?;
        let cell = Cell { t: 0, instruction: 0, e };
        for error in [1i128 << 16, -(1i128 << 16), 1i128 << 18, -(1i128 << 18)] {
            let lie = Lie::of_term(&task.program, &task.inputs, honest.run(), cell, (term, error))?;
            if let Some(lie) = lie.filter(|lie| decision(fixture, task, &lie.run).is_ok_and(|said| said != answer)) {
                return Ok(lie);
            }
        }
    }
    anyhow::bail!("no single wrong multiplication in the hidden layer changes this answer")
}

fn honest_claim(task: &Task, output: Output) -> Result<bool> {
    let mut chain = Chain::new(4)?;
    let run = task.run()?;
    let result = run.output(&task.program).context("the run has no output")?;
    let on_chain = chain.open_task(&task.program, &task.inputs, task.max_t)?;
    let (claim, claimed) = chain.claim(&on_chain, run.length, result.bytes(), None)?;
    let finalized = chain.finalize(&claim)?;
    chain.withdraw(SUBMITTER)?;
    let done = chain.is_final(&claim)?;
    output.say(&format!(
        "1. An honest claim: bond {} for a day, {} gas; nobody objects: final, {} gas; the bond is back: {} wei.\n",
        units::ether(alloy_primitives::U256::from(chain.tier().bondS)),
        units::grouped(claimed.gas_used),
        units::grouped(finalized.gas_used),
        units::change(chain.balance(SUBMITTER), FUNDS)
    ))?;
    Ok(done)
}

fn say_dispute(report: &Report, output: Output) -> Result<()> {
    output.say(&report::fault(report))?;
    output.say(&report::walk(&report.transactions))?;
    output.say(&format!("{}\n", report::summary(report)))?;
    Ok(())
}

/// The picture in characters, two rows of pixels in one of text.
fn drawing(picture: &Tensor) -> String {
    const SHADES: [char; 5] = [' ', '░', '▒', '▓', '█'];
    let pixels = picture.values();
    let rows: Vec<&[i64]> = pixels.chunks(28).collect();
    let mut out = String::new();
    for pair in rows.chunks(2) {
        let [upper, lower] = [pair.first(), pair.get(1)].map(|row| row.copied().unwrap_or(&[]));
        let row: String = upper
            .iter()
            .zip(lower)
            .map(|(a, b)| {
                let shade = usize::try_from((a + b) * 5 / 512).unwrap_or(0);
                SHADES.get(shade).copied().unwrap_or('█')
            })
            .collect();
        out.push_str("    ");
        out.push_str(row.trim_end());
        out.push('\n');
    }
    out
}

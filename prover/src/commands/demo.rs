//! `opml demo`: an honest claim, a lie caught move by move, and the same lie caught by one proof.

use alloy_primitives::U256;
use anyhow::{Context, Result};
use opml_ops::commit::Hasher;
use opml_vm::{Tensor, Trace, interpreter::Run};
use serde::Serialize;

use crate::{
    arguments,
    chain::{Chain, FUNDS, SUBMITTER},
    dispute::{self, Report},
    fixtures::{Fixture, MLP},
    hex, import,
    lie::{Cell, Lie},
    model::Guard,
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

/// What became of the honest claim.
struct Honest {
    done: bool,
    bond: U256,
    claim_gas: u64,
    finalize_gas: u64,
    /// Of the submitter, in wei.
    change: String,
}

pub(super) fn run(arguments: &arguments::Demo, output: Output) -> Result<u8> {
    let fixture = MLP;
    let task = task(&fixture, 0)?;
    let picture = drawing(task.inputs.first().context("the model has no input")?);
    let run = task.run()?;
    let answer = decision(&fixture, &task, &run)?;
    let honest = honest_claim(&task)?;

    let trace = Hasher::current().trace(&task.program, run);
    let lie = flipping_lie(&task, &trace, &fixture, answer, &mut Random::new(arguments.seed))?;
    let said = decision(&fixture, &task, &lie.run)?;
    let setup = dispute::Setup {
        arity: arguments.arity,
        seed: arguments.seed,
        fault: None,
        max_terms: 64,
        step_gas: dispute::STEP_GAS,
        posted: false,
    };
    let walked = dispute::play_lie(&task, &setup, &trace, Some(&lie))?;
    let proved = dispute::play_lie(&task, &dispute::Setup { posted: true, ..setup }, &trace, Some(&lie))?;

    let right = honest.done && walked.winner == "challenger" && proved.winner == "challenger";
    let shown = Shown {
        model: fixture.name,
        model_root: hex::of(&Hasher::current().model_roots(&task.program).model),
        answer,
        lie: said,
        honest_claim_final: honest.done,
        dispute: walked,
        one_proof: proved,
    };
    output.result(&shown, |shown| text(shown, &picture, &honest))?;
    Ok(if right { AGREE } else { FAULT })
}

fn text(shown: &Shown, picture: &str, honest: &Honest) -> String {
    let Shown { model, answer, lie, dispute, one_proof, .. } = shown;
    let bond = units::ether(honest.bond);
    let (claim_gas, finalize_gas) = (units::grouped(honest.claim_gas), units::grouped(honest.finalize_gas));
    let end = if honest.done && honest.change == "+0" {
        format!("The claim becomes final, {finalize_gas} gas; the submitter has its bond back.")
    } else {
        format!("The claim does not become final; the submitter has {}.", units::change_in_ether(&honest.change))
    };
    format!(
        "A Fashion-MNIST picture. The model {model} says: {answer}.\n\n{picture}\n\
         1. An honest claim, \"{answer}\": {claim_gas} gas and a bond of {bond}. Nobody objects for a day.\n\
         {end}\n\n\
         2. A lying claim, \"{lie}\". A challenger walks the submitter down its own trace:\n\n{}\n\n{}\n\n{}\n\n\
         3. The same lie, but the claim had to post its trace root: one proof is enough.\n\n{}\n\n{}",
        report::fault(dispute),
        report::walk(&dispute.transactions),
        report::verdict(dispute),
        report::walk(&one_proof.transactions),
        report::verdict(one_proof)
    )
}

/// A fixture's model on one of its pictures.
pub(super) fn task(fixture: &Fixture, picture: usize) -> Result<Task> {
    let imported = import::fixture(fixture)?;
    Ok(Task {
        program: imported.program,
        inputs: vec![fixture.picture(picture)?],
        max_t: 1,
        budget: 1 << 32,
        guard: Guard::default(),
    })
}

/// The class of the largest logit.
pub(super) fn decision(fixture: &Fixture, task: &Task, run: &Run) -> Result<&'static str> {
    let logits = run.output(&task.program).context("the run has no output")?.values();
    let best = logits.iter().zip(fixture.classes).reduce(|best, next| if next.0 > best.0 { next } else { best });
    Ok(best.context("the output is empty")?.1)
}

/// A lie in the hidden layer that changes the answer.
pub(super) fn flipping_lie(
    task: &Task,
    honest: &Trace,
    fixture: &Fixture,
    answer: &str,
    random: &mut Random,
) -> Result<Lie> {
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

fn honest_claim(task: &Task) -> Result<Honest> {
    let mut chain = Chain::new(4)?;
    let run = task.run()?;
    let result = run.output(&task.program).context("the run has no output")?;
    let on_chain = chain.open_task(&task.program, &task.inputs, task.max_t)?;
    let (claim, claimed) = chain.claim(&on_chain, run.length, result.bytes(), None)?;
    let finalized = chain.finalize(&claim)?;
    chain.withdraw(SUBMITTER)?;
    Ok(Honest {
        done: chain.is_final(&claim)?,
        bond: U256::from(chain.tier().bondS),
        claim_gas: claimed.gas_used,
        finalize_gas: finalized.gas_used,
        change: units::change(chain.balance(SUBMITTER), FUNDS),
    })
}

/// The picture in characters, two rows of pixels in one of text, without its empty margins.
fn drawing(picture: &Tensor) -> String {
    const SHADES: [char; 5] = [' ', '░', '▒', '▓', '█'];
    let pixels = picture.values();
    let rows: Vec<&[i64]> = pixels.chunks(28).collect();
    let rows: Vec<String> = rows
        .chunks(2)
        .map(|pair| {
            let [upper, lower] = [pair.first(), pair.get(1)].map(|row| row.copied().unwrap_or(&[]));
            let shade = |(a, b): (&i64, &i64)| usize::try_from((a + b) * 5 / 512).unwrap_or(0);
            upper.iter().zip(lower).map(|pair| SHADES.get(shade(pair)).copied().unwrap_or('█')).collect()
        })
        .collect();
    let margin = |row: &String| row.chars().take_while(|&c| c == ' ').count();
    let inked = |row: &&String| !row.trim().is_empty();
    let left = rows.iter().filter(inked).map(margin).min().unwrap_or(0);
    let line = |row: &String| format!("    {}\n", row.chars().skip(left).collect::<String>().trim_end());
    rows.iter().filter(inked).map(line).collect()
}

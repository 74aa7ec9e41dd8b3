//! `opml ask`.

use anyhow::{Context as _, Result};

use crate::{
    arguments,
    economy::{self, Asked},
    output::Output,
    task::Task,
};

use super::{AGREE, FAULT, market, stage, story::yes};

pub(super) fn run(arguments: &arguments::economy::Ask, output: Output) -> Result<u8> {
    if let Some(step) = &arguments.step {
        return market::ask(step, output);
    }
    let arguments = &arguments.scene;
    let names = arguments.task.as_ref().context("no model is named")?;
    let task = Task::read(names)?;
    let asked = stage::played(&arguments.stage, output, |stage| economy::ask(stage, &task, arguments.lie));
    let Some(asked) = asked.with_context(|| names.place())? else { return Ok(AGREE) };
    let right = asked.is_final && asked.lie_caught != Some(false) && asked.account.conserved;
    output.result(&asked, text)?;
    Ok(if right { AGREE } else { FAULT })
}

fn text(asked: &Asked) -> String {
    let lie =
        asked.lie_caught.map_or(String::new(), |caught| format!(" A lie was told first; caught: {}.", yes(caught)));
    format!(
        "{}\n\nRequest {}: {}.\nFinal: {}.{lie}\n\n{}",
        economy::steps(&asked.account.transactions),
        asked.request,
        asked.output,
        yes(asked.is_final),
        economy::balances(&asked.account.chapters, &asked.account.balances)
    )
}

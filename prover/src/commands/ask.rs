//! `opml ask`.

use anyhow::{Context as _, Result};

use crate::{
    arguments,
    economy::{self, Asked},
    output::Output,
    task::Task,
};

use super::{AGREE, FAULT, story::yes};

pub(super) fn run(arguments: &arguments::Ask, output: Output) -> Result<u8> {
    let task = Task::read(&arguments.task)?;
    let asked = economy::ask(&task, arguments.lie).with_context(|| arguments.task.place())?;
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

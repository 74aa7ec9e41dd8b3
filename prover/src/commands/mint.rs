//! `opml mint`.

use anyhow::{Context as _, Result};

use crate::{
    arguments,
    economy::{self, Minted},
    output::Output,
    task::Task,
};

use super::{AGREE, FAULT, market, stage, story::yes};

pub(super) fn run(arguments: &arguments::economy::Mint, output: Output) -> Result<u8> {
    if let Some(step) = &arguments.step {
        return market::mint(step, output);
    }
    let arguments = &arguments.scene;
    let names = arguments.task.as_ref().context("no model is named")?;
    let task = Task::read(names)?;
    let minted = stage::played(&arguments.stage, output, |stage| economy::mint(stage, &task, arguments.lie));
    let Some(minted) = minted.with_context(|| names.place())? else { return Ok(AGREE) };
    let right = minted.verified && !minted.verified_early && minted.account.conserved;
    output.result(&minted, text)?;
    Ok(if right { AGREE } else { FAULT })
}

fn text(minted: &Minted) -> String {
    format!(
        "{}\n\nToken {}: {}.\nVerified: {}.\n\n{}",
        economy::steps(&minted.account.transactions),
        minted.token,
        minted.content,
        yes(minted.verified),
        economy::balances(&minted.account.chapters, &minted.account.balances)
    )
}

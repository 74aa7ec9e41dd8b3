//! `opml mint`.

use anyhow::{Context as _, Result};

use crate::{
    arguments,
    economy::{self, Minted},
    output::Output,
    task::Task,
};

use super::{AGREE, FAULT, story::yes};

pub(super) fn run(arguments: &arguments::Ask, output: Output) -> Result<u8> {
    let task = Task::read(&arguments.task)?;
    let minted = economy::mint(&task, arguments.lie).with_context(|| arguments.task.place())?;
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

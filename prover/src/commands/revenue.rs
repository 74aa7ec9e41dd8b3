//! `opml revenue`.

use anyhow::{Context as _, Result};

use crate::{
    arguments,
    economy::{self, Shared},
    output::Output,
    task::Task,
    units,
};

use super::{AGREE, FAULT, story::holdings};

pub(super) fn run(arguments: &arguments::Revenue, output: Output) -> Result<u8> {
    let task = Task::read(&arguments.task)?;
    let shared = economy::shared_revenue(&task, arguments.requests).with_context(|| arguments.task.place())?;
    output.result(&shared, text)?;
    Ok(if shared.account.conserved { AGREE } else { FAULT })
}

fn text(shared: &Shared) -> String {
    let revenue = shared.revenue.parse().map_or_else(|_| shared.revenue.clone(), units::ether);
    format!(
        "{}\n\n{} brought the token {revenue}. Three quarters are the holders', the rest is for those who burn.\n\n{}\n\n{}",
        economy::steps(&shared.account.transactions),
        units::count(shared.requests, "answer"),
        holdings(&shared.holdings),
        economy::balances(&shared.account.chapters, &shared.account.balances)
    )
}

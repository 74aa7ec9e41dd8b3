//! `opml revenue`.

use anyhow::{Context as _, Result};

use crate::{
    arguments,
    economy::{self, Shared},
    output::Output,
    task::Task,
    units,
};

use super::{AGREE, FAULT, market, stage, story::holdings};

pub(super) fn run(arguments: &arguments::economy::Revenue, output: Output) -> Result<u8> {
    if let Some(step) = &arguments.step {
        return market::revenue(step, output);
    }
    let names = arguments.task.as_ref().context("no model is named")?;
    let task = Task::read(names)?;
    let shared =
        stage::played(&arguments.stage, output, |stage| economy::shared_revenue(stage, &task, arguments.requests));
    let Some(shared) = shared.with_context(|| names.place())? else { return Ok(AGREE) };
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

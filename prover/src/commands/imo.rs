//! `opml imo`.

use anyhow::{Context as _, Result, ensure};

use crate::{
    arguments,
    economy::{self, Offered, Plan, Prices},
    files,
    output::Output,
};

use super::{AGREE, FAULT, market, stage};

pub(super) fn run(arguments: &arguments::economy::Imo, output: Output) -> Result<u8> {
    if let Some(step) = &arguments.step {
        return market::imo(step, output);
    }
    let model = arguments.model.as_ref().context("no model is named")?;
    let program = files::read_model(model)?;
    let place = || model.display().to_string();
    ensure!(
        0 < arguments.soft_cap && arguments.soft_cap <= arguments.cap && arguments.sold <= arguments.cap,
        "--soft-cap is from 1 to --cap, --sold at most --cap"
    );
    let plan = Plan {
        prices: Prices { token: arguments.price, ..Plan::default().prices },
        cap: arguments.cap,
        soft_cap: arguments.soft_cap,
        sold: arguments.sold,
        creator_share: arguments.creator_share,
        ..Plan::default()
    };
    let offered =
        stage::played(&arguments.stage, output, |stage| economy::imo(stage, &program, arguments.max_t, &plan));
    let Some(offered) = offered.with_context(place)? else { return Ok(AGREE) };
    output.result(&offered, text)?;
    let expected = plan.sold >= plan.soft_cap;
    Ok(if offered.succeeded == expected && offered.account.conserved { AGREE } else { FAULT })
}

fn text(offered: &Offered) -> String {
    let end = if offered.succeeded {
        "The offering has succeeded: the model is listed, its fees and royalties are the holders'."
    } else {
        "The offering has failed: everybody has everything back."
    };
    format!(
        "{}\n\n{end}\n\n{}",
        economy::steps(&offered.account.transactions),
        economy::balances(&offered.account.chapters, &offered.account.balances)
    )
}

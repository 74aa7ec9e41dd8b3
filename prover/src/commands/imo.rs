//! `opml imo`.

use anyhow::{Context as _, Result, ensure};

use crate::{
    arguments,
    economy::{self, Offered, Plan, Prices},
    files,
    output::Output,
};

use super::{AGREE, FAULT};

pub(super) fn run(arguments: &arguments::Imo, output: Output) -> Result<u8> {
    let program = files::read_model(&arguments.model)?;
    let place = || arguments.model.display().to_string();
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
    let offered = economy::imo(&program, arguments.max_t, &plan).with_context(place)?;
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

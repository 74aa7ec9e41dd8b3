//! `opml story`: an offering, users, a lie that is caught, a token of content, revenue, in one process or on a chain.

use anyhow::{Context as _, Result};
use opml_ops::commit::Hasher;

use crate::{
    arguments::{self, economy::Model},
    economy::{
        self, Holding,
        story::{self, Script, Story},
    },
    fixtures::{DIGITS, MLP},
    output::Output,
    random::Random,
    report, units,
};

use super::{AGREE, FAULT, demo, stage};

pub(super) fn run(arguments: &arguments::economy::Story, output: Output) -> Result<u8> {
    let fixture = match arguments.model {
        Model::Fashion => &MLP,
        Model::Digits => &DIGITS,
    };
    let (task, other) = (demo::task(fixture, 0)?, demo::task(fixture, 1)?);
    let run = task.run()?;
    let answer = demo::decision(fixture, &task, &run)?;
    let trace = Hasher::current().trace(&task.program, run);
    let lie = demo::flipping_lie(&task, &trace, fixture, answer, &mut Random::new(arguments.seed))?;
    let said = demo::decision(fixture, &task, &lie.run)?;
    let script = Script { task: &task, other: &other, lie: &lie };
    let story = stage::played(&arguments.stage, output, |stage| story::play(stage, &script));
    let Some(story) = story.context("the story stopped")? else { return Ok(AGREE) };
    let code = if story.right() { AGREE } else { FAULT };
    output.result(&story, |story| text(story, fixture.name, answer, said))?;
    Ok(code)
}

fn text(story: &Story, model: &str, answer: &str, said: &str) -> String {
    let account = &story.account;
    let ether = |wei: &str| wei.parse().map_or_else(|_| wei.to_owned(), units::ether);
    let [fees, royalty] = &story.earned;
    let sum = if account.conserved { "always the same" } else { "NOT the same: a fault" };
    format!(
        "The model {model} is offered, sold, asked, lied about, and earns.\n\n{}\n\n\
         The lie, \"{said}\", stood in the token at first. Verified then: {}. Its claim fell: {}.\n\
         In the end the token says \"{answer}\". Verified: {}. Both answers final: {}.\n\
         The model's token earned {} by answers and {} by the royalty.\n\n{}\n\n\
         Bob burnt 100 tokens for {}.\n\n{}\n\nThe sum is {sum}.",
        economy::steps(&account.transactions),
        yes(story.lie_verified),
        yes(story.lie_caught),
        yes(story.verified),
        yes(story.all_final),
        ether(fees),
        ether(royalty),
        holdings(&story.holdings),
        ether(&story.redeemed),
        economy::balances(&account.chapters, &account.balances),
    )
}

pub(super) const fn yes(fact: bool) -> &'static str {
    if fact { "yes" } else { "no" }
}

/// Who holds and got what, as a table.
pub(super) fn holdings(holdings: &[Holding]) -> String {
    let ether = |wei: &String| wei.parse().map_or_else(|_| wei.clone(), units::ether);
    let mut table = report::table(&["holder", "tokens", "claimed"], &[1, 2]);
    for holding in holdings {
        let tokens = ether(&holding.tokens).trim_end_matches(" ETH").to_owned();
        table.add_row([holding.holder.to_owned(), tokens, ether(&holding.claimed)]);
    }
    report::lines(&table)
}

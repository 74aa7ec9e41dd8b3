//! `opml story`: an offering, users, a lie that is caught, a token of content, revenue, in one process or on a chain.

use anyhow::{Context as _, Result};

use crate::{
    arguments::{self, economy::Model},
    economy::{
        self, Holding,
        story::{self, Script, Story},
    },
    fixtures::{DIGITS, Fixture, MLP},
    lie::Lie,
    output::Output,
    random::Random,
    report,
    task::Task,
    units,
};

use super::{AGREE, FAULT, demo, stage};

/// Pictures that are tried.
const PICTURES: usize = 20;

pub(super) fn run(arguments: &arguments::economy::Story, output: Output) -> Result<u8> {
    let fixture = match arguments.model {
        Model::Fashion => &MLP,
        Model::Digits => &DIGITS,
    };
    let (task, other, lie) = cast(fixture, arguments.seed)?;
    let (answer, said) = (demo::decision(fixture, &task, &task.run()?)?, demo::decision(fixture, &task, &lie.run)?);
    let script = Script { task: &task, other: &other, lie: &lie };
    let story = stage::played(&arguments.stage, output, |stage| story::play(stage, &script));
    let Some(story) = story.context("the story stopped")? else { return Ok(AGREE) };
    let code = if story.right() { AGREE } else { FAULT };
    output.result(&story, |story| text(story, fixture.name, answer, said))?;
    Ok(code)
}

/// The first picture about which a single wrong multiplication can lie, the next one, and the lie.
fn cast(fixture: &Fixture, seed: u64) -> Result<(Task, Task, Lie)> {
    let mut picture = 0;
    loop {
        let task = demo::task(fixture, picture)?;
        let trace = task.trace()?;
        let answer = demo::decision(fixture, &task, trace.run())?;
        picture += 1;
        match demo::flipping_lie(&task, &trace, fixture, answer, &mut Random::new(seed)) {
            Ok(lie) => return Ok((task, demo::task(fixture, picture)?, lie)),
            Err(error) if picture == PICTURES => return Err(error),
            // The model is too sure of this one.
            Err(_) => {}
        }
    }
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

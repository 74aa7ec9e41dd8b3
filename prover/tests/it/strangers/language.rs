//! Texts among strangers: a prompt is posted, a language model's answer is claimed, and a lie in it disputed, by agents that keep checkpoints.

use std::{thread, time::Duration};

use opml_ops::language::generate::Layout;
use opml_prover::files;
use serde_json::Value;

use super::{
    anvil::{ACCOUNTS, Anvil},
    player::{Player, opml},
};
use crate::cli::speaking;

const ETHER: u128 = 1_000_000_000_000_000_000;
/// Far more than all gas of a player costs at anvil's price.
const GAS: u128 = ETHER / 100;

const OPERATOR: usize = 0;
const LIAR: usize = 1;
const HONEST: usize = 2;
const CHALLENGER: usize = 3;

fn claim<'s>(status: &'s Value, id: &str) -> &'s Value {
    status["claims"].as_array().unwrap().iter().find(|one| one["claim"] == id).unwrap()
}

#[test]
#[ignore = "needs anvil: npm ci in prover/tests/anvil"]
fn a_lie_in_a_text_is_disputed_by_agents_with_checkpoints() {
    let anvil = Anvil::start();
    let folder = speaking::folder();
    let (endpoint, key) = (anvil.endpoint(), |who: usize| ACCOUNTS[who].1);
    let by = |who: usize, line: &str| opml(folder.path(), &endpoint, key(who), line);
    by(OPERATOR, "deploy --tier hour");
    let task = by(OPERATOR, "request tiny.opml --prompt some_words --tokenizer tiny -n 12");
    let task = task["task"].as_str().unwrap().to_owned();

    // The third new token is another one, and the text goes on from it.
    let next = Layout::of(&files::read_model(&folder.path().join("tiny.opml")).unwrap()).unwrap().next;
    let lie = format!("--fault from:11:{next}:0");
    let name = |claim: Value| claim["claim"].as_str().unwrap().to_owned();
    let false_claim = name(by(LIAR, &format!("submit {task} tiny.opml {lie}")));
    let true_claim = name(by(HONEST, &format!("submit {task} tiny.opml")));
    let before: Vec<u128> = ACCOUNTS.iter().map(|(account, _)| anvil.balance(account)).collect();

    let start = |who: usize, name: &str, line: &str| {
        Player::start(folder.path(), &endpoint, key(who), name, &format!("{line} --trace-memory 0"))
    };
    let players = [
        start(LIAR, "liar", &format!("defend tiny.opml {lie}")),
        start(HONEST, "honest", "defend tiny.opml"),
        start(CHALLENGER, "challenger", "watch tiny.opml"),
    ];
    let said = || players.iter().map(Player::said).collect::<Vec<_>>().join("\n--\n");
    let status = || by(OPERATOR, "status --tokenizer tiny");
    let share = before[CHALLENGER] + ETHER / 2 - GAS;
    let over =
        || claim(&status(), &false_claim)["standing"] == "false" && anvil.balance(ACCOUNTS[CHALLENGER].0) >= share;
    for _ in 0..120 {
        if over() {
            break;
        }
        thread::sleep(Duration::from_secs(1));
    }
    assert!(over(), "{}", said());
    let status = status();
    assert_eq!(claim(&status, &true_claim)["standing"], "pending", "{}", said());
    // Both texts begin with the prompt and two right tokens.
    let text = |id: &str| claim(&status, id)["text"].as_str().unwrap().to_owned();
    let (right, wrong) = (text(&true_claim), text(&false_claim));
    assert!(right.starts_with("some_words") && right.chars().count() == 22, "{right}");
    let equal = right.chars().zip(wrong.chars()).take_while(|(a, b)| a == b).count();
    assert_eq!(equal, 12, "{right} {wrong}");
    println!("the truth {right:?}, the lie {wrong:?}\n{}", said());
}

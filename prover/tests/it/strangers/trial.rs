//! A liar, an honest submitter and a challenger on one chain; all of them die again and again.

use std::{thread, time::Duration};

use serde_json::Value;

use super::{
    anvil::{ACCOUNTS, Anvil},
    player::{Player, opml},
    proxy::Proxy,
};
use crate::cli::help::prepared;

const ETHER: u128 = 1_000_000_000_000_000_000;
/// Far more than all gas of a player costs at anvil's price.
const GAS: u128 = ETHER / 100;

const OPERATOR: usize = 0;
const LIAR: usize = 1;
const HONEST: usize = 2;
const CHALLENGER: usize = 3;
const STRANGER: usize = 4;

fn standing(status: &Value, claim: &str) -> String {
    let claims = status["claims"].as_array().unwrap();
    claims
        .iter()
        .find(|one| one["claim"] == claim)
        .map_or_else(String::new, |one| one["standing"].as_str().unwrap().to_owned())
}

#[test]
#[ignore = "needs anvil: npm ci in prover/tests/anvil"]
fn honest_strangers_keep_their_bonds() {
    let anvil = Anvil::start();
    let folder = prepared();
    let (direct, key) = (anvil.endpoint(), |who: usize| ACCOUNTS[who].1);
    opml(folder.path(), &direct, key(OPERATOR), "deploy --tier hour");
    let task = opml(folder.path(), &direct, key(OPERATOR), "request model.opml -i picture.png");
    let task = task["task"].as_str().unwrap().to_owned();

    let proxy = Proxy::start(anvil.port(), 7, 11);
    let endpoint = proxy.endpoint();
    let before: Vec<u128> = ACCOUNTS.iter().map(|(account, _)| anvil.balance(account)).collect();
    let lie = "--fault consistent --seed 3";
    let false_claim = opml(folder.path(), &direct, key(LIAR), &format!("submit {task} model.opml {lie}"));
    let true_claim = opml(folder.path(), &direct, key(HONEST), &format!("submit {task} model.opml"));
    let name = |claim: &Value| claim["claim"].as_str().unwrap().to_owned();
    let (false_claim, true_claim) = (name(&false_claim), name(&true_claim));

    let start = |who: usize, name: &str, line: &str| Player::start(folder.path(), &endpoint, key(who), name, line);
    let mut players = [
        start(LIAR, "liar", &format!("defend model.opml {lie}")),
        start(HONEST, "honest", "defend model.opml"),
        start(CHALLENGER, "challenger", "watch model.opml"),
    ];
    let status = || opml(folder.path(), &direct, key(OPERATOR), "status");
    let mut state = 99_u64;
    let mut rounds = 0;
    let mut reorganised = 0;
    while standing(&status(), &false_claim) != "false" {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        thread::sleep(Duration::from_millis(1_000 + (state >> 40) % 2_500));
        players[usize::try_from((state >> 33) % 3).unwrap()].kill_and_start();
        if rounds % 5 == 3 && reorganised < 3 {
            anvil.reorganise(2);
            reorganised += 1;
        }
        rounds += 1;
        assert!(rounds < 120, "no end: {}", players.iter().map(Player::said).collect::<Vec<_>>().join("\n--\n"));
    }
    // What a reorganisation drops after the end is made again, before the clocks press.
    anvil.reorganise(2);
    let settled = || {
        let status = status();
        let claims = status["claims"].as_array().unwrap().iter();
        let mut disputes = claims.flat_map(|claim| claim["disputes"].as_array().unwrap());
        standing(&status, &false_claim) == "false" && disputes.all(|dispute| dispute["over"] == true)
    };
    for _ in 0..60 {
        if settled() {
            break;
        }
        thread::sleep(Duration::from_secs(1));
    }
    assert!(settled(), "{}", players[CHALLENGER - 1].said());

    // The window closes; the right claim becomes final and everybody fetches what is due.
    anvil.advance(3_700);
    let paid = |who: usize| anvil.balance(ACCOUNTS[who].0);
    let share = before[CHALLENGER] + ETHER / 2 - GAS;
    let kept = before[HONEST] - GAS;
    for _ in 0..90 {
        if standing(&status(), &true_claim) == "final" && paid(CHALLENGER) >= share && paid(HONEST) >= kept {
            break;
        }
        thread::sleep(Duration::from_secs(1));
    }
    for (who, what) in [(LIAR, "liar"), (HONEST, "honest submitter"), (CHALLENGER, "challenger")] {
        println!("{what}: before {}, after {} wei", before[who], paid(who));
    }
    println!(
        "{} kills, {} reorganisations, {} failed connections",
        players.iter().map(|player| player.kills).sum::<u32>(),
        reorganised + 1,
        proxy.failures()
    );
    let said = players.iter().map(Player::said).collect::<Vec<_>>().join("\n--\n");
    assert_eq!(standing(&status(), &false_claim), "false", "{said}");
    assert_eq!(standing(&status(), &true_claim), "final", "{said}");
    assert!(paid(HONEST) >= kept && paid(HONEST) < before[HONEST], "{said}");
    assert!(paid(CHALLENGER) >= share && paid(CHALLENGER) < before[CHALLENGER] + ETHER / 2, "{said}");
    assert!(paid(LIAR) <= before[LIAR] - ETHER, "{said}");
    assert!(proxy.failures() > 0 && players.iter().all(|player| player.kills > 0), "{said}");
    assert_eq!(paid(STRANGER), before[STRANGER]);
}

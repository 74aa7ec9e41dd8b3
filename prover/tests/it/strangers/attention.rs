//! Attention on a chain: a member that watches earns the fee, one that sleeps loses its deposit, and deposits come back.

use serde_json::{Value, json};

use super::{
    anvil::{ACCOUNTS, Anvil},
    player::{Player, opml, refused, until},
};
use crate::cli::help::prepared;

const ETHER: u128 = 1_000_000_000_000_000_000;
const GAS: u128 = ETHER / 200;
const OPERATOR: usize = 0;
const HONEST: usize = 2;
const MEMBER: usize = 3;
const SLEEPER: usize = 4;
/// 2W + TR + 2A + 235·d of the tier of an hour.
const LOCK: u64 = 7_200 + 600 + 2_400 + 235 * 60;

#[test]
#[ignore = "needs anvil: npm ci in prover/tests/anvil"]
fn a_member_that_watches_earns_the_fee_and_one_that_sleeps_loses_its_deposit() {
    let (anvil, folder) = (Anvil::start(), prepared());
    let (endpoint, key) = (anvil.endpoint(), |who: usize| ACCOUNTS[who].1);
    let does = |who: usize, line: &str| opml(folder.path(), &endpoint, key(who), line);
    let says_no = |who: usize, line: &str| refused(folder.path(), &endpoint, key(who), line);
    does(OPERATOR, "deploy --tier hour");
    assert!(says_no(MEMBER, "attention join").contains("opml attention deploy"));
    let members = format!("--member {} --member {}", ACCOUNTS[MEMBER].0, ACCOUNTS[SLEEPER].0);
    // Members start slowly on a busy machine.
    does(OPERATOR, &format!("attention deploy --reveal 600 {members}"));
    let before: Vec<u128> = ACCOUNTS.iter().map(|(account, _)| anvil.balance(account)).collect();
    assert_eq!(does(MEMBER, "attention join --dry-run")["paid"][0]["sent"], false);
    does(MEMBER, "attention join");
    does(SLEEPER, "attention join");
    says_no(OPERATOR, "attention join");

    let task = does(OPERATOR, "request model.opml -i picture.png");
    let claim = does(HONEST, &format!("submit {} model.opml", task["task"].as_str().unwrap()));
    let claim = claim["claim"].as_str().unwrap().to_owned();
    says_no(MEMBER, &format!("attention ask {claim} model.opml"));
    does(HONEST, &format!("attention ask {claim} model.opml"));

    let start = |who: usize, name: &str, line: &str| Player::start(folder.path(), &endpoint, key(who), name, line);
    let mut players = [start(HONEST, "honest", "defend model.opml"), start(MEMBER, "member", "watch model.opml")];
    let show = || does(OPERATOR, "attention show");
    let check = || show()["checks"][0].clone();
    let said = |players: &[Player]| players.iter().map(Player::said).collect::<Vec<_>>().join("\n--\n");
    until(180, &|| said(&players), || check()["answered"] == 1);
    assert_eq!((&check()["asked"], &check()["stage"]), (&json!(2), &json!("asked")));
    // Both die; what they promised is in no memory of theirs.
    players.iter_mut().for_each(Player::kill_and_start);
    anvil.advance(610);
    until(180, &|| said(&players), || check()["stage"] == "shown");
    anvil.advance(3_700);
    until(180, &|| said(&players), || check()["stage"] == "over");
    assert_eq!(check()["attention"], 1, "{}", said(&players));
    let members = show()["members"].clone();
    let standing = |who: &Value| who["standing"].as_str().unwrap().to_owned();
    assert_eq!((standing(&members[0]), standing(&members[1])), ("active".to_owned(), "no deposit".to_owned()));

    // The member has the fee, who ended the check half of the sleeper's deposit; the submitter has its bonds back.
    let paid = |who: usize| anvil.balance(ACCOUNTS[who].0);
    let (deposit, fee) = (ETHER / 10, ETHER / 100);
    until(180, &|| said(&players), || {
        let both = paid(HONEST) + paid(MEMBER);
        both >= before[HONEST] + before[MEMBER] - deposit + deposit / 2 - 2 * GAS
    });
    assert!(paid(MEMBER) >= before[MEMBER] - deposit + fee - GAS, "{}", said(&players));
    assert!(paid(SLEEPER) <= before[SLEEPER] - deposit);
    players.iter_mut().for_each(Player::kill);

    does(MEMBER, "attention retire");
    assert_eq!(standing(&show()["members"][0]), "retired");
    says_no(MEMBER, "attention reclaim");
    anvil.advance(LOCK);
    does(MEMBER, "attention reclaim");
    assert!(paid(MEMBER) >= before[MEMBER] + fee - 2 * GAS);
    println!("member: before {}, after {} wei; sleeper: after {}", before[MEMBER], paid(MEMBER), paid(SLEEPER));
}

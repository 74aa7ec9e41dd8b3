//! Batches on a chain: a liar's falls by one of its leaves, an honest one becomes final; whoever watches follows both.

use std::{thread, time::Duration};

use alloy_primitives::{Address, B256, hex};
use alloy_sol_types::SolCall as _;
use opml_contracts::abi::BatchDispute;
use serde_json::{Value, json};

use super::{
    anvil::{ACCOUNTS, Anvil, number},
    player::{Player, opml, refused, until},
};
use crate::cli::help::prepared;

const ETHER: u128 = 1_000_000_000_000_000_000;
const GAS: u128 = ETHER / 100;
const OPERATOR: usize = 0;
const LIAR: usize = 1;
const HONEST: usize = 2;
const CHALLENGER: usize = 3;
const STRANGER: usize = 4;

/// How the leaves of a batch stand, in their order.
fn standings(status: &Value, batch: &str) -> Vec<String> {
    let leaves = status["claims"].as_array().unwrap().iter().filter(|claim| claim["batch"] == batch);
    let mut leaves: Vec<&Value> = leaves.collect();
    leaves.sort_by_key(|claim| claim["leaf"].as_u64());
    leaves.iter().map(|claim| claim["standing"].as_str().unwrap().to_owned()).collect()
}

#[test]
#[ignore = "needs anvil: npm ci in prover/tests/anvil"]
fn a_leaf_that_lies_fells_its_batch_and_an_honest_batch_becomes_final() {
    let (anvil, folder) = (Anvil::start(), prepared());
    let (endpoint, key) = (anvil.endpoint(), |who: usize| ACCOUNTS[who].1);
    let does = |who: usize, line: &str| opml(folder.path(), &endpoint, key(who), line);
    does(OPERATOR, "deploy --tier hour");
    let tasks: Vec<String> = (0..3)
        .map(|index| {
            let task = does(OPERATOR, &format!("request model.opml -i samples.npy --index {index}"));
            format!("--task {}", task["task"].as_str().unwrap())
        })
        .collect();
    let submit = format!("batch submit model.opml {}", tasks.join(" "));
    assert!(refused(folder.path(), &endpoint, key(LIAR), &submit).contains("opml batch deploy"));
    let deployed = does(OPERATOR, "batch deploy --max-leaves 3");
    let contract: Address = deployed["contract"].as_str().unwrap().parse().unwrap();

    let dry = does(HONEST, &format!("{submit} --dry-run"));
    assert_eq!(dry["paid"]["sent"], false);
    let four = format!("{submit} {}", tasks[0]);
    assert!(refused(folder.path(), &endpoint, key(HONEST), &four).contains("more than a batch"));
    let before: Vec<u128> = ACCOUNTS.iter().map(|(account, _)| anvil.balance(account)).collect();
    let lie = "--fault consistent --seed 3";
    let name = |batch: &Value| batch["batch"].as_str().unwrap().to_owned();
    let wrong = name(&does(LIAR, &format!("{submit} {lie} --leaf 1")));
    let right = does(HONEST, &submit);
    let claims: Vec<B256> =
        right["claims"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().parse().unwrap()).collect();
    let right = name(&right);
    assert_eq!((claims.len(), dry["batch"].as_str().unwrap()), (3, right.as_str()));

    let start = |who: usize, name: &str, line: &str| Player::start(folder.path(), &endpoint, key(who), name, line);
    let mut players = [
        start(LIAR, "liar", &format!("defend model.opml {lie}")),
        start(HONEST, "honest", "defend model.opml"),
        start(CHALLENGER, "challenger", "watch model.opml"),
    ];
    let status = || does(OPERATOR, "status");
    let disputes = |status: &Value, batch: &str| -> Vec<usize> {
        let leaves = status["claims"].as_array().unwrap().iter().filter(|claim| claim["batch"] == batch).cloned();
        let mut leaves: Vec<Value> = leaves.collect();
        leaves.sort_by_key(|claim| claim["leaf"].as_u64());
        leaves.iter().map(|claim| claim["disputes"].as_array().unwrap().len()).collect()
    };
    let mut rounds = 0;
    while standings(&status(), &wrong) != ["false"; 3] {
        thread::sleep(Duration::from_secs(2));
        // Whoever plays dies in the middle of it.
        players[rounds % 3].kill_and_start();
        rounds += 1;
        assert!(rounds < 120, "no end: {}", players.iter().map(Player::said).collect::<Vec<_>>().join("\n--\n"));
    }
    // One leaf was disputed, the others fell with it; nobody disputed the right ones.
    let now = status();
    assert_eq!((disputes(&now, &wrong), disputes(&now, &right)), (vec![0, 1, 0], vec![0; 3]));
    let dry = does(STRANGER, &format!("batch challenge {right} 2 --dry-run"));
    assert_eq!((&dry["paid"]["sent"], dry["claim"].as_str().unwrap()), (&json!(false), &*claims[2].to_string()));
    assert!(refused(folder.path(), &endpoint, key(STRANGER), &format!("batch prove {right} 3")).contains("no leaf 3"));
    refused(folder.path(), &endpoint, key(STRANGER), &format!("batch finalise {right}"));

    anvil.advance(3_700);
    let said = || players.iter().map(Player::said).collect::<Vec<_>>().join("\n--\n");
    let paid = |who: usize| anvil.balance(ACCOUNTS[who].0);
    until(300, &said, || standings(&status(), &right) == ["final"; 3]);
    until(300, &said, || {
        paid(HONEST) >= before[HONEST] - GAS && paid(CHALLENGER) >= before[CHALLENGER] + ETHER / 2 - GAS
    });
    assert!(paid(CHALLENGER) < before[CHALLENGER] + ETHER / 2 && paid(HONEST) < before[HONEST], "{}", said());
    assert!(paid(LIAR) <= before[LIAR] - ETHER, "{}", said());

    // A final leaf is known by its name once somebody has shown it.
    let is_final = |claim: B256| {
        let data = hex::encode_prefixed(BatchDispute::isFinalCall { claimId: claim }.abi_encode());
        number(&anvil.ask("eth_call", json!([{ "to": contract.to_string(), "data": data }, "latest"]))) == 1
    };
    assert!(!is_final(claims[2]));
    does(STRANGER, &format!("batch prove {right} 2"));
    assert!(is_final(claims[2]) && !is_final(claims[0]));
    for (who, what) in [(LIAR, "liar"), (HONEST, "honest submitter"), (CHALLENGER, "challenger")] {
        println!("{what}: before {}, after {} wei", before[who], paid(who));
    }
}

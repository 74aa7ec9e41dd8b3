//! The story of `opml story` on a chain behind an endpoint: the same steps, every wei counted again from the chain's own receipts.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    anvil::{ACCOUNTS, Anvil, number},
    player::{opml, refused, run},
};
use crate::cli::help::prepared;

const ETHER: u128 = 1_000_000_000_000_000_000;

fn wei(value: &Value) -> u128 {
    value.as_str().unwrap().parse().unwrap()
}

/// What each account paid for gas by the receipts of all blocks, but for payments to `home`.
fn paid_by_receipts(anvil: &Anvil, home: &str) -> BTreeMap<String, u128> {
    let mut paid = BTreeMap::new();
    let newest = number(&anvil.ask("eth_blockNumber", json!([])));
    for block in 1..=newest {
        let receipts = anvil.ask("eth_getBlockReceipts", json!([format!("{block:#x}")]));
        for receipt in receipts.as_array().unwrap() {
            if receipt["to"].as_str().is_none_or(|to| !to.eq_ignore_ascii_case(home)) {
                let cost = number(&receipt["gasUsed"]) * number(&receipt["effectiveGasPrice"]);
                *paid.entry(receipt["from"].as_str().unwrap().to_lowercase()).or_insert(0) += cost;
            }
        }
    }
    paid
}

#[test]
#[ignore = "needs anvil: npm ci in prover/tests/anvil"]
fn the_story_is_the_same_on_a_chain_and_gas_is_all_that_it_costs_more() {
    let anvil = Anvil::at_once();
    let folder = prepared();
    let (endpoint, (purse, key)) = (anvil.endpoint(), ACCOUNTS[0]);
    let here = opml(folder.path(), "", key, "story");
    let there = opml(folder.path(), "", key, &format!("story --rpc {endpoint}"));
    for fact in ["lie_caught", "lie_verified", "verified", "all_final", "first_content", "content", "earned"] {
        assert_eq!(there[fact], here[fact], "{fact}");
    }
    assert_eq!((&there["holdings"], &there["redeemed"]), (&here["holdings"], &here["redeemed"]));
    assert_eq!(there["conserved"], true);
    let calls = |story: &Value| {
        let steps = story["transactions"].as_array().unwrap().clone();
        steps.iter().map(|step| (step["who"].clone(), step["call"].clone())).collect::<Vec<_>>()
    };
    assert_eq!(calls(&there), calls(&here));

    // Every row ends as in one process, less what its account paid for gas, which the receipts tell as well.
    let receipts = paid_by_receipts(&anvil, purse);
    let rows = |story: &Value| story["balances"].as_array().unwrap().clone();
    let mut gas = 0;
    for (row, same) in rows(&there).iter().zip(&rows(&here)) {
        let (name, paid) = (row["account"].as_str().unwrap(), wei(&row["gas_paid"]));
        assert_eq!(same["account"], name);
        println!("{name}: {} wei, paid for gas {paid} wei", row["wei"].as_array().unwrap().last().unwrap());
        if ["gas", "sum"].contains(&name) {
            assert_eq!(paid, gas, "{name}");
            continue;
        }
        gas += paid;
        let end = |row: &Value| wei(row["wei"].as_array().unwrap().last().unwrap());
        assert_eq!(end(row) + paid, end(same), "{name}");
        let account = row["address"].as_str().unwrap().to_lowercase();
        assert_eq!(receipts.get(&account).copied().unwrap_or(0), paid, "{name}");
    }
    assert!(gas > 0);
    for sum in rows(&there).last().unwrap()["wei"].as_array().unwrap() {
        assert_eq!(wei(sum), 160 * ETHER);
    }
    // What the cast had left is home again.
    for row in rows(&there).iter().take(8) {
        assert!(anvil.balance(row["address"].as_str().unwrap()) < ETHER / 1_000, "{row}");
    }
    let text = String::from_utf8(run(folder.path(), "", key, &format!("story --rpc {endpoint} --seed 4"))).unwrap();
    assert!(text.contains("paid for gas") && text.contains("The sum is always the same."), "{text}");
}

#[test]
#[ignore = "needs anvil: npm ci in prover/tests/anvil"]
fn scenes_are_played_on_a_chain_too() {
    let anvil = Anvil::at_once();
    let folder = prepared();
    let key = ACCOUNTS[0].1;
    let on = format!("--rpc {}", anvil.endpoint());
    let scene = |line: &str| opml(folder.path(), "", key, &format!("{line} {on}"));
    let failed = scene("imo model.opml --sold 100");
    assert_eq!((&failed["succeeded"], &failed["conserved"]), (&json!(false), &json!(true)));
    let asked = scene("ask model.opml -i picture.png --lie 7");
    assert_eq!(
        (&asked["is_final"], &asked["lie_caught"], &asked["conserved"]),
        (&json!(true), &json!(true), &json!(true))
    );
    let minted = scene("mint model.opml -i picture.png");
    assert_eq!((&minted["verified"], &minted["verified_early"]), (&json!(true), &json!(false)));
    let shared = scene("revenue model.opml -i picture.png --requests 2");
    assert_eq!((&shared["revenue"], &shared["conserved"]), (&json!((ETHER / 25).to_string()), &json!(true)));

    let before = anvil.balance(ACCOUNTS[1].0);
    let dry = run(folder.path(), "", ACCOUNTS[1].1, &format!("story {on} --dry-run"));
    assert!(dry.is_empty(), "nothing came of it");
    assert_eq!(anvil.balance(ACCOUNTS[1].0), before);
    // A key that nothing stands behind.
    let poor = "0x0000000000000000000000000000000000000000000000000000000000000001";
    let why = refused(folder.path(), "", poor, &format!("story {on}"));
    assert!(why.contains("the actors need 160 ETH"), "{why}");
    let why = refused(folder.path(), "", key, "story --rpc http://127.0.0.1:9");
    assert!(why.contains("is the endpoint up?"), "{why}");
}

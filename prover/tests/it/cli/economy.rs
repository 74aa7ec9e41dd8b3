//! Offerings, requests, tokens of content and revenue, told by the command and counted again here.

use alloy_primitives::U256;
use serde_json::Value;

use super::Folder;

const ETHER: u128 = 1_000_000_000_000_000_000;

/// The balances of an account at the end of each chapter.
fn balances(report: &Value, account: &str) -> Vec<U256> {
    let rows = report["balances"].as_array().unwrap();
    let row = rows.iter().find(|row| row["account"] == account).unwrap_or_else(|| panic!("no row {account}"));
    row["wei"].as_array().unwrap().iter().map(|wei| wei.as_str().unwrap().parse().unwrap()).collect()
}

fn last(report: &Value, account: &str) -> U256 {
    *balances(report, account).last().unwrap()
}

/// Ether with so many thousandths.
fn milli(thousandths: u128) -> U256 {
    U256::from(thousandths * (ETHER / 1_000))
}

/// All rows add up to the last one, which never changes.
fn conserved(report: &Value) {
    assert_eq!(report["conserved"], true);
    let rows = report["balances"].as_array().unwrap();
    let sums = balances(report, "sum");
    for (chapter, sum) in sums.iter().enumerate() {
        let cells = rows.iter().filter(|row| row["account"] != "sum");
        let total: U256 = cells.map(|row| row["wei"][chapter].as_str().unwrap().parse::<U256>().unwrap()).sum();
        assert_eq!(total, *sum);
        assert_eq!(*sum, milli(160_000), "eight accounts of 20 ether");
    }
}

#[test]
fn the_story_goes_well_and_every_wei_is_accounted_for() {
    let folder = Folder::new();
    let story = folder.opml("story --json").json(0);
    conserved(&story);
    for (key, value) in [("lie_caught", true), ("lie_verified", false), ("verified", true), ("all_final", true)] {
        assert_eq!(story[key], value, "{key}");
    }
    assert_ne!(story["first_content"], story["content"]);
    // Two answers at 0.05 ether, two fifths of them the token's; a royalty of a twentieth of 2 ether.
    assert_eq!(story["earned"], serde_json::json!([milli(40).to_string(), milli(100).to_string()]));
    // Three quarters of 0.14 ether are the holders', by 600 : 400 : 250 tokens; 100 of 1,250 tokens redeem their part of the rest.
    let holdings = story["holdings"].as_array().unwrap();
    let claimed: Vec<&Value> = holdings.iter().map(|holding| &holding["claimed"]).collect();
    let micro = |millionths: u128| U256::from(millionths * (ETHER / 1_000_000)).to_string();
    assert_eq!(claimed, [&micro(50_400), &micro(33_600), &micro(21_000)]);
    assert_eq!(story["redeemed"], micro(2_800));

    // The liar lost its bond and earned the gas of its callback; the challenger has half of it, the other half is burnt.
    let gas = U256::from(600_000u128 * 1_000_000_000);
    assert_eq!(last(&story, "lying submitter"), milli(19_000) + gas);
    assert_eq!(last(&story, "challenger"), milli(20_500));
    assert_eq!(last(&story, "burnt"), milli(500));
    assert_eq!(last(&story, "honest submitter"), milli(20_060), "three fifths of two fees");
    assert_eq!(last(&story, "creator"), milli(30_000), "what was raised");
    assert_eq!(last(&story, "carol"), milli(21_850) - gas);
    for contract in ["(Dispute)", "(AIOracle)", "(Offering)"] {
        assert_eq!(last(&story, contract), U256::ZERO, "{contract}");
    }
    let functions: Vec<&str> =
        story["transactions"].as_array().unwrap().iter().map(|step| step["call"].as_str().unwrap()).collect();
    for call in
        ["launch", "buy", "close", "mint", "Conflict", "proveSlice", "updateResult", "snapshot", "collect", "burn"]
    {
        assert!(functions.contains(&call), "{call}");
    }
    // Another lie, the same money.
    let other = folder.opml("story --seed 4 --json").json(0);
    assert_ne!(other["first_content"], story["first_content"]);
    assert_eq!(other["balances"], story["balances"]);
    // Another model, too.
    let digits = folder.opml("story --model digits --json").json(0);
    conserved(&digits);
    assert_eq!((&digits["lie_caught"], &digits["verified"]), (&Value::from(true), &Value::from(true)));
    assert_eq!(digits["holdings"], story["holdings"]);
    let text = folder.opml("story").exits(0);
    assert!(text.contains("The lie, \"sandal\", stood in the token at first. Verified then: no. Its claim fell: yes."));
}

#[test]
fn an_offering_succeeds_or_gives_everything_back() {
    let folder = Folder::new();
    let offered = folder.opml("imo model.opml --sold 700 --json").json(0);
    conserved(&offered);
    assert_eq!(offered["succeeded"], true);
    assert_eq!(last(&offered, "creator"), milli(27_000));
    assert_eq!((last(&offered, "alice"), last(&offered, "bob")), (milli(15_800), milli(17_200)));
    let failed = folder.opml("imo model.opml --sold 499 --json").json(0);
    conserved(&failed);
    assert_eq!(failed["succeeded"], false);
    for account in ["creator", "alice", "bob"] {
        assert_eq!(last(&failed, account), milli(20_000), "{account}");
    }
    assert!(balances(&failed, "alice").contains(&milli(17_010)), "299 tokens were bought");
}

#[test]
fn a_question_is_answered_and_paid_with_and_without_a_lie() {
    let folder = Folder::new();
    let honest = folder.opml("ask model.opml -i picture.png --json").json(0);
    conserved(&honest);
    assert_eq!((&honest["is_final"], &honest["lie_caught"]), (&Value::from(true), &Value::Null));
    assert_eq!(last(&honest, "honest submitter"), milli(20_030));
    assert_eq!(last(&honest, "(AIOracle)"), milli(20), "the token's, not fetched yet");
    let lied = folder.opml("ask model.opml -i picture.png --lie 7 --json").json(0);
    conserved(&lied);
    assert_eq!(lied["lie_caught"], true);
    assert_eq!(lied["output"], honest["output"]);
    assert_eq!(last(&lied, "lying submitter"), milli(19_000));
    let run = folder.opml("run model.opml -i picture.png --json").json(0);
    let first = run["values"][0].as_i64().unwrap().to_le_bytes();
    let bytes = honest["output"].as_str().unwrap();
    assert!(bytes.starts_with(&format!("0x{}", alloy_primitives::hex::encode(&first[..4]))), "{bytes}");
}

#[test]
fn content_is_verified_in_the_end_and_never_before() {
    let folder = Folder::new();
    for line in ["mint model.opml -i picture.png --json", "mint model.opml -i picture.png --lie 3 --json"] {
        let minted = folder.opml(line).json(0);
        conserved(&minted);
        assert_eq!((&minted["verified"], &minted["verified_early"]), (&Value::from(true), &Value::from(false)));
    }
}

#[test]
fn answers_earn_for_holders() {
    let folder = Folder::new();
    let shared = folder.opml("revenue model.opml -i picture.png --requests 4 --json").json(0);
    conserved(&shared);
    assert_eq!(shared["revenue"], milli(80).to_string());
    assert_eq!(last(&shared, "honest submitter"), milli(20_120));
    // Three quarters of 0.08 ether, by 600 : 400 : 250.
    assert_eq!(
        (last(&shared, "alice"), last(&shared, "bob")),
        (milli(14_000 + 28) + U256::from(ETHER / 1_250), milli(16_000) + U256::from(ETHER / 1_000_000 * 19_200))
    );
    assert_eq!(last(&shared, "(RevenueToken)"), milli(20));
}

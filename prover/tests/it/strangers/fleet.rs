//! Workers that share an account and its work through PostgreSQL, and die.

use std::{collections::BTreeSet, thread, time::Duration};

use postgres::Client;
use serde_json::json;

use super::{
    anvil::{ACCOUNTS, Anvil},
    many,
    player::{Player, opml},
    postgres::Postgres,
};
use crate::cli::help::prepared;

const ETHER: u128 = 1_000_000_000_000_000_000;
const OPERATOR: usize = 0;
const LIAR: usize = 1;
const WATCHER: usize = 3;
/// Seconds after which what a dead worker had is others'.
const LEASE: &str = "--lease 3";

fn until(what: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..600 {
        if done() {
            return;
        }
        thread::sleep(Duration::from_millis(200));
    }
    panic!("{what}");
}

fn count(client: &mut Client, condition: &str) -> i64 {
    let rows = client.query_one(
        &format!("SELECT coalesce(sum(length(names) / 32), 0)::bigint FROM opml_part WHERE {condition}"),
        &[],
    );
    rows.map_or(0, |row| row.get(0))
}

#[test]
#[ignore = "needs anvil (npm ci in prover/tests/anvil) and PostgreSQL"]
fn a_worker_that_dies_in_a_check_gives_it_back() {
    let (anvil, postgres, folder) = (Anvil::start(), Postgres::start(), prepared());
    let wrong = many::claims(&anvil, &folder, ACCOUNTS[LIAR], 150, 50);
    let start = |name: &str| {
        let line = format!("watch model.opml --dry-run {LEASE}");
        let more = postgres.environment();
        Player::with(folder.path(), &anvil.endpoint(), ACCOUNTS[WATCHER].1, name, &line, more)
    };
    let mut client = postgres.client();
    let mut first = start("first");
    until(&first.said(), || client.query_one("SELECT 'opml_part'::regclass", &[]).is_ok());
    first.kill();
    // Verdicts wait at a lock of this test, so that a worker is surely in the middle of its checks.
    client.batch_execute("DELETE FROM opml_part; SELECT pg_advisory_lock(42);
        CREATE FUNCTION stay() RETURNS trigger LANGUAGE plpgsql AS
            $$BEGIN PERFORM pg_advisory_lock(42); PERFORM pg_advisory_unlock(42); RETURN NEW; END$$;
        CREATE TRIGGER stay BEFORE UPDATE ON opml_part FOR EACH ROW WHEN (NEW.judged IS NOT NULL) EXECUTE FUNCTION stay()",
    ).unwrap();
    let mut second = start("second");
    until("a check is taken", || count(&mut client, "worker IS NOT NULL AND judged IS NULL") > 0);
    let taken = count(&mut client, "worker IS NOT NULL AND judged IS NULL");
    second.kill();
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'opml'";
    client.query(end, &[]).unwrap();
    until("its connections end", || {
        client.query(&end.replace("pg_terminate_backend(pid)", "pid"), &[]).unwrap().is_empty()
    });
    assert_eq!(count(&mut client, "worker IS NOT NULL AND judged IS NULL"), taken);
    client.batch_execute("DROP TRIGGER stay ON opml_part; SELECT pg_advisory_unlock(42)").unwrap();
    let third = start("third");
    until(&third.said(), || count(&mut client, "judged IS NOT NULL") == 150);
    println!("{taken} checks of a worker that died were made by another");
    let rows = client.query("SELECT names, verdicts FROM opml_part", &[]).unwrap();
    let mut found = BTreeSet::new();
    for row in rows {
        let (names, verdicts): (Vec<u8>, Vec<u8>) = (row.get(0), row.get(1));
        let wrong = names.chunks(32).zip(verdicts).filter(|(_, verdict)| *verdict == 2);
        found.extend(wrong.map(|(name, _)| name.to_vec()));
    }
    assert_eq!(found, wrong.iter().map(|name| name.to_vec()).collect());
}

#[test]
#[ignore = "needs anvil (npm ci in prover/tests/anvil) and PostgreSQL"]
fn a_fleet_plays_one_game_while_its_workers_die() {
    let (anvil, postgres, folder) = (Anvil::start(), Postgres::start(), prepared());
    let (endpoint, key) = (anvil.endpoint(), |who: usize| ACCOUNTS[who].1);
    opml(folder.path(), &endpoint, key(OPERATOR), "deploy --tier hour");
    let task = opml(folder.path(), &endpoint, key(OPERATOR), "request model.opml -i picture.png");
    let lie = "--fault consistent --seed 3";
    let line = format!("submit {} model.opml {lie}", task["task"].as_str().unwrap());
    opml(folder.path(), &endpoint, key(LIAR), &line);
    let before = anvil.balance(ACCOUNTS[WATCHER].0);
    let _liar = Player::start(folder.path(), &endpoint, key(LIAR), "liar", &format!("defend model.opml {lie}"));
    let mut workers: Vec<Player> = ["first", "second"]
        .into_iter()
        .map(|name| {
            let line = format!("watch model.opml {LEASE}");
            Player::with(folder.path(), &endpoint, key(WATCHER), name, &line, postgres.environment())
        })
        .collect();
    let said = |workers: &[Player]| workers.iter().map(Player::said).collect::<Vec<_>>().join("\n--\n");
    let mut client = postgres.client();
    let mut kills = 0;
    let standing = || {
        let status = opml(folder.path(), &endpoint, key(OPERATOR), "status");
        status["claims"][0]["standing"].as_str().unwrap().to_owned()
    };
    for round in 0.. {
        if standing() == "false" {
            break;
        }
        assert!(round < 120, "no end: {}", said(&workers));
        thread::sleep(Duration::from_millis(1_500));
        // Whoever holds the game dies, in the middle of it.
        let holder = "SELECT worker FROM opml_hold WHERE until > now() ORDER BY worker DESC";
        let Ok(rows) = client.query(holder, &[]) else { continue };
        let Some(holder) = rows.first().map(|row| row.get::<_, i64>(0)) else { continue };
        let holds = |worker: &Player| {
            let said = worker.said();
            let last = said.lines().filter_map(|line| line.strip_prefix("worker ")).next_back();
            last.is_some_and(|line| line.split(' ').next() == Some(&holder.to_string()))
        };
        if round % 3 == 1
            && let Some(worker) = workers.iter_mut().find(|worker| holds(worker))
        {
            worker.kill_and_start();
            kills += 1;
        }
    }
    let paid = || anvil.balance(ACCOUNTS[WATCHER].0);
    let share = before + ETHER / 2 - ETHER / 100;
    until("the bond and the share are paid", || paid() >= share);
    assert!(paid() < before + ETHER / 2);
    // No transaction of the account was in vain: no move was played twice.
    let (mut good, mut bad) = (0, 0);
    let head = anvil.ask("eth_blockNumber", json!([]));
    let head = u64::from_str_radix(head.as_str().unwrap().trim_start_matches("0x"), 16).unwrap();
    for number in 0..=head {
        let receipts = anvil.ask("eth_getBlockReceipts", json!([format!("{number:#x}")]));
        for receipt in receipts.as_array().unwrap() {
            if receipt["from"].as_str().unwrap().eq_ignore_ascii_case(ACCOUNTS[WATCHER].0) {
                if receipt["status"] == "0x1" { good += 1 } else { bad += 1 }
            }
        }
    }
    println!("a fleet of two: {good} transactions, {bad} in vain, {kills} kills of the worker that had the game");
    let both = workers.iter().filter(|worker| worker.said().contains("sent ")).count();
    println!("{both} of 2 workers sent some; before {before}, after {} wei", paid());
    assert!(kills > 0 && bad == 0, "{}", said(&workers));
}

//! How many claims a watcher checks in a second, and how many two do that share a database.

use std::time::Duration;

use postgres::Client;

use super::{
    anvil::{ACCOUNTS, Anvil},
    many,
    player::Player,
    postgres::Postgres,
};
use crate::cli::{Folder, help::prepared};

const CLAIMS: u64 = 6_000;
const REPEATS: u32 = 3;

/// Checks for a second while all workers were at it, by the database's clock.
fn rate(client: &mut Client, workers: i64) -> f64 {
    let sql = "
        WITH span AS (SELECT worker, min(judged) AS first, max(judged) AS last FROM opml_check GROUP BY worker),
             common AS (SELECT max(first) AS first, min(last) AS last, count(*) AS workers FROM span)
        SELECT workers, count(judged) / greatest(extract(epoch FROM last - first), 0.000001)::float8
        FROM common LEFT JOIN opml_check ON judged > first AND judged <= last GROUP BY workers, first, last";
    let row = client.query_one(sql, &[]).unwrap();
    assert_eq!(row.get::<_, i64>(0), workers, "every worker made some checks");
    row.get(1)
}

/// Lets workers check all claims from the beginning.
fn fleet(anvil: &Anvil, postgres: &Postgres, folder: &Folder, workers: usize, round: u32) -> f64 {
    let mut client = postgres.client();
    let mut players: Vec<Player> = (0..workers)
        .map(|worker| {
            let name = format!("worker-{round}-{workers}-{worker}");
            let more = postgres.environment();
            Player::with(folder.path(), &anvil.endpoint(), ACCOUNTS[3].1, &name, "watch model.opml --dry-run", more)
        })
        .collect();
    for _ in 0..3_000 {
        let judged = "SELECT count(*) FROM opml_check WHERE verdict IS NOT NULL";
        let judged: i64 = client.query_one(judged, &[]).map_or(0, |row| row.get(0));
        if judged == i64::try_from(CLAIMS).unwrap() {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let rate = rate(&mut client, i64::try_from(workers).unwrap());
    players.iter_mut().for_each(Player::kill);
    client.batch_execute("TRUNCATE opml_check").unwrap();
    rate
}

#[test]
#[ignore = "needs anvil (npm ci in prover/tests/anvil) and PostgreSQL; a measurement"]
fn throughput() {
    let (anvil, folder) = (Anvil::start(), prepared());
    many::claims(&anvil, &folder, ACCOUNTS[1], CLAIMS, 0);
    let postgres = Postgres::start();
    let mut one = Vec::new();
    let mut two = Vec::new();
    for round in 0..REPEATS {
        one.push(fleet(&anvil, &postgres, &folder, 1, round));
        two.push(fleet(&anvil, &postgres, &folder, 2, round));
    }
    let best = |rates: &[f64]| rates.iter().copied().fold(0.0, f64::max);
    println!("one worker of a fleet, one thread: {one:.0?} MLP claims/s; two: {two:.0?}");
    println!(
        "best of {REPEATS}: {:.0} and {:.0} claims/s, {:.2} times as many",
        best(&one),
        best(&two),
        best(&two) / best(&one)
    );
    assert!(best(&one) >= 50.0, "one worker checks {one:?} claims/s");
    assert!(best(&two) >= 1.8 * best(&one), "{two:?} of two, {one:?} of one");
}

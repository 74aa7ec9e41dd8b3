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

const CLAIMS: u64 = 12_000;
/// Odd, and many: a round lasts some 50 ms.
const REPEATS: u32 = 11;

/// Checks for a second while all workers were at it, by the database's clock.
fn rate(client: &mut Client, workers: i64) -> f64 {
    let sql = "
        WITH span AS (SELECT worker, min(judged) AS first, max(judged) AS last FROM opml_part GROUP BY worker),
             common AS (SELECT max(first) AS first, min(last) AS last, count(*) AS workers FROM span)
        SELECT workers, coalesce(sum(length(names) / 32), 0)::float8 / greatest(extract(epoch FROM last - first), 0.000001)::float8
        FROM common LEFT JOIN opml_part ON judged > first AND judged <= last GROUP BY workers, first, last";
    let row = client.query_one(sql, &[]).unwrap();
    assert_eq!(row.get::<_, i64>(0), workers, "every worker made some checks");
    row.get(1)
}

/// Lets workers check all claims from the beginning. They read the chain first, each for itself, and then begin together.
fn fleet(anvil: &Anvil, postgres: &Postgres, folder: &Folder, workers: usize, round: u32) -> Run {
    let (mut gate, mut client) = (postgres.client(), postgres.client());
    // Reads pass, the first write of each worker waits.
    let mut closed = gate.transaction().unwrap();
    closed.batch_execute("LOCK TABLE opml_part IN SHARE MODE").unwrap();
    let mut players = start(anvil, postgres, folder, workers, round);
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'opml' AND wait_event_type = 'Lock'";
    until(|| client.query_one(waiting, &[]).unwrap().get::<_, i64>(0) == i64::try_from(workers).unwrap());
    let backends = client.query("SELECT pid FROM pg_stat_activity WHERE application_name = 'opml'", &[]).unwrap();
    let backends: Vec<u32> = backends.iter().map(|row| row.get::<_, i32>(0).unsigned_abs()).collect();
    let own: Vec<u32> = players.iter().map(Player::id).collect();
    let before = (worked(&own), worked(&backends));
    closed.commit().unwrap();
    until(|| judged(&mut client) == i64::try_from(CLAIMS).unwrap());
    let claims = f64::from(u32::try_from(CLAIMS).unwrap());
    let work = ((worked(&own) - before.0) / claims, (worked(&backends) - before.1) / claims);
    let rate = rate(&mut client, i64::try_from(workers).unwrap());
    players.iter_mut().for_each(Player::kill);
    forget(&mut client);
    Run { rate, own: work.0, database: work.1 }
}

/// What was measured once.
#[derive(Clone, Copy)]
struct Run {
    /// Claims in a second.
    rate: f64,
    /// Microseconds of the processors for a claim, of the workers.
    own: f64,
    /// The same of the database.
    database: f64,
}

/// Microseconds that processes have worked, by the kernel's account: of them and of nobody else, however busy the machine is.
fn worked(processes: &[u32]) -> f64 {
    let ticks = |process: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        let fields = stat.rsplit(") ").next().unwrap_or_default();
        fields.split(' ').skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>()
    };
    // A hundred ticks in a second.
    processes.iter().map(ticks).sum::<f64>() * 10_000.0
}

fn start(anvil: &Anvil, postgres: &Postgres, folder: &Folder, workers: usize, round: u32) -> Vec<Player> {
    let worker = |worker: usize| {
        let name = format!("worker-{round}-{workers}-{worker}");
        let more = postgres.environment();
        Player::with(folder.path(), &anvil.endpoint(), ACCOUNTS[3].1, &name, "watch model.opml --dry-run", more)
    };
    (0..workers).map(worker).collect()
}

/// All checks are to be made again.
fn forget(client: &mut Client) {
    client.batch_execute("UPDATE opml_part SET worker = NULL, judged = NULL, verdicts = decode(repeat('00', length(names) / 32), 'hex')").unwrap();
    client.batch_execute("VACUUM ANALYZE opml_part").unwrap();
}

fn judged(client: &mut Client) -> i64 {
    let sql = "SELECT coalesce(sum(length(names) / 32), 0)::bigint FROM opml_part WHERE judged IS NOT NULL";
    client.query_one(sql, &[]).map_or(0, |row| row.get(0))
}

fn until(mut done: impl FnMut() -> bool) {
    for _ in 0..6_000 {
        if done() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("the workers do not come to an end");
}

#[test]
#[ignore = "needs anvil (npm ci in prover/tests/anvil) and PostgreSQL; a measurement"]
fn throughput() {
    let (anvil, folder) = (Anvil::start(), prepared());
    many::claims(&anvil, &folder, ACCOUNTS[1], CLAIMS, 0);
    let postgres = Postgres::start();
    // The tables are made by the first worker.
    let mut first = start(&anvil, &postgres, &folder, 1, REPEATS);
    let mut client = postgres.client();
    until(|| judged(&mut client) == i64::try_from(CLAIMS).unwrap());
    first.iter_mut().for_each(Player::kill);
    forget(&mut client);
    let mut one = Vec::new();
    let mut two = Vec::new();
    for round in 0..REPEATS {
        one.push(fleet(&anvil, &postgres, &folder, 1, round));
        two.push(fleet(&anvil, &postgres, &folder, 2, round));
    }
    let median = |runs: &[Run]| {
        let mut all: Vec<f64> = runs.iter().map(|run| run.rate).collect();
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    let rates = |runs: &[Run]| runs.iter().map(|run| run.rate).collect::<Vec<_>>();
    println!("one worker of a fleet, one thread: {:.0?} MLP claims/s; two: {:.0?}", rates(&one), rates(&two));
    let (rate_of_one, rate_of_two) = (median(&one), median(&two));
    println!("medians: {rate_of_one:.0} and {rate_of_two:.0} claims/s, {:.2} times as many", rate_of_two / rate_of_one);
    // Ticks are coarse: all rounds together.
    let mean = |runs: &[Run], of: fn(&Run) -> f64| runs.iter().map(of).sum::<f64>() / f64::from(REPEATS);
    for (who, runs) in [("one worker", &one), ("two", &two)] {
        let (own, database) = (mean(runs, |run| run.own), mean(runs, |run| run.database));
        println!("{who}: {own:.1} µs of a processor for a claim, the database {database:.1} µs");
    }
}

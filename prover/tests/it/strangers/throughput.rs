//! How many claims a watcher checks in a second, and how many two do that share a database.

use std::time::Duration;

use postgres::Client;
use serde_json::json;

use super::{
    anvil::{ACCOUNTS, Anvil},
    many,
    player::Player,
    postgres::Postgres,
};
use crate::cli::{self, Folder, help::prepared};

/// Claims on a model, on a chain of their own, and a database for those who check them.
struct Field {
    anvil: Anvil,
    folder: Folder,
    postgres: Postgres,
    claims: u32,
}

/// What was measured once.
#[derive(Clone, Copy)]
struct Run {
    /// Whether nobody else was at work when it began.
    quiet: bool,
    /// Claims in a second.
    rate: f64,
    /// Microseconds of the processors for a claim, of the workers.
    own: f64,
    /// The same of the database.
    database: f64,
}

impl Field {
    fn new(folder: Folder, claims: u32) -> Self {
        let (anvil, postgres) = (Anvil::start(), Postgres::start());
        many::claims(&anvil, &folder, ACCOUNTS[1], claims.into(), 0);
        // Nothing more happens on the chain, and its blocks need not take a processor from those who are measured.
        anvil.ask("anvil_setIntervalMining", json!([0]));
        let field = Self { anvil, folder, postgres, claims };
        // The first workers make the tables and read the chain; those that come after them go on with their folders.
        let mut first = field.start(2);
        let mut client = field.postgres.client();
        field.end(&mut client);
        first.iter_mut().for_each(Player::kill);
        forget(&mut client);
        field
    }

    fn start(&self, workers: usize) -> Vec<Player> {
        let worker = |worker: usize| {
            let name = format!("worker-{worker}");
            let more = self.postgres.environment();
            let line = "watch model.opml --dry-run";
            Player::with(self.folder.path(), &self.anvil.endpoint(), ACCOUNTS[3].1, &name, line, more)
        };
        (0..workers).map(worker).collect()
    }

    /// Until all claims are judged.
    fn end(&self, client: &mut Client) {
        let sql = "SELECT count(*) > 0 AND count(*) = count(judged) FROM opml_part";
        until(|| client.query_one(sql, &[]).is_ok_and(|row| row.get(0)));
        let sql = "SELECT sum(length(names) / 32)::bigint FROM opml_part";
        assert_eq!(client.query_one(sql, &[]).unwrap().get::<_, i64>(0), i64::from(self.claims));
    }

    /// Lets workers check all claims from the beginning. They read the chain first, each for itself, and then begin together.
    fn run(&self, workers: usize) -> Run {
        let (mut gate, mut client) = (self.postgres.client(), self.postgres.client());
        // Reads pass, the first write of each worker waits.
        let mut closed = gate.transaction().unwrap();
        closed.batch_execute("LOCK TABLE opml_part IN SHARE MODE").unwrap();
        let mut players = self.start(workers);
        let waiting =
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'opml' AND wait_event_type = 'Lock'";
        until(|| client.query_one(waiting, &[]).unwrap().get::<_, i64>(0) == i64::try_from(workers).unwrap());
        let quiet = quiet();
        touch();
        let backends = "SELECT pid FROM pg_stat_activity WHERE application_name = 'opml'";
        let backends = client.query(backends, &[]).unwrap();
        let backends: Vec<u32> = backends.iter().map(|row| row.get::<_, i32>(0).unsigned_abs()).collect();
        let own: Vec<u32> = players.iter().map(Player::id).collect();
        let before = (worked(&own), worked(&backends));
        closed.commit().unwrap();
        self.end(&mut client);
        let work = |now: f64, before: f64| (now - before) / f64::from(self.claims);
        let (own, database) = (work(worked(&own), before.0), work(worked(&backends), before.1));
        let rate = rate(&mut client, workers);
        players.iter_mut().for_each(Player::kill);
        forget(&mut client);
        Run { quiet, rate, own, database }
    }

    /// One worker and two in turn, so that what else the machine does meets both.
    fn measure(&self, what: &str, rounds: u32) -> String {
        let all: Vec<(Run, Run)> = (0..rounds).map(|_| (self.run(1), self.run(2))).collect();
        let quiet: Vec<(Run, Run)> = all.iter().copied().filter(|(one, two)| one.quiet && two.quiet).collect();
        let mut said = vec![format!(
            "{what}, {} claims, {rounds} rounds, {} of them on a quiet machine",
            self.claims,
            quiet.len()
        )];
        let (one, two): (Vec<Run>, Vec<Run>) = if quiet.is_empty() { all } else { quiet }.into_iter().unzip();
        let rounds = f64::from(u32::try_from(one.len()).unwrap());
        for (who, runs) in [("one worker", &one), ("two", &two)] {
            let rates: Vec<f64> = runs.iter().map(|run| run.rate).collect();
            said.push(format!("{who}: {:.0} claims/s (median of {rates:.0?})", median(rates.clone())));
            // Ticks are coarse: all rounds together.
            let mean = |of: fn(&Run) -> f64| runs.iter().map(of).sum::<f64>() / rounds;
            let (own, database) = (mean(|run| run.own), mean(|run| run.database));
            said.push(format!("{who}: {own:.2} µs of a processor for a claim, the database {database:.2} µs"));
        }
        let ratios: Vec<f64> = one.iter().zip(&two).map(|(one, two)| two.rate / one.rate).collect();
        said.push(format!("two check {:.2} times as many (median of {ratios:.2?})", median(ratios.clone())));
        said.join("\n")
    }
}

/// Checks for a second while all workers were at it, by the database's clock: of each worker from its first verdicts in that time to its last.
fn rate(client: &mut Client, workers: usize) -> f64 {
    let sql = "
        WITH span AS (SELECT min(judged) AS first, max(judged) AS last FROM opml_part GROUP BY worker),
             common AS (SELECT max(first) AS first, min(last) AS last FROM span),
             part AS (SELECT worker, judged, length(names) / 32 AS checks,
                          min(judged) OVER own AS first, max(judged) OVER own AS last
                      FROM opml_part WHERE judged BETWEEN (SELECT first FROM common) AND (SELECT last FROM common)
                      WINDOW own AS (PARTITION BY worker))
        SELECT count(*), sum(checks) FILTER (WHERE judged > first) / greatest(extract(epoch FROM max(judged) - first), 0.000001)::float8
        FROM part GROUP BY worker, first";
    let rows = client.query(sql, &[]).unwrap();
    assert_eq!(rows.len(), workers, "every worker made some checks");
    assert!(rows.iter().all(|row| row.get::<_, i64>(0) > 1), "there are too few parts to tell");
    rows.iter().map(|row| row.get::<_, f64>(1)).sum()
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

/// Waits until nobody is at work, for the workers wait, too; whether it came to that. Who else works takes more from two workers than from one.
fn quiet() -> bool {
    let read = || -> Vec<u64> {
        let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
        let all = stat.lines().next().unwrap_or_default();
        all.split_whitespace().skip(1).take(8).filter_map(|ticks| ticks.parse().ok()).collect()
    };
    (0..5).any(|_| {
        let before = read();
        std::thread::sleep(Duration::from_millis(100));
        let spent: Vec<u64> = read().iter().zip(&before).map(|(now, before)| now - before).collect();
        // Of a twentieth, the test itself may be the cause. The fourth and fifth are idle.
        let idle: u64 = spent.iter().skip(3).take(2).sum();
        idle * 20 >= spent.iter().sum::<u64>() * 19
    })
}

/// Has free memory at hand, in the pages that workers ask for. Where the system is itself a guest, its host takes back what was free for
/// seconds, and brings it back slowly: two workers, which need twice as much, would be told from one by that.
fn touch() {
    let mut bytes = memmap2::MmapOptions::new().len(256 << 20).map_anon().unwrap();
    #[cfg(target_os = "linux")]
    let _ = bytes.advise(memmap2::Advice::HugePage);
    bytes.iter_mut().step_by(1 << 12).for_each(|byte| *byte = 1);
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

/// All checks are to be made again.
fn forget(client: &mut Client) {
    client.batch_execute("UPDATE opml_part SET worker = NULL, judged = NULL, verdicts = decode(repeat('00', length(names) / 32), 'hex')").unwrap();
    client.batch_execute("VACUUM ANALYZE opml_part").unwrap();
}

fn until(mut done: impl FnMut() -> bool) {
    for _ in 0..10_000 {
        if done() {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("the workers do not come to an end");
}

#[test]
#[ignore = "needs anvil (npm ci in prover/tests/anvil) and PostgreSQL; a measurement"]
fn throughput() {
    println!("{}", Field::new(prepared(), 65_536).measure("784-56-10 network", 15));
    println!("{}", Field::new(cli::lenet(), 24_576).measure("LeNet", 3));
}

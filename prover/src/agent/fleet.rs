//! The memory that the workers of a fleet share: one account's transactions, verdicts and work, in PostgreSQL.
//!
//! Checks are handed out in parts of some seconds' work: a part is one row, written twice, when it is taken and when its verdicts are known. The
//! table is not logged: a crash of the server empties it, all connections break, and every worker offers its checks anew.
//!
//! A worker that takes a part has it while its heartbeat goes on, and a dispute while its rounds go on, by the database's clock. Only speed rests on that: two workers
//! that make the same check come to the same verdict, and a transaction is noted by a single statement before it is sent, one for each
//! duty and one for each nonce, whoever holds what.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread::JoinHandle,
    time::Duration,
};

use alloy_primitives::{Address, B256, keccak256};
use postgres::{
    Client, Config, NoTls, Row, Statement,
    error::SqlState,
    types::{ToSql, Type},
};

use super::{
    AgentError, Verdict,
    ledger::{Able, Ledger, Open, Sent},
    parts::{Parts, row},
};

/// Environment variable of the database's password.
const PASSWORD: &str = "PGPASSWORD";
/// Environment variable of the database's address, which may hold the password.
pub const ADDRESS: &str = "OPML_FLEET";
/// Longest wait for a connection, and for what was sent to be acknowledged.
const PATIENCE: Duration = Duration::from_secs(10);
/// Rows of one statement.
const CHUNK: usize = 4_096;
/// Parts of one statement.
const PARTS: usize = 64;
/// Names the lock under which tables are made.
const MAKING: i64 = 0x6f70_6d6c;

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS opml_fleet (id bigserial PRIMARY KEY, owner bytea NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS opml_worker (id bigserial PRIMARY KEY, fleet bigint NOT NULL REFERENCES opml_fleet, until timestamptz NOT NULL);
CREATE TABLE IF NOT EXISTS opml_sent (
    fleet bigint NOT NULL REFERENCES opml_fleet, key bytea NOT NULL, nonce bigint NOT NULL, hash bytea NOT NULL, body bytea NOT NULL,
    PRIMARY KEY (fleet, key), UNIQUE (fleet, nonce));
CREATE UNLOGGED TABLE IF NOT EXISTS opml_part (
    id bigserial PRIMARY KEY, fleet bigint NOT NULL REFERENCES opml_fleet, model bytea NOT NULL, block bigint NOT NULL,
    names bytea NOT NULL, verdicts bytea NOT NULL, worker bigint, judged timestamptz) WITH (fillfactor = 50);
CREATE INDEX IF NOT EXISTS opml_part_open ON opml_part (fleet, block, id) WHERE judged IS NULL;
CREATE TABLE IF NOT EXISTS opml_verdict (
    fleet bigint NOT NULL REFERENCES opml_fleet, name bytea NOT NULL, verdict bytea NOT NULL, PRIMARY KEY (fleet, name));
CREATE TABLE IF NOT EXISTS opml_hold (
    fleet bigint NOT NULL REFERENCES opml_fleet, thing bytea NOT NULL, worker bigint NOT NULL, until timestamptz NOT NULL,
    PRIMARY KEY (fleet, thing));
";
/// What [`TABLES`] makes.
const MADE: [&str; 7] =
    ["opml_fleet", "opml_worker", "opml_sent", "opml_part", "opml_part_open", "opml_verdict", "opml_hold"];
const IS_MADE: &str = "SELECT bool_and(to_regclass(name) IS NOT NULL) FROM unnest($1::text[]) AS name";
const TAKE: &str = "
WITH next AS (
    SELECT id FROM opml_part p
    WHERE fleet = $1 AND judged IS NULL AND block >= $2 AND model = ANY($3) AND NOT id = ANY($4)
        AND (p.worker IS NULL OR p.worker = $5
            OR p.worker <> ALL (ARRAY(SELECT id FROM opml_worker w WHERE w.fleet = $1 AND w.until > now())))
    ORDER BY block, id LIMIT 1 FOR UPDATE SKIP LOCKED)
UPDATE opml_part p SET worker = $5 FROM next WHERE p.id = next.id RETURNING p.id, p.verdicts";
/// Names are long and mostly known: they are fetched by themselves.
const PART: &str = "SELECT id, names, verdicts FROM opml_part WHERE fleet = $1 AND id = $2";
const GIVE_BACK: &str =
    "UPDATE opml_part SET worker = NULL WHERE fleet = $1 AND id = ANY($2) AND worker = $3 AND judged IS NULL";
const OFFER: &str = "
INSERT INTO opml_part (fleet, model, block, names, verdicts)
SELECT $1, t.model, t.block, t.names, t.verdicts
FROM unnest($2::bytea[], $3::bigint[], $4::bytea[], $5::bytea[]) AS t(model, block, names, verdicts)";
/// Claims are over by then.
const FORGET: &str = "DELETE FROM opml_part WHERE fleet = $1 AND judged < now() - interval '60 days'";
const JUDGE: &str = "
UPDATE opml_part p SET verdicts = t.verdicts, judged = CASE WHEN t.whole THEN clock_timestamp() END,
    worker = CASE WHEN t.whole THEN p.worker END
FROM unnest($2::bigint[], $3::bytea[], $4::boolean[]) AS t(id, verdicts, whole)
WHERE p.fleet = $1 AND p.id = t.id AND p.judged IS NULL";
const NEWER: &str = "SELECT id, names, verdicts FROM opml_part WHERE fleet = $1 AND id > $2 ORDER BY id";
const LEARN: &str = "SELECT id, verdicts FROM opml_part WHERE fleet = $1 AND id = ANY($2)";
const KNOW: &str = "
INSERT INTO opml_verdict (fleet, name, verdict)
SELECT $1, t.name, t.verdict FROM unnest($2::bytea[], $3::bytea[]) AS t(name, verdict)
ON CONFLICT (fleet, name) DO UPDATE SET verdict = EXCLUDED.verdict";
const VERDICTS: &str = "SELECT name, verdict FROM opml_verdict WHERE fleet = $1 AND name = ANY($2)";
const SENT: &str = "SELECT key, body FROM opml_sent WHERE fleet = $1";
const NOTE: &str = "
INSERT INTO opml_sent (fleet, key, nonce, hash, body) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
const NOTE_OVER: &str = "
UPDATE opml_sent SET nonce = $3, hash = $4, body = $5 WHERE fleet = $1 AND key = $2 AND hash = $6";
const SETTLE: &str = "DELETE FROM opml_sent WHERE fleet = $1 AND key = $2 AND hash = $3";
const HOLD: &str = "
INSERT INTO opml_hold AS h (fleet, thing, worker, until) VALUES ($1, $2, $3, now() + $4 * interval '1 second')
ON CONFLICT (fleet, thing) DO UPDATE SET worker = EXCLUDED.worker, until = EXCLUDED.until
WHERE h.worker = $3 OR h.until < now()";
const ALIVE: &str = "
INSERT INTO opml_worker AS w (id, fleet, until) VALUES ($1, $2, now() + $3 * interval '1 second')
ON CONFLICT (id) DO UPDATE SET until = EXCLUDED.until";

type Parameters<'a> = [&'a (dyn ToSql + Sync)];

/// One worker's connection to what its fleet shares.
pub struct Fleet {
    address: Place,
    connection: RefCell<Option<Connection>>,
    fleet: i64,
    worker: i64,
    lease: Duration,
    /// The checks that are known to stand in the table.
    parts: RefCell<Parts>,
    /// Checks that another worker should have made known by now.
    left: RefCell<BTreeSet<B256>>,
    /// Parts that this worker took and cannot make at present.
    unable: RefCell<BTreeSet<i64>>,
    heart: Option<(Sender<()>, JoinHandle<()>)>,
}

/// Where the database is, without the password in what is shown.
#[derive(Clone)]
struct Place {
    config: Config,
    shown: String,
}

struct Connection {
    client: Client,
    statements: BTreeMap<&'static str, Statement>,
}

impl Fleet {
    /// Joins an account's fleet as a new worker. What it takes is others' again when it was not heard of for `lease`.
    ///
    /// # Errors
    /// The address is none, or the database refuses.
    pub fn join(
        address: &str,
        chain: u64,
        contract: Address,
        account: Address,
        lease: Duration,
    ) -> Result<Self, AgentError> {
        let address = Place::parse(address, std::env::var(PASSWORD).ok())?;
        let mut connection = address.connect()?;
        let owner = [&chain.to_be_bytes()[..], contract.as_slice(), account.as_slice()].concat();
        let (fleet, worker) = address.said(enrol(&mut connection.client, &owner, lease))?;
        let heart = Some(beat(address.clone(), fleet, worker, lease));
        let connection = RefCell::new(Some(connection));
        let (parts, left, unable) = Default::default();
        Ok(Self { address, connection, fleet, worker, lease, parts, left, unable, heart })
    }

    /// The number of this worker and where its fleet is.
    #[must_use]
    pub fn words(&self) -> String {
        format!("worker {} of {}", self.worker, self.address.shown)
    }

    /// Runs a statement; a connection that broke is made anew the next time.
    fn with<T>(
        &self,
        statement: &'static str,
        f: impl FnOnce(&mut Client, &Statement) -> Result<T, postgres::Error>,
    ) -> Result<T, AgentError> {
        let mut slot = self.connection.borrow_mut();
        let mut connection = match slot.take() {
            Some(connection) if !connection.client.is_closed() => connection,
            _ => {
                // A server that crashed has forgotten the parts, and this worker must not believe that they are there.
                *self.parts.borrow_mut() = Parts::default();
                self.address.connect()?
            }
        };
        let prepared = match connection.statements.get(statement) {
            Some(prepared) => Ok(prepared.clone()),
            None => connection.client.prepare(statement),
        };
        let answer = prepared.and_then(|prepared| {
            let answer = f(&mut connection.client, &prepared);
            connection.statements.insert(statement, prepared);
            answer
        });
        *slot = Some(connection);
        self.address.said(answer)
    }

    fn execute(&self, statement: &'static str, parameters: &Parameters<'_>) -> Result<u64, AgentError> {
        self.with(statement, |client, prepared| client.execute(prepared, parameters))
    }

    /// Executes a statement whose effect is on the database's disk when this returns, whatever the server's default is.
    fn durable(&self, statement: &'static str, parameters: &Parameters<'_>) -> Result<u64, AgentError> {
        self.with(statement, |client, prepared| {
            let mut transaction = client.transaction()?;
            transaction.batch_execute("SET LOCAL synchronous_commit TO on")?;
            let rows = match transaction.execute(prepared, parameters) {
                // Another transaction has the nonce.
                Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => return Ok(0),
                rows => rows?,
            };
            transaction.commit()?;
            Ok(rows)
        })
    }

    fn query(&self, statement: &'static str, parameters: &Parameters<'_>) -> Result<Vec<Row>, AgentError> {
        self.with(statement, |client, prepared| client.query(prepared, parameters))
    }

    fn damaged(&self, what: &dyn std::fmt::Display) -> AgentError {
        AgentError::Fleet {
            database: self.address.shown.clone(),
            why: format!("an entry is damaged: {what}"),
            passing: false,
        }
    }

    fn name(&self, row: &Row) -> Result<B256, AgentError> {
        B256::try_from(row.get::<_, &[u8]>(0)).map_err(|error| self.damaged(&error))
    }

    /// Reads what others offered and judged since.
    fn look(&self) -> Result<(), AgentError> {
        let last = self.parts.borrow().last();
        self.add(&self.query(NEWER, &[&self.fleet, &last])?)?;
        let open = self.parts.borrow().open();
        if open.is_empty() {
            return Ok(());
        }
        let rows = self.query(LEARN, &[&self.fleet, &open])?;
        let mut parts = self.parts.borrow_mut();
        // Of two parts that were made at once the older may appear later: it is new here, and seen when it is taken.
        let good = rows.iter().all(|row| parts.learn(row.get(0), row.get(1)));
        if good { Ok(()) } else { Err(self.damaged(&"a part of other checks")) }
    }

    /// Takes in rows of parts.
    fn add(&self, rows: &[Row]) -> Result<(), AgentError> {
        let mut parts = self.parts.borrow_mut();
        let good = rows.iter().all(|row| parts.add(row.get(0), row.get(1), row.get(2)));
        if good { Ok(()) } else { Err(self.damaged(&"a part of no checks")) }
    }

    /// Takes one part that is free, the oldest of these models, none of which is older than `first`; gives its number.
    fn take_part(&self, models: &[&[u8]], first: i64, not: &[i64]) -> Result<Option<i64>, AgentError> {
        let rows = self.query(TAKE, &[&self.fleet, &first, &models, &not, &self.worker])?;
        let Some(row) = rows.first() else { return Ok(None) };
        let id = row.get(0);
        if !self.parts.borrow().knows(id) {
            self.add(&self.query(PART, &[&self.fleet, &id])?)?;
        } else if !self.parts.borrow_mut().learn(id, row.get(1)) {
            return Err(self.damaged(&"a part of other checks"));
        }
        Ok(Some(id))
    }

    /// Says that a part is over of which everything is known by now.
    fn judge_known(&self, id: i64) -> Result<(), AgentError> {
        let (verdicts, whole) = {
            let parts = self.parts.borrow();
            let (verdicts, whole) = parts.verdicts(id);
            (verdicts.to_vec(), whole)
        };
        if !whole {
            return Ok(());
        }
        self.execute(JUDGE, &[&self.fleet, &vec![id], &vec![verdicts], &vec![true]]).map(drop)
    }

    /// Leaves parts to others.
    fn release(&self, parts: &[i64]) -> Result<(), AgentError> {
        if parts.is_empty() {
            return Ok(());
        }
        self.unable.borrow_mut().extend(parts);
        self.execute(GIVE_BACK, &[&self.fleet, &parts, &self.worker]).map(drop)
    }

    fn parsed<T: for<'de> serde::Deserialize<'de>>(&self, row: &Row) -> Result<T, AgentError> {
        serde_json::from_slice(row.get(1)).map_err(|error| self.damaged(&error))
    }
}

impl Place {
    fn parse(address: &str, password: Option<String>) -> Result<Self, AgentError> {
        let refused = |why: String| AgentError::Fleet { database: "--fleet".to_owned(), why, passing: false };
        // The text itself may hold a password and must not be in the message.
        let mut config: Config = address.parse().map_err(|_| {
            refused("not an address of a database; one is like postgres://user@host:5432/name".to_owned())
        })?;
        if config.get_password().is_some() && std::env::var(ADDRESS).ok().as_deref() != Some(address) {
            return Err(refused(format!("a password does not belong on a command line; put it into {PASSWORD}")));
        }
        if let (None, Some(password)) = (config.get_password(), password) {
            config.password(password);
        }
        config.application_name("opml").connect_timeout(PATIENCE).tcp_user_timeout(PATIENCE);
        config.keepalives_idle(PATIENCE).keepalives_interval(PATIENCE).keepalives_retries(2);
        let hosts: Vec<String> = config
            .get_hosts()
            .iter()
            .map(|host| match host {
                postgres::config::Host::Tcp(name) => name.clone(),
                postgres::config::Host::Unix(path) => path.display().to_string(),
            })
            .collect();
        let shown = format!("database {} on {}", config.get_dbname().unwrap_or_default(), hosts.join(", "));
        Ok(Self { config, shown })
    }

    fn connect(&self) -> Result<Connection, AgentError> {
        let mut client = self.said(self.config.connect(NoTls))?;
        // Who works at what, and what a run said, may be lost with the server: it is done again. What was signed may not, see `durable`.
        // Statements find rows by their keys, whatever is asked for: one plan is right for all parameters.
        let settings =
            "SET synchronous_commit TO off; SET statement_timeout TO '60s'; SET plan_cache_mode TO force_generic_plan";
        self.said(client.batch_execute(settings))?;
        Ok(Connection { client, statements: BTreeMap::new() })
    }

    fn said<T>(&self, answer: Result<T, postgres::Error>) -> Result<T, AgentError> {
        answer.map_err(|error| AgentError::Fleet {
            database: self.shown.clone(),
            passing: is_passing(&error),
            why: error.as_db_error().map_or_else(|| causes(&error), |error| error.message().to_owned()),
        })
    }
}

/// Whether the same may be answered another time: a connection that broke, a server that starts, stops or is full.
fn is_passing(error: &postgres::Error) -> bool {
    error.code().map_or_else(
        || !matches!(error.to_string().split(':').next(), Some("invalid configuration")),
        |code| ["08", "40", "53", "57"].iter().any(|class| code.code().starts_with(class)),
    )
}

fn causes(error: &postgres::Error) -> String {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
    format!("{error}{}", cause.filter(|cause| !error.to_string().ends_with(cause.as_str())).unwrap_or_default())
}

/// Makes the tables where there are none; gives the numbers of the fleet and of a new worker.
fn enrol(client: &mut Client, owner: &[u8], lease: Duration) -> Result<(i64, i64), postgres::Error> {
    let mut transaction = client.transaction()?;
    transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&MAKING])?;
    // Even if all is there, making it would wait for the others' writes, and theirs for it.
    if !transaction.query_one(IS_MADE, &[&MADE.as_slice()])?.get::<_, bool>(0) {
        transaction.batch_execute(&format!("SET LOCAL client_min_messages TO warning; {TABLES}"))?;
    }
    transaction.execute("INSERT INTO opml_fleet (owner) VALUES ($1) ON CONFLICT DO NOTHING", &[&owner])?;
    let fleet: i64 = transaction.query_one("SELECT id FROM opml_fleet WHERE owner = $1", &[&owner])?.get(0);
    // Who has been silent for a day does not come back under its number.
    transaction.execute("DELETE FROM opml_worker WHERE until < now() - interval '1 day'", &[])?;
    let enter = "INSERT INTO opml_worker (fleet, until) VALUES ($1, now() + $2 * interval '1 second') RETURNING id";
    let enter = transaction.prepare_typed(enter, &[Type::INT8, Type::FLOAT8])?;
    let worker = transaction.query_one(&enter, &[&fleet, &lease.as_secs_f64()])?.get(0);
    transaction.commit()?;
    Ok((fleet, worker))
}

/// Lets the others know, three times in a lease, that a worker is alive.
fn beat(address: Place, fleet: i64, worker: i64, lease: Duration) -> (Sender<()>, JoinHandle<()>) {
    let (stop, stopped): (Sender<()>, Receiver<()>) = channel();
    let heart = std::thread::spawn(move || {
        let mut connection: Option<Connection> = None;
        while stopped.recv_timeout(lease / 3) == Err(RecvTimeoutError::Timeout) {
            // A beat that does not get through is no harm: the others take over.
            connection =
                connection.filter(|connection| !connection.client.is_closed()).or_else(|| address.connect().ok());
            if let Some(connection) = &mut connection {
                let alive = connection.client.prepare_typed(ALIVE, &[Type::INT8, Type::INT8, Type::FLOAT8]);
                let _ =
                    alive.and_then(|alive| connection.client.execute(&alive, &[&worker, &fleet, &lease.as_secs_f64()]));
            }
        }
    });
    (stop, heart)
}

impl Drop for Fleet {
    fn drop(&mut self) {
        if let Some((stop, heart)) = self.heart.take() {
            drop(stop);
            let _ = heart.join();
        }
        // What it had is free at once; without this, when the lease ends.
        let _ = self.execute("DELETE FROM opml_worker WHERE id = $1", &[&self.worker]);
    }
}

/// Checks of one model in parts of some seconds' work.
fn part<'a>(opens: &'a [Open], able: &Able) -> std::slice::Chunks<'a, Open> {
    let size = opens.first().map_or(1, |open| able.together(open.model));
    opens.chunks(size.max(1))
}

fn bytes<'a>(names: impl IntoIterator<Item = &'a B256>) -> Vec<&'a [u8]> {
    names.into_iter().map(|name| name.as_slice()).collect()
}

/// The places of those checks that a worker can make.
fn places(able: &Able, checks: impl Iterator<Item = B256>) -> Vec<usize> {
    let mut guess = 0;
    let place = |check| {
        let place = able.place(check, guess);
        guess = place.map_or(guess, |place| place + 1);
        place
    };
    checks.filter_map(place).collect()
}

impl Ledger for Fleet {
    fn sent(&self) -> Result<Vec<(B256, Sent)>, AgentError> {
        let rows = self.query(SENT, &[&self.fleet])?;
        rows.iter().map(|row| Ok((self.name(row)?, self.parsed(row)?))).collect()
    }

    fn note(&self, key: B256, sent: &Sent, over: Option<B256>) -> Result<bool, AgentError> {
        let body = serde_json::to_vec(sent).map_err(|error| self.damaged(&error))?;
        let nonce = i64::try_from(sent.nonce).map_err(|error| self.damaged(&error))?;
        let (key, hash) = (key.as_slice(), sent.hash.as_slice());
        let noted = match over {
            None => self.durable(NOTE, &[&self.fleet, &key, &nonce, &hash, &body]),
            Some(over) => self.durable(NOTE_OVER, &[&self.fleet, &key, &nonce, &hash, &body, &over.as_slice()]),
        };
        Ok(noted? == 1)
    }

    fn settle(&self, key: B256, hash: B256) -> Result<(), AgentError> {
        self.execute(SETTLE, &[&self.fleet, &key.as_slice(), &hash.as_slice()]).map(drop)
    }

    fn verdicts(&self, checks: &[B256]) -> Result<BTreeMap<B256, Verdict>, AgentError> {
        self.look()?;
        let (mut known, mut other) = (BTreeMap::new(), Vec::new());
        for &check in checks {
            let parts = self.parts.borrow();
            match parts.verdict(check) {
                Some(verdict) => drop(known.insert(check, verdict)),
                None if parts.has(check) => {}
                None => other.push(check),
            }
        }
        for some in other.chunks(CHUNK) {
            for row in self.query(VERDICTS, &[&self.fleet, &bytes(some)])? {
                known.insert(self.name(&row)?, self.parsed(&row)?);
            }
        }
        Ok(known)
    }

    fn judge(&self, verdicts: &[(B256, Verdict)]) -> Result<(), AgentError> {
        let (touched, other) = self.parts.borrow_mut().judge(verdicts);
        if !other.is_empty() {
            let values: Result<Vec<Vec<u8>>, _> =
                other.iter().map(|(_, verdict)| serde_json::to_vec(verdict)).collect();
            let values = values.map_err(|error| self.damaged(&error))?;
            self.execute(KNOW, &[&self.fleet, &bytes(other.iter().map(|(name, _)| name)), &values])?;
        }
        if touched.is_empty() {
            return Ok(());
        }
        let ids: Vec<i64> = touched.into_iter().collect();
        let rows: Vec<(Vec<u8>, bool)> = {
            let parts = self.parts.borrow();
            let row = |&id: &i64| {
                let (verdicts, whole) = parts.verdicts(id);
                (verdicts.to_vec(), whole)
            };
            ids.iter().map(row).collect()
        };
        let (said, whole): (Vec<Vec<u8>>, Vec<bool>) = rows.into_iter().unzip();
        self.execute(JUDGE, &[&self.fleet, &ids, &said, &whole]).map(drop)
    }

    fn offer(&self, able: &Able) -> Result<(), AgentError> {
        self.unable.borrow_mut().clear();
        let mut new: Vec<Open> =
            able.iter().map(|(_, open)| open).filter(|open| !self.parts.borrow().has(open.check)).collect();
        // One worker for each model is enough; if it fails to, the others do so a round later.
        let mut own = BTreeMap::new();
        for model in new.iter().map(|open| open.model) {
            if let Entry::Vacant(entry) = own.entry(model) {
                entry.insert(self.hold(keccak256([b"offers", model.as_slice()].concat()))?);
            }
        }
        let left: BTreeSet<B256> =
            new.iter().filter(|open| own.get(&open.model) != Some(&true)).map(|open| open.check).collect();
        let late = self.left.replace(left.clone());
        new.retain(|open| !left.contains(&open.check) || late.contains(&open.check));
        if new.is_empty() {
            return Ok(());
        }
        // Another worker may have been quicker.
        self.look()?;
        new.retain(|open| !self.parts.borrow().has(open.check));
        let mut by_model: BTreeMap<B256, Vec<Open>> = BTreeMap::new();
        for open in new {
            by_model.entry(open.model).or_default().push(open);
        }
        let parts: Vec<&[Open]> = by_model.values().flat_map(|opens| part(opens, able)).collect();
        for some in parts.chunks(PARTS) {
            let first = |part: &&[Open]| part.first().map(|open| open.model.to_vec()).unwrap_or_default();
            let models: Vec<Vec<u8>> = some.iter().map(first).collect();
            // The newest of them: while it may be pending, the part must be found.
            let newest = |part: &&[Open]| part.iter().map(|open| open.block).max().unwrap_or(0);
            let blocks: Vec<i64> = some.iter().map(|part| i64::try_from(newest(part)).unwrap_or(i64::MAX)).collect();
            let (names, verdicts): (Vec<Vec<u8>>, Vec<Vec<u8>>) =
                some.iter().map(|part| row(part.iter().map(|open| &open.check))).unzip();
            self.execute(OFFER, &[&self.fleet, &models, &blocks, &names, &verdicts])?;
        }
        self.execute(FORGET, &[&self.fleet])?;
        self.look()
    }

    fn take(&self, able: &Able, count: usize) -> Result<Vec<usize>, AgentError> {
        let Some((_, first)) = able.first() else { return Ok(Vec::new()) };
        let (models, first) = (bytes(able.models()), i64::try_from(first.block).unwrap_or(i64::MAX));
        let (mut taken, mut held): (Vec<usize>, Vec<i64>) = Default::default();
        // Small parts are taken together.
        while taken.len() <= count / 2 {
            let not: Vec<i64> = self.unable.borrow().iter().chain(&held).copied().collect();
            let Some(id) = self.take_part(&models, first, &not)? else { break };
            let checks = places(able, self.parts.borrow().left(id));
            if checks.is_empty() {
                // What others saw first, or what this one cannot read: others' again; and what is known is over.
                self.judge_known(id)?;
                self.release(&[id])?;
            } else {
                held.push(id);
                taken.extend(checks);
            }
        }
        // A check that was offered twice may be in two of them.
        let mut seen = BTreeSet::new();
        if held.len() > 1 {
            taken.retain(|place| seen.insert(*place));
        }
        Ok(taken)
    }

    fn give_back(&self, checks: &[B256]) -> Result<(), AgentError> {
        let parts: BTreeSet<i64> = checks
            .iter()
            .flat_map(|&check| self.parts.borrow().of(check).map(|(id, _)| id).collect::<Vec<_>>())
            .collect();
        self.release(&parts.into_iter().collect::<Vec<_>>())
    }

    fn hold(&self, thing: B256) -> Result<bool, AgentError> {
        Ok(self.execute(HOLD, &[&self.fleet, &thing.as_slice(), &self.worker, &self.lease.as_secs_f64()])? == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_made_is_looked_for() {
        let made: Vec<&str> =
            TABLES.split(" EXISTS ").skip(1).filter_map(|rest| rest.split_whitespace().next()).collect();
        assert_eq!(made, MADE);
    }
}

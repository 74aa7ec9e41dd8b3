//! The memory that the workers of a fleet share: one account's transactions, verdicts and work, in PostgreSQL.
//!
//! A worker that takes a check has it while its heartbeat goes on, and a dispute while its rounds go on, by the database's clock. Only speed rests on that: two workers
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
};

/// Environment variable of the database's password.
const PASSWORD: &str = "PGPASSWORD";
/// Environment variable of the database's address, which may hold the password.
pub const ADDRESS: &str = "OPML_FLEET";
/// Longest wait for a connection, and for what was sent to be acknowledged.
const PATIENCE: Duration = Duration::from_secs(10);
/// Rows of one statement.
const CHUNK: usize = 4_096;
/// Names the lock under which tables are made.
const MAKING: i64 = 0x6f70_6d6c;

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS opml_fleet (id bigserial PRIMARY KEY, owner bytea NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS opml_worker (id bigserial PRIMARY KEY, fleet bigint NOT NULL REFERENCES opml_fleet, until timestamptz NOT NULL);
CREATE TABLE IF NOT EXISTS opml_sent (
    fleet bigint NOT NULL REFERENCES opml_fleet, key bytea NOT NULL, nonce bigint NOT NULL, hash bytea NOT NULL, body bytea NOT NULL,
    PRIMARY KEY (fleet, key), UNIQUE (fleet, nonce));
CREATE TABLE IF NOT EXISTS opml_check (
    fleet bigint NOT NULL REFERENCES opml_fleet, name bytea NOT NULL, model bytea NOT NULL, block bigint NOT NULL, worker bigint,
    verdict bytea, judged timestamptz, PRIMARY KEY (fleet, name));
CREATE INDEX IF NOT EXISTS opml_check_open ON opml_check (fleet, block, name) WHERE verdict IS NULL;
CREATE TABLE IF NOT EXISTS opml_hold (
    fleet bigint NOT NULL REFERENCES opml_fleet, thing bytea NOT NULL, worker bigint NOT NULL, until timestamptz NOT NULL,
    PRIMARY KEY (fleet, thing));
";
const TAKE: &str = "
WITH next AS (
    SELECT name FROM opml_check c
    WHERE fleet = $1 AND verdict IS NULL AND block >= $2 AND model = ANY($3) AND NOT name = ANY($4)
        AND (c.worker IS NULL OR c.worker = $6
            OR c.worker <> ALL (ARRAY(SELECT id FROM opml_worker w WHERE w.fleet = $1 AND w.until > now())))
    ORDER BY block, name LIMIT $5 FOR UPDATE SKIP LOCKED)
UPDATE opml_check c SET worker = $6 FROM next WHERE c.fleet = $1 AND c.name = next.name RETURNING c.name";
const GIVE_BACK: &str = "UPDATE opml_check SET worker = NULL WHERE fleet = $1 AND name = ANY($2) AND worker = $3";
const OFFER: &str = "
INSERT INTO opml_check (fleet, name, model, block)
SELECT $1, t.name, t.model, t.block FROM unnest($2::bytea[], $3::bytea[], $4::bigint[]) AS t(name, model, block)
ON CONFLICT DO NOTHING";
const JUDGE: &str = "
INSERT INTO opml_check (fleet, name, model, block, verdict, judged)
SELECT $1, t.name, '', 0, t.verdict, clock_timestamp() FROM unnest($2::bytea[], $3::bytea[]) AS t(name, verdict)
ON CONFLICT (fleet, name) DO UPDATE SET verdict = EXCLUDED.verdict, judged = EXCLUDED.judged";
const VERDICTS: &str =
    "SELECT name, verdict FROM opml_check WHERE fleet = $1 AND name = ANY($2) AND verdict IS NOT NULL";
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
    /// Checks that are known to stand in the table.
    offered: RefCell<BTreeSet<B256>>,
    /// Checks that another worker should have made known by now.
    left: RefCell<BTreeSet<B256>>,
    /// Checks that this worker took and cannot make at present.
    unable: RefCell<BTreeSet<B256>>,
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
        let (offered, left, unable) = Default::default();
        Ok(Self { address, connection, fleet, worker, lease, offered, left, unable, heart })
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
            _ => self.address.connect()?,
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
        self.said(client.batch_execute("SET synchronous_commit TO off; SET statement_timeout TO '60s'"))?;
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
    transaction.batch_execute(&format!("SET LOCAL client_min_messages TO warning; {TABLES}"))?;
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

fn bytes<'a>(names: impl IntoIterator<Item = &'a B256>) -> Vec<&'a [u8]> {
    names.into_iter().map(|name| name.as_slice()).collect()
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
        let mut known = BTreeMap::new();
        for some in checks.chunks(CHUNK) {
            for row in self.query(VERDICTS, &[&self.fleet, &bytes(some)])? {
                known.insert(self.name(&row)?, self.parsed(&row)?);
            }
        }
        Ok(known)
    }

    fn judge(&self, verdicts: &[(B256, Verdict)]) -> Result<(), AgentError> {
        if verdicts.is_empty() {
            return Ok(());
        }
        let values: Result<Vec<Vec<u8>>, _> = verdicts.iter().map(|(_, verdict)| serde_json::to_vec(verdict)).collect();
        let values = values.map_err(|error| self.damaged(&error))?;
        let names = bytes(verdicts.iter().map(|(name, _)| name));
        self.execute(JUDGE, &[&self.fleet, &names, &values]).map(drop)
    }

    fn offer(&self, able: &Able) -> Result<(), AgentError> {
        self.unable.borrow_mut().clear();
        let mut new: Vec<Open> = able.iter().filter(|open| !self.offered.borrow().contains(&open.check)).collect();
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
        for some in new.chunks(CHUNK) {
            let names = bytes(some.iter().map(|open| &open.check));
            let models = bytes(some.iter().map(|open| &open.model));
            let blocks: Vec<i64> = some.iter().map(|open| i64::try_from(open.block).unwrap_or(i64::MAX)).collect();
            self.execute(OFFER, &[&self.fleet, &names, &models, &blocks])?;
            self.offered.borrow_mut().extend(some.iter().map(|open| open.check));
        }
        Ok(())
    }

    fn take(&self, able: &Able, count: usize) -> Result<Vec<B256>, AgentError> {
        let Some(first) = able.first() else { return Ok(Vec::new()) };
        let models: BTreeSet<B256> = able.iter().map(|open| open.model).collect();
        let (first, count) = (i64::try_from(first.block).unwrap_or(i64::MAX), i64::try_from(count).unwrap_or(i64::MAX));
        loop {
            let unable = self.unable.borrow().clone();
            let (models, not) = (bytes(&models), bytes(&unable));
            let rows = self.query(TAKE, &[&self.fleet, &first, &models, &not, &count, &self.worker])?;
            let taken: Result<Vec<B256>, _> = rows.iter().map(|row| self.name(row)).collect();
            let (taken, strange): (Vec<_>, Vec<_>) = taken?.into_iter().partition(|check| able.contains(*check));
            // What others saw first, or what this one cannot read: others' again.
            let is_end = strange.is_empty() || !taken.is_empty();
            self.give_back(&strange)?;
            if is_end {
                return Ok(taken);
            }
        }
    }

    fn give_back(&self, checks: &[B256]) -> Result<(), AgentError> {
        if checks.is_empty() {
            return Ok(());
        }
        self.unable.borrow_mut().extend(checks);
        self.execute(GIVE_BACK, &[&self.fleet, &bytes(checks), &self.worker]).map(drop)
    }

    fn hold(&self, thing: B256) -> Result<bool, AgentError> {
        Ok(self.execute(HOLD, &[&self.fleet, &thing.as_slice(), &self.worker, &self.lease.as_secs_f64()])? == 1)
    }
}

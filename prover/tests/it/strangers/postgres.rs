//! A PostgreSQL of its own for one test: a fresh cluster on a free loopback port, run by a user without privileges.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use postgres::{Client, NoTls};

const PASSWORD: &str = "of-the-tests";

/// A running server; it ends with the test.
pub(super) struct Postgres {
    folder: tempfile::TempDir,
    process: Child,
    port: u16,
}

/// A program of PostgreSQL: on the path, or where Debian puts it.
fn program(name: &str) -> PathBuf {
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut places: Vec<PathBuf> = debian.map(|version| version.path().join("bin")).collect();
    places.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap()));
    let found = places.into_iter().map(|place| place.join(name)).find(|path| path.exists());
    found.unwrap_or_else(|| panic!("{name} is missing: install PostgreSQL (Debian: apt-get install postgresql)"))
}

fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// PostgreSQL refuses to run as root: then it is the user that its package makes.
fn as_nobody(program: &Path) -> Command {
    if said(Command::new("id").arg("-u")) != "0" {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
    command
}

impl Postgres {
    pub(super) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (data, secret) = (folder.path().join("data"), folder.path().join("password"));
        std::fs::write(&secret, PASSWORD).unwrap();
        if said(Command::new("id").arg("-u")) == "0" {
            said(Command::new("chown").args(["-R", "postgres:postgres"]).arg(folder.path()));
        }
        let initdb = program("initdb");
        let mut make = as_nobody(&initdb);
        make.current_dir(folder.path()).arg("-D").arg(&data).arg("--pwfile").arg(&secret);
        said(make.args(["-A", "scram-sha-256", "-U", "opml", "--no-sync", "--locale=C", "-E", "UTF8"]));
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = as_nobody(&program("postgres"))
            .current_dir(folder.path())
            .arg("-D")
            .arg(&data)
            .args(["-p", &port.to_string(), "-h", "127.0.0.1", "-k", ""])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self { folder, process, port };
        for _ in 0..200 {
            if Client::connect(&format!("{} password={PASSWORD}", server.words()), NoTls).is_ok() {
                return server;
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("PostgreSQL does not answer on port {port} in {}", server.folder.path().display());
    }

    fn words(&self) -> String {
        format!("host=127.0.0.1 port={} user=opml dbname=postgres", self.port)
    }

    /// A connection of the test.
    pub(super) fn client(&self) -> Client {
        Client::connect(&format!("{} password={PASSWORD}", self.words()), NoTls).unwrap()
    }

    /// The environment of a worker.
    pub(super) fn environment(&self) -> Vec<(&'static str, String)> {
        let address = format!("postgres://opml@127.0.0.1:{}/postgres", self.port);
        vec![("OPML_FLEET", address), ("PGPASSWORD", PASSWORD.to_owned())]
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // An immediate shutdown: the children end with it.
        let pid = self.process.id().to_string();
        let _ = Command::new("kill").args(["-QUIT", &pid]).status();
        let _ = self.process.wait();
    }
}

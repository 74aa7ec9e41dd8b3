//! A process of the command that plays, and can be killed and started again.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::Value;

/// Runs a command to its end; gives the JSON that it prints.
pub(super) fn opml(folder: &Path, endpoint: &str, key: &str, line: &str) -> Value {
    serde_json::from_slice(&run(folder, endpoint, key, &format!("{line} --json"))).unwrap()
}

/// Runs a command with further environment to its end; gives its exit code and what it says to people.
pub(super) fn said(folder: &Path, endpoint: &str, key: &str, line: &str, more: &[(&str, &str)]) -> (i32, String) {
    let output = command(folder, endpoint, key, line).envs(more.iter().copied()).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

/// Runs a command to its end; gives what it prints.
pub(super) fn run(folder: &Path, endpoint: &str, key: &str, line: &str) -> Vec<u8> {
    let output = command(folder, endpoint, key, line).output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Runs a command that must end with an error; gives what it says.
pub(super) fn refused(folder: &Path, endpoint: &str, key: &str, line: &str) -> String {
    let output = command(folder, endpoint, key, line).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{line}: {}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).unwrap()
}

pub(super) fn command(folder: &Path, endpoint: &str, key: &str, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_opml"));
    command
        .args(line.split_whitespace())
        .current_dir(folder)
        .env("OPML_ENDPOINT", endpoint)
        .env("OPML_PRIVATE_KEY", key)
        .env("RAYON_NUM_THREADS", "1");
    command
}

/// An agent's process.
pub(super) struct Player {
    folder: PathBuf,
    endpoint: String,
    key: &'static str,
    line: String,
    log: PathBuf,
    more: Vec<(&'static str, String)>,
    process: Child,
    pub(super) kills: u32,
}

impl Player {
    pub(super) fn start(folder: &Path, endpoint: &str, key: &'static str, name: &str, line: &str) -> Self {
        Self::with(folder, endpoint, key, name, line, Vec::new())
    }

    /// A player with further environment.
    pub(super) fn with(
        folder: &Path,
        endpoint: &str,
        key: &'static str,
        name: &str,
        line: &str,
        more: Vec<(&'static str, String)>,
    ) -> Self {
        let line = format!("{line} --state {name} --poll 1 --confirmations 6");
        let log = folder.join(format!("{name}.log"));
        let process = spawn(folder, endpoint, key, &line, &log, &more);
        Self { folder: folder.to_owned(), endpoint: endpoint.to_owned(), key, line, log, more, process, kills: 0 }
    }

    /// Kills the process with the signal that cannot be caught.
    pub(super) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.kills += 1;
    }

    /// The process.
    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Kills the process with the signal that cannot be caught, and starts it again.
    pub(super) fn kill_and_start(&mut self) {
        self.kill();
        self.process = spawn(&self.folder, &self.endpoint, self.key, &self.line, &self.log, &self.more);
    }

    /// What it said so far.
    pub(super) fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

fn spawn(folder: &Path, endpoint: &str, key: &str, line: &str, log: &Path, more: &[(&'static str, String)]) -> Child {
    let file = File::options().create(true).append(true).open(log).unwrap();
    let mut command = command(folder, endpoint, key, line);
    command.envs(more.iter().map(|(name, value)| (*name, value.as_str())));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file).spawn().unwrap()
}

impl Drop for Player {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Looks every second whether something has come about, for so many seconds.
pub(super) fn until(seconds: u32, said: &dyn Fn() -> String, mut done: impl FnMut() -> bool) {
    for _ in 0..seconds {
        if done() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_secs(1));
    }
    panic!("no end: {}", said());
}

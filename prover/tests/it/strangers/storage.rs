//! Models and inputs from S3-compatible storage that is damaged, empty, or gone.

use std::{
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use super::{
    anvil::{ACCOUNTS, Anvil},
    player::{opml, said},
};
use crate::cli::help::prepared;

/// A running server; it ends with the test.
struct S3 {
    process: Child,
    port: u16,
}

impl S3 {
    fn start(data: &Path) -> Self {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/s3");
        let program = folder.join("node_modules/.bin/s3rver");
        assert!(program.exists(), "s3rver is missing: run `npm ci` in {}", folder.display());
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = Command::new(program)
            .args(["-a", "127.0.0.1", "-p", &port.to_string(), "--silent", "--configure-bucket", "opml", "-d"])
            .arg(data)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self { process, port };
        for _ in 0..200 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return server;
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("s3rver does not listen on port {port}");
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("OPML_STORE", "s3://opml/fleet".to_owned()),
            ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", self.port)),
            ("AWS_ALLOW_HTTP", "true".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "S3RVER".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "S3RVER".to_owned()),
        ]
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The files of a folder and of those in it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
#[ignore = "needs anvil and s3rver: npm ci in prover/tests/anvil and prover/tests/s3"]
fn models_come_from_shared_storage_or_not_at_all() {
    let (anvil, folder, data) = (Anvil::start(), prepared(), tempfile::tempdir().unwrap());
    let server = S3::start(data.path());
    let (endpoint, key) = (anvil.endpoint(), ACCOUNTS[0].1);
    let environment = server.environment();
    let more = |changed: &[(&'static str, &str)]| -> Vec<(&'static str, String)> {
        let kept = environment.iter().filter(|(name, _)| !changed.iter().any(|(other, _)| other == name));
        kept.cloned().chain(changed.iter().map(|(name, value)| (*name, (*value).to_owned()))).collect()
    };
    let run = |line: &str, more: &[(&'static str, String)]| {
        let more: Vec<(&str, &str)> = more.iter().map(|(name, value)| (*name, value.as_str())).collect();
        said(folder.path(), &endpoint, key, line, &more)
    };
    opml(folder.path(), &endpoint, key, "deploy --tier hour");
    let (code, words) = run("request model.opml -i picture.png", &environment);
    assert_eq!(code, 0, "{words}");
    let tasks = opml(folder.path(), &endpoint, key, "request model.opml -i picture.png");
    let line = format!("submit {} model.opml --fault consistent", tasks["task"].as_str().unwrap());
    opml(folder.path(), &endpoint, ACCOUNTS[1].1, &line);

    // No model file here: it comes from the storage.
    let watch = |state: &str| format!("watch --dry-run --once --state {state}");
    let (code, words) = run(&watch("good"), &environment);
    assert!(code == 0 && words.contains("1 checks made") && words.contains("would send challenge"), "{words}");

    // A storage that has nothing.
    let (code, words) = run(&watch("empty"), &more(&[("OPML_STORE", "s3://opml/empty")]));
    assert!(code == 0 && words.contains("no model file has the root") && !words.contains("checks made"), "{words}");

    // Keys that are not known.
    let (code, words) = run(&watch("strange"), &more(&[("AWS_ACCESS_KEY_ID", "wrong")]));
    assert!(code == 2 && words.contains("s3://opml/fleet/models/"), "{words}");

    // One bit of the model.
    let largest = files(data.path()).into_iter().max_by_key(|file| file.metadata().unwrap().len()).unwrap();
    let mut bytes = std::fs::read(&largest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&largest, bytes).unwrap();
    let (code, words) = run(&watch("damaged"), &environment);
    assert!(code == 0 && words.contains("is not judged") && words.contains("the object is damaged"), "{words}");
    assert!(!words.contains("checks made") && !words.contains("would send challenge"), "{words}");

    // Nobody there.
    drop(server);
    let (code, words) = run(&watch("gone"), &environment);
    assert!(code == 2 && words.contains("s3://opml/fleet/models/"), "{words}");
    assert!(!words.contains("would send"), "{words}");
}

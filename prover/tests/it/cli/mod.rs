//! The command as a user meets it: the real binary in a folder of its own.

mod calibrating;
mod disputes;
mod economy;
mod files;
mod golden;
pub(crate) mod help;
mod importing;
mod inputs;
mod json;
mod models;
mod pictures;
mod pipes;
mod proofs;
mod readme;
pub(crate) mod speaking;
mod usage;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::LazyLock,
};

use opml_prover::{
    fixtures::{Fixture, LENET, MLP},
    import,
};
use opml_vm::model_file;
use serde_json::Value;
use tempfile::TempDir;

/// Model files of the two fixtures that the binary carries.
static MLP_MODEL: LazyLock<Vec<u8>> = LazyLock::new(|| model(&MLP));
static LENET_MODEL: LazyLock<Vec<u8>> = LazyLock::new(|| model(&LENET));

fn model(fixture: &Fixture) -> Vec<u8> {
    model_file::write(&import::fixture(fixture).unwrap().program)
}

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// Bytes of a file in `fixtures/`.
fn fixture(name: &str) -> Vec<u8> {
    fs::read(root().join("fixtures").join(name)).unwrap()
}

/// A folder with the larger of the two models as `model.opml`.
pub(crate) fn lenet() -> Folder {
    let folder = Folder::new();
    folder.put("model.opml", &LENET_MODEL);
    folder
}

/// A folder with what the examples name: `model.opml`, `model.onnx`, `picture.png`, `samples.npy`, …
pub(crate) struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(TempDir::new().unwrap());
        folder.put("model.opml", &MLP_MODEL);
        folder.put("picture.png", &fixture("samples/fashion_0.png"));
        folder
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path().join(name), bytes).unwrap();
    }

    fn make(&self, name: &str) {
        fs::create_dir(self.path().join(name)).unwrap();
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path().join(name)).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path()).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_opml"));
        command.current_dir(self.path()).args(line.split_whitespace()).env("COLUMNS", "100").stdin(Stdio::null());
        command
    }

    /// Runs `opml` with the words of a line.
    pub(crate) fn opml(&self, line: &str) -> Ran {
        let output = self.command(line).output().unwrap();
        Ran {
            line: line.to_owned(),
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Asserts that a line is refused: exit code 2, one line on standard error with all the words, no output, and no
    /// file made or changed.
    #[track_caller]
    fn refuses(&self, line: &str, words: &[&str]) {
        let before: Vec<_> = self.names().into_iter().map(|name| (self.modified(&name), name)).collect();
        let ran = self.opml(line);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert_eq!(ran.stdout, "", "{ran:?}");
        assert!(ran.stderr.starts_with("opml: ") && ran.stderr.ends_with('\n'), "{ran:?}");
        assert_eq!(ran.stderr.lines().count(), 1, "{ran:?}");
        assert!(!ran.stderr.contains("panicked") && ran.stderr.chars().count() < 2000, "{ran:?}");
        for word in words {
            assert!(ran.stderr.contains(word), "`{word}` is missing: {ran:?}");
        }
        let after: Vec<_> = self.names().into_iter().map(|name| (self.modified(&name), name)).collect();
        assert_eq!(before, after, "{ran:?}");
    }

    fn modified(&self, name: &str) -> (u64, std::time::SystemTime) {
        let metadata = fs::symlink_metadata(self.path().join(name)).unwrap();
        (metadata.len(), metadata.modified().unwrap())
    }
}

/// What a run of the binary left.
#[derive(Debug)]
pub(crate) struct Ran {
    line: String,
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Ran {
    /// Asserts the exit code and that nothing was said on standard error; gives the text.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> String {
        assert_eq!((self.code, self.stderr.as_str()), (Some(code), ""), "{self:?}");
        self.stdout
    }

    /// The one JSON object on one line that a command printed, with its version.
    #[track_caller]
    fn json(self, code: i32) -> Value {
        let line = self.line.clone();
        let text = self.exits(code);
        assert_eq!((text.lines().count(), text.ends_with('\n')), (1, true), "{line}: {text}");
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["version"], 1, "{line}");
        value
    }
}

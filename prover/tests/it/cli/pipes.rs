//! Readers that close the pipe early, as `head` does.

use std::{
    io::{Read as _, Write as _},
    process::Stdio,
};

use super::{Folder, LENET_MODEL};

#[test]
fn a_closed_pipe_is_no_error() {
    let folder = Folder::new();
    folder.put("lenet.opml", &LENET_MODEL);
    for line in [
        "inspect lenet.opml",
        "inspect lenet.opml --json",
        "demo",
        "dispute lenet.opml -i picture.png",
        "help dispute",
        "--help",
    ] {
        let mut child = folder.command(line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{line}");
        assert_eq!(output.status.code(), Some(0), "{line}");
    }
}

#[test]
fn a_reader_of_one_line_is_served() {
    let folder = Folder::new();
    let mut child = folder.command("inspect model.opml").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = [0; 8];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    assert_eq!(&first, b"input 0:");
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
}

/// A fault is told by the exit code even if nobody reads the words.
#[test]
fn a_closed_pipe_does_not_hide_a_fault() {
    let folder = Folder::new();
    folder.opml("prove model.opml -i picture.png --step 0:7 --fault at:0:7 -o lie.json").exits(0);
    let mut child = folder.command("verify lie.json").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(1), Vec::new()));
}

/// No command waits for standard input.
#[test]
fn standard_input_is_left_alone() {
    let folder = Folder::new();
    let mut child =
        folder.command("run model.opml -i picture.png").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    // The command may already be gone.
    let _ = child.stdin.take().unwrap().write_all(b"words\n");
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(0));
}

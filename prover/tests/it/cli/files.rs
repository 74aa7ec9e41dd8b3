//! Files that are not there, are folders, or cannot be written.

use std::fs;

use super::{Folder, MLP_MODEL, fixture};

#[test]
fn files_that_cannot_be_read_are_named() {
    let folder = Folder::new();
    fs::create_dir(folder.path().join("sub")).unwrap();
    for (line, words) in [
        ("run none.opml -i picture.png", "none.opml: cannot be read"),
        ("run sub -i picture.png", "sub: is a folder"),
        ("run model.opml -i none.png", "none.png: cannot be read"),
        ("run model.opml -i sub", "sub: is a folder"),
        ("inspect none.opml", "none.opml: cannot be read"),
        ("verify none.json", "none.json: cannot be read"),
        ("verify sub", "sub: is a folder"),
        ("import none.onnx -o new.opml", "none.onnx: cannot be read"),
        ("import sub -o new.opml", "sub: is a folder"),
        ("eval none.onnx --images i.npy --labels l.npy", "none.onnx: cannot be read"),
    ] {
        folder.refuses(line, &[words]);
    }
}

#[test]
fn files_that_cannot_be_written_leave_nothing() {
    let folder = Folder::new();
    folder.put("model.onnx", &fixture("models/mlp-fashion.onnx"));
    folder.put("samples.npy", &fixture("calibration/fashion.npy"));
    fs::create_dir(folder.path().join("sub")).unwrap();
    for command in [
        "run model.opml -i picture.png",
        "prove model.opml -i picture.png --step 0:7",
        "import model.onnx --calibration samples.npy",
    ] {
        folder.refuses(&format!("{command} -o no/such/folder"), &["no/such/folder", "there is no folder no/such"]);
        folder.refuses(&format!("{command} -o sub"), &["sub: is a folder"]);
        folder.refuses(&format!("{command} -o model.opml/x"), &["model.opml/x: cannot be written"]);
    }
    assert_eq!(fs::read_dir(folder.path().join("sub")).unwrap().count(), 0);
}

/// Devices are written to, not replaced by a file.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told() {
    use std::os::unix::fs::FileTypeExt as _;

    let folder = Folder::new();
    let is_device = |path: &str| fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_char_device());
    assert!(is_device("/dev/full") && is_device("/dev/null"));
    folder.refuses("run model.opml -i picture.png -o /dev/full", &["/dev/full: cannot be written", "No space left"]);
    folder.opml("run model.opml -i picture.png -o /dev/null").exits(0);
    assert!(is_device("/dev/full") && is_device("/dev/null"));

    for line in ["run model.opml -i picture.png", "inspect model.opml --json", "demo"] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = folder.command(line).stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{line}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(stderr, "opml: standard output: No space left on device (os error 28)\n");
    }
}

#[cfg(unix)]
#[test]
fn a_link_stays_a_link_and_its_target_is_written() {
    let folder = Folder::new();
    folder.put("real.npy", b"old");
    std::os::unix::fs::symlink("real.npy", folder.path().join("link.npy")).unwrap();
    folder.opml("run model.opml -i picture.png -o link.npy").exits(0);
    assert!(fs::symlink_metadata(folder.path().join("link.npy")).unwrap().is_symlink());
    assert!(folder.read("real.npy").starts_with(b"\x93NUMPY"));
}

#[test]
fn an_existing_file_is_replaced_as_a_whole() {
    let folder = Folder::new();
    folder.put("new.npy", &MLP_MODEL);
    folder.opml("run model.opml -i picture.png -o new.npy").exits(0);
    assert_eq!(folder.read("new.npy").len(), 128 + 40);
    assert_eq!(folder.names(), ["model.opml", "new.npy", "picture.png"]);
}

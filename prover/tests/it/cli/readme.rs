//! The README shows what the command prints. `UPDATE_README=1 cargo test -p opml-prover --test it readme` writes its blocks
//! anew.

use std::fs;

use super::{Folder, root};

/// Replaces what stands between the markers of a block.
fn with_block(text: &str, block: &str, content: &str) -> String {
    let (begin, end) = (format!("<!-- {block}:begin -->\n"), format!("<!-- {block}:end -->"));
    let (head, rest) = text.split_once(&begin).unwrap_or_else(|| panic!("{begin} is missing"));
    let (_, tail) = rest.split_once(&end).unwrap_or_else(|| panic!("{end} is missing"));
    format!("{head}{begin}{content}{end}{tail}")
}

#[test]
fn readme_shows_what_the_command_prints() {
    let folder = Folder::new();
    let demo = folder.opml("demo").exits(0);
    let figures = folder.opml("figures").exits(0);
    let path = root().join("README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let fresh = with_block(&readme, "demo", &format!("```\n{demo}```\n"));
    let fresh = with_block(&fresh, "figures", &figures);
    if std::env::var_os("UPDATE_README").is_some() {
        fs::write(&path, &fresh).unwrap();
    } else if readme != fresh {
        panic!("README.md is not fresh: run `UPDATE_README=1 cargo test -p opml-prover --test it readme`");
    }
    assert!(fresh.lines().count() < 150, "README.md has {} lines", fresh.lines().count());
}

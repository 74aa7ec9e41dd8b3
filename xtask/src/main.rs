//! Repository tasks: `cargo xtask generate [--check]`, `cargo xtask check` and `cargo xtask onnx-nodes DIR`.
#![allow(clippy::print_stdout, reason = "a command line program")]

mod check;
mod generate;
mod onnx_nodes;
mod signatures;

use anyhow::{Context, Result, bail};
use std::path::PathBuf;

const USAGE: &str =
    "usage: cargo xtask generate [--check] | cargo xtask check | cargo xtask onnx-nodes DIR [--program] [--json]";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["generate"] => generate::run(&root()?, false),
        ["generate", "--check"] => generate::run(&root()?, true),
        ["check"] => check::run(&root()?),
        ["onnx-nodes", folder, flags @ ..] => onnx_nodes::run(folder.as_ref(), flags),
        _ => bail!("{USAGE}"),
    }
}

/// The repository's root: the folder above this crate.
fn root() -> Result<PathBuf> {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    Ok(here.parent().context("the crate has no parent folder")?.to_path_buf())
}

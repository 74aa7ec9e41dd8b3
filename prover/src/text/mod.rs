//! Texts as inputs of language models: tokenizers, and how tokens are chosen.

pub(crate) mod folder;

use std::{fs::File, path::Path};

use anyhow::{Context as _, Result};
use opml_ops::{
    gguf::Gguf,
    language::{
        Tokenizer,
        generate::{Layout, Sampling},
    },
};
use opml_vm::{Program, Tensor};

pub(crate) fn open(path: &Path) -> Result<Gguf<File>> {
    let place = || path.display().to_string();
    let file = File::open(path).with_context(place)?;
    Gguf::open(file).with_context(place)
}

/// The tokenizer of a GGUF file, or of a folder with a model as hubs publish it.
///
/// # Errors
/// With the path, and what is wrong there.
pub fn tokenizer(path: &Path) -> Result<Tokenizer> {
    let place = || path.display().to_string();
    if path.is_dir() {
        return folder::Files::read(path)?.tokenizer().with_context(place);
    }
    Tokenizer::from_gguf(&open(path)?).with_context(place)
}

/// The text of an output of tokens.
///
/// # Errors
/// As [`tokenizer`].
pub fn said(from: &Path, output: &Tensor) -> Result<String> {
    let tokens = output.values().into_iter().filter_map(|token| u32::try_from(token).ok());
    Ok(tokenizer(from)?.decode(&tokens.collect::<Vec<_>>()))
}

/// How tokens are chosen: temperature, how many to draw from, seed.
///
/// # Errors
/// The temperature is out of range, or the program cannot draw.
pub fn sampling(
    program: &Program,
    layout: &Layout,
    (temperature, top_k, seed): (f64, u32, i64),
) -> Result<Sampling, String> {
    if !(0.0..=100.0).contains(&temperature) {
        return Err(format!("--temperature {temperature}: 0 to 100"));
    }
    if temperature != 0.0 && !layout.can_sample(program) {
        return Err("imported with --greedy, so it cannot draw tokens".to_owned());
    }
    Ok(Sampling::new(temperature, top_k, seed))
}

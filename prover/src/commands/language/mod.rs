//! Language models: `opml import model.gguf`, `opml generate`, `opml chat`, `opml trial`,
//! `opml eval --perplexity`.

mod import;
mod perplexity;
mod speak;
mod template;
mod trial;

use std::{fs::File, path::Path};

use anyhow::{Context, Result};
use opml_ops::{
    gguf::Gguf,
    language::{Config, Decoder, DecoderOptions, Ranges, Tokenizer, decoder, float::FloatModel, gguf_config},
};

pub(super) use import::import;
pub(super) use perplexity::perplexity;
pub(super) use speak::{chat, generate};
pub(super) use trial::trial;

/// What a program is calibrated on unless told otherwise.
const CALIBRATION: &str = include_str!("calibration.txt");
/// Most tokens that calibration looks at.
const CALIBRATION_TOKENS: usize = 256;

fn open(path: &Path) -> Result<Gguf<File>> {
    let place = || path.display().to_string();
    let file = File::open(path).with_context(place)?;
    Gguf::open(file).with_context(place)
}

/// A model as a program, and what it was made of.
struct Made {
    config: Config,
    tokenizer: Tokenizer,
    floats: FloatModel,
    decoder: Decoder,
}

/// Reads a model, calibrates it on a text, and makes its program.
fn make(path: &Path, text: &str, context: usize, sampling: bool) -> Result<Made> {
    let mut file = open(path)?;
    let tokenizer = Tokenizer::from_gguf(&file)?;
    let config = gguf_config(&mut file)?;
    let floats = FloatModel::load(&mut file, &config)?;
    let mut tokens = tokenizer.encode(text, true);
    tokens.truncate(CALIBRATION_TOKENS.min(config.context));
    let ranges = Ranges::measure(&floats, &tokens)?;
    let options = DecoderOptions { context: context.min(config.context), ends: tokenizer.ends().to_vec(), sampling };
    let decoder = decoder(&mut file, &config, &ranges, &options)?;
    Ok(Made { config, tokenizer, floats, decoder })
}

//! Language models: `opml import model.gguf`, `opml generate`, `opml chat`, `opml trial`,
//! `opml eval --perplexity`.

mod import;
mod perplexity;
mod speak;
mod template;
mod trial;

use std::path::Path;

use anyhow::Result;
use opml_ops::language::{
    Config, Decoder, DecoderOptions, Ranges, Tokenizer, Weights, decoder, float::FloatModel, folder::Tensors,
    gguf_config,
};

use crate::text::{folder, open};

pub(super) use import::import;
pub(super) use perplexity::perplexity;
pub(super) use speak::{chat, generate};
pub(super) use trial::trial;

/// What a program is calibrated on unless told otherwise.
const CALIBRATION: &str = include_str!("calibration.txt");
/// Most tokens that calibration looks at.
const CALIBRATION_TOKENS: usize = 256;

/// A model as a program, and what it was made of.
struct Made {
    config: Config,
    tokenizer: Tokenizer,
    floats: FloatModel,
    decoder: Decoder,
}

/// How a program is made.
struct Options<'o> {
    /// What it is calibrated on.
    text: &'o str,
    /// Most positions.
    context: usize,
    /// Whether tokens can be drawn.
    sampling: bool,
}

/// Reads a model, calibrates it on a text, and makes its program.
fn make(path: &Path, options: &Options<'_>) -> Result<Made> {
    if path.is_dir() {
        let files = folder::Files::read(path)?;
        let (config, tokenizer) = (files.config()?, files.tokenizer()?);
        let weights = files.weights()?;
        return made(&mut Tensors::open(&weights, &config, files.json())?, config, tokenizer, options);
    }
    let mut file = open(path)?;
    let tokenizer = Tokenizer::from_gguf(&file)?;
    let config = gguf_config(&mut file)?;
    made(&mut file, config, tokenizer, options)
}

fn made(weights: &mut dyn Weights, config: Config, tokenizer: Tokenizer, options: &Options<'_>) -> Result<Made> {
    let floats = FloatModel::load(weights, &config)?;
    let mut tokens = tokenizer.encode(options.text, true);
    tokens.truncate(CALIBRATION_TOKENS.min(config.context));
    let ranges = Ranges::measure(&floats, &tokens)?;
    let (context, ends) = (options.context.min(config.context), tokenizer.ends().to_vec());
    let decoder = decoder(weights, &config, &ranges, &DecoderOptions { context, ends, sampling: options.sampling })?;
    Ok(Made { config, tokenizer, floats, decoder })
}

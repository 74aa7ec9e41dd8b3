//! The whole generation of a text as one program: an iteration reads one token and finds the next one.
//!
//! | module | what it lowers |
//! |---|---|
//! | `linear` | activations in 8 bits and blocks of 32, products with weights in 8 or 4 bits and blocks of 32 |
//! | `norm` | root mean squares |
//! | `attention` | turned queries and keys, scores over all iterations so far, their powers, the mixed values |
//! | `feed` | the gated network |
//! | `token` | embedding, the next token, what ends a text |
//! | `sample` | drawing a token by a seed |
//! | `fixed` | real factors as integers |
//!
//! Inputs: the prompt, `i32[context]`; and `i64[4]`: its length, the temperature with 16 fraction bits (0: always the most
//! likely token), how many tokens to draw from (0: all), the seed. The output is the text, prompt included: `t + 2` tokens.

mod attention;
mod feed;
mod fixed;
mod linear;
mod norm;
mod sample;
mod token;

use opml_vm::{DType, Program};

use super::{Config, LanguageError, Layer, Ranges, Weights, ends, layer};
use crate::{
    gguf::Codes,
    lower::{Builder, LowerError, Stored},
    num,
};
use linear::Packed;

/// How a program is made of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct DecoderOptions {
    /// Most positions, prompt included.
    pub context: usize,
    /// Tokens that end a text.
    pub ends: Vec<u32>,
    /// Whether tokens can be drawn; else the program always takes the most likely one, and is smaller.
    pub sampling: bool,
}

/// A program that generates text, and what a run has to know of it.
#[derive(Debug, Clone)]
pub struct Decoder {
    /// The program.
    pub program: Program,
    /// Number of the instruction that writes the logits, with [`LOGIT_BITS`] fraction bits.
    pub logits: u32,
    /// Number of the instruction that writes the next token.
    pub next: u32,
}

/// Fraction bits of logits.
pub const LOGIT_BITS: i64 = 16;

/// A list of stored integers: `stored / 2^bits` each.
#[derive(Debug, Clone)]
struct Vector {
    stored: Stored,
    bits: i64,
}

/// What all parts of the program share.
struct Shared<'a> {
    config: &'a Config,
    /// Positions, also the largest extent of what grows.
    context: i64,
    /// Fraction bits of the residual stream.
    residual_bits: i64,
}

/// Names the part of the model in which a lowering failed.
fn within<T>(place: impl FnOnce() -> String, result: Result<T, LowerError>) -> Result<T, LanguageError> {
    result.map_err(|fault| LanguageError::Lower { place: place(), fault })
}

/// Makes the program.
///
/// # Errors
/// A tensor is missing or not as the configuration says, or a size does not fit the machine.
pub fn decoder<W: Weights + ?Sized>(
    source: &mut W,
    config: &Config,
    ranges: &Ranges,
    options: &DecoderOptions,
) -> Result<Decoder, LanguageError> {
    let fault = |key: &str, value: String, why: &str| {
        Err(LanguageError::Value { key: key.to_owned(), value, why: why.to_owned() })
    };
    if options.context == 0 || options.context > config.context {
        let why = format!("1 to {} positions are possible", config.context);
        return fault("context", options.context.to_string(), &why);
    }
    for (key, width) in
        [("width", config.width), ("heads", config.query_width()), ("feed-forward", config.feed_forward)]
    {
        if width % super::BLOCK != 0 {
            return fault(key, width.to_string(), "a multiple of 32 is needed");
        }
    }
    let shared = Shared {
        config,
        context: num::signed(options.context),
        residual_bits: fixed::bits_for(4.0 * ranges.residual, 31).clamp(4, 16),
    };
    let mut builder = Builder::new();
    let text = token::Text::new(&mut builder, &shared);
    let begin = within(|| "token".to_owned(), text.begin(&mut builder))?;
    let ends = ends::<W, Codes>(source, config)?;
    let embedding = within(|| "embedding".to_owned(), Packed::new(&mut builder, &ends.embedding))?;
    let mut stream = within(|| "embedding".to_owned(), token::embed(&mut builder, &shared, &begin, &embedding))?;
    for number in 0..config.layers {
        let weights: Layer<Codes> = layer(source, config, number)?;
        let range = ranges.layers.get(number).copied().unwrap_or_default();
        let mut one = || {
            let stream = attention::attention(&mut builder, &shared, (number, &weights, range), &stream)?;
            feed::feed_forward(&mut builder, &shared, (&weights, range), &stream)
        };
        stream = within(|| format!("layer {number}"), one())?;
    }
    let output = match &ends.output {
        Some(matrix) => within(|| "output".to_owned(), Packed::new(&mut builder, matrix))?,
        None => embedding,
    };
    let mut end = || {
        let logits = token::logits(&mut builder, &shared, &stream, &ends.norm, &output)?;
        let greedy = token::greedy(&mut builder, &logits)?;
        let next = if options.sampling { sample::sample(&mut builder, &logits, &greedy, &text)? } else { greedy };
        let halt = text.end(&mut builder, &begin, &next, &options.ends)?;
        Ok((logits, next, halt))
    };
    let (logits, next, halt) = within(|| "next token".to_owned(), end())?;
    let number = |stored: &Stored| match stored.source {
        opml_vm::Source::Value(n) => n,
        _ => 0,
    };
    let (logits, next) = (number(&logits.stored), number(&next));
    Ok(Decoder { program: builder.finish_with(halt.as_ref())?, logits, next })
}

/// Rows, blocks of them and other sizes as the machine counts.
fn size(n: usize) -> i64 {
    num::signed(n)
}

/// A type that holds everything between.
const WIDE: DType = DType::I32;

//! `opml eval --perplexity`: the integer program and the floats over one text.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use opml_ops::{
    engine::Engine,
    language::{
        float::Cache,
        generate::{self, Foresight, Layout},
    },
};
use serde::Serialize;

use super::{CALIBRATION, Options, make};
use crate::{
    commands::{AGREE, FAULT},
    files,
    output::Output,
    progress,
};

/// Largest ratio of the perplexities.
const RATIO: f64 = 1.01;
/// Least share of equal choices.
const AGREEMENT: f64 = 0.95;

#[derive(Debug, Serialize)]
struct Compared {
    tokens: usize,
    context: usize,
    float_perplexity: f64,
    integer_perplexity: f64,
    ratio: f64,
    /// Places where the most likely token is the same.
    agreement: f64,
    ratio_limit: f64,
    agreement_limit: f64,
}

/// Compares the two.
pub(in crate::commands) fn perplexity(
    model: &Path,
    text: &Path,
    (tokens, context): (usize, usize),
    output: Output,
) -> Result<u8> {
    let place = || model.display().to_string();
    ensure!(context > 1, "--context {context}: at least 2");
    let words = String::from_utf8(files::read(text)?).with_context(|| text.display().to_string())?;
    let spinner = progress::spinner("importing");
    let made = make(model, &Options { text: CALIBRATION, context, sampling: false }).with_context(place)?;
    spinner.finish_and_clear();
    let mut ids = made.tokenizer.encode(&words, true);
    // Every part foresees all of its tokens but the first.
    let parts = tokens.div_ceil(context - 1);
    ensure!(ids.len() > 1, "{}: too short", text.display());
    ids.truncate(tokens.saturating_add(parts));
    let engine = Engine::compile(&made.decoder.program);
    let layout = Layout::of(&made.decoder.program).context("the program does not generate text")?;
    let bar = progress::bar("integers", ids.len());
    let mut integers = Foresight::default();
    for part in ids.chunks(context) {
        generate::foresee(&engine, &layout, part, &mut integers, &mut || bar.inc(1))?;
    }
    bar.finish_and_clear();
    let bar = progress::bar("floats", ids.len());
    let mut floats = Foresight::default();
    for part in ids.chunks(context) {
        let logits = made.floats.logits(part, &mut Cache::default(), &mut |_, _| ())?;
        for (logits, &token) in logits.iter().zip(part.iter().skip(1)) {
            let logits: Vec<f64> = logits.iter().map(|&logit| f64::from(logit)).collect();
            floats.add(&logits, token);
        }
        bar.inc(u64::try_from(part.len())?);
    }
    bar.finish_and_clear();
    let (float_perplexity, integer_perplexity) = (floats.perplexity(), integers.perplexity());
    let result = Compared {
        tokens: integers.losses.len(),
        context,
        float_perplexity,
        integer_perplexity,
        ratio: integer_perplexity / float_perplexity,
        agreement: integers.agreement(&floats),
        ratio_limit: RATIO,
        agreement_limit: AGREEMENT,
    };
    let worse = result.ratio > RATIO || result.agreement < AGREEMENT;
    output.result(&result, |r| {
        format!(
            "{} tokens in parts of {}\nperplexity  floats {:.4}, integers {:.4}: {:.4} times (at most {})\nchoices     {:.2} % agree (at least {} %)",
            r.tokens,
            r.context,
            r.float_perplexity,
            r.integer_perplexity,
            r.ratio,
            r.ratio_limit,
            100.0 * r.agreement,
            100.0 * r.agreement_limit
        )
    })?;
    Ok(if worse { FAULT } else { AGREE })
}

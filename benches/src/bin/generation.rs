//! Times the generation of a text on the engine, as `peers/llama/llama.mjs` times llama.cpp's: three tries in one process.
//!
//!     generation MODEL.opml THREADS NEW_TOKENS < PROMPT_IDS.json
//!
//! Prints as one JSON object the tokens, and the milliseconds of each try until the first token and from there to the last.
#![allow(clippy::print_stdout, reason = "a command line program")]

use std::{
    io,
    ops::ControlFlow,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use clap::Parser;
use opml_ops::{
    engine::Engine,
    language::generate::{self, Layout, Sampling},
};
use opml_prover::{memory, model::Model};
use serde_json::json;

/// Tries.
const TRIES: usize = 3;

#[derive(Debug, Parser)]
struct Arguments {
    /// The model, as written by `opml import`.
    model: PathBuf,
    /// Threads.
    threads: usize,
    /// Tokens to generate.
    tokens: u64,
}

/// A text and how long it took.
struct Try {
    tokens: Vec<u32>,
    prompt: Duration,
    decode: Duration,
}

fn main() -> Result<()> {
    memory::keep_freed();
    let arguments = Arguments::parse();
    let prompt: Vec<u32> = serde_json::from_reader(io::stdin().lock()).context("the prompt on standard input")?;
    rayon::ThreadPoolBuilder::new().num_threads(arguments.threads).build_global()?;
    let Model { program, guard, .. } = Model::open_in_memory(&arguments.model)?;
    let layout = Layout::of(&program).context("not a program that generates text")?;
    let engine = Engine::from_arc(Arc::new(program));
    let tries: Vec<Try> =
        (0..TRIES).map(|_| once(&engine, &layout, &prompt, arguments.tokens)).collect::<Result<_>>()?;
    guard.check()?;
    let milliseconds =
        |of: fn(&Try) -> Duration| tries.iter().map(|one| of(one).as_secs_f64() * 1e3).collect::<Vec<_>>();
    let found = json!({
        "tokens": tries.first().map(|one| &one.tokens),
        "prompt_ms": milliseconds(|one| one.prompt),
        "decode_ms": milliseconds(|one| one.decode),
    });
    println!("{found}");
    Ok(())
}

fn once(engine: &Engine, layout: &Layout, prompt: &[u32], most: u64) -> Result<Try> {
    let start = Instant::now();
    let inputs = generate::inputs(layout, prompt, Sampling::GREEDY)?;
    let (mut tokens, mut first) = (Vec::new(), None::<Duration>);
    generate::generate(engine, layout, (&inputs, most), &mut |_, token| {
        if let Some(token) = token {
            first.get_or_insert_with(|| start.elapsed());
            tokens.push(token);
        }
        ControlFlow::Continue(())
    })?;
    let (prompt, all) = (first.context("no token was generated")?, start.elapsed());
    Ok(Try { tokens, prompt, decode: all.saturating_sub(prompt) })
}

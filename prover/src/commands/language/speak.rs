//! `opml generate` and `opml chat`: tokens as they are found.

use std::{
    io::{self, BufRead as _, Write as _},
    ops::ControlFlow,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow};
use opml_ops::{
    engine::Engine,
    language::{
        Tokenizer,
        generate::{self, Layout, Sampling},
    },
};
use opml_vm::Program;
use serde::Serialize;

use super::template;
use crate::{
    arguments,
    commands::AGREE,
    model::{Guard, Model},
    output::Output,
    text::{sampling, tokenizer},
};

/// A model that is ready.
struct Ready {
    engine: Engine,
    layout: Layout,
    tokenizer: Tokenizer,
    sampling: Sampling,
    most: u64,
    guard: Guard,
    opened: Duration,
}

/// New tokens from which on a copy of the weights in large pages pays.
const MANY: u64 = 32;

/// A text that was gone on with.
#[derive(Debug, Serialize)]
struct Generated {
    text: String,
    prompt_tokens: Vec<u32>,
    tokens: Vec<u32>,
    iterations: u64,
    /// From the start of the command to a model that is ready.
    open_seconds: f64,
    prompt_seconds: f64,
    seconds: f64,
    tokens_per_second: f64,
}

fn ready(arguments: &arguments::Speaker) -> Result<Ready> {
    let start = Instant::now();
    let is_long = arguments.tokens >= MANY;
    let open = if is_long { Model::open_in_memory } else { Model::open };
    let Model { program, guard, .. } = open(&arguments.model)?;
    let (layout, sampling) = layout(arguments, &program)?;
    let tokenizer = tokenizer(&arguments.tokenizer)?;
    let (engine, most) = (Engine::from_arc(Arc::new(program)), arguments.tokens);
    Ok(Ready { engine, layout, tokenizer, sampling, most, guard, opened: start.elapsed() })
}

/// The places that a run reads, and how it chooses tokens.
pub(super) fn layout(arguments: &arguments::Speaker, program: &Program) -> Result<(Layout, Sampling)> {
    let place = arguments.model.display();
    let layout = Layout::of(program).with_context(|| format!("{place}: not a program that generates text"))?;
    let choice = (arguments.temperature, arguments.top_k, arguments.seed);
    let sampling = sampling(program, &layout, choice).map_err(|why| anyhow!("{place}: {why}"))?;
    Ok((layout, sampling))
}

impl Ready {
    /// Goes on with tokens; `show` gets the bytes of each new one.
    fn go_on(&self, prompt: Vec<u32>, show: &mut (dyn FnMut(&[u8]) + Send)) -> Result<Generated> {
        let inputs = generate::inputs(&self.layout, &prompt, self.sampling)?;
        let start = Instant::now();
        let (mut tokens, mut first) = (Vec::new(), None::<Duration>);
        let iterations = generate::generate(&self.engine, &self.layout, (&inputs, self.most), &mut |_, token| {
            if let Some(token) = token {
                first.get_or_insert_with(|| start.elapsed());
                if !self.tokenizer.ends().contains(&token) {
                    show(&self.tokenizer.bytes(token));
                }
                tokens.push(token);
            }
            ControlFlow::Continue(())
        })?;
        self.guard.check()?;
        let (total, first) = (start.elapsed(), first.unwrap_or_default());
        let later = u32::try_from(tokens.len().saturating_sub(1)).unwrap_or(u32::MAX);
        let seconds = total.saturating_sub(first).as_secs_f64();
        Ok(Generated {
            text: self.tokenizer.decode(&tokens),
            prompt_tokens: prompt,
            tokens,
            iterations,
            open_seconds: self.opened.as_secs_f64(),
            prompt_seconds: first.as_secs_f64(),
            seconds,
            tokens_per_second: if seconds > 0.0 { f64::from(later) / seconds } else { 0.0 },
        })
    }
}

/// Writes bytes as they come.
fn stream(bytes: &[u8]) {
    let mut out = io::stdout().lock();
    // A reader that has gone is no error; the run ends by itself.
    let _ = out.write_all(bytes).and_then(|()| out.flush());
}

fn speed(generated: &Generated) {
    let mut err = io::stderr().lock();
    let _ = writeln!(
        err,
        "{} prompt tokens in {:.2} s, {} new ones at {:.1} tokens/s",
        generated.prompt_tokens.len(),
        generated.prompt_seconds,
        generated.tokens.len(),
        generated.tokens_per_second
    );
}

/// Goes on with one text.
pub(in crate::commands) fn generate(arguments: &arguments::Generate, output: Output) -> Result<u8> {
    let ready = ready(&arguments.speaker)?;
    let prompt = ready.tokenizer.encode(&arguments.prompt, true);
    if output.json {
        let generated = ready.go_on(prompt, &mut |_| ())?;
        output.result(&generated, |_| String::new())?;
        return Ok(AGREE);
    }
    let generated = ready.go_on(prompt, &mut stream)?;
    stream(b"\n");
    speed(&generated);
    Ok(AGREE)
}

/// Talks, a line a turn.
pub(in crate::commands) fn chat(arguments: &arguments::Chat, _output: Output) -> Result<u8> {
    let ready = ready(&arguments.speaker)?;
    let mut turns: Vec<template::Turn> =
        arguments.system.iter().map(|text| template::Turn::new("system", text)).collect();
    for line in io::stdin().lock().lines() {
        let line = line.context("standard input")?;
        if line.trim().is_empty() {
            continue;
        }
        turns.push(template::Turn::new("user", &line));
        let prompt = template::render(&ready.tokenizer, &turns)?;
        let generated = ready.go_on(ready.tokenizer.encode(&prompt, true), &mut stream)?;
        stream(b"\n");
        speed(&generated);
        turns.push(template::Turn::new("assistant", &generated.text));
    }
    Ok(AGREE)
}

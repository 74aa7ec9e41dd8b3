//! Runs of a generating program: token by token, and how well it foresees a text.

use std::ops::ControlFlow;

use opml_vm::{DType, Instruction, ModelError, Op, Program, Reducer, Source, Tensor, interpreter::Stop};

use super::{LOGIT_BITS, LanguageError};
use crate::{
    engine::{Engine, Iteration, Watched},
    num,
};

/// How tokens are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sampling {
    /// 16 fraction bits; 0 takes the most likely token.
    pub temperature: i64,
    /// Tokens to draw from; 0: all.
    pub most: i64,
    /// Seed.
    pub seed: i64,
}

impl Sampling {
    /// Always the most likely token.
    pub const GREEDY: Self = Self { temperature: 0, most: 0, seed: 0 };

    /// From a real temperature.
    pub fn new(temperature: f64, most: u32, seed: i64) -> Self {
        Self { temperature: num::round(temperature * 65536.0).max(0), most: most.into(), seed }
    }
}

/// The places of a generating program that a run reads, found in the program itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Positions.
    pub context: usize,
    /// Instruction that writes the logits.
    pub logits: u32,
    /// Instruction that writes the next token.
    pub next: u32,
}

impl Layout {
    /// Finds them; `None` if the program does not have the form of one that generates text.
    pub fn of(program: &Program) -> Option<Self> {
        let [prompt, settings] = program.inputs() else { return None };
        let typed = (prompt.dtype, settings.dtype, settings.elements) == (DType::I32, DType::I64, 4);
        let output = program.instructions().get(num::size(program.output().into()))?;
        let next = output.loads().find_map(|load| match load.source {
            Source::History { instruction, .. } => Some(instruction),
            _ => None,
        });
        // Queries and keys have no such reducer.
        let greedy = program.instructions().iter().rev().find(|i| i.reducer == Reducer::Argmax)?;
        let logits = match greedy.loads().next()?.source {
            Source::Value(n) => n,
            _ => return None,
        };
        typed.then_some(Self { context: num::size(prompt.elements), logits, next: next? })
    }

    /// Most iterations of a run that goes on with a prompt of so many tokens by so many new ones.
    pub fn longest(&self, prompt: usize, tokens: u64) -> u64 {
        num::wide(prompt).saturating_add(tokens).saturating_sub(1).clamp(1, num::wide(self.context).max(1))
    }

    /// Whether tokens can be drawn.
    pub fn can_sample(&self, program: &Program) -> bool {
        let next = program.instructions().get(num::size(self.next.into()));
        next.is_some_and(|next: &Instruction| {
            next.reducer != Reducer::Argmax && next.map.iter().any(|op| matches!(op, Op::Load(_)))
        })
    }
}

/// The inputs of a run.
///
/// # Errors
/// The prompt is empty or longer than the context.
pub fn inputs(layout: &Layout, prompt: &[u32], sampling: Sampling) -> Result<Vec<Tensor>, LanguageError> {
    if prompt.is_empty() || prompt.len() > layout.context {
        let why = format!("the prompt has {} tokens; 1 to {} are possible", prompt.len(), layout.context);
        return Err(LanguageError::Input(why));
    }
    let mut tokens: Vec<i64> = prompt.iter().map(|&token| i64::from(token)).collect();
    tokens.resize(layout.context, 0);
    let settings = [num::signed(prompt.len()), sampling.temperature, sampling.most, sampling.seed];
    Ok(vec![Tensor::saturating(DType::I32, &tokens), Tensor::saturating(DType::I64, &settings)])
}

/// Generates: `each` is told every new token and may end the run. Gives the number of iterations.
///
/// # Errors
/// The inputs do not fit the program.
pub fn generate(
    engine: &Engine,
    layout: &Layout,
    (inputs, most): (&[Tensor], u64),
    each: &mut (dyn FnMut(u64, Option<u32>) -> ControlFlow<()> + Send),
) -> Result<u64, ModelError> {
    let length = inputs.get(1).and_then(|settings| settings.get(0)).and_then(|n| u64::try_from(n).ok()).unwrap_or(1);
    let longest = layout.longest(num::size(length), most);
    let stop = (Stop::Halt { max: longest }, u64::MAX);
    let mut each = |iteration: Iteration<'_>| {
        let token = iteration.values.first().and_then(|value| value.get(0)).and_then(|token| u32::try_from(token).ok());
        each(iteration.t, token.filter(|_| iteration.t.saturating_add(1) >= length))
    };
    // Inside the pool, so that short steps are not handed to another thread.
    rayon::scope(|_| {
        engine.stream(
            inputs,
            stop,
            Watched { instructions: &[layout.next], from: length.saturating_sub(1) },
            &mut |_, _| (),
            &mut each,
        )
    })
}

/// How well a model foresees each token of a text from those before it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Foresight {
    /// `−ln` of the probability of each token but the first.
    pub losses: Vec<f64>,
    /// The most likely token in each place.
    pub choices: Vec<u32>,
}

impl Foresight {
    /// Adds what logits in the unit of [`LOGIT_BITS`], or reals, say of the token that follows.
    pub fn add(&mut self, logits: &[f64], token: u32) {
        let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = logits.iter().map(|logit| libm::exp(logit - most)).sum();
        let own = logits.get(num::size(token.into())).copied().unwrap_or(f64::NEG_INFINITY);
        self.losses.push(libm::log(total) + most - own);
        let choice = logits.iter().position(|&logit| logit >= most).unwrap_or(0);
        self.choices.push(u32::try_from(choice).unwrap_or(u32::MAX));
    }

    /// Share of places in which the most likely token is another's.
    pub fn agreement(&self, other: &Self) -> f64 {
        let equal = self.choices.iter().zip(&other.choices).filter(|(a, b)| a == b).count();
        num::real(num::signed(equal)) / num::real(num::signed(self.choices.len().max(1)))
    }

    /// `e` to the mean loss.
    pub fn perplexity(&self) -> f64 {
        let mean = self.losses.iter().sum::<f64>() / num::real(num::signed(self.losses.len()));
        libm::exp(mean)
    }
}

/// Runs the program over a text that fits the context.
///
/// # Errors
/// The text is empty or too long.
pub fn foresee(
    engine: &Engine,
    layout: &Layout,
    text: &[u32],
    into: &mut Foresight,
    progress: &mut (dyn FnMut() + Send),
) -> Result<(), LanguageError> {
    let inputs = inputs(layout, text, Sampling::GREEDY)?;
    // The last token has nothing to foresee.
    let length = num::wide(text.len()).saturating_sub(1);
    if length == 0 {
        return Ok(());
    }
    let unit = libm::exp2(-num::real(LOGIT_BITS));
    let stop = (Stop::Exactly(length), u64::MAX);
    let mut each = |iteration: Iteration<'_>| {
        let after = num::size(iteration.t.saturating_add(1));
        if let (Some(value), Some(&token)) = (iteration.values.first(), text.get(after)) {
            let logits: Vec<f64> = value.values().iter().map(|&logit| num::real(logit) * unit).collect();
            into.add(&logits, token);
        }
        progress();
        ControlFlow::Continue(())
    };
    rayon::scope(|_| {
        engine.stream(&inputs, stop, Watched { instructions: &[layout.logits], from: 0 }, &mut |_, _| (), &mut each)
    })?;
    Ok(())
}

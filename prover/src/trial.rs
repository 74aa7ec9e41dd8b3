//! Disputes over runs too long for memory: both players keep checkpoints and compute what they need again.

use std::{fmt, str::FromStr, time::Instant};

use opml_ops::{
    checkpoint::{CheckpointTrace, Tamper},
    engine::Engine,
    language::{Places, generate::Layout},
};
use opml_vm::interpreter::Stop;
use serde::Serialize;
use thiserror::Error;

use crate::{
    dispute::{self, Report, Setup, Sides},
    error::ProverError,
    lie::{Cell, Fault, Told},
    random::Random,
    task::Task,
};

/// What is wrong with a claimed text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charge {
    /// A fault of any run.
    Fault(Fault),
    /// A weight of some product is misread, at a new token.
    Weight(Option<u64>),
    /// One probability of attention.
    Probability(Option<u64>),
    /// One logit.
    Logit(Option<u64>),
    /// The token itself, and all that follows from it.
    Token(Option<u64>),
    /// The text ends there.
    Halt(Option<u64>),
}

/// A charge that was not understood.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "`{0}` is not a fault: use `weight`, `probability`, `logit`, `token` or `stop`, each alone or with `:K` for the K-th new \
     token from 0, or `random`, `consistent`, `at:T:I:E`, `from:T:I:E`"
)]
pub struct BadCharge(String);

impl FromStr for Charge {
    type Err = BadCharge;

    fn from_str(text: &str) -> Result<Self, BadCharge> {
        let bad = || BadCharge(text.to_owned());
        let (kind, place) = text.split_once(':').map_or((text, None), |(kind, place)| (kind, Some(place)));
        let known = match kind {
            "weight" => Self::Weight,
            "probability" => Self::Probability,
            "logit" => Self::Logit,
            "token" => Self::Token,
            "stop" => Self::Halt,
            _ => return text.parse().map(Self::Fault).map_err(|_| bad()),
        };
        Ok(known(place.map(|place| place.parse().map_err(|_| bad())).transpose()?))
    }
}

/// The new tokens that charges are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text {
    /// Iteration that finds the first new token.
    pub first: u64,
    /// New tokens.
    pub tokens: u64,
}

/// Why a charge cannot be brought.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NoCharge {
    /// The text is shorter.
    #[error("the text has {tokens} new tokens; there is no token {token}, counted from 0")]
    Token {
        /// The one that was asked for.
        token: u64,
        /// How many there are.
        tokens: u64,
    },
    /// The program has no such instruction.
    #[error("the program has no instruction that computes a {0}")]
    Nothing(&'static str),
}

impl Charge {
    /// The fault in a run; elements are drawn.
    ///
    /// # Errors
    /// The text or the program has no such place.
    pub fn fault(
        self,
        places: &Places,
        text: Text,
        elements: Elements<'_>,
        random: &mut Random,
    ) -> Result<Fault, NoCharge> {
        let (token, list, what, consistent) = match self {
            Self::Fault(fault) => return Ok(fault),
            Self::Weight(token) => (token, places.products.as_slice(), "product", true),
            Self::Probability(token) => (token, places.probabilities.as_slice(), "probability", true),
            Self::Logit(token) => (token, &[places.logits][..], "logit", true),
            Self::Token(token) => (token, &[places.next][..], "token", true),
            Self::Halt(token) => (token, places.halt.as_slice(), "halt", true),
        };
        let outside = |token| NoCharge::Token { token, tokens: text.tokens };
        let token = match token {
            Some(token) if token < text.tokens => token,
            Some(token) => return Err(outside(token)),
            None => random.below(text.tokens).ok_or_else(|| outside(0))?,
        };
        let t = text.first.saturating_add(token);
        let drawn = random.below(u64::try_from(list.len()).unwrap_or(0)).and_then(|at| usize::try_from(at).ok());
        let instruction = drawn.and_then(|at| list.get(at)).copied().ok_or(NoCharge::Nothing(what))?;
        let e = random.below(elements(t, instruction)).ok_or(NoCharge::Nothing(what))?;
        Ok(Fault { cell: Some(Cell { t, instruction, e }), consistent })
    }
}

/// Elements of a value `(t, i)`.
pub type Elements<'e> = &'e dyn Fn(u64, u32) -> u64;

/// A dispute over a text.
#[derive(Debug, Clone, Serialize)]
pub struct Trial {
    /// Iterations of the claim.
    pub iterations: u64,
    /// New tokens of the honest run.
    pub tokens: u64,
    /// Values of the claimed trace.
    pub values: u64,
    /// Seconds of the honest run and its commitment.
    pub honest_seconds: f64,
    /// The same of the submitter's.
    pub submitted_seconds: f64,
    /// Seconds of the game: both players, what they compute again, and the chain.
    pub game_seconds: f64,
    /// Bytes that one player holds beside the model: hashes, and values.
    pub memory: PlayerMemory,
    /// The dispute.
    pub dispute: Report,
}

/// What one player holds beside the model.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct PlayerMemory {
    /// Bytes of headers, roots and the trace tree.
    pub hashes: u64,
    /// Bytes of values that are kept, and of one iteration.
    pub values: u64,
}

impl fmt::Display for PlayerMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: u64| format!("{}.{} MiB", bytes >> 20, ((bytes & 0xf_ffff) * 10) >> 20);
        write!(f, "{} of hashes and {} of values", mib(self.hashes), mib(self.values))
    }
}

/// Runs the model, plants the lie, and plays the dispute to its end.
///
/// # Errors
/// The run is refused, the charge has no place in it, or the chain refuses a move that the rules allow.
pub fn play(
    engine: &Engine,
    task: &Task,
    setup: &Setup,
    (charge, prompt): (Option<Charge>, u64),
) -> Result<Trial, ProverError> {
    let start = Instant::now();
    let run = |stop, tamper: Option<Tamper>| {
        CheckpointTrace::new(engine, &task.inputs, (stop, task.budget), tamper).map_err(ProverError::Budget)
    };
    let mut honest = run(Stop::Halt { max: task.max_t }, None)?;
    let honest_seconds = start.elapsed().as_secs_f64();
    let text =
        Text { first: prompt.saturating_sub(1), tokens: honest.length().saturating_sub(prompt.saturating_sub(1)) };
    let told = charge.map(|charge| plan(task, &honest, (charge, text), setup.seed)).transpose()?;
    let begun = Instant::now();
    let stop = |told: &Told| told.stop(&task.program, (honest.length(), task.max_t));
    let lying = told.map(|told| run(stop(&told), Some(told.tamper()))).transpose()?;
    let submitted_seconds = begun.elapsed().as_secs_f64();
    if let Some(lying) = lying.as_ref().filter(|lying| lying.length() != honest.length()) {
        // The challenger's trace is that of the claim's length.
        honest = run(Stop::Exactly(lying.length()), None)?;
    }
    let submitted = lying.as_ref().unwrap_or(&honest);
    let begun = Instant::now();
    let sides = Sides { honest: (&honest).into(), submitted: submitted.into(), told };
    let report = dispute::play_sides(task, setup, sides)?;
    let memory = honest.memory();
    Ok(Trial {
        iterations: submitted.length(),
        tokens: text.tokens,
        values: submitted.tree().leaves(),
        honest_seconds,
        submitted_seconds,
        game_seconds: begun.elapsed().as_secs_f64(),
        memory: PlayerMemory { hashes: memory.hashes, values: memory.values },
        dispute: Report { seconds: start.elapsed().as_secs_f64(), ..report },
    })
}

fn plan(task: &Task, honest: &CheckpointTrace, (charge, text): (Charge, Text), seed: u64) -> Result<Told, ProverError> {
    let random = &mut Random::new(seed);
    let layout =
        Layout::of(&task.program).ok_or_else(|| ProverError::Stuck("no program that generates text".to_owned()))?;
    let places = Places::of(&task.program, &layout);
    let elements = |t: u64, number: u32| {
        let leaf = opml_vm::interpreter::leaf_index(task.program.counts().instructions, t, number);
        leaf.and_then(|leaf| honest.header(leaf)).map_or(0, |(_, elements)| elements)
    };
    let fault = charge.fault(&places, text, &elements, random)?;
    Ok(Told::plan(&task.program, &task.inputs, honest.into(), fault, random)?)
}

//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::lie::Fault;

/// Run neural networks so that anybody can prove a wrong answer.
///
/// Results go to standard output, prose and progress to standard error. Exit codes: 0 all agrees, 1 a fault was found,
/// 2 an error.
#[derive(Debug, Parser)]
#[command(name = "opml", version, max_term_width = 110)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Print one JSON object instead of text.
    #[arg(long, global = true)]
    pub json: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show an honest claim, a lie that is caught move by move, and the same lie caught by one proof.
    Demo(Demo),
    /// Turn an ONNX model into an integer program.
    Import(Import),
    /// Show a program: instructions, sizes, cost bounds.
    Inspect(Inspect),
    /// Run a model on an input.
    Run(Run),
    /// Run a model and commit to its trace.
    Commit(Commit),
    /// Write the proof of one step of a run.
    Prove(Prove),
    /// Check a proof, with the Rust verifier and with the contract.
    Verify(Verify),
    /// Play a whole dispute over a planted lie against the contracts.
    Dispute(Dispute),
    /// Compare the integer model with its float original on labelled samples.
    Eval(Eval),
    /// Print the table of dispute costs that the README shows.
    Figures(Figures),
}

/// A model and what it runs on.
#[derive(Debug, Args)]
pub struct Task {
    /// The model, as written by `opml import`.
    pub model: PathBuf,
    /// The inputs in order: .npy, .png or .jpg. An array of several samples is a batch, see --index.
    #[arg(short, long = "input", required = true)]
    pub inputs: Vec<PathBuf>,
    /// Which sample of a batch.
    #[arg(long, default_value_t = 0)]
    pub index: usize,
    /// Most iterations.
    #[arg(long, default_value_t = 1)]
    pub max_t: u64,
    /// Refuse runs of more elements.
    #[arg(long, default_value_t = 1 << 32)]
    pub budget: u64,
}

/// See [`Command::Demo`].
#[derive(Debug, Args)]
pub struct Demo {
    /// Children a move reveals: 2, 4, 8, 16, 32 or 64.
    #[arg(long, default_value_t = 16, value_parser = arity)]
    pub arity: u64,
    /// Seed of the lie.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// See [`Command::Import`].
#[derive(Debug, Args)]
pub struct Import {
    /// The ONNX file.
    pub onnx: PathBuf,
    /// Where the model goes.
    #[arg(short, long)]
    pub output: PathBuf,
    /// Samples to calibrate activations on (.npy, first axis counts the samples). Not needed for quantised models.
    #[arg(long)]
    pub calibration: Option<PathBuf>,
    /// The float input is this many times the integer input (a fraction such as 1/255).
    #[arg(long, default_value = "1/255", value_parser = fraction)]
    pub input_scale: f64,
    /// Integer input that stands for 0.
    #[arg(long, default_value_t = 0)]
    pub input_zero_point: i64,
}

/// See [`Command::Inspect`].
#[derive(Debug, Args)]
pub struct Inspect {
    /// The model.
    pub model: PathBuf,
    /// Iterations to bound the costs for.
    #[arg(long, default_value_t = 1)]
    pub max_t: u64,
}

/// See [`Command::Run`].
#[derive(Debug, Args)]
pub struct Run {
    /// Model and input.
    #[command(flatten)]
    pub task: Task,
    /// Use the reference interpreter instead of the engine.
    #[arg(long)]
    pub reference: bool,
    /// Also write the output as .npy.
    #[arg(short, long)]
    pub output: Option<PathBuf>,
}

/// See [`Command::Commit`].
#[derive(Debug, Args)]
pub struct Commit {
    /// Model and input.
    #[command(flatten)]
    pub task: Task,
}

/// See [`Command::Prove`].
#[derive(Debug, Args)]
pub struct Prove {
    /// Model and input.
    #[command(flatten)]
    pub task: Task,
    /// The step: instruction and element, `I:E`, or with the iteration `T:I:E`.
    #[arg(long, value_parser = step)]
    pub step: (u64, u32, u64),
    /// Only the partial over terms `K0:K1` of its reduction.
    #[arg(long, value_parser = terms)]
    pub terms: Option<(u64, u64)>,
    /// Plant a lie first, and prove the step against the lying trace.
    #[arg(long)]
    pub fault: Option<Fault>,
    /// Seed of a random lie.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Where the proof goes.
    #[arg(short, long)]
    pub output: PathBuf,
}

/// See [`Command::Verify`].
#[derive(Debug, Args)]
pub struct Verify {
    /// The proof, as written by `opml prove`.
    pub proof: PathBuf,
}

/// See [`Command::Dispute`].
#[derive(Debug, Args)]
pub struct Dispute {
    /// Model and input.
    #[command(flatten)]
    pub task: Task,
    /// Where the submitter lies: `random`, `consistent` (what follows is computed from the lie), `at:I:E`, `from:I:E`,
    /// with an iteration `at:T:I:E`, `from:T:I:E`; or `none`, an honest claim under a false challenge.
    #[arg(long, default_value = "random")]
    pub fault: String,
    /// Children a move reveals: 2, 4, 8, 16, 32 or 64.
    #[arg(long, default_value_t = 16, value_parser = arity)]
    pub arity: u64,
    /// Seed of a random lie.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Reductions of at most so many terms are proved without a further split.
    #[arg(long, default_value_t = 64)]
    pub max_terms: u64,
    /// The claim posts its trace root, and the challenger proves the fault in one transaction.
    #[arg(long)]
    pub posted: bool,
}

/// See [`Command::Eval`].
#[derive(Debug, Args)]
pub struct Eval {
    /// The ONNX file.
    #[arg(required_unless_present = "fixtures", requires_all = ["images", "labels"])]
    pub onnx: Option<PathBuf>,
    /// Samples to calibrate on (.npy).
    #[arg(long)]
    pub calibration: Option<PathBuf>,
    /// Samples to decide (.npy).
    #[arg(long)]
    pub images: Option<PathBuf>,
    /// Their labels (.npy, u8).
    #[arg(long)]
    pub labels: Option<PathBuf>,
    /// All models of the repository's `fixtures/` on their complete test sets (`fixtures/fetch.py` brings these);
    /// exit code 1 if one loses more than 0.3 points.
    #[arg(long)]
    pub fixtures: bool,
}

/// See [`Command::Figures`].
#[derive(Debug, Args)]
pub struct Figures {}

fn arity(text: &str) -> Result<u64, String> {
    match text.parse::<u64>() {
        Ok(n) if n.is_power_of_two() && (2..=64).contains(&n) => Ok(n),
        _ => Err("must be 2, 4, 8, 16, 32 or 64".to_owned()),
    }
}

fn fraction(text: &str) -> Result<f64, String> {
    let (over, under) = text.split_once('/').unwrap_or((text, "1"));
    let number = |text: &str| text.parse::<f64>().map_err(|_| format!("`{text}` is not a number"));
    let value = number(over)? / number(under)?;
    if value.is_finite() && value > 0.0 { Ok(value) } else { Err("must be above 0".to_owned()) }
}

fn numbers(text: &str) -> Result<Vec<u64>, String> {
    text.split(':').map(|word| word.parse().map_err(|_| format!("`{word}` is not a number"))).collect()
}

fn step(text: &str) -> Result<(u64, u32, u64), String> {
    let (t, i, e) = match *numbers(text)?.as_slice() {
        [i, e] => (0, i, e),
        [t, i, e] => (t, i, e),
        _ => return Err("must be I:E or T:I:E".to_owned()),
    };
    let i = u32::try_from(i).map_err(|_| format!("instruction {i} is out of range"))?;
    Ok((t, i, e))
}

fn terms(text: &str) -> Result<(u64, u64), String> {
    match numbers(text)?.as_slice() {
        &[k0, k1] if k0 < k1 => Ok((k0, k1)),
        _ => Err("must be K0:K1 with K0 < K1".to_owned()),
    }
}

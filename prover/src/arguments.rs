//! The command line.

pub mod batch;
pub mod economy;
pub mod market;
pub mod network;

use std::{path::PathBuf, str::FromStr};

use clap::{Args, Parser, Subcommand, ValueEnum};
use opml_ops::language::generate::{Layout, Sampling};
use opml_vm::{DType, Program};

use crate::{
    examples,
    lie::{BadFault, Fault},
    policy::STEP_GAS,
    runs::MEMORY,
    trial::{BadCharge, Charge},
};

/// Run neural networks so that anybody can prove a wrong answer.
///
/// Results go to standard output, prose and progress to standard error. Exit codes: 0 all agrees, 1 a fault was found,
/// 2 an error.
#[derive(Debug, Parser)]
#[command(name = "opml", version, max_term_width = 100)]
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
    /// Show an honest claim, a lie caught move by move, and the same lie caught by one proof.
    ///
    /// Everything happens in one process: the model, both players and the chain. No files are needed.
    #[command(after_long_help = examples::DEMO)]
    Demo(Demo),
    /// Turn an ONNX or GGUF model into an integer program.
    ///
    /// The numbers of a float model are quantised; samples of its input tell in which range they lie. A GGUF file holds a language
    /// model; its program generates text, see `opml generate`.
    #[command(after_long_help = examples::IMPORT)]
    Import(Import),
    /// Go on with a text.
    ///
    /// The text appears as it is found; standard error says how fast. The run is one of the program's: its output root and trace are
    /// those of `opml run` and `opml commit` on the inputs that --json names.
    #[command(after_long_help = examples::GENERATE)]
    Generate(Generate),
    /// Talk with a model: a line of standard input is a turn.
    #[command(after_long_help = examples::CHAT)]
    Chat(Chat),
    /// Dispute a generated text: one lie, found by the challenger.
    ///
    /// Both players keep checkpoints of their runs, keys, values and tokens, and compute an iteration again where it is asked for.
    #[command(after_long_help = examples::TRIAL)]
    Trial(Trial),
    /// Show a program: instructions, sizes, cost bounds.
    #[command(after_long_help = examples::INSPECT)]
    Inspect(Inspect),
    /// Run a model on an input.
    ///
    /// Prints the first 64 values of the output and the hash that a claim names; -o writes all of them.
    #[command(after_long_help = examples::RUN)]
    Run(Run),
    /// Run a model and commit to its trace.
    ///
    /// The trace root commits to every value of the run: it is what the submitter of a claim opens in a dispute.
    #[command(after_long_help = examples::COMMIT)]
    Commit(Commit),
    /// Write the proof of one step of a run.
    ///
    /// The proof opens one element of the trace and all that its instruction reads for it.
    #[command(after_long_help = examples::PROVE)]
    Prove(Prove),
    /// Check a proof, with the Rust verifier and with the contract.
    ///
    /// Exit code 0: the element is what its instruction computes; 1: it is not, the trace is a lie; 2: the file is no
    /// proof of what it claims.
    #[command(after_long_help = examples::VERIFY)]
    Verify(Verify),
    /// Play a whole dispute over a planted lie against the contracts.
    ///
    /// Exit code 0 if the honest side wins.
    #[command(after_long_help = examples::DISPUTE)]
    Dispute(Dispute),
    /// Tell a whole story: a model is offered, sold, asked, lied about, and earns.
    ///
    /// An offering, its buyers, users who ask, a lie that is caught in a dispute, a token of content, revenue; every transaction and every
    /// balance. Everything happens in one process, or with --rpc on a chain. No files are needed.
    #[command(after_long_help = examples::STORY)]
    Story(economy::Story),
    /// Offer shares of a model, and sell them.
    ///
    /// With a model: an offering with buyers of its own on a chain in this process, or with --rpc on another; exit code 0 if it ends as it
    /// must. With a command: one step of an offering on a chain that strangers share.
    #[command(after_long_help = examples::IMO)]
    Imo(economy::Imo),
    /// Ask a model through the oracle.
    ///
    /// With a model: the request, its answer by a claim, and the payments, on a chain in this process, or with --rpc on another. With a
    /// command: one step of a question on a chain that strangers share.
    #[command(after_long_help = examples::ASK)]
    Ask(economy::Ask),
    /// Mint a token of what a model makes of an input.
    ///
    /// With a model: the token's content comes from the oracle, on a chain in this process, or with --rpc on another; exit code 0 if the
    /// collection vouches for the content in the end, and not before. With a command: one step on a chain that strangers share.
    #[command(after_long_help = examples::MINT)]
    Mint(economy::Mint),
    /// Share what a model's answers earn among the holders of its token.
    ///
    /// With a model: so many requests are answered, on a chain in this process, or with --rpc on another, and everybody claims. With a
    /// command: one step on a chain that strangers share.
    #[command(after_long_help = examples::REVENUE)]
    Revenue(economy::Revenue),
    /// Compare the integer model with its float original on labelled samples.
    ///
    /// Exit code 1 if a model loses more than 0.3 points of accuracy.
    #[command(after_long_help = examples::EVAL)]
    Eval(Eval),
    /// Print the table of dispute costs that the README shows.
    #[command(after_long_help = examples::FIGURES)]
    Figures(Figures),
    /// Put the contracts on a chain.
    ///
    /// Writes the deployment file that all other commands on the chain read.
    #[command(after_long_help = examples::DEPLOY)]
    Deploy(network::Deploy),
    /// Make a model known to the contract.
    #[command(after_long_help = examples::REGISTER)]
    Register(network::Register),
    /// Ask for a run of a model on inputs that are posted.
    ///
    /// Prints the task's name; submitters claim its result.
    #[command(after_long_help = examples::REQUEST)]
    Request(network::RequestTask),
    /// Run a task's model and claim the result, with a bond.
    ///
    /// `opml defend` must run until the claim is final.
    #[command(after_long_help = examples::SUBMIT)]
    Submit(network::Submit),
    /// Claim many results at once, under one bond, each of which can be disputed like any other.
    #[command(after_long_help = examples::BATCH)]
    Batch(batch::Batch),
    /// Check all claims, challenge the wrong ones, and play the disputes to their end.
    ///
    /// Runs until it is stopped. Whatever stops it, it goes on from its state folder and the chain.
    #[command(after_long_help = examples::WATCH)]
    Watch(network::Play),
    /// Answer every dispute on the account's claims, and take the bonds back when they are final.
    ///
    /// Runs until it is stopped. Whatever stops it, it goes on from its state folder and the chain.
    #[command(after_long_help = examples::DEFEND)]
    Defend(network::Defend),
    /// Ask a committee to compute a claim's whole trace, or sit in it.
    ///
    /// Members lock a deposit and answer for every claim that is asked about; the fee is theirs, and who is silent about a claim that
    /// becomes final loses the deposit.
    #[command(after_long_help = examples::ATTENTION)]
    Attention(batch::Attention),
    /// Show claims and disputes: clocks, bonds, and how each would end if nobody moved any more.
    #[command(after_long_help = examples::STATUS)]
    Status(network::Status),
    /// Fetch what the contracts owe the account.
    #[command(after_long_help = examples::WITHDRAW)]
    Withdraw(network::Withdraw),
}

/// Most elements of a run unless told otherwise: at most 512 MiB of values.
pub const BUDGET: u64 = 1 << 26;
/// MiB of the values of a trace that are kept in memory unless told otherwise.
pub const TRACE_MEMORY: u64 = MEMORY >> 20;
/// Most scalar operations and loads of a run, if nothing else is said: minutes on a slow machine.
const OPERATIONS: u64 = 1 << 38;

/// Heading of what is said of a text.
const TEXT: &str = "Of a language model, instead of inputs";

/// A model and what it runs on.
// Its arguments stand here and not in a part of their own: clap does not see an optional group by the arguments of its parts.
#[derive(Debug, Args)]
pub struct Task {
    /// The model, as written by `opml import`.
    pub model: PathBuf,
    /// An input, .npy, .png or .jpg; repeated if the model has several. A larger array is a batch, see --index.
    #[arg(short, long = "input", value_name = "FILE")]
    pub inputs: Vec<PathBuf>,
    /// Which sample of a batch.
    #[arg(long, default_value_t = 0)]
    pub index: usize,
    /// Most iterations.
    #[arg(long, default_value_t = 1, value_name = "T", value_parser = at_least_one)]
    pub max_t: u64,
    /// Refuse runs of more elements.
    #[arg(long, default_value_t = BUDGET, value_name = "ELEMENTS")]
    pub budget: u64,
    /// Refuse models that may need more operations (`opml inspect` bounds them).
    #[arg(long, default_value_t = OPERATIONS, value_name = "OPERATIONS")]
    pub max_operations: u64,
    /// The text to go on with.
    #[arg(help_heading = TEXT, long, value_name = "TEXT", requires = "tokenizer", conflicts_with_all = ["inputs", "max_t"])]
    pub prompt: Option<String>,
    /// The GGUF file or folder that the model was made of: its tokenizer is used.
    #[arg(help_heading = TEXT, long, value_name = "MODEL", requires = "prompt")]
    pub tokenizer: Option<PathBuf>,
    /// Most new tokens.
    #[arg(help_heading = TEXT, short = 'n', long, default_value_t = 64, value_name = "TOKENS", requires = "prompt")]
    pub tokens: u64,
    /// Temperature of drawing; 0 always takes the most likely token.
    #[arg(help_heading = TEXT, long, default_value_t = 0.0, requires = "prompt")]
    pub temperature: f64,
    /// Draw from so many of the most likely tokens; 0: from all.
    #[arg(help_heading = TEXT, long, default_value_t = 40, value_name = "TOKENS", requires = "prompt")]
    pub top_k: u32,
    /// Seed of drawing.
    #[arg(help_heading = TEXT, long, default_value_t = 1, value_name = "SEED", requires = "prompt")]
    pub draw_seed: i64,
}

impl Task {
    /// The model's name in messages.
    #[must_use]
    pub fn place(&self) -> String {
        self.model.display().to_string()
    }

    /// How a program chooses tokens.
    ///
    /// # Errors
    /// It cannot do so.
    pub fn sampling(&self, program: &Program, layout: &Layout) -> Result<Sampling, String> {
        crate::text::sampling(program, layout, (self.temperature, self.top_k, self.draw_seed))
    }
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
    /// The ONNX or GGUF file, or a folder with a language model: config.json, tokenizer.json and .safetensors files.
    pub onnx: PathBuf,
    /// Where the model goes.
    #[arg(short, long, required_unless_present = "check")]
    pub output: Option<PathBuf>,
    /// List every node that cannot be imported and make nothing; exit code 1 if there is one.
    #[arg(long, conflicts_with_all = ["output", "calibration"])]
    pub check: bool,
    /// An input that is known now and becomes part of the model.
    #[arg(long, value_name = "NAME=FILE.npy", value_parser = constant)]
    pub constant: Vec<(String, PathBuf)>,
    /// Samples to calibrate activations on: an .npy file whose first axis counts them, or a folder of .npy, .png and .jpg files, each of
    /// them one. Repeated with `NAME=` in front if the model has several inputs. Not needed for quantised models.
    #[arg(long, value_name = "[NAME=]PATH", value_parser = named)]
    pub calibration: Vec<(Option<String>, PathBuf)>,
    /// How an input of floats is stored: u8, i8, i16 or i32, what a unit is (1/255; from the calibration samples if left out), and
    /// which number means 0.
    #[arg(long, value_name = "NAME=TYPE[:SCALE[:ZERO]]", value_parser = stored)]
    pub encoding: Vec<(String, Stored)>,
    /// Shape of an input, where the file leaves extents open.
    #[arg(long, value_name = "NAME=1x3x48x192", value_parser = shape)]
    pub shape: Vec<(String, Vec<usize>)>,
    /// The output to compute, if the file has several.
    #[arg(long, value_name = "NAME")]
    pub output_name: Option<String>,
    /// Bits of activations.
    #[arg(long, value_enum, default_value_t = Precision::Bits8)]
    pub precision: Precision,
    /// Bits of weights.
    #[arg(long, value_enum, default_value_t = Bits::Bits8)]
    pub weights: Bits,
    /// The float input is this many times the integer input (a fraction such as 1/255).
    #[arg(long, default_value = "1/255", value_parser = fraction)]
    pub input_scale: f64,
    /// Integer input that stands for 0.
    #[arg(long, default_value_t = 0)]
    pub input_zero_point: i64,
    /// GGUF: most positions of a text, prompt included.
    #[arg(long, default_value_t = CONTEXT, value_name = "TOKENS")]
    pub context: usize,
    /// GGUF: a program that always takes the most likely token and cannot draw others.
    #[arg(long)]
    pub greedy: bool,
    /// GGUF: a text to calibrate on, instead of one that is built in.
    #[arg(long, value_name = "FILE.txt")]
    pub calibration_text: Option<PathBuf>,
}

/// Positions of a language model's program unless told otherwise.
const CONTEXT: usize = 1024;

/// A language model as a program, and its vocabulary.
#[derive(Debug, Args)]
pub struct Speaker {
    /// The program, as written by `opml import`.
    pub model: PathBuf,
    /// The GGUF file or folder that it was made of: its tokenizer is used.
    #[arg(long, value_name = "MODEL")]
    pub tokenizer: PathBuf,
    /// Most new tokens.
    #[arg(short = 'n', long, default_value_t = 128)]
    pub tokens: u64,
    /// Temperature of drawing; 0 always takes the most likely token.
    #[arg(long, default_value_t = 0.0)]
    pub temperature: f64,
    /// Draw from so many of the most likely tokens; 0: from all.
    #[arg(long, default_value_t = 40)]
    pub top_k: u32,
    /// Seed of drawing.
    #[arg(long, default_value_t = 1)]
    pub seed: i64,
}

/// See [`Command::Generate`].
#[derive(Debug, Args)]
pub struct Generate {
    /// Model and choice of tokens.
    #[command(flatten)]
    pub speaker: Speaker,
    /// The text to go on with.
    #[arg(short, long)]
    pub prompt: String,
}

/// See [`Command::Trial`].
#[derive(Debug, Args)]
pub struct Trial {
    /// Model and choice of tokens.
    #[command(flatten)]
    pub speaker: Speaker,
    /// The text to go on with.
    #[arg(short, long)]
    pub prompt: String,
    /// What is wrong: `weight`, `probability`, `logit`, `token` or `stop`, each alone or with `:K` for the K-th new token from 0;
    /// or as for `opml dispute`; `none` is an honest claim under a false challenge.
    #[arg(long, default_value = "token")]
    pub fault: Charged,
    /// Seed of places that the fault leaves open.
    #[arg(long = "fault-seed", default_value_t = 1, value_name = "SEED")]
    pub seed_of_fault: u64,
    /// Children a move reveals: 2, 4, 8, 16, 32 or 64.
    #[arg(long, default_value_t = 16, value_parser = arity)]
    pub arity: u64,
    /// Reductions of at most so many terms are proved without a further split.
    #[arg(long, default_value_t = 64, value_parser = at_least_one)]
    pub max_terms: u64,
    /// A proof that costs more gas is cut further, where it can be.
    #[arg(long, default_value_t = STEP_GAS, value_name = "GAS")]
    pub step_gas: u64,
}

/// See [`Command::Chat`].
#[derive(Debug, Args)]
pub struct Chat {
    /// Model and choice of tokens.
    #[command(flatten)]
    pub speaker: Speaker,
    /// What the model is told first.
    #[arg(long)]
    pub system: Option<String>,
}

/// How an input is stored, as far as it is told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stored {
    /// The type.
    pub dtype: DType,
    /// What a unit is.
    pub scale: Option<f64>,
    /// The number that means 0.
    pub zero_point: i64,
}

/// Bits of activations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Precision {
    /// 8, and 16 where a curve needs them.
    #[value(name = "8")]
    Bits8,
    /// 16.
    #[value(name = "16")]
    Bits16,
    /// 16; matrix products read 8, with scales that the program computes for each row: for transformers.
    Dynamic,
    /// 8, and 16 for the values where 8 change the output most, until its error is a thousandth of its power. In models with layer
    /// norms, matrix products then read these as `dynamic` does, if the error stays below a hundredth.
    Auto,
}

/// Bits of weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Bits {
    /// 8.
    #[value(name = "8")]
    Bits8,
    /// 16.
    #[value(name = "16")]
    Bits16,
}

/// See [`Command::Inspect`].
#[derive(Debug, Args)]
pub struct Inspect {
    /// The model.
    pub model: PathBuf,
    /// Iterations to bound the costs for.
    #[arg(long, default_value_t = 1, value_name = "T", value_parser = at_least_one)]
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
    /// Run all samples of the batch; -o then writes one row for each.
    #[arg(long, conflicts_with_all = ["index", "reference"])]
    pub all: bool,
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
    #[arg(long, value_parser = step, value_name = "I:E")]
    pub step: (u64, u32, u64),
    /// Only the partial over terms `K0:K1` of its reduction.
    #[arg(long, value_parser = terms, value_name = "K0:K1")]
    pub terms: Option<(u64, u64)>,
    /// Plant a lie first, and prove the step of the lying trace: as in `opml dispute`.
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
    /// Also check that it is about this model.
    #[arg(long)]
    pub model: Option<PathBuf>,
}

/// See [`Command::Dispute`].
#[derive(Debug, Args)]
pub struct Dispute {
    /// Model and input.
    #[command(flatten)]
    pub task: Task,
    /// Where the submitter lies: `random`, `at:I:E` or `at:T:I:E` (iteration T, instruction I, element E); with
    /// `consistent`, `from:I:E` or `from:T:I:E` all that follows is computed from the lie; `none` is an honest claim
    /// under a false challenge.
    #[arg(long, default_value = "random")]
    pub fault: Planted,
    /// Children a move reveals: 2, 4, 8, 16, 32 or 64.
    #[arg(long, default_value_t = 16, value_parser = arity)]
    pub arity: u64,
    /// Seed of a random lie.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Reductions of at most so many terms are proved without a further split.
    #[arg(long, default_value_t = 64, value_parser = at_least_one)]
    pub max_terms: u64,
    /// A proof that costs more gas is cut further, where it can be.
    #[arg(long, default_value_t = STEP_GAS, value_name = "GAS")]
    pub step_gas: u64,
    /// Most MiB of values that a player keeps of its run; a larger one of several iterations is kept as checkpoints.
    #[arg(long, default_value_t = TRACE_MEMORY, value_name = "MIB")]
    pub trace_memory: u64,
    /// The claim posts its trace root, and the challenger proves the fault in one transaction.
    #[arg(long)]
    pub posted: bool,
}

/// See [`Command::Eval`].
#[derive(Debug, Args)]
pub struct Eval {
    /// The ONNX file, or with --perplexity the GGUF file.
    #[arg(required_unless_present = "fixtures", required_unless_present = "perplexity")]
    pub onnx: Option<PathBuf>,
    /// How well a language model foresees a text, as integers and as floats; exit code 1 if the integers' perplexity is more than
    /// 1.01 times the floats' or fewer than 95 % of their choices agree.
    #[arg(long, value_name = "FILE.txt", requires = "onnx", conflicts_with_all = ["images", "labels", "fixtures"])]
    pub perplexity: Option<PathBuf>,
    /// Tokens of the text that are foreseen.
    #[arg(long, default_value_t = 4096, requires = "perplexity")]
    pub tokens: usize,
    /// Tokens that are run at once; each such part begins anew.
    #[arg(long, default_value_t = 512, requires = "perplexity")]
    pub context: usize,
    /// Samples to calibrate on (.npy).
    #[arg(long)]
    pub calibration: Option<PathBuf>,
    /// Samples to decide (.npy).
    #[arg(long, requires = "onnx", requires = "labels")]
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

/// The lie of a dispute, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Planted(pub Option<Fault>);

impl FromStr for Planted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self(None));
        }
        text.parse().map(|fault| Self(Some(fault))).map_err(|bad: BadFault| format!("{bad}; or `none`"))
    }
}

/// What a trial is about; none: an honest claim.
#[derive(Debug, Clone, Copy)]
pub struct Charged(pub Option<Charge>);

impl FromStr for Charged {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self(None));
        }
        text.parse().map(|charge| Self(Some(charge))).map_err(|bad: BadCharge| format!("{bad}; or `none`"))
    }
}

fn at_least_one(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(0) => Err("must be at least 1".to_owned()),
        Ok(number) => Ok(number),
        Err(_) => Err("is not a number".to_owned()),
    }
}

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

/// `PATH` or `NAME=PATH`.
fn named(text: &str) -> Result<(Option<String>, PathBuf), String> {
    Ok(match text.split_once('=') {
        Some((name, path)) => (Some(name.to_owned()), PathBuf::from(path)),
        None => (None, PathBuf::from(text)),
    })
}

fn value_of(text: &str) -> Result<(String, &str), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => Ok((name.to_owned(), value)),
        _ => Err("must be NAME=…".to_owned()),
    }
}

fn shape(text: &str) -> Result<(String, Vec<usize>), String> {
    let (name, extents) = value_of(text)?;
    let extent = |word: &str| word.parse().ok().filter(|&n: &usize| n > 0);
    let extents = extents.split('x').map(extent).collect::<Option<_>>();
    extents.map(|extents| (name, extents)).ok_or_else(|| "extents must be like 1x3x48x192".to_owned())
}

fn constant(text: &str) -> Result<(String, PathBuf), String> {
    value_of(text).map(|(name, file)| (name, file.into()))
}

fn stored(text: &str) -> Result<(String, Stored), String> {
    let (name, value) = value_of(text)?;
    let mut words = value.split(':');
    let kind = words.next().unwrap_or_default();
    let types = [DType::U8, DType::I8, DType::I16, DType::I32];
    let dtype = types.into_iter().find(|dtype| dtype.name() == kind);
    let dtype = dtype.ok_or_else(|| format!("`{kind}` is not u8, i8, i16 or i32"))?;
    let scale = words.next().map(fraction).transpose()?;
    let zero_point = words.next().map(|word| word.parse().map_err(|_| format!("`{word}` is not a number")));
    let zero_point = zero_point.transpose()?.unwrap_or(0);
    if words.next().is_some() {
        return Err("must be NAME=TYPE[:SCALE[:ZERO]]".to_owned());
    }
    Ok((name, Stored { dtype, scale, zero_point }))
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

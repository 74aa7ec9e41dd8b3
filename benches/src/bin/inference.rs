//! Times the inference of a model on the engine: the plain run, the run with what a lazy claim posts, the run with its trace root.
//!
//!     inference MODEL.opml INPUT.npy ... [--threads N] [--seconds S] [--batch B]
//!
//! With `--batch` one run answers the first B samples of the inputs. Prints the least milliseconds of each as one JSON object, and of
//! the run with a hash of each output, with the bytes of the trace, the permutations of Keccak that commit to them and the least
//! milliseconds that these alone take.
#![allow(clippy::print_stdout, reason = "a command line program")]

use std::{
    hint::black_box,
    mem,
    path::PathBuf,
    time::{Duration, Instant},
};

use alloy_primitives::{B256, Uint};
use alloy_sol_types::SolCall as _;
use anyhow::{Context, Result, ensure};
use clap::Parser;
use opml_contracts::abi::{
    BatchDispute::{self, Entry},
    Dispute,
};
use opml_ops::{
    commit::Hasher,
    engine::{Engine, Output},
};
use opml_prover::{files, input, memory};
use opml_vm::{
    Hash, Tensor,
    interpreter::{Run, Stop},
    merkle,
};

#[derive(Debug, Parser)]
struct Arguments {
    /// The model, as written by `opml import`.
    model: PathBuf,
    /// Its inputs.
    inputs: Vec<PathBuf>,
    /// Threads.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Seconds to spend on each measurement.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// Samples of one run.
    #[arg(long, default_value_t = 1)]
    batch: usize,
    /// Print the instructions that take longest instead.
    #[arg(long)]
    profile: bool,
}

fn main() -> Result<()> {
    memory::keep_freed();
    let arguments = Arguments::parse();
    let program = files::read_model(&arguments.model)?;
    let columns = program
        .inputs()
        .iter()
        .zip(&arguments.inputs)
        .map(|(&header, path)| Ok(input::read_all(path, header)?))
        .collect::<Result<Vec<Vec<Tensor>>>>()?;
    let count = columns.iter().map(Vec::len).min().context("the model has no inputs")?;
    ensure!(count >= arguments.batch, "the inputs have {count} samples, a batch needs {}", arguments.batch);
    let sample = |number: usize| columns.iter().map(|column| column[number].clone()).collect::<Vec<_>>();
    let batch: Vec<Vec<Tensor>> = (0..arguments.batch).map(sample).collect();
    let engine = Engine::compile(&program);
    let span = Duration::from_secs_f64(arguments.seconds);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(arguments.threads).build()?;
    pool.install(|| {
        if arguments.profile {
            return profile(&engine, &batch[0], span);
        }
        let stop = Stop::Exactly(1);
        let run = least(span, || engine.run_outputs(&batch, stop, u64::MAX).map(drop))?;
        let hasher = Hasher::current();
        let lazy = least(span, || {
            black_box(posted(engine.run_outputs(&batch, stop, u64::MAX)?, hasher));
            Ok(())
        })?;
        let digest = least(span, || {
            black_box(digests(&engine.run_outputs(&batch, stop, u64::MAX)?, hasher));
            Ok(())
        })?;
        let commit = least(span, || {
            black_box(hasher.run_roots(&engine, &batch, stop, u64::MAX)?);
            Ok(())
        })?;
        let runs = engine.run_batch(&batch, stop, u64::MAX)?;
        let hashed: usize = runs.iter().flat_map(|run| &run.values).map(|value| value.bytes().len()).sum();
        let permutations: usize = runs.iter().map(permutations).sum();
        let bytes = vec![7; MEASURED * merkle::LEAF_BYTES];
        let leaves: Vec<&[u8; merkle::LEAF_BYTES]> = bytes.as_chunks().0.iter().collect();
        let measured = least(span / 4, || {
            black_box(hasher.leaves(&leaves));
            Ok(())
        })?;
        let floor = measured * f64::from(u32::try_from(permutations)?) / f64::from(u32::try_from(2 * MEASURED)?);
        println!(
            "{{\"run_ms\": {run}, \"lazy_ms\": {lazy}, \"digest_ms\": {digest}, \"commit_ms\": {commit}, \
             \"hashed_bytes\": {hashed}, \"permutations\": {permutations}, \"hash_floor_ms\": {floor}}}"
        );
        Ok(())
    })
}

/// The call data of a lazy claim, which has the output as it is, or of a batch of them, which has a hash of each output.
fn posted(mut outputs: Vec<Output>, hasher: Hasher) -> Vec<u8> {
    if let [output] = outputs.as_mut_slice() {
        let bytes = mem::replace(&mut output.tensor, Tensor::empty()).into_bytes();
        return Dispute::claimCall { taskId: TASK, T: output.length, nonce: 0, output: bytes.into() }.abi_encode();
    }
    let leaf = |(output, hash): (&Output, Hash)| Entry { taskId: TASK, T: output.length, outputHash: hash.into() };
    let entries = outputs.iter().zip(digests(&outputs, hasher)).map(leaf).collect();
    BatchDispute::claimBatchCall { tier_: 0, nonce: Uint::ZERO, entries }.abi_encode()
}

/// Hashes of outputs: with them claims are named and leaves of batches made.
fn digests(outputs: &[Output], hasher: Hasher) -> Vec<Hash> {
    hasher.digests(&outputs.iter().map(|output| output.tensor.bytes()).collect::<Vec<_>>())
}

/// The task that claims are of.
const TASK: B256 = B256::repeat_byte(7);

/// Leaves that are hashed to measure the rate of permutations, two a leaf.
const MEASURED: usize = 1024;

/// Permutations of Keccak that a trace takes: two a leaf, one a header, one a node of a tree.
fn permutations(run: &Run) -> usize {
    let nodes = |leaves: usize| {
        let (mut level, mut nodes) = (leaves, 0);
        while level > 1 {
            level = level.div_ceil(2);
            nodes += level;
        }
        nodes
    };
    let values = run.values.iter().map(|value| value.bytes().len().div_ceil(merkle::LEAF_BYTES));
    let values: usize = values.map(|leaves| 2 * leaves + nodes(leaves) + 1).sum();
    values + nodes(run.values.len())
}

/// Prints for each instruction the least microseconds it takes, the slowest first.
fn profile(engine: &Engine, inputs: &[Tensor], span: Duration) -> Result<()> {
    let program = engine.program();
    let mut least = vec![f64::INFINITY; program.instructions().len()];
    let start = Instant::now();
    while start.elapsed() < span {
        let mut before = Instant::now();
        engine.run_observed(inputs, Stop::Exactly(1), u64::MAX, &mut |_, number| {
            let place = &mut least[usize::try_from(number).unwrap_or(0)];
            *place = place.min(before.elapsed().as_secs_f64() * 1e6);
            before = Instant::now();
        })?;
    }
    let mut order: Vec<usize> = (0..least.len()).collect();
    order.sort_by(|&a, &b| least[b].total_cmp(&least[a]));
    let forms = engine.forms();
    println!("{:>10.1} µs in all", least.iter().sum::<f64>());
    for number in order.into_iter().take(40) {
        let instruction = &program.instructions()[number];
        let (elements, terms) = (instruction.elements(0), instruction.terms(0));
        let (form, ops) = (forms[number], instruction.map.len() + instruction.post.len());
        println!(
            "{:>10.1} µs  {number:4} {form:6} {elements:>8} elements of {terms:>5} terms, {ops} ops",
            least[number]
        );
    }
    Ok(())
}

/// Least milliseconds of a run, three runs at least.
fn least(span: Duration, mut run: impl FnMut() -> Result<(), opml_vm::ModelError>) -> Result<f64> {
    run()?;
    let (start, mut best, mut runs) = (Instant::now(), f64::INFINITY, 0);
    while runs < 3 || start.elapsed() < span {
        let before = Instant::now();
        run()?;
        best = best.min(before.elapsed().as_secs_f64() * 1e3);
        runs += 1;
    }
    Ok(best)
}

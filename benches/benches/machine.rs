//! The honest path: a run on the engine against the reference interpreter, batched Keccak-256 against the `sha3` crate,
//! the commitment against one plain hash over the same bytes, and a run with its whole trace against the run alone.
#![allow(missing_docs, reason = "criterion's macros make the entry points")]
#![allow(clippy::expect_used, reason = "a bench that cannot set up has nothing to measure")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use opml_ops::{commit::Hasher, engine::Engine, tier::Tier};
use opml_prover::{
    fixtures::{Fixture, LENET, MLP},
    import,
    task::Task,
};
use opml_vm::{
    Hash, Trace,
    interpreter::{self, Stop},
    merkle::{self, LEAF_BYTES},
};
use sha3::{Digest, Keccak256};

fn task(fixture: &Fixture) -> Task {
    let imported = import::fixture(fixture).expect("the fixture imports");
    let picture = fixture.picture(0).expect("the fixture has pictures");
    Task {
        program: imported.program,
        inputs: vec![picture],
        max_t: 1,
        budget: u64::MAX,
        guard: opml_prover::model::Guard::default(),
    }
}

fn run(c: &mut Criterion) {
    for fixture in [MLP, LENET] {
        let task = task(&fixture);
        let engine = Engine::compile(&task.program);
        let stop = Stop::Exactly(1);
        let mut group = c.benchmark_group(format!("run {}", fixture.name));
        group.bench_function("engine", |b| b.iter(|| engine.run(black_box(&task.inputs), stop, u64::MAX)));
        group.sample_size(10);
        group.bench_function("reference", |b| {
            b.iter(|| interpreter::run(&task.program, black_box(&task.inputs), stop, u64::MAX));
        });
        group.finish();
    }
}

/// Leaves of a tensor on one thread: the `sha3` crate one by one, then every tier of this CPU.
fn keccak(c: &mut Criterion) {
    let bytes = bytes(1 << 20);
    let leaves: Vec<&[u8; LEAF_BYTES]> = bytes.as_chunks().0.iter().collect();
    let mut group = c.benchmark_group("keccak, 1 MiB of leaves");
    group.throughput(Throughput::Bytes(1 << 20));
    let one = pool(1);
    group.bench_function("sha3", |b| {
        b.iter(|| black_box(&leaves).iter().map(|leaf| -> Hash { Keccak256::digest(leaf).into() }).collect::<Vec<_>>());
    });
    for hasher in Tier::supported().map(Hasher::new) {
        group.bench_function(hasher.tier().name(), |b| one.install(|| b.iter(|| hasher.leaves(black_box(&leaves)))));
    }
    group.finish();
}

/// The tensor tree, against one plain hash over the same bytes and against the reference.
fn commit(c: &mut Criterion) {
    let bytes = bytes(16 << 20);
    let hasher = Hasher::current();
    let mut group = c.benchmark_group("commit, 16 MiB");
    group.throughput(Throughput::Bytes(16 << 20)).sample_size(10);
    group.bench_function("plain keccak", |b| b.iter(|| merkle::keccak(&[black_box(&bytes)])));
    for threads in [1, 2] {
        let pool = pool(threads);
        let name = |what: &str| format!("{what}, {threads} thread(s)");
        group.bench_function(name("reference root"), |b| {
            pool.install(|| b.iter(|| merkle::tensor_root(black_box(&bytes))));
        });
        group.bench_function(name("root"), |b| pool.install(|| b.iter(|| hasher.tensor_root(black_box(&bytes)))));
    }
    group.finish();
}

/// A run alone, and with the commitment to its whole trace.
fn trace(c: &mut Criterion) {
    let hasher = Hasher::current();
    for fixture in [MLP, LENET] {
        let task = task(&fixture);
        let engine = Engine::compile(&task.program);
        let run = || engine.run(black_box(&task.inputs), Stop::Exactly(1), u64::MAX).expect("the fixture runs");
        let mut group = c.benchmark_group(format!("trace {}", fixture.name));
        for threads in [1, 2] {
            let pool = pool(threads);
            let name = |what: &str| format!("{what}, {threads} thread(s)");
            group.bench_function(name("run"), |b| pool.install(|| b.iter(run)));
            group.bench_function(name("run and trace"), |b| {
                let trace = || hasher.run(&engine, black_box(&task.inputs), Stop::Exactly(1), u64::MAX).expect("runs");
                pool.install(|| b.iter(trace));
            });
            group.bench_function(name("run and reference trace"), |b| {
                pool.install(|| b.iter(|| Trace::new(&task.program, run())));
            });
        }
        group.finish();
    }
}

fn bytes(length: u32) -> Vec<u8> {
    (0..length).map(|i| i.wrapping_mul(0x9e37_79b9).to_be_bytes()[0]).collect()
}

fn pool(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads start")
}

criterion_group!(benches, run, keccak, commit, trace);
criterion_main!(benches);

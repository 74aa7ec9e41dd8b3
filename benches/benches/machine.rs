//! The honest path: a run on the engine against the reference interpreter, and the commitment against one plain hash
//! over the same bytes.
#![allow(missing_docs, reason = "criterion's macros make the entry points")]
#![allow(clippy::expect_used, reason = "a bench that cannot set up has nothing to measure")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use opml_ops::engine::Engine;
use opml_prover::{
    fixtures::{Fixture, LENET, MLP},
    import,
    task::Task,
};
use opml_vm::{
    Trace,
    interpreter::{self, Stop},
    merkle,
};

fn task(fixture: &Fixture) -> Task {
    let imported = import::fixture(fixture).expect("the fixture imports");
    let picture = fixture.picture(0).expect("the fixture has pictures");
    Task { program: imported.program, inputs: vec![picture], max_t: 1, budget: u64::MAX }
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

fn commit(c: &mut Criterion) {
    let task = task(&LENET);
    let run = task.run().expect("the fixture runs");
    let mut group = c.benchmark_group("commit");
    group.bench_function("trace lenet-fashion", |b| b.iter(|| Trace::new(&task.program, black_box(run.clone()))));
    let bytes: Vec<u8> = (0..1u32 << 20).map(|i| i.to_le_bytes()[0]).collect();
    group.throughput(Throughput::Bytes(1 << 20));
    group.bench_function("tensor root 1 MiB", |b| b.iter(|| merkle::tensor_root(black_box(&bytes))));
    group.bench_function("plain keccak 1 MiB", |b| b.iter(|| merkle::keccak(&[black_box(&bytes)])));
    group.finish();
}

criterion_group!(benches, run, commit);
criterion_main!(benches);

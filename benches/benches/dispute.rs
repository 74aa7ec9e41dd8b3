//! A whole dispute: both players, their traces, and every transaction on the in-process chain.
#![allow(missing_docs, reason = "criterion's macros make the entry points")]
#![allow(clippy::expect_used, reason = "a bench that cannot set up has nothing to measure")]

use criterion::{Criterion, criterion_group, criterion_main};
use opml_prover::{
    dispute::{self, STEP_GAS, Setup},
    fixtures::{LENET, MLP},
    import,
    task::Task,
};

fn disputes(c: &mut Criterion) {
    let mut group = c.benchmark_group("dispute");
    group.sample_size(10);
    for fixture in [MLP, LENET] {
        let imported = import::fixture(&fixture).expect("the fixture imports");
        let picture = fixture.picture(0).expect("the fixture has pictures");
        let task = Task {
            program: imported.program,
            inputs: vec![picture],
            max_t: 1,
            budget: u64::MAX,
            guard: opml_prover::model::Guard::default(),
        };
        for arity in [2, 16] {
            let fault = Some("consistent".parse().expect("a fault"));
            let setup = Setup { arity, seed: 1, fault, max_terms: 64, step_gas: STEP_GAS, posted: false };
            group.bench_function(format!("{} arity {arity}", fixture.name), |b| {
                b.iter(|| dispute::play(&task, &setup));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, disputes);
criterion_main!(benches);

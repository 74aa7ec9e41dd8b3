//! Scalar programs: what the lowerings write, at odd sizes, against the interpreter; and how fast they run.

mod programs;

use std::time::{Duration, Instant};

use opml_ops::engine::Engine;
use opml_vm::interpreter::Stop;

use super::engine::compare;

#[test]
fn lowered_programs() {
    for small in [8, 43] {
        for sample in programs::all(small) {
            compare(&sample.program, &sample.inputs, Stop::Exactly(1), sample.name);
        }
    }
}

/// Prints elements a second on one thread: `cargo test --release -p opml-ops --test it lanes::speed -- --ignored
/// --nocapture`; with `OPML_SAMPLE` only the programs whose names contain it.
#[test]
#[ignore = "a measurement"]
fn speed() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let wanted = std::env::var("OPML_SAMPLE").unwrap_or_default();
    for sample in programs::all(1).into_iter().filter(|sample| sample.name.contains(&wanted)) {
        let engine = Engine::compile(&sample.program);
        let best = pool.install(|| {
            let (mut best, begin) = (Duration::MAX, Instant::now());
            while begin.elapsed() < Duration::from_millis(400) {
                let start = Instant::now();
                engine.run(&sample.inputs, Stop::Exactly(1), 1 << 40).unwrap();
                best = best.min(start.elapsed());
            }
            best
        });
        let rate = sample.elements as f64 / best.as_secs_f64() / 1e6;
        println!(
            "{:24} {:>9} elements {:>10.1} us {rate:>9.1} Melem/s",
            sample.name,
            sample.elements,
            best.as_secs_f64() * 1e6
        );
    }
}

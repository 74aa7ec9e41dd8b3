//! Random programs, step by step.

use opml_vm::testing::{Limits, Rng, random_program};
use proptest::{
    prelude::any,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

use crate::support::{Chain, Ran};

/// One tensor of a random program: every element, with slices cut at random and `post`.
fn step_through(chain: &mut Chain, seed: u64) {
    let limits = Limits { elements: 40, work: 4_000, ..Limits::default() };
    let (program, inputs, length) = random_program(seed, &limits);
    let mut rng = Rng::new(seed);
    let t = rng.below(length);
    let i = u32::try_from(rng.below(u64::from(program.counts().instructions))).unwrap();
    let ran = Ran::new(program, inputs, length);
    let openings = ran.openings();
    for e in 0..ran.instruction(i).elements(t) {
        ran.check_all(chain, &openings, t, i, e, &[rng.bits(), rng.bits()]);
    }
}

/// The same 256 programs every time; PROPTEST_CASES asks for more.
#[test]
fn random_programs_step_alike_everywhere() {
    let config = Config { failure_persistence: None, max_shrink_iters: 0, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let chain = std::cell::RefCell::new(Chain::new());
    runner
        .run(&any::<u64>(), |seed| {
            step_through(&mut chain.borrow_mut(), seed);
            Ok(())
        })
        .unwrap();
}

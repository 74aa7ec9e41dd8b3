//! Random programs, step by step.

use opml_vm::testing::{Limits, Rng, random_program};

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
    if std::env::var("SHOW").is_ok() { println!("seed {seed} t {t} i {i} {}", opml_vm::disasm::instruction(&ran.program.instructions()[i as usize])); }
    for e in 0..ran.program.instructions()[i as usize].elements(t) {
        ran.check_all(chain, &openings, t, i, e, &[rng.bits(), rng.bits()]);
    }
}

#[test]
fn random_programs_step_alike_everywhere() {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(256);
    let mut chain = Chain::new();
    for seed in 0..cases {
        step_through(&mut chain, seed);
    }
}

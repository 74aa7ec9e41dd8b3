//! The reusable suite on the pure game.

use crate::worlds;
use opml_bisection::suite::{self, Tally};
use opml_bisection::toy::ToyWorld;

const ARITIES: [u32; 6] = [1, 2, 3, 4, 5, 6];

fn plays(world: &ToyWorld, seeds: u64) -> Tally {
    let seeds: Vec<u64> = (0..seeds).collect();
    suite::run(world, &ARITIES, &seeds).unwrap_or_else(|broke| panic!("{broke}"))
}

#[test]
fn one_value() {
    assert!(plays(&worlds::single(), 20).disputes > 1000);
}

#[test]
fn all_types_and_reductions() {
    let tally = plays(&worlds::mixed(), 20);
    assert!(tally.disputes > 3000 && tally.refused > 1000, "{tally:?}");
}

#[test]
fn halting() {
    plays(&worlds::recurrent(), 12);
}

#[test]
fn deep_trees() {
    plays(&worlds::deep(), 1);
}

#[test]
fn random_worlds() {
    for seed in 0..60 {
        let world = worlds::random(seed);
        suite::run(&world, &[1 + u32::try_from(seed % 6).unwrap()], &[seed, seed + 1])
            .unwrap_or_else(|broke| panic!("world {seed}: {broke}"));
    }
}

//! The reusable suite on the pure game.

use crate::worlds;
use opml_bisection::suite::{self, Scenario, Tally, Twin, World};
use opml_bisection::toy::{Program, Run, ToyWorld};
use opml_bisection::{Answer, Claim, Duty, PureArena, Timing};
use proptest::prelude::*;
use proptest::sample::Index;

const ARITIES: [u32; 6] = [1, 2, 3, 4, 5, 6];

fn plays(world: &ToyWorld, seeds: u64) -> Tally {
    let seeds: Vec<u64> = (0..seeds).collect();
    suite::run(world, &ARITIES, &seeds).unwrap_or_else(|broke| panic!("{broke}"))
}

/// A world whose disputes are played in two arenas, the second of which may be bad.
struct Twins<'a> {
    world: &'a ToyWorld,
    second: Timing,
}

impl World for Twins<'_> {
    type Run = Run;
    type Rules = Program;
    type Arena = Twin<PureArena<Program>, PureArena<Program>>;

    fn rules(&self) -> &Program {
        self.world.rules()
    }

    fn claim(&self) -> Claim {
        self.world.claim()
    }

    fn timing(&self) -> Timing {
        self.world.timing()
    }

    fn run(&self, length: u64) -> Answer<Run> {
        self.world.run(length)
    }

    fn arena(&self, claim: &Claim) -> Answer<Self::Arena> {
        let second = ToyWorld { timing: self.second, ..self.world.clone() };
        Ok(Twin::new(self.world.arena(claim)?, second.arena(claim)?))
    }
}

#[test]
fn twins_that_agree_pass() {
    let world = worlds::mixed();
    suite::run(&Twins { world: &world, second: world.timing }, &[2], &[1, 2]).unwrap();
}

#[test]
fn one_second_between_twins_is_found() {
    let world = worlds::mixed();
    let timing = world.timing;
    let twins = [
        Timing { budget: timing.budget + 1, ..timing },
        Timing { delay: timing.delay - 1, ..timing },
        Timing { trace: timing.trace + 1, ..timing },
        Timing { min_blocks: timing.min_blocks + 1, ..timing },
        Timing { min_blocks: timing.min_blocks - 1, ..timing },
    ];
    for second in twins {
        let broken = suite::run_one(&Twins { world: &world, second }, Scenario::Clocks, 2, 1).unwrap_err();
        assert_eq!(broken.duty, Duty::FairArena, "{second:?}");
    }
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_scenario_in_any_world(world in any::<u64>(), arity_log2 in 1..=6_u32, seed in any::<u64>(), pick in any::<Index>()) {
        let scenario = *pick.get(&Scenario::all());
        let played = suite::run_one(&worlds::random(world), scenario, arity_log2, seed);
        prop_assert!(played.is_ok(), "{scenario:?}: {}", played.unwrap_err());
    }
}

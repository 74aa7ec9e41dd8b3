//! The suite has teeth: it reaches every end, and an arena that breaks a rule is caught.

use crate::worlds;
use opml_bisection::suite::{Scenario, World, run_one};
use opml_bisection::{End, MoveKind};
use std::collections::BTreeMap;

#[test]
fn the_cast_reaches_every_end_and_every_move() {
    let mut ends = BTreeMap::new();
    let mut moves = BTreeMap::new();
    for world in [worlds::mixed(), worlds::recurrent()] {
        for seed in 0..12 {
            for scenario in Scenario::all() {
                let Some(played) = run_one(&world, scenario, 2, seed).unwrap() else { continue };
                *ends.entry(format!("{:?}", played.outcome.end)).or_insert(0) += 1;
                for kind in played.moves {
                    *moves.entry(kind).or_insert(0) += 1;
                }
            }
        }
    }
    use MoveKind::{ProveElement, ProveHalt, ProveHeader, ProvePost, ProveSlice};
    for proof in [ProveHeader, ProveHalt, ProveElement, ProveSlice, ProvePost] {
        assert!(ends.contains_key(&format!("{:?}", End::Proof(proof))), "{ends:?}");
    }
    assert!(ends.contains_key("Timeout") && ends.contains_key("NoTrace"), "{ends:?}");
    assert_eq!(moves.len(), 13, "{moves:?}");
}

#[test]
fn every_scenario_finds_a_world() {
    let worlds = [worlds::mixed(), worlds::recurrent()];
    for scenario in Scenario::all() {
        let played = worlds.iter().any(|w| (0..4).any(|seed| run_one(w, scenario, 3, seed).unwrap().is_some()));
        let defended = matches!(scenario, Scenario::Direct(_));
        assert!(played || defended, "{scenario:?} was never played");
    }
    assert!(worlds[1].claim().halt_at.is_some());
}

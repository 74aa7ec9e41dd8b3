//! Every lie in a small trace, defended with every sequence of partials: the honest challenger always wins.

use crate::table::{Table, honest};
use crate::worlds::instruction;
use opml_bisection::players::Corrupted;
use opml_bisection::suite::{Lie, World};
use opml_bisection::toy::{Run, ToyWorld};
use opml_bisection::{End, Move, Party, Policy, Position, Rules, Trace, direct_proof, honest_challenger, split};
use std::collections::BTreeMap;

struct Search<'a> {
    own: &'a Run,
    policy: Policy,
    ends: BTreeMap<String, u64>,
}

impl Search<'_> {
    /// All that the submitter can do from here; giving up always loses, so only its other choices are followed.
    fn explore(&mut self, table: &Table<'_>) {
        if let Some(outcome) = table.game.outcome() {
            assert_eq!(outcome.winner, Party::Challenger);
            assert!(matches!(outcome.end, End::Proof(_)));
            *self.ends.entry(format!("{:?}", outcome.end)).or_default() += 1;
            return;
        }
        if table.game.turn() == Party::Challenger {
            let at = table.at();
            let mv =
                honest_challenger(&self.policy, &table.claim, &at, &table.revealed, self.own, &table.world.program);
            let mut next = table.clone();
            let mv = mv.unwrap().unwrap_or_else(|| panic!("nothing to do at {at:?}"));
            next.play(&mv).unwrap_or_else(|why| panic!("{:?} at {at:?}: {why}", mv.kind()));
            return self.explore(&next);
        }
        let mut moved = false;
        for mv in choices(table) {
            let mut next = table.clone();
            if next.play(&mv).is_ok() {
                moved = true;
                self.explore(&next);
            }
        }
        if !moved {
            *self.ends.entry("Stuck".into()).or_default() += 1;
        }
    }
}

/// The submitter's move from its trace; for partials all that are near the right ones.
fn choices(table: &Table<'_>) -> Vec<Move> {
    let (Some(Position::Element(cell, slice)) | Some(Position::Slice(cell, slice))) = table.game.position() else {
        return vec![table.answer()];
    };
    let Move::RevealPartials { partials } = table.answer() else { panic!("no partials") };
    let total = table.world.program.combine(cell.reducer, &partials).unwrap();
    let steps = [-1, 0, 1, slice.value - total, slice.value - partials[0]];
    let mut all: Vec<Vec<i128>> = vec![Vec::new()];
    for (at, right) in partials.iter().enumerate() {
        // Beyond the third part only the right value, so that the number of choices stays small.
        let values = if at < 3 { steps.map(|by| right + by).to_vec() } else { vec![*right] };
        all = all.iter().flat_map(|head| values.iter().map(|v| [head.clone(), vec![*v]].concat())).collect();
    }
    all.sort();
    all.dedup();
    all.into_iter().map(|partials| Move::RevealPartials { partials }).collect()
}

fn world() -> ToyWorld {
    ToyWorld::once(
        &[
            instruction(3, 4, 0, 2, 3),
            instruction(4, 4, 3, 1, 5),
            instruction(5, 1, 1, 3, 4),
            instruction(6, 2, 2, 2, 2),
        ],
        3,
    )
}

/// Plays a lying trace out, and proves it wrong at once too.
fn refute(search: &mut Search<'_>, world: &ToyWorld, arity_log2: u32, length: u64, lie: &dyn Trace) {
    let table = Table::new(world, arity_log2, length, lie);
    search.explore(&table);
    let policy = Policy { max_terms: u64::MAX };
    let proof = direct_proof(&policy, &table.claim, lie, search.own, &world.program).unwrap().unwrap();
    let mut table = table.follow(&[]);
    table.play(&proof).unwrap();
    assert_eq!(table.game.outcome().unwrap().winner, Party::Challenger);
}

#[test]
fn every_single_lie_falls() {
    let world = world();
    let own = honest(&world);
    for arity_log2 in 1..=3 {
        for max_terms in [1, 2, 64] {
            let mut search = Search { own: &own, policy: Policy { max_terms }, ends: BTreeMap::new() };
            for leaf in 0..4 {
                for at in 0..own.bytes(leaf).unwrap().len() {
                    let lie = Corrupted::new(&own, &world.program).flip(leaf, at, 1).unwrap();
                    refute(&mut search, &world, arity_log2, 1, &lie);
                }
                for e in 0..own.header(leaf).unwrap().elements {
                    for value in [-3, 0, 1, 100] {
                        let lie = world.tampered(1, &Lie { leaf, e, value }).unwrap().unwrap();
                        if own.element(leaf, e).unwrap() != value {
                            refute(&mut search, &world, arity_log2, 1, &lie);
                        }
                    }
                }
            }
            if max_terms == 1 {
                assert!(search.ends.contains_key("Proof(ProveSlice)"), "{:?}", search.ends);
                assert!(search.ends.contains_key("Proof(ProvePost)"), "{:?}", search.ends);
            } else {
                assert!(search.ends.contains_key("Proof(ProveElement)"), "{:?}", search.ends);
            }
        }
    }
}

#[test]
fn every_header_lie_falls() {
    let world = world();
    let own = honest(&world);
    for arity_log2 in [1, 6] {
        let mut search = Search { own: &own, policy: Policy::default(), ends: BTreeMap::new() };
        for leaf in 0..4 {
            let right = own.header(leaf).unwrap();
            for dtype in 0..5 {
                for elements in [0, 1, 2, 3, 4, 300] {
                    let header = opml_bisection::Header { dtype, elements };
                    if header != right {
                        let lie = Corrupted::new(&own, &world.program).value(leaf, header, own.bytes(leaf).unwrap());
                        refute(&mut search, &world, arity_log2, 1, &lie);
                    }
                }
            }
        }
        assert_eq!(search.ends.keys().collect::<Vec<_>>(), ["Proof(ProveHeader)"]);
    }
}

#[test]
fn junk_at_every_node_leaves_the_submitter_stuck() {
    let world = world();
    let own = honest(&world);
    for (height, width) in [(2, 1), (1, 2), (0, 4)] {
        for index in 0..width {
            let lie = Corrupted::new(&own, &world.program).junk(height, index, [7; 32]);
            let mut search = Search { own: &own, policy: Policy::default(), ends: BTreeMap::new() };
            search.explore(&Table::new(&world, 1, 1, &lie));
            assert_eq!(search.ends.keys().collect::<Vec<_>>(), ["Stuck"]);
        }
    }
}

#[test]
fn a_run_that_went_on_after_its_halt_falls() {
    let world = ToyWorld::halting(&[instruction(7, 1, 0, 2, 4), instruction(8, 4, 1, 1, 0)], 0, 2, 5);
    for arity_log2 in 1..=6 {
        for length in 3..=5 {
            let own = world.run(length).unwrap();
            let mut search = Search { own: &own, policy: Policy::default(), ends: BTreeMap::new() };
            refute(&mut search, &world, arity_log2, length, &own);
            assert_eq!(search.ends.keys().collect::<Vec<_>>(), ["Proof(ProveHalt)"]);
        }
    }
}

#[test]
fn parts_of_parts_reach_single_terms_in_the_promised_rounds() {
    for arity in [2, 4, 8, 16, 32, 64] {
        for n in 1..300 {
            assert_eq!(deepest(arity, 0, n), split::rounds(arity, n), "arity {arity}, {n} terms");
        }
    }
}

fn deepest(arity: u64, k0: u64, k1: u64) -> u32 {
    if k1 - k0 < 2 {
        return 0;
    }
    let parts = (0..).map_while(|j| split::part(arity, k0, k1, j));
    1 + parts.map(|(from, to)| deepest(arity, from, to)).max().unwrap()
}

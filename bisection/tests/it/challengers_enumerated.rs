//! Every sequence of challenger's moves against an honest submitter: none wins.

use crate::table::{Table, honest};
use crate::worlds::{self, instruction};
use opml_bisection::players::{Dice, ideas, mangle};
use opml_bisection::suite::World;
use opml_bisection::toy::ToyWorld;
use opml_bisection::{Fields, Moment, Move, Party, Position};
use std::collections::BTreeSet;

struct Search {
    seen: BTreeSet<String>,
    refused: u64,
    dead_ends: u64,
    dice: Dice,
}

impl Search {
    /// All moves from here, and the honest answers to those that are accepted.
    fn explore(&mut self, table: &Table<'_>) {
        if !self.seen.insert(format!("{:?}", table.game.position())) {
            return;
        }
        let mv = (table.game.turn() == Party::Submitter).then(|| table.answer());
        if let Some(mv) = mv {
            self.garbage(table, &mv);
            self.child(table, &mv);
            return;
        }
        let at = table.at();
        let mut legal = 0;
        for idea in ideas(&table.claim, &at, table.theirs, &table.world.program).unwrap() {
            let Some(mv) = table.idea(idea) else { continue };
            self.garbage(table, &mv);
            legal += u64::from(self.child(table, &mv));
        }
        self.dead_ends += u64::from(legal == 0);
        assert!(legal > 0 || !matches!(at, Position::TraceOpen(_) | Position::TensorOpen(..)), "{at:?}");
    }

    fn child(&mut self, table: &Table<'_>, mv: &Move) -> bool {
        let mut next = table.clone();
        match next.play(mv) {
            Ok(()) => {
                both_ways(table, mv);
                assert_eq!(next.game.outcome(), None, "{:?} ended a right claim's dispute", mv.kind());
                self.explore(&next);
                true
            }
            Err(why) => {
                assert_eq!(table.game.turn(), Party::Challenger, "honest answer refused: {why} {:?}", table.at());
                self.refused += 1;
                false
            }
        }
    }

    /// Faulty versions of a move may be refused or harmless, but never end the dispute.
    fn garbage(&mut self, table: &Table<'_>, mv: &Move) {
        for _ in 0..3 {
            let mut next = table.clone();
            let bad = mangle(mv, &mut self.dice);
            let _ = next.play(&bad);
            assert_eq!(next.game.outcome(), None, "garbage won: {bad:?}");
        }
    }
}

/// At every edge of the clock either the move is legal or the timeout.
fn both_ways(table: &Table<'_>, mv: &Move) {
    let timing = table.world.timing;
    let (start, last) = match table.game.clock() {
        None => (Moment { block: table.now.block - 1, ..table.now }, timing.trace + timing.delay),
        Some(clock) => (clock.turn_start, clock.budget(table.game.turn()) + timing.delay),
    };
    let edges =
        [(0, 0), (last, 1000), (last + 1, timing.min_blocks - 1), (last + 1, timing.min_blocks), (last * 2, 1000)];
    for (seconds, blocks) in edges {
        let now = Moment { time: start.time + seconds, block: start.block + blocks };
        let moved = table.game.clone().apply(table.game.turn(), mv, now, &table.world.program).is_ok();
        let timed_out = table.game.clone().claim_timeout(now).is_ok();
        assert!(moved != timed_out, "{seconds} s, {blocks} blocks: move {moved}, timeout {timed_out}");
        assert_eq!(timed_out, seconds > last && blocks >= timing.min_blocks);
    }
}

fn search(world: &ToyWorld, arity_log2: u32) -> Search {
    let run = honest(world);
    let mut search = Search { seen: BTreeSet::new(), refused: 0, dead_ends: 0, dice: Dice::new(1) };
    search.explore(&Table::new(world, arity_log2, world.length, &run));
    search
}

#[test]
fn no_sequence_beats_an_honest_submitter() {
    let small = ToyWorld::once(
        &[
            instruction(3, 4, 0, 2, 3),
            instruction(4, 2, 3, 3, 5),
            instruction(5, 0, 1, 0, 2),
            instruction(6, 4, 2, 34, 2),
        ],
        3,
    );
    let halting = ToyWorld::halting(&[instruction(7, 1, 0, 2, 4), instruction(8, 4, 1, 1, 0)], 0, 2, 3);
    for world in [&worlds::single(), &small, &halting] {
        for arity_log2 in 1..=6 {
            let found = search(world, arity_log2);
            assert!(found.refused > 20 && found.dead_ends > 0 && found.seen.len() > 10);
        }
    }
}

#[test]
fn positions_survive_the_flat_record() {
    let world = worlds::single();
    let run = world.run(1).unwrap();
    let mut table = Table::new(&world, 1, 1, &run);
    let opening = table.answer();
    table.play(&opening).unwrap();
    let at = table.at();
    assert_eq!(Fields::from(at).position(), Some(at));
}

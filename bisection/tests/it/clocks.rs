//! Clock arithmetic at its edges.

use crate::table::{START, Table, honest};
use crate::worlds;
use opml_bisection::players::Idea;
use opml_bisection::{Clock, End, Game, Moment, Party, Refused, Timing, TraceStage};
use proptest::prelude::*;

const TIMING: Timing = Timing { budget: 100, delay: 10, trace: 50, min_blocks: 4 };

fn at(time: u64, block: u64) -> Moment {
    Moment { time, block }
}

#[test]
fn the_delay_is_free_and_the_rest_is_charged() {
    let mut clock = Clock::new(&TIMING, at(1000, 1));
    clock.press(&TIMING, Party::Challenger, at(1010, 2));
    assert_eq!((clock.challenger, clock.turn_start), (100, at(1010, 2)));
    clock.press(&TIMING, Party::Submitter, at(1035, 3));
    assert_eq!((clock.submitter, clock.challenger), (85, 100));
}

#[test]
fn the_last_second_is_in_time() {
    let clock = Clock::new(&TIMING, at(1000, 1));
    assert!(!clock.late(&TIMING, Party::Submitter, at(1110, 99)));
    assert!(clock.late(&TIMING, Party::Submitter, at(1111, 5)));
    assert!(!clock.late(&TIMING, Party::Submitter, at(1111, 4)), "a jump of the clock without blocks");
}

#[test]
fn a_turn_that_starts_in_the_future_costs_nothing() {
    let mut clock = Clock::new(&TIMING, at(2000, 1));
    assert!(!clock.late(&TIMING, Party::Challenger, at(1500, 99)));
    clock.press(&TIMING, Party::Challenger, at(1500, 99));
    assert_eq!(clock.challenger, 100);
}

#[test]
fn a_charge_beyond_the_budget_takes_all_of_it_and_no_more() {
    let mut clock = Clock::new(&TIMING, at(1000, 1));
    clock.press(&TIMING, Party::Submitter, at(9000, 2));
    assert_eq!(clock.submitter, 0);
    assert!(!clock.late(&TIMING, Party::Submitter, at(9010, 99)), "the delay is left on every turn");
    assert!(clock.late(&TIMING, Party::Submitter, at(9011, 99)));
}

#[test]
fn the_challenger_may_compute_the_trace_too() {
    let stage = TraceStage { first: at(1000, 1), challenged: at(1020, 3) };
    assert_eq!(stage.first_turn(&TIMING, at(1030, 5)), at(1070, 5));
    assert_eq!(stage.first_turn(&TIMING, at(1090, 2)), at(1090, 3));
    assert!(!stage.late(&TIMING, at(1060, 99)));
    assert!(stage.late(&TIMING, at(1061, 5)) && !stage.late(&TIMING, at(1061, 4)));
}

#[test]
fn an_eager_claim_gives_the_challenger_its_allowance() {
    let world = worlds::single();
    let run = honest(&world);
    let table = Table::new(&world, 2, 1, &run);
    let later = at(START.time + 5000, START.block + 400);
    let mut game = Game::new(table.claim, world.timing, TraceStage { first: later, challenged: later }).unwrap();
    game.apply(Party::Submitter, &table.answer(), START, &world.program).unwrap();
    assert_eq!(game.clock().unwrap().turn_start, at(later.time + world.timing.trace, later.block));
}

#[test]
fn nothing_follows_the_end() {
    let world = worlds::single();
    let run = honest(&world);
    let mut table = Table::new(&world, 2, 1, &run);
    let opening = table.answer();
    table.now = at(START.time + 100_000, START.block + 100);
    assert_eq!(table.refusal(&opening), Refused::Late);
    let outcome = table.game.claim_timeout(table.now).unwrap();
    assert_eq!((outcome.winner, outcome.end), (Party::Challenger, End::NoTrace));
    assert_eq!(table.game.claim_timeout(table.now), Err(Refused::Over));
    assert_eq!(table.refusal(&opening), Refused::Over);
}

#[test]
fn versions_count_moves_and_budgets_never_grow() {
    let world = worlds::mixed();
    let run = honest(&world);
    let mut table = Table::new(&world, 1, 1, &run).follow(&[]);
    assert_eq!(table.game.version(), 0);
    let mut left = table.game.clock().unwrap();
    for version in 1..8 {
        let who = table.game.turn();
        let mv = if who == Party::Challenger { table.idea(Idea::Select(0)) } else { Some(table.answer()) };
        let Some(mv) = mv else { break };
        table.now = at(table.now.time + 40, table.now.block + 1);
        table.play(&mv).unwrap();
        let clock = table.game.clock().unwrap();
        assert_eq!(table.game.version(), version);
        assert!(clock.submitter <= left.submitter && clock.challenger <= left.challenger);
        left = clock;
    }
}

proptest! {
    #[test]
    fn late_is_monotone_and_complements_the_edge(budget in 0..500_u64, delay in 0..50_u64, blocks in 0..9_u64, seconds in 0..700_u64, passed in 0..20_u64) {
        let timing = Timing { budget, delay, trace: 0, min_blocks: blocks };
        let clock = Clock::new(&timing, START);
        let late = |s: u64, b: u64| clock.late(&timing, Party::Submitter, at(START.time + s, START.block + b));
        prop_assert_eq!(late(seconds, passed), seconds > budget + delay && passed >= blocks);
        prop_assert!(!late(seconds, passed) || (late(seconds + 1, passed) && late(seconds, passed + 1)));
    }

    #[test]
    fn clocks_never_overflow(now in any::<u64>(), start in any::<u64>(), block in any::<u64>()) {
        let timing = Timing { budget: u64::MAX, delay: u64::MAX, trace: u64::MAX, min_blocks: u64::MAX };
        let mut clock = Clock::new(&timing, at(start, block));
        clock.press(&timing, Party::Submitter, at(now, block));
        let stage = TraceStage { first: at(start, block), challenged: at(now, 0) };
        prop_assert!(!stage.late(&timing, at(now, block)));
        prop_assert!(stage.first_turn(&timing, at(now, 0)).time >= now);
    }
}

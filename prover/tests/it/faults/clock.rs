//! Clocks.

use opml_bisection::{Arena, Clock, Moment, Party, Refused, Timing, TraceStage, players::Idea, suite::World};
use opml_contracts::abi::Dispute;

use crate::rules::{
    table::{Table, claim_of},
    worlds::{SUM, five, honest},
};

#[test]
fn fault_both_sides_are_timed_out() {
    // Whoever is on turn when nobody moves any more has lost; the other's time is not looked at.
    let world = five();
    let run = honest(&world);
    let timing = world.timing();
    for first in [Party::Challenger, Party::Submitter] {
        let mut table = Table::honest(&world, 4, &run);
        // The challenger has no second of its budget left.
        table.advance(timing.trace - 1 + timing.delay + timing.budget, 100);
        table.play(&table.idea(Idea::Select(SUM)));
        if first == Party::Challenger {
            // Nor has the submitter.
            table.advance(timing.delay + timing.budget, 100);
            table.answer();
            let clock = table.pure.game().clock().unwrap();
            assert_eq!((clock.submitter, clock.challenger), (0, 0));
        }
        // Both would be late for ever.
        table.advance(100 * (timing.delay + timing.budget), 10_000);
        assert_eq!(table.late().winner, first.opponent());
        assert_eq!(table.pure.timeout(), Err(Refused::Over));
        assert!(table.contract.timeout().is_err());
    }
}

#[test]
fn fault_an_edge_is_reached_one_second_off() {
    // At exactly the budget a move is in time and a timeout is not; a second later it is the other way round. The delay is
    // free each time and nothing carries over.
    let world = five();
    let run = honest(&world);
    let timing = world.timing();
    for late in [0, 1] {
        let mut table = Table::honest(&world, 1, &run);
        table.advance(timing.trace, 1);
        table.play(&table.idea(Idea::Select(0)));
        // Half of the budget now, the other half in the next turn.
        table.advance(timing.delay + timing.budget / 2, 100);
        table.answer();
        table.advance(timing.delay, 100);
        table.play(&table.idea(Idea::Select(0)));
        table.advance(timing.delay + timing.budget - timing.budget / 2 + late, 100);
        if late == 0 {
            table.in_time();
            table.answer();
            assert_eq!(table.pure.game().clock().unwrap().submitter, 0);
        } else {
            table.refuse::<Dispute::Late>(&table.due(), &Refused::Late);
            table.late();
        }
    }
}

#[test]
fn fault_times_under_or_overflow() {
    // The contract's times are 40 bits wide and its clocks saturate: a turn in the far future charges all, one in the past nothing.
    let world = five();
    let run = honest(&world);
    for seconds in [u64::from(u32::MAX), 1 << 38] {
        let mut table = Table::of(&world, claim_of(&world, 4, 1, &run), &run);
        table.advance(seconds, 4);
        table.in_time();
        // Too few blocks: it is not late, and is charged for nothing, for the trace has a clock of its own.
        table.answer();
        table.advance(seconds, 4);
        table.in_time();
        table.play(&table.idea(Idea::Select(SUM)));
        let clock = table.pure.game().clock().unwrap();
        assert_eq!((clock.challenger, clock.submitter), (0, world.timing().budget));
        // It still has the free delay of each turn.
        table.answer();
        table.advance(world.timing().delay, 100);
        table.in_time();
        table.advance(1, 0);
        table.late();
    }
    let most = Timing { budget: u64::MAX, delay: u64::MAX, trace: u64::MAX, min_blocks: u64::MAX };
    let far = Moment { time: u64::MAX, block: u64::MAX };
    let mut clock = Clock::new(&most, Moment { time: 0, block: 0 });
    assert!(!clock.late(&most, Party::Submitter, far));
    clock.press(&most, Party::Submitter, far);
    assert_eq!(clock.submitter, u64::MAX);
    let stage = TraceStage { first: far, challenged: far };
    assert!(!stage.late(&most, Moment::default()));
    assert_eq!(stage.first_turn(&most, Moment::default()), far);
}

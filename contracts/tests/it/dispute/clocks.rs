//! Clocks: every edge of SPEC §7.4, for both players and for the trace.

use opml_contracts::{
    abi::Dispute,
    dispute::{Kind, Position, Stage, Status},
};

use super::{
    programs::{SUMS, changed, looping},
    world::{
        BUDGET, CHALLENGER, DELAY, Game, MIN_BLOCKS, RIVAL, ROOT_WINDOW, STRANGER, SUBMITTER, TRACE_TIME, WINDOW,
        refused,
    },
};

fn lying() -> Game {
    Game::lying(&looping(), 0, 1, SUMS, &|value| changed(value, 7, 1))
}

impl Game {
    /// Goes to the moment at which the player on turn is charged so much, at least so many blocks after the last move.
    fn go(&mut self, charge: u64, blocks: u64) {
        let at = self.position();
        let host = &mut self.world.host;
        let time = at.turn_start + u64::from(at.delay) + charge;
        host.warp(time - host.now());
        let block = at.turn_block + blocks;
        host.roll(block.saturating_sub(host.block()));
    }

    /// Whether the move that is due goes through.
    fn moves(&mut self) -> super::world::Outcome {
        match self.position().kind {
            Kind::TraceOpen => self.select(0),
            Kind::TraceHidden => self.reveal(),
            kind => panic!("not due at {kind:?}"),
        }
    }
}

#[test]
fn a_charge_equal_to_the_budget_is_in_time_and_one_second_more_is_late() {
    for kind in [Kind::TraceOpen, Kind::TraceHidden] {
        let due = |charge| {
            let mut game = lying();
            if kind == Kind::TraceHidden {
                game.select(0).unwrap();
            }
            game.go(charge, 100);
            game
        };
        let mut game = due(BUDGET);
        refused::<Dispute::NotLate>(game.timeout(STRANGER));
        game.moves().unwrap();
        let at = game.position();
        assert_eq!(if kind == Kind::TraceHidden { at.budget_s } else { at.budget_c }, 0);

        let mut game = due(BUDGET + 1);
        refused::<Dispute::Late>(game.moves());
        game.timeout(STRANGER).unwrap();
        assert_eq!(game.slot().status, if kind == Kind::TraceHidden { Status::False } else { Status::Pending });
        assert_eq!(game.slot().open, if kind == Kind::TraceHidden { 1 } else { 0 });
    }
}

#[test]
fn nobody_is_late_before_enough_blocks() {
    for late in [false, true] {
        let mut game = lying();
        game.select(0).unwrap();
        let at = game.position();
        let host = &mut game.world.host;
        host.warp(10 * (BUDGET + DELAY));
        host.roll(at.turn_block + MIN_BLOCKS - u64::from(!late) - host.block());
        assert_eq!(host.block() - at.turn_block, MIN_BLOCKS - u64::from(!late));
        if late {
            refused::<Dispute::Late>(game.reveal());
            game.timeout(STRANGER).unwrap();
            assert_eq!(game.slot().status, Status::False);
        } else {
            // the same block has room for the refused timeout and the move
            game.world.host.hold_block(true);
            refused::<Dispute::NotLate>(game.timeout(STRANGER));
            game.reveal().unwrap();
            assert_eq!(game.position().budget_s, 0);
        }
    }
}

#[test]
fn the_first_turn_waits_for_the_time_to_compute_the_trace() {
    let sample = looping();
    let mut game = Game::claimed(&sample, 0, sample.run(3, &mut |_, _, _| ()));
    game.challenge(CHALLENGER, 0).unwrap();
    let challenged = Position::unpack(&game.state).unwrap().turn_start - TRACE_TIME;
    game.open_trace().unwrap();
    assert_eq!(game.position().turn_start, challenged + TRACE_TIME);
    assert!(game.world.host.now() < game.position().turn_start);
    // a turn that starts in the future charges nothing
    game.world.host.roll(1_000);
    refused::<Dispute::NotLate>(game.timeout(STRANGER));
    game.go(BUDGET, 100);
    refused::<Dispute::NotLate>(game.timeout(STRANGER));
    game.select(0).unwrap();
    assert_eq!(game.position().budget_c, 0);
}

#[test]
fn the_first_turn_starts_when_the_trace_opens_if_that_is_later() {
    let sample = looping();
    let mut game = Game::claimed(&sample, 0, sample.run(3, &mut |_, _, _| ()));
    game.challenge(CHALLENGER, 0).unwrap();
    let at = Position::unpack(&game.state).unwrap();
    game.world.host.warp(TRACE_TIME + DELAY);
    game.world.host.roll(50);
    game.open_trace().unwrap();
    let opened = game.slot();
    assert_eq!(game.position().turn_start, opened.stage_at);
    assert_eq!(opened.stage_at, at.turn_start + DELAY);
    assert_eq!(game.position().turn_block, opened.stage_block);
    assert!(opened.stage_block > at.turn_block);
}

#[test]
fn a_trace_is_late_after_its_time_and_the_delay() {
    for (extra, blocks, late) in
        [(0, 100, false), (1, 100, true), (1_000_000, MIN_BLOCKS - 1, false), (1, MIN_BLOCKS, true)]
    {
        let sample = looping();
        let mut game = Game::claimed(&sample, 0, sample.run(3, &mut |_, _, _| ()));
        game.challenge(CHALLENGER, 0).unwrap();
        let first = game.slot();
        let host = &mut game.world.host;
        host.warp(TRACE_TIME + DELAY + extra);
        host.roll(first.stage_block + blocks - host.block());
        host.hold_block(true);
        if late {
            refused::<Dispute::TraceIsLate>(game.open_trace());
            refused::<Dispute::TraceIsLate>(game.world.challenge(RIVAL, game.id, 0).map(|(_, receipt)| receipt));
            game.timeout(STRANGER).unwrap();
            assert_eq!(game.slot().status, Status::False);
        } else {
            refused::<Dispute::NotLate>(game.timeout(STRANGER));
            game.open_trace().unwrap();
            assert_eq!(game.slot().stage, Stage::Opened);
        }
    }
}

#[test]
fn moves_wait_for_the_trace() {
    let sample = looping();
    let mut game = Game::claimed(&sample, 0, sample.run(3, &mut |_, _, _| ()));
    game.challenge(CHALLENGER, 0).unwrap();
    let call = Dispute::selectCall {
        state: game.state.clone(),
        child: alloy_primitives::U256::ZERO,
        hash: game.commit.tree.node(1, 0).into(),
        siblings: vec![],
    };
    refused::<Dispute::TraceNotOpened>(game.play(CHALLENGER, &call));
    let call = game.open_trace_call();
    refused::<Dispute::WrongPlayer>(game.world.send(CHALLENGER, 0, &call));
    game.open_trace().unwrap();
    refused::<Dispute::TraceIsOpen>(game.open_trace());
}

#[test]
fn a_trace_may_be_opened_before_anybody_asks_for_it() {
    let sample = looping();
    let mut game = Game::claimed(&sample, 0, sample.run(3, &mut |_, _, _| ()));
    game.world.pass(100);
    game.open_trace().unwrap();
    let opened = game.world.host.now();
    game.world.pass(50);
    game.challenge(CHALLENGER, 0).unwrap();
    // the challenger has its time to compute the trace all the same
    let at = game.position();
    assert_eq!((at.turn_start, game.slot().stage), (opened + 50 + TRACE_TIME, Stage::Opened));
    game.select(0).unwrap();
}

#[test]
fn the_window_is_open_before_its_end_and_closed_at_it() {
    for (offset, open) in [(WINDOW - 1, true), (WINDOW, false)] {
        let sample = looping();
        let mut game = Game::claimed(&sample, 0, sample.run(3, &mut |_, _, _| ()));
        let claimed = game.slot().claimed_at;
        let host = &mut game.world.host;
        host.warp(claimed + offset - host.now());
        if open {
            refused::<Dispute::WindowOpen>(game.finalize());
            game.challenge(CHALLENGER, 0).unwrap();
            game.world.pass(1);
            refused::<Dispute::DisputesOpen>(game.finalize());
        } else {
            refused::<Dispute::WindowClosed>(game.challenge(CHALLENGER, 0));
            game.finalize().unwrap();
            assert_eq!(game.slot().status, Status::Final);
            refused::<Dispute::ClaimNotPending>(game.finalize());
            refused::<Dispute::ClaimNotPending>(game.challenge(CHALLENGER, 0));
        }
    }
}

#[test]
fn budgets_only_fall_and_the_free_delay_is_not_charged() {
    let mut game = lying();
    game.go(7, 1);
    game.select(0).unwrap();
    assert_eq!(game.position().budget_c, BUDGET - 7);
    let at = game.position();
    game.world.host.warp(DELAY);
    game.reveal().unwrap();
    assert_eq!(game.position().budget_s, BUDGET);
    assert_eq!(game.position().turn_start, at.turn_start + DELAY);
    game.go(13, 1);
    game.select(0).unwrap();
    assert_eq!(game.position().budget_c, BUDGET - 20);
    assert_eq!(game.position().version, 3);
}

#[test]
fn a_player_with_no_budget_left_still_has_the_delay() {
    let mut game = lying();
    game.go(BUDGET, 100);
    game.select(0).unwrap();
    game.reveal().unwrap();
    game.go(0, 100);
    game.select(0).unwrap();
    game.reveal().unwrap();
    game.go(1, 100);
    game.timeout(STRANGER).unwrap();
    assert_eq!(game.slot().open, 0);
}

#[test]
fn a_late_proof_is_refused() {
    let mut game = lying();
    let leaf = game.leaf_number(1, SUMS);
    let call = game.prove_element_call(leaf, 7);
    game.go(BUDGET + 1, 100);
    refused::<Dispute::Late>(game.play(CHALLENGER, &call));
}

#[test]
fn both_sides_win_by_time() {
    let mut game = lying();
    game.select(0).unwrap();
    game.go(BUDGET + 1, 100);
    game.timeout(SUBMITTER).unwrap();
    assert_eq!(game.slot().status, Status::False);
    refused::<Dispute::ClaimNotPending>(game.timeout(STRANGER));

    let mut game = lying();
    game.go(BUDGET + 1, 100);
    game.timeout(CHALLENGER).unwrap();
    assert_eq!((game.slot().status, game.slot().open, game.slot().weight), (Status::Pending, 0, 0));
    refused::<Dispute::WrongState>(game.timeout(STRANGER));
    game.world.pass(WINDOW);
    game.finalize().unwrap();
}

#[test]
fn a_root_counts_only_if_it_was_open_long_enough() {
    let sample = looping();
    for (opened, authoritative) in [(WINDOW - ROOT_WINDOW, true), (WINDOW - ROOT_WINDOW + 1, false)] {
        let mut game = Game::claimed(&sample, 0, sample.run(3, &mut |_, _, _| ()));
        let claimed = game.slot().claimed_at;
        let until = |game: &mut Game, offset: u64| {
            let host = &mut game.world.host;
            host.warp(claimed + offset - host.now());
            host.roll(10);
        };
        let rooted = |game: &mut Game| game.world.view(&Dispute::isRootAuthoritativeCall { claimId: game.id });
        until(&mut game, 2_300);
        game.challenge(CHALLENGER, 0).unwrap();
        until(&mut game, opened);
        game.open_trace().unwrap();
        assert!(!rooted(&mut game));
        game.resign(CHALLENGER).unwrap();
        until(&mut game, WINDOW);
        game.finalize().unwrap();
        assert_eq!(rooted(&mut game), authoritative);
    }
    let mut game = Game::claimed(&sample, 0, sample.run(3, &mut |_, _, _| ()));
    game.world.pass(WINDOW);
    game.finalize().unwrap();
    assert!(!game.world.view(&Dispute::isRootAuthoritativeCall { claimId: game.id }));
}

#[test]
fn a_dispute_of_stallers_ends_within_the_bound() {
    let sample = looping();
    let mut game = Game::claimed(&sample, 0, sample.run(3, &mut |_, _, _| ()));
    let claimed = game.slot().claimed_at;
    let host = &mut game.world.host;
    host.warp(claimed + WINDOW - 1 - host.now());
    game.challenge(CHALLENGER, 0).unwrap();
    game.world.host.warp(TRACE_TIME + DELAY);
    game.world.host.roll(1_000);
    game.open_trace().unwrap();
    // each turn ends at the last moment at which it can
    let leaf = game.leaf_number(1, SUMS);
    let mut turns = 0;
    loop {
        let budget = game.position().budget();
        game.go(budget, 1_000);
        turns += 1;
        let at = game.position();
        let child = match at.kind {
            Kind::TraceOpen if at.version == 0 => leaf / 2,
            Kind::TraceOpen => leaf % 2,
            _ => 0,
        };
        match at.kind {
            Kind::TraceOpen | Kind::TensorOpen => drop(game.select(child).unwrap()),
            Kind::Leaf => drop(game.select_element(7).unwrap()),
            Kind::Element | Kind::Slice => {
                let partials = game.partials();
                game.reveal_partials(&partials).unwrap();
            }
            Kind::ElementPartials => {
                let partials = game.partials();
                game.select_partial(0, &partials).unwrap();
            }
            Kind::SlicePartials => break,
            _ => drop(game.reveal().unwrap()),
        }
    }
    game.go(1, 1_000);
    game.timeout(STRANGER).unwrap();
    assert_eq!(turns, 11);
    let bound = WINDOW + TRACE_TIME + DELAY + 2 * BUDGET + turns * DELAY;
    assert!(game.world.host.now() <= claimed + bound);
    game.finalize().unwrap();
}

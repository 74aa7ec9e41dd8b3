//! The known faults of dispute games, each shown absent.

use alloy_primitives::{B256, U256};
use opml_contracts::{
    abi::Dispute,
    dispute::{BURN, ClaimSlot, Position, Stage, Status, dispute_id},
    host::TX_GAS_CAP,
};

use super::{
    commit::Commit,
    money::{act, lying, puppet},
    programs::{SUMS, WIDE, changed, looping},
    world::{BOND_C, BOND_S, BUDGET, CHALLENGER, DELAY, Game, RIVAL, STRANGER, SUBMITTER, TRACE_TIME, WINDOW, refused},
};

const POT: u64 = BOND_S - BOND_S / 2;

#[test]
fn fault_a_reorg_changes_what_a_move_answers() {
    // the challenger prepared its select for one root; the trace that is really opened has another
    let sample = looping();
    let lie = sample.run(3, &mut |t, i, value| {
        if (t, i) == (1, SUMS) {
            *value = changed(value, 7, 1);
        }
    });
    let mut game = Game::claimed(&sample, 0, lie);
    game.challenge(CHALLENGER, 0).unwrap();
    let opened = game.commit.clone();
    game.commit = Commit::of(&sample.run(3, &mut |_, _, _| ()));
    let position = Position {
        node: game.commit.tree.root().into(),
        height: 5,
        leaves: 18,
        ..Position::unpack(&game.state).unwrap()
    };
    let tree = &game.commit.tree;
    let prepared = Dispute::selectCall {
        state: game.state.clone(),
        child: U256::from(6),
        hash: tree.node(1, 6).into(),
        siblings: super::commit::words(tree.prove_under(1, 6, 4)),
    };
    assert_eq!(position.version, 0);
    game.commit = opened;
    game.open_trace().unwrap();
    refused::<Dispute::BadHash>(game.play(CHALLENGER, &prepared));
    game.select(6).unwrap();
}

#[test]
fn fault_a_move_answers_another_position() {
    let mut game = lying();
    game.select(0).unwrap();
    let early = game.reveal_call();
    game.reveal().unwrap();
    game.select(0).unwrap();
    refused::<Dispute::WrongState>(game.play(SUBMITTER, &early));
    // the data of one dispute in the state of another
    let mut other = game.rival(RIVAL, 0);
    let mut player = RIVAL;
    game.swap(&mut other, &mut player);
    game.select(3).unwrap();
    let mixed = Dispute::revealCall { state: game.state.clone(), ..early };
    refused::<Dispute::BadHash>(game.play(SUBMITTER, &mixed));
}

#[test]
fn fault_a_zero_root_is_taken_for_a_node() {
    let mut game = lying();
    let good = game.select_call(0);
    refused::<Dispute::BadHash>(game.play(CHALLENGER, &Dispute::selectCall { hash: B256::ZERO, ..good }));
    // a claim whose trace is closed has no root 0 to walk from
    let sample = looping();
    let mut game = Game::claimed(&sample, 0, sample.run(3, &mut |_, _, _| ()));
    game.challenge(CHALLENGER, 0).unwrap();
    let call = Dispute::selectCall { state: game.state.clone(), child: U256::ZERO, hash: B256::ZERO, siblings: vec![] };
    refused::<Dispute::TraceNotOpened>(game.play(CHALLENGER, &call));
}

#[test]
fn fault_the_padded_tail_is_disputed() {
    let mut game = Game::honest(&looping(), 0);
    let leaf = game.leaf_number(1, WIDE);
    game.walk_to_header(leaf);
    // 24 leaves, depth 5, arity 16: twelve children
    let good = game.select_call(11);
    refused::<Dispute::BadChild>(game.play(CHALLENGER, &Dispute::selectCall { child: U256::from(12), ..good.clone() }));
    game.play(CHALLENGER, &good).unwrap();
    game.reveal().unwrap();
    game.select(1).unwrap();
    game.reveal().unwrap();
    let call = game.prove_element_call(leaf, 2_999);
    refused::<Dispute::NoContradiction>(game.play(CHALLENGER, &call));
    let past = Dispute::proveElementCall { o: Dispute::Opening { e: 3_000, ..call.o.clone() }, ..call };
    refused::<Dispute::BadElement>(game.play(CHALLENGER, &past));
}

#[test]
fn fault_a_leaf_or_header_is_taken_for_a_node() {
    let mut game = lying();
    let leaf = game.leaf_number(1, SUMS);
    game.walk_to_header(leaf);
    // the tensor's leaves offered as the header's children, and the reverse
    let at = game.position();
    let tree = game.commit.value(leaf).tree();
    assert_eq!(at.height, 1);
    game.select(0).unwrap();
    let call = Dispute::revealCall { state: game.state.clone(), children: vec![tree.node(0, 0).into()] };
    refused::<Dispute::WrongKind>(game.play(SUBMITTER, &call));
    let mut short = game.reveal_leaf_call();
    short.data = [B256::ZERO; 8];
    refused::<Dispute::BadHash>(game.play(SUBMITTER, &short));
}

#[test]
fn fault_proofs_of_wrong_length_are_read_past_their_end() {
    let mut game = lying();
    let leaf = game.leaf_number(1, SUMS);
    let good = game.prove_element_call(leaf, 7);
    let header = game.prove_header_call(leaf);
    for change in 0..5 {
        let mut bad = good.clone();
        match change {
            0 => drop(bad.o.tracePath.pop()),
            1 => bad.o.tracePath.insert(0, B256::ZERO),
            2 => drop(bad.o.tensorPath.pop()),
            3 => bad.o.tensorPath.push(good.o.tracePath[0]),
            _ => bad.o.tensorPath.extend(good.o.tracePath.clone()),
        }
        refused::<Dispute::BadHash>(game.play(CHALLENGER, &bad));
    }
    for witness in [vec![], good.witness[..good.witness.len() - 1].to_vec(), [&good.witness[..], &[0]].concat()] {
        assert!(game.play(CHALLENGER, &Dispute::proveElementCall { witness: witness.into(), ..good.clone() }).is_err());
    }
    for siblings in [vec![], [&header.siblings[..], &[0; 32]].concat(), header.siblings[1..].to_vec()] {
        assert!(
            game.play(CHALLENGER, &Dispute::proveHeaderCall { siblings: siblings.into(), ..header.clone() }).is_err()
        );
    }
    game.play(CHALLENGER, &good).unwrap();
}

#[test]
fn fault_a_step_out_of_gas_is_swallowed() {
    // with too little gas for the step, the move fails as a whole; no amount of gas proves a right element wrong
    let mut game = Game::honest(&looping(), 0);
    let sender = puppet(&mut game.world);
    let leaf = game.leaf_number(1, SUMS);
    let right = game.prove_element_call(leaf, 7);
    for limit in (20_000..400_000).step_by(4_999) {
        assert!(act(&mut game, sender, 0, limit, &right).is_err(), "{limit}");
    }
    let mut game = lying();
    let sender = puppet(&mut game.world);
    let wrong = game.prove_element_call(leaf, 7);
    let before = game.world.view(&Dispute::disputeOfCall { disputeId: dispute_id(game.id, CHALLENGER, 0) });
    let mut limit = 20_000;
    while act(&mut game, sender, 0, limit, &wrong).is_err() {
        let id = dispute_id(game.id, CHALLENGER, 0);
        assert_eq!(game.world.view(&Dispute::disputeOfCall { disputeId: id }), before);
        assert_eq!(game.slot().status, Status::Pending);
        limit += 4_999;
    }
    assert_eq!(game.slot().status, Status::False);
}

#[test]
fn fault_the_timer_restarts_on_each_move() {
    let mut game = lying();
    for round in 1..=3 {
        let at = game.position();
        if at.height == 0 {
            break;
        }
        let host = &mut game.world.host;
        let start = at.turn_start.max(host.now());
        host.warp(start + DELAY + 100 - host.now());
        host.roll(50);
        game.select(0).unwrap();
        assert_eq!(game.position().budget_c, BUDGET - 100 * round);
        game.reveal().unwrap();
    }
}

#[test]
fn fault_a_rival_inherits_time() {
    let mut game = lying();
    game.world.host.warp(TRACE_TIME + DELAY + 500);
    game.world.host.roll(100);
    game.select(0).unwrap();
    let used = game.position();
    assert!(used.budget_c < BUDGET);
    let (mut second, mut player) = (game.rival(RIVAL, 0), RIVAL);
    game.swap(&mut second, &mut player);
    assert_eq!((game.position().budget_c, game.position().budget_s), (BUDGET, BUDGET));
    game.select(0).unwrap();
    game.world.pass(DELAY + 300);
    game.reveal().unwrap();
    assert!(game.position().budget_s < BUDGET);
    game.swap(&mut second, &mut player);
    assert_eq!(game.position(), used);
}

#[test]
fn fault_the_opponent_moves_in_the_last_second() {
    let mut game = lying();
    // the challenger has no second left, and the submitter answers in the first one
    let at = game.position();
    let host = &mut game.world.host;
    host.warp(at.turn_start + DELAY + BUDGET - host.now());
    host.roll(100);
    game.select(0).unwrap();
    game.reveal().unwrap();
    assert_eq!(game.position().budget_c, 0);
    game.world.host.warp(DELAY);
    game.world.host.roll(100);
    game.select(0).unwrap();
}

#[test]
fn fault_moves_after_the_end() {
    let mut game = lying();
    let (mut second, mut player) = (game.rival(RIVAL, 0), RIVAL);
    let leaf = game.leaf_number(1, SUMS);
    let again = game.prove_element_call(leaf, 7);
    let select = game.select_call(0);
    game.prove_lie();
    refused::<Dispute::ClaimNotPending>(game.play(CHALLENGER, &again));
    refused::<Dispute::ClaimNotPending>(game.play(CHALLENGER, &select));
    game.swap(&mut second, &mut player);
    refused::<Dispute::ClaimNotPending>(game.play(RIVAL, &select));
    refused::<Dispute::ClaimNotPending>(game.timeout(STRANGER));
    refused::<Dispute::ClaimNotPending>(game.resign(RIVAL));
    refused::<Dispute::ClaimNotPending>(game.challenge(STRANGER, 0));
    refused::<Dispute::ClaimNotPending>(game.open_trace());
    game.world.pass(WINDOW);
    refused::<Dispute::ClaimNotPending>(game.finalize());
}

#[test]
fn fault_a_final_claim_is_attacked() {
    let sample = looping();
    let mut game = Game::honest(&sample, 0);
    let state = game.state.clone();
    game.resign(CHALLENGER).unwrap();
    game.world.pass(WINDOW);
    game.finalize().unwrap();
    assert!(game.world.view(&Dispute::isFinalCall { claimId: game.id }));
    game.state = state;
    refused::<Dispute::ClaimNotPending>(game.timeout(STRANGER));
    refused::<Dispute::ClaimNotPending>(game.select(0));
    let state = game.state.clone();
    refused::<Dispute::WrongState>(game.settle(&state));
    refused::<Dispute::ClaimNotPending>(game.finalize());
    assert_eq!(game.world.credit(SUBMITTER), U256::from(BOND_S + BOND_C - BOND_C / 4));
}

#[test]
fn fault_the_resolution_is_too_big_for_a_transaction() {
    // the claim falls and each dispute is settled at the same cost, however many there are
    let costs = [0, 60].map(|rivals: u16| {
        let mut game = lying();
        let states: Vec<_> = (0..rivals).map(|nonce| game.rival(RIVAL, nonce)).collect();
        let leaf = game.leaf_number(1, SUMS);
        let call = game.prove_element_call(leaf, 7);
        let prove = game.play(CHALLENGER, &call).unwrap().gas_used;
        let state = game.state.clone();
        let settle = game.settle(&state).unwrap().gas_used;
        for state in &states {
            assert!(game.settle(state).unwrap().gas_used < settle + 30_000);
        }
        assert_eq!(game.slot().open, 0);
        (prove, settle)
    });
    assert!(costs[0].0.abs_diff(costs[1].0) < 100 && costs[1].1 < costs[0].1 + 100, "{costs:?}");
    assert!(costs[0].0 < TX_GAS_CAP / 50);
}

#[test]
fn fault_self_play_pays() {
    // the liar opens disputes of its own, and proves against itself first: it loses what is burnt, and the honest share
    for sybils in 0..4_u16 {
        let mut game = lying();
        let honest = game.state.clone();
        let mut states: Vec<_> = (0..sybils).map(|nonce| game.rival(SUBMITTER, nonce)).collect();
        if let Some(last) = states.pop() {
            let mut player = SUBMITTER;
            let mut last = last;
            game.swap(&mut last, &mut player);
            game.prove_lie();
            states.push(game.state.clone());
            states.push(honest);
        } else {
            game.prove_lie();
            states.push(game.state.clone());
        }
        for state in &states {
            game.settle(state).unwrap();
        }
        let coalition = game.world.credit(SUBMITTER);
        let paid = U256::from(BOND_S) + U256::from(BOND_C) * U256::from(sybils);
        assert!(paid - coalition >= U256::from(BOND_S / 2), "{sybils} sybils");
        let (ours, all) = (30, 30 + 30 * u64::from(sybils) + 25);
        let ours = if sybils == 0 { all } else { ours };
        assert_eq!(
            game.world.credit(CHALLENGER),
            U256::from(BOND_C + (u128::from(POT) * u128::from(ours) / u128::from(all)) as u64)
        );
    }
    // losing to itself, it pays what is burnt of each bond, and its claim is not final any sooner
    let mut game = Game::honest(&looping(), 0);
    game.resign(CHALLENGER).unwrap();
    game.state = game.rival(SUBMITTER, 0);
    game.resign(SUBMITTER).unwrap();
    refused::<Dispute::WindowOpen>(game.finalize());
    assert_eq!(game.world.credit(BURN), U256::from(2 * (BOND_C / 4)));
}

#[test]
fn fault_a_self_challenge_blocks_the_honest_one() {
    let mut game = lying();
    let (mut sybil, mut player) = (game.rival(SUBMITTER, 0), SUBMITTER);
    game.swap(&mut sybil, &mut player);
    game.select(0).unwrap();
    game.swap(&mut sybil, &mut player);
    game.prove_lie();
    assert_eq!(game.slot().status, Status::False);
}

#[test]
fn fault_a_resigned_challenge_closes_the_window() {
    // A liar's own challenger resigns at once, and the liar never opens its trace: others still have the whole window.
    let sample = looping();
    let mut game = Game::claimed(&sample, 0, sample.run(3, &mut |_, _, _| ()));
    game.challenge(RIVAL, 0).unwrap();
    game.resign(RIVAL).unwrap();
    assert_eq!((game.slot().stage, game.slot().open), (Stage::Undisputed, 0));
    game.world.pass(TRACE_TIME + DELAY + 1);
    game.challenge(CHALLENGER, 0).unwrap();
    assert_eq!(game.slot().stage, Stage::Awaited);
    refused::<Dispute::NotLate>(game.timeout(CHALLENGER));
    game.world.pass(TRACE_TIME + DELAY + 1);
    game.timeout(CHALLENGER).unwrap();
    assert_eq!(game.slot().status, Status::False);
}

#[test]
fn fault_a_challenge_resigned_late_ends_the_window() {
    // A liar's own challenger waits until the trace is late, so that nobody else may challenge, and resigns as the window ends.
    for seconds in [TRACE_TIME + DELAY + 1, WINDOW] {
        let sample = looping();
        let mut game = Game::claimed(&sample, 0, sample.run(3, &mut |_, _, _| ()));
        game.challenge(RIVAL, 0).unwrap();
        game.world.pass(seconds);
        let challenge = Dispute::challengeCall { claimId: game.id, nonce: 0 };
        assert!(game.world.send(CHALLENGER, BOND_C, &challenge).is_err());
        refused::<Dispute::TraceIsLate>(game.resign(RIVAL));
        game.world.pass(WINDOW);
        refused::<Dispute::DisputesOpen>(game.finalize());
        game.timeout(STRANGER).unwrap();
        assert_eq!(game.slot().status, Status::False);
    }
}

#[test]
fn a_resignation_leaves_the_trace_clock_of_others_alone() {
    let sample = looping();
    let mut game = Game::claimed(&sample, 0, sample.run(3, &mut |_, _, _| ()));
    game.challenge(RIVAL, 0).unwrap();
    let first = game.state.clone();
    game.world.pass(TRACE_TIME);
    game.challenge(CHALLENGER, 0).unwrap();
    let second = std::mem::replace(&mut game.state, first);
    game.resign(RIVAL).unwrap();
    game.state = second;
    game.world.pass(DELAY + 1);
    game.timeout(CHALLENGER).unwrap();
    assert_eq!(game.slot().status, Status::False);
}

#[test]
fn fault_bonds_are_stuck() {
    // whatever way a dispute ends, everything can be withdrawn
    for end in 0..4 {
        let mut game = if end == 3 { Game::honest(&looping(), 0) } else { lying() };
        let other = game.rival(RIVAL, 3);
        match end {
            0 => game.prove_lie(),
            1 => {
                game.select(0).unwrap();
                game.world.pass(100_000);
                game.timeout(STRANGER).unwrap();
            }
            2 => {
                game.resign(CHALLENGER).unwrap();
                game.state = other.clone();
                game.challenger = RIVAL;
                game.prove_lie();
            }
            _ => {
                game.resign(CHALLENGER).unwrap();
                game.state = other.clone();
                game.world.pass(100_000);
                game.timeout(STRANGER).unwrap();
                game.finalize().unwrap();
            }
        }
        let state = game.state.clone();
        if end != 3 {
            game.settle(&state).unwrap();
        }
        if end < 2 {
            game.settle(&other).unwrap();
        }
        for account in [SUBMITTER, CHALLENGER, RIVAL] {
            if game.world.credit(account) > U256::ZERO {
                game.world.send(account, 0, &Dispute::withdrawCall {}).unwrap();
            }
        }
        game.world.send(STRANGER, 0, &Dispute::burnCall {}).unwrap();
        assert_eq!(game.held(), U256::ZERO, "end {end}");
    }
}

#[test]
fn fault_an_honest_submitter_pays_for_a_false_dispute() {
    // a false challenger plays everything: the bond's part repays the submitter's gas at a price of 0.5 gwei one and a half times
    let mut game = Game::honest(&looping(), 1);
    let mut gas = 0;
    let leaf = game.leaf_number(1, SUMS);
    loop {
        let at = game.position();
        use opml_contracts::dispute::Kind;
        match at.kind {
            Kind::Leaf => drop(game.select_element(7).unwrap()),
            Kind::Element | Kind::Slice => {
                let partials = game.partials();
                gas += game.reveal_partials(&partials).unwrap().gas_used;
                let at = game.position();
                if at.k1 - at.k0 < 4 {
                    break;
                }
                game.select_partial(1, &partials).unwrap();
            }
            kind if kind.submitter_turn() => gas += game.reveal().unwrap().gas_used,
            Kind::TraceOpen => {
                let below = at.height - 1;
                game.select((leaf >> below) - (at.index << 1)).unwrap();
            }
            _ => drop(game.select(0).unwrap()),
        }
    }
    game.world.pass(100_000);
    let slot: ClaimSlot = game.slot();
    gas += game.timeout(SUBMITTER).unwrap().gas_used;
    assert_eq!(slot.open, 1);
    let repaid = game.world.credit(SUBMITTER);
    assert!(repaid * U256::from(2) >= U256::from(gas) * U256::from(1_500_000_000_u64), "{gas} gas, {repaid} wei");
}

//! The adversaries of docs/threat-model.md, a case each with the outcome that is stated there. Numbers 18 and 37 are the oracle's
//! (`oracle::answers`), 38 that of attention checks (`attention`); 29, 39 and 40 are out of scope, for the reasons given there.

use alloy_primitives::{B256, U256};
use opml_contracts::{
    abi::Dispute,
    dispute::{BURN, Kind, Stage, Status},
};

use super::{
    agents::{Agent, Manner, Role, answer, prove_now},
    games::judge,
    lies::Lie,
    sim::{Played, Sim, Weather, account},
};
use crate::dispute::{
    programs::{SUMS, looping},
    world::{
        BOND_C, BOND_S, BUDGET, CHALLENGER, DELAY, Game, MIN_BLOCKS, RIVAL, ROOT_WINDOW, STRANGER, SUBMITTER,
        TRACE_TIME, WINDOW, refused,
    },
};

const POT: i128 = BOND_S as i128 - BOND_S as i128 / 2;
const OPEN: i128 = 30;
const SELECT: i128 = 12;
const PROVE: i128 = 25;
const LOST: i128 = BOND_C as i128;

fn alice() -> alloy_primitives::Address {
    account("honest 0")
}

/// Plays a cast against one honest challenger, in each kind of weather, and judges it.
fn games(lie: Lie, submitter: Role, others: &[Role]) -> Vec<Played> {
    [Weather::Fair, Weather::Foul, Weather::Halting]
        .into_iter()
        .enumerate()
        .map(|(n, weather)| {
            let mut agents = vec![Agent::new(SUBMITTER, submitter), Agent::new(STRANGER, Role::Keeper)];
            if lie != Lie::None {
                agents.push(Agent::new(alice(), Role::Challenger));
            }
            let name = |n: usize| account(&format!("other {n}"));
            agents.extend(others.iter().enumerate().map(|(n, &role)| Agent::new(name(n), role)));
            let seed = 4_000 + n as u64;
            let sim = Sim::new(seed, lie, 0, false, weather, agents.clone());
            let bond_s = sim.bond_s();
            let played = sim.play();
            judge(seed, lie, &agents, bond_s, &played);
            played
        })
        .collect()
}

fn plain() -> Role {
    Role::Liar(Manner::PLAIN)
}

fn other(n: usize) -> alloy_primitives::Address {
    account(&format!("other {n}"))
}

/// A challenged claim of `lie` with its trace open, and the right trace.
fn opened(lie: Lie) -> (Game, crate::dispute::commit::Commit) {
    let (game, truth) = lie.claim(0);
    (game.opened(), truth)
}

#[test]
fn adversary_01_a_lone_liar_loses_the_whole_pot() {
    for played in games(Lie::Sum, plain(), &[]) {
        assert_eq!(played.money[&alice()], POT);
        assert_eq!(played.money[&SUBMITTER], -i128::from(BOND_S));
        assert_eq!(played.money[&BURN], i128::from(BOND_S) - POT);
    }
}

#[test]
fn adversary_02_a_liar_that_challenges_itself_and_wins_first_keeps_no_half() {
    for played in games(Lie::Sum, plain(), &[Role::Sybil]) {
        let coalition = played.money[&SUBMITTER] + played.money.get(&other(0)).copied().unwrap_or(0);
        assert!(coalition <= -i128::from(BOND_S / 2));
        assert!(played.money[&alice()] > 0);
    }
}

#[test]
fn adversary_03_a_proof_that_is_front_run_from_the_liars_own_dispute_still_pays_the_honest_one() {
    // both have walked down to the leaf; the liar's dispute proves first
    let (mut game, _) = opened(Lie::Sum);
    let leaf = game.leaf_number(1, SUMS);
    game.walk_to_leaf(leaf, 7);
    let honest = game.state.clone();
    game.state = game.rival(RIVAL, 0);
    game.challenger = RIVAL;
    let call = game.prove_element_call(leaf, 7);
    game.play(RIVAL, &call).unwrap();
    let sybil = game.state.clone();
    game.settle(&honest).unwrap();
    game.settle(&sybil).unwrap();
    let selects = 2 * SELECT + SELECT;
    let (ours, theirs) = (OPEN + selects, OPEN + PROVE);
    let share = POT * ours / (ours + theirs);
    assert_eq!(game.world.credit(CHALLENGER), U256::from((LOST + share) as u128));
    assert!(share * 100 >= POT * 54, "{share} of {POT}");
}

#[test]
fn adversary_04_more_sybils_cost_the_liar_more() {
    // the best a liar can do with m disputes of its own is bounded by what it burns and what the honest one's weight earns
    let mut before = i128::MAX;
    for m in [1_u16, 4, 16] {
        let (mut game, truth) = opened(Lie::Sum);
        let sybils: Vec<_> = (0..m).map(|nonce| game.rival(RIVAL, nonce)).collect();
        let honest = std::mem::replace(&mut game.state, sybils[0].clone());
        game.challenger = RIVAL;
        let call = prove_now(&mut game, &truth).unwrap();
        let dispute = game.world.dispute;
        let receipt = game.world.host.call(RIVAL, dispute, U256::ZERO, call.data).unwrap();
        game.state = crate::dispute::world::last_state(&receipt).unwrap();
        let mut states = vec![game.state.clone(), honest];
        states.extend(sybils.into_iter().skip(1));
        for state in &states {
            game.settle(state).unwrap();
        }
        let all = OPEN + i128::from(m) * OPEN + PROVE;
        let share = game.world.credit(CHALLENGER).to::<i128>() - LOST;
        assert_eq!(share, POT * OPEN / all);
        assert!(share < before);
        before = share;
        // what the honest one spent stays covered until the liar has burnt its whole bond in weights
        let spent = OPEN * 1_000 * i128::from(super::sim::PRICE);
        assert!(share >= spent);
        let liar = game.world.credit(RIVAL).to::<i128>() - i128::from(m) * LOST;
        assert!(liar <= POT - share);
    }
}

#[test]
fn adversary_05_driving_honest_shares_below_their_cost_costs_more_than_the_bond() {
    // w_open weights to push pot·w / W below w·1,000·p: every one costs B_c up front and β_c·B_c to lose, which a final claim needs
    let needed = POT / (OPEN * 1_000 * i128::from(super::sim::PRICE));
    let burnt = needed * (LOST / 4 + OPEN * 1_000 * i128::from(super::sim::PRICE));
    assert!(burnt >= i128::from(BOND_S) * 5 / 2, "{burnt} wei of {BOND_S}");
    // and the contract counts as this reckoning does
    let (mut game, _) = opened(Lie::None);
    let states: Vec<_> = (0..20).map(|nonce| game.rival(RIVAL, nonce)).collect();
    assert_eq!(game.slot().weight, 21 * OPEN as u64);
    for state in states {
        game.state = state;
        game.resign(RIVAL).unwrap();
    }
    assert_eq!((game.slot().weight, game.slot().open), (OPEN as u64, 1));
    assert_eq!(game.world.credit(BURN), U256::from(20 * (BOND_C / 4)));
}

#[test]
fn adversary_06_losing_ones_own_disputes_burns_and_hurries_nothing() {
    let (mut game, _) = Lie::Sum.claim(0);
    for nonce in 0..3 {
        game.state = game.rival(RIVAL, nonce);
        game.challenger = RIVAL;
        game.resign(RIVAL).unwrap();
    }
    assert_eq!(game.world.credit(BURN), U256::from(3 * (BOND_C / 4)));
    refused::<Dispute::WindowOpen>(game.finalize());
    for played in games(Lie::Sum, plain(), &[Role::Quitter, Role::Quitter]) {
        assert_eq!(played.status, Status::False);
    }
}

#[test]
fn adversary_07_a_withheld_trace_is_late_and_the_claim_falls() {
    for played in games(Lie::Sum, Role::Liar(Manner { opens: false, ..Manner::PLAIN }), &[]) {
        assert_eq!((played.status, played.money[&alice()]), (Status::False, POT));
    }
}

#[test]
fn adversary_08_stalling_every_turn_to_its_edge_ends_within_the_bound() {
    for manner in [Manner { stalls: true, ..Manner::PLAIN }, Manner { stalls: true, forges: true, ..Manner::PLAIN }] {
        for played in games(Lie::Sum, Role::Liar(manner), &[Role::Wanderer { stalls: true }]) {
            assert!(played.delay <= played.bound);
        }
    }
}

#[test]
fn adversary_09_a_move_in_the_opponents_last_second_leaves_it_the_free_delay() {
    let (mut game, _) = opened(Lie::Sum);
    let at = game.position();
    let start = at.turn_start.max(game.world.host.now());
    game.world.host.warp(start + DELAY + BUDGET - game.world.host.now());
    game.world.host.roll(100);
    game.select(0).unwrap();
    game.reveal().unwrap();
    assert_eq!(game.position().budget_c, 0);
    // at the edge of d the move is legal, a second later it is not
    game.world.host.warp(DELAY + 1);
    game.world.host.roll(100);
    refused::<Dispute::Late>(game.select(0));
    let (mut game, _) = opened(Lie::Sum);
    game.world.host.warp(start + DELAY + BUDGET - game.world.host.now());
    game.world.host.roll(100);
    game.select(0).unwrap();
    game.reveal().unwrap();
    game.world.host.warp(DELAY);
    game.world.host.roll(100);
    game.select(0).unwrap();
}

#[test]
fn adversary_10_an_instant_opening_does_not_starve_a_slow_challenger() {
    let (mut game, _) = Lie::Sum.claim(0);
    game.challenge(CHALLENGER, 0).unwrap();
    let challenged = game.world.host.now();
    game.open_trace().unwrap();
    assert_eq!(game.position().turn_start, challenged + TRACE_TIME);
    game.world.host.warp(TRACE_TIME + DELAY);
    game.world.host.roll(100);
    game.select(0).unwrap();
    assert_eq!(game.position().budget_c, BUDGET);
}

#[test]
fn adversary_11_a_root_exchanged_in_a_reorg_is_not_answered_by_accident() {
    let (mut game, truth) = Lie::Sum.claim(0);
    game.challenge(CHALLENGER, 0).unwrap();
    let before = game.world.host.snapshot();
    game.open_trace().unwrap();
    let prepared = game.select_call(0);
    game.world.host.restore(&before);
    // the same claim with another trace: its output is the claimed one, another value is not
    let (mut second, _) = Lie::Sum.claim(0);
    second.commit.values[2].bytes[0] ^= 1;
    let exchanged = crate::dispute::commit::Commit::new(second.commit.values.clone());
    assert_ne!(exchanged.tree.root(), game.commit.tree.root());
    game.commit = exchanged;
    game.open_trace().unwrap();
    refused::<Dispute::BadHash>(game.play(CHALLENGER, &prepared));
    assert_ne!(truth.tree.root(), game.commit.tree.root());
}

#[test]
fn adversary_12_a_root_opened_after_the_window_binds_nobody() {
    for (late, counts) in [(0, true), (1, false)] {
        let (mut game, _) = Lie::Dead.claim(0);
        game.world.host.warp(WINDOW - ROOT_WINDOW - TRACE_TIME + late);
        game.challenge(CHALLENGER, 0).unwrap();
        game.world.host.warp(TRACE_TIME);
        game.open_trace().unwrap();
        game.resign(CHALLENGER).unwrap();
        game.world.pass(WINDOW);
        game.finalize().unwrap();
        let authoritative = game.world.view(&Dispute::isRootAuthoritativeCall { claimId: game.id });
        assert_eq!((game.slot().status, authoritative), (Status::Final, counts));
    }
}

#[test]
fn adversary_13_junk_is_refused_and_runs_on_ones_own_clock() {
    let (mut game, _) = opened(Lie::Sum);
    game.select(0).unwrap();
    let good = game.reveal_call();
    for children in [vec![], vec![B256::ZERO; good.children.len()], [&good.children[..], &[B256::ZERO]].concat()] {
        let call = Dispute::revealCall { children, ..good.clone() };
        assert!(game.play(SUBMITTER, &call).is_err());
    }
    game.world.pass(BUDGET + DELAY + 10);
    game.timeout(STRANGER).unwrap();
    assert_eq!(game.slot().status, Status::False);
}

#[test]
fn adversary_14_a_strangers_partials_are_refused() {
    let (mut game, _) = opened(Lie::Sum);
    let leaf = game.leaf_number(1, SUMS);
    game.walk_to_leaf(leaf, 7);
    game.select_element(7).unwrap();
    let call = answer(&mut game, false).unwrap();
    let dispute = game.world.dispute;
    let outcome = game.world.host.call(STRANGER, dispute, U256::ZERO, call.data.clone());
    refused::<Dispute::WrongPlayer>(outcome);
    game.world.host.call(SUBMITTER, dispute, U256::ZERO, call.data).unwrap();
}

#[test]
fn adversary_15_a_task_claimed_a_hundred_times_costs_a_hundred_bonds() {
    let (mut game, _) = Lie::None.claim(0);
    for nonce in 1..=100 {
        let call = Dispute::claimCall { taskId: game.claim.taskId, T: 3, nonce, output: game.output.clone() };
        refused::<Dispute::BadValue>(game.world.send(RIVAL, 0, &call));
        game.world.send(RIVAL, BOND_S, &call).unwrap();
        refused::<Dispute::IdUsed>(game.world.send(RIVAL, BOND_S, &call));
    }
    assert_eq!(game.held(), U256::from(101_u64) * U256::from(BOND_S));
    // one of them falling touches no other
    game.challenge(CHALLENGER, 0).unwrap();
    game.world.pass(TRACE_TIME + DELAY + 1);
    game.timeout(STRANGER).unwrap();
    let other = Dispute::Claim { submitter: RIVAL, nonce: 1, ..game.claim.clone() };
    game.world.pass(WINDOW);
    game.world.send(STRANGER, 0, &Dispute::finalizeCall { c: other }).unwrap();
}

#[test]
fn adversary_16_every_false_claim_repays_its_challenger() {
    for lie in [Lie::Sum, Lie::Output, Lie::Counter, Lie::Element, Lie::Header, Lie::Length] {
        for played in games(lie, plain(), &[]) {
            assert_eq!(played.status, Status::False);
            assert!(played.net(alice()) > 0, "{lie:?}");
            assert!(played.money[&SUBMITTER] <= -i128::from(BOND_S / 2));
        }
    }
}

#[test]
fn adversary_17_a_liar_that_slashes_itself_loses_the_burnt_share() {
    let (mut game, truth) = Lie::Sum.claim(0);
    game.state = game.rival(SUBMITTER, 0);
    game.challenger = SUBMITTER;
    game.open_trace().unwrap();
    let call = prove_now(&mut game, &truth).unwrap();
    let dispute = game.world.dispute;
    let receipt = game.world.host.call(SUBMITTER, dispute, U256::ZERO, call.data).unwrap();
    let state = crate::dispute::world::last_state(&receipt).unwrap();
    game.settle(&state).unwrap();
    assert_eq!(game.world.credit(SUBMITTER), U256::from(BOND_S - BOND_S / 2 + BOND_C));
    assert_eq!(game.world.credit(BURN), U256::from(BOND_S / 2));
}

#[test]
fn adversary_19_a_false_challenger_that_never_moves_loses_its_bond() {
    for played in games(Lie::None, Role::Submitter, &[Role::Idle { late: false }]) {
        assert_eq!(played.status, Status::Final);
        assert_eq!(played.money.get(&other(0)).copied().unwrap_or(-LOST), -LOST);
    }
}

#[test]
fn adversary_20_a_false_challenger_that_plays_on_pays_what_it_caused() {
    for played in games(Lie::None, Role::Submitter, &[Role::Wanderer { stalls: false }]) {
        assert_eq!(played.status, Status::Final);
        // on a foul chain it may have come too late to be there at all
        assert!(played.money[&SUBMITTER] == 0 || played.net(SUBMITTER) >= 0);
    }
}

#[test]
fn adversary_21_many_at_the_end_of_the_window_leave_the_bound() {
    let late = Role::Idle { late: true };
    for played in games(Lie::None, Role::Submitter, &[late, late, late, late, late, late]) {
        assert_eq!(played.status, Status::Final);
        assert!(played.delay <= played.bound);
    }
}

#[test]
fn adversary_22_after_the_window_nobody_challenges_and_the_claim_is_final_iff_undisputed() {
    let (mut game, _) = Lie::Sum.claim(0);
    let claimed = game.slot().claimed_at;
    let now = game.world.host.now();
    game.world.host.warp(claimed + WINDOW - 1 - now);
    refused::<Dispute::WindowOpen>(game.finalize());
    game.challenge(CHALLENGER, 0).unwrap();
    game.world.host.warp(1);
    refused::<Dispute::WindowClosed>(game.challenge(RIVAL, 0));
    refused::<Dispute::DisputesOpen>(game.finalize());
    game.resign(CHALLENGER).unwrap();
    game.finalize().unwrap();
}

#[test]
fn adversary_23_every_leaf_of_a_batch_disputed_costs_a_bond_each() {
    let (mut game, batched, _) = Lie::None.batch(0);
    let before = game.held();
    for j in 0..batched.entries.len() as u16 {
        refused::<Dispute::BadValue>(game.world.send(RIVAL, BOND_C - 1, &batched.challenge_call(j, 0)));
        game.world.send(RIVAL, BOND_C, &batched.challenge_call(j, 0)).unwrap();
    }
    assert_eq!(game.held() - before, U256::from(BOND_C * batched.entries.len() as u64));
    // each leaf has a clock of its own for its trace
    game.open_trace().unwrap();
    assert_eq!(game.slot().stage, Stage::Opened);
}

#[test]
fn adversary_24_the_same_dispute_again_is_refused() {
    let (mut game, _) = opened(Lie::Sum);
    refused::<Dispute::IdUsed>(game.challenge(CHALLENGER, 0));
    game.resign(CHALLENGER).unwrap();
    refused::<Dispute::IdUsed>(game.challenge(CHALLENGER, 0));
    game.challenge(CHALLENGER, 1).unwrap();
}

#[test]
fn adversary_25_copycats_never_push_the_finder_below_its_cost() {
    for played in games(Lie::Sum, plain(), &[Role::Copycat, Role::Copycat, Role::Copycat]) {
        assert!(played.net(alice()) >= 0);
    }
    // and once the trace is late nobody joins
    let (mut game, _) = Lie::Sum.claim(0);
    game.challenge(CHALLENGER, 0).unwrap();
    game.world.pass(TRACE_TIME + DELAY + 1);
    refused::<Dispute::TraceIsLate>(game.challenge(RIVAL, 0));
}

#[test]
fn adversary_26_a_copied_proof_without_a_dispute_is_a_block_too_late() {
    let (mut game, truth) = opened(Lie::Sum);
    let dispute = game.world.dispute;
    game.world.host.hold_block(true);
    let theirs = game.rival(RIVAL, 0);
    let mine = std::mem::replace(&mut game.state, theirs);
    game.challenger = RIVAL;
    let copy = prove_now(&mut game, &truth).unwrap();
    refused::<Dispute::TooEarly>(game.world.host.call(RIVAL, dispute, U256::ZERO, copy.data.clone()));
    (game.state, game.challenger) = (mine, CHALLENGER);
    let call = prove_now(&mut game, &truth).unwrap();
    game.world.host.call(CHALLENGER, dispute, U256::ZERO, call.data).unwrap();
    refused::<Dispute::ClaimNotPending>(game.world.host.call(RIVAL, dispute, U256::ZERO, copy.data));
    game.world.host.hold_block(false);
}

#[test]
fn adversary_27_copied_moves_are_refused_or_do_the_same() {
    let (mut game, _) = opened(Lie::Sum);
    let select = game.select_call(0);
    refused::<Dispute::WrongPlayer>(game.play(RIVAL, &select));
    game.play(CHALLENGER, &select).unwrap();
    let reveal = game.reveal_call();
    game.play(STRANGER, &reveal).unwrap();
    let after = game.state.clone();
    refused::<Dispute::WrongState>(game.world.send(SUBMITTER, 0, &reveal));
    assert_eq!(game.state, after);
    game.select(0).unwrap();
}

#[test]
fn adversary_28_censoring_shorter_than_the_budget_changes_nothing() {
    let (mut game, _) = opened(Lie::Sum);
    let start = game.position().turn_start;
    game.world.host.warp(start + DELAY + BUDGET - game.world.host.now());
    game.world.host.roll(1_000);
    refused::<Dispute::NotLate>(game.timeout(STRANGER));
    game.select(0).unwrap();
    // one second longer, it is lost
    let (mut game, _) = opened(Lie::Sum);
    game.world.host.warp(start + DELAY + BUDGET + 1 - game.world.host.now());
    game.world.host.roll(1_000);
    refused::<Dispute::Late>(game.select(0));
}

#[test]
fn adversary_30_a_halt_and_a_leap_in_time_lose_nobody_the_game() {
    let (mut game, _) = opened(Lie::Sum);
    game.world.host.warp(100 * BUDGET);
    for _ in 2..MIN_BLOCKS {
        refused::<Dispute::NotLate>(game.timeout(STRANGER));
    }
    game.select(0).unwrap();
    for played in [0, 1, 2].map(|seed| {
        let agents = vec![
            Agent::new(SUBMITTER, plain()),
            Agent::new(STRANGER, Role::Keeper),
            Agent::new(alice(), Role::Challenger),
        ];
        Sim::new(seed, Lie::Sum, 0, false, Weather::Halting, agents).play()
    }) {
        assert_eq!(played.status, Status::False);
    }
}

#[test]
fn adversary_31_a_drifting_clock_is_covered_by_the_free_delay() {
    // a producer that shifts an interval by d/2 takes nothing from the budget
    let (mut game, _) = opened(Lie::Sum);
    let start = game.position().turn_start;
    game.world.host.warp(start + DELAY / 2 + DELAY / 2 - game.world.host.now());
    game.select(0).unwrap();
    assert_eq!(game.position().budget_c, BUDGET);
}

#[test]
fn adversary_32_a_payee_that_refuses_or_re_enters_hurts_itself_alone() {
    use crate::dispute::money::{act, puppet};
    let (mut game, truth) = Lie::Sum.claim(0);
    let hostile = puppet(&mut game.world);
    let call = Dispute::challengeCall { claimId: game.id, nonce: 0 };
    let receipt = act(&mut game, hostile, BOND_C, 5_000_000, &call).unwrap();
    let theirs = crate::dispute::world::last_state(&receipt).unwrap();
    game.challenge(CHALLENGER, 0).unwrap();
    game.open_trace().unwrap();
    let call = prove_now(&mut game, &truth).unwrap();
    let dispute = game.world.dispute;
    let receipt = game.world.host.call(CHALLENGER, dispute, U256::ZERO, call.data).unwrap();
    let ours = crate::dispute::world::last_state(&receipt).unwrap();
    let refuse = crate::dispute::money::Puppet::setCall {
        refuses_: true,
        target_: dispute,
        answer_: alloy_primitives::Bytes::new(),
    };
    game.world.host.send(STRANGER, hostile, U256::ZERO, &refuse).unwrap();
    game.settle(&theirs).unwrap();
    game.settle(&ours).unwrap();
    refused::<Dispute::TransferFailed>(act(&mut game, hostile, 0, 5_000_000, &Dispute::withdrawCall {}));
    game.world.send(CHALLENGER, 0, &Dispute::withdrawCall {}).unwrap();
    assert!(game.world.credit(hostile) > U256::from(BOND_C));
}

#[test]
fn adversary_33_a_strangers_settlement_credits_the_challenger() {
    let (mut game, truth) = opened(Lie::Sum);
    let call = prove_now(&mut game, &truth).unwrap();
    let dispute = game.world.dispute;
    let receipt = game.world.host.call(CHALLENGER, dispute, U256::ZERO, call.data).unwrap();
    let state = crate::dispute::world::last_state(&receipt).unwrap();
    game.world.send(STRANGER, 0, &Dispute::settleCall { state }).unwrap();
    assert_eq!(game.world.credit(STRANGER), U256::ZERO);
    assert_eq!(game.world.credit(CHALLENGER), U256::from((POT + LOST) as u128));
}

#[test]
fn adversary_34_a_late_player_does_not_move_before_it_is_timed_out() {
    let (mut game, truth) = opened(Lie::Sum);
    game.world.pass(TRACE_TIME + DELAY + BUDGET + 10);
    refused::<Dispute::Late>(game.select(0));
    let dispute = game.world.dispute;
    let call = prove_now(&mut game, &truth).unwrap();
    refused::<Dispute::Late>(game.world.host.call(STRANGER, dispute, U256::ZERO, call.data));
    game.timeout(STRANGER).unwrap();
}

#[test]
fn adversary_35_a_late_challenger_of_a_claim_that_falls_elsewhere_has_its_bond_and_share() {
    let (mut game, truth) = opened(Lie::Sum);
    game.world.pass(TRACE_TIME + DELAY + BUDGET + 10);
    let ours = game.rival(RIVAL, 0);
    let late = std::mem::replace(&mut game.state, ours);
    game.challenger = RIVAL;
    let call = prove_now(&mut game, &truth).unwrap();
    let dispute = game.world.dispute;
    let receipt = game.world.host.call(RIVAL, dispute, U256::ZERO, call.data).unwrap();
    let ours = crate::dispute::world::last_state(&receipt).unwrap();
    game.settle(&ours).unwrap();
    game.settle(&late).unwrap();
    let share = POT * OPEN / (2 * OPEN + PROVE);
    assert_eq!(game.world.credit(CHALLENGER), U256::from((LOST + share) as u128));
}

#[test]
fn adversary_36_dust_waits_for_the_last_settlement() {
    let (mut game, truth) = opened(Lie::Sum);
    let states: Vec<_> = (0..6).map(|nonce| game.rival(RIVAL, nonce)).collect();
    let call = prove_now(&mut game, &truth).unwrap();
    let dispute = game.world.dispute;
    let receipt = game.world.host.call(CHALLENGER, dispute, U256::ZERO, call.data).unwrap();
    let mut all = vec![crate::dispute::world::last_state(&receipt).unwrap()];
    all.extend(states);
    for (n, state) in all.iter().enumerate() {
        assert_eq!(game.world.credit(BURN), U256::ZERO, "before settlement {n}");
        game.settle(state).unwrap();
    }
    let dust = game.world.credit(BURN).to::<u64>() - BOND_S / 2;
    assert!(dust < 7, "{dust} wei");
    let total = [CHALLENGER, RIVAL, BURN].map(|account| game.world.credit(account)).iter().sum::<U256>();
    assert_eq!(total, game.held());
}

#[test]
fn a_dispute_walks_the_way_of_the_first_difference() {
    // the honest strategy of the lab, against every lie, ends at its own kind of proof
    let sample = looping();
    for (lie, last) in [(Lie::Sum, Kind::ElementPartials), (Lie::Element, Kind::Leaf), (Lie::Length, Kind::TraceOpen)] {
        let (mut game, truth) = opened(lie);
        let dispute = game.world.dispute;
        let mut kind = Kind::TraceOpen;
        while game.slot().status == Status::Pending {
            kind = game.position().kind;
            let posted = if kind >= Kind::ElementPartials { game.partials() } else { vec![] };
            let call = if kind.submitter_turn() {
                answer(&mut game, false).unwrap()
            } else {
                super::agents::attack(&mut game, &truth, &posted, 0).unwrap()
            };
            let receipt = game.world.host.call(call.from, dispute, U256::ZERO, call.data).unwrap();
            game.state = crate::dispute::world::last_state(&receipt).unwrap();
        }
        assert_eq!(kind, last, "{lie:?}");
    }
    assert_eq!(sample.length, 3);
}

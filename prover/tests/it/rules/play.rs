//! Who is paid, and whose time it is.

use alloy_primitives::U256;
use opml_bisection::{
    Arena, Move, MoveKind, Outcome, Party, Refused,
    players::{Corrupted, Idea},
    suite::{Scenario, World, run_one},
};
use opml_contracts::abi::Dispute;
use opml_prover::chain::{CHALLENGER, ETHER, FUNDS, OPERATOR, bond_of_submitter};

use super::{
    table::{Table, claim_of, reverts},
    worlds::{SUM, five, halting, honest},
};

#[test]
fn rule_30_whoever_sends_a_proof_the_disputes_challenger_is_paid() {
    let world = five();
    let run = honest(&world);
    let lie = Corrupted::new(&run, world.rules()).flip(SUM, 0, 1).unwrap();
    for sender in [Party::Stranger, Party::Submitter, Party::Challenger] {
        let mut table = Table::opened(&world, 4, 1, &lie);
        let proof = table.idea(Idea::Element(SUM, 0));
        assert!(proof.kind().by_anybody());
        // A copy of the pending proof, sent first by somebody else.
        table.play_as(sender, &proof);
        let won = Outcome { winner: Party::Challenger, end: opml_bisection::End::Proof(MoveKind::ProveElement) };
        assert_eq!((table.pure.outcome(), table.contract.outcome()), (Some(won), Some(won)));
        table.refuse_as::<Dispute::ClaimNotPending>(Party::Challenger, &proof, &Refused::Over);
        assert_eq!(table.contract.chain().balance(OPERATOR), U256::ZERO);
        table.contract.settle().unwrap();
        let chain = table.contract.chain();
        assert_eq!(chain.credit(OPERATOR).unwrap() + chain.balance(OPERATOR), U256::ZERO);
        assert_eq!(chain.balance(CHALLENGER), U256::from(FUNDS + bond_of_submitter() / 2));
        assert_eq!(bond_of_submitter(), ETHER);
    }
}

#[test]
fn rule_30_a_proof_waits_for_a_block_after_its_challenge() {
    // An outsider who sees a proof pending cannot open a dispute of its own and prove in the same block.
    let world = five();
    let run = honest(&world);
    let lie = Corrupted::new(&run, world.rules()).flip(SUM, 0, 1).unwrap();
    let mut table = Table::of(&world, claim_of(&world, 4, 1, &lie), &lie);
    table.answer();
    for idea in [Idea::Element(SUM, 0), Idea::Header(SUM)] {
        let proof = table.idea(idea);
        for sender in [Party::Challenger, Party::Stranger] {
            table.refuse_as::<Dispute::TooEarly>(sender, &proof, &Refused::TooEarly);
        }
    }
    // Time is no block; a block is enough.
    table.advance(1_000, 0);
    table.refuse::<Dispute::TooEarly>(&table.idea(Idea::Element(SUM, 0)), &Refused::TooEarly);
    table.advance(0, 1);
    table.proves(&table.idea(Idea::Element(SUM, 0)));
}

#[test]
fn rule_30_what_is_not_determined_by_a_hash_is_the_players_own() {
    let world = five();
    let run = honest(&world);
    let mut table = Table::honest(&world, 4, &run);
    let select = table.idea(Idea::Select(SUM));
    for who in [Party::Submitter, Party::Stranger] {
        table.refuse_as::<Dispute::WrongPlayer>(who, &select, &Refused::NotYours(who));
    }
    table.play(&select);
    // A reveal is what the hash says, whoever sends it.
    table.play_as(Party::Stranger, &table.due());
    let cut = table.idea(Idea::Cut(0));
    table.refuse_as::<Dispute::WrongPlayer>(Party::Submitter, &cut, &Refused::NotYours(Party::Submitter));
    table.play(&cut);
    let partials = table.due();
    for who in [Party::Challenger, Party::Stranger] {
        table.refuse_as::<Dispute::WrongPlayer>(who, &partials, &Refused::NotYours(who));
    }
    table.play(&partials);
    let Move::RevealPartials { partials } = partials else { panic!() };
    let part = Move::SelectPartial { part: 0, partials };
    table.refuse_as::<Dispute::WrongPlayer>(Party::Stranger, &part, &Refused::NotYours(Party::Stranger));
    table.play(&part);
}

#[test]
fn rule_34_the_submitters_time_for_the_trace_is_its_own() {
    let world = five();
    let run = honest(&world);
    let timing = world.timing();
    let claim = claim_of(&world, 4, 1, &run);
    // All of it, to the last second, costs nothing of the budget.
    let mut table = Table::of(&world, claim, &run);
    table.advance(timing.trace + timing.delay, 100);
    table.in_time();
    table.answer();
    table.play(&table.idea(Idea::Select(SUM)));
    table.advance(timing.budget + timing.delay, 100);
    table.in_time();
    table.answer();
    // A second more is too late, but not before enough blocks.
    let mut table = Table::of(&world, claim, &run);
    table.advance(timing.trace + timing.delay + 1, timing.min_blocks - 1);
    table.in_time();
    table.advance(0, 1);
    table.refuse::<Dispute::TraceIsLate>(&table.due(), &Refused::Late);
    table.late();
}

#[test]
fn rule_34_the_challenger_has_the_same_time_before_its_first_turn() {
    let world = five();
    let run = honest(&world);
    let timing = world.timing();
    // However soon the trace is opened, the challenger may compute it too, and then has its delay and its budget.
    for opened in [0, 1, timing.trace - 1] {
        let edge = timing.trace + timing.delay + timing.budget;
        let mut table = Table::of(&world, claim_of(&world, 4, 1, &run), &run);
        table.advance(opened, 1);
        table.answer();
        table.advance(edge - opened, 100);
        table.in_time();
        table.play(&table.idea(Idea::Select(0)));
        let clock = table.pure.game().clock().unwrap();
        assert_eq!((clock.challenger, clock.submitter), (0, timing.budget));
        let mut table = Table::of(&world, claim_of(&world, 4, 1, &run), &run);
        table.advance(opened, 1);
        table.answer();
        table.advance(edge - opened + 1, 100);
        table.refuse::<Dispute::Late>(&table.idea(Idea::Select(0)), &Refused::Late);
        assert_eq!(table.late().winner, Party::Submitter);
    }
    // The later one of the two counts: here the trace, opened at the last second.
    let mut table = Table::of(&world, claim_of(&world, 4, 1, &run), &run);
    table.advance(timing.trace + timing.delay, 100);
    table.answer();
    table.advance(timing.delay + timing.budget, 100);
    table.in_time();
    table.advance(1, 0);
    table.late();
}

#[test]
fn rule_34_all_edges_of_the_clocks() {
    for (world, seed) in [(five(), 1), (halting(), 2)] {
        run_one(&world, Scenario::Clocks, 2, seed).unwrap();
    }
}

#[test]
fn rule_34_a_challenge_to_a_trace_already_open_has_the_allowance_too() {
    // Only the chain has several disputes of one claim.
    let world = five();
    let run = honest(&world);
    let mut table = Table::honest(&world, 4, &run);
    let timing = world.timing();
    let claim_id = table.contract.on_chain().id;
    let bond = U256::from(table.contract.chain().tier().bondC);
    let challenge = Dispute::challengeCall { claimId: claim_id, nonce: 777 };
    table.advance(timing.trace, 10);
    let (_, receipt) = table.send(CHALLENGER, bond, &challenge).unwrap();
    let state = receipt.logs.iter().find_map(opml_contracts::dispute::state_after).unwrap().1;
    let claim = table.contract.on_chain().claim.clone();
    let late = Dispute::claimTimeoutCall { state, c: claim };
    table.contract.advance(timing.trace + timing.delay + timing.budget, 100);
    reverts::<Dispute::NotLate, _>(table.send(OPERATOR, U256::ZERO, &late));
    table.contract.advance(1, 0);
    table.send(OPERATOR, U256::ZERO, &late).unwrap();
}

//! A client that has nothing but the chain: it rebuilds what it must know from events before each of its moves.

use alloy_sol_types::SolEventInterface;
use opml_bisection::{Arena, Claim, Header, Party, Policy, honest_challenger, players::Corrupted, suite::World};
use opml_contracts::{
    abi::Dispute::{self, DisputeEvents},
    dispute::Sizes,
};
use opml_prover::chain::{Chain, Replay};

use super::{
    table::{Table, claim_of},
    worlds::{EMPTY, OUTPUT, SMALL, SUM, WIDE, five, halting, honest},
};
use crate::world::VmWorld;

/// The claim in dispute, from the events that made its model, its task and itself known.
fn claim_from_chain(world: &VmWorld, right: &Claim, output: &[u8]) -> Claim {
    let mut chain = Chain::new(u8::try_from(right.arity_log2).unwrap()).unwrap();
    let task = chain.open_task(world.program(), world.inputs(), right.max_length).unwrap();
    let (_, receipt) = chain.claim(&task, right.length, output, None).unwrap();
    let event = receipt.logs.iter().find_map(|log| match DisputeEvents::decode_log(log).unwrap().data {
        DisputeEvents::Claimed(event) => Some(event),
        _ => None,
    });
    let event = event.unwrap();
    assert_eq!(event.output.as_ref(), output);
    let call = Dispute::taskOfCall { taskId: event.taskId };
    let (header, _) = chain.send("taskOf", opml_prover::chain::OPERATOR, alloy_primitives::U256::ZERO, &call).unwrap();
    let sizes = Sizes::unpack(header);
    Claim {
        instructions: sizes.instructions,
        output_at: sizes.output,
        halt_at: (sizes.halt != u32::MAX).then_some(sizes.halt),
        max_length: sizes.max_t,
        length: event.claim.T,
        output: event.claim.outputHash.0,
        arity_log2: chain.tier().arityLog2.into(),
    }
}

/// Plays a liar to its end; the challenger starts anew before each move, the pure game beside it.
fn restarts(world: &VmWorld, mut table: Table<'_>, own: &dyn opml_bisection::Trace) {
    let output = table.contract.on_chain().output.clone();
    let claim = claim_from_chain(world, &table.claim, &output);
    assert_eq!(claim, table.claim);
    let rules = world.rules();
    for _ in 0..200 {
        let client = Replay::of(&claim, rules, table.contract.logs()).unwrap();
        let position = client.record.position(&claim);
        assert_eq!(position, table.pure.position());
        assert_eq!(client.revealed, table.revealed, "what the events say is all that was revealed");
        if table.turn() == Party::Submitter {
            table.answer();
            continue;
        }
        let policy = Policy { max_terms: 20 };
        let at = position.unwrap();
        let mv = honest_challenger(&policy, &claim, &at, &client.revealed, own, rules).unwrap().unwrap();
        table.play(&mv);
        if let Some(outcome) = table.contract.outcome() {
            assert_eq!(outcome.winner, Party::Challenger);
            return;
        }
    }
    panic!("no end");
}

#[test]
fn rule_31_a_challenger_that_has_only_the_chain_wins() {
    let world = five();
    let run = honest(&world);
    for arity_log2 in [1, 2, 4] {
        for (leaf, byte) in [(WIDE, 300), (WIDE, 0), (SMALL, 1), (OUTPUT, 3), (SUM, 9)] {
            let lie = Corrupted::new(&run, world.rules()).flip(leaf, byte, 4).unwrap();
            restarts(&world, Table::of_next_block(&world, claim_of(&world, arity_log2, 1, &lie), &lie), &run);
        }
        let header = Header { dtype: 0, elements: 2 };
        let lie = Corrupted::new(&run, world.rules()).value(EMPTY, header, vec![1, 2]);
        restarts(&world, Table::of_next_block(&world, claim_of(&world, arity_log2, 1, &lie), &lie), &run);
    }
}

#[test]
fn rule_31_a_late_halt_is_proved_from_the_chain_alone() {
    let world = halting();
    let run = world.run(5).unwrap();
    restarts(&world, Table::of_next_block(&world, claim_of(&world, 1, 5, &run), &run), &run);
}

#[test]
fn rule_31_refused_calls_leave_no_event() {
    let world = five();
    let run = honest(&world);
    let mut table = Table::honest(&world, 4, &run);
    let before = table.contract.logs().to_vec();
    table.refuse::<Dispute::NoContradiction>(
        &table.idea(opml_bisection::players::Idea::Element(SUM, 0)),
        &opml_bisection::Refused::NoFault,
    );
    assert_eq!(table.contract.logs(), before);
}

//! What can happen to an honest player's own transactions.

use alloy_primitives::U256;
use opml_bisection::{
    Arena, End, Move, MoveKind, Party, Policy, Position, Refused, honest_challenger, honest_submitter,
    players::{Corrupted, Idea},
    suite::World,
};
use opml_contracts::{
    abi::{Dispute, StepVerifier},
    dispute::state_after,
};
use opml_prover::chain::SUBMITTER;
use opml_vm::{DType, Opcode, Program, Reducer, testing::Build};

use crate::{
    rules::{
        table::{Table, reverts},
        worlds::{SMALL, SUM, WIDE, five, honest},
    },
    world::VmWorld,
};

#[test]
fn fault_a_copy_of_an_own_move_is_sent_first() {
    let world = five();
    let run = honest(&world);
    // A stranger reveals what the submitter was about to: the submitter's own is refused, and the game is where it would be.
    let mut table = Table::honest(&world, 4, &run);
    table.play(&table.idea(Idea::Select(WIDE)));
    let due = table.due();
    table.play_as(Party::Stranger, &due);
    let there = table.at();
    table.refuse_as::<Dispute::WrongKind>(Party::Submitter, &due, &Refused::NotHere(MoveKind::RevealHeader));
    assert_eq!(table.at(), there);
    // The same for a leaf, by the challenger.
    table.play(&table.idea(Idea::Select(0)));
    let due = table.due();
    table.play_as(Party::Challenger, &due);
    table.refuse_as::<Dispute::WrongKind>(Party::Submitter, &due, &Refused::NotHere(MoveKind::RevealLeaf));
    // And for a proof: the payee stays.
    let lie = Corrupted::new(&run, world.rules()).flip(SUM, 0, 1).unwrap();
    let mut table = Table::opened(&world, 4, 1, &lie);
    let proof = table.idea(Idea::Element(SUM, 0));
    table.play_as(Party::Submitter, &proof);
    table.won_by(MoveKind::ProveElement);
}

#[test]
fn fault_a_move_is_sent_twice() {
    // After a crash between sending and knowing, a client sends again: the second is refused and does no harm.
    let world = five();
    let run = honest(&world);
    let lie = Corrupted::new(&run, world.rules()).flip(WIDE, 0, 1).unwrap();
    let mut table = Table::opened(&world, 1, 1, &lie);
    while table.contract_open() {
        let at = table.at();
        let who = at.turn();
        let mv = if who == Party::Submitter {
            table.due()
        } else {
            let policy = Policy::default();
            let decide = || {
                honest_challenger(&policy, &table.claim, &at, &table.revealed, &run, world.rules()).unwrap().unwrap()
            };
            let mv = decide();
            assert_eq!(mv, decide(), "a client that decides again decides the same");
            mv
        };
        table.play(&mv);
        assert!(table.pure.play(who, &mv).is_err());
        assert!(table.contract.play(who, &mv).is_err());
        assert_eq!(table.pure.position(), table.contract.position());
    }
    table.won_by(MoveKind::ProveElement);
}

#[test]
fn fault_a_refused_move_is_not_repeated() {
    // A wrong answer costs nothing but time; the right one is still taken.
    let world = five();
    let run = honest(&world);
    let mut table = Table::honest(&world, 4, &run);
    table.play(&table.idea(Idea::Select(SUM)));
    let due = table.due();
    let Move::RevealHeader { dtype, elements, root, below } = due.clone() else { panic!() };
    for _ in 0..3 {
        let wrong = Move::RevealHeader { dtype, elements: elements + 1, root, below: below.clone() };
        table.refuse::<Dispute::BadHash>(&wrong, &Refused::Opening);
        table.advance(1, 1);
    }
    table.play(&due);
}

/// The program of [`five`], with another maximum.
fn other() -> VmWorld {
    let world = five();
    let mut instructions = world.program().instructions().to_vec();
    instructions[1] = Build::new(DType::U8, Reducer::Min, &[3], &[3]).op(Opcode::Add, [1, 9, 0]).done();
    let program = Program::new(instructions, Vec::new(), world.program().inputs().to_vec(), 3, None).unwrap();
    VmWorld::new(program, world.inputs().to_vec(), 1)
}

#[test]
fn fault_a_client_has_another_program() {
    // It takes an honest claim for a lie. Its proof opens an instruction that is not the model's: refused, it loses by time alone.
    let world = five();
    let run = honest(&world);
    let mine = honest(&other());
    assert_ne!(other().program().roots().program, world.program().roots().program);
    let mut table = Table::honest(&world, 4, &run);
    let policy = Policy::default();
    let mut mv;
    loop {
        let at = table.at();
        mv = honest_challenger(&policy, &table.claim, &at, &table.revealed, &mine, world.rules()).unwrap().unwrap();
        if mv.kind().is_proof() {
            break;
        }
        table.play(&mv);
        table.answer();
    }
    assert!(matches!(table.at(), Position::Leaf(tensor, _) if tensor.leaf == SMALL));
    let refused = table.pure.play(Party::Challenger, &mv);
    assert!(matches!(refused, Err(Refused::Step(_))), "{refused:?}");
    reverts::<StepVerifier::WrongInstruction, _>(table.contract.play(Party::Challenger, &mv));
    table.stalls();
}

#[test]
fn fault_a_liar_posts_more_bytes_than_its_partials_need() {
    // The contract takes any width up to 16 bytes and remembers the hash of what was posted: a client that sends the partials again
    // must send those bytes, not its own.
    let world = five();
    let run = honest(&world);
    let lie = Corrupted::new(&run, world.rules()).flip(SUM, 0, 1).unwrap();
    for (width, policy) in [(4, Policy { max_terms: 64 }), (11, Policy { max_terms: 1 }), (16, Policy { max_terms: 5 })]
    {
        let mut table = Table::opened(&world, 4, 1, &lie).walk_to(SUM);
        table.play(&table.idea(Idea::Cut(0)));
        let mut widened = false;
        while table.contract.outcome().is_none() {
            let at = table.contract.position().unwrap();
            if at.turn() == Party::Challenger {
                let mv = honest_challenger(&policy, &table.claim, &at, &table.revealed, &run, world.rules());
                table.contract.play(Party::Challenger, &mv.unwrap().unwrap()).unwrap();
                continue;
            }
            let mv = honest_submitter(&table.claim, Some(&at), &lie, world.rules()).unwrap().unwrap();
            let Move::RevealPartials { mut partials } = mv else { panic!() };
            if !widened {
                partials[15] += 1;
            } else if let Position::Slice(_, slice) = at {
                let total: i128 = partials.iter().sum();
                partials[0] += slice.value - total;
            }
            let state = table.contract.logs().iter().filter_map(state_after).last().unwrap().1;
            let bytes: Vec<u8> = partials.iter().flat_map(|p| p.to_be_bytes()[16 - width..].to_vec()).collect();
            let c = table.contract.on_chain().claim.clone();
            let call = Dispute::revealPartialsCall { state, c, partials: bytes.into() };
            let (_, receipt) = table.send(SUBMITTER, U256::ZERO, &call).unwrap();
            table.contract.watch(&receipt.logs, End::Timeout);
            table.revealed.observe(&table.claim, Some(&at), &Move::RevealPartials { partials }, world.rules());
            widened = true;
        }
        assert_eq!(table.contract.outcome().unwrap().winner, Party::Challenger, "{width} bytes");
    }
}

#[test]
fn fault_the_events_of_another_dispute_are_taken_for_its_own() {
    // A liar plays disputes of its own on the same claim: their states, and their end, are not those of the honest one.
    let world = five();
    let run = honest(&world);
    let lie = Corrupted::new(&run, world.rules()).flip(SUM, 0, 1).unwrap();
    let mut table = Table::opened(&world, 4, 1, &lie);
    let there = table.at();
    let Move::Select { child, hash, proof } = table.idea(Idea::Select(SUM)) else { panic!() };
    let (id, c) = (table.contract.on_chain().id, table.contract.on_chain().claim.clone());
    let bond = U256::from(table.contract.chain().tier().bondC);
    let rival = |table: &mut Table<'_>, nonce| {
        let (_, receipt) = table.send(SUBMITTER, bond, &Dispute::challengeCall { claimId: id, nonce }).unwrap();
        table.contract.watch(&receipt.logs, End::Timeout);
        let state = receipt.logs.iter().find_map(state_after).unwrap().1;
        let (child, siblings) = (U256::from(child), proof.iter().map(Into::into).collect());
        let call = Dispute::selectCall { state, child, hash: hash.into(), siblings };
        let (_, receipt) = table.send(SUBMITTER, U256::ZERO, &call).unwrap();
        table.contract.watch(&receipt.logs, End::Timeout);
        assert_eq!((table.at(), table.contract.outcome()), (there, None));
        receipt.logs.iter().find_map(state_after).unwrap().1
    };
    let (given_up, lost) = (rival(&mut table, 60_000), rival(&mut table, 60_001));
    let (_, receipt) =
        table.send(SUBMITTER, U256::ZERO, &Dispute::resignCall { state: given_up, c: c.clone() }).unwrap();
    table.contract.watch(&receipt.logs, End::Timeout);
    assert_eq!(table.contract.outcome(), None);
    // Where the claim falls by another's dispute, the honest one is settled with its own state.
    table.contract.advance(1_000_000, 10_000);
    let (_, receipt) = table.send(SUBMITTER, U256::ZERO, &Dispute::claimTimeoutCall { state: lost, c }).unwrap();
    table.contract.watch(&receipt.logs, End::Timeout);
    assert_eq!(table.contract.outcome().unwrap().winner, Party::Challenger);
    table.contract.settle().unwrap();
}

//! The way down.

use opml_bisection::{
    Header, Move, MoveKind, Policy, Refused, Trace, ZERO, honest_challenger,
    players::{Corrupted, Idea},
    suite::{Lie, World},
};
use opml_contracts::abi::Dispute;

use crate::rules::{
    table::{Table, claim_of},
    worlds::{OUTPUT, SMALL, SUM, WIDE, five, honest},
};

#[test]
fn fault_an_early_exit_where_the_agreed_value_is_the_claimed_one() {
    // A challenger walks down what is right: at no place does anything give it the dispute.
    let world = five();
    let run = honest(&world);
    for leaf in [WIDE, SMALL, SUM] {
        let mut table = Table::honest(&world, 1, &run);
        loop {
            let at = table.at();
            let all = opml_bisection::players::ideas(&table.claim, &at, &run, world.rules()).unwrap();
            for idea in all.iter().filter(|idea| !matches!(idea, Idea::Select(_) | Idea::Cut(_) | Idea::Part(_))) {
                let proof = table.idea(*idea);
                // A post below the first partials has no place.
                if proof.kind() == MoveKind::ProvePost && at.kind() == 9 {
                    table.refuse::<Dispute::WrongKind>(&proof, &Refused::NotHere(MoveKind::ProvePost));
                } else {
                    table.refuse::<Dispute::NoContradiction>(&proof, &Refused::NoFault);
                }
            }
            let step = match at {
                opml_bisection::Position::TraceOpen(node) => {
                    Idea::Select((leaf >> (node.height - 1)) - (node.index << 1))
                }
                opml_bisection::Position::TensorOpen(..) => Idea::Select(0),
                opml_bisection::Position::Leaf(..) => Idea::Cut(0),
                _ => Idea::Part(0),
            };
            let mv = table.idea(step);
            if let Move::SelectPartial { .. } = mv
                && opml_bisection::Arena::play(&mut table.pure.clone(), opml_bisection::Party::Challenger, &mv).is_err()
            {
                table.refuse::<Dispute::TooSmall>(&mv, &Refused::Terms);
                break;
            }
            table = table.follow(&[step]);
        }
        table.stalls();
    }
}

#[test]
fn fault_of_several_differences_a_later_one_is_named() {
    // Two values differ: the second one because it is computed from the first.
    let world = five();
    let own = honest(&world);
    let wrong = Lie { leaf: SMALL, e: 0, value: own.element(SMALL, 0).unwrap() - 1 };
    let lie = world.tampered(1, &wrong).unwrap().unwrap();
    assert_ne!(own.element(OUTPUT, 0).unwrap(), lie.element(OUTPUT, 0).unwrap());
    let mut table = Table::opened(&world, 4, 1, &lie);
    // The honest one names the leftmost.
    let policy = Policy::default();
    let at = table.at();
    let mv = honest_challenger(&policy, &table.claim, &at, &table.revealed, &own, world.rules()).unwrap().unwrap();
    assert!(matches!(mv, Move::Select { child: SMALL, .. }));
    // From the later one nothing can be proved: by what it reads, it is right.
    table.refuse::<Dispute::NoContradiction>(&table.idea(Idea::Element(OUTPUT, 0)), &Refused::NoFault);
    let mut late = Table::opened(&world, 4, 1, &lie).follow(&[Idea::Select(OUTPUT)]);
    late.refuse::<Dispute::NoContradiction>(&late.idea(Idea::Element(OUTPUT, 0)), &Refused::NoFault);
    late.stalls();
    table.proves(&table.idea(Idea::Element(SMALL, 0)));
}

#[test]
fn fault_of_equal_differences_the_wrong_one_is_named() {
    // Elements 3 and 20 of one leaf, and the same in the other leaf: any of them wins, the honest challenger takes the first.
    let world = five();
    let own = honest(&world);
    let mut bytes = own.bytes(WIDE).unwrap();
    for e in [3, 20, 35] {
        bytes[8 * e] ^= 1;
    }
    let header = Header { dtype: 4, elements: 40 };
    let lie = Corrupted::new(&own, world.rules()).value(WIDE, header, bytes);
    for e in [3, 20, 35] {
        let mut table = Table::opened(&world, 4, 1, &lie);
        table.proves(&table.idea(Idea::Element(WIDE, e)));
    }
    let mut table = Table::opened(&world, 1, 1, &lie);
    while table.contract_open() {
        let at = table.at();
        if at.turn() == opml_bisection::Party::Submitter {
            table.answer();
            continue;
        }
        let policy = Policy { max_terms: 64 };
        let mv = honest_challenger(&policy, &table.claim, &at, &table.revealed, &own, world.rules()).unwrap().unwrap();
        match &mv {
            Move::Select { child, .. } => assert_eq!(*child, 0),
            Move::ProveElement { opening, .. } => assert_eq!(opening.e, 3),
            other => panic!("{:?}", other.kind()),
        }
        table.play(&mv);
    }
    table.won_by(MoveKind::ProveElement);
}

#[test]
fn fault_a_level_is_not_bound_to_the_one_above() {
    let world = five();
    let run = honest(&world);
    // A header with the right hash of another leaf; a tensor leaf of another tensor; bytes of another leaf.
    let mut table = Table::honest(&world, 1, &run).follow(&[Idea::Select(0), Idea::Select(0)]);
    table.play(&table.idea(Idea::Select(0)));
    let other = Table::honest(&world, 6, &run).follow(&[]);
    let mut small = other;
    small.play(&small.idea(Idea::Select(SMALL)));
    let swapped = small.due();
    table.refuse::<Dispute::BadHash>(&swapped, &Refused::Opening);
    table.answer();
    table.play(&table.idea(Idea::Select(1)));
    let bytes = run.tensor_leaf(SUM, 0).unwrap();
    table.refuse::<Dispute::BadHash>(&Move::RevealLeaf { bytes }, &Refused::LeafBytes);
    table.answer();
    let Move::SelectElement { step, .. } = table.idea(Idea::Cut(33)) else { panic!() };
    let bytes = run.tensor_leaf(WIDE, 0).unwrap();
    let cut = Move::SelectElement { bytes, e: 33, step: step.clone() };
    table.refuse::<Dispute::BadHash>(&cut, &Refused::LeafBytes);
    // An element of the other leaf.
    let bytes = run.tensor_leaf(WIDE, 1).unwrap();
    let cut = Move::SelectElement { bytes, e: 31, step };
    table.refuse::<Dispute::BadElement>(&cut, &Refused::Element);
    let mut table = table.follow(&[Idea::Cut(33)]);
    // The element's value is that of the leaf: its partials lead to nothing else.
    table.refuse::<Dispute::NoContradiction>(&table.idea(Idea::Post), &Refused::NoFault);
}

#[test]
fn fault_a_zero_hash_is_taken_for_a_value() {
    let world = five();
    let run = honest(&world);
    let mut table = Table::honest(&world, 1, &run);
    let Move::Select { child, proof, .. } = table.idea(Idea::Select(1)) else { panic!() };
    table.refuse::<Dispute::BadHash>(&Move::Select { child, hash: ZERO, proof }, &Refused::Opening);
    table.play(&table.idea(Idea::Select(1)));
    table.refuse::<Dispute::BadHash>(&Move::Reveal { children: vec![ZERO] }, &Refused::Children);
    // Before the trace is open there is no root 0 to walk from.
    let mut closed = Table::of_next_block(&world, claim_of(&world, 1, 1, &run), &run);
    let select = Move::Select { child: 0, hash: ZERO, proof: vec![ZERO] };
    closed.refuse_as::<Dispute::TraceNotOpened>(
        opml_bisection::Party::Challenger,
        &select,
        &Refused::NotYours(opml_bisection::Party::Challenger),
    );
}

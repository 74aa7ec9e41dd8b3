//! The walk: what can be named, what must be revealed, and what headers and padding are worth.

use opml_bisection::{
    Below, Header, Move, MoveKind, Refused, Trace, ZERO, header_hash,
    players::{Corrupted, Idea},
    suite::World,
};
use opml_contracts::abi::{Dispute, StepVerifier};
use opml_vm::{StepError, witness::Question};

use super::{
    steps::{Bench, Ran},
    table::{Table, is},
    worlds::{EMPTY, OUTPUT, SMALL, SUM, WIDE, five, honest},
};

#[test]
fn rule_02_elements_past_the_end_are_in_no_proof() {
    let world = five();
    let run = honest(&world);
    // A tensor of 3 elements: the fourth byte of its leaf is padding.
    let mut table = Table::honest(&world, 2, &run);
    let Move::ProveElement { opening, step } = table.idea(Idea::Element(SMALL, 2)) else { panic!() };
    for e in [3, 255] {
        let past = Move::ProveElement {
            opening: {
                let mut o = opening.clone();
                o.e = e;
                o
            },
            step: step.clone(),
        };
        table.refuse::<Dispute::BadElement>(&past, &Refused::Element);
    }
    let mut table = table.walk_to(SMALL);
    let Move::SelectElement { bytes, step, .. } = table.idea(Idea::Cut(2)) else { panic!() };
    for e in [3, 255, 256, u64::MAX] {
        let past = Move::SelectElement { bytes: bytes.clone(), e, step: step.clone() };
        table.refuse::<Dispute::BadElement>(&past, &Refused::Element);
    }
    table = table.follow(&[Idea::Cut(2)]);
    let partials = table.revealed.partials().to_vec();
    assert_eq!(partials.len(), 3);
    for part in [3, 4, u64::MAX] {
        let past = Move::SelectPartial { part, partials: partials.clone() };
        table.refuse::<Dispute::BadPartials>(&past, &Refused::Number);
    }
}

#[test]
fn rule_02_steps_past_the_end_are_refused() {
    let bench = &mut Bench::new();
    let (ran, _) = Ran::case("reduce/sum-just-inside");
    let (job, encoding) = (ran.job(0, 0), ran.encoding(0));
    let witness = ran.openings().witness(0, 0, Question::Element { e: 0 }).unwrap();
    for e in [1, 255, u64::MAX] {
        for question in [Question::Element { e }, Question::Post { e, acc: 0 }, Question::Slice { e, k0: 0, k1: 1 }] {
            let (rust, contract) = bench.both(&job, question, encoding, &witness).unwrap_err();
            assert_eq!(rust, StepError::Element { e, elements: 1 });
            is::<StepVerifier::ElementOutOfRange>(&contract);
        }
    }
    bench.both(&job, Question::Slice { e: 0, k0: 0, k1: 5 }, encoding, &witness).unwrap();
    for (k0, k1) in [(0, 6), (5, 6), (2, 2), (3, 2), (0, 0), (0, u64::MAX), (u64::MAX, 1), (u64::MAX, u64::MAX)] {
        let (rust, contract) = bench.both(&job, Question::Slice { e: 0, k0, k1 }, encoding, &witness).unwrap_err();
        assert_eq!(rust, StepError::Slice { k0, k1, terms: 5 });
        is::<StepVerifier::SliceOutOfRange>(&contract);
    }
}

#[test]
fn rule_03_only_children_that_cover_a_leaf_are_named() {
    let world = five();
    let run = honest(&world);
    // T·N = 5, arity 16: the root has five children; a tensor of two leaves has two.
    for (leaf, children, first) in [(None, 5, 5..16), (Some(WIDE), 2, 2..16)] {
        let mut table = Table::honest(&world, 4, &run);
        if let Some(leaf) = leaf {
            table = table.walk_to(leaf);
        }
        let Move::Select { proof, .. } = table.idea(Idea::Select(children - 1)) else { panic!() };
        for child in first.chain([16, 1 << 32, u64::MAX]) {
            let padding = Move::Select { child, hash: ZERO, proof: proof.clone() };
            table.refuse::<Dispute::BadChild>(&padding, &Refused::Number);
        }
        table.play(&table.idea(Idea::Select(children - 1)));
    }
    // At arity 2 the last leaf's parents have one real child each.
    let mut table = Table::honest(&world, 1, &run).follow(&[Idea::Select(1)]);
    for _ in 0..2 {
        let Move::Select { proof, .. } = table.idea(Idea::Select(0)) else { panic!() };
        let padding = Move::Select { child: 1, hash: ZERO, proof };
        table.refuse::<Dispute::BadChild>(&padding, &Refused::Number);
        table = table.follow(&[Idea::Select(0)]);
    }
}

#[test]
fn rule_04_an_empty_tensor_is_a_dead_end() {
    let world = five();
    let run = honest(&world);
    let mut table = Table::honest(&world, 4, &run).walk_to(EMPTY);
    assert_eq!(table.at().kind(), 5);
    let select = Move::Select { child: 0, hash: ZERO, proof: Vec::new() };
    table.refuse::<Dispute::WrongKind>(&select, &Refused::NotHere(MoveKind::Select));
    let step = run.instruction(EMPTY).unwrap();
    let cut = Move::SelectElement { bytes: vec![0; 256], e: 0, step };
    table.refuse::<Dispute::WrongKind>(&cut, &Refused::NotHere(MoveKind::SelectElement));
    table.refuse::<Dispute::NoContradiction>(&table.idea(Idea::Header(EMPTY)), &Refused::NoFault);
    table.stalls();
}

#[test]
fn rule_04_an_empty_tensor_has_no_root() {
    let world = five();
    let run = honest(&world);
    let hidden = header_hash(world.rules(), 0, 0, &[9; 32]);
    let lie = Corrupted::new(&run, world.rules()).junk(0, EMPTY, hidden);
    let mut table = Table::honest(&world, 4, &lie);
    let Move::ProveHeader { trace, step, .. } = table.idea(Idea::Header(EMPTY)) else { panic!() };
    let opening = Move::ProveHeader { trace, root: [9; 32], step };
    table.refuse::<Dispute::BadHeader>(&opening, &Refused::Header);
    table.play(&table.idea(Idea::Select(EMPTY)));
    // The contract computes the root from what is revealed: there is nothing to reveal, so it is 0.
    let reveal = Move::RevealHeader { dtype: 0, elements: 0, root: ZERO, below: Below::Nothing };
    table.refuse::<Dispute::BadHash>(&reveal, &Refused::Opening);
    table.stalls();
}

#[test]
fn rule_05_a_header_is_its_instructions() {
    let world = five();
    let run = honest(&world);
    // Right bytes under another type, or one element more or less.
    for (leaf, dtype, elements) in [
        (SMALL, 1, 3),
        (SMALL, 0, 2),
        (SMALL, 0, 4),
        (WIDE, 3, 40),
        (WIDE, 4, 39),
        (EMPTY, 0, 1),
        (EMPTY, 1, 0),
        (SUM, 4, 0),
    ] {
        let bytes = run.bytes(leaf).unwrap();
        let lie = Corrupted::new(&run, world.rules()).value(leaf, Header { dtype, elements }, bytes);
        // From the root, and from the header.
        for walk in [false, true] {
            let mut table = Table::honest(&world, 4, &lie);
            if walk {
                table = table.walk_to(leaf);
            }
            table.proves(&table.idea(Idea::Header(leaf)));
        }
        // All other headers are right.
        let mut table = Table::honest(&world, 4, &lie);
        for other in (0..5).filter(|&other| other != leaf) {
            table.refuse::<Dispute::NoContradiction>(&table.idea(Idea::Header(other)), &Refused::NoFault);
        }
    }
}

#[test]
fn rule_05_headers_that_no_value_has_are_never_revealed() {
    let world = five();
    let run = honest(&world);
    let root = run.tensor_node(SMALL, 0, 0).unwrap();
    for (dtype, elements) in [(5, 3), (255, 3), (0, (1 << 40) + 1), (0, u64::MAX)] {
        let hidden = header_hash(world.rules(), dtype, elements, &root);
        let lie = Corrupted::new(&run, world.rules()).junk(0, SMALL, hidden);
        let mut table = Table::honest(&world, 4, &lie);
        table.play(&table.idea(Idea::Select(SMALL)));
        let below = Below::Leaf(run.tensor_leaf(SMALL, 0).unwrap());
        let reveal = Move::RevealHeader { dtype, elements, root, below };
        table.refuse::<Dispute::BadHeader>(&reveal, &Refused::Header);
        table.stalls();
    }
}

#[test]
fn rule_11_nodes_above_no_leaf_are_zero() {
    let world = five();
    let run = honest(&world);
    assert_eq!(world.claim().output_leaf(), OUTPUT);
    // Junk in leaf 5, 6 or 7 of a tree of five; the output, in the left half, is right.
    for (junk, walk) in [(5, 1), (6, 0), (7, 0)] {
        let lie = Corrupted::new(&run, world.rules()).junk(0, junk, [0x6a; 32]);
        let mut table = Table::honest(&world, 1, &lie);
        table.play(&table.idea(Idea::Select(1)));
        for _ in 0..walk {
            table.answer();
            table.play(&table.idea(Idea::Select(0)));
        }
        table.refuse::<Dispute::BadHash>(&table.due(), &Refused::Children);
        let both = Move::Reveal { children: vec![lie.node(table_height(&table), 2).unwrap(), [0x6a; 32]] };
        table.refuse::<Dispute::BadChild>(&both, &Refused::Children);
        table.stalls();
    }
}

/// Height of the children of the hidden node, at arity 2.
fn table_height(table: &Table<'_>) -> u32 {
    let opml_bisection::Position::TraceHidden(node) = table.at() else { panic!() };
    node.height - 1
}

#[test]
fn rule_12_bytes_behind_the_last_element_are_zero() {
    let world = five();
    let run = honest(&world);
    // Three bytes and a fourth: the header cannot be revealed.
    let lie = Corrupted::new(&run, world.rules()).pad(SMALL).unwrap();
    let mut table = Table::honest(&world, 4, &lie);
    table.play(&table.idea(Idea::Select(SMALL)));
    table.refuse::<Dispute::BadPadding>(&table.due(), &Refused::Padding);
    table.stalls();
    // 320 bytes and one: the second leaf cannot.
    let lie = Corrupted::new(&run, world.rules()).pad(WIDE).unwrap();
    let mut table = Table::honest(&world, 4, &lie).walk_to(WIDE);
    table.play(&table.idea(Idea::Select(1)));
    table.refuse::<Dispute::BadPadding>(&table.due(), &Refused::Padding);
    table.stalls();
}

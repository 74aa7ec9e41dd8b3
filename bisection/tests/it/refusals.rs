//! Each rule, by the move that breaks it alone.

use crate::table::{Table, honest};
use crate::worlds::{self, instruction};
use opml_bisection::players::{Corrupted, Idea};
use opml_bisection::suite::World;
use opml_bisection::toy::{Run, ToyWorld};
use opml_bisection::{
    Below, Claim, ElementOpening, Game, Hashing, Move, MoveKind, Party, Position, Refused, Step, Trace, TraceLeaf,
    TraceStage, ZERO, header_hash,
};

fn two_level() -> ToyWorld {
    ToyWorld::once(&[instruction(1, 4, 0, 40, 5), instruction(2, 1, 1, 3, 3), instruction(3, 0, 0, 0, 2)], 1)
}

fn opened<'a>(world: &'a ToyWorld, run: &'a Run, ideas: &[Idea]) -> Table<'a> {
    Table::new(world, 1, world.length, run).follow(ideas)
}

#[test]
fn only_the_party_on_turn_moves() {
    let (world, now) = (two_level(), crate::table::START);
    let run = honest(&world);
    let table = opened(&world, &run, &[]);
    let select = table.idea(Idea::Select(0)).unwrap();
    for who in [Party::Submitter, Party::Stranger] {
        let refused = table.game.clone().apply(who, &select, now, &world.program);
        assert_eq!(refused, Err(Refused::NotYours(who)));
    }
    let early = Move::Reveal { children: Vec::new() };
    let refused = table.game.clone().apply(Party::Stranger, &early, now, &world.program);
    assert_eq!(refused, Err(Refused::NotHere(MoveKind::Reveal)), "nothing is hidden");
    let mut hidden = table.clone();
    hidden.play(&select).unwrap();
    let reveal = hidden.answer();
    for who in [Party::Submitter, Party::Challenger, Party::Stranger] {
        assert_eq!(hidden.game.clone().apply(who, &reveal, now, &world.program), Ok(()), "anybody may reveal");
    }
    let partials = Move::RevealPartials { partials: vec![0, 0] };
    let refused = hidden.game.clone().apply(Party::Stranger, &partials, now, &world.program);
    assert_eq!(refused, Err(Refused::NotYours(Party::Stranger)), "partials are the submitter's choice");
}

#[test]
fn only_children_that_cover_a_leaf_can_be_named() {
    let world = two_level();
    let run = honest(&world);
    let mut table = opened(&world, &run, &[Idea::Select(1)]);
    assert!(matches!(table.at(), Position::TraceOpen(node) if (node.height, node.index) == (1, 1)));
    let Some(Move::Select { proof, .. }) = table.idea(Idea::Select(0)) else { panic!() };
    let padding = Move::Select { child: 1, hash: ZERO, proof };
    assert_eq!(table.refusal(&padding), Refused::Number);
}

#[test]
fn an_empty_tensor_is_a_dead_end() {
    let world = two_level();
    let run = honest(&world);
    let mut table = opened(&world, &run, &[Idea::Select(1), Idea::Select(0)]);
    assert!(matches!(table.at(), Position::Empty(_)));
    let header = table.idea(Idea::Header(2)).unwrap();
    assert_eq!(table.refusal(&header), Refused::NoFault);
    let select = Move::Select { child: 0, hash: ZERO, proof: Vec::new() };
    assert_eq!(table.refusal(&select), Refused::NotHere(MoveKind::Select));
}

#[test]
fn elements_past_the_end_cannot_be_named() {
    let world = two_level();
    let run = honest(&world);
    let mut table = opened(&world, &run, &[Idea::Select(0), Idea::Select(1)]);
    assert!(matches!(table.at(), Position::Leaf(..)));
    let Some(Move::SelectElement { bytes, step, .. }) = table.idea(Idea::Cut(2)) else { panic!() };
    for e in [3, 255, 256, u64::MAX] {
        let cut = Move::SelectElement { bytes: bytes.clone(), e, step: step.clone() };
        assert_eq!(table.refusal(&cut), Refused::Element);
        let Some(Move::ProveElement { mut opening, step }) = table.idea(Idea::Element(1, 2)) else { panic!() };
        opening.e = e;
        assert_eq!(table.refusal(&Move::ProveElement { opening, step }), Refused::Element);
    }
    let other = Move::SelectElement { bytes: vec![0; 256], e: 0, step };
    assert_eq!(table.refusal(&other), Refused::LeafBytes);
}

#[test]
fn one_term_cannot_be_cut() {
    let world = ToyWorld::once(&[instruction(1, 1, 0, 3, 1)], 0);
    let run = honest(&world);
    let mut table = opened(&world, &run, &[Idea::Select(0)]);
    let cut = table.idea(Idea::Cut(0)).unwrap();
    assert_eq!(table.refusal(&cut), Refused::Terms);
}

#[test]
fn partials_must_be_as_many_as_parts_and_give_the_slice() {
    let world = two_level();
    let run = honest(&world);
    let mut table = opened(&world, &run, &[Idea::Select(0), Idea::Select(1)]);
    let cut = table.idea(Idea::Cut(0)).unwrap();
    table.play(&cut).unwrap();
    for count in [0, 1, 3] {
        assert_eq!(table.refusal(&Move::RevealPartials { partials: vec![0; count] }), Refused::PartialCount);
    }
    let Move::RevealPartials { partials } = table.answer() else { panic!() };
    table.play(&Move::RevealPartials { partials: partials.clone() }).unwrap();
    let wrong = Move::SelectPartial { part: 1, partials: vec![partials[0], partials[1] + 1] };
    assert_eq!(table.refusal(&wrong), Refused::Partials);
    assert_eq!(table.refusal(&Move::SelectPartial { part: 0, partials: partials.clone() }), Refused::Terms);
    assert_eq!(table.refusal(&Move::SelectPartial { part: 2, partials: partials.clone() }), Refused::Number);
    table.play(&Move::SelectPartial { part: 1, partials: partials.clone() }).unwrap();
    let above = Move::RevealPartials { partials: vec![partials[1] + 1, partials[1]] };
    assert_eq!(table.refusal(&above), Refused::PartialSum);
}

#[test]
fn a_sum_that_is_no_i128_is_refused() {
    let world = two_level();
    let run = honest(&world);
    let mut table = Table::new(&world, 2, 1, &run).follow(&[Idea::Select(0), Idea::Select(0)]);
    let cut = table.idea(Idea::Cut(0)).unwrap();
    table.play(&cut).unwrap();
    assert_eq!(table.refusal(&Move::RevealPartials { partials: vec![i128::MAX, 1, 0, 0] }), Refused::PartialSum);
    assert_eq!(table.refusal(&Move::RevealPartials { partials: vec![i128::MIN, 0, 0, -1] }), Refused::PartialSum);
    for partials in [vec![i128::MAX, 1, -1, 0], vec![i128::MIN, -1, 0, 1], vec![i128::MAX, i128::MAX, i128::MIN, 1]] {
        table.clone().play(&Move::RevealPartials { partials }).unwrap();
    }
}

#[test]
fn right_answers_cannot_be_proved_wrong() {
    let world = two_level();
    let run = honest(&world);
    let mut table = opened(&world, &run, &[]);
    for idea in [Idea::Header(0), Idea::Header(2), Idea::Element(0, 39), Idea::Element(1, 0)] {
        let proof = table.idea(idea).unwrap();
        assert_eq!(table.refusal(&proof), Refused::NoFault);
    }
    let mut table = opened(&world, &run, &[Idea::Select(0), Idea::Select(1), Idea::Cut(1)]);
    for idea in [Idea::Slice(0), Idea::Slice(1), Idea::Post] {
        let proof = table.idea(idea).unwrap();
        assert_eq!(table.refusal(&proof), Refused::NoFault);
    }
}

#[test]
fn another_leafs_opening_is_refused() {
    let world = two_level();
    let run = honest(&world);
    let mut table = opened(&world, &run, &[Idea::Select(1)]);
    let root = opened(&world, &run, &[]);
    let outside = root.idea(Idea::Header(0)).unwrap();
    assert_eq!(table.refusal(&outside), Refused::Number, "a leaf beside the disputed node");
    let Some(Move::ProveHeader { trace, step, .. }) = root.idea(Idea::Header(1)) else { panic!() };
    let mut shifted = trace.unwrap();
    shifted.leaf = 0;
    let shifted = Move::ProveHeader { trace: Some(shifted), root: ZERO, step };
    assert_eq!(root.clone().refusal(&shifted), Refused::Opening);
}

#[test]
fn headers_no_value_can_have_are_refused() {
    let world = two_level();
    let run = honest(&world);
    let mut table = opened(&world, &run, &[Idea::Select(0)]);
    let select = table.idea(Idea::Select(0)).unwrap();
    table.play(&select).unwrap();
    let Move::RevealHeader { dtype, elements, root, below } = table.answer() else { panic!() };
    let header = |dtype, elements| Move::RevealHeader { dtype, elements, root, below: below.clone() };
    assert_eq!(table.refusal(&header(5, elements)), Refused::Header);
    assert_eq!(table.refusal(&header(dtype, (1 << 40) + 1)), Refused::Header);
    assert_eq!(table.refusal(&header(dtype, 1 << 40)), Refused::Opening, "large, but possible");
    assert_eq!(table.refusal(&header(dtype, elements + 1)), Refused::Opening);
    for below in [Below::Nothing, Below::Leaf(vec![0; 256])] {
        assert_eq!(table.refusal(&Move::RevealHeader { dtype, elements, root, below }), Refused::Below);
    }
    let below = Below::Children(vec![ZERO; 2]);
    assert_eq!(table.refusal(&Move::RevealHeader { dtype, elements, root, below }), Refused::Children);
}

#[test]
fn padding_bytes_must_be_zero() {
    let world = two_level();
    let run = honest(&world);
    let lie = Corrupted::new(&run, &world.program).pad(0).unwrap();
    let mut table = Table::new(&world, 1, 1, &lie).follow(&[Idea::Select(0), Idea::Select(0)]);
    let select = table.idea(Idea::Select(1)).unwrap();
    table.play(&select).unwrap();
    let reveal = table.answer();
    assert_eq!(table.refusal(&reveal), Refused::Padding);
    let short = Move::RevealLeaf { bytes: vec![0; 255] };
    assert_eq!(table.refusal(&short), Refused::LeafBytes);
}

#[test]
fn a_witness_of_another_step_is_refused() {
    let world = two_level();
    let run = honest(&world);
    let mut table = opened(&world, &run, &[Idea::Select(0), Idea::Select(1)]);
    let Some(Move::SelectElement { bytes, .. }) = table.idea(Idea::Cut(0)) else { panic!() };
    for step in [run.instruction(0).unwrap(), Step::default()] {
        let cut = Move::SelectElement { bytes: bytes.clone(), e: 0, step };
        assert!(matches!(table.refusal(&cut), Refused::Step(_)));
    }
}

#[test]
fn claims_out_of_range_cannot_be_made() {
    let right = worlds::recurrent().claim();
    let stage = TraceStage { first: crate::table::START, challenged: crate::table::START };
    let timing = worlds::recurrent().timing;
    assert!(Game::new(right, timing, stage).is_ok());
    let wrong = [
        Claim { length: 0, ..right },
        Claim { length: right.max_length + 1, ..right },
        Claim { output_at: right.instructions, ..right },
        Claim { halt_at: Some(right.instructions), ..right },
        Claim { instructions: 0, output_at: 0, ..right },
        Claim { max_length: 1 << 40, ..right },
        Claim { arity_log2: 0, ..right },
        Claim { arity_log2: 7, ..right },
    ];
    for claim in wrong {
        assert!(Game::new(claim, timing, stage).is_err(), "{claim:?}");
    }
}

#[test]
fn an_empty_tensor_has_no_root() {
    let world = two_level();
    let run = honest(&world);
    let leaf = header_hash(&world.program, 0, 0, &[9; 32]);
    let lie = Corrupted::new(&run, &world.program).junk(0, 2, leaf);
    let mut table = Table::new(&world, 1, 1, &lie).follow(&[Idea::Select(1)]);
    let Some(Move::ProveHeader { trace, step, .. }) = table.idea(Idea::Header(2)) else { panic!() };
    let opening = Move::ProveHeader { trace, root: [9; 32], step };
    assert_eq!(table.refusal(&opening), Refused::Header);
    let select = table.idea(Idea::Select(0)).unwrap();
    table.play(&select).unwrap();
    let reveal = Move::RevealHeader { dtype: 0, elements: 0, root: [9; 32], below: Below::Nothing };
    assert_eq!(table.refusal(&reveal), Refused::Header);
}

#[test]
fn a_leaf_of_another_length_is_none() {
    let world = two_level();
    let run = honest(&world);
    for length in [0, 3, 255, 257] {
        let bytes = vec![0; length];
        let root = world.program.hash(&bytes);
        let leaf = header_hash(&world.program, 1, 3, &root);
        let lie = Corrupted::new(&run, &world.program).junk(0, 2, leaf);
        let mut table = Table::new(&world, 1, 1, &lie).follow(&[Idea::Select(1)]);
        let select = table.idea(Idea::Select(0)).unwrap();
        table.play(&select).unwrap();
        let reveal = Move::RevealHeader { dtype: 1, elements: 3, root, below: Below::Leaf(bytes) };
        assert_eq!(table.refusal(&reveal), Refused::LeafBytes);
    }
}

#[test]
fn what_lies_behind_the_last_leaf_cannot_be_opened() {
    let world = two_level();
    let run = honest(&world);
    let leaf = header_hash(&world.program, 1, 0, &ZERO);
    let lie = Corrupted::new(&run, &world.program).junk(0, 3, leaf);
    let mut table = Table::new(&world, 1, 1, &lie).follow(&[]);
    let proof = vec![lie.node(0, 2).unwrap(), lie.node(1, 0).unwrap()];
    let trace = Some(TraceLeaf { leaf: 3, dtype: 1, elements: 0, proof });
    let step = run.instruction(0).unwrap();
    assert_eq!(table.refusal(&Move::ProveHeader { trace, root: ZERO, step }), Refused::Number);
}

#[test]
fn below_a_header_no_other_header_is_opened() {
    let world = two_level();
    let run = honest(&world);
    let root = opened(&world, &run, &[]);
    let Some(Move::ProveElement { opening, .. }) = root.idea(Idea::Element(1, 0)) else { panic!() };
    let mut table = opened(&world, &run, &[Idea::Select(0), Idea::Select(1)]);
    let Some(Move::ProveElement { opening: bare, step }) = table.idea(Idea::Element(1, 0)) else { panic!() };
    let both = Move::ProveElement { opening: ElementOpening { trace: opening.trace, ..bare }, step };
    assert_eq!(table.refusal(&both), Refused::Opening);
    let Some(Move::ProveHeader { trace, root, .. }) = root.idea(Idea::Header(1)) else { panic!() };
    let step = run.instruction(1).unwrap();
    assert_eq!(table.refusal(&Move::ProveHeader { trace, root, step }), Refused::Opening);
}

#[test]
fn a_leaf_is_not_revealed_as_its_own_child() {
    let world = two_level();
    let run = honest(&world);
    for ideas in [&[Idea::Select(1)][..], &[Idea::Select(0), Idea::Select(0)]] {
        let mut table = opened(&world, &run, ideas);
        let select = table.idea(Idea::Select(0)).unwrap();
        table.play(&select).unwrap();
        let (Position::TraceHidden(node) | Position::TensorHidden(_, node)) = table.at() else { panic!() };
        assert_eq!(node.height, 0);
        let same = Move::Reveal { children: vec![node.hash] };
        assert_eq!(table.refusal(&same), Refused::NotHere(MoveKind::Reveal), "the submitter could go on for ever");
    }
}

//! Positions, turns, and the flat record.

use opml_bisection::{Cell, Fields, Header, Node, Party, Position, Slice, Tensor};

fn all() -> Vec<Position> {
    let node = Node { height: 3, index: 9, hash: [4; 32] };
    let tensor = Tensor { leaf: 77, header: Header { dtype: 2, elements: 1000 } };
    let cell = Cell { tensor, e: 12, reducer: 3 };
    let slice = Slice { k0: 5, k1: 50, value: -6 };
    vec![
        Position::TraceOpen(node),
        Position::TraceHidden(node),
        Position::TensorOpen(tensor, node),
        Position::TensorHidden(tensor, node),
        Position::Leaf(tensor, node),
        Position::Empty(tensor),
        Position::Element(cell, slice),
        Position::Slice(cell, slice),
        Position::ElementPartials(cell, slice, [5; 32]),
        Position::SlicePartials(cell, slice, [6; 32]),
    ]
}

#[test]
fn kinds_and_turns_are_those_of_the_specification() {
    let kinds: Vec<u8> = all().iter().map(Position::kind).collect();
    assert_eq!(kinds, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    let submitter: Vec<u8> = all().iter().filter(|p| p.turn() == Party::Submitter).map(Position::kind).collect();
    assert_eq!(submitter, [1, 3, 6, 7]);
}

#[test]
fn the_flat_record_holds_every_position() {
    for position in all() {
        assert_eq!(Fields::from(position).position(), Some(position));
    }
    assert_eq!(Fields { kind: 10, ..Fields::default() }.position(), None);
}

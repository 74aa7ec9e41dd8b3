//! Every move from every position: where it leads, and what it refuses.

use alloy_primitives::{B256, U256};
use alloy_sol_types::SolCall;
use opml_contracts::{
    abi::Dispute::{self, HeaderOpening, Opening},
    dispute::{Kind, Position, Status, dispute_id, state_hash},
};
use opml_vm::DType;

use super::{
    programs::{EMPTY, SMALL, SUMS, WIDE, changed, copies, looping, mlp, pairs},
    world::{CHALLENGER, Game, RIVAL, STRANGER, SUBMITTER, encode, refused},
};

/// A dispute of a lie in element 7 of the 300-term sums at `t = 1`, at each kind of position in turn.
fn at(kind: Kind) -> Game {
    let mut game = Game::lying(&looping(), 0, 1, SUMS, &|value| changed(value, 7, 1));
    let leaf = game.leaf_number(
        1,
        match kind {
            Kind::Empty => EMPTY,
            Kind::TensorOpen | Kind::TensorHidden => WIDE,
            _ => SUMS,
        },
    );
    match kind {
        Kind::TraceOpen => {}
        Kind::TraceHidden => drop(game.select(0).unwrap()),
        Kind::TensorOpen | Kind::Empty => game.walk_to_header(leaf),
        Kind::TensorHidden => {
            game.walk_to_header(leaf);
            game.select(1).unwrap();
        }
        Kind::Leaf => game.walk_to_leaf(leaf, 7),
        _ => {
            game.walk_to_leaf(leaf, 7);
            game.select_element(7).unwrap();
        }
    }
    if kind > Kind::Element {
        let partials = game.partials();
        game.reveal_partials(&partials).unwrap();
        if kind != Kind::ElementPartials {
            game.select_partial(2, &partials).unwrap();
        }
        if kind == Kind::SlicePartials {
            let partials = game.partials();
            game.reveal_partials(&partials).unwrap();
        }
    }
    assert_eq!(game.position().kind, kind);
    game
}

const KINDS: [Kind; 10] = [
    Kind::TraceOpen,
    Kind::TraceHidden,
    Kind::TensorOpen,
    Kind::TensorHidden,
    Kind::Leaf,
    Kind::Empty,
    Kind::Element,
    Kind::Slice,
    Kind::ElementPartials,
    Kind::SlicePartials,
];

fn no_opening() -> Opening {
    Opening { leaf: 0, dtype: 0, elements: 0, e: 0, data: [B256::ZERO; 8], tensorPath: vec![], tracePath: vec![] }
}

/// Each move with empty arguments, and the kinds that it starts from.
fn all_moves(game: &Game) -> Vec<(Vec<u8>, &'static str, Vec<Kind>)> {
    use Kind::{ElementPartials as EP, SlicePartials as SP};
    let (state, c, task) = (game.state.clone(), game.claim.clone(), game.parts());
    let data = [B256::ZERO; 8];
    let header = HeaderOpening { leaf: 0, dtype: 0, elements: 0, tensorRoot: B256::ZERO, tracePath: vec![] };
    let none = || alloy_primitives::Bytes::new();
    macro_rules! list {
        ($($call:ident { $($field:ident $(: $value:expr)?),* } from [$($kind:expr),*];)*) => {
            vec![$((
                Dispute::$call { state: state.clone(), $($field $(: $value)?),* }.abi_encode(),
                stringify!($call),
                vec![$($kind),*],
            )),*]
        };
    }
    list! {
        selectCall { child: U256::ZERO, hash: B256::ZERO, siblings: vec![] } from [Kind::TraceOpen, Kind::TensorOpen];
        revealCall { children: vec![] } from [Kind::TraceHidden, Kind::TensorHidden];
        revealHeaderCall { dtype: 0, elements: 0, words: vec![] } from [Kind::TraceHidden];
        revealLeafCall { data } from [Kind::TensorHidden];
        selectElementCall {
            c: c.clone(), task: task.clone(), e: 0, data, instruction: none(), siblings: none()
        } from [Kind::Leaf];
        revealPartialsCall { c: c.clone(), partials: none() } from [Kind::Element, Kind::Slice];
        selectPartialCall { part: U256::ZERO, partials: none() } from [EP, SP];
        proveHeaderCall {
            c: c.clone(), task: task.clone(), o: header.clone(), instruction: none(), siblings: none()
        } from [Kind::TraceOpen, Kind::TensorOpen, Kind::Leaf, Kind::Empty];
        proveHaltCall { c: c.clone(), o: no_opening() } from [Kind::TraceOpen];
        proveElementCall {
            c: c.clone(), task: task.clone(), o: no_opening(), instruction: none(), witness: none()
        } from [Kind::TraceOpen, Kind::TensorOpen, Kind::Leaf];
        proveSliceCall {
            c: c.clone(), task: task.clone(), part: U256::ZERO, partials: none(), instruction: none(), witness: none()
        } from [EP, SP];
        provePostCall {
            c: c.clone(), task: task.clone(), partials: none(), instruction: none(), witness: none()
        } from [EP];
    }
}

#[test]
fn moves_start_only_from_their_kinds_and_bad_ones_change_nothing() {
    for kind in KINDS {
        let mut game = at(kind);
        let id = dispute_id(game.id, CHALLENGER, 0);
        let before = game.world.view(&Dispute::disputeOfCall { disputeId: id });
        for (data, name, kinds) in all_moves(&game) {
            let sender = if name.starts_with("select") { CHALLENGER } else { SUBMITTER };
            let outcome = game.world.host.call(sender, game.world.dispute, U256::ZERO, data.into());
            let error = outcome.unwrap_err();
            let wrong = error.is::<Dispute::WrongKind>();
            // the two kinds of hidden nodes also differ by height
            let by_height = matches!(kind, Kind::TraceHidden | Kind::TensorHidden);
            assert!(kinds.contains(&kind) != wrong || by_height, "{name} at {kind:?}: {error}");
        }
        assert_eq!(game.world.view(&Dispute::disputeOfCall { disputeId: id }), before);
        assert_eq!(game.slot().status, Status::Pending);
    }
}

#[test]
fn every_move_refuses_trailing_bytes_and_missing_ones() {
    for kind in KINDS {
        let mut game = at(kind);
        let moves = all_moves(&game);
        for (mut data, name, _) in moves {
            data.push(0);
            let outcome = game.world.host.call(CHALLENGER, game.world.dispute, U256::ZERO, data.clone().into());
            assert!(outcome.unwrap_err().is::<Dispute::TrailingBytes>(), "{name}");
            data.truncate(data.len() - 2);
            assert!(game.world.host.call(CHALLENGER, game.world.dispute, U256::ZERO, data.into()).is_err(), "{name}");
        }
    }
    let mut game = at(Kind::Leaf);
    let timeout = Dispute::claimTimeoutCall { state: game.state.clone(), c: game.claim.clone() }.abi_encode();
    let resign = Dispute::resignCall { state: game.state.clone(), c: game.claim.clone() }.abi_encode();
    let settle = Dispute::settleCall { state: game.state.clone() }.abi_encode();
    for mut data in [timeout, resign, settle] {
        data.extend([0; 32]);
        refused::<Dispute::TrailingBytes>(game.world.host.call(
            CHALLENGER,
            game.world.dispute,
            U256::ZERO,
            data.into(),
        ));
    }
}

#[test]
fn only_the_challenger_selects_and_only_the_submitter_gives_partials() {
    for sender in [SUBMITTER, RIVAL, STRANGER] {
        let mut game = at(Kind::TraceOpen);
        game.challenger = sender;
        refused::<Dispute::WrongPlayer>(game.select(0));
        let mut game = at(Kind::Leaf);
        game.challenger = sender;
        refused::<Dispute::WrongPlayer>(game.select_element(7));
        let mut game = at(Kind::ElementPartials);
        game.challenger = sender;
        refused::<Dispute::WrongPlayer>(game.select_partial(0, &[]));
        refused::<Dispute::WrongPlayer>(game.resign(sender));
    }
    for sender in [CHALLENGER, RIVAL, STRANGER] {
        let mut game = at(Kind::Element);
        let partials = game.partials();
        let call = game.reveal_partials_call(&partials);
        refused::<Dispute::WrongPlayer>(game.play(sender, &call));
    }
}

#[test]
fn anybody_reveals_what_the_hash_determines() {
    for (kind, height) in [(Kind::TraceHidden, 1), (Kind::TraceHidden, 0), (Kind::TensorHidden, 1)] {
        let mut game = at(kind);
        if height == 0 {
            game.reveal().unwrap();
            game.select(0).unwrap();
            let call = game.reveal_header_call();
            game.play(STRANGER, &call).unwrap();
        } else {
            let call = game.reveal_call();
            game.play(STRANGER, &call).unwrap();
        }
    }
    let mut game = at(Kind::TensorHidden);
    game.reveal().unwrap();
    game.select(0).unwrap();
    let call = game.reveal_leaf_call();
    game.play(CHALLENGER, &call).unwrap();
    assert_eq!(game.position().kind, Kind::Leaf);
}

#[test]
fn a_used_state_is_refused() {
    let mut game = at(Kind::TraceOpen);
    let first = game.select_call(0);
    game.play(CHALLENGER, &first).unwrap();
    refused::<Dispute::WrongState>(game.play(CHALLENGER, &first));
    let reveal = game.reveal_call();
    game.play(STRANGER, &reveal).unwrap();
    refused::<Dispute::WrongState>(game.play(SUBMITTER, &reveal));
    refused::<Dispute::WrongState>(game.play(CHALLENGER, &first));
}

#[test]
fn any_changed_field_of_a_state_is_refused() {
    let mut game = at(Kind::TraceHidden);
    let good = game.reveal_call();
    let p = Position::unpack(&good.state).unwrap();
    let others = [
        Position { claim_id: B256::repeat_byte(1), ..p },
        Position { node: B256::repeat_byte(1), ..p },
        Position { challenger: RIVAL, ..p },
        Position { budget_s: p.budget_s + 1, ..p },
        Position { budget_c: p.budget_c - 1, ..p },
        Position { version: 2, ..p },
        Position { turn_start: p.turn_start + 1, ..p },
        Position { turn_block: p.turn_block + 1, ..p },
        Position { open_block: p.open_block - 1, ..p },
        Position { delay: p.delay + 1, ..p },
        Position { weight: p.weight + 1, ..p },
        Position { nonce: 1, ..p },
        Position { kind: Kind::TensorHidden, ..p },
        Position { height: 0, ..p },
        Position { index: p.index + 1, ..p },
        Position { leaves: p.leaves + 1, ..p },
        Position { k1: 1, ..p },
    ];
    for other in others {
        let call = Dispute::revealCall { state: other.pack(), ..good.clone() };
        assert!(game.play(SUBMITTER, &call).is_err(), "{other:?}");
    }
    game.play(SUBMITTER, &good).unwrap();
}

#[test]
fn the_contract_stores_the_hash_of_the_state_in_its_event() {
    for kind in KINDS {
        let mut game = at(kind);
        let id = dispute_id(game.id, CHALLENGER, 0);
        assert_eq!(game.world.view(&Dispute::disputeOfCall { disputeId: id }), state_hash(&game.state));
        let position = Position::unpack(&game.state).unwrap();
        assert_eq!(position.pack(), game.state);
        assert_eq!(position.dispute_id(), id);
    }
}

#[test]
fn selects_prove_a_real_child_with_exactly_its_siblings() {
    for kind in [Kind::TraceOpen, Kind::TensorOpen] {
        let mut game = at(kind);
        let good = game.select_call(1);
        let mut bad = vec![good.clone(); 6];
        bad[0].hash = B256::repeat_byte(9);
        bad[1].hash = B256::ZERO;
        bad[2].siblings.pop();
        bad[3].siblings.push(B256::ZERO);
        bad[4].siblings.reverse();
        bad[5].child = U256::from(2);
        for call in bad {
            refused::<Dispute::BadHash>(game.play(CHALLENGER, &call));
        }
        for child in [U256::from(16), U256::from(1) << 200, U256::MAX] {
            refused::<Dispute::BadChild>(game.play(CHALLENGER, &Dispute::selectCall { child, ..good.clone() }));
        }
        game.play(CHALLENGER, &good).unwrap();
    }
}

#[test]
fn reveals_carry_all_real_children_and_nothing_else() {
    for kind in [Kind::TraceHidden, Kind::TensorHidden] {
        let mut game = at(kind);
        let good = game.reveal_call();
        let mut bad = vec![good.clone(); 3];
        bad[0].children.pop();
        bad[1].children.push(B256::ZERO);
        bad[2].children.clear();
        for call in bad {
            refused::<Dispute::BadChild>(game.play(SUBMITTER, &call));
        }
        let mut bad = good.clone();
        bad.children[0] = B256::ZERO;
        refused::<Dispute::BadHash>(game.play(SUBMITTER, &bad));
        bad.children = good.children.iter().rev().copied().collect();
        if good.children.len() > 1 {
            refused::<Dispute::BadHash>(game.play(SUBMITTER, &bad));
        }
        game.play(SUBMITTER, &good).unwrap();
    }
}

#[test]
fn a_header_is_revealed_with_its_first_nodes() {
    let sample = looping();
    for (i, kind, words) in [(WIDE, Kind::TensorOpen, 12), (EMPTY, Kind::Empty, 0), (SMALL, Kind::Leaf, 8)] {
        let mut game = Game::honest(&sample, 0);
        let leaf = game.leaf_number(1, i);
        game.select(leaf / 2).unwrap();
        game.reveal().unwrap();
        game.select(leaf % 2).unwrap();
        refused::<Dispute::WrongKind>({
            let call = Dispute::revealCall { state: game.state.clone(), children: vec![] };
            game.play(SUBMITTER, &call)
        });
        let good = game.reveal_header_call();
        assert_eq!(good.words.len(), words);
        refuses_wrong_headers(&mut game, &good);
        game.play(SUBMITTER, &good).unwrap();
        assert_eq!(game.position().kind, kind);
        assert_eq!(game.position().leaf, leaf);
    }
}

fn refuses_wrong_headers(game: &mut Game, good: &Dispute::revealHeaderCall) {
    let mut bad = good.clone();
    bad.elements += 1;
    assert!(game.play(SUBMITTER, &bad).is_err());
    bad = Dispute::revealHeaderCall { dtype: 5, ..good.clone() };
    refused::<Dispute::BadHeader>(game.play(SUBMITTER, &bad));
    bad = Dispute::revealHeaderCall { elements: (1 << 40) + 1, ..good.clone() };
    refused::<Dispute::BadHeader>(game.play(SUBMITTER, &bad));
    // as many as there can be are refused for what they are not
    bad = Dispute::revealHeaderCall { elements: 1 << 40, ..good.clone() };
    refused::<Dispute::BadChild>(game.play(SUBMITTER, &bad));
    bad = good.clone();
    bad.words.push(B256::ZERO);
    refused::<Dispute::BadChild>(game.play(SUBMITTER, &bad));
    bad = good.clone();
    if bad.words.pop().is_some() {
        refused::<Dispute::BadChild>(game.play(SUBMITTER, &bad));
        bad.words.push(B256::repeat_byte(3));
        assert!(game.play(SUBMITTER, &bad).is_err());
    }
}

#[test]
fn a_walk_ends_at_the_leaf_with_the_element_at_every_arity() {
    for tier in 0..4 {
        let mut game = Game::lying(&looping(), tier, 2, WIDE, &|value| changed(value, 2_999, -1));
        let leaf = game.leaf_number(2, WIDE);
        game.walk_to_leaf(leaf, 2_999);
        assert_eq!(game.position().index, 23);
        let call = game.prove_element_call(leaf, 2_999);
        game.play(CHALLENGER, &call).unwrap();
        assert_eq!(game.slot().status, Status::False);
    }
}

#[test]
fn an_element_with_two_terms_is_cut_once() {
    let mut game = Game::lying(&pairs(), 1, 0, 0, &|value| changed(value, 3, 1));
    game.walk_to_leaf(0, 3);
    game.select_element(3).unwrap();
    let at = game.position();
    assert_eq!((at.kind, at.k0, at.k1), (Kind::Element, 0, 2));
    let mut partials = game.partials();
    assert_eq!(partials, [3, 4]);
    partials[1] += 1;
    game.reveal_partials(&partials).unwrap();
    refused::<Dispute::TooSmall>(game.select_partial(1, &partials));
}

#[test]
fn an_element_with_one_term_cannot_be_cut() {
    let mut game = Game::honest(&looping(), 0);
    let leaf = game.leaf_number(0, WIDE);
    game.walk_to_leaf(leaf, 0);
    refused::<Dispute::TooSmall>(game.select_element(0));
}

#[test]
fn an_element_is_selected_from_its_leaf_by_its_own_instruction() {
    let mut game = at(Kind::Leaf);
    let good = game.select_element_call(7);
    let mut bad = good.clone();
    bad.data[7] = B256::repeat_byte(1);
    refused::<Dispute::BadHash>(game.play(CHALLENGER, &bad));
    // element 32 of 40 is in the second leaf; 40 is none
    for e in [32, 40, u64::MAX] {
        refused::<Dispute::BadElement>(game.play(CHALLENGER, &Dispute::selectElementCall { e, ..good.clone() }));
    }
    bad = good.clone();
    bad.c.nonce += 1;
    refused::<Dispute::WrongClaim>(game.play(CHALLENGER, &bad));
    bad = good.clone();
    bad.task.inputRoot = B256::ZERO;
    refused::<Dispute::WrongTask>(game.play(CHALLENGER, &bad));
    bad = good.clone();
    (bad.instruction, bad.siblings) = game.instruction(u64::from(WIDE));
    assert!(game.play(CHALLENGER, &bad).is_err());
    game.play(CHALLENGER, &good).unwrap();
    let at = game.position();
    assert_eq!((at.kind, at.e, at.k0, at.k1, at.reducer), (Kind::Element, 7, 0, 300, 0));
}

#[test]
fn slices_are_cut_until_one_term_is_left() {
    let mut game = Game::lying(&looping(), 1, 1, SUMS, &|value| changed(value, 7, 1));
    let leaf = game.leaf_number(1, SUMS);
    game.walk_to_leaf(leaf, 7);
    game.select_element(7).unwrap();
    let mut lie = 1;
    loop {
        let mut partials = game.partials();
        partials[1] += lie;
        game.reveal_partials(&partials).unwrap();
        let at = game.position();
        if at.k1 - at.k0 == 2 {
            refused::<Dispute::TooSmall>(game.select_partial(1, &partials));
            let call = game.prove_slice_call(1, &partials);
            game.play(CHALLENGER, &call).unwrap();
            break;
        }
        refused::<Dispute::BadPartials>(game.select_partial(2, &partials));
        refused::<Dispute::BadHash>(game.select_partial(1, &[0, 0]));
        game.select_partial(1, &partials).unwrap();
        lie = 1;
    }
    assert_eq!(game.slot().status, Status::False);
}

#[test]
fn proofs_of_what_is_right_are_refused() {
    let sample = looping();
    let mut game = Game::honest(&sample, 0);
    for (t, i, e) in [(0, WIDE, 77), (1, SUMS, 39), (2, SMALL, 2)] {
        let leaf = game.leaf_number(t, i);
        let call = game.prove_element_call(leaf, e);
        refused::<Dispute::NoContradiction>(game.play(CHALLENGER, &call));
        let call = game.prove_header_call(leaf);
        refused::<Dispute::NoContradiction>(game.play(CHALLENGER, &call));
    }
    let leaf = game.leaf_number(1, SUMS);
    game.walk_to_leaf(leaf, 7);
    let call = game.prove_element_call(leaf, 7);
    refused::<Dispute::NoContradiction>(game.play(CHALLENGER, &call));
    game.select_element(7).unwrap();
    let partials = game.partials();
    game.reveal_partials(&partials).unwrap();
    for part in [0, 15] {
        let call = game.prove_slice_call(part, &partials);
        refused::<Dispute::NoContradiction>(game.play(CHALLENGER, &call));
    }
    let call = game.prove_post_call(&partials, partials.iter().sum());
    refused::<Dispute::NoContradiction>(game.play(CHALLENGER, &call));
    assert_eq!(game.slot().status, Status::Pending);
}

#[test]
fn an_element_can_be_proved_from_the_trace_the_tensor_and_the_leaf() {
    for kind in [Kind::TraceOpen, Kind::TensorOpen, Kind::Leaf] {
        let mut game = Game::lying(&looping(), 0, 1, WIDE, &|value| changed(value, 500, 3));
        let leaf = game.leaf_number(1, WIDE);
        match kind {
            Kind::TraceOpen => {}
            Kind::TensorOpen => game.walk_to_header(leaf),
            _ => game.walk_to_leaf(leaf, 500),
        }
        let good = game.prove_element_call(leaf, 500);
        let mut bad = vec![good.clone(); 5];
        bad[0].o.leaf += 1;
        bad[1].o.e = 3_000;
        bad[2].o.data[0] = B256::repeat_byte(7);
        bad[3].o.tensorPath.push(B256::ZERO);
        bad[4].o.tracePath.push(B256::ZERO);
        for call in bad {
            assert!(game.play(CHALLENGER, &call).is_err());
        }
        game.play(CHALLENGER, &good).unwrap();
        assert_eq!(game.slot().status, Status::False);
    }
}

#[test]
fn an_element_of_another_leaf_is_not_proved_from_a_node_beside_it() {
    let mut game = Game::lying(&looping(), 0, 1, WIDE, &|value| changed(value, 500, 3));
    let leaf = game.leaf_number(1, WIDE);
    let wrong = game.leaf_number(1, SMALL);
    game.walk_to_leaf(wrong, 0);
    let call = game.prove_element_call(leaf, 500);
    assert!(game.play(CHALLENGER, &call).is_err());
}

#[test]
fn a_run_of_one_value_is_a_tree_of_one_leaf() {
    let mut sample = mlp();
    let program = opml_vm::Program::new(
        vec![sample.program.instructions()[0].clone()],
        sample.program.constants().to_vec(),
        sample.program.inputs().to_vec(),
        0,
        None,
    );
    sample.program = program.unwrap();
    let mut game = Game::lying(&sample, 0, 0, 0, &|value| changed(value, 63, -1));
    assert_eq!(game.position().height, 0);
    game.select(0).unwrap();
    game.reveal().unwrap();
    let call = game.prove_element_call(0, 63);
    game.play(CHALLENGER, &call).unwrap();
    assert_eq!(game.slot().status, Status::False);
}

#[test]
fn the_partials_that_were_revealed_are_the_ones_that_count() {
    let mut game = at(Kind::ElementPartials);
    let partials = game.partials();
    let mut other = partials.clone();
    other.swap(0, 1);
    let call = Dispute::proveSliceCall { partials: encode(&other), ..game.prove_slice_call(0, &partials) };
    refused::<Dispute::BadHash>(game.play(CHALLENGER, &call));
    let call = Dispute::provePostCall { partials: encode(&other), ..game.prove_post_call(&partials, 0) };
    refused::<Dispute::BadHash>(game.play(CHALLENGER, &call));
    refused::<Dispute::BadHash>(game.select_partial(0, &other));
    let call = Dispute::proveSliceCall { part: U256::from(16), ..game.prove_slice_call(0, &partials) };
    refused::<Dispute::BadPartials>(game.play(CHALLENGER, &call));
}

#[test]
fn hidden_nodes_are_revealed_as_what_their_height_makes_them() {
    for kind in [Kind::TraceHidden, Kind::TensorHidden] {
        let mut game = at(kind);
        assert!(game.position().height > 0);
        let header = Dispute::revealHeaderCall { state: game.state.clone(), dtype: 0, elements: 0, words: vec![] };
        refused::<Dispute::WrongKind>(game.play(SUBMITTER, &header));
        let leaf = Dispute::revealLeafCall { state: game.state.clone(), data: [B256::ZERO; 8] };
        refused::<Dispute::WrongKind>(game.play(SUBMITTER, &leaf));
        game.reveal().unwrap();
        game.select(0).unwrap();
        assert_eq!(game.position().height, 0);
        let call = Dispute::revealCall { state: game.state.clone(), children: vec![] };
        refused::<Dispute::WrongKind>(game.play(SUBMITTER, &call));
    }
}

#[test]
fn numbers_are_read_with_the_sign_of_their_type() {
    for dtype in [DType::U8, DType::I8, DType::I16, DType::I32, DType::I64] {
        let sample = copies(dtype);
        for e in 0..3 {
            let mut game = Game::honest(&sample, 1);
            let leaf = game.leaf_number(0, 0);
            game.walk_to_leaf(leaf, e);
            let call = game.prove_element_call(leaf, e);
            refused::<Dispute::NoContradiction>(game.play(CHALLENGER, &call));
        }
    }
}

#[test]
fn a_right_value_is_not_proved_wrong_under_the_name_of_another() {
    // a trace node over leaves 0 to 7: leaf 2 under the name of leaf 10, which lies in the same place under the next node
    let mut game = Game::honest(&looping(), 1);
    for _ in 0..2 {
        game.select(0).unwrap();
        game.reveal().unwrap();
    }
    assert_eq!(game.position().height, 3);
    let right = game.prove_element_call(2, 0);
    let mut call = game.prove_element_call(10, 0);
    call.o = Opening { leaf: 10, ..right.o };
    refused::<Dispute::BadElement>(game.play(CHALLENGER, &call));
    let mut call = game.prove_header_call(10);
    call.o = HeaderOpening { leaf: 10, ..game.prove_header_call(2).o };
    refused::<Dispute::BadElement>(game.play(CHALLENGER, &call));

    // a tensor node over leaves 0 to 7 of 24: an element of leaf 8 with the bytes of leaf 0
    let mut game = Game::honest(&looping(), 1);
    let leaf = game.leaf_number(1, WIDE);
    game.walk_to_header(leaf);
    for _ in 0..2 {
        game.select(0).unwrap();
        game.reveal().unwrap();
    }
    assert_eq!(game.position().height, 3);
    let right = game.prove_element_call(leaf, 0);
    let mut call = game.prove_element_call(leaf, 8 * 128);
    call.o = Opening { e: 8 * 128, ..right.o };
    refused::<Dispute::BadElement>(game.play(CHALLENGER, &call));

    // a tensor leaf: an element of the next leaf; the same element of another value; another header
    let mut game = Game::honest(&looping(), 0);
    let (leaf, other) = (game.leaf_number(1, SUMS), game.leaf_number(0, SUMS));
    game.walk_to_leaf(leaf, 7);
    let good = game.prove_element_call(leaf, 7);
    let mut call = game.prove_element_call(leaf, 39);
    call.o = Opening { e: 39, ..good.o.clone() };
    refused::<Dispute::BadElement>(game.play(CHALLENGER, &call));
    let mut call = game.prove_element_call(other, 7);
    call.o = Opening { leaf: other, ..good.o.clone() };
    refused::<Dispute::BadHeader>(game.play(CHALLENGER, &call));
    for o in [Opening { dtype: 3, ..good.o.clone() }, Opening { elements: 41, ..good.o.clone() }] {
        refused::<Dispute::BadHeader>(game.play(CHALLENGER, &Dispute::proveElementCall { o, ..good.clone() }));
    }
    let header = game.prove_header_call(leaf);
    for (leaf, dtype, elements) in [(other, 4, 40), (leaf, 3, 40), (leaf, 4, 41)] {
        let o = HeaderOpening { leaf, dtype, elements, ..header.o.clone() };
        refused::<Dispute::BadHeader>(game.play(CHALLENGER, &Dispute::proveHeaderCall { o, ..header.clone() }));
    }
}

#[test]
fn a_leaf_past_the_last_is_under_no_node() {
    // 18 leaves: by its number the next would stand under the root
    let mut game = Game::honest(&looping(), 0);
    let leaves = game.leaf_number(3, 0);
    let mut call = game.prove_header_call(leaves - 1);
    refused::<Dispute::NoContradiction>(game.play(CHALLENGER, &call));
    call.o.leaf = leaves;
    refused::<Dispute::BadElement>(game.play(CHALLENGER, &call));
}

//! The soundness rules that the game enforces, a test each.

use alloy_primitives::{B256, Bytes, U256};
use alloy_sol_types::SolCall;
use opml_contracts::{
    abi::Dispute,
    dispute::{Kind, Position, Stage, Status, state_after},
};
use opml_vm::{
    DType, Opcode, Program, Reducer, Source, Tensor,
    interpreter::Run,
    merkle::Tree,
    testing::{Build, fixed},
};

use super::{
    commit::{Commit, Value},
    money::{Puppet, lying, puppet},
    programs::{COUNTER, EMPTY, HALT, SMALL, SUMS, Sample, WIDE, changed, looping},
    world::{BOND_C, BOND_S, BUDGET, CHALLENGER, DELAY, Game, RIVAL, STRANGER, SUBMITTER, TRACE_TIME, encode, refused},
};

/// An honest run whose commitments were changed at one leaf.
fn committed(t: u64, i: u32, change: &dyn Fn(&mut Value)) -> Game {
    let sample = looping();
    let run = sample.run(3, &mut |_, _, _| ());
    let mut values = Commit::of(&run).values;
    change(&mut values[(t * sample.n()) as usize + i as usize]);
    Game::claimed_as(&sample, 0, run, Commit::new(values)).opened()
}

#[test]
fn rule_02_elements_past_the_end_are_in_no_proof() {
    let mut game = Game::honest(&looping(), 0);
    let leaf = game.leaf_number(1, SMALL);
    let mut call = game.prove_element_call(leaf, 2);
    for e in [3, 255] {
        call.o.e = e;
        refused::<Dispute::BadElement>(game.play(CHALLENGER, &call));
    }
    game.walk_to_leaf(leaf, 0);
    for e in [3, 255] {
        let good = game.select_element_call(2);
        refused::<Dispute::BadElement>(game.play(CHALLENGER, &Dispute::selectElementCall { e, ..good }));
    }
    game.select_element(2).unwrap();
}

#[test]
fn rule_03_only_children_with_real_leaves_are_selected() {
    let mut game = Game::honest(&looping(), 0);
    // 18 leaves, arity 16: nine children of two leaves
    let call = game.select_call(8);
    for child in 9..16 {
        let call = Dispute::selectCall { child: U256::from(child), hash: B256::ZERO, ..call.clone() };
        refused::<Dispute::BadChild>(game.play(CHALLENGER, &call));
    }
    game.play(CHALLENGER, &call).unwrap();
    game.reveal().unwrap();
    let call = game.select_call(1);
    refused::<Dispute::BadChild>(game.play(CHALLENGER, &Dispute::selectCall { child: U256::from(2), ..call }));
}

#[test]
fn rule_04_an_empty_tensor_is_an_end_where_only_its_header_can_be_wrong() {
    let mut game = Game::honest(&looping(), 0);
    let leaf = game.leaf_number(2, EMPTY);
    game.walk_to_header(leaf);
    assert_eq!(game.position().kind, Kind::Empty);
    let call = game.select_call(0);
    refused::<Dispute::WrongKind>(game.play(CHALLENGER, &call));
    let call = game.prove_header_call(leaf);
    refused::<Dispute::NoContradiction>(game.play(CHALLENGER, &call));
    // an empty tensor with a root is not revealed at all
    let sample = looping();
    let run = sample.run(3, &mut |_, _, _| ());
    let mut commit = Commit::of(&run);
    let leaf = commit.values.len() - 3;
    let mut headers: Vec<_> = commit.values.iter().map(Value::header).collect();
    headers[leaf] = opml_vm::merkle::header_hash(0, 0, &[7; 32]);
    commit.tree = Tree::new(headers);
    let mut game = Game::claimed_as(&sample, 0, run, commit).opened();
    game.select(leaf as u64 / 2).unwrap();
    game.reveal().unwrap();
    game.select(leaf as u64 % 2).unwrap();
    refused::<Dispute::BadHash>(game.reveal());
}

#[test]
fn rule_05_a_header_is_its_instructions() {
    type Lie<'a> = (u32, &'a dyn Fn(&mut Value));
    let lies: [Lie<'_>; 4] = [
        (SMALL, &|value| value.dtype = 1),
        (SMALL, &|value| value.elements = 4),
        (WIDE, &|value| value.dtype = 1),
        (EMPTY, &|value| (value.elements, value.bytes) = (1, vec![0; 256])),
    ];
    for (i, lie) in lies {
        // from the root, and from the header
        for walk in [false, true] {
            let mut game = committed(1, i, lie);
            let leaf = game.leaf_number(1, i);
            if walk && i != WIDE {
                game.walk_to_header(leaf);
            }
            let call = game.prove_header_call(leaf);
            game.play(CHALLENGER, &call).unwrap();
            assert_eq!(game.slot().status, Status::False);
        }
    }
    // headers that no reveal could show are no proofs
    let mut game = Game::honest(&looping(), 0);
    let leaf = game.leaf_number(1, SMALL);
    let good = game.prove_header_call(leaf);
    for (dtype, elements) in [(5, 3), (0, (1 << 40) + 1), (0, 0)] {
        let mut call = good.clone();
        (call.o.dtype, call.o.elements) = (dtype, elements);
        refused::<Dispute::BadHeader>(game.play(CHALLENGER, &call));
    }
    // nor is another header than the revealed one
    let mut game = committed(1, EMPTY, &|value| value.dtype = 4);
    let leaf = game.leaf_number(1, EMPTY);
    game.walk_to_header(leaf);
    let mut call = game.prove_header_call(leaf);
    call.o.dtype = 0;
    refused::<Dispute::BadHeader>(game.play(CHALLENGER, &call));
    call.o.dtype = 4;
    game.play(CHALLENGER, &call).unwrap();
}

#[test]
fn rule_06_the_output_is_the_claimed_bytes_exactly() {
    let sample = looping();
    for lie in [vec![95, 96], vec![95, 96, 97, 0], vec![95, 96, 98], vec![]] {
        let mut game = Game::claimed(&sample, 0, sample.run(3, &mut |_, _, _| ()));
        // the same trace, another output
        let claim = Dispute::claimCall { taskId: game.claim.taskId, T: 3, nonce: 1, output: Bytes::from(lie.clone()) };
        game.world.send(SUBMITTER, BOND_S, &claim).unwrap();
        game.claim.nonce = 1;
        game.claim.outputHash = alloy_primitives::keccak256(&lie);
        game.id = opml_contracts::dispute::claim_id(super::world::CHAIN_ID, game.world.dispute, &game.claim);
        game.challenge(CHALLENGER, 0).unwrap();
        refused::<Dispute::WrongOutput>(game.open_trace());
        game.output = lie.into();
        refused::<Dispute::BadHash>(game.open_trace());
        game.world.pass(TRACE_TIME + DELAY + 2);
        game.timeout(STRANGER).unwrap();
        assert_eq!(game.slot().status, Status::False);
    }
}

#[test]
fn rule_07_a_claim_has_one_trace_root() {
    let mut game = lying();
    let honest = looping().run(3, &mut |_, _, _| ());
    let other = Commit::of(&honest);
    let lie = std::mem::replace(&mut game.commit, other);
    refused::<Dispute::TraceIsOpen>(game.open_trace());
    game.commit = lie;
    let (mut second, mut player) = (game.rival(RIVAL, 0), RIVAL);
    let first = game.position();
    game.swap(&mut second, &mut player);
    assert_eq!((game.position().node, game.position().leaves), (first.node, first.leaves));
    game.select(0).unwrap();
    game.swap(&mut second, &mut player);
    game.select(0).unwrap();
}

#[test]
fn rule_08_a_run_that_ends_early_shows_its_halt() {
    let sample = looping();
    // one iteration early, all values right
    let mut game = Game::claimed(&sample, 0, sample.run(2, &mut |_, _, _| ()));
    game.challenge(CHALLENGER, 0).unwrap();
    refused::<Dispute::NoHalt>(game.open_trace());
    let mut call = game.open_trace_call();
    call.opening.halt.clear();
    refused::<Dispute::NoHalt>(game.world.send(SUBMITTER, 0, &call));
    // another leaf that is not 0 is no halt
    let leaf = game.leaf_number(1, SMALL);
    call.opening.halt = vec![game.commit.opening(leaf, 0, 0)];
    refused::<Dispute::BadHash>(game.world.send(SUBMITTER, 0, &call));
    // nor is another element of the halt value
    call.opening.halt[0].e = 1;
    refused::<Dispute::NoHalt>(game.world.send(SUBMITTER, 0, &call));
}

/// The loop with a halt value of two elements, of which the second is never 0.
fn halting_in_two() -> Sample {
    let mut sample = looping();
    let program = &sample.program;
    let mut instructions = program.instructions().to_vec();
    instructions[HALT as usize] = Build::each(DType::U8, &[2])
        .constants(&[3])
        .load(Source::Value(COUNTER), 0, &[fixed(1, 0, &[])])
        .op(Opcode::Eq, [19, 18, 0])
        .op(Opcode::Max, [20, 1, 0])
        .done();
    let inputs = program.inputs().to_vec();
    sample.program = Program::new(instructions, vec![], inputs, SMALL, Some(HALT)).unwrap();
    sample
}

#[test]
fn rule_08_and_09_a_halt_is_element_0_and_no_other() {
    let sample = halting_in_two();
    let mut game = Game::honest(&sample, 0);
    let mut call = game.prove_halt_call(1);
    refused::<Dispute::NoContradiction>(game.play(CHALLENGER, &call));
    call.o.e = 1;
    refused::<Dispute::BadElement>(game.play(CHALLENGER, &call));

    let mut game = Game::claimed(&sample, 0, sample.run(2, &mut |_, _, _| ()));
    game.challenge(CHALLENGER, 0).unwrap();
    let mut call = game.open_trace_call();
    call.opening.halt[0].e = 1;
    refused::<Dispute::NoHalt>(game.world.send(SUBMITTER, 0, &call));
}

#[test]
fn rule_09_a_run_that_goes_on_after_a_halt_is_false() {
    let sample = looping();
    let mut late = sample.clone();
    late.length = 5;
    let mut game = Game::honest(&late, 0);
    for (t, false_claim) in [(4, false), (1, false), (2, true)] {
        let call = game.prove_halt_call(t);
        let outcome = game.play(CHALLENGER, &call);
        match (t, false_claim) {
            (4, _) => refused::<Dispute::BadElement>(outcome),
            (_, false) => refused::<Dispute::NoContradiction>(outcome),
            _ => drop(outcome.unwrap()),
        }
    }
    assert_eq!(game.slot().status, Status::False);
    // one iteration late
    (late.length, late.max_t) = (4, 4);
    let mut game = Game::honest(&late, 0);
    let call = game.prove_halt_call(2);
    game.play(CHALLENGER, &call).unwrap();
    // the halt at the end of an honest run is none before its end
    let mut game = Game::honest(&sample, 0);
    let call = game.prove_halt_call(2);
    refused::<Dispute::BadElement>(game.play(CHALLENGER, &call));
    let mut call = game.prove_halt_call(1);
    call.o.e = 1;
    refused::<Dispute::BadElement>(game.play(CHALLENGER, &call));
    let small = game.leaf_number(1, SMALL);
    call.o = game.commit.opening(small, 0, 5);
    refused::<Dispute::BadElement>(game.play(CHALLENGER, &call));
}

#[test]
fn rule_11_junk_behind_the_last_leaf_cannot_be_revealed() {
    // the same program with its output in the left half of the trace: a nineteenth leaf beside eighteen right ones
    let mut sample = looping();
    let program = &sample.program;
    let (instructions, inputs) = (program.instructions().to_vec(), program.inputs().to_vec());
    sample.program = Program::new(instructions, vec![], inputs, COUNTER, program.halt()).unwrap();
    let run = sample.run(3, &mut |_, _, _| ());
    let mut commit = Commit::of(&run);
    let mut leaves: Vec<_> = commit.values.iter().map(Value::header).collect();
    leaves.push([0x6a; 32]);
    commit.tree = Tree::new(leaves);
    // where all leaves are children of the root, the junk has no place
    let mut game = Game::claimed_as(&sample, 2, run.clone(), commit.clone());
    game.challenge(CHALLENGER, 0).unwrap();
    refused::<Dispute::BadChild>(game.open_trace());
    // below the root it can hide, until its path is asked for
    let mut game = Game::claimed_as(&sample, 1, run, commit).opened();
    game.select(1).unwrap();
    game.reveal().unwrap();
    game.select(0).unwrap();
    game.reveal().unwrap();
    game.select(0).unwrap();
    assert_eq!((game.position().height, game.position().index), (2, 4));
    let mut call = game.reveal_call();
    assert_eq!(call.children.len(), 2);
    refused::<Dispute::BadChild>(game.play(SUBMITTER, &call));
    call.children.pop();
    refused::<Dispute::BadHash>(game.play(SUBMITTER, &call));
    game.world.pass(BUDGET + DELAY + 2);
    game.timeout(STRANGER).unwrap();
    assert_eq!(game.slot().status, Status::False);
}

#[test]
fn rule_12_bytes_behind_the_last_element_are_zero() {
    // three bytes and a fourth
    let mut game = committed(1, SMALL, &|value| value.bytes[3] = 1);
    let leaf = game.leaf_number(1, SMALL);
    game.select(leaf / 2).unwrap();
    game.reveal().unwrap();
    game.select(leaf % 2).unwrap();
    refused::<Dispute::BadPadding>(game.reveal());
    game.world.pass(BUDGET + DELAY + 2);
    game.timeout(STRANGER).unwrap();
    assert_eq!(game.slot().status, Status::False);
    // the last leaf of 6,000 bytes, right behind them and at the very end
    for byte in [6_000, 6_143] {
        let mut game = committed(1, WIDE, &|value| value.bytes[byte] = 1);
        let leaf = game.leaf_number(1, WIDE);
        game.walk_to_header(leaf);
        game.select(11).unwrap();
        game.reveal().unwrap();
        game.select(1).unwrap();
        refused::<Dispute::BadPadding>(game.reveal());
    }
}

#[test]
fn rule_22_partials_combine_to_the_disputed_value() {
    let mut game = lying();
    let leaf = game.leaf_number(1, SUMS);
    game.walk_to_leaf(leaf, 7);
    game.select_element(7).unwrap();
    let partials = game.partials();
    assert_eq!(partials.len(), 16);
    refused::<Dispute::BadPartials>(game.reveal_partials(&partials[1..]));
    refused::<Dispute::BadPartials>(game.reveal_partials(&[&partials[..], &[0]].concat()));
    refused::<Dispute::BadPartials>(game.reveal_partials(&[]));
    for width in [17, 32] {
        let wide = Dispute::revealPartialsCall {
            partials: vec![0; 16 * width].into(),
            ..game.reveal_partials_call(&partials)
        };
        refused::<Dispute::BadPartials>(game.play(SUBMITTER, &wide));
    }
    // the sum leaves i128 on either side: only the one who posts it is hurt
    for edge in [i128::MAX, i128::MIN] {
        let mut over = [0; 16];
        over[0] = edge;
        over[1] = edge.signum();
        refused::<Dispute::BadPartials>(game.reveal_partials(&over));
    }
    let mut lie = partials.clone();
    (lie[4], lie[9]) = (lie[4] + 1, lie[9] - 1);
    game.reveal_partials(&lie).unwrap();
    game.select_partial(4, &lie).unwrap();
    let mut parts = game.partials();
    refused::<Dispute::BadPartials>(game.reveal_partials(&parts));
    parts[2] += 1;
    game.reveal_partials(&parts).unwrap();
    for part in [1, 3] {
        let call = game.prove_slice_call(part, &parts);
        refused::<Dispute::NoContradiction>(game.play(CHALLENGER, &call));
    }
    let call = game.prove_slice_call(2, &parts);
    game.play(CHALLENGER, &call).unwrap();
    assert_eq!(game.slot().status, Status::False);
}

#[test]
fn rule_22_the_edges_of_i128_are_partials() {
    let mut game = lying();
    let leaf = game.leaf_number(1, SUMS);
    game.walk_to_leaf(leaf, 7);
    game.select_element(7).unwrap();
    let mut edge = [0; 16];
    (edge[0], edge[1], edge[2]) = (i128::MAX, i128::MIN, i128::MAX);
    game.reveal_partials(&edge).unwrap();
    let call = game.prove_slice_call(15, &edge);
    game.play(CHALLENGER, &call).unwrap();
}

#[test]
fn rule_22_extremes_combine_as_extremes() {
    let mut game = Game::lying(&looping(), 1, 1, SMALL, &|value| changed(value, 1, -1));
    let leaf = game.leaf_number(1, SMALL);
    game.walk_to_leaf(leaf, 1);
    game.select_element(1).unwrap();
    assert_eq!(game.position().reducer, 1);
    let partials = game.partials();
    assert_eq!(partials, [7, 92].map(|value| value + 1));
    game.reveal_partials(&[8, 90]).unwrap();
    game.select_partial(1, &[8, 90]).unwrap();
    refused::<Dispute::BadPartials>(game.reveal_partials(&[91, 2]));
    refused::<Dispute::BadPartials>(game.reveal_partials(&[89, 2]));
    game.reveal_partials(&[90, 90]).unwrap();
    let call = game.prove_slice_call(0, &[90, 90]);
    game.play(CHALLENGER, &call).unwrap();
}

#[test]
fn rule_22_minima_combine_as_minima() {
    let mut sample = looping();
    let mut instructions = sample.program.instructions().to_vec();
    instructions[SMALL as usize].reducer = Reducer::Min;
    let inputs = sample.program.inputs().to_vec();
    sample.program = Program::new(instructions, vec![], inputs, COUNTER, Some(HALT)).unwrap();
    let mut game = Game::lying(&sample, 1, 2, SMALL, &|value| changed(value, 1, 1));
    let leaf = game.leaf_number(2, SMALL);
    game.walk_to_leaf(leaf, 1);
    game.select_element(1).unwrap();
    let partials = game.partials();
    assert_eq!(partials, [1, 6]);
    game.reveal_partials(&[2, 6]).unwrap();
    game.select_partial(0, &[2, 6]).unwrap();
    refused::<Dispute::BadPartials>(game.reveal_partials(&[9, 1]));
    refused::<Dispute::BadPartials>(game.reveal_partials(&[3, 9]));
    game.reveal_partials(&[9, 2]).unwrap();
    let call = game.prove_slice_call(1, &[9, 2]);
    game.play(CHALLENGER, &call).unwrap();
}

#[test]
fn rule_23_the_first_partials_define_the_total() {
    // right partials of a wrong element: the post is wrong
    let mut game = lying();
    let leaf = game.leaf_number(1, SUMS);
    game.walk_to_leaf(leaf, 7);
    game.select_element(7).unwrap();
    let partials = game.partials();
    game.reveal_partials(&partials).unwrap();
    let call = game.prove_post_call(&partials, partials.iter().sum());
    game.play(CHALLENGER, &call).unwrap();
    assert_eq!(game.slot().status, Status::False);
    // partials that give the wrong element: the post is right, a partial is wrong
    let mut game = lying();
    game.walk_to_leaf(leaf, 7);
    game.select_element(7).unwrap();
    let mut partials = game.partials();
    partials[3] += 1;
    game.reveal_partials(&partials).unwrap();
    let call = game.prove_post_call(&partials, partials.iter().sum());
    refused::<Dispute::NoContradiction>(game.play(CHALLENGER, &call));
    let call = game.prove_slice_call(3, &partials);
    game.play(CHALLENGER, &call).unwrap();
    assert_eq!(game.slot().status, Status::False);
}

#[test]
fn rule_30_the_payee_of_a_proof_is_the_disputes_challenger() {
    let mut game = lying();
    let leaf = game.leaf_number(1, SUMS);
    let call = game.prove_element_call(leaf, 7);
    // a copy of the pending proof, sent first by somebody else
    game.play(RIVAL, &call).unwrap();
    refused::<Dispute::ClaimNotPending>(game.play(CHALLENGER, &call));
    let state = game.state.clone();
    game.settle(&state).unwrap();
    assert_eq!(game.world.credit(RIVAL), U256::ZERO);
    assert_eq!(game.world.credit(CHALLENGER), U256::from(BOND_C + BOND_S - BOND_S / 2));
}

#[test]
fn rule_30_a_dispute_opened_in_the_same_block_proves_nothing() {
    // an outsider copies the proof into a dispute of its own, in the block, or even the transaction, in which it opens it
    let mut game = lying();
    let honest = game.state.clone();
    let leaf = game.leaf_number(1, SUMS);
    game.world.host.hold_block(true);
    game.challenge(RIVAL, 0).unwrap();
    let call = game.prove_element_call(leaf, 7);
    refused::<Dispute::TooEarly>(game.play(RIVAL, &call));
    game.world.host.hold_block(false);
    game.play(RIVAL, &call).unwrap();
    assert_ne!(honest, game.state);

    let mut game = lying();
    let outsider = puppet(&mut game.world);
    let expected = Position {
        challenger: outsider,
        turn_start: game.world.host.now() + TRACE_TIME,
        turn_block: game.world.host.block(),
        open_block: game.world.host.block(),
        ..Position::unpack(&game.state).unwrap()
    };
    game.state = expected.pack();
    let prove = game.prove_element_call(leaf, 7);
    let challenge = Dispute::challengeCall { claimId: game.id, nonce: 0 };
    let act = Puppet::actAllCall {
        to: game.world.dispute,
        values: vec![U256::from(BOND_C), U256::ZERO],
        data: vec![challenge.abi_encode().into(), prove.abi_encode().into()],
    };
    refused::<Dispute::TooEarly>(
        game.world.host.send(STRANGER, outsider, U256::ZERO, &act).map(|(_, receipt)| receipt),
    );
}

#[test]
fn rule_31_everything_is_revealed_in_events() {
    // a client that has only the logs
    let mut game = lying();
    let leaf = game.leaf_number(1, SUMS);
    let mut logs = Vec::new();
    game.select(leaf / 2).map(|receipt| logs.extend(receipt.logs)).unwrap();
    game.reveal().map(|receipt| logs.extend(receipt.logs)).unwrap();
    game.select(leaf % 2).map(|receipt| logs.extend(receipt.logs)).unwrap();
    game.reveal().map(|receipt| logs.extend(receipt.logs)).unwrap();
    game.select(0).map(|receipt| logs.extend(receipt.logs)).unwrap();
    game.reveal().map(|receipt| logs.extend(receipt.logs)).unwrap();
    let partials = {
        game.select_element(7).map(|receipt| logs.extend(receipt.logs)).unwrap();
        let mut partials = game.partials();
        partials[0] += 1;
        game.reveal_partials(&partials).map(|receipt| logs.extend(receipt.logs)).unwrap();
        partials
    };
    let (_, state) = logs.iter().filter_map(state_after).last().unwrap();
    assert_eq!(state, game.state);
    use alloy_sol_types::SolEvent;
    let words: Vec<B256> = logs
        .iter()
        .filter_map(|log| Dispute::Revealed::decode_log(log).ok())
        .flat_map(|event| event.data.words)
        .collect();
    let pair = [leaf - leaf % 2, leaf - leaf % 2 + 1].map(|leaf| B256::from(game.commit.value(leaf).header()));
    assert!(words.starts_with(&pair));
    let leaves: Vec<[B256; 8]> = logs
        .iter()
        .filter_map(|log| Dispute::LeafRevealed::decode_log(log).ok())
        .map(|event| event.data.data)
        .collect();
    assert_eq!(leaves, [game.commit.value(leaf).leaf(0)]);
    let revealed = logs.iter().find_map(|log| Dispute::PartialsRevealed::decode_log(log).ok()).unwrap();
    assert_eq!(revealed.data.partials, encode(&partials));
    let call =
        Dispute::proveSliceCall { partials: revealed.data.partials, state, ..game.prove_slice_call(0, &partials) };
    game.play(CHALLENGER, &call).unwrap();
    assert_eq!(game.slot().status, Status::False);
}

/// A program of one instruction with so many terms that nobody sums them, and a claim that its element is 1.
fn endless(extents: &[u32]) -> Game {
    let instruction = Build::new(DType::I64, Reducer::Sum, &[1], extents).op(Opcode::Mul, [0, 0, 0]).done();
    let program = Program::new(vec![instruction], vec![], vec![], 0, None).unwrap();
    let sample = Sample { program, inputs: vec![], max_t: 1, length: 1 };
    let run = Run { length: 1, values: vec![Tensor::from_values(DType::I64, &[1]).unwrap()] };
    Game::claimed(&sample, 0, run).opened()
}

#[test]
fn rule_33_every_reduction_is_cut_to_one_term_in_few_rounds() {
    for (extents, rounds) in [(&[65_535, 65_535][..], 8), (&[1 << 20, 1 << 20][..], 10)] {
        let mut game = endless(extents);
        game.walk_to_leaf(0, 0);
        game.select_element(0).unwrap();
        for round in 1.. {
            let at = game.position();
            let m = (at.k1 - at.k0).min(16);
            let mut partials = vec![0; m as usize];
            *partials.last_mut().unwrap() = 1;
            game.reveal_partials(&partials).unwrap();
            if m < 16 || at.k1 - at.k0 == 16 {
                assert!(round <= rounds, "{round} rounds");
                let call = game.prove_slice_call(m - 1, &partials);
                game.play(CHALLENGER, &call).unwrap();
                break;
            }
            game.select_partial(15, &partials).unwrap();
        }
        assert_eq!(game.slot().status, Status::False);
    }
}

#[test]
fn rule_34_the_time_to_compute_the_trace_is_its_own() {
    let sample = looping();
    let mut game = Game::claimed(&sample, 0, sample.run(3, &mut |_, _, _| ()));
    game.challenge(CHALLENGER, 0).unwrap();
    // a submitter that needs all of it pays nothing from its budget
    game.world.host.warp(TRACE_TIME + DELAY);
    game.world.host.roll(100);
    game.open_trace().unwrap();
    assert_eq!(game.slot().stage, Stage::Opened);
    game.select(0).unwrap();
    assert_eq!(game.position().budget_s, BUDGET);
    assert_eq!(game.position().budget_c, BUDGET);
    // a challenger that enters late has it too
    let (mut second, mut player) = (game.rival(RIVAL, 0), RIVAL);
    game.swap(&mut second, &mut player);
    game.world.host.warp(TRACE_TIME + DELAY);
    game.world.host.roll(100);
    game.select(0).unwrap();
    assert_eq!(game.position().budget_c, BUDGET);
}
